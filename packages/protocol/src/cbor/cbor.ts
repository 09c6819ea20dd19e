// As much of CBOR (RFC 8949) as AWS IoT and an nRF91 use: integers, byte and text strings, arrays, maps with text keys, booleans and null.
// What is written may have maps with numbers for keys, and tags. Floating-point numbers are read and written where they are asked for.

export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | { readonly [member: string]: CborValue | undefined }
  | CborMap;
/** What can be written, and is never read: tags, numbers as keys, and integers of 64 bits. */
export type CborWritable =
  | CborValue
  | bigint
  | CborTag
  | readonly CborWritable[]
  | ReadonlyMap<number | string, CborWritable>;
/** As it is decoded: no member can be taken for one of an object's own. */
export type CborMap = ReadonlyMap<string, CborValue>;

/** Arrays and maps within each other. */
export const cborDepthMax = 8;
/** Of an array, or members of a map. */
export const cborItemsMax = 1_024;

/** A value with its tag in front, of a COSE structure for example. */
export class CborTag {
  readonly tag: number;
  readonly value: CborWritable;
  constructor(tag: number, value: CborWritable) {
    this.tag = tag;
    this.value = value;
  }
}

export interface DecodeCborOptions {
  /** Floating-point numbers are read, unless they are infinite or not a number. Default false: one of them spoils the whole. */
  hasFloats?: boolean;
}

const breakByte = 0xff;
const indefinite = 31;
const encoder = new TextEncoder();

/**
 * @param value members that are undefined are left out; a number that is not a safe integer is written with floating point, in 64 bits
 * @param options with `isIndefinite` the outermost map comes without its length, as AWS writes it
 */
export function encodeCbor(value: CborWritable, options: { isIndefinite?: boolean } = {}): Uint8Array {
  const writer = new Writer();
  if (options.isIndefinite === true && isMembers(value)) {
    writer.byte(0xbf);
    writeMembers(writer, membersOf(value));
    writer.byte(breakByte);
  } else writeValue(writer, value);
  return writer.end();
}

/**
 * The one value that the bytes are. Byte strings are views of the bytes.
 *
 * @returns undefined for what is not well formed, has something behind it, or is none of the kinds above: a tag, a floating-point number, an
 * integer that is not safe, a key that is no text or comes twice, too much within each other.
 */
export function decodeCbor(bytes: Uint8Array, { hasFloats = false }: DecodeCborOptions = {}): CborValue | undefined {
  const reader = new Reader(bytes, hasFloats);
  try {
    const value = reader.value(0);
    return reader.isAtEnd ? value : undefined;
  } catch (error) {
    if (error === malformed) return undefined;
    throw error;
  }
}

type Members =
  | { readonly [member: string]: CborValue | undefined }
  | CborMap
  | ReadonlyMap<number | string, CborWritable>;
type Member = [key: string | number, value: CborWritable];

const isMembers = (value: CborWritable): value is Members =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !(value instanceof CborTag);

function membersOf(value: Members): Member[] {
  const isMap = value instanceof Map;
  const all: Iterable<[string | number, CborWritable | undefined]> = isMap
    ? (value as ReadonlyMap<string | number, CborWritable>)
    : Object.entries(value);
  return [...all].filter((member): member is Member => member[1] !== undefined);
}

function writeValue(writer: Writer, value: CborWritable): void {
  if (typeof value === "number") return writer.number(value);
  if (typeof value === "bigint") return writer.bigint(value);
  if (typeof value === "string") {
    const text = encoder.encode(value);
    writer.head(3, text.length);
    return writer.bytes(text);
  }
  if (value instanceof Uint8Array) {
    writer.head(2, value.length);
    return writer.bytes(value);
  }
  if (value === null) return writer.byte(0xf6);
  if (typeof value === "boolean") return writer.byte(value ? 0xf5 : 0xf4);
  if (Array.isArray(value)) {
    const items = value as readonly CborWritable[];
    writer.head(4, items.length);
    for (const item of items) writeValue(writer, item);
    return;
  }
  if (value instanceof CborTag) {
    writer.head(6, value.tag);
    return writeValue(writer, value.value);
  }
  const members = membersOf(value as Members);
  writer.head(5, members.length);
  writeMembers(writer, members);
}

function writeMembers(writer: Writer, members: Iterable<Member>): void {
  for (const [key, member] of members) {
    writeValue(writer, key);
    writeValue(writer, member);
  }
}

