// A request as text that draws the same picture elsewhere. A key is named, never written out.
const KEY = "GENTRA_KEY";
const MASK_NEEDED = "# mask.png is needed as well: the page saves it, white may change.";

/** Return a curl call for a shell; `photo` is the name of the file that is redrawn, or null. */
export function curlOf({ values, photo, hasMask, url, file, hasKey }) {
  const parts = [`curl ${quoted(url)} --fail-with-body -o ${quoted(file)}`];
  if (hasKey) parts.push(`-H "Authorization: Bearer $${KEY}"`);
  if (photo) {
    parts.push(`-F ${quoted(`image=@"${photo.replace(/["\\]/g, "\\$&")}"`)}`);
    if (hasMask) parts.push("-F mask=@mask.png");
    for (const [name, value] of Object.entries(values)) parts.push(`--form-string ${quoted(`${name}=${value}`)}`);
  } else {
    parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(values))}`);
  }
  return (hasMask ? `${MASK_NEEDED}\n` : "") + parts.join(" \\\n  ");
}

/** Return a Python program that needs requests. */
export function pythonOf({ values, photo, hasMask, url, file, hasKey }) {
  const literal = JSON.stringify(values, null, 4).replace(/\n/g, "\n    "); // texts and numbers alone: Python, too
  const mask = hasMask ? ', "mask": open("mask.png", "rb")' : "";
  const body = photo
    ? [`files={"image": open(${JSON.stringify(photo)}, "rb")${mask}},`, `data=${literal},`]
    : [`json=${literal},`];
  if (hasKey) body.push(`headers={"Authorization": f"Bearer {os.environ['${KEY}']}"},`);
  return [
    ...(hasMask ? [MASK_NEEDED] : []),
    ...(hasKey ? ["import os", ""] : []),
    "import requests",
    "",
    "answer = requests.post(",
    ...[`${JSON.stringify(url)},`, ...body].map((line) => `    ${line}`),
    ")",
    "answer.raise_for_status()",
    `open(${JSON.stringify(file)}, "wb").write(answer.content)`,
    "",
  ].join("\n");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
