// A zip of files as they are: PNGs do not get smaller. APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16.
const CRCS = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit += 1) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});
const UTF8 = 0x0800; // the flag of a name's encoding
const OLDEST = 0x21; // 1 January 1980: the format's first date

/** Return the Blob of a zip of [{name, blob}]. */
export async function zipOf(files) {
  const parts = [];
  const entries = [];
  let at = 0;
  for (const { name, blob } of files) {
    const data = new Uint8Array(await blob.arrayBuffer());
    const named = new TextEncoder().encode(name);
    const about = [20, UTF8, 0, 0, OLDEST, [crcOf(data)], [data.length], [data.length], named.length, 0];
    const head = fields([0x04034b50], ...about);
    entries.push(fields([0x02014b50], 20, ...about, 0, 0, 0, [0], [at]), named);
    parts.push(head, named, data);
    at += head.length + named.length + data.length;
  }
  const size = entries.reduce((sum, { length }) => sum + length, 0);
  const end = fields([0x06054b50], 0, 0, files.length, files.length, [size], [at], 0);
  return new Blob([...parts, ...entries, end], { type: "application/zip" });
}

/** Return little-endian bytes: two of a number, four of a number in brackets. */
function fields(...numbers) {
  return Uint8Array.from(
    numbers.flatMap((n) => {
      const [value, bytes] = Array.isArray(n) ? [n[0], 4] : [n, 2];
      return Array.from({ length: bytes }, (_, place) => (value >>> (8 * place)) & 0xff);
    }),
  );
}

function crcOf(data) {
  let crc = 0xffffffff;
  for (const byte of data) crc = CRCS[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
