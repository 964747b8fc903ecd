// The text in chunks; only those near the view have an element for each symbol

const pane = byId("pane");
pane.textContent = "";
pane.className = "coloured live";
pane.tabIndex = 0;
pane.setAttribute("role", "group");
pane.setAttribute("aria-label", "The text, symbol by symbol");
pane.setAttribute("aria-describedby", "keys-help");
let at = 0, chunks = [], lineWidth = 0;
const recordAt = new Map(meta.records.map(([name, start]) => [start, name]));
const offsets = new Map(meta.records.map(([, start, offset]) => [start, offset]));
const position = (i) => i + 1 - recordStart(i) + (offsets.get(recordStart(i)) ?? 0);
const watcher = new IntersectionObserver(
  (entries) => entries.forEach((one) => (one.isIntersecting ? fill : empty)(one.target)),
  { root: pane, rootMargin: "300px 0px" },
);

const CHUNK = 1200, LINES = 6;
function textBounds() {
  const bounds = [0];
  let last = 0, space = 0;
  for (let i = 0; i < count; i++) {
    if (recordAt.has(i) && recordAt.get(i) && i > last) bounds.push((last = i));
    if (symbols[i] === " ") space = i + 1;
    const long = i - last >= CHUNK;
    if (long && symbols[i] === "\n") bounds.push((last = i + 1));
    else if (long && i - last >= 2 * CHUNK) bounds.push((last = space > last ? space : i + 1));
  }
  return bounds;
}

function trackBounds() {
  const bounds = [0], starts = [...recordAt.keys(), count];
  starts.forEach((start, n) => {
    for (let i = start; i < (starts[n + 1] ?? count); i += lineWidth * LINES) if (i) bounds.push(i);
  });
  if (!recordAt.size) for (let i = lineWidth * LINES; i < count; i += lineWidth * LINES) bounds.push(i);
  return bounds;
}

const topOf = (element) => element.getBoundingClientRect().top - pane.getBoundingClientRect().top;

function build() {
  const inView = chunks.find((chunk) => topOf(chunk) + chunk.offsetHeight > 0)?.start ?? 0;
  watcher.disconnect();
  pane.textContent = "";
  if (meta.tracks) measure();
  const bounds = [...new Set(meta.tracks ? trackBounds() : textBounds())].sort((a, b) => a - b);
  chunks = bounds.filter((start) => start < count).map((start, n) => {
    const element = document.createElement("div");
    element.className = "chunk";
    Object.assign(element, { start, stop: Math.min(bounds[n + 1] ?? count, count), full: false });
    setHeight(element);
    pane.append(element);
    plain(element);
    watcher.observe(element);
    return element;
  });
  print(0);
  if (inView) pane.scrollTop += topOf(chunkOf(inView));
}

// Lines of tracks are all of one height; that of wrapped text is a guess until it is in view.
let lineHeight = 0, nameHeight = 0;
function setHeight(chunk) {
  if (!meta.tracks) {
    let ends = 0;
    for (let i = chunk.start; i < chunk.stop; i++) ends += symbols[i] === "\n";
    const lines = Math.max(ends, Math.ceil((chunk.stop - chunk.start) / 90));
    chunk.style.containIntrinsicSize = `auto ${21 * lines}px`;
    return;
  }
  const lines = Math.ceil((chunk.stop - chunk.start) / lineWidth);
  const named = recordAt.get(chunk.start) ? nameHeight : 0;
  chunk.style.height = `${lines * lineHeight + named}px`;
}

function measure() {
  const probe = pane.appendChild(document.createElement("div"));
  probe.className = "chunk";
  probe.style.contentVisibility = "visible"; // else it has no height before it is painted
  probe.innerHTML = `<b class="name">x</b>${line(0, Math.min(lineWidth, count))}`;
  lineHeight = probe.lastElementChild.getBoundingClientRect().height;
  nameHeight = probe.getBoundingClientRect().height - lineHeight;
  probe.remove();
}

function plain(chunk) {
  chunk.full = false;
  const text = meta.tracks ? [] : symbols.slice(chunk.start, chunk.stop);
  chunk.textContent = text.map((one) => meta.faces[one] ?? one).join("");
}

function empty(chunk) {
  if (chunk.full && !chunk.classList.contains("printed")) plain(chunk);
}

function spans(start, stop) {
  let found = "";
  for (let i = start; i < stop; i++) found += `<span class="${classes(i)}">${cell(symbols[i])}</span>`;
  return found;
}

function fill(chunk) {
  if (chunk.full) return;
  chunk.full = true;
  const name = recordAt.get(chunk.start);
  const heading = name ? `<b class="name">${escaped(name)}</b>` : "";
  chunk.innerHTML = heading + (meta.tracks ? lines(chunk) : `<div>${spans(chunk.start, chunk.stop)}</div>`);
  holders(chunk).forEach((holder, n) => (holder.start = chunk.start + n * (lineWidth || 0)));
}

const holders = (chunk) =>
  meta.tracks ? [...chunk.querySelectorAll(".bases")] : [chunk.lastElementChild];

function lines(chunk) {
  let found = "";
  for (let i = chunk.start; i < chunk.stop; i += lineWidth) {
    found += line(i, Math.min(i + lineWidth, chunk.stop));
  }
  return found;
}

const line = (start, stop) =>
  `<div class="line"><span class="pos">${number(position(start))}</span>` +
  `<div class="bases">${spans(start, stop)}</div>${tracks(start, stop)}</div>`;

function recordStart(i) {
  let found = 0;
  for (const start of recordAt.keys()) if (start <= i) found = start;
  return found;
}

function tracks(start, stop) {
  const bars = [...beneath].map((n) =>
    `<div class="track of${n % COLOURS}">${bar(annotations[n], start, stop)}</div>`);
  return bars.length ? `<div class="tracks">${bars.join("")}</div>` : "";
}

const LEVELS = 5;
function bar(one, start, stop) {
  let found = "";
  const level = (i) => (one.values[i] === 255 ? 0 : Math.round((one.values[i] / 254) * LEVELS));
  for (let i = start, from = start; i < stop; i++) {
    if (i + 1 < stop && level(i + 1) === level(i)) continue;
    const strength = level(from) / LEVELS;
    if (strength) {
      found += `<i style="left:${from - start}ch;width:${i + 1 - from}ch;opacity:${strength}"></i>`;
    }
    from = i + 1;
  }
  return found;
}

function recolour() {
  for (const chunk of chunks) {
    if (!chunk.full) continue;
    for (const holder of holders(chunk)) {
      let i = holder.start;
      for (const span of holder.children) span.className = classes(i++);
    }
  }
}

function chunkOf(i) {
  let low = 0, high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (chunks[middle].start <= i) low = middle;
    else high = middle - 1;
  }
  return chunks[low];
}

function spanOf(i) {
  const chunk = chunkOf(i);
  if (!chunk) return null;
  fill(chunk);
  const all = holders(chunk);
  const holder = meta.tracks ? all[Math.floor((i - chunk.start) / lineWidth)] : all[0];
  return holder.children[i - holder.start];
}
