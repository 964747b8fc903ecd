"use strict";
const players = [...document.querySelectorAll("audio")];
for (const audio of players) {
  audio.addEventListener("play", () => {
    for (const other of players) if (other !== audio) other.pause();
  });
}
for (const figure of document.querySelectorAll("figure[data-points]")) {
  const audio = figure.parentElement.querySelector("audio");
  const cursor = figure.querySelector(".cursor");
  const roll = figure.querySelector("img");
  const points = JSON.parse(figure.dataset.points);
  if (!audio || points.length < 2) continue;
  const between = (from, to, value) => {  // the same line of points, read in either direction
    let i = 1;
    while (i < points.length - 1 && points[i][from] < value) i += 1;
    const [a, b] = [points[i - 1], points[i]];
    const share = (value - a[from]) / (b[from] - a[from] || 1);
    return a[to] + Math.min(1, Math.max(0, share)) * (b[to] - a[to]);
  };
  const show = () => {
    const x = between(0, 1, audio.currentTime) * roll.clientWidth;
    cursor.hidden = false;
    cursor.style.left = `${x}px`;
    if (x < figure.scrollLeft || x > figure.scrollLeft + figure.clientWidth * 0.9)
      figure.scrollLeft = x - figure.clientWidth * 0.1;
    if (!audio.paused) requestAnimationFrame(show);
  };
  audio.addEventListener("play", show);
  audio.addEventListener("seeked", show);
  roll.addEventListener("click", (event) => {
    audio.currentTime = between(1, 0, event.offsetX / roll.clientWidth);
    audio.play();
  });
}
