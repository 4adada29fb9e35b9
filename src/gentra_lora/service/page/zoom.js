const dialog = document.getElementById("zoom");
const picture = document.getElementById("zoom-picture");
const words = document.getElementById("zoom-words");

let pictures = [];
let at = 0;

/** Show a picture of several, {url, alt, words}, as large as the window; arrow keys show the others. */
export function zoom(shown, n) {
  pictures = shown;
  show(n);
  dialog.showModal();
}

function show(n) {
  at = (n + pictures.length) % pictures.length;
  picture.src = pictures[at].url;
  picture.alt = pictures[at].alt;
  words.textContent = pictures.length > 1 ? `${at + 1} of ${pictures.length}, ${pictures[at].words}` : "";
}

dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", ({ key }) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (step) show(at + step);
});
