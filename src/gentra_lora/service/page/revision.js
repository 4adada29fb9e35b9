import { element, fact } from "./element.js";

const details = document.getElementById("revision");

/** Show which weights answer: their name, and on demand revision, hashes, base and what was measured of them. */
export function showRevision(model) {
  const { revision, file, base, base_matches, metrics, metrics_fault, device, precision, trigger_word, version } = model;
  const name = file.name.replace(/\.safetensors$/, "");
  details.querySelector("summary").textContent = [name, trigger_word && `“${trigger_word}”`].filter(Boolean).join(" · ");
  const rows = [
    ["Trigger word", trigger_word],
    ["Revision", revision.rev],
    ["Commit", revision.commit ?? "none"],
    ["Repository", revision.repo],
    ["Adapter sha256", file.sha256],
    ["Adapter md5", file.md5],
    ["Base", base_matches ? base : `${base}, not the one that the adapter was trained on`],
    ["Runs on", `${device}, ${precision}`],
    ["Service", version],
    ["Metrics", metrics_fault && `not of these weights: ${metrics_fault}`],
  ].filter(([, value]) => value);
  const sheet = [element("dl", { className: "facts" }, ...rows.flatMap(([title, value]) => fact(title, value)))];
  if (metrics && Object.keys(metrics).length) sheet.push(metricsOf(metrics));
  details.querySelector(".sheet").replaceChildren(...sheet);
  details.hidden = false;
}

function metricsOf(metrics) {
  const rows = numbersOf(metrics).flatMap(([name, value]) => fact(name, value));
  return element("details", {}, element("summary", {}, "Metrics"), element("dl", { className: "facts" }, ...rows));
}

function numbersOf(metrics, prefix = "") {
  return Object.entries(metrics).flatMap(([name, value]) =>
    value !== null && typeof value === "object" ? numbersOf(value, `${prefix}${name}.`) : [[prefix + name, value]],
  );
}

document.addEventListener("click", ({ target }) => {
  if (!details.contains(target)) details.open = false; // it lies over the page
});
