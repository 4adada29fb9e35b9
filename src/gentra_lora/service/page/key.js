import { recall, remember } from "./session.js";

const section = document.getElementById("key");
const form = document.getElementById("key-form");
const input = document.getElementById("key-input");
const error = document.getElementById("key-error");

let key = recall("key");
let question = null; // one at a time, however many requests wait for its answer

export function currentKey() {
  return key;
}

/** Wait until the person has typed another key than the one that a request was refused with. */
export async function askForKey(refused) {
  if (refused !== key) return; // a newer one came while the request was under way
  error.textContent = refused ? "The server refused this key." : "";
  question ??= makeQuestion();
  section.hidden = false;
  input.focus();
  await question.answered;
}

function makeQuestion() {
  const made = {};
  made.answered = new Promise((resolve) => (made.answer = resolve));
  return made;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = input.value.trim();
  if (!/^[\x21-\x7e]+$/.test(typed)) {
    error.textContent = typed ? "A key has no spaces and only plain letters, digits and signs." : "Type the key.";
    return;
  }
  key = typed;
  remember("key", key);
  section.hidden = true;
  question?.answer();
  question = null;
});
