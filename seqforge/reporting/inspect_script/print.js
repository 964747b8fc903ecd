// Print: the chunks from the one in view on

const PRINTED = 2400;
function print(first) {
  let last = first;
  while (last < chunks.length && chunks[last].start - chunks[first].start < PRINTED) last++;
  chunks.forEach((chunk, n) => {
    const shown = n >= first && n < last;
    chunk.classList.toggle("printed", shown);
    if (shown) fill(chunk);
  });
  const part = byId("part");
  part.hidden = last - first >= chunks.length;
  if (chunks.length) {
    part.textContent = `${number(chunks[first].start + 1)} to ${number(chunks[last - 1].stop)} of ${number(count)} symbols.`;
  }
}
addEventListener("beforeprint", () => {
  const top = pane.getBoundingClientRect().top;
  const first = chunks.findIndex((chunk) => chunk.getBoundingClientRect().bottom > top);
  print(Math.max(0, first));
  printing = true;
  drawStaff();
  if (heat) paintHeat();
});
addEventListener("afterprint", () => { printing = false; drawStaff(); drawHeat(); });
dark.addEventListener("change", () => { show(); drawStaff(); drawHeat(); });
