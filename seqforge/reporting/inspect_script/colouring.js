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
    if (follows >= 0 && underlined !== -2) underline(follows);
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

function underline(n) {
  const select = byId("underline");
  const fits = n < 0 || meta.tracks || annotations[n].measure === "auc";
  const next = fits ? n : -1;
  if (next === underlined) return;
  underlined = next;
  select.value = String(underlined);
  if (meta.tracks) build();
  else recolour();
  tracksKey();
}

function tracksKey() {
  const key = byId("tracks-key");
  key.replaceChildren();
  if (!meta.tracks || underlined === -1) return;
  annotations.forEach((one, n) => {
    if (underlined !== -2 && underlined !== n) return;
    const colour = document.createElement("i");
    colour.className = `of${n % 5}`;
    key.append(colour, one.name);
  });
}

const MOST_BARS = 4; // beneath a line, if nobody asks for more

function startTools() {
  byId("tools").hidden = byId("odds").hidden = false;
  byId("tools").addEventListener("change", (event) => {
    if (event.target.name === "colouring") choose(event.target.value);
  });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  const select = byId("underline");
  if (meta.tracks && annotations.length) select.add(new Option("all", "-2"));
  annotations.forEach((one, n) => {
    if (meta.tracks || one.measure === "auc") select.add(new Option(one.name, String(n)));
  });
  byId("underline-box").hidden = select.options.length < 2;
  select.addEventListener("change", () => { underline(+select.value); show(); });
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
