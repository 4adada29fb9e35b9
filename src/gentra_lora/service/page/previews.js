import { element } from "./element.js";
import { shapeFrame } from "./frame.js";
import { fillGrid } from "./overview.js";

const single = document.getElementById("preview");
const grid = document.getElementById("previews");

// An image without a source has no size, and the rows would jump.
const BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

let images = []; // one for each picture
let photoUrl = "";

/**
 * Make room for the previews of a job's pictures, laid out as they will be, or for the first alone where they must be small.
 * Until there is one, the photo stands there, if any.
 */
export function startPreviews({ photo, size, request, grid: sweep }, small) {
  const cells = sweep ? sweep.rows.length * sweep.columns.length : Number(request.num_images ?? 1);
  const side = cells > 1 && !small;
  grid.hidden = !side;
  single.parentElement.hidden = side;
  shapeFrame(single.parentElement, size.width, size.height);
  images = side ? Array.from({ length: cells }, () => element("img", { alt: "" })) : [single];
  if (side) {
    const words = images.map((_, n) => (request.seed === undefined ? `picture ${n + 1}` : `seed ${Number(request.seed) + n}`));
    fillGrid(grid, sweep, words, (label, n) => element("figure", {}, images[n], element("small", {}, label)));
  }
  showPhoto(photo);
}

/** Show those previews, data: addresses, that are there. */
export function showPreviews(previews) {
  previews.forEach((url, n) => {
    if (!url || !images[n]) return;
    images[n].src = url;
    images[n].classList.remove("waiting");
  });
}

function showPhoto(photo) {
  URL.revokeObjectURL(photoUrl);
  photoUrl = photo ? URL.createObjectURL(photo) : "";
  for (const image of images) {
    image.onerror = () => (image.src = BLANK); // a photo in a format that the browser cannot show
    image.src = photoUrl || BLANK;
    image.classList.toggle("waiting", Boolean(photo));
  }
}
