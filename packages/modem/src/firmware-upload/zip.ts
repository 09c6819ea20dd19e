import { crc32, ThinglineError } from "@thingline/protocol";

/** Files of an archive; a package of modem firmware has about ten. */
export const archiveFilesMax = 256;
/** Of one file, expanded. */
export const archiveFileBytesMax = 33_554_432;
/** Of all that are read, expanded. */
export const archiveBytesMax = 67_108_864;

/** Expands DEFLATE (RFC 1951). Throws when it is none, or when more than `bytesMax` come out. */
export type Inflate = (bytes: Uint8Array, bytesMax: number) => Uint8Array;

export interface ArchiveFile {
  /** With its folders, as it stands in the archive. */
  readonly name: string;
  readonly sizeBytes: number;
  /** @throws {ThinglineError} FIRMWARE_PACKAGE_INVALID when it is damaged. */
  read(): Uint8Array;
}

interface Entry {
  name: string;
  method: number;
  crc: number;
  packedBytes: number;
  sizeBytes: number;
  localOffset: number;
}

/** What file systems take. */
const nameCharactersMax = 255;
const endSignature = 0x06054b50;
const centralSignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const centralBytes = 46;
const localBytes = 30;
const commentBytesMax = 65_535;
const stored = 0;
const deflated = 8;
const encryptedFlag = 1;

/**
 * The files of a zip archive in memory, by its central directory. Nothing of it is believed that can be checked: offsets, sizes, sums. Not ZIP64,
 * not several volumes, not encrypted: packages of modem firmware are none of them.
 *
 * @throws {ThinglineError} FIRMWARE_PACKAGE_INVALID
 */
export function readArchive(bytes: Uint8Array, inflate: Inflate): ArchiveFile[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = readDirectory(bytes, view);
  let readBytes = 0;
  return entries.map((entry) => ({
    name: entry.name,
    sizeBytes: entry.sizeBytes,
    read() {
      readBytes += entry.sizeBytes;
      if (readBytes > archiveBytesMax) throw invalid(`its files have more than ${archiveBytesMax} bytes`);
      return readEntry(bytes, view, { entry, inflate });
    },
  }));
}

function readDirectory(bytes: Uint8Array, view: DataView): Entry[] {
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  const isWhole = view.getUint16(end + 4, true) === 0 && view.getUint16(end + 8, true) === count;
  if (!isWhole) throw invalid("it is a part of an archive in several volumes");
  if (count > archiveFilesMax) throw invalid(`it has ${count} files, more than ${archiveFilesMax}`);
  const entries: Entry[] = [];
  let offset = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index++) {
    if (offset + centralBytes > end || view.getUint32(offset, true) !== centralSignature) {
      throw invalid("its directory is damaged");
    }
    const [nameBytes, extraBytes, noteBytes] = [28, 30, 32].map((at) => view.getUint16(offset + at, true)) as [
      number,
      number,
      number,
    ];
    const next = offset + centralBytes + nameBytes + extraBytes + noteBytes;
    if (next > end) throw invalid("its directory is damaged");
    const name = new TextDecoder().decode(bytes.subarray(offset + centralBytes, offset + centralBytes + nameBytes));
    if (leadsOut(name))
      throw invalid(`the name of its file ${index + 1} leads out of the folder that it is unpacked to`);
    if ((view.getUint16(offset + 8, true) & encryptedFlag) !== 0) throw invalid(`${name} is encrypted`);
    entries.push({
      name,
      method: view.getUint16(offset + 10, true),
      crc: view.getUint32(offset + 16, true),
      packedBytes: view.getUint32(offset + 20, true),
      sizeBytes: view.getUint32(offset + 24, true),
      localOffset: view.getUint32(offset + 42, true),
    });
    offset = next;
  }
  const names = new Set(entries.map(({ name }) => name));
  if (names.size < entries.length) throw invalid("two of its files have one name");
  return entries.filter(({ name }) => !name.endsWith("/"));
}

/** Nothing is unpacked here, but the same file goes to a programmer that does. */
const leadsOut = (name: string): boolean =>
  /^(?:[A-Za-z]:|[/\\])|(?:^|[/\\])\.\.(?:[/\\]|$)|\p{Cc}/u.test(name) || name.length > nameCharactersMax;

/** The end of the directory stands last, with a comment behind it at most. */
function findEnd(view: DataView): number {
  const last = view.byteLength - endBytes;
  for (let offset = last; offset >= Math.max(0, last - commentBytesMax); offset--) {
    if (view.getUint32(offset, true) !== endSignature) continue;
    if (offset + endBytes + view.getUint16(offset + 20, true) === view.byteLength) return offset;
  }
  throw invalid("it is no zip archive, or its end is missing");
}

function readEntry(
  bytes: Uint8Array,
  view: DataView,
  { entry, inflate }: { entry: Entry; inflate: Inflate },
): Uint8Array {
  const { name, method, localOffset, packedBytes, sizeBytes, crc } = entry;
  if (sizeBytes > archiveFileBytesMax)
    throw invalid(`${name} has ${sizeBytes} bytes, more than ${archiveFileBytesMax}`);
  if (localOffset + localBytes > bytes.length || view.getUint32(localOffset, true) !== localSignature) {
    throw invalid(`${name} is not where the directory says`);
  }
  const start =
    localOffset + localBytes + view.getUint16(localOffset + 26, true) + view.getUint16(localOffset + 28, true);
  if (start + packedBytes > bytes.length) throw invalid(`${name} is cut off`);
  const packed = bytes.subarray(start, start + packedBytes);
  const content = method === stored ? packed : method === deflated ? expand(packed, entry, inflate) : undefined;
  if (content === undefined) throw invalid(`${name} is packed in a way (${method}) that is not read here`);
  if (content.length !== sizeBytes || crc32(content) !== crc) throw invalid(`${name} is damaged`);
  return content;
}

function expand(packed: Uint8Array, { name, sizeBytes }: Entry, inflate: Inflate): Uint8Array {
  try {
    return inflate(packed, sizeBytes);
  } catch (error) {
    throw invalid(`${name} is damaged`, error);
  }
}

function invalid(why: string, cause?: unknown): ThinglineError {
  return new ThinglineError("FIRMWARE_PACKAGE_INVALID", `this is no usable package: ${why}`, { cause });
}
