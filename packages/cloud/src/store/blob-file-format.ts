import { toHex } from "@thingline/protocol";
import { blobKeyPartBytesMax, type BlobFacts, type BlobKey } from "./blobs.js";

/**
 * A blob's file: a head of {@link blobHeadBytes}, then the content. The head has a word that tells the format, the length of the content
 * (8 bytes), its SHA-256 (32) and a checksum of these (4); it is written last, before the file gets its name.
 */
export const blobHeadBytes = 64;
const magic = "TLBLOB1\n";
const lengthAt = 8;
const digestAt = 16;
const checksumAt = 48;

export type Checksum = (bytes: Uint8Array) => number;

export function encodeBlobHead(bytes: number, sha256: Uint8Array, checksum: Checksum): Uint8Array {
  const head = new Uint8Array(blobHeadBytes);
  const view = new DataView(head.buffer);
  for (let at = 0; at < magic.length; at++) head[at] = magic.charCodeAt(at);
  view.setBigUint64(lengthAt, BigInt(bytes));
  head.set(sha256, digestAt);
  view.setUint32(checksumAt, checksum(head.subarray(0, checksumAt)));
  return head;
}

/** @returns what is wrong with it, in a few words */
export function decodeBlobHead(head: Uint8Array, fileBytes: number, checksum: Checksum): BlobFacts | string {
  if (head.length < blobHeadBytes) return `it has ${fileBytes} bytes, fewer than the head of a blob`;
  const view = new DataView(head.buffer, head.byteOffset, blobHeadBytes);
  const isBlob = Array.from(magic).every((character, at) => head[at] === character.charCodeAt(0));
  if (!isBlob) return "it does not begin as a blob does";
  if (view.getUint32(checksumAt) !== checksum(head.subarray(0, checksumAt)))
    return "its head does not have its checksum";
  const bytes = Number(view.getBigUint64(lengthAt));
  if (fileBytes !== blobHeadBytes + bytes) {
    return `it has ${fileBytes - blobHeadBytes} bytes of content, and its head says ${bytes}`;
  }
  const sha256 = toHex(head.subarray(digestAt, checksumAt));
  return { bytes, sha256 };
}

/**
 * A part of a blob's key as a name that every file system takes, and tells from all others even where it does not tell large letters from
 * small ones. It begins so that no part is `..`, a hidden file or a device of Windows.
 */
export function encodeBlobName(part: string): string {
  let name = "b-";
  for (const byte of new TextEncoder().encode(part)) {
    const character = String.fromCharCode(byte);
    name += /[a-z0-9-]/.test(character) ? character : `_${byte.toString(16).padStart(2, "0")}`;
  }
  return name;
}

/** @returns undefined for a name that is not ours */
export function decodeBlobName(name: string): string | undefined {
  const digits = /^b-((?:[a-z0-9-]|_[0-9a-f]{2})+)$/.exec(name)?.[1];
  if (digits === undefined) return undefined;
  const bytes = [...digits.matchAll(/_([0-9a-f]{2})|[a-z0-9-]/g)].map(([whole, hex]) =>
    hex === undefined ? whole.charCodeAt(0) : parseInt(hex, 16),
  );
  try {
    const part = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    return encodeBlobName(part) === name && bytes.length <= blobKeyPartBytesMax ? part : undefined;
  } catch {
    return undefined;
  }
}

/** Folders and file of a blob, below the folder of all. */
export const blobPath = (key: BlobKey): string => key.map(encodeBlobName).join("/");
