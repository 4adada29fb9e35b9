import { element } from "./element.js";
import { sentence } from "./sentence.js";
import { recall, remember } from "./session.js";

const form = document.getElementById("settings");
const controls = [...form.elements].filter((control) => control.name);
const more = document.getElementById("more");
const strengthHint = document.getElementById("strength-hint");

const BOUNDS = {
  width: ["min_side", "max_side"],
  height: ["min_side", "max_side"],
  num_inference_steps: [null, "max_steps"],
  lora_scale: [null, "max_lora_scale"],
  guidance_scale: [null, "max_guidance_scale"],
};

let touched = recall("draft") ?? {}; // {name: text} of what the person set; the rest follows the server's defaults
let limits = null;
let masked = false;

/** Set bounds, choices and, where the person set nothing, the defaults that the server names. */
export function applyModel(model) {
  limits = model.limits;
  for (const [name, [least, most]] of Object.entries(BOUNDS)) {
    if (least) form.elements[name].min = limits[least];
    form.elements[name].max = limits[most];
  }
  const counts = Array.from({ length: limits.max_images }, (_, n) => element("option", {}, n + 1));
  form.elements.num_images.replaceChildren(...counts);
  form.elements.sampler.replaceChildren(
    ...model.samplers.map(({ name, title }) => element("option", { value: name }, title)),
  );
  setControls({ num_images: 1, ...model.defaults, ...touched });
}

/** Set the form to the values of an earlier job. */
export function restoreForm(values) {
  clearErrors();
  keep({ ...touched, negative_prompt: "", seed: "", ...values }); // an empty field was left out of the values
  setControls(touched);
}

/** Show what belongs to a photo, hide what does not. */
export function setPhotoMode(hasPhoto) {
  for (const node of form.querySelectorAll("[data-with]")) node.hidden = (node.dataset.with === "photo") !== hasPhoto;
  describe();
}

/** Say beside the strength whether a part of the photo alone may change. */
export function setMaskMode(hasMask) {
  masked = hasMask;
  describe();
}

/** Return the values by their names in the API, or null after saying at each field what is wrong with it. */
export function readForm() {
  clearErrors();
  const details = asked()
    .map((control) => ({ field: control.name, message: complaint(control) }))
    .filter(({ message }) => message);
  if (details.length) {
    showErrors(details);
    return null;
  }
  return Object.fromEntries(
    asked()
      .filter((control) => control.value !== "") // left out: the server's own default, or a random seed
      .map((control) => [control.name, isNumber(control) ? Number(control.value) : control.value]),
  );
}

/** Say at their fields what the server or the page found; return what belongs to none. */
export function showErrors(details) {
  const errors = details.map(({ field, message }) => ({ message, node: document.getElementById(`${field}-error`) }));
  const placed = errors.filter(({ node }) => node);
  for (const { node, message } of placed) {
    node.textContent = sentence(message);
    controlOf(node)?.setAttribute("aria-invalid", "true");
    if (more.contains(node)) more.open = true;
  }
  controlOf(placed[0]?.node)?.focus();
  return errors.filter(({ node }) => !node);
}

export function clearErrors() {
  for (const node of form.querySelectorAll(".error")) node.textContent = "";
  for (const node of form.querySelectorAll("[aria-invalid]")) node.removeAttribute("aria-invalid");
}

function controlOf(node) {
  return node && form.elements[node.id.replace("-error", "")];
}

function asked() {
  return controls.filter((control) => !control.closest("[data-with][hidden]"));
}

function isNumber(control) {
  return control.type === "number" || control.type === "range" || control.name === "num_images";
}

function complaint(control) {
  const { validity, min, max, step } = control;
  if (validity.valueMissing || (control.required && !control.value.trim())) return "Say what the picture shows.";
  if (validity.badInput) return "This is not a number.";
  if (validity.rangeUnderflow || validity.rangeOverflow) return max ? `From ${min} to ${max}.` : `At least ${min}.`;
  if (validity.stepMismatch) return step === "1" ? "A whole number." : `A multiple of ${step}.`;
  return control.name === "width" ? complaintOfArea() : "";
}

function complaintOfArea() {
  const [width, height] = [form.elements.width, form.elements.height].map((control) => Number(control.value));
  if (!limits || width * height <= limits.max_pixels) return "";
  return `${width} × ${height} is more than the ${limits.max_pixels} pixels that the server draws.`;
}

function setControls(values) {
  for (const control of controls) {
    const value = values[control.name];
    if (value !== undefined && value !== null) control.value = value;
  }
  describe();
}

function keep(values) {
  touched = values;
  remember("draft", touched);
}

/** Write beside the controls what their values mean. */
function describe() {
  const { strength, lora_scale, num_inference_steps, guidance_scale, sampler, width, height } = form.elements;
  for (const control of [strength, lora_scale]) {
    form.querySelector(`output[for=${control.name}]`).value = Number(control.value).toFixed(2);
  }
  const steps = Number(num_inference_steps.value);
  // As the server counts them: 0.29 of 100 are 29, though the product of the floats is below.
  const redone = Math.floor(steps * Number(strength.value) + 1e-6);
  const advice = masked ? "the rest stays at any strength: 0.7 and more make sense" : "1 keeps nothing of the photo";
  strengthHint.textContent = steps ? `${redone} of ${steps} steps are redone; ${advice}.` : "";
  const size = width.closest("[hidden]") ? "" : `${width.value} × ${height.value}`;
  const title = sampler.selectedOptions[0]?.textContent;
  const parts = [steps && `${steps} steps`, guidance_scale.value && `guidance ${guidance_scale.value}`, title, size];
  document.getElementById("more-words").textContent = limits ? parts.filter(Boolean).join(" · ") : "";
}

form.addEventListener("input", ({ target }) => {
  if (!target.name) return;
  keep({ ...touched, [target.name]: target.value });
  document.getElementById(`${target.name}-error`).textContent = "";
  target.removeAttribute("aria-invalid");
  describe();
});

setControls(touched);
