import { element } from "./element.js";
import { requestJson } from "./server.js";

const EVERY = 2000; // ms
const list = document.getElementById("waiting");

let timer;

/** Show the jobs that wait after the running one, each with its place in the server's queue and a way out. */
export function showWaiting(jobs, leave) {
  clearTimeout(timer);
  list.replaceChildren(...jobs.map((job) => row(job, leave)));
  if (jobs.length) look(jobs);
}

function row(job, leave) {
  const { prompt } = job.values;
  const place = element("span", {}, "Waiting");
  const button = element("button", { type: "button", "aria-label": `Cancel: ${prompt}` }, "Cancel");
  button.addEventListener("click", () => leave(job));
  return element("li", {}, element("p", {}, place, element("small", {}, prompt)), button);
}

/** The places are asked for: a stream of events each would take all the connections that a browser has. */
async function look(jobs) {
  await Promise.all(
    jobs.map(async ({ id }, n) => {
      const job = await requestJson(`v1/jobs/${id}`).catch(() => null); // the running job's stream tells
      const place = list.children[n]?.querySelector("span");
      if (job && place) place.textContent = placeOf(job);
    }),
  );
  clearTimeout(timer);
  if (list.children.length) timer = setTimeout(look, EVERY, jobs);
}

function placeOf({ state, position }) {
  if (state === "queued") return `Number ${position} in the queue`;
  return state === "running" ? "Being drawn" : "Ready, shown in its turn";
}
