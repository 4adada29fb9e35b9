// The text chunks of a PNG: https://www.w3.org/TR/png-3/#11textinfo
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const MOST = 1_000_000; // characters of a text; more is none that a program wrote of a picture

const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder();

/** Return {keyword: text} of a file; {} where it is no PNG, has none, or is cut off. */
export async function textsOf(file) {
  const head = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  if (!SIGNATURE.every((byte, n) => head[n] === byte)) return {};
  const texts = {};
  for (const { type, data } of chunksOf(await file.arrayBuffer())) {
    const read = READERS[type];
    const [keyword, text] = read ? await read(data).catch(() => []) : []; // a chunk that is damaged says nothing
    if (keyword) texts[keyword] ??= text;
  }
  return texts;
}

function* chunksOf(buffer) {
  const view = new DataView(buffer);
  for (let at = 8; at + 12 <= buffer.byteLength; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > buffer.byteLength) return;
    yield { type: latin1.decode(new Uint8Array(buffer, at + 4, 4)), data: new Uint8Array(buffer, at + 8, length) };
    at += 12 + length;
  }
}

const READERS = {
  async tEXt(data) {
    const [keyword, text] = splitAtZero(data);
    return [latin1.decode(keyword), latin1.decode(text)];
  },
  async zTXt(data) {
    const [keyword, rest] = splitAtZero(data);
    return [latin1.decode(keyword), latin1.decode(await inflated(rest.subarray(1)))];
  },
  async iTXt(data) {
    const [keyword, rest] = splitAtZero(data);
    const [, translated] = splitAtZero(rest.subarray(2));
    const [, text] = splitAtZero(translated);
    return [latin1.decode(keyword), utf8.decode(rest[0] ? await inflated(text) : text)];
  },
};

function splitAtZero(data) {
  const at = data.indexOf(0);
  return at < 0 ? [data, data.subarray(data.length)] : [data.subarray(0, at), data.subarray(at + 1)];
}

async function inflated(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  const parts = [];
  let size = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(value);
    size += value.length;
    if (size > MOST) throw new RangeError("a text that is too long");
  }
}
