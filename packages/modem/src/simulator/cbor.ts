import { concatBytes } from "@thingline/protocol";

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
    return concatBytes([head(3, text.length), text]);
  }
  if (value instanceof Uint8Array) return concatBytes([head(2, value.length), value]);
  if ("tag" in value) return concatBytes([head(6, value.tag), encodeCbor(value.value)]);
  if ("pairs" in value) {
    const pairs = value.pairs.flatMap(([key, item]) => [encodeCbor(key), encodeCbor(item)]);
    return concatBytes([head(5, value.pairs.length), ...pairs]);
  }
  return concatBytes([head(4, value.length), ...value.map(encodeCbor)]);
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
