/** What the first bytes of a TLS connection are. `unknown` is for TLS itself to judge, which refuses it. */
export type ClientHello =
  | { type: "incomplete" }
  | { type: "unknown" }
  | { type: "tooLong" }
  | { type: "complete"; serverName: string | undefined };

/** A record's header and the longest plaintext: more than this is never looked at. */
export const clientHelloBytesMax = 5 + 16_384;

/**
 * Reads the server name out of a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), over however many records it is spread: who is asked for decides
 * by which rules TLS is spoken, and is not to be hidden. OpenSSL forgets the name that a client asked for when a TLS 1.2 session is resumed, so
 * it is taken from the wire.
 */
export function readClientHello(bytes: Uint8Array): ClientHello {
  const parts: Uint8Array[] = [];
  let knownBytes = 0;
  let neededBytes: number | undefined;
  for (let offset = 0; ;) {
    const contentType = bytes[offset];
    if (contentType !== undefined && contentType !== 22) return { type: "unknown" };
    if (offset >= clientHelloBytesMax) return { type: "tooLong" };
    if (bytes.length < offset + 5) return moreOrTooLong(bytes);
    const recordBytes = uint16(bytes, offset + 3);
    // RFC 8446 §5.1: there are no empty parts of a handshake message.
    if (recordBytes > 16_384 || recordBytes === 0) return { type: "unknown" };
    offset += 5 + recordBytes;
    if (bytes.length < offset) return moreOrTooLong(bytes);
    parts.push(bytes.subarray(offset - recordBytes, offset));
    knownBytes += recordBytes;
    if (parts[0]?.[0] !== 1) return { type: "unknown" };
    if (knownBytes < 4) continue;
    // Joined when it is whole: a peer could have each byte in a record of its own.
    neededBytes ??= neededOf(joined(parts, knownBytes));
    if (neededBytes > clientHelloBytesMax) return { type: "tooLong" };
    if (neededBytes > knownBytes) continue;
    return { type: "complete", serverName: serverNameOf(joined(parts, knownBytes).subarray(4, neededBytes)) };
  }
}

/** Of the whole message, its header included. */
const neededOf = (handshake: Uint8Array) => 4 + (((handshake[1] ?? 0) << 16) | uint16(handshake, 2));

const moreOrTooLong = (bytes: Uint8Array): ClientHello => ({
  type: bytes.length < clientHelloBytesMax ? "incomplete" : "tooLong",
});

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function serverNameOf(hello: Uint8Array): string | undefined {
  // Version and random, then session id, cipher suites and compression methods, each after its length.
  let offset = 34;
  offset += 1 + (hello[offset] ?? 0);
  offset += 2 + uint16(hello, offset);
  offset += 1 + (hello[offset] ?? 0);
  const end = Math.min(hello.length, offset + 2 + uint16(hello, offset));
  offset += 2;
  while (offset + 4 <= end) {
    const [extension, lengthBytes] = [uint16(hello, offset), uint16(hello, offset + 2)];
    offset += 4;
    if (offset + lengthBytes > end) return undefined;
    if (extension === 0) return hostNameOf(hello.subarray(offset, offset + lengthBytes));
    offset += lengthBytes;
  }
  return undefined;
}

/** A list with one host name in it: its length, type 0, the name's length, the name. */
function hostNameOf(extension: Uint8Array): string | undefined {
  const nameBytes = uint16(extension, 3);
  if (extension[2] !== 0 || nameBytes === 0 || 5 + nameBytes > extension.length) return undefined;
  const name = String.fromCharCode(...extension.subarray(5, 5 + nameBytes));
  return /^[\x21-\x7e]+$/.test(name) ? name : undefined;
}

function uint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}
