import { shapeFrame } from "./frame.js";

const frame = document.getElementById("comparison");
const before = document.getElementById("before");
const after = document.getElementById("after");
const divider = document.getElementById("divider");
const row = document.getElementById("compare");
const split = document.getElementById("split");

/** Show a picture, and left of it what it is compared with, {url, alt, title, afterTitle}, where there is something. */
export function showComparison({ url, width, height, alt }, compared) {
  shapeFrame(frame, width, height);
  after.src = url;
  after.alt = alt;
  compare(Boolean(compared));
  if (!compared) return;
  before.src = compared.url;
  before.alt = compared.alt;
  document.getElementById("before-title").textContent = compared.title;
  document.getElementById("after-title").textContent = compared.afterTitle;
  split.setAttribute("aria-label", `How much of “${compared.title}” is shown over the picture, in percent`);
}

function compare(comparing) {
  for (const node of [before, divider, row]) node.hidden = !comparing;
  frame.classList.toggle("comparing", comparing);
  place();
}

/** What was before is left of the split, the picture right of it. */
function place() {
  const share = row.hidden ? 0 : split.value;
  after.style.clipPath = `inset(0 0 0 ${share}%)`;
  divider.style.left = `${share}%`;
}

function drag(event) {
  if (row.hidden || !event.buttons) return;
  const { left, width } = frame.getBoundingClientRect();
  split.value = (100 * (event.clientX - left)) / width;
  place();
}

before.addEventListener("error", () => compare(false)); // a photo in a format that the browser cannot show
split.addEventListener("input", place);
frame.addEventListener("pointerdown", (event) => {
  if (row.hidden || event.target.closest("button")) return;
  frame.setPointerCapture(event.pointerId);
  drag(event);
});
frame.addEventListener("pointermove", drag);
