/** The CBOR that attestation needs (RFC 8949): unsigned and small negative integers, byte and text strings, arrays, maps, tags. */
export type CborValue =
  | number
  | string
  | null
  | Uint8Array
  | readonly CborValue[]
  | { tag: number; value: CborValue }
  | { pairs: readonly (readonly [key: number, value: CborValue])[] };

export function encodeCbor(value: CborValue): Uint8Array {
  if (value === null) return Uint8Array.of(0xf6);
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    return join(head(3, text.length), text);
  }
  if (value instanceof Uint8Array) return join(head(2, value.length), value);
  if ("tag" in value) return join(head(6, value.tag), encodeCbor(value.value));
  if ("pairs" in value) {
    const pairs = value.pairs.flatMap(([key, item]) => [encodeCbor(key), encodeCbor(item)]);
    return join(head(5, value.pairs.length), ...pairs);
  }
  return join(head(4, value.length), ...value.map(encodeCbor));
}

function head(major: number, argument: number): Uint8Array {
  const type = major << 5;
  if (argument < 24) return Uint8Array.of(type | argument);
  if (argument < 0x100) return Uint8Array.of(type | 24, argument);
  if (argument < 0x10000) return Uint8Array.of(type | 25, argument >> 8, argument & 0xff);
  const bytes = new Uint8Array(5);
  bytes[0] = type | 26;
  new DataView(bytes.buffer).setUint32(1, argument);
  return bytes;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
