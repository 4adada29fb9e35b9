import { element } from "./element.js";
import { textsOf } from "./png_texts.js";
import { settingsIn } from "./told_settings.js";

const section = document.getElementById("imported");

let model = null;
let tellSettings = () => {};
let tellPhoto = () => {};

export function setImportModel(newModel) {
  model = newModel;
}

/** Hear of settings that a picture told, and of a picture that is to be the photo after all. */
export function onImport(onSettings, onPhoto) {
  tellSettings = onSettings;
  tellPhoto = onPhoto;
}

/** Take the settings that a dropped picture tells; return whether it told any. */
export async function importSettings(file) {
  const told = await settingsOf(file);
  if (!told) return false;
  take(file, told);
  return true;
}

/** Offer the settings of a picture that was chosen as the photo. */
export async function offerSettings(file) {
  hide();
  const told = file && (await settingsOf(file));
  if (!told) return;
  show(["This picture says how it was made."], "Take its settings", () => take(file, told, false));
}

async function settingsOf(file) {
  return model && settingsIn(await textsOf(file), model);
}

function take(file, { values, notes }, mayBePhoto = true) {
  tellSettings(values);
  const { prompt, ...others } = values;
  const seed = "seed" in others ? `, seed ${others.seed}` : "";
  const sentences = [`Taken from ${file.name}: the prompt${seed} and ${Object.keys(others).length} settings.`, ...notes];
  if (mayBePhoto) show(sentences, "Use it as the photo", () => tellPhoto(file));
  else show(sentences);
}

function show(sentences, label, onClick) {
  section.replaceChildren(element("p", { role: "status" }, sentences.join(" ")));
  if (label) {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      hide();
      onClick();
    });
    section.append(button);
  }
  section.hidden = false;
}

function hide() {
  section.hidden = true;
}
