import { showComparison } from "./comparison.js";
import { element, fact } from "./element.js";
import { sentence } from "./sentence.js";
import { zoom } from "./zoom.js";

const section = document.getElementById("result");
const comparison = document.getElementById("comparison");
const thumbs = document.getElementById("thumbs");
const download = document.getElementById("download");
const reuse = document.getElementById("reuse");

const SETTINGS = {
  seed: "Seed",
  num_inference_steps: "Steps",
  guidance_scale: "Guidance",
  lora_scale: "Adapter scale",
  strength: "Strength",
  sampler: "Sampler",
  negative_prompt: "Negative prompt",
};
const ORIGIN = {
  adapter: "Adapter",
  rev: "Revision",
  commit: "Commit",
  adapter_sha256: "Adapter sha256",
  adapter_model_hash: "Adapter's hash in A1111",
  base: "Base",
  photo_sha256: "Photo sha256",
  precision: "Precision",
  torch: "PyTorch",
};
const SHOWN_ELSEWHERE = new Set(["prompt", "width", "height"]);
const PRECISIONS = { no: "float32", fp16: "float16", bf16: "bfloat16" }; // as records name them

let urls = []; // to be released when another result is shown
let shown = null; // {result, pictures, n}
let samplers = {}; // {name: title}
let tellReuse = () => {};

export function onReuse(listener) {
  tellReuse = listener;
}

export function setSamplers(named) {
  samplers = Object.fromEntries(named.map(({ name, title }) => [name, title]));
}

/** Show a result: {images: [{blob, seed, width, height, parameters}], photo: File or null, warnings}. */
export function showResult(result) {
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  const photoUrl = result.photo && urlOf(result.photo);
  const pictures = result.images.map((image) => ({ ...image, url: urlOf(image.blob), photoUrl }));
  thumbs.hidden = pictures.length < 2;
  thumbs.replaceChildren(...pictures.map((_, n) => thumb(pictures, n, result)));
  document.getElementById("warnings").replaceChildren(...result.warnings.map((text) => element("li", {}, sentence(text))));
  showPicture(pictures, 0, result);
  section.hidden = false;
}

export function hideResult() {
  section.hidden = true;
}

/** Show what `hideResult` hid, if there was any. */
export function showResultAgain() {
  section.hidden = shown === null;
}

function showPicture(pictures, n, result) {
  shown = { result, pictures, n };
  const picture = pictures[n];
  const { prompt } = picture.parameters;
  showComparison({ ...picture, alt: prompt }, picture.photoUrl);
  thumbs.childNodes.forEach((node, at) => node.setAttribute("aria-pressed", at === n));
  download.href = picture.url;
  download.download = fileName(picture);
  document.getElementById("result-prompt").textContent = prompt;
  document.getElementById("parameters").replaceChildren(...settingsOf(picture));
  document.getElementById("origin-facts").replaceChildren(...originOf(picture));
}

function thumb(pictures, n, result) {
  const label = `Picture ${n + 1} of ${pictures.length}, seed ${pictures[n].seed}`;
  const image = element("img", { src: pictures[n].url, alt: "" });
  const button = element("button", { type: "button", "aria-label": label, title: label }, image);
  button.addEventListener("click", () => showPicture(pictures, n, result));
  return button;
}

function settingsOf({ parameters, width, height }) {
  const told = { ...parameters, sampler: samplers[parameters.sampler] ?? parameters.sampler };
  return [...facts(Object.keys(SETTINGS), told), ...fact("Size", `${width} × ${height}`)];
}

/** What is no setting: the known ones first, then all others. */
function originOf({ parameters }) {
  const others = Object.keys(parameters).filter((name) => !(name in SETTINGS) && !SHOWN_ELSEWHERE.has(name));
  const told = { ...parameters, precision: PRECISIONS[parameters.precision] ?? parameters.precision };
  return facts([...new Set([...Object.keys(ORIGIN), ...others])], told);
}

function facts(names, values) {
  const told = names.filter((name) => ![undefined, null, ""].includes(values[name]));
  return told.flatMap((name) => fact({ ...SETTINGS, ...ORIGIN }[name] ?? name.replaceAll("_", " "), values[name]));
}

function fileName({ seed }) {
  return `gentra-seed-${seed}.png`;
}

function urlOf(blob) {
  const url = URL.createObjectURL(blob);
  urls.push(url);
  return url;
}

function zoomShown() {
  const pictures = shown.pictures.map(({ url, seed, parameters }) => ({ url, alt: parameters.prompt, words: `seed ${seed}` }));
  zoom(pictures, shown.n);
}

document.getElementById("zoom-open").addEventListener("click", zoomShown);
comparison.addEventListener("click", ({ target }) => {
  // A click on a comparison moves its divider.
  if (!comparison.classList.contains("comparing") && !target.closest("button")) zoomShown();
});
reuse.addEventListener("click", () => {
  const image = shown.result.images[shown.n];
  tellReuse(new File([image.blob], fileName(image), { type: "image/png" }));
});
