import { element } from "./element.js";

const node = document.getElementById("overview");

/**
 * Show several pictures, {url, seed}, side by side; `onChoice` hears of the number of the one that is chosen.
 *
 * A sweep has a `grid` {rows, columns} of words: its pictures fill it row by row.
 */
export function showOverview(pictures, grid, onChoice) {
  const columns = grid?.columns ?? pictures.map(({ seed }) => `seed ${seed}`);
  const rows = grid?.rows ?? [""];
  const across = grid ? columns.length : Math.min(pictures.length, 2);
  node.style.setProperty("--columns", across);
  node.style.setProperty("--rows", Math.ceil(pictures.length / across));
  node.replaceChildren(
    ...rows.flatMap((row, y) => [
      ...(row ? [element("h3", {}, row)] : []),
      ...columns.map((column, x) => cell(pictures[y * columns.length + x], [row, column], y * columns.length + x, onChoice)),
    ]),
  );
}

function cell({ url }, words, n, onChoice) {
  const label = words.filter(Boolean).join(", ");
  const image = element("img", { src: url, alt: "" });
  const button = element("button", { type: "button", title: label, "aria-label": `Picture ${n + 1}: ${label}` }, image);
  button.append(element("small", {}, words[1]));
  button.addEventListener("click", () => onChoice(n));
  return button;
}
