// The window in which a photo is painted on: by mouse, touch and pen, or by keys.
const dialog = document.getElementById("paint");
const easel = document.getElementById("paint-easel");
const photo = document.getElementById("paint-photo");
const surface = document.getElementById("paint-surface");
const ring = document.getElementById("paint-ring");
const size = document.getElementById("paint-size");
const eraser = document.getElementById("paint-erase");
const words = document.getElementById("paint-words");

const PEN_ERASER = 32; // of PointerEvent.buttons
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let painting = null;
let stroke = null; // the pointerId of the one that is drawn
let place = { x: 0.5, y: 0.5 }; // of the brush, as shares of the photo

/** Open the window over a photo, {url, width, height}, to go on with its painting. */
export function openBrush({ url, width, height }, newPainting) {
  painting = newPainting;
  photo.src = url;
  easel.style.setProperty("--ratio", width / height);
  surface.width = painting.canvas.width;
  surface.height = painting.canvas.height;
  place = { x: 0.5, y: 0.5 };
  ring.hidden = true;
  stroke = null;
  show();
  tell();
  dialog.showModal();
  surface.focus();
}

export function closeBrush() {
  if (dialog.open) dialog.close();
}

/** Hear that the window was closed, however that was done. */
export function onBrushClosed(listener) {
  dialog.addEventListener("close", listener);
}

function show() {
  const context = surface.getContext("2d");
  context.clearRect(0, 0, surface.width, surface.height);
  context.drawImage(painting.canvas, 0, 0);
}

function tell() {
  const share = painting.share();
  const percent = Math.max(1, Math.round(100 * share));
  words.textContent = share ? `About ${percent} % of the photo may change.` : "Nothing is painted: all of it may change.";
}

function brush(buttons = 0) {
  const erase = eraser.getAttribute("aria-pressed") === "true" || Boolean(buttons & PEN_ERASER);
  return { size: size.value / 100, erase };
}

function moveRing(point) {
  place = point;
  const { width, height } = surface.getBoundingClientRect();
  const diameter = brush().size * Math.max(width, height);
  ring.hidden = false;
  ring.style.cssText = `left: ${100 * place.x}%; top: ${100 * place.y}%; width: ${diameter}px; height: ${diameter}px`;
}

function placeOf({ clientX, clientY }) {
  const { left, top, width, height } = surface.getBoundingClientRect();
  return { x: (clientX - left) / width, y: (clientY - top) / height };
}

function endStroke({ pointerId }) {
  if (pointerId !== stroke) return;
  stroke = null;
  tell();
}

/** Move the brush by keys; Space paints a dot, Shift along the way. */
function onKey(event) {
  const { key, shiftKey } = event;
  const step = STEPS[key];
  if (!step && key !== " ") return;
  event.preventDefault();
  if (step) {
    const { width, height } = painting.canvas;
    const far = (Math.max(width, height) * brush().size) / 2;
    const [x, y] = [place.x + (step[0] * far) / width, place.y + (step[1] * far) / height];
    if (shiftKey) painting.begin(place, brush());
    moveRing({ x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) });
    if (shiftKey) painting.extend(place);
  } else {
    moveRing(place);
    painting.begin(place, brush());
  }
  show();
  tell();
}

surface.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || ![0, 5].includes(event.button)) return; // 5 is a pen's eraser
  surface.setPointerCapture(event.pointerId);
  stroke = event.pointerId;
  moveRing(placeOf(event));
  painting.begin(place, brush(event.buttons));
  show();
});
surface.addEventListener("pointermove", (event) => {
  if (event.isPrimary) moveRing(placeOf(event));
  if (event.pointerId !== stroke) return;
  const passed = event.getCoalescedEvents?.() ?? [];
  for (const each of passed.length ? passed : [event]) painting.extend(placeOf(each));
  show();
});
surface.addEventListener("pointerup", endStroke);
surface.addEventListener("pointercancel", endStroke);
surface.addEventListener("pointerleave", () => (ring.hidden = true));
surface.addEventListener("focus", () => surface.matches(":focus-visible") && moveRing(place));
surface.addEventListener("blur", () => (ring.hidden = true));
surface.addEventListener("keydown", onKey);
dialog.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  document.getElementById("paint-undo").click();
});

size.addEventListener("input", () => {
  moveRing({ x: 0.5, y: 0.5 }); // it shows how large the brush is
  document.getElementById("paint-size-words").value = `${size.value} %`;
});
eraser.addEventListener("click", () => {
  eraser.setAttribute("aria-pressed", eraser.getAttribute("aria-pressed") !== "true");
});
for (const act of ["undo", "clear", "invert"]) {
  document.getElementById(`paint-${act}`).addEventListener("click", () => {
    painting[act]();
    show();
    tell();
  });
}
document.getElementById("paint-done").addEventListener("click", closeBrush);
