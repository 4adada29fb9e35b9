// The mask of the chosen photo: what of it may change. It goes when the photo goes.
import { closeBrush, onBrushClosed, openBrush } from "./brush.js";
import { Painting } from "./painting.js";
import { currentPhoto } from "./photo.js";

const button = document.getElementById("mask");
const hint = document.getElementById("mask-hint");
const error = document.getElementById("mask-error");
const overlay = document.getElementById("photo-mask");

let painting = null; // null without a photo that the browser can show
let made = Promise.resolve(null);
let tellMask = () => {};

/** Return the mask's file, or null where nothing is painted. Rejects where the browser cannot make it. */
export function currentMask() {
  return made;
}

/** Hear whether there is a mask, at each change. */
export function onMaskChange(listener) {
  tellMask = listener;
}

/** Offer to paint on a photo that was chosen, with nothing painted yet; or on none. */
export function offerMask(photo) {
  painting = photo?.url ? new Painting(photo) : null;
  made = Promise.resolve(null);
  closeBrush();
  button.hidden = painting === null;
  show();
}

/** Take the mask that an earlier request had, if its photo is the chosen one. */
export async function takeMask(photo, mask) {
  if (!mask || !painting || currentPhoto()?.file !== photo) return;
  made = Promise.resolve(mask);
  await painting.load(mask);
  show();
}

function remake() {
  if (!painting?.changed) return;
  painting.changed = false;
  made = painting.share() ? painting.toFile() : Promise.resolve(null);
  made.catch(() => {}); // it is told where the mask is asked for
  show();
}

function show() {
  const has = Boolean(painting?.share());
  error.textContent = "";
  button.removeAttribute("aria-invalid");
  button.textContent = has ? "Change the mask" : "Paint what may change";
  overlay.hidden = !has;
  if (has) drawOverlay();
  hint.textContent = has ? "Only the painted part changes." : "";
  if (currentPhoto() && !painting) hint.textContent = "A part to change can be painted only on a photo that this browser shows.";
  tellMask(has);
}

function drawOverlay() {
  overlay.width = painting.canvas.width;
  overlay.height = painting.canvas.height;
  overlay.getContext("2d").drawImage(painting.canvas, 0, 0);
}

button.addEventListener("click", () => openBrush(currentPhoto(), painting));
onBrushClosed(remake);
