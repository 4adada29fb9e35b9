import { offerAspects } from "./aspect.js";
import { offerCopies } from "./copy.js";
import { showExamples } from "./examples.js";
import { applyModel, restoreForm, setMaskMode, setPhotoMode } from "./form.js";
import { allowGeneration, generate, generateSweep, generateVariations, generateWithout } from "./generation.js";
import { onRestore, showHistory } from "./history.js";
import { importSettings, offerSettings, onImport, setImportModel } from "./imported.js";
import { offerMask, onMaskChange, takeMask } from "./mask.js";
import { choosePhoto, onPhoto, removePhoto, setPhotoLimits } from "./photo.js";
import { notePrompt, setTriggerWord } from "./prompt.js";
import { watchReadiness } from "./readiness.js";
import { onResult, setSamplers, showResult, shownPicture } from "./result.js";
import { showRevision } from "./revision.js";
import { showSeedButtons } from "./seed.js";
import { setSweepLimits } from "./sweep.js";
import { cancelRunning, resume } from "./work.js";

const settings = document.getElementById("settings");

function useModel(model) {
  applyModel(model);
  setPhotoLimits(model.limits);
  setTriggerWord(model.trigger_word);
  showSeedButtons();
  offerAspects(model);
  setSweepLimits(model.limits);
  setSamplers(model.samplers);
  setImportModel(model);
  showRevision(model);
  allowGeneration(model);
  showExamples(model.trigger_word, (example) => drawExample({ ...model.defaults, ...example }));
}

function usePhoto(photo) {
  setPhotoMode(photo !== null);
  offerMask(photo);
  offerSettings(photo?.file);
}

function drawExample(values) {
  removePhoto();
  takeSettings(values);
  document.getElementById("stage").focus(); // the button that was pressed is hidden
  generate();
}

function takeSettings(values) {
  restoreForm({ num_images: 1, ...values });
  notePrompt();
  showSeedButtons();
}

async function restoreResult(result) {
  takeSettings(result.values);
  if (result.photo) await choosePhoto(result.photo);
  else removePhoto();
  await takeMask(result.photo, result.mask);
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
document.getElementById("sweep-draw").addEventListener("click", generateSweep);
document.getElementById("cancel").addEventListener("click", cancelRunning);
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && !event.repeat && (event.ctrlKey || event.metaKey)) generate();
  if (event.key === "Escape") cancelRunning();
});

onPhoto({ change: usePhoto, drop: importSettings });
onMaskChange(setMaskMode);
onImport(takeSettings, choosePhoto);
offerCopies(shownPicture);
onRestore(restoreResult);
onResult({ reuse: reusePicture, without: generateWithout, variations: generateVariations, choice: takeSettings });
setPhotoMode(false);
showHistory();
watchReadiness(useModel);
resume();
