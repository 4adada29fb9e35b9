const prompt = document.getElementById("prompt");
const trigger = document.getElementById("trigger");
const button = document.getElementById("trigger-word");
const note = document.getElementById("trigger-note");

let word = "";

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
