// What the text is coloured by

const radios = () => [...document.querySelectorAll("input[name=colouring]")];

function step(by) {
  const shown = radios().filter((one) => !one.closest("[hidden]"));
  const now = shown.findIndex((one) => one.checked);
  const next = shown[(now + by + shown.length) % shown.length];
  next.checked = true;
  next.scrollIntoView({ block: "nearest" });
  choose(next.value);
  byId("spoken").textContent = byId("what").textContent;
}

const unitName = (row) => `${Math.floor(row / perLayer)}:${row % perLayer}`;
const heatValues = (row) => heat.subarray(row * heatCount, (row + 1) * heatCount);
let other = -1;

function choose(value) {
  if (value === "surprise") colouring = { name: "surprise", heat: -1 };
  else if (value === "other") {
    colouring = { name: unitName(other), values: heatValues(other), heat: other };
  } else {
    const unit = units[+value.slice(4)];
    const row = perLayer ? unit.layer * perLayer + unit.unit : -1;
    colouring = { ...unit, heat: row };
    const follows = annotations.findIndex(({ name }) => name === unit.annotation);
    if (follows >= 0) point(follows);
  }
  describe();
  recolour();
  show();
  drawStaff();
  if (colouring.heat >= 0) orderHeat();
  drawHeat();
}

function describe() {
  const surprise = colouring.name === "surprise";
  document.querySelector("[data-legend=surprise]").hidden = !surprise;
  document.querySelector("[data-legend=unit]").hidden = surprise;
  const follows = colouring.annotation ? `: follows ${colouring.annotation}` : "";
  const partly = !surprise && colouring.values.length < count
    ? ` (at the first ${number(colouring.values.length)} symbols)` : "";
  byId("what").textContent = surprise ? "surprise" : `unit ${colouring.name}${follows}${partly}`;
  if (byId("any-unit") && colouring.heat >= 0) byId("any-unit").value = colouring.heat;
}

function chooseUnit(row) {
  const known = units.findIndex((unit) => unit.layer * perLayer + unit.unit === row);
  other = known >= 0 ? other : row;
  byId("other-label").hidden = other < 0;
  if (other >= 0) byId("other-name").textContent = unitName(other);
  const value = known >= 0 ? "unit" + known : "other";
  radios().find((one) => one.value === value).checked = true;
  choose(value);
}

// Show the annotation that a unit follows, in place of the one that was shown for another unit.
let pointed = -1;
function point(n) {
  if (!meta.tracks) return underline(n);
  if (beneath.has(n)) return undefined;
  beneath.delete(pointed);
  beneath.add((pointed = n));
  return drawBars();
}

function underline(n) {
  underlined = n >= 0 && annotations[n].measure === "auc" ? n : -1;
  byId("underline").value = String(underlined);
  recolour();
}

const COLOURS = 5, MOST_BARS = 4; // bars beneath a line, if nobody asks for more

// At first, all annotations; of many those that hold over the longest stretches: exons, not codons.
function firstBars() {
  const all = [...annotations.keys()];
  if (all.length <= MOST_BARS) return all;
  const lengths = annotations.map(stretch);
  return all.sort((a, b) => lengths[b] - lengths[a] || a - b).slice(0, MOST_BARS - 1);
}

function stretch(one) {
  let symbolsHeld = 0, stretches = 0;
  for (let i = 0; i < count; i++) {
    if (!holds(one, i)) continue;
    symbolsHeld++;
    if (!i || !holds(one, i - 1)) stretches++;
  }
  return symbolsHeld / (stretches || 1);
}

function startBars() {
  const box = byId("bars");
  box.hidden = !annotations.length;
  for (const n of firstBars()) beneath.add(n);
  annotations.forEach((one, n) => {
    const label = document.createElement("label"), tick = document.createElement("input");
    Object.assign(tick, { type: "checkbox", value: String(n) });
    tick.addEventListener("change", () => {
      if (tick.checked) beneath.add(n);
      else beneath.delete(n);
      drawBars();
      show();
    });
    const colour = document.createElement("i");
    colour.className = `of${n % COLOURS}`;
    label.append(tick, colour, one.name);
    box.lastElementChild.append(label);
  });
  showBars();
}

function drawBars() {
  showBars();
  build();
}

function showBars() {
  for (const tick of byId("bars").querySelectorAll("input")) tick.checked = beneath.has(+tick.value);
  byId("tracks-key").replaceChildren(...[...beneath].flatMap((n) => {
    const colour = document.createElement("i");
    colour.className = `of${n % COLOURS}`;
    return [colour, annotations[n].name];
  }));
}

function startUnderline() {
  const select = byId("underline");
  annotations.forEach((one, n) => {
    if (one.measure === "auc") select.add(new Option(one.name, String(n)));
  });
  byId("underline-box").hidden = select.options.length < 2;
  select.addEventListener("change", () => { underline(+select.value); show(); });
}

function startTools() {
  byId("tools").hidden = byId("odds").hidden = false;
  byId("tools").addEventListener("change", (event) => {
    if (event.target.name === "colouring") choose(event.target.value);
  });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  if (meta.tracks) startBars();
  else startUnderline();
  for (const name of document.querySelectorAll(".unit-name")) {
    const n = +name.dataset.unit;
    if (n < 0) continue;
    const button = document.createElement("button");
    Object.assign(button, { className: "plain", type: "button", textContent: name.textContent });
    button.title = "Colour the text by this unit";
    button.addEventListener("click", () => {
      radios().find((one) => one.value === "unit" + n).checked = true;
      choose("unit" + n);
      byId("text").scrollIntoView();
    });
    name.replaceChildren(button);
  }
}
