import { element } from "./element.js";

const node = document.getElementById("overview");

/**
 * Show several pictures, {url, seed}, side by side; `onChoice` hears of the number of the one that is chosen.
 *
 * A sweep has a `grid` {rows, columns} of words: its pictures fill it row by row.
 */
export function showOverview(pictures, grid, onChoice) {
  const words = pictures.map(({ seed }) => `seed ${seed}`);
  fillGrid(node, grid, words, (label, n, row) => chooser(pictures[n], [row, label], n, onChoice));
}

/** Fill a node with what `cellOf(label, n, row)` makes of each cell: those of a sweep's grid, else one for each of some words. */
export function fillGrid(node, grid, words, cellOf) {
  const { rows, columns } = grid ?? { rows: [""], columns: words };
  const across = grid ? columns.length : Math.min(words.length, 2);
  node.style.setProperty("--columns", across);
  node.style.setProperty("--rows", Math.ceil((rows.length * columns.length) / across));
  node.replaceChildren(
    ...rows.flatMap((row, y) => [
      ...(row ? [element("h3", {}, row)] : []),
      ...columns.map((label, x) => cellOf(label, y * columns.length + x, row)),
    ]),
  );
}

function chooser({ url }, words, n, onChoice) {
  const label = words.filter(Boolean).join(", ");
  const image = element("img", { src: url, alt: "" });
  const button = element("button", { type: "button", title: label, "aria-label": `Picture ${n + 1}: ${label}` }, image);
  button.append(element("small", {}, words[1]));
  button.addEventListener("click", () => onChoice(n));
  return button;
}
