// Begin

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

if (meta.tracks) fitLines();
startTools();
if (meta.tracks) {
  new ResizeObserver(() => { if (fitLines()) build(); }).observe(pane);
}
build();
startStaff();
startHeat();
startSearch();
const foundUnit = radios().find((one) => one.dataset.found !== undefined);
if (foundUnit) {
  foundUnit.checked = true;
  choose(foundUnit.value);
}
if (count) go(0);
describe();
document.documentElement.dataset.ready = "yes";
