// A tune: its score, or where there is none a staff with heights and lengths

const notes = meta.tunes.length ? {
  start: summed(array("noteSteps")), size: array("noteSizes"), height: array("noteHeights"),
  onset: array("noteOnsets"), length: array("noteLengths"), bars: array("bars"),
} : null;
let firstNote = 0, firstBar = 0;
function summed(steps) {
  let sum = 0;
  return steps.map((step) => (sum += step));
}
const tunes = meta.tunes.map(([start, stop, size, barCount]) => {
  const tune = { start, stop, from: firstNote, to: firstNote + size, bars: [] };
  if (notes) tune.bars = [...notes.bars.subarray(firstBar, firstBar + barCount)];
  firstNote += size;
  firstBar += barCount;
  return tune;
});
let scoreByte = 0;
meta.scores.forEach((score, n) => {
  if (!score) return;
  const [width, height, size] = score;
  tunes[n].score = { width, height, from: scoreByte, to: (scoreByte += size) };
});
const QUARTER = 30, STEP = 5, MARGIN = 12, GAP = 28;
let shownTune = null, rects = [];

// Where each line of the staff begins, in quarters: as many whole bars as fit.
function systems(tune, room) {
  const starts = [0];
  let last = 0;
  for (const bar of tune.bars) {
    if (bar - starts.at(-1) > room && last > starts.at(-1)) starts.push(last);
    last = bar;
  }
  return starts;
}

const lastOf = (note) => notes.start[note] + notes.size[note] - 1;

function drawStaff() {
  if (!notes) return;
  const tune = tunes.find(({ start, stop }) => start <= at && at < stop);
  if (tune && tune !== shownTune) layOut(tune);
  paintNotes();
}

function layOut(tune) {
  shownTune = tune;
  byId("staff").innerHTML = tune.score ? engraved(tune.score) : staffOf(tune);
  byId("staff").classList.toggle("engraved", Boolean(tune.score));
  rects = [...byId("staff").querySelectorAll("[data-note]")].map((rect) => {
    rect.note = tune.from + Number(rect.dataset.note);
    return rect;
  });
}

function engraved({ width, height, from, to }) {
  const markup = new TextDecoder().decode(array("scores").subarray(from, to));
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="The score of the tune">${markup}</svg>`;
}

function staffOf(tune) {
  const width = Math.max(200, byId("staff-box").clientWidth - 4);
  const room = (width - 2 * MARGIN) / QUARTER, starts = systems(tune, room);
  const system = (onset) => {
    let n = starts.length - 1;
    while (n > 0 && starts[n] > onset + 1e-4) n--;
    return n;
  };
  const line = (x1, x2, y1, y2, name = "") =>
    `<line x1="${x1}" x2="${x2}" y1="${y1}" y2="${y2}" class="${name}"></line>`;
  let found = "", widest = width, lowest = 2, highest = 10;
  for (let i = tune.from; i < tune.to; i++) {
    lowest = Math.min(lowest, notes.height[i]);
    highest = Math.max(highest, notes.height[i]);
  }
  const staffHeight = (highest - lowest) * STEP + GAP;
  const y = (n, height) => n * staffHeight + GAP / 2 + (highest - height) * STEP;
  const x = (n, onset) => MARGIN + (onset - starts[n]) * QUARTER;
  starts.forEach((start, n) => {
    const ends = tune.bars.filter((bar) => bar > start && bar <= (starts[n + 1] ?? Infinity));
    const right = x(n, ends.at(-1) ?? start + room);
    widest = Math.max(widest, right + MARGIN);
    for (let height = 2; height <= 10; height += 2) found += line(MARGIN, right, y(n, height), y(n, height));
    for (const bar of ends) found += line(x(n, bar), x(n, bar), y(n, 10), y(n, 2), "bar-line");
  });
  for (let i = tune.from; i < tune.to; i++) {
    const n = system(notes.onset[i]), left = x(n, notes.onset[i]), height = notes.height[i];
    const size = Math.max(5, notes.length[i] * QUARTER - 2);
    for (let h = 0; h >= height; h -= 2) found += line(left - 3, left + size + 3, y(n, h), y(n, h));
    for (let h = 12; h <= height; h += 2) found += line(left - 3, left + size + 3, y(n, h), y(n, h));
    found += `<rect x="${left}" y="${y(n, height) - STEP}" width="${size}" height="${2 * STEP}" rx="4" data-note="${i - tune.from}"></rect>`;
  }
  const tall = starts.length * staffHeight;
  return `<svg width="${widest}" height="${tall}" viewBox="0 0 ${widest} ${tall}" role="img" aria-label="The notes of the tune">${found}</svg>`;
}

function paintNotes() {
  const shades = palette(), surprising = meta.surprise[dark.matches && !printing ? "dark" : "light"];
  for (const rect of rects) {
    const i = rect.note, last = lastOf(i), name = shade(last);
    rect.style.fill = name === "" ? "none" : (name[0] === "s" ? surprising : shades)[+name.slice(1)];
    const here = notes.start[i] <= at && at <= last;
    rect.setAttribute("class", here ? "at" : marks[last] ? "h" : "");
    if (here) revealNote(rect);
  }
}

function revealNote(rect) {
  const box = byId("staff-box"), frame = box.getBoundingClientRect();
  const place = rect.getBoundingClientRect();
  if (place.top < frame.top || place.bottom > frame.bottom) {
    box.scrollTop += place.top - frame.top - frame.height / 3;
  }
  if (place.left < frame.left || place.right > frame.right) {
    box.scrollLeft += place.left - frame.left - frame.width / 3;
  }
}

function startStaff() {
  if (!notes) return;
  byId("staff-box").hidden = byId("staff-note").hidden = false;
  byId("staff").addEventListener("click", (event) => {
    const note = event.target.note;
    if (note !== undefined) go(lastOf(note), { scroll: true, speak: true });
  });
  new ResizeObserver(() => { shownTune = null; drawStaff(); }).observe(byId("staff-box"));
}
