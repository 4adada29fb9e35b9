/** Give a frame the shape of a picture before the picture is there, so that nothing moves when it comes. */
export function shapeFrame(frame, width, height) {
  frame.style.setProperty("--ratio", width / height);
  frame.style.setProperty("--width", `${width}px`);
}
