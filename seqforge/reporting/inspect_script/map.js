// The map of all units

const ROW = 5, COLUMN = 9;
let order = [], heatFrom = 0, shownColumns = 0;

let deviations = null;
function deviate() {
  if (deviations) return;
  const rows = heat.length / heatCount;
  deviations = new Float32Array(heat.length);
  for (let row = 0; row < rows; row++) {
    let mean = 0;
    for (let i = 0, j = row * heatCount; i < heatCount; i++, j++) mean += heat[j];
    mean /= heatCount;
    for (let i = 0, j = row * heatCount; i < heatCount; i++, j++) deviations[j] = heat[j] - mean;
  }
}

function likeness(row, other) {
  let product = 0, own = 0, its = 0;
  for (let i = 0, a = row * heatCount, b = other * heatCount; i < heatCount; i++, a++, b++) {
    product += deviations[a] * deviations[b];
    own += deviations[a] ** 2;
    its += deviations[b] ** 2;
  }
  return product / (Math.sqrt(own * its) || 1);
}

function orderHeat() {
  if (!heat) return;
  const rows = heat.length / heatCount;
  order = Array.from({ length: rows }, (_, row) => row);
  if (byId("heat-order").value !== "like" || colouring.heat < 0) return;
  deviate();
  const like = order.map((row) => likeness(row, colouring.heat));
  order.sort((a, b) => like[b] - like[a]);
}

// Of some units there are values at all symbols: the map goes on with these.
const everywhere = new Map(units.map((unit) => [unit.layer * perLayer + unit.unit, unit.values]));
const mapped = units.length ? count : heatCount;
const mapRows = () => heatFrom + shownColumns <= heatCount ? order
  : order.filter((row) => everywhere.has(row));
const mapValues = (row) => everywhere.get(row) ?? heatValues(row);

let drawn = 0;
function drawHeat() {
  if (!heat || drawn) return;
  drawn = requestAnimationFrame(() => { drawn = 0; paintHeat(); });
}

function paintHeat() {
  const box = byId("heat-box");
  const columns = Math.min(mapped, Math.max(20, Math.floor((box.clientWidth - 2) / COLUMN)));
  if (at < mapped && (at < heatFrom || at >= heatFrom + columns)) heatFrom = at - (columns >> 1);
  heatFrom = Math.max(0, Math.min(mapped - columns, heatFrom));
  byId("heat-from").max = mapped - columns;
  byId("heat-from").value = heatFrom;
  shownColumns = columns;
  const canvas = byId("heat-canvas"), rows = mapRows();
  canvas.width = columns;
  canvas.height = rows.length;
  canvas.style.width = `${columns * COLUMN}px`;
  canvas.style.height = `${rows.length * ROW}px`;
  canvas.getContext("2d").putImageData(heatImage(rows, columns), 0, 0);
  paintAxis(columns);
  const place = rows.indexOf(colouring.heat);
  byId("heat-row").hidden = place < 0;
  byId("heat-row").style.top = `${place * ROW}px`;
}

function heatImage(rows, columns) {
  const image = new ImageData(columns, rows.length);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = palette().map((text) => {
    const [red, green, blue] = [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
  const table = Uint32Array.from({ length: 2 * meta.fine + 1 }, (_, v) =>
    colours[Math.round(((v - meta.fine) / meta.fine) * meta.steps) + meta.steps]);
  rows.forEach((row, n) => {
    const values = mapValues(row);
    for (let i = 0; i < columns; i++) pixels[n * columns + i] = table[values[heatFrom + i] + meta.fine];
  });
  return image;
}

function paintAxis(columns) {
  byId("heat-axis").replaceChildren(...Array.from({ length: columns }, (_, n) => {
    const letter = document.createElement("span");
    letter.textContent = named(symbols[heatFrom + n]);
    if (heatFrom + n === at) letter.className = "at";
    return letter;
  }));
}

function startHeat() {
  if (!heat || !byId("heat-box")) return;
  byId("heat-tools").hidden = byId("heat-box").hidden = false;
  const select = byId("any-unit");
  for (let layer = 0; layer < meta.shape[0]; layer++) {
    const group = document.createElement("optgroup");
    group.label = `layer ${layer}`;
    for (let unit = 0; unit < perLayer; unit++) {
      group.append(new Option(`${layer}:${unit}`, layer * perLayer + unit));
    }
    select.append(group);
  }
  select.addEventListener("change", () => chooseUnit(+select.value));
  byId("heat-order").addEventListener("change", () => { orderHeat(); drawHeat(); });
  byId("heat-from").addEventListener("input", (event) => {
    heatFrom = +event.target.value;
    if (at < heatFrom || at >= heatFrom + shownColumns) go(heatFrom, { scroll: true });
    drawHeat();
  });
  const canvas = byId("heat-canvas");
  const place = (event) => {
    const rows = mapRows();
    return {
      row: rows[Math.min(rows.length - 1, Math.floor(event.offsetY / ROW))],
      i: heatFrom + Math.min(shownColumns - 1, Math.floor(event.offsetX / COLUMN)),
    };
  };
  canvas.addEventListener("pointermove", (event) => {
    const { row, i } = place(event);
    const value = signed(mapValues(row)[i] / meta.fine);
    byId("heat-note").textContent =
      `unit ${unitName(row)} after ${around(i - 9, i + 1)} (${meta.unit} ${number(i + 1)}): ${value}. A click colours the text by it.`;
  });
  canvas.addEventListener("click", (event) => {
    const { row, i } = place(event);
    chooseUnit(row);
    go(i, { scroll: true });
  });
  new ResizeObserver(drawHeat).observe(byId("heat-box"));
  orderHeat();
}
