import { crc32 } from "@thingline/protocol";

// As much of ZIP as an archive of SBOM files needs. Whatever else there is in it (encryption, ZIP64, several disks) is told, and not read.
// @see PKWARE, APPNOTE.TXT

/** A file of an archive, or why it cannot be read. */
export type ZipEntry =
  | { name: string; fault: string }
  | { name: string; fault?: undefined; isDeflated: boolean; content: Uint8Array; bytes: number; crc: number };

export type ZipFile = { entries: ZipEntry[] } | { fault: string };

const endBytes = 22;
const commentBytesMax = 0xffff;
const centralBytes = 46;
const localBytes = 30;
const signature = { end: 0x06054b50, central: 0x02014b50, local: 0x04034b50 } as const;
const stored = 0;
const deflated = 8;
const encryptedFlag = 1;

/** Reads the directory of an archive. Folders are left out. */
export function readZip(archive: Uint8Array, { entriesMax }: { entriesMax: number }): ZipFile {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = findEnd(view);
  if (end === undefined) return { fault: "it is no ZIP archive" };
  const count = view.getUint16(end + 10, true);
  const directory = view.getUint32(end + 16, true);
  if (count === 0xffff || directory === 0xffffffff) return { fault: "it is a ZIP64 archive, which is not read" };
  const entries: ZipEntry[] = [];
  let at = directory;
  for (let index = 0; index < count; index++) {
    if (at + centralBytes > end || view.getUint32(at, true) !== signature.central) {
      return { fault: "the directory of the archive is damaged" };
    }
    const nameBytes = view.getUint16(at + 28, true);
    const nextAt = at + centralBytes + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    const name = new TextDecoder().decode(archive.subarray(at + centralBytes, at + centralBytes + nameBytes));
    if (!name.endsWith("/")) {
      if (entries.length === entriesMax) return { fault: `it has more than ${entriesMax} files` };
      entries.push(readEntry(archive, view, at, name));
    }
    at = nextAt;
  }
  return { entries };
}

function findEnd(view: DataView): number | undefined {
  const first = Math.max(0, view.byteLength - endBytes - commentBytesMax);
  for (let at = view.byteLength - endBytes; at >= first; at--) {
    if (view.getUint32(at, true) === signature.end) return at;
  }
  return undefined;
}

function readEntry(archive: Uint8Array, view: DataView, at: number, name: string): ZipEntry {
  const method = view.getUint16(at + 10, true);
  const crc = view.getUint32(at + 16, true);
  const [packedBytes, bytes] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
  const local = view.getUint32(at + 42, true);
  if ((view.getUint16(at + 8, true) & encryptedFlag) !== 0) return { name, fault: "it is encrypted" };
  if (method !== stored && method !== deflated)
    return { name, fault: `it is packed by method ${method}, which is not read` };
  if (local + localBytes > archive.length || view.getUint32(local, true) !== signature.local) {
    return { name, fault: "its place in the archive is damaged" };
  }
  const start = local + localBytes + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packedBytes > archive.length) return { name, fault: "it is cut off" };
  return { name, isDeflated: method === deflated, content: archive.subarray(start, start + packedBytes), bytes, crc };
}

/** What a file has, or why not; `isTooLarge` for one that has more than allowed, however much it says itself. */
export async function unpack(
  { isDeflated, content, bytes, crc }: Exclude<ZipEntry, { fault: string }>,
  { bytesMax }: { bytesMax: number },
): Promise<{ text: Uint8Array } | { fault: string; isTooLarge?: true }> {
  const tooLarge = { fault: `it has more than ${bytesMax} bytes`, isTooLarge: true } as const;
  if (bytes > bytesMax) return tooLarge;
  let text: Uint8Array | undefined = content;
  if (isDeflated) {
    try {
      text = await inflate(content, bytesMax);
    } catch {
      return { fault: "it cannot be unpacked" };
    }
    if (text === undefined) return tooLarge;
  }
  if (text.length !== bytes || crc32(text) !== crc) return { fault: "it is damaged: length or checksum differ" };
  return { text };
}

/** By the platform's own streams. @returns undefined for what becomes larger than allowed */
async function inflate(packed: Uint8Array, bytesMax: number): Promise<Uint8Array | undefined> {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  // What is wrong with the content is told by the reader.
  const written = writer
    .write(packed.slice())
    .then(() => writer.close())
    .catch(() => undefined);
  const reader = stream.readable.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = (await reader.read()) as { done: boolean; value?: Uint8Array };
    if (done || value === undefined) break;
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel().catch(() => undefined);
      return undefined;
    }
    parts.push(value);
  }
  await written;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
