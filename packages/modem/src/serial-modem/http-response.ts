/** What the head of an HTTP response says, as far as the application looks at it. */
export interface HttpResponseHead {
  status: number;
  /** Lower-case names; of several fields with one name the last. */
  fields: ReadonlyMap<string, string>;
  /** Undefined: chunked, or to the end of the connection. */
  contentLength: number | undefined;
  isChunked: boolean;
  /** The server ends the connection behind this response. */
  closes: boolean;
  /** Status line, fields and the empty line. */
  headBytes: number;
}

const headEnd = Uint8Array.from([0x0d, 0x0a, 0x0d, 0x0a]);

/** @returns how many bytes the head has, its empty line included; undefined: it has not ended yet */
export function headLength(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(0x0d); at >= 0; at = bytes.indexOf(0x0d, at + 1)) {
    if (at + headEnd.length > bytes.length) return undefined;
    if (headEnd.every((byte, index) => bytes[at + index] === byte)) return at + headEnd.length;
  }
  return undefined;
}

/** @param bytes that begin with a whole head. @returns undefined: it is no head of HTTP/1.x */
export function parseResponseHead(bytes: Uint8Array): HttpResponseHead | undefined {
  const headBytes = headLength(bytes);
  if (headBytes === undefined) return undefined;
  // Fields may hold any bytes; Latin-1 loses none of them.
  const text = Array.from(bytes.subarray(0, headBytes - headEnd.length), (byte) => String.fromCharCode(byte)).join("");
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/u.exec(first)?.[1];
  if (status === undefined) return undefined;
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) return undefined;
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const isChunked = /(?:^|,)\s*chunked\s*$/iu.test(fields.get("transfer-encoding") ?? "");
  const length = fields.get("content-length");
  if (length !== undefined && !/^\d{1,15}$/u.test(length)) return undefined;
  return {
    status: Number(status),
    fields,
    contentLength: isChunked || length === undefined ? undefined : Number(length),
    isChunked,
    closes: /(?:^|,)\s*close\s*(?:,|$)/iu.test(fields.get("connection") ?? ""),
    headBytes,
  };
}

/** Whether a response to this method with this status has a body at all (RFC 9110 6.4.1). */
export function hasBody(method: string, status: number): boolean {
  return method !== "HEAD" && status >= 200 && status !== 204 && status !== 304;
}

/** Finds the end of a body in chunks without taking it apart: the host gets the framing as it came. */
export class ChunkedBodyEnd {
  #state: "size" | "data" | "dataEnd" | "trailer" | "over" | "broken" = "size";
  #line = "";
  #leftBytes = 0;

  /** @returns how many of the bytes belong to the body; fewer than there are: it ended there. `broken`: they are no chunks */
  take(bytes: Uint8Array): { bytes: number; isOver: boolean } | "broken" {
    let at = 0;
    while (at < bytes.length && this.#state !== "over") {
      if (this.#state === "data") {
        const taken = Math.min(this.#leftBytes, bytes.length - at);
        at += taken;
        this.#leftBytes -= taken;
        if (this.#leftBytes === 0) this.#state = "dataEnd";
      } else {
        this.#character(String.fromCharCode(bytes[at] ?? 0));
        at++;
      }
      if (this.#state === "broken") return "broken";
    }
    return { bytes: at, isOver: this.#state === "over" };
  }

  #character(character: string): void {
    this.#line += character;
    if (this.#line.length > chunkLineBytesMax) {
      this.#state = "broken";
      return;
    }
    if (character !== "\n") return;
    const line = this.#line;
    this.#line = "";
    if (!line.endsWith("\r\n")) this.#state = "broken";
    else if (this.#state === "dataEnd") this.#state = line === "\r\n" ? "size" : "broken";
    else if (this.#state === "trailer") this.#state = line === "\r\n" ? "over" : "trailer";
    else this.#size(line);
  }

  #size(line: string): void {
    const size = /^([0-9a-f]{1,8})[ \t]*(?:;[^]*)?\r\n$/iu.exec(line)?.[1];
    if (size === undefined) this.#state = "broken";
    else {
      this.#leftBytes = Number.parseInt(size, 16);
      this.#state = this.#leftBytes === 0 ? "trailer" : "data";
    }
  }
}

/** Of a chunk's size with its extensions, and of a line of the trailer. */
export const chunkLineBytesMax = 256;
