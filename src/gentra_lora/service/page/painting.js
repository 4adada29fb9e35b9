import { element } from "./element.js";

const LONGEST = 1024; // px of the painting: more than a drawn picture has, and strokes stay quick on large photos
const COLOUR = "#e0348b"; // seen on skies, skins and cars alike
const SEEN = 8; // the least opacity of 255 that the server does not take for black

/** What is painted on a photo: opaque where it may change. Points are shares of the width and height, sizes of the longer side. */
export class Painting {
  changed = false; // since the file was made last
  #base = null;
  #acts = []; // functions that draw, in order
  #points = [];
  #brush = {};

  constructor({ width, height }) {
    this.photo = { width, height };
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    const [across, down] = [width, height].map((side) => Math.max(1, Math.round(scale * side)));
    this.canvas = element("canvas", { width: across, height: down });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Begin a stroke of a brush, {size, erase}, with a dot. */
  begin(point, brush) {
    const points = [point];
    this.#points = points;
    this.#brush = brush;
    this.#do(() => points.forEach((each, n) => this.#draw(points[n - 1] ?? each, each, brush)));
  }

  extend(point) {
    this.#draw(this.#points.at(-1), point, this.#brush);
    this.#points.push(point);
  }

  clear() {
    this.#do(() => this.context.clearRect(0, 0, this.canvas.width, this.canvas.height));
  }

  invert() {
    this.#do(() => this.#fill(this.context, "source-out", COLOUR));
  }

  undo() {
    if (!this.#acts.pop()) return;
    this.changed = true;
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.#base) this.context.putImageData(this.#base, 0, 0);
    this.#acts.forEach((act) => act());
  }

  /** Return which share of the photo may change; 0 where the server would see nothing. */
  share() {
    let [sum, most] = [0, 0];
    const { data } = this.#pixels();
    for (let at = 3; at < data.length; at += 4) {
      sum += data[at];
      most = Math.max(most, data[at]);
    }
    return most < SEEN ? 0 : sum / 255 / (data.length / 4);
  }

  /** Go on from the file of a mask. */
  async load(file) {
    const bitmap = await createImageBitmap(file);
    this.context.drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
    const pixels = this.#pixels();
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at]; // white becomes opaque
    this.context.putImageData(pixels, 0, 0);
    this.#fill(this.context, "source-in", COLOUR);
    this.#base = this.#pixels();
  }

  /** Return the mask as a file of the photo's size, white where it may change. */
  async toFile() {
    const canvas = element("canvas", this.photo);
    const context = canvas.getContext("2d");
    context.drawImage(this.canvas, 0, 0, canvas.width, canvas.height);
    this.#fill(context, "source-in", "#fff");
    this.#fill(context, "destination-over", "#000");
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("This browser cannot make a mask as large as the photo: choose a smaller one.");
    return new File([blob], "mask.png", { type: "image/png" });
  }

  #do(act) {
    act();
    this.#acts.push(act);
    this.changed = true;
  }

  #draw(from, to, { size, erase }) {
    const { context, canvas } = this;
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.strokeStyle = context.fillStyle = COLOUR;
    context.lineCap = "round";
    context.lineWidth = size * Math.max(canvas.width, canvas.height);
    const [start, end] = [from, to].map(({ x, y }) => [x * canvas.width, y * canvas.height]);
    context.beginPath();
    context.arc(...end, context.lineWidth / 2, 0, 2 * Math.PI);
    context.fill();
    context.beginPath();
    context.moveTo(...start);
    context.lineTo(...end);
    context.stroke();
    context.globalCompositeOperation = "source-over";
  }

  #fill(context, operation, colour) {
    context.globalCompositeOperation = operation;
    context.fillStyle = colour;
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    context.globalCompositeOperation = "source-over";
  }

  #pixels() {
    return this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }
}
