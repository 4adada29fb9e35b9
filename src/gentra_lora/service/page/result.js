import { showComparison } from "./comparison.js";
import { element, fact } from "./element.js";
import { sentence } from "./sentence.js";
import { showOverview } from "./overview.js";
import { loadResult } from "./store.js";
import { requestOf } from "./values.js";
import { zipOf } from "./zip.js";
import { zoom } from "./zoom.js";

const section = document.getElementById("result");
const comparison = document.getElementById("comparison");
const several = document.getElementById("several");
const single = document.getElementById("single");
const showAll = document.getElementById("show-all");
const thumbs = document.getElementById("thumbs");
const download = document.getElementById("download");
const reuse = document.getElementById("reuse");
const saveMask = document.getElementById("save-mask");
const withoutButton = document.getElementById("without");

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
  mask_sha256: "Mask sha256",
  precision: "Precision",
  torch: "PyTorch",
};
const SHOWN_ELSEWHERE = new Set(["prompt", "width", "height"]);
const PRECISIONS = { no: "float32", fp16: "float16", bf16: "bfloat16" }; // as records name them

let urls = []; // to be released when another result is shown
let shown = null; // {result, pictures, n}
let samplers = {}; // {name: title}
let tell = {}; // see `onResult`

/**
 * Hear of what is wished of a shown picture: `reuse(file)` as a photo, `without(result, n)` the adapter, `variations(file,
 * picture, result)`, and `choice(settings)` of a sweep's cell.
 */
export function onResult(listeners) {
  tell = listeners;
}

export function setSamplers(named) {
  samplers = Object.fromEntries(named.map(({ name, title }) => [name, title]));
}

/**
 * Show picture n of a result, all of them where n is null.
 *
 * A result is {images: [{blob, seed, width, height, parameters}], photo and mask: File or null, warnings, grid of a sweep}.
 *
 * An image's `base` is what the base alone draws for its seed; `without` shows it beside the picture.
 */
export function showResult(result, n = null, without = false) {
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  saveMask.hidden = !result.mask;
  if (result.mask) saveMask.href = urlOf(result.mask);
  const photoUrl = result.photo && urlOf(result.photo);
  const pictures = result.images.map((image) => ({
    ...image,
    url: urlOf(image.blob),
    baseUrl: image.base && urlOf(image.base),
    photoUrl,
  }));
  thumbs.hidden = showAll.hidden = pictures.length < 2;
  thumbs.replaceChildren(...pictures.map((_, place) => thumb(pictures, place, result)));
  document.getElementById("warnings").replaceChildren(...result.warnings.map((text) => element("li", {}, sentence(text))));
  showPicture(pictures, n ?? 0, result, without);
  showOverview(pictures, result.grid, (place) => choose(pictures, place, result));
  showSeveral(pictures.length > 1 && n === null);
  section.hidden = false;
}

/** Show all pictures of the result side by side, or the one that was chosen. */
function showSeveral(all) {
  several.hidden = !all;
  single.hidden = all;
}

/** Show one of several pictures; that of a sweep's cell puts its settings into the form. */
function choose(pictures, n, result) {
  showPicture(pictures, n, result);
  showSeveral(false);
  section.scrollIntoView({ block: "nearest" });
  thumbs.children[n].focus();
  if (result.grid) tell.choice(requestOf(pictures[n].parameters));
}

export function hideResult() {
  section.hidden = true;
}

/** Return the picture that is shown, with its result and what its file is called. */
export function shownPicture() {
  const picture = shown.pictures[shown.n];
  return { picture, result: shown.result, file: fileName(picture) };
}

export function isResultShown() {
  return !section.hidden;
}

/** Put what the base alone draws beside picture n of the result with that id, kept or shown. */
export async function showBase({ id, n }, blob) {
  if (shown === null) {
    const kept = await loadResult(id).catch(() => null);
    if (kept) showResult(kept);
  }
  if (shown?.result.id !== id) return;
  shown.result.images[n].base = blob;
  showResult(shown.result, n, true);
}

/** Show what `hideResult` hid, if there was any. */
export function showResultAgain() {
  section.hidden = shown === null;
}

function showPicture(pictures, n, result, without = false) {
  shown = { result, pictures, n };
  const picture = pictures[n];
  const { prompt, lora_scale } = picture.parameters;
  showComparison({ ...picture, alt: prompt }, comparedWith(picture, without));
  withoutButton.setAttribute("aria-pressed", without);
  withoutButton.hidden = lora_scale === 0;
  thumbs.childNodes.forEach((node, at) => node.setAttribute("aria-pressed", at === n));
  download.href = picture.url;
  download.download = fileName(picture);
  document.getElementById("result-prompt").textContent = prompt;
  document.getElementById("parameters").replaceChildren(...settingsOf(picture));
  document.getElementById("origin-facts").replaceChildren(...originOf(picture));
}

function comparedWith({ photoUrl, baseUrl }, without) {
  if (without) {
    const titles = { title: "Without adapter", afterTitle: "With adapter" };
    return { url: baseUrl, alt: "The same seed without the adapter", ...titles };
  }
  return photoUrl && { url: photoUrl, alt: "Before: the photo", title: "Photo", afterTitle: "Picture" };
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
  const others = Object.keys(parameters).filter((name) => {
    return !(name in SETTINGS) && !SHOWN_ELSEWHERE.has(name) && (parameters.mask_sha256 || !name.startsWith("mask_"));
  });
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
withoutButton.addEventListener("click", () => {
  const { result, pictures, n } = shown;
  if (pictures[n].baseUrl) showPicture(pictures, n, result, withoutButton.getAttribute("aria-pressed") !== "true");
  else tell.without(result, n);
});
/** Return the shown picture as a file. */
export function shownFile() {
  const image = shown.result.images[shown.n];
  return new File([image.blob], fileName(image), { type: "image/png" });
}

reuse.addEventListener("click", () => tell.reuse(shownFile()));
showAll.addEventListener("click", () => showSeveral(true));
document.getElementById("variations").addEventListener("click", () => {
  const { picture, result } = shownPicture();
  tell.variations(shownFile(), picture, result);
});
document.getElementById("download-all").addEventListener("click", async () => {
  const files = shown.pictures.map((image, n) => ({ name: `${n + 1}-${fileName(image)}`, blob: image.blob }));
  const href = urlOf(await zipOf(files));
  element("a", { href, download: fileName(shown.pictures[0]).replace(".png", ".zip") }).click();
});
