import { showComparison } from "./comparison.js";
import { element, fact } from "./element.js";
import { sentence } from "./sentence.js";

const section = document.getElementById("result");
const thumbs = document.getElementById("thumbs");
const download = document.getElementById("download");
const reuse = document.getElementById("reuse");

const TITLES = {
  seed: "Seed",
  num_inference_steps: "Steps",
  guidance_scale: "Guidance",
  lora_scale: "Adapter scale",
  strength: "Strength",
  sampler: "Sampler",
  negative_prompt: "Negative prompt",
  rev: "Revision",
  commit: "Commit",
  adapter_sha256: "Adapter sha256",
  base: "Base",
  photo_sha256: "Photo sha256",
  precision: "Precision",
};
const SHOWN_ELSEWHERE = new Set(["prompt", "width", "height"]);

let urls = []; // to be released when another result is shown
let shown = null; // {result, n}
let tellReuse = () => {};

export function onReuse(listener) {
  tellReuse = listener;
}

/** Show a result: {images: [{blob, seed, width, height, parameters}], photo: File or null, warnings}. */
export function showResult(result) {
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  const photoUrl = result.photo && urlOf(result.photo);
  const pictures = result.images.map((image) => ({ ...image, url: urlOf(image.blob), photoUrl }));
  thumbs.hidden = pictures.length < 2;
  thumbs.replaceChildren(...pictures.map((picture, n) => thumb(picture, n, pictures.length, result)));
  document.getElementById("warnings").replaceChildren(...result.warnings.map((text) => element("li", {}, sentence(text))));
  showPicture(pictures[0], 0, result);
  section.hidden = false;
}

export function hideResult() {
  section.hidden = true;
}

/** Show what `hideResult` hid, if there was any. */
export function showResultAgain() {
  section.hidden = shown === null;
}

function showPicture(picture, n, result) {
  shown = { result, n };
  const { prompt } = picture.parameters;
  showComparison({ ...picture, alt: prompt }, picture.photoUrl);
  thumbs.childNodes.forEach((node, at) => node.setAttribute("aria-pressed", at === n));
  download.href = picture.url;
  download.download = fileName(picture);
  document.getElementById("result-prompt").textContent = prompt;
  document.getElementById("parameters").replaceChildren(...facts(picture));
}

function thumb(picture, n, count, result) {
  const label = `Picture ${n + 1} of ${count}, seed ${picture.seed}`;
  const image = element("img", { src: picture.url, alt: "" });
  const button = element("button", { type: "button", "aria-label": label, title: label }, image);
  button.addEventListener("click", () => showPicture(picture, n, result));
  return button;
}

/** The known parameters come first, in the order of TITLES, then all others that have a value. */
function facts({ parameters, width, height }) {
  const names = [...new Set([...Object.keys(TITLES), ...Object.keys(parameters)])];
  const told = names.filter((name) => !SHOWN_ELSEWHERE.has(name) && ![undefined, null, ""].includes(parameters[name]));
  const rows = told.map((name) => fact(TITLES[name] ?? name.replaceAll("_", " "), parameters[name]));
  return [...rows, fact("Size", `${width} × ${height}`)].flat();
}

function fileName({ seed }) {
  return `gentra-seed-${seed}.png`;
}

function urlOf(blob) {
  const url = URL.createObjectURL(blob);
  urls.push(url);
  return url;
}

reuse.addEventListener("click", () => {
  const image = shown.result.images[shown.n];
  tellReuse(new File([image.blob], fileName(image), { type: "image/png" }));
});
