import { readForm, showErrors } from "./form.js";
import { addToHistory } from "./history.js";
import { cancel, fetchImages, follow, submit } from "./job.js";
import { choosePhoto, currentPhoto } from "./photo.js";
import { showEvent, showSending, startProgress, stopProgress } from "./progress.js";
import { hideResult, showResult, showResultAgain } from "./result.js";
import { rememberSeed } from "./seed.js";
import { ServerError } from "./server.js";
import { forget, recall, remember } from "./session.js";
import { loadPhoto, photoKeyOf, releasePhoto, savePhoto } from "./store.js";
import { hideTrouble, showTrouble } from "./trouble.js";

const stage = document.getElementById("stage");
const button = document.getElementById("generate");
const refusal = document.getElementById("refusal");
const failure = document.getElementById("failure");
const announcement = document.getElementById("announcement");

let defaults = null; // of the server's model; nothing is asked before they are there
let running = null; // {id, values, photo, size, startedAt, controller} of this tab's job

export function allowGeneration(model) {
  defaults = model.defaults;
  showButton();
}

/** Ask for the form's picture and show it, unless this tab already waits for one. */
export async function generate() {
  if (running) return;
  hideTrouble(refusal);
  if (!defaults) return showTrouble(refusal, { message: "The server is not ready; the line at the top says why." });
  const values = readForm();
  if (!values) return;
  const photo = currentPhoto();
  start({ values, photo: photo?.file ?? null, size: sizeOf(values, photo), startedAt: Date.now() });
  if (await send()) await see();
}

/** Return about the size that the picture will have: a photo keeps its shape at the area that was trained on. */
function sizeOf(values, photo) {
  const { width, height } = { ...defaults, ...values };
  if (!photo?.url) return { width, height };
  const scale = Math.sqrt((width * height) / (photo.width * photo.height));
  return { width: scale * photo.width, height: scale * photo.height };
}

/** Go on with the job that ran when the page was closed. */
export async function resume() {
  const job = recall("job");
  if (!job || running) return;
  const photo = job.photoKey ? await loadPhoto(job.photoKey).catch(() => null) : null;
  if (photo) await choosePhoto(photo);
  start({ ...job, photo });
  await see();
}

export async function cancelGeneration() {
  if (!running) return;
  const { id, controller } = running;
  try {
    const job = id && (await cancel(id));
    if (!job || job.state === "cancelled") controller.abort(); // else it ended meanwhile, and its end is shown
  } catch (error) {
    controller.abort();
    if (error.passing) showTrouble(failure, { message: `${error.message} It may go on with the job.` });
  }
}

function start(job) {
  running = { ...job, controller: new AbortController() };
  hideTrouble(failure);
  hideResult();
  startProgress(job);
  showButton();
  // In one column it is below the form; beside the form it stays in sight, but for the end of the page.
  stage.scrollIntoView({ block: matchMedia("(max-width: 859px)").matches ? "start" : "nearest" });
}

function end() {
  const hadFocus = document.activeElement.closest("#progress");
  running = null;
  stopProgress();
  showResultAgain();
  showButton();
  if (hadFocus) stage.focus();
}

function showButton() {
  button.setAttribute("aria-disabled", String(!defaults || running !== null));
}

/** Return whether the server took the job. */
async function send() {
  const { values, photo, controller } = running;
  showSending(photo);
  try {
    const { id, position } = await submit(values, photo, controller.signal);
    running.id = id;
    showEvent("queued", { position });
    await rememberJob();
    return true;
  } catch (error) {
    end();
    if (error.name !== "AbortError") refuse(error);
    return false;
  }
}

async function rememberJob() {
  const { id, values, photo, size, startedAt } = running;
  remember("job", { id, values, size, startedAt, photoKey: photo && photoKeyOf(photo) });
  if (photo) await savePhoto(photo).catch(() => {}); // a reload then loses the "before"; the history says why
}

/** Say what the server refused: at the fields that it names, else beside the button. */
function refuse(error) {
  const field = error.param ?? (error.code === "too_large" ? "image" : null);
  const details = error.details.length ? error.details : [{ field, message: error.message }];
  const [left] = showErrors(details);
  if (left) showTrouble(refusal, error, error.passing ? generate : null);
}

/** Follow the running job to its end and show what came of it. */
async function see() {
  const { id, controller } = running;
  let job, images;
  try {
    job = await follow(id, showEvent, controller.signal);
    images = await fetchImages(job, controller.signal);
  } catch (error) {
    return error.name === "AbortError" ? forgetJob("Cancelled.") : fail(error);
  }
  if (job.state === "done") return finish(job, images);
  const wanted = job.state === "cancelled" && job.error?.code !== "time_limit"; // that one is the server's doing
  return wanted ? forgetJob("Cancelled.") : fail(new ServerError(job.error, 200));
}

function finish({ id, warnings }, images) {
  const { values, photo } = running;
  const [{ seed }] = images;
  const result = { id, values: { ...values, seed }, images, photo, warnings };
  forgetJob(`Done, seed ${seed}.`);
  showResult(result);
  rememberSeed(seed);
  return addToHistory(result);
}

function fail(error) {
  const lost = running;
  if (error.passing) {
    end(); // the job may yet be done: it is looked for again
    showTrouble(failure, error, () => running || (start(lost), see()));
  } else {
    forgetJob("");
    showTrouble(failure, error, generate);
  }
}

function forgetJob(words) {
  const { photo } = running;
  if (photo) releasePhoto(photoKeyOf(photo)).catch(() => {});
  forget("job");
  end();
  announcement.textContent = words;
}
