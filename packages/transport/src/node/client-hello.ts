/** What the first bytes of a TLS connection are. `unknown` is for TLS itself to judge. */
export type ClientHello =
  | { type: "incomplete" }
  | { type: "unknown" }
  | { type: "complete"; serverName: string | undefined };

/** A record's header and the longest plaintext: more than this is never looked at. */
export const clientHelloBytesMax = 5 + 16_384;

/**
 * Reads the server name out of a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3). OpenSSL forgets the name that a client
 * asked for when a TLS 1.2 session is resumed, so it is taken from the wire. A hello that is spread over several records
 * is `unknown`.
 */
export function readClientHello(bytes: Uint8Array): ClientHello {
  const contentType = bytes[0];
  if (contentType !== undefined && contentType !== 22) return { type: "unknown" };
  if (bytes.length < 5) return { type: "incomplete" };
  const recordBytes = uint16(bytes, 3);
  if (recordBytes > 16_384) return { type: "unknown" };
  if (bytes.length < 5 + recordBytes) return { type: "incomplete" };
  const record = bytes.subarray(5, 5 + recordBytes);
  const helloBytes = ((record[1] ?? 0) << 16) | uint16(record, 2);
  if (record[0] !== 1 || 4 + helloBytes > record.length) return { type: "unknown" };
  return { type: "complete", serverName: serverNameOf(record.subarray(4, 4 + helloBytes)) };
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
