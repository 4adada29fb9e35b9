import { onAway, request, requestJson, ServerError } from "./server.js";

const node = document.getElementById("readiness");
const READY_EVERY = 10_000; // ms
const UNREADY_EVERY = 3_000;

let timer;
let known = ""; // the model as it was last told; another revision may be served at any time
let tellModel = () => {};

/** Watch the server for as long as the page is open; `onModel` hears of its model, and of each change. */
export function watchReadiness(onModel) {
  tellModel = onModel;
  onAway(wait);
  check();
  document.addEventListener("visibilitychange", () => document.hidden || check());
}

export async function check() {
  try {
    await request("readyz");
    tellIfNew(await requestJson("v1/model"));
    show("ready", "Ready");
    again(READY_EVERY);
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    wait(error);
  }
}

function wait(error) {
  show("waiting", `${error.message} Trying again …`);
  again(UNREADY_EVERY);
}

function again(every) {
  clearTimeout(timer); // another check may have run meanwhile
  timer = setTimeout(check, every);
}

function tellIfNew(model) {
  const text = JSON.stringify(model);
  if (text !== known) tellModel(model);
  known = text;
}

function show(state, words) {
  node.dataset.state = state;
  if (node.textContent !== words) node.textContent = words; // the same again would be read out again
}
