import { requestJson } from "./server.js";

const PAUSE = 300; // ms without a key, before the tokens are counted
const prompt = document.getElementById("prompt");
const trigger = document.getElementById("trigger");
const button = document.getElementById("trigger-word");
const note = document.getElementById("trigger-note");

const count = document.getElementById("tokens");

let word = "";
let timer;

export function setTriggerWord(newWord) {
  word = newWord;
  trigger.hidden = !word;
  button.textContent = word;
  button.setAttribute("aria-label", `Put the trigger word “${word}” into the prompt`);
  notePrompt();
}

/** Say whether the prompt lacks the trigger word. */
export function notePrompt() {
  const lacks = word && prompt.value.trim() && !patternOf(word).test(prompt.value);
  note.textContent = lacks ? "The prompt lacks the trigger word: the subject may not show." : "";
  clearTimeout(timer);
  timer = setTimeout(countTokens, PAUSE);
}

/** Show how much of what the text encoder reads is used; the server counts, as it will read the prompt. */
async function countTokens() {
  const text = prompt.value;
  const headers = { "Content-Type": "application/json" };
  const asked = { method: "POST", headers, body: JSON.stringify({ text }) };
  const counted = text.trim() && (await requestJson("v1/tokens", asked).catch(() => null)); // a help, no more
  if (text !== prompt.value) return; // a later one counts
  count.value = counted ? `${counted.tokens} of ${counted.limit} tokens` : "";
  count.classList.toggle("over", Boolean(counted) && counted.tokens > counted.limit);
}

/** Match a trigger word as the server does: whole words, in any case, with any white space between them. */
function patternOf(text) {
  const words = text.split(/\s+/).map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return new RegExp(`(?<![\\p{L}\\p{N}_])${words.join("\\s+")}(?![\\p{L}\\p{N}_])`, "iu");
}

/** Put the trigger word where the cursor is, with a space on each side that has a neighbour. */
function insertTriggerWord() {
  const { value, selectionStart: start, selectionEnd: end } = prompt;
  const before = /\S$/.test(value.slice(0, start)) ? " " : "";
  const after = /^[^\s,.]/.test(value.slice(end)) ? " " : "";
  prompt.setRangeText(before + word + after, start, end, "end");
  prompt.dispatchEvent(new Event("input", { bubbles: true }));
  prompt.focus();
}

button.addEventListener("click", insertTriggerWord);
prompt.addEventListener("input", notePrompt);
