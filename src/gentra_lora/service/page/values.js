// The fields of a request that a picture's parameters tell.
const FIELDS = [
  "prompt",
  "negative_prompt",
  "seed",
  "num_inference_steps",
  "guidance_scale",
  "width",
  "height",
  "lora_scale",
  "sampler",
  "strength",
];

/** Return the request that draws a picture again: what its parameters say, without what they leave empty. */
export function requestOf(parameters) {
  const told = FIELDS.filter((name) => ![undefined, null, ""].includes(parameters[name]));
  return Object.fromEntries(told.map((name) => [name, parameters[name]]));
}
