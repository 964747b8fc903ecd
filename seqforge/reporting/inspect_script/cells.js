// Symbols as cells

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
let underlined = -1; // an annotation: in text
const beneath = new Set(); // annotations: of tracks, as bars

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
  if (underlined >= 0 && holds(annotations[underlined], i)) found += " u";
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
