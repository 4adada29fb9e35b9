import { events } from "./events.js";
import { request, requestJson, ServerError } from "./server.js";

const POLL = 1000; // ms
const SLOWEST_POLL = 10_000; // ms, while the server cannot be reached
const ENDS = new Set(["done", "failed", "cancelled"]);

/** Return the queued job of a form's values; with a photo, and perhaps its mask, they go as multipart/form-data. */
export function submit(values, { photo, mask }, signal) {
  if (!photo) {
    const headers = { "Content-Type": "application/json" };
    return requestJson("v1/jobs", { method: "POST", headers, body: JSON.stringify(values), signal });
  }
  const body = new FormData();
  body.append("image", photo, photo.name);
  if (mask) body.append("mask", mask, mask.name);
  for (const [name, value] of Object.entries(values)) body.append(name, value);
  return requestJson("v1/jobs", { method: "POST", body, signal });
}

export function cancel(id) {
  return requestJson(`v1/jobs/${id}`, { method: "DELETE" });
}

/** Return the finished job; until then, tell `onEvent(name, data)` of queued, step and lost. */
export async function follow(id, onEvent, signal) {
  try {
    for await (const { name, data } of events(`v1/jobs/${id}/events`, signal)) {
      if (ENDS.has(name)) return data;
      onEvent(name, data);
    }
  } catch (error) {
    if (error.name === "AbortError" || (error instanceof ServerError && !error.passing)) throw error;
  }
  return poll(id, onEvent, signal);
}

/** Return the finished job, asked for again and again: what is left when the stream of events breaks. */
async function poll(id, onEvent, signal) {
  for (let wait = POLL; ; ) {
    try {
      const job = await requestJson(`v1/jobs/${id}`, { signal });
      if (ENDS.has(job.state)) return job;
      onEvent(job.state === "queued" ? "queued" : "step", job);
      wait = POLL;
    } catch (error) {
      if (!(error instanceof ServerError && error.passing)) throw error;
      onEvent("lost", error);
      wait = Math.min(2 * wait, SLOWEST_POLL);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    signal.throwIfAborted();
  }
}

/** Return the job's pictures with their PNG as the server sent it. */
export function fetchImages(job, signal) {
  return Promise.all(
    job.images.map(async (image) => {
      // The address begins with a slash; the page may be served below a path.
      const response = await request(image.url.replace(/^\//, ""), { signal });
      return { ...image, blob: await response.blob() };
    }),
  );
}
