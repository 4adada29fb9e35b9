// What a picture's texts say of how it was made: ours, A1111's (and Forge's), ComfyUI's.
import { requestOf } from "./values.js";

const LINE = /\s*([\w .+/-]+):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)/g; // "Steps: 20, Lora hashes: "a: b", ..."
const TAG = /[ \t]*<lora:([^:>]+):(-?[\d.]+)[^>]*>/g;
const WEIGHT = /(?<!\\)\(((?:\\.|[^()\\])*):[\d.]+\)/g;
const OF_A1111 = {
  Steps: "num_inference_steps",
  "CFG scale": "guidance_scale",
  Seed: "seed",
  "Denoising strength": "strength",
};
const NO_SETTINGS = /^(Sampler|Schedule type|Size|Model|Model hash|Lora hashes|Version|RNG|TI hashes|VAE|VAE hash)$/;
const OF_COMFYUI = { euler_ancestral: "euler_a", uni_pc: "unipc" };

/**
 * Return {values, notes} of a picture's texts, null where they say nothing.
 *
 * `model` is the served one: its adapter's tag is the scale, its samplers are those that can be taken.
 */
export function settingsIn(texts, model) {
  const readers = { gentra: ofOurs, parameters: ofA1111, prompt: ofComfyUI };
  for (const [keyword, read] of Object.entries(readers)) {
    const told = keyword in texts ? attempt(() => read(texts[keyword], model)) : null;
    if (told?.values.prompt) return told;
  }
  return null;
}

function attempt(read) {
  try {
    return read();
  } catch {
    return null; // another program's text under the same keyword
  }
}

function ofOurs(text, model) {
  const record = JSON.parse(text);
  const notes = [];
  if (record.adapter_sha256 !== model.file.sha256) notes.push("It was drawn by other weights than those served here.");
  if (record.mask_sha256) notes.push("It was drawn from a photo with a mask: choose the photo and paint its mask as well.");
  else if (record.photo_sha256) notes.push("It was drawn from a photo: choose that as well.");
  if (record.mask_sha256 && (record.mask_padding != null || (record.mask_content ?? "original") !== "original"))
    notes.push("Its mask was used in a way that this page does not have; `gentra-lora regenerate` does.");
  return { values: requestOf(record), notes };
}

function ofA1111(text, model) {
  const lines = text.trim().split(/\r?\n/);
  const last = lines.findLastIndex((line) => /^Steps: \d/.test(line));
  if (last < 0) return null;
  const negative = lines.findIndex((line) => line.startsWith("Negative prompt:"));
  const end = negative < 0 ? last : negative;
  const told = Object.fromEntries([...lines[last].matchAll(LINE)].map(([, key, value]) => [key.trim(), value.trim()]));
  const notes = [];
  const values = promptOf(lines.slice(0, end).join("\n"), model, notes);
  if (negative >= 0) {
    const [first, ...more] = lines.slice(negative, last);
    values.negative_prompt = plain([first.slice("Negative prompt:".length), ...more].join("\n"), notes);
  }
  for (const [key, name] of Object.entries(OF_A1111)) if (told[key]) values[name] = Number(told[key]);
  const [width, height] = (told.Size ?? "").split("x").map(Number);
  if (height) Object.assign(values, { width, height });
  const schedule = told["Schedule type"] === "Karras" ? " Karras" : "";
  takeSampler(values, model, ({ title }) => title === told.Sampler + schedule, told.Sampler, notes);
  const left = Object.keys(told).filter((key) => !(key in OF_A1111) && !NO_SETTINGS.test(key));
  if (left.length) notes.push(`Not taken: ${left.join(", ")}.`);
  return { values, notes };
}

function promptOf(text, model, notes) {
  const values = {};
  const prompt = text.replace(TAG, (_, name, scale) => {
    if (name === nameOf(model)) values.lora_scale = Number(scale);
    else notes.push(`The adapter ${name} is not here.`);
    return "";
  });
  return { ...values, prompt: plain(prompt, notes) };
}

/** Return a prompt without the weights that this service does not read, and without A1111's escapes. */
function plain(text, notes) {
  const unweighted = text.replace(WEIGHT, "$1");
  if (unweighted !== text) notes.push("The weights of words were left out.");
  return unweighted.replace(/\\([\\()[\]])/g, "$1").trim();
}

function nameOf({ file }) {
  return file.name.replace(/\.safetensors$/, "");
}

function takeSampler(values, { samplers }, fits, told, notes) {
  const found = samplers.find(fits);
  if (found) values.sampler = found.name;
  else if (told) notes.push(`The sampler ${told} is not here.`);
}

function ofComfyUI(text, model) {
  const nodes = JSON.parse(text);
  const all = Object.values(nodes);
  const inputs = all.find(({ class_type }) => /^KSampler/.test(class_type))?.inputs;
  if (!inputs) return null;
  const notes = [];
  const values = {
    prompt: textBehind(nodes, inputs.positive),
    negative_prompt: textBehind(nodes, inputs.negative) ?? "",
    seed: inputs.seed ?? inputs.noise_seed,
    num_inference_steps: inputs.steps,
    guidance_scale: inputs.cfg,
  };
  if (inputs.denoise < 1) values.strength = inputs.denoise;
  const { width, height } = nodes[inputs.latent_image?.[0]]?.inputs ?? {};
  if (typeof width === "number" && typeof height === "number") Object.assign(values, { width, height });
  const lora = all.find(({ inputs: { lora_name } }) => lora_name === model.file.name)?.inputs;
  if (lora) values.lora_scale = lora.strength_model;
  const name = (OF_COMFYUI[inputs.sampler_name] ?? inputs.sampler_name) + (inputs.scheduler === "karras" ? "_karras" : "");
  takeSampler(values, model, (sampler) => sampler.name === name, inputs.sampler_name, notes);
  return { values, notes };
}

/** Return the text of the node that a link leads to, past nodes that only pass it on. */
function textBehind(nodes, link, depth = 0) {
  const inputs = nodes[link?.[0]]?.inputs;
  if (!inputs || depth > 10) return undefined;
  if (typeof inputs.text === "string") return inputs.text;
  return textBehind(nodes, inputs.text ?? inputs.conditioning ?? inputs.positive, depth + 1);
}
