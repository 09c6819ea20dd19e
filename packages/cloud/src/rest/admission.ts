import type { HttpResponse } from "@thingline/transport";

/** What the REST port takes, in all and from one. */
export interface RestLimits {
  /** A request's target, header names and header values together have less than this. */
  headBytesMax: number;
  /** A request's body that is kept in memory. */
  bodyBytesMax: number;
  /** Sum of the bodies in memory, of all requests in progress. */
  bodiesBytesMax: number;
  /** A body that its route streams to a file, one at a time. */
  uploadBytesMax: number;
  requestsMax: number;
  /** Of those, requests of one connection: a client may send more before it has the answer to the first. */
  requestsPerConnectionMax: number;
  /** Sum of the answers that their clients have not read yet. One alone may have more. */
  answersBytesMax: number;
  connectionsMax: number;
  /** Of those, connections on which no request was admitted and answered yet. */
  unverifiedConnectionsMax: number;
  /** From the connection, or from the first byte of a further request. */
  headersTimeoutMs: number;
  /** From the first byte of a request to the last of its body. */
  requestTimeoutMs: number;
  /** From the answer to its last byte. */
  answerTimeoutMs: number;
}

export const defaultRestLimits: RestLimits = {
  headBytesMax: 16 * 1024,
  bodyBytesMax: 1024 * 1024,
  bodiesBytesMax: 64 * 1024 * 1024,
  uploadBytesMax: 64 * 1024 * 1024,
  requestsMax: 512,
  requestsPerConnectionMax: 32,
  answersBytesMax: 64 * 1024 * 1024,
  connectionsMax: 1_000,
  unverifiedConnectionsMax: 128,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  answerTimeoutMs: 120_000,
};

/** Connections to the port of objects. */
export const objectConnectionsMax = 2_000;
/** A PUT of what a slow link has to send. */
export const objectRequestTimeoutMs = 600_000;

/** For the port where devices fetch objects: their links are slow, they are many, and a rollout brings them all at once. */
export const objectServerLimits: Partial<RestLimits> = {
  connectionsMax: objectConnectionsMax,
  unverifiedConnectionsMax: objectConnectionsMax / 2,
  requestsMax: objectConnectionsMax / 2,
  requestTimeoutMs: objectRequestTimeoutMs,
};

/** Of a snapshot that is taken back; a snapshot that has more is of no use. */
export const snapshotBytesMax = defaultRestLimits.uploadBytesMax;

/** A request before its body. */
export interface RequestHead {
  method: string;
  /** Absolute; the path as it was sent. */
  url: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
}

/** Who is at the other end of a connection. */
export interface RestPeer {
  /** DER of what the client proved to hold the key of. */
  certificate: Uint8Array | undefined;
  /** SNI. */
  serverName: string | undefined;
  sourceIp: string;
}

/** What a route takes besides an ordinary request. */
export interface RouteDemands {
  /** Its body may have up to `uploadBytesMax`, and goes through a file. */
  isUpload?: true;
  /** Only one such request at a time: it holds much. */
  isExclusive?: true;
  /** It is served piece by piece, in and out: its body is not kept, and may have up to this. */
  streamBytesMax?: number;
}

/** What is answered to a request that is served piece by piece: no faster than its client reads. */
export interface ServedResponse {
  status: number;
  /** Lower-case names. With `content-length` when the body comes in pieces. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | AsyncIterable<Uint8Array>;
}

export type Verdict = { refusal: HttpResponse } | RouteDemands;

/** A sum with a bound. */
export class Budget {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  take(amount: number): boolean {
    if (this.#taken + amount > this.#max) return false;
    this.#taken += amount;
    return true;
  }

  give(amount: number): void {
    this.#taken -= amount;
  }
}

/** What is refused before any API sees it; `name` is what AWS would call it. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly statusCode: number;
  readonly type: string;

  constructor(statusCode: number, type: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.type = type;
  }
}

export const tooLarge = (bytesMax: number) =>
  new HttpRefusal(413, "RequestEntityTooLargeException", `A request to this path has at most ${bytesMax} bytes`);

export const tooBusy = (what: string) =>
  new HttpRefusal(503, "ServiceUnavailableException", `The local cloud takes no more for now: ${what}. Try again`);

export interface HeldBody {
  bytes: Uint8Array;
  release(): void;
}

/**
 * Reads a body into one array that grows: kept chunk by chunk, a body that dribbles would cost hundreds of times its length.
 *
 * @throws {HttpRefusal} 413, 503; whatever the stream throws.
 */
export async function readBody(chunks: AsyncIterable<Uint8Array>, bytesMax: number, budget: Budget): Promise<HeldBody> {
  let room = new Uint8Array(0);
  let lengthBytes = 0;
  let isDone = false;
  try {
    for await (const chunk of chunks) {
      const needed = lengthBytes + chunk.length;
      if (needed > bytesMax) throw tooLarge(bytesMax);
      if (needed > room.length) {
        const larger = Math.max(needed, Math.min(bytesMax, room.length * 2));
        if (!budget.take(larger - room.length)) throw tooBusy("the requests in progress hold as much as they may");
        const grown = new Uint8Array(larger);
        grown.set(room.subarray(0, lengthBytes));
        room = grown;
      }
      room.set(chunk, lengthBytes);
      lengthBytes = needed;
    }
    isDone = true;
    const held = room.length;
    return { bytes: room.subarray(0, lengthBytes), release: () => budget.give(held) };
  } finally {
    if (!isDone) budget.give(room.length);
  }
}
