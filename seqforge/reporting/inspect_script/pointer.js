// Where the pointer or the keyboard is

function go(i, { scroll = false, speak = false } = {}) {
  const before = at;
  at = Math.max(0, Math.min(count - 1, i));
  if (chunkOf(before).full) spanOf(before).className = classes(before);
  const span = spanOf(at);
  span.className = classes(at);
  if (scroll) reveal(span);
  show();
  drawStaff();
  drawHeat();
  if (speak) byId("spoken").textContent = byId("here").textContent;
}

function reveal(span) {
  for (let n = 0; n < 2; n++) { // heights are known only once they are in view
    const box = pane.getBoundingClientRect(), place = span.getBoundingClientRect();
    if (place.top >= box.top + 8 && place.bottom <= box.bottom - 8) return;
    pane.scrollTop += place.top - box.top - box.height / 3;
  }
}

function bars(rows, caption) {
  const table = document.createElement("table");
  table.createCaption().textContent = caption;
  for (const { label, share, text, left, colour, strong } of rows) {
    const row = table.insertRow();
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = label || "end";
    row.append(heading);
    const track = row.insertCell().appendChild(document.createElement("div"));
    track.className = "bar";
    const fillIn = track.appendChild(document.createElement("i"));
    fillIn.style.width = `${share}%`;
    if (left !== undefined) fillIn.style.left = `${left}%`;
    if (colour) fillIn.style.background = colour;
    row.insertCell().textContent = text;
    if (strong) row.className = "came";
  }
  return table;
}

const percent = (share) => (share > 0 && share < 0.005 ? "< 1 %" : `${Math.round(share * 100)} %`);

function show() {
  const cost = unrooted(bits[at]);
  const told_ = `${meta.unit} ${number(at + 1)}: ${cost.toFixed(cost < 1 ? 2 : 1)} bits, it expected it with ${percent(2 ** -cost)}`;
  const here = byId("here");
  here.textContent = "";
  const symbol = document.createElement("b");
  symbol.textContent = named(symbols[at]);
  here.append(symbol, ` ${told_}; it came after `);
  const context = document.createElement("b");
  context.textContent = around(at - 16, at) || "nothing";
  here.append(context);
  byId("chances").replaceChildren(...expected());
  byId("carried").replaceChildren(...carried());
}

function expected() {
  if (!topIds) return [];
  const rows = [];
  for (let rank = 0; rank < topIds.length / count; rank++) {
    const share = topChances[rank * count + at] / 255;
    const symbol = meta.vocabulary[topIds[rank * count + at]];
    const came = symbol === symbols[at];
    rows.push({ label: named(symbol), share: share * 100, text: percent(share), strong: came });
  }
  const how = entropy ? ` (entropy ${unrooted(entropy[at]).toFixed(1)} bits)` : "";
  return [bars(rows, `Expected here${how}`)];
}

function carried() {
  const shades = palette();
  const rows = units.slice(0, 8).map(({ name, values }) => {
    const v = values[at] / meta.fine, size = Math.abs(v) * 50;
    const colour = shades[Math.round(v * meta.steps) + meta.steps];
    return { label: name, share: size, left: v < 0 ? 50 - size : 50, text: signed(v), colour };
  });
  const found = rows.length ? [bars(rows, "Units after it")] : [];
  if (!annotations.length) return found;
  const list = document.createElement("p");
  list.className = "note";
  const one = annotations[underlined] ?? annotations.find(({ name }) => name === colouring.annotation);
  const shown = meta.tracks ? [...beneath].map((n) => annotations[n]) : one ? [one] : [];
  list.textContent = shown.map((some) => `${some.name}: ${told(some, at)}`).join("; ");
  return [...found, list];
}

const dark = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
const palette = () => meta.shades[dark.matches && !printing ? "dark" : "light"];

function indexOf(target) {
  const span = target.closest?.("span");
  const holder = span?.parentElement;
  if (holder?.start === undefined) return -1;
  return holder.start + Array.prototype.indexOf.call(holder.children, span);
}

pane.addEventListener("pointermove", (event) => {
  const i = indexOf(event.target);
  if (i >= 0 && i !== at) go(i);
});
pane.addEventListener("click", (event) => {
  const i = indexOf(event.target);
  if (i >= 0) go(i, { speak: true });
});

// lastIndexOf would count a negative place from the end.
const breakBefore = (i) => (i > 0 ? symbols.lastIndexOf("\n", i - 1) : -1);

function lineAbove(i, by) {
  if (meta.tracks) return i + by * lineWidth;
  const start = breakBefore(i) + 1, column = i - start;
  if (by < 0) return start === 0 ? 0 : Math.min(breakBefore(start - 1) + 1 + column, start - 1);
  const end = symbols.indexOf("\n", i);
  if (end < 0) return count - 1;
  const next = symbols.indexOf("\n", end + 1);
  return Math.min(end + 1 + column, next < 0 ? count - 1 : next);
}

const MOVES = {
  ArrowLeft: () => at - 1,
  ArrowRight: () => at + 1,
  ArrowUp: () => lineAbove(at, -1),
  ArrowDown: () => lineAbove(at, 1),
  Home: () => (meta.tracks ? at - ((at - recordStart(at)) % lineWidth) : breakBefore(at) + 1),
};
pane.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (MOVES[event.key]) go(MOVES[event.key](), { scroll: true, speak: true });
  else if (event.key === "[" || event.key === "]") step(event.key === "]" ? 1 : -1);
  else return;
  event.preventDefault();
});
