"use strict";
const players = [...document.querySelectorAll("audio")];
for (const audio of players) {
  audio.addEventListener("play", () => {
    for (const other of players) if (other !== audio) other.pause();
  });
}
const between = (points, from, to, value) => {  // the same line of points, read in either direction
  let i = 1;
  while (i < points.length - 1 && points[i][from] < value) i += 1;
  const [a, b] = [points[i - 1], points[i]];
  const share = (value - a[from]) / (b[from] - a[from] || 1);
  return a[to] + Math.min(1, Math.max(0, share)) * (b[to] - a[to]);
};
for (const piece of document.querySelectorAll(".piece")) {
  const audio = piece.querySelector("audio");
  if (!audio) continue;
  const figure = piece.querySelector("figure[data-points]");
  const points = figure ? JSON.parse(figure.dataset.points) : [];
  const roll = figure && points.length > 1 ? figure.querySelector("img") : null;
  const cursor = piece.querySelector(".cursor");
  const notes = JSON.parse(piece.dataset.notes);
  let lit = -1;
  const light = (time) => {  // the notes of the score that sound
    let now = -1;
    while (now + 1 < notes.length && notes[now + 1][0] <= time + 0.02) now += 1;
    if (now === lit) return;
    const each = (place, done) => {
      if (place >= 0) for (const id of notes[place][1].split(" ")) done(document.getElementById(id));
    };
    each(lit, (note) => note && note.classList.remove("playing"));
    each(now, (note) => note && note.classList.add("playing"));
    lit = now;
  };
  const show = () => {
    light(audio.ended ? -1 : audio.currentTime);
    if (roll) {
      const x = between(points, 0, 1, audio.currentTime) * roll.clientWidth;
      cursor.hidden = false;
      cursor.style.left = `${x}px`;
      if (x < figure.scrollLeft || x > figure.scrollLeft + figure.clientWidth * 0.9)
        figure.scrollLeft = x - figure.clientWidth * 0.1;
    }
    if (!audio.paused) requestAnimationFrame(show);
  };
  for (const event of ["play", "seeked", "ended"]) audio.addEventListener(event, show);
  const go = (time) => {
    audio.currentTime = Math.max(0, Math.min(time, audio.duration || time));
  };
  const button = piece.querySelector("button[data-from]");
  if (button) {
    button.addEventListener("click", () => {
      go(Number(button.dataset.from));
      audio.play();
    });
  }
  if (roll) {
    roll.addEventListener("click", (event) => {
      go(between(points, 1, 0, event.offsetX / roll.clientWidth));
      audio.play();
    });
    figure.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity };
      if (event.key in steps) go(audio.currentTime + steps[event.key]);
      else if (event.key === " ") audio.paused ? audio.play() : audio.pause();
      else return;
      event.preventDefault();
    });
  }
}
