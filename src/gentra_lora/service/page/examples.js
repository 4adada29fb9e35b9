import { element } from "./element.js";
import { request, requestJson } from "./server.js";

const section = document.getElementById("examples");
const list = document.getElementById("examples-list");
const empty = document.getElementById("empty");
const narrow = matchMedia("(max-width: 859px)");

let urls = [];

/** Offer the examples of the served weights, if there are any; `onChoice` hears of the one that is chosen. */
export async function showExamples(triggerWord, onChoice) {
  const { examples } = await requestJson("v1/examples").catch(() => ({ examples: [] })); // the page works without
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  document.getElementById("examples-title").textContent = triggerWord ? `Pictures of a ${triggerWord}` : "Pictures";
  list.replaceChildren(...examples.map((example) => tile(example, onChoice)));
  section.hidden = examples.length === 0;
}

function tile({ url, ...values }, onChoice) {
  const image = element("img", { alt: "", width: values.width, height: values.height });
  const caption = element("span", { className: "caption" }, values.prompt);
  const button = element("button", { type: "button", className: "restore", title: values.prompt }, image, caption);
  button.setAttribute("aria-label", `Draw: ${values.prompt}`);
  button.addEventListener("click", () => onChoice(values));
  load(image, url);
  return element("li", {}, button);
}

/** A picture may need the key, which an address in an <img> would not send. */
async function load(image, url) {
  const response = await request(url.replace(/^\//, "")).catch(() => null);
  if (!response) return;
  urls.push(URL.createObjectURL(await response.blob()));
  image.src = urls.at(-1);
}

/** Beside the form they stand where the picture will be; in one column they come first, as a strip. */
function place() {
  if (narrow.matches) document.querySelector("main").before(section);
  else empty.append(section);
}

narrow.addEventListener("change", place);
place();
