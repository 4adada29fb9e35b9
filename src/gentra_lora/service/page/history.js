import { element } from "./element.js";
import { clearResults, deleteResult, listResults, loadResult, MOST, photoKeyOf, saveResult } from "./store.js";

const THUMB = 192; // px
const list = document.getElementById("history-list");
const empty = document.getElementById("history-empty");
const error = document.getElementById("history-error");
const clear = document.getElementById("history-clear");
const dialog = document.getElementById("history-dialog");

let urls = [];
let tellRestore = () => {};

export function onRestore(listener) {
  tellRestore = listener;
}

/** Show the kept results, or say why there are none. */
export const showHistory = guarded(async () => {
  const results = await listResults();
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = results.map(({ thumb }) => URL.createObjectURL(thumb));
  list.replaceChildren(...results.map((result, n) => tile(result, urls[n])));
  empty.hidden = results.length > 0;
  clear.hidden = results.every(({ favourite }) => favourite);
});

/** Keep a shown result with the form's values that it was asked with. */
export const addToHistory = guarded(async ({ id, values, images, photo, mask, warnings, grid }) => {
  const thumb = await thumbOf(images[0].blob);
  const photoKey = photo && photoKeyOf(photo);
  await saveResult({ id, at: Date.now(), values, images, thumb, photoKey, mask, warnings, grid }, photo);
  await showHistory();
});

/** Keep what the base alone draws beside a picture of a kept result. */
export const keepBase = guarded(async ({ id, n }, blob) => {
  const found = await loadResult(id);
  if (!found) return;
  const { photo, ...result } = found;
  result.images[n].base = blob;
  await saveResult(result, photo);
});

/** Return a function that says what the browser's storage refused instead of failing: the page works without it. */
function guarded(work) {
  return async (...args) => {
    try {
      await work(...args);
      error.textContent = "";
    } catch (fault) {
      error.textContent =
        fault?.name === "QuotaExceededError"
          ? "This browser has no room for this result: delete some, or download the picture."
          : "This browser keeps no history here, as in a private window.";
    }
  };
}

async function thumbOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = THUMB / Math.max(bitmap.width, bitmap.height);
  const canvas = element("canvas", { width: bitmap.width * scale, height: bitmap.height * scale });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

function tile(result, url) {
  const { prompt } = result.values;
  const image = element("img", { src: url, alt: "", loading: "lazy" });
  const caption = element("span", { className: "caption" }, prompt);
  const restore = element("button", { type: "button", className: "restore" }, image, caption, ...facts(result));
  restore.setAttribute("aria-label", `Show again: ${prompt}, seed ${result.images[0].seed}`);
  restore.addEventListener("click", () => restored(result));
  const star = element("button", { type: "button", className: "star", "aria-label": `Favourite: ${prompt}` });
  star.setAttribute("aria-pressed", Boolean(result.favourite));
  star.title = "A favourite stays when others are cleared";
  star.addEventListener("click", () => toggleFavourite(result));
  const remove = element("button", { type: "button", className: "remove", "aria-label": `Delete: ${prompt}` });
  remove.addEventListener("click", () => removeTile(result, remove));
  return element("li", { title: prompt }, restore, star, remove);
}

function facts({ images, values, photoKey }) {
  const seeds = images.length > 1 ? `${images.length} pictures, seed ${images[0].seed}` : `seed ${images[0].seed}`;
  const settings = [photoKey && `strength ${values.strength}`, `scale ${values.lora_scale}`].filter(Boolean).join(", ");
  return [seeds, settings].map((text) => element("small", {}, text));
}

const restored = guarded(async ({ id }) => tellRestore(await loadResult(id)));

const toggleFavourite = guarded(async (result) => {
  await saveResult({ ...result, favourite: !result.favourite });
  await showHistory();
  const at = (await listResults()).findIndex(({ id }) => id === result.id);
  list.children[at]?.querySelector(".star").focus();
});

const removeTile = guarded(async ({ id }, button) => {
  const tiles = [...list.children];
  const at = tiles.findIndex((node) => node.contains(button));
  await deleteResult(id);
  await showHistory();
  (list.children[Math.min(at, list.children.length - 1)]?.querySelector(".remove") ?? document.body).focus();
});

clear.addEventListener("click", () => {
  const count = list.querySelectorAll(".star[aria-pressed=false]").length;
  document.getElementById("history-question").textContent =
    count === 1 ? "Delete the result that is no favourite?" : `Delete all ${count} results that are no favourites?`;
  dialog.showModal();
});
document.getElementById("history-keep").addEventListener("click", () => dialog.close());
document.getElementById("history-delete").addEventListener(
  "click",
  guarded(async () => {
    dialog.close();
    await clearResults();
    await showHistory();
  }),
);
empty.textContent = `The last ${MOST} results are kept in this browser. A downloaded picture that is dropped on the page gives its settings back.`;
