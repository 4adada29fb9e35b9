import { applyModel, restoreForm, setPhotoMode } from "./form.js";
import { allowGeneration, cancelGeneration, generate, resume } from "./generation.js";
import { onRestore, showHistory } from "./history.js";
import { choosePhoto, onPhotoChange, removePhoto, setPhotoLimits } from "./photo.js";
import { notePrompt, setTriggerWord } from "./prompt.js";
import { watchReadiness } from "./readiness.js";
import { onReuse, setSamplers, showResult } from "./result.js";
import { showRevision } from "./revision.js";
import { showSeedButtons } from "./seed.js";

const settings = document.getElementById("settings");

function useModel(model) {
  applyModel(model);
  setPhotoLimits(model.limits);
  setTriggerWord(model.trigger_word);
  showSeedButtons();
  setSamplers(model.samplers);
  showRevision(model);
  allowGeneration(model);
}

async function restoreResult(result) {
  restoreForm(result.values);
  if (result.photo) await choosePhoto(result.photo);
  else removePhoto();
  notePrompt();
  showSeedButtons();
  showResult(result);
  document.getElementById("stage").focus(); // scrolls there, too
}

async function reusePicture(file) {
  await choosePhoto(file);
  document.getElementById("photo").scrollIntoView({ block: "nearest" });
}

settings.addEventListener("submit", (event) => {
  event.preventDefault();
  generate();
});
document.getElementById("cancel").addEventListener("click", cancelGeneration);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) generate();
  if (event.key === "Escape") cancelGeneration();
});

onPhotoChange((photo) => setPhotoMode(photo !== null));
onRestore(restoreResult);
onReuse(reusePicture);
setPhotoMode(false);
showHistory();
watchReadiness(useModel);
resume();
