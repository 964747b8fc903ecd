// Where the same units fire

// What all units carry, in the directions in which they differ most
const directions = meta.directions ? array("directions") : null, loadings = array("loadings");

function occurrences(phrase) {
  const wanted = Array.from(phrase), found = [];
  for (let i = 0; i + wanted.length <= count; i++) {
    let n = 0;
    while (n < wanted.length && symbols[i + n] === wanted[n]) n++;
    if (n === wanted.length) found.push(i + n - 1);
  }
  return found;
}

function meanAt(ends) {
  const mean = new Float32Array(meta.directions.count);
  mean.forEach((_, k) => {
    for (const i of ends) mean[k] += directions[k * count + i] / ends.length;
  });
  return mean;
}

function cosines(vector) {
  const products = new Float32Array(count), lengths = new Float32Array(count);
  let length = 0;
  vector.forEach((value, k) => {
    length += value * value;
    for (let i = 0, j = k * count; i < count; i++, j++) {
      products[i] += value * directions[j];
      lengths[i] += directions[j] * directions[j];
    }
  });
  return products.map((product, i) => product / (Math.sqrt(lengths[i] * length) || 1));
}

// Directions in, deviations of all units out
function deviationsOf(vector) {
  const found = new Float32Array(loadings.length / vector.length);
  vector.forEach((value, k) => {
    found.forEach((_, row) => { found[row] += value * meta.directions.step * loadings[k * found.length + row]; });
  });
  return found;
}

const HITS = 12;
function bestApart(scores, not) {
  const taken = new Set(not), found = [];
  const ranked = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
  for (const i of ranked) {
    if (found.length === HITS) break;
    if ([-2, -1, 0, 1, 2].some((by) => taken.has(i + by))) continue;
    taken.add(i);
    found.push(i);
  }
  return found;
}

function search(phrase) {
  const ends = phrase ? occurrences(phrase) : [];
  marks.fill(0);
  byId("hits").replaceChildren();
  byId("hit-units").replaceChildren();
  if (!ends.length) {
    byId("search-status").textContent = phrase
      ? `"${phrase}" is not among the ${number(count)} symbols.` : "Type a phrase of the text.";
    recolour();
    return;
  }
  const size = Array.from(phrase).length, vector = meanAt(ends), scores = cosines(vector);
  for (const end of ends) marks.fill(1, end - size + 1, end + 1);
  const best = bestApart(scores, ends);
  best.forEach((i) => marks.fill(1, Math.max(0, i - size + 1), i + 1));
  const times = ends.length === 1 ? "once" : `${number(ends.length)} times`;
  byId("search-status").textContent =
    `"${phrase}" occurs ${times}. The units are most alike after these, which are outlined in the text (1: the same; 0: unrelated):`;
  byId("hits").append(...best.map((i) => hit(i, size, scores[i])));
  byId("hit-units").append("Units that deviate most: ", ...strongest(deviationsOf(vector)));
  recolour();
}

function hit(i, size, score) {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  const end = document.createElement("b");
  end.textContent = around(i - size + 1, i + 1);
  button.append(`${score.toFixed(2)}  ${around(i - size - 17, i - size + 1)}`, end, around(i + 1, i + 10));
  button.addEventListener("click", () => {
    go(i, { scroll: true, speak: true });
    byId("text").scrollIntoView();
  });
  item.append(button);
  return item;
}

function strongest(vector) {
  const rows = Array.from(vector.keys()).sort((a, b) => Math.abs(vector[b]) - Math.abs(vector[a]));
  return rows.slice(0, 6).flatMap((row, n) => {
    const button = document.createElement("button");
    const value = signed(vector[row]);
    Object.assign(button, { className: "plain", type: "button", textContent: `${unitName(row)} (${value})` });
    button.addEventListener("click", () => { chooseUnit(row); byId("text").scrollIntoView(); });
    return n ? [", ", button] : [button];
  });
}

function startSearch() {
  if (!directions || !byId("search-form")) return;
  byId("search-form").hidden = false;
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search(byId("phrase").value);
  });
}
