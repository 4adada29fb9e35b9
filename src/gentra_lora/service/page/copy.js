import { currentKey } from "./key.js";
import { curlOf, pythonOf } from "./snippets.js";
import { requestOf } from "./values.js";

const menu = document.getElementById("copy");
const announcement = document.getElementById("announcement");

const TEXTS = {
  "copy-prompt": ({ parameters }) => parameters.prompt,
  "copy-seed": ({ seed }) => String(seed),
  "copy-curl": (picture, result) => curlOf(requestAsText(picture, result)),
  "copy-python": (picture, result) => pythonOf(requestAsText(picture, result)),
};

/** Offer the texts of the picture that `shownPicture()` returns, with its result and the name of its file. */
export function offerCopies(shownPicture) {
  for (const [id, textOf] of Object.entries(TEXTS)) {
    const button = document.getElementById(id);
    button.addEventListener("click", async () => {
      const { picture, result, file } = shownPicture();
      const copied = await copy(textOf({ ...picture, file }, result));
      announcement.textContent = copied ? `Copied: ${button.textContent}.` : "This browser does not let a page copy.";
      menu.open = false;
      menu.querySelector("summary").focus();
      menu.querySelector("summary").textContent = copied ? "Copied" : "Copy";
      setTimeout(() => (menu.querySelector("summary").textContent = "Copy"), 1500);
    });
  }
}

function requestAsText({ parameters, file }, { photo, mask }) {
  const path = photo ? "v1/img2img" : "v1/txt2img";
  const url = new URL(path, document.baseURI).href;
  const files = { photo: photo?.name ?? null, hasMask: Boolean(mask) };
  return { values: requestOf(parameters), ...files, url, file, hasKey: Boolean(currentKey()) };
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // without https there is no clipboard but this
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden-words";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

document.addEventListener("click", ({ target }) => {
  if (!menu.contains(target)) menu.open = false;
});
menu.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu.open) return;
  event.preventDefault(); // it cancels no job
  menu.open = false;
  menu.querySelector("summary").focus();
});
