/** Return a new element with properties or attributes set and children appended. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Return the term and the value of a row of a <dl>; hashes are cut, the whole value is then in the title. */
export function fact(title, value) {
  const words = String(value);
  const short = words.replace(/[0-9a-f]{32,64}/g, (hash) => hash.slice(0, 12));
  return [element("dt", {}, title), element("dd", short === words ? {} : { title: words, className: "hash" }, short)];
}
