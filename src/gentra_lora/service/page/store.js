// The results of this browser in IndexedDB. A photo is kept once, however many results were drawn from it.

export const MOST = 24;

let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("gentra-lora", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("results", { keyPath: "id" });
      asked.result.createObjectStore("photos"); // the file under its photoKey
    };
    asked.onsuccess = () => {
      asked.result.onversionchange = () => asked.result.close(); // another tab has a newer page, or clears the site
      resolve(asked.result);
    };
    asked.onerror = () => reject(asked.error);
  });
  return opened;
}

/** Return what `work(results, photos)` asked for, after all of it is safely written. */
async function transaction(mode, work) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const made = database.transaction(["results", "photos"], mode);
    const asked = work(made.objectStore("results"), made.objectStore("photos"));
    made.oncomplete = () => resolve(asked?.result);
    made.onabort = () => reject(made.error); // a full disk ends here
  });
}

/** Return what tells photos apart without reading them: hashing needs https. */
export function photoKeyOf(file) {
  return `${file.name} ${file.size} ${file.lastModified}`;
}

export function savePhoto(file) {
  return transaction("readwrite", (_, photos) => photos.put(file, photoKeyOf(file)));
}

export async function loadPhoto(photoKey) {
  return (await transaction("readonly", (_, photos) => photos.get(photoKey))) ?? null;
}

/** Return the results, favourites and then the newest first: {id, at, values, images, thumb, photoKey, mask, warnings}. */
export async function listResults() {
  const found = await transaction("readonly", (results) => results.getAll());
  return found.sort((a, b) => Boolean(b.favourite) - Boolean(a.favourite) || b.at - a.at);
}

/** Return a result with its photo, or null. */
export async function loadResult(id) {
  const result = await transaction("readonly", (results) => results.get(id));
  if (!result) return null;
  return { ...result, photo: result.photoKey ? await loadPhoto(result.photoKey) : null };
}

/** Keep a result and its photo; the oldest ones over MOST go, but no favourite. */
export async function saveResult(result, photo = null) {
  await transaction("readwrite", (results, photos) => {
    results.put(result);
    if (photo) photos.put(photo, result.photoKey);
  });
  const old = (await listResults()).filter(({ favourite }) => !favourite).slice(MOST);
  for (const { id } of old) await deleteResult(id);
}

/** Delete a result, and its photo unless another result was drawn from it. */
export async function deleteResult(id) {
  const all = await listResults();
  const photoKey = all.find((result) => result.id === id)?.photoKey;
  await transaction("readwrite", (results) => results.delete(id));
  if (photoKey) await releasePhoto(photoKey);
}

export async function releasePhoto(photoKey) {
  const needed = (await listResults()).some((result) => result.photoKey === photoKey);
  if (!needed) await transaction("readwrite", (_, photos) => photos.delete(photoKey));
}

/** Delete all results but favourites. */
export async function clearResults() {
  const old = (await listResults()).filter(({ favourite }) => !favourite);
  for (const { id } of old) await deleteResult(id);
}
