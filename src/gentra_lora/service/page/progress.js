import { shapeFrame } from "./frame.js";

const section = document.getElementById("progress");
const preview = document.getElementById("preview");
const words = document.getElementById("progress-words");
const bar = document.getElementById("bar");
const elapsed = document.getElementById("elapsed");
const announcement = document.getElementById("announcement");

let timer;
let photoUrl = "";
let quarter; // the last one read out: a screen reader cannot keep up with each step

/**
 * Show a job that began at `startedAt` (ms) and draws a picture of the size's shape, perhaps of a photo; small where it
 * stands `beside` a result that is still looked at.
 */
export function startProgress({ photo, size, startedAt }, beside) {
  quarter = 0;
  section.classList.toggle("beside", beside);
  section.hidden = false;
  shapeFrame(preview.parentElement, size.width, size.height);
  say("Asking the server …");
  showPhoto(photo);
  const tick = () => (elapsed.textContent = clock(Date.now() - startedAt));
  tick();
  clearInterval(timer);
  timer = setInterval(tick, 1000);
}

/** Show the photo until there is a preview. */
function showPhoto(photo) {
  URL.revokeObjectURL(photoUrl);
  photoUrl = photo ? URL.createObjectURL(photo) : "";
  preview.hidden = !photo;
  preview.classList.toggle("waiting", Boolean(photo));
  if (photo) preview.src = photoUrl;
}

export function stopProgress() {
  clearInterval(timer);
  section.hidden = true;
  document.title = "Gentra LoRA";
}

export function showSending(photo) {
  if (photo) say("Sending the photo …");
}

/** Show what `follow` tells of a job, or of one of its parts, counted from 0. */
export function showEvent(name, data, part = 0, parts = 1) {
  if (name === "queued") say(`Waiting: number ${data.position} in the queue.`);
  if (name === "step") showStep(data, part, parts);
  if (name === "lost") say(`${data.message} Trying again …`);
}

function showStep({ step, steps, preview: picture }, part, parts) {
  if (picture) {
    preview.src = picture;
    preview.hidden = false;
    preview.classList.remove("waiting");
  }
  bar.value = (part + (steps ? step / steps : 0)) / parts;
  document.title = `${Math.round(100 * bar.value)} % · Gentra LoRA`;
  const place = parts > 1 ? `${part + 1} of ${parts}: ` : "";
  words.textContent = place + (step >= steps ? "finishing the picture …" : `step ${step} of ${steps}`);
  words.textContent = words.textContent.replace(/^./, (letter) => letter.toUpperCase());
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

preview.addEventListener("error", () => (preview.hidden = true)); // a photo in a format that the browser cannot show