/** Grows by doubling; long byte strings are copied once. */
class Writer {
  #room = new Uint8Array(64);
  #length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#room[this.#length++] = value;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#room.set(value, this.#length);
    this.#length += value.length;
  }

  number(value: number): void {
    if (Number.isSafeInteger(value)) return this.head(value < 0 ? 1 : 0, value < 0 ? -1 - value : value);
    const float = new Uint8Array(8);
    new DataView(float.buffer).setFloat64(0, value);
    this.byte(0xfb);
    this.bytes(float);
  }

  /** Of 64 bits at most. */
  bigint(value: bigint): void {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return this.number(number);
    const argument = new Uint8Array(8);
    new DataView(argument.buffer).setBigUint64(0, value < 0n ? -1n - value : value);
    this.byte(value < 0n ? 0x3b : 0x1b);
    this.bytes(argument);
  }

  /** In the shortest form. */
  head(major: number, argument: number): void {
    const type = major << 5;
    if (argument < 24) return this.byte(type | argument);
    const size = argument < 0x100 ? 0 : argument < 0x1_0000 ? 1 : argument < 0x1_0000_0000 ? 2 : 3;
    this.byte(type | (24 + size));
    for (let shift = (1 << size) - 1; shift >= 0; shift--) this.byte(Math.floor(argument / 256 ** shift) % 256);
  }

  end(): Uint8Array {
    return this.#room.slice(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#room.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#room.length * 2));
    grown.set(this.#room.subarray(0, this.#length));
    this.#room = grown;
  }
}

const malformed = new Error("not of the subset of CBOR");

class Reader {
  readonly #bytes: Uint8Array;
  readonly #hasFloats: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, hasFloats: boolean) {
    this.#bytes = bytes;
    this.#hasFloats = hasFloats;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): CborValue {
    const first = this.#byte();
    const major = first >> 5;
    const low = first & 31;
    if (major === 7) return low >= 25 && low <= 27 && this.#hasFloats ? this.#float(low) : simpleValue(low);
    if (low === indefinite) return this.#indefinite(major, depth);
    const argument = this.#argument(low);
    if (major === 0) return argument;
    if (major === 1) return requireSafe(-1 - argument);
    if (major === 2) return this.#take(argument);
    if (major === 3) return decodeText(this.#take(argument));
    return this.#container(major, depth, argument);
  }

  #container(major: number, depth: number, count: number | undefined): CborValue {
    if (depth >= cborDepthMax || (count ?? 0) > cborItemsMax) throw malformed;
    if (major === 4) {
      const items: CborValue[] = [];
      while (this.#hasMore(items.length, count)) items.push(this.value(depth + 1));
      return items;
    }
    if (major !== 5) throw malformed;
    const members = new Map<string, CborValue>();
    while (this.#hasMore(members.size, count)) {
      const name = this.value(depth + 1);
      if (typeof name !== "string" || members.has(name)) throw malformed;
      members.set(name, this.value(depth + 1));
    }
    return members;
  }

  /** @param count undefined: until a break */
  #hasMore(soFar: number, count: number | undefined): boolean {
    if (count !== undefined) return soFar < count;
    if (this.#bytes[this.#at] === breakByte) {
      this.#at++;
      return false;
    }
    if (soFar >= cborItemsMax) throw malformed;
    return true;
  }

  #indefinite(major: number, depth: number): CborValue {
    if (major === 4 || major === 5) return this.#container(major, depth, undefined);
    if (major !== 2 && major !== 3) throw malformed;
    const parts: Uint8Array[] = [];
    let length = 0;
    while (this.#hasMore(parts.length, undefined)) {
      const first = this.#byte();
      if (first >> 5 !== major || (first & 31) === indefinite) throw malformed;
      const part = this.#take(this.#argument(first & 31));
      // Each chunk of a text is whole characters.
      if (major === 3) decodeText(part);
      parts.push(part);
      length += part.length;
    }
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return major === 2 ? whole : decodeText(whole);
  }

  #float(low: number): number {
    const taken = this.#take(1 << (low - 24));
    const view = new DataView(taken.buffer, taken.byteOffset, taken.length);
    const value = low === 25 ? halfFloat(view.getUint16(0)) : low === 26 ? view.getFloat32(0) : view.getFloat64(0);
    if (!Number.isFinite(value)) throw malformed;
    return value;
  }

  #argument(low: number): number {
    if (low < 24) return low;
    if (low > 27) throw malformed;
    let value = 0;
    for (let left = 1 << (low - 24); left > 0; left--) value = value * 256 + this.#byte();
    return requireSafe(value);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw malformed;
    return byte;
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed;
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function simpleValue(low: number): CborValue {
  if (low === 20 || low === 21) return low === 21;
  if (low === 22) return null;
  throw malformed;
}

/** RFC 8949, appendix D. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return Number.NaN;
  return sign * (mantissa + 1_024) * 2 ** (exponent - 25);
}

function requireSafe(value: number): number {
  if (!Number.isSafeInteger(value)) throw malformed;
  return value;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed;
  }
}
