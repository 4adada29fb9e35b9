import { shapeFrame } from "./frame.js";

const frame = document.getElementById("comparison");
const before = document.getElementById("before");
const after = document.getElementById("after");
const divider = document.getElementById("divider");
const row = document.getElementById("compare");
const split = document.getElementById("split");

/** Show a picture, under the photo that it was drawn from where there is one that the browser can show. */
export function showComparison({ url, width, height, alt }, photoUrl) {
  shapeFrame(frame, width, height);
  after.src = url;
  after.alt = alt;
  compare(Boolean(photoUrl));
  if (photoUrl) before.src = photoUrl;
}

function compare(comparing) {
  for (const node of [before, divider, row]) node.hidden = !comparing;
  frame.classList.toggle("comparing", comparing);
  place();
}

/** The photo is left of the split, the picture right of it. */
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
