// A request as text that draws the same picture elsewhere. A key is named, never written out.
const KEY = "GENTRA_KEY";

/** Return a curl call for a shell; `photo` is the name of the file that is redrawn, or null. */
export function curlOf({ values, photo, url, file, hasKey }) {
  const parts = [`curl ${quoted(url)} --fail-with-body -o ${quoted(file)}`];
  if (hasKey) parts.push(`-H "Authorization: Bearer $${KEY}"`);
  if (photo) {
    parts.push(`-F ${quoted(`image=@"${photo.replace(/["\\]/g, "\\$&")}"`)}`);
    for (const [name, value] of Object.entries(values)) parts.push(`--form-string ${quoted(`${name}=${value}`)}`);
  } else {
    parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(values))}`);
  }
  return parts.join(" \\\n  ");
}

/** Return a Python program that needs requests. */
export function pythonOf({ values, photo, url, file, hasKey }) {
  const literal = JSON.stringify(values, null, 4).replace(/\n/g, "\n    "); // texts and numbers alone: Python, too
  const body = photo
    ? [`files={"image": open(${JSON.stringify(photo)}, "rb")},`, `data=${literal},`]
    : [`json=${literal},`];
  if (hasKey) body.push(`headers={"Authorization": f"Bearer {os.environ['${KEY}']}"},`);
  return [
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
