import { readForm, showErrors } from "./form.js";
import { currentMask } from "./mask.js";
import { currentPhoto } from "./photo.js";
import { sweepOf } from "./sweep.js";
import { hideTrouble, showTrouble } from "./trouble.js";
import { requestOf } from "./values.js";
import { ask, onBusy } from "./work.js";

const button = document.getElementById("generate");
const refusal = document.getElementById("refusal");

const VARIED = 0.6; // strength: another picture of the same scene

const DOUBLE_CLICK = 300; // ms

let limits = null;
let defaults = null; // of the server's model; nothing is asked before they are there
let sending = false; // a form goes once, however often the button is pressed meanwhile

export function allowGeneration(model) {
  ({ defaults, limits } = model);
  button.setAttribute("aria-disabled", "false");
}

/** Ask for the form's picture; while another is drawn, it waits in the queue. */
export function generate() {
  return sendForm((values) => ({ request: values, values }), generate);
}

/** Ask for the grid of the form's sweep. */
export function generateSweep() {
  return sendForm(({ num_images, ...values }, photo) => sweepOf(values, photo !== null), generateSweep);
}

/** Send the job that `jobOf(values, photo)` makes of the form, where it makes one. */
async function sendForm(jobOf, retry) {
  hideTrouble(refusal);
  if (!defaults) return showTrouble(refusal, { message: "The server is not ready; the line at the top says why." });
  if (sending) return;
  const values = readForm();
  const photo = currentPhoto();
  const job = values && jobOf(values, photo);
  if (!job) return;
  sending = true;
  try {
    job.mask = await currentMask();
  } catch (error) {
    sending = false;
    showErrors([{ field: "mask", message: error.message }]);
    return;
  }
  await send({ ...job, photo: photo?.file ?? null, size: sizeOf(values, photo) }, retry);
}

/** Redraw a picture, as a file, with other seeds; where a mask made it, its photo again, in the same part. */
export function generateVariations(file, { parameters, width, height }, { photo, mask }) {
  const { seed, ...others } = requestOf(parameters);
  const redrawn = mask && photo ? { photo, mask } : { photo: file, mask: null };
  const strength = redrawn.mask ? parameters.strength : VARIED;
  const values = { ...others, seed: seed + 1, strength, num_images: limits.max_images };
  return send({ request: values, values, ...redrawn, size: { width, height } });
}

/** Draw picture n of a result again as the base alone does: the same seed and numbers, the adapter at 0. */
export function generateWithout({ id, values, images, photo, mask }, n) {
  const { parameters, width, height } = images[n];
  const job = { values, photo, mask, size: { width, height }, of: { id, n } };
  return send({ ...job, request: { ...requestOf(parameters), lora_scale: 0 } });
}

/** Return about the size that the picture will have: a photo keeps its shape at the area that was trained on. */
function sizeOf(values, photo) {
  const { width, height } = { ...defaults, ...values };
  if (!photo?.url) return { width, height };
  const scale = Math.sqrt((width * height) / (photo.width * photo.height));
  return { width: scale * photo.width, height: scale * photo.height };
}

async function send(job, retry = () => send(job)) {
  sending = true;
  setTimeout(() => (sending = false), DOUBLE_CLICK);
  try {
    await ask(job);
  } catch (error) {
    refuse(error, retry);
  }
}

/** Say what the server refused: at the fields that it names, else beside the button. */
function refuse(error, retry) {
  const field = error.param ?? (error.code === "too_large" ? "image" : null);
  const details = error.details.length ? error.details : [{ field, message: error.message }];
  const [left] = showErrors(details);
  if (left) showTrouble(refusal, error, error.passing ? retry : null);
}

onBusy((busy) => {
  sending &&= busy; // what is done already may be asked for again at once
  button.firstElementChild.textContent = busy ? "Add to the queue" : "Generate";
});
