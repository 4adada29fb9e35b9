import { askForKey, currentKey } from "./key.js";
import { sentence } from "./sentence.js";

const AWAY = new Set([502, 503, 504]);

/** What the server refused, or why it could not be asked. */
export class ServerError extends Error {
  constructor({ message, code, param = null, details = [] }, status = 0, retryAfter = null) {
    super(sentence(message));
    Object.assign(this, { code, param, details, status, retryAfter });
  }

  /** Whether asking again later can help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

let tellAway = () => {};

/** Hear of each request that the server, or a proxy before it, did not answer. */
export function onAway(listener) {
  tellAway = listener;
}

/** Return the response of a path below the page's own address; a 401 waits for a key and asks again. */
export async function request(path, options = {}) {
  for (;;) {
    const key = currentKey();
    const response = await send(path, options, key);
    if (response.ok) return response;
    if (response.status !== 401) {
      const error = await errorOf(response);
      if (AWAY.has(error.status)) tellAway(error);
      throw error;
    }
    await Promise.race([askForKey(key), aborted(options.signal)]);
  }
}

function aborted(signal) {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

export async function requestJson(path, options) {
  const response = await request(path, options);
  return response.json();
}

async function send(path, options, key) {
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  try {
    return await fetch(path, { cache: "no-store", ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const away = new ServerError({ code: "unreachable", message: "The server cannot be reached." });
    tellAway(away);
    throw away;
  }
}

async function errorOf(response) {
  const wait = Number.parseInt(response.headers.get("Retry-After"), 10);
  const body = await response.json().catch(() => null);
  // A proxy in between answers in its own words, or none.
  const error = body?.error ?? { code: "failed", message: `The server answered ${response.status}.` };
  return new ServerError(error, response.status, Number.isNaN(wait) ? null : wait);
}
