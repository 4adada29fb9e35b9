import { element } from "./element.js";

const SHAPES = [[1, 1], [4, 3], [3, 4], [16, 9], [9, 16]];
const UNIT = 8; // px, of which a side is a multiple

const node = document.getElementById("aspects");
const inputs = [document.getElementById("width"), document.getElementById("height")];

/** Offer sizes of several shapes, all at about the area that was trained on, within the server's limits. */
export function offerAspects({ defaults, limits }) {
  const area = Math.min(defaults.width * defaults.height, limits.max_pixels);
  node.replaceChildren(...SHAPES.map((shape) => button(shape, area, limits)));
}

function button([w, h], area, { min_side, max_side }) {
  const sides = [w / h, h / w].map((ratio) => {
    const side = UNIT * Math.floor(Math.sqrt(area * ratio) / UNIT + 1e-6); // never up: the area is a limit, too
    return Math.min(Math.max(side, min_side), UNIT * Math.floor(max_side / UNIT));
  });
  const made = element("button", { type: "button", title: sides.join(" × ") }, `${w}:${h}`);
  made.addEventListener("click", () => {
    inputs.forEach((input, n) => {
      input.value = sides[n];
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
  });
  return made;
}
