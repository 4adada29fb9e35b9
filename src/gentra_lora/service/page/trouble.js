import { element } from "./element.js";

const timers = new WeakMap();

/** Show an error's sentence in a role=alert node, with a button to try again where there is a way to. */
export function showTrouble(node, error, retry = null) {
  hideTrouble(node);
  node.append(element("p", {}, error.message));
  if (retry) node.append(retryButton(node, error.retryAfter ?? 0, retry));
}

export function hideTrouble(node) {
  clearInterval(timers.get(node));
  node.replaceChildren();
}

/** The seconds are counted down inside the button: an alert that changes each second would be read out each time. */
function retryButton(node, seconds, retry) {
  const button = element("button", { type: "button", disabled: seconds > 0, "aria-live": "off" });
  const until = Date.now() + 1000 * seconds;
  const count = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    button.disabled = left > 0;
    if (left <= 0) clearInterval(timers.get(node));
  };
  if (seconds > 0) timers.set(node, setInterval(count, 250));
  count();
  button.addEventListener("click", () => {
    hideTrouble(node);
    retry();
  });
  return button;
}
