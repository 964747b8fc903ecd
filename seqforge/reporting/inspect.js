"use strict";
(async () => {
  const byId = (id) => document.getElementById(id);
  if (typeof DecompressionStream === "undefined") return; // the page stays as it is without scripts
  const meta = JSON.parse(byId("meta").textContent);
  const buffer = await unpacked(byId("data").textContent.trim());
  const TYPES = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array };
  const array = (name) => {
    const place = meta.places[name];
    return place ? new TYPES[place[0]](buffer, place[1], place[2]) : null;
  };

  const symbols = Array.from(new TextDecoder("utf-8", { ignoreBOM: true }).decode(array("text")));
  const count = symbols.length;
  const bits = array("bits"), entropy = array("entropy");
  const topIds = array("topIds"), topChances = array("topChances");
  const units = meta.units.map((unit, n) => ({ ...unit, values: array("unit" + n) }));
  const annotations = meta.annotations.map((one, n) => ({ ...one, values: array("annotation" + n) }));
  const heat = array("heat"), heatCount = meta.heat, perLayer = meta.shape ? meta.shape[1] : 0;
  const marks = new Uint8Array(count);
  const number = (n) => n.toLocaleString("en");
  const signed = (v) => v.toFixed(2).replace("-", "\u2212");
  const unrooted = (q) => (q / 255) ** 2 * meta.mostBits;

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  // ---- Symbols as cells

  const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  const escaped = (text) => text.replace(/[&<>]/g, (one) => ENTITIES[one]);
  const cells = new Map();
  function cell(symbol) {
    let found = cells.get(symbol);
    if (found === undefined) {
      found = escaped(meta.faces[symbol] ?? symbol);
      cells.set(symbol, found);
    }
    return found;
  }
  const NAMES = { " ": "\u2423", "\n": "\u21b5", "\t": "\u21e5" };
  const named = (symbol) => NAMES[symbol] ?? meta.faces[symbol] ?? meta.vocabularyFaces[symbol] ?? symbol;
  const around = (start, stop) => symbols.slice(Math.max(0, start), stop).map(named).join("");

  // ---- Colours

  let colouring = { name: "surprise", values: null, heat: -1 };
  let underlined = -1;

  function shade(i) {
    if (colouring.name === "surprise") {
      return "s" + Math.min(meta.steps, Math.round((unrooted(bits[i]) / meta.darkest) * meta.steps));
    }
    if (i >= colouring.values.length) return "";
    return "a" + (Math.round((colouring.values[i] / meta.fine) * meta.steps) + meta.steps);
  }

  function classes(i) {
    let found = shade(i);
    if (symbols[i] === "\n") found += " nl";
    if (!meta.tracks && underlined >= 0 && holds(annotations[underlined], i)) found += " u";
    if (marks[i]) found += " h";
    return i === at ? found + " at" : found;
  }

  const holds = (one, i) => one.measure === "auc" && one.values[i] !== 255 && one.values[i] > 127;

  function told(one, i) {
    const q = one.values[i];
    if (q === 255) return "not known";
    if (one.measure === "auc") return q > 127 ? "yes" : "no";
    const value = one.low + (q / 254) * (one.high - one.low);
    return one.high - one.low > 20 ? String(Math.round(value)) : signed(value);
  }

  // ---- The text in chunks; only those near the view have an element for each symbol

  const pane = byId("pane");
  pane.textContent = "";
  pane.className = "coloured live";
  pane.tabIndex = 0;
  pane.setAttribute("role", "group");
  pane.setAttribute("aria-label", "The text, symbol by symbol");
  pane.setAttribute("aria-describedby", "keys-help");
  let at = 0, chunks = [], lineWidth = 0;
  const recordAt = new Map(meta.records.map(([name, start]) => [start, name]));
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

  function build() {
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
    `<div class="line"><span class="pos">${number(start + 1 - recordStart(start))}</span>` +
    `<div class="bases">${spans(start, stop)}</div>${tracks(start, stop)}</div>`;

  function recordStart(i) {
    let found = 0;
    for (const start of recordAt.keys()) if (start <= i) found = start;
    return found;
  }

  function tracks(start, stop) {
    const shown = underlined >= 0 ? [annotations[underlined]] : underlined === -2 ? annotations : [];
    const bars = shown.map((one) =>
      `<div class="track of${annotations.indexOf(one) % 5}">${bar(one, start, stop)}</div>`);
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

  // ---- Where the pointer or the keyboard is

  function go(i, { scroll = false, speak = false } = {}) {
    const before = at;
    at = Math.max(0, Math.min(count - 1, i));
    if (chunkOf(before).full) spanOf(before).className = classes(before);
    const span = spanOf(at);
    span.className = classes(at);
    if (scroll) reveal(span);
    show();
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
    if (one) list.textContent = `${one.name}: ${told(one, at)}`;
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

  // ---- What the text is coloured by

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

  function startTools() {
    byId("tools").hidden = byId("odds").hidden = false;
    byId("tools").addEventListener("change", (event) => {
      if (event.target.name === "colouring") choose(event.target.value);
    });
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    const select = byId("underline");
    if (meta.tracks && annotations.length > 1) select.add(new Option("all", "-2"));
    annotations.forEach((one, n) => {
      if (meta.tracks || one.measure === "auc") select.add(new Option(one.name, String(n)));
    });
    byId("underline-box").hidden = select.options.length < 2;
    select.addEventListener("change", () => { underline(+select.value); show(); });
    for (const name of document.querySelectorAll(".unit-name")) {
      const n = +name.dataset.unit;
      if (n >= units.length) continue;
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

  // ---- The map of all units

  const ROW = 5, COLUMN = 9;
  let order = [], heatFrom = 0, shownColumns = 0;

  let deviations = null, lengths = null;
  function deviate() {
    if (deviations) return;
    const rows = heat.length / heatCount;
    deviations = new Float32Array(heat.length);
    lengths = new Float32Array(heatCount);
    for (let row = 0; row < rows; row++) {
      let mean = 0;
      for (let i = 0, j = row * heatCount; i < heatCount; i++, j++) mean += heat[j];
      mean /= heatCount;
      for (let i = 0, j = row * heatCount; i < heatCount; i++, j++) {
        const off = (deviations[j] = heat[j] - mean);
        lengths[i] += off * off;
      }
    }
    for (let i = 0; i < heatCount; i++) lengths[i] = Math.sqrt(lengths[i]) || 1;
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

  let drawn = 0;
  function drawHeat() {
    if (!heat || drawn) return;
    drawn = requestAnimationFrame(() => { drawn = 0; paintHeat(); });
  }

  function paintHeat() {
    const box = byId("heat-box");
    const columns = Math.min(heatCount, Math.max(20, Math.floor((box.clientWidth - 2) / COLUMN)));
    if (at < heatCount && (at < heatFrom || at >= heatFrom + columns)) heatFrom = at - (columns >> 1);
    heatFrom = Math.max(0, Math.min(heatCount - columns, heatFrom));
    byId("heat-from").max = heatCount - columns;
    byId("heat-from").value = heatFrom;
    shownColumns = columns;
    const canvas = byId("heat-canvas");
    canvas.width = columns;
    canvas.height = order.length;
    canvas.style.width = `${columns * COLUMN}px`;
    canvas.style.height = `${order.length * ROW}px`;
    canvas.getContext("2d").putImageData(heatImage(columns), 0, 0);
    paintAxis(columns);
    const place = order.indexOf(colouring.heat);
    byId("heat-row").hidden = place < 0;
    byId("heat-row").style.top = `${place * ROW}px`;
  }

  function heatImage(columns) {
    const image = new ImageData(columns, order.length);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = palette().map((text) => {
      const [red, green, blue] = [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
      return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    });
    const table = Uint32Array.from({ length: 2 * meta.fine + 1 }, (_, v) =>
      colours[Math.round(((v - meta.fine) / meta.fine) * meta.steps) + meta.steps]);
    order.forEach((row, n) => {
      for (let i = 0, j = row * heatCount + heatFrom; i < columns; i++, j++) {
        pixels[n * columns + i] = table[heat[j] + meta.fine];
      }
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
    const place = (event) => ({
      row: order[Math.min(order.length - 1, Math.floor(event.offsetY / ROW))],
      i: heatFrom + Math.min(shownColumns - 1, Math.floor(event.offsetX / COLUMN)),
    });
    canvas.addEventListener("pointermove", (event) => {
      const { row, i } = place(event);
      const value = signed(heat[row * heatCount + i] / meta.fine);
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

  // ---- Where the same units fire

  function occurrences(phrase) {
    const wanted = Array.from(phrase), found = [];
    for (let i = 0; i + wanted.length <= heatCount; i++) {
      let n = 0;
      while (n < wanted.length && symbols[i + n] === wanted[n]) n++;
      if (n === wanted.length) found.push(i + n - 1);
    }
    return found;
  }

  function meanAt(ends) {
    const rows = heat.length / heatCount, mean = new Float32Array(rows);
    for (let row = 0; row < rows; row++) {
      for (const i of ends) mean[row] += deviations[row * heatCount + i] / ends.length;
    }
    return mean;
  }

  function cosines(vector) {
    const found = new Float32Array(heatCount);
    let length = 0;
    vector.forEach((value, row) => {
      length += value * value;
      for (let i = 0, j = row * heatCount; i < heatCount; i++, j++) found[i] += value * deviations[j];
    });
    length = Math.sqrt(length) || 1;
    return found.map((product, i) => product / (lengths[i] * length));
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
        ? `"${phrase}" is not among the first ${number(heatCount)} symbols.` : "Type a phrase of the text.";
      recolour();
      return;
    }
    deviate();
    const size = Array.from(phrase).length, vector = meanAt(ends), scores = cosines(vector);
    for (const end of ends) marks.fill(1, end - size + 1, end + 1);
    const best = bestApart(scores, ends);
    best.forEach((i) => marks.fill(1, Math.max(0, i - size + 1), i + 1));
    const times = ends.length === 1 ? "once" : `${number(ends.length)} times`;
    byId("search-status").textContent =
      `"${phrase}" occurs ${times}. The units are most alike after these, which are outlined in the text (1: the same; 0: unrelated):`;
    byId("hits").append(...best.map((i) => hit(i, size, scores[i])));
    byId("hit-units").append("Units that deviate most: ", ...strongest(vector));
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
      const value = signed(vector[row] / meta.fine);
      Object.assign(button, { className: "plain", type: "button", textContent: `${unitName(row)} (${value})` });
      button.addEventListener("click", () => { chooseUnit(row); byId("text").scrollIntoView(); });
      return n ? [", ", button] : [button];
    });
  }

  function startSearch() {
    if (!heat || !byId("search-form")) return;
    byId("search-form").hidden = false;
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      search(byId("phrase").value);
    });
  }

  // ---- Print: the chunks from the one in view on

  const PRINTED = 2;
  function print(first) {
    const last = Math.min(first + PRINTED, chunks.length);
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
    if (heat) paintHeat();
  });
  addEventListener("afterprint", () => { printing = false; drawHeat(); });
  dark.addEventListener("change", () => { show(); drawHeat(); });

  // ---- Begin

  function fitLines() {
    const probe = pane.appendChild(document.createElement("span"));
    probe.style.whiteSpace = "pre";
    probe.textContent = "0".repeat(100);
    const letter = probe.getBoundingClientRect().width / 100;
    const room = (pane.clientWidth - 10) / letter - (pane.clientWidth < 600 ? 8 : 12);
    probe.remove();
    const width = room >= 100 ? 100 : room >= 60 ? 60 : 30;
    if (width === lineWidth) return false;
    lineWidth = width;
    return true;
  }

  startTools();
  if (meta.tracks) {
    if (annotations.length) underlined = annotations.length > 1 ? -2 : 0;
    byId("underline").value = String(underlined);
    tracksKey();
    fitLines();
    new ResizeObserver(() => { if (fitLines()) build(); }).observe(pane);
  }
  build();
  startHeat();
  startSearch();
  if (count) go(0);
  describe();
  document.documentElement.dataset.ready = "yes";
})();
