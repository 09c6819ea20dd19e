import { ThinglineError } from "../errors.js";

export const derTags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
} as const;

export const derBytesMax = 64 * 1024;

/** One element. Views of the bytes that were given, not copies. */
export interface DerElement {
  /** Class, constructed bit and number in one byte; larger numbers are refused. */
  tag: number;
  content: Uint8Array;
  /** Tag and length included. */
  whole: Uint8Array;
}

/** Reads the elements of one level in order. What is not DER throws a `DerError`. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    if (bytes.length > derBytesMax) throw new DerError(`it has ${bytes.length} bytes, more than ${derBytesMax}`);
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** The tag of the next element, or undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** @param tag what the element must be; left out: anything. */
  read(tag?: number): DerElement {
    const start = this.#offset;
    const found = this.#byte();
    if (tag !== undefined && found !== tag) throw new DerError(`expected ${hex(tag)}, got ${hex(found)}`);
    if ((found & 0x1f) === 0x1f) throw new DerError("a tag number above 30");
    const length = this.#length();
    if (length > this.#bytes.length - this.#offset) throw new DerError("an element is longer than what holds it");
    const content = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return { tag: found, content, whole: this.#bytes.subarray(start, this.#offset) };
  }

  /** A reader for what is inside of the next element. */
  enter(tag: number = derTags.sequence): DerReader {
    return new DerReader(this.read(tag).content);
  }

  end(): void {
    if (!this.isAtEnd) throw new DerError("there are bytes after the last element");
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0) throw new DerError("an indefinite length");
    if (count > 3) throw new DerError("a length of more than three bytes");
    let length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError("a length that is not in its shortest form");
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw new DerError("it ends within an element");
    this.#offset++;
    return byte;
  }
}

/** Never leaves this folder: callers turn it into the code of what they read. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** The elements of one level, or undefined when the bytes are not DER: for callers that have nothing to say about it. */
export function derElements(bytes: Uint8Array): DerElement[] | undefined {
  return unlessNotDer(() => {
    const elements: DerElement[] = [];
    for (const reader = new DerReader(bytes); !reader.isAtEnd;) elements.push(reader.read());
    return elements;
  });
}

/** The element that the bytes begin with, whatever follows it; undefined when there is none. */
export function firstDerElement(bytes: Uint8Array): DerElement | undefined {
  return unlessNotDer(() => new DerReader(bytes).read());
}

function unlessNotDer<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

/** Runs a reader of DER and turns what is wrong into a {@link ThinglineError} of `code`. */
export function readDer<Result>(code: "CERTIFICATE_INVALID" | "KEY_INVALID", what: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof DerError) throw new ThinglineError(code, `${what} is not valid DER: ${error.message}`);
    throw error;
  }
}

export function decodeObjectIdentifier(content: Uint8Array): string {
  const arcs: number[] = [];
  let value = 0;
  for (const [index, byte] of content.entries()) {
    if (value === 0 && byte === 0x80) throw new DerError("an object identifier that is not in its shortest form");
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerError("an object identifier that is too large");
    if (byte & 0x80) {
      if (index === content.length - 1) throw new DerError("an object identifier that ends too early");
      continue;
    }
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(value / 40));
      arcs.push(root, value - root * 40);
    } else {
      arcs.push(value);
    }
    value = 0;
  }
  if (arcs.length === 0) throw new DerError("an empty object identifier");
  return arcs.join(".");
}

function hex(tag: number): string {
  return `tag 0x${tag.toString(16).padStart(2, "0")}`;
}
