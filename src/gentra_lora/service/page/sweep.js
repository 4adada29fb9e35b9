const details = document.getElementById("sweep");
const scales = document.getElementById("sweep-scales");
const strengths = document.getElementById("sweep-strengths");
const seeds = document.getElementById("sweep-seeds");
const error = document.getElementById("sweep-error");

const MOST = 5; // values of an axis: more are too small to tell apart, and more than the queue may have room for

let limits = null;

export function setSweepLimits(newLimits) {
  limits = newLimits;
  seeds.max = limits.max_images;
  seeds.value = Math.min(Number(seeds.value), limits.max_images);
}

/**
 * Return the job of a grid over a form's values, {request, grid, values}, or null after saying what is wrong with its axes.
 *
 * Adapter scales are its rows; its columns are strengths where there is a photo, else seeds. It is one request: the server
 * draws side by side what it can.
 */
export function sweepOf(values, hasPhoto) {
  error.textContent = "";
  const rows = numbersIn(scales.value, 0, limits.max_lora_scale);
  const columns = hasPhoto ? numbersIn(strengths.value, 0.01, 1) : seedsFrom(values.seed);
  if (!rows) return refuse(scales, `Adapter scales: one to ${MOST} numbers from 0 to ${limits.max_lora_scale}.`);
  if (!columns) {
    const [node, wanted] = hasPhoto
      ? [strengths, `Strengths: one to ${MOST} numbers from 0.01 to 1.`]
      : [seeds, `Seeds: from 1 to ${limits.max_images}.`];
    return refuse(node, wanted);
  }
  if (rows.length * columns.length > limits.max_sweep) {
    return refuse(scales, `Rows times columns: at most ${limits.max_sweep}, and these are ${rows.length * columns.length}.`);
  }
  const seed = values.seed ?? (hasPhoto ? randomSeed() : columns[0]);
  const { lora_scale, strength, ...fixed } = { ...values, seed };
  const across = hasPhoto ? { strengths: columns } : { num_images: columns.length };
  const words = hasPhoto ? "strength" : "seed";
  const grid = { rows: rows.map((n) => `scale ${n}`), columns: columns.map((n) => `${words} ${n}`) };
  return { request: { ...fixed, lora_scales: rows, ...across }, grid, values: { ...values, seed } };
}

function refuse(node, words) {
  error.textContent = words;
  details.open = true;
  node.focus();
  return null;
}

/** Return the numbers of a list, each once, in order, or null. */
function numbersIn(text, least, most) {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
  const found = [...new Set(numbers)].sort((a, b) => a - b);
  const right = found.length >= 1 && found.length <= MOST && found.every((n) => n >= least && n <= most);
  return right ? found : null;
}

/** Return as many seeds as asked for; where none is set, the first is drawn here, so that all rows have it. */
function seedsFrom(seed) {
  const count = Number(seeds.value);
  if (!Number.isInteger(count) || count < 1 || count > limits.max_images) return null;
  const first = seed ?? randomSeed();
  return Array.from({ length: count }, (_, n) => first + n);
}

function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}
