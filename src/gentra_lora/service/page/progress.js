import { showPreviews, startPreviews } from "./previews.js";

const section = document.getElementById("progress");
const words = document.getElementById("progress-words");
const bar = document.getElementById("bar");
const elapsed = document.getElementById("elapsed");
const announcement = document.getElementById("announcement");

let timer;
let quarter; // the last one read out: a screen reader cannot keep up with each step

/** Show a job that began at `startedAt` (ms); small where it stands `beside` a result that is still looked at. */
export function startProgress(job, beside) {
  quarter = 0;
  section.classList.toggle("beside", beside);
  section.hidden = false;
  startPreviews(job, beside);
  say("Asking the server …");
  const tick = () => (elapsed.textContent = clock(Date.now() - job.startedAt));
  tick();
  clearInterval(timer);
  timer = setInterval(tick, 1000);
}

export function stopProgress() {
  clearInterval(timer);
  section.hidden = true;
  document.title = "Gentra LoRA";
}

export function showSending(photo) {
  if (photo) say("Sending the photo …");
}

/** Show what `follow` tells of a job. */
export function showEvent(name, data) {
  if (name === "queued") say(`Waiting: number ${data.position} in the queue.`);
  if (name === "step") showStep(data);
  if (name === "lost") say(`${data.message} Trying again …`);
}

function showStep({ step, steps, previews }) {
  showPreviews(previews ?? []); // the answer to a poll has none
  bar.value = steps ? step / steps : 0;
  document.title = `${Math.round(100 * bar.value)} % · Gentra LoRA`;
  words.textContent = step >= steps ? "Finishing the picture …" : `Step ${step} of ${steps}`;
  const reached = Math.floor(4 * bar.value);
  if (reached > quarter) announcement.textContent = words.textContent;
  quarter = reached;
}

function say(sentence) {
  bar.removeAttribute("value"); // a moving bar: how long it takes is not known
  words.textContent = sentence;
  announcement.textContent = sentence;
}

function clock(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
