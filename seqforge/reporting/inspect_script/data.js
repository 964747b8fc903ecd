const byId = (id) => document.getElementById(id);
if (typeof DecompressionStream === "undefined") return; // the page stays as it is without scripts
const meta = JSON.parse(byId("meta").textContent);
const buffer = await unpacked(byId("data").textContent.trim());
const TYPES = {
  uint8: Uint8Array, int8: Int8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, float32: Float32Array,
};
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
