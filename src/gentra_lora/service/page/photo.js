const input = document.getElementById("photo-file");
const drop = document.getElementById("photo-drop");
const chosen = document.getElementById("photo-chosen");
const picture = document.getElementById("photo-picture");
const words = document.getElementById("photo-words");
const error = document.getElementById("image-error");
const settings = document.getElementById("settings");

let photo = null; // {file, url, width, height}; url is null where the browser cannot show the format
let limits = null;
let tell = { change: () => {}, drop: async () => false }; // see `onPhoto`

export function currentPhoto() {
  return photo;
}

export function setPhotoLimits(newLimits) {
  limits = newLimits;
}

/** Hear of the photo at each `change`; `drop(file)` looks first at what is dropped, and resolves to whether it took the file. */
export function onPhoto(listeners) {
  tell = listeners;
}

/** Take a file as the photo, or say beside it why not; the one before then stays. */
export async function choosePhoto(file) {
  error.textContent = refusalOfFile(file);
  if (error.textContent) return;
  const measured = await measure(file);
  error.textContent = refusalOfPicture(measured);
  if (error.textContent) {
    if (measured.url) URL.revokeObjectURL(measured.url);
    return;
  }
  replace(measured);
}

export function removePhoto() {
  error.textContent = "";
  replace(null);
}

function replace(newPhoto) {
  if (photo?.url) URL.revokeObjectURL(photo.url);
  photo = newPhoto;
  input.value = "";
  drop.hidden = Boolean(photo);
  chosen.hidden = !photo;
  if (photo) showChosen();
  tell.change(photo);
}

function showChosen() {
  picture.hidden = !photo.url;
  if (photo.url) picture.src = photo.url;
  const size = photo.url ? `${photo.width} × ${photo.height} px` : "this browser cannot show it, the server can read it";
  words.textContent = `${photo.file.name}, ${size}`;
}

function refusalOfFile(file) {
  if (!isPicture(file)) return `${file.name} is not a photo; JPEG, PNG, WebP, HEIC, TIFF and AVIF files are.`;
  if (limits && file.size > limits.max_upload_bytes) {
    return `${file.name} has ${mebibytes(file.size)}; the server takes at most ${mebibytes(limits.max_upload_bytes)}.`;
  }
  return "";
}

function refusalOfPicture({ file, url, width, height }) {
  if (!url) return isForServer(file) ? "" : `${file.name} cannot be read as a picture.`;
  if (limits && width * height > limits.max_photo_pixels) {
    const [has, most] = [width * height, limits.max_photo_pixels].map((n) => (n / 1e6).toFixed(1));
    return `${file.name} has ${has} megapixels; the server takes at most ${most}.`;
  }
  return "";
}

function isPicture(file) {
  return isForServer(file) || (file.type.startsWith("image/") && file.type !== "image/svg+xml");
}

/** Whether the server reads a file's format and some browsers do not; Windows knows no type for HEIC. */
function isForServer(file) {
  return /^image\/(hei[cf]|tiff|avif)/.test(file.type) || /\.(hei[cf]|hif|tiff?|avif)$/i.test(file.name);
}

function mebibytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

async function measure(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return { file, url, width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    URL.revokeObjectURL(url);
    return { file, url: null };
  }
}

function pictureIn(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find(isPicture) ?? files[0];
}

input.addEventListener("change", () => input.files[0] && choosePhoto(input.files[0]));
drop.addEventListener("click", () => input.click());
document.getElementById("photo-replace").addEventListener("click", () => input.click());
document.getElementById("photo-remove").addEventListener("click", () => {
  removePhoto();
  drop.focus();
});

document.addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData);
  if (!file || event.clipboardData.types.includes("text/plain")) return; // text is for the field that has the focus
  event.preventDefault();
  choosePhoto(file);
});

// The whole page takes a drop: beside the field, the browser would leave the page for the file.
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  settings.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) settings.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  settings.classList.remove("dragging");
  const file = pictureIn(event.dataTransfer);
  if (!file) return;
  event.preventDefault();
  tell.drop(file)
    .catch(() => false)
    .then((taken) => taken || choosePhoto(file));
});
