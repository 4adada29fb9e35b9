// The jobs of this tab: one is followed and shown, the others wait after it in the server's queue.
import { addToHistory, keepBase } from "./history.js";
import { cancel, fetchImages, follow, submit } from "./job.js";
import { takeMask } from "./mask.js";
import { choosePhoto } from "./photo.js";
import { showEvent, showSending, startProgress, stopProgress } from "./progress.js";
import { hideResult, isResultShown, showBase, showResult, showResultAgain } from "./result.js";
import { rememberSeed } from "./seed.js";
import { ServerError } from "./server.js";
import { forget, recall, remember } from "./session.js";
import { loadPhoto, photoKeyOf, releasePhoto, savePhoto } from "./store.js";
import { hideTrouble, showTrouble } from "./trouble.js";
import { showWaiting } from "./waiting.js";

const stage = document.getElementById("stage");
const failure = document.getElementById("failure");
const announcement = document.getElementById("announcement");

let running = null; // {request, id, values, photo, mask, size, startedAt, controller}, and of or grid where it has them
let waiting = [];
let tellBusy = () => {};

/** Hear whether a job runs, at each change. */
export function onBusy(listener) {
  tellBusy = listener;
}

/**
 * Ask for a job's pictures and show them when it is their turn.
 *
 * A job is {request, values, photo, mask, size}: what is asked for, and the form's values; `of` is the {id, n} of the picture
 * that it draws without the adapter, `grid` the shape of a sweep. Rejects with what the server refused.
 */
export async function ask(asked) {
  const job = { ...asked, id: null, startedAt: Date.now(), controller: new AbortController() };
  hideTrouble(failure);
  if (running === null) start(job);
  if (job === running) showSending(job.photo);
  try {
    await submitJob(job);
  } catch (error) {
    if (job === running) {
      end();
      next();
    }
    if (error.name === "AbortError") return;
    throw error;
  }
  if (job !== running) waiting.push(job);
  await rememberJobs(job);
  if (job === running) await see();
  else if (running === null) next();
  else showWaiting(waiting, leave);
}

/** Go on with the jobs that there were when the page was closed. */
export async function resume() {
  const [job, ...others] = await Promise.all([recall("job"), ...(recall("waiting") ?? [])].filter(Boolean).map(revived));
  if (!job || running) return;
  if (job.photo) await choosePhoto(job.photo);
  await takeMask(job.photo, job.mask);
  waiting = others;
  start(job);
  await see();
}

export async function cancelRunning() {
  if (running === null) return;
  const { id, controller } = running;
  try {
    const state = id && (await cancel(id)).state;
    if (state !== "done" && state !== "failed") controller.abort(); // else it ended meanwhile, and its end is shown
  } catch (error) {
    controller.abort();
    if (error.passing) showTrouble(failure, { message: `${error.message} It may go on with the job.` });
  }
}

/** Take a job out of those that wait. */
function leave(job) {
  waiting = waiting.filter((other) => other !== job);
  cancel(job.id).catch(() => {}); // its place is lost in time anyway
  rememberJobs();
  showWaiting(waiting, leave);
}

async function submitJob(job) {
  // Without its mask, what is asked for again would be drawn all over the photo.
  if (job.isIncomplete) throw new ServerError({ message: "The mask was lost with the reload; paint it anew." }, 422);
  const { id, position } = await submit(job.request, job, job.controller.signal);
  job.id = id;
  if (job === running) showEvent("queued", { position });
}

function start(job) {
  running = job;
  const beside = isResultShown() && Boolean(job.of || job.waited);
  if (!beside) hideResult();
  startProgress(job, beside);
  tellBusy(true);
  // In one column it is below the form; beside the form it stays in sight, but for the end of the page.
  stage.scrollIntoView({ block: matchMedia("(max-width: 859px)").matches ? "start" : "nearest" });
}

function end() {
  const hadFocus = document.activeElement.closest("#progress");
  running = null;
  stopProgress();
  showResultAgain();
  tellBusy(false);
  if (hadFocus) stage.focus();
}

function next() {
  const job = waiting.shift();
  showWaiting(waiting, leave);
  if (!job) return;
  start({ ...job, waited: true });
  rememberJobs();
  see();
}

/** Follow the running job to its end and show what came of it. */
async function see() {
  const job = running;
  const { signal } = job.controller;
  let found;
  let images;
  try {
    found = await follow(job.id, showEvent, signal);
    if (found.state === "done") images = await fetchImages(found, signal);
  } catch (error) {
    return error.name === "AbortError" ? drop("Cancelled.") : fail(error);
  }
  if (found.state === "done") return finish(job, images, found.warnings);
  const wanted = found.state === "cancelled" && found.error?.code !== "time_limit"; // that one is the server's doing
  return wanted ? drop("Cancelled.") : fail(new ServerError(found.error, 200));
}

async function finish({ id, values, photo, mask, grid, of }, images, warnings) {
  const [{ seed }] = images;
  forgetJob();
  announcement.textContent = `Done, seed ${seed}.`;
  if (of) {
    await showBase(of, images[0].blob);
    next();
    return keepBase(of, images[0].blob);
  }
  const result = { id, values: { ...values, seed }, images, photo, mask, warnings, grid };
  showResult(result);
  rememberSeed(seed);
  next();
  return addToHistory(result);
}

function fail(error) {
  const lost = running;
  if (error.passing) {
    end(); // the job may yet be done: it is looked for again
    showTrouble(failure, error, () => running || (start(lost), see()));
  } else {
    forgetJob();
    showTrouble(failure, error, () => ask(lost).catch((refusal) => showTrouble(failure, refusal)));
    next();
  }
}

function drop(words) {
  forgetJob();
  announcement.textContent = words;
  next();
}

function forgetJob() {
  const needed = new Set(waiting.flatMap(filesOf).map(photoKeyOf));
  for (const key of filesOf(running).map(photoKeyOf)) if (!needed.has(key)) releasePhoto(key).catch(() => {});
  forget("job");
  end();
}

function filesOf({ photo, mask }) {
  return [photo, mask].filter(Boolean);
}

async function rememberJobs(job = {}) {
  if (running?.id) remember("job", lasting(running));
  remember("waiting", waiting.map(lasting));
  // Where it cannot be kept, a reload loses the "before"; the history says why.
  await Promise.all(filesOf(job).map((file) => savePhoto(file).catch(() => {})));
}

function lasting({ controller, photo, mask, ...rest }) {
  return { ...rest, photoKey: photo && photoKeyOf(photo), maskKey: mask && photoKeyOf(mask) };
}

async function revived({ photoKey, maskKey, ...rest }) {
  const load = (key) => (key ? loadPhoto(key).catch(() => null) : null);
  const [photo, mask] = await Promise.all([load(photoKey), load(maskKey)]);
  return { ...rest, photo, mask, isIncomplete: Boolean(maskKey && !mask), controller: new AbortController() };
}
