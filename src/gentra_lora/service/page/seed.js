import { recall, remember } from "./session.js";

const input = document.getElementById("seed");
const last = document.getElementById("seed-last");
const random = document.getElementById("seed-random");

let lastSeed = recall("last seed");

export function rememberSeed(seed) {
  lastSeed = seed;
  remember("last seed", seed);
  showSeedButtons();
}

/** Offer the last seed while the field is empty, a random one while it is not. */
export function showSeedButtons() {
  last.hidden = lastSeed === null || input.value !== "";
  last.title = `Seed ${lastSeed} again`;
  random.hidden = input.value === "";
}

function choose(seed) {
  input.value = seed;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.focus(); // the button that was pressed has gone
}

last.addEventListener("click", () => choose(lastSeed));
random.addEventListener("click", () => choose(""));
input.addEventListener("input", showSeedButtons);
