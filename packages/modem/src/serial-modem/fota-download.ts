import { isThinglineError } from "@thingline/protocol";
import type { Clock, Connection } from "@thingline/transport";
import { FotaConnection, type FotaSilence } from "./fota-response.js";
import { headLength, parseResponseHead } from "./http-response.js";

/** What is asked for at once with TLS, so that it fits into a record with its head; and what is written at once of what comes without. */
export const fotaFragmentBytes = { tls: 1024, plain: 2048 } as const;
/** Longest head of a response. */
export const fotaHeadBytesMax = 2048;
/** New connections after one was lost, for each start of a download. */
export const fotaRetriesMax = 2;

/** Causes by the numbers of `#XFOTA: 1,1,<cause>`. */
export const fotaCauses = { downloadFailed: 1, imageRejected: 2, typeMismatch: 3 } as const;
export type FotaCause = keyof typeof fotaCauses;

export interface FotaDownloadOptions {
  clock: Clock;
  signal: AbortSignal;
  isSecure: boolean;
  /** As the URL has it, with its port. */
  host: string;
  /** With its query and without the slash before it. */
  path: string;
  /** What was downloaded before. */
  offset: number;
  dial(): Promise<Connection>;
  /** The next bytes of the image. @returns why it is refused, if it is */
  take(bytes: Uint8Array, at: { offset: number; sizeBytes: number }): Promise<FotaCause | undefined>;
}

export type FotaOutcome = { type: "finished" } | { type: "cancelled" } | { type: "failed"; cause: FotaCause };

/** A connection broke, and another one may do better. */
type Attempt = FotaOutcome | { type: "broken" };

/**
 * Downloads an image as the original does: by HTTP/1.1, over TLS in ranges of 1 KB, without redirects and chunks, and with two more
 * connections after lost ones.
 *
 * @see sdk-nrf, subsys/net/lib/download_client and fota_download
 */
export async function downloadImage(options: FotaDownloadOptions): Promise<FotaOutcome> {
  const progress = new Progress(options);
  for (let attempt = 0; attempt <= fotaRetriesMax; attempt++) {
    const outcome = await connectAndDownload(options, progress);
    if (outcome.type !== "broken") return outcome;
  }
  return failedBy("downloadFailed");
}

/** How far the image has come. */
class Progress {
  offset: number;
  sizeBytes: number | undefined;
  /** The server ends the connection behind each response. */
  closes = false;

  constructor({ offset }: FotaDownloadOptions) {
    this.offset = offset;
  }

  get isOver(): boolean {
    return this.sizeBytes !== undefined && this.offset >= this.sizeBytes;
  }
}

async function connectAndDownload(options: FotaDownloadOptions, progress: Progress): Promise<Attempt> {
  do {
    let connection: FotaConnection;
    try {
      connection = new FotaConnection(await options.dial(), options);
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      return options.signal.aborted ? { type: "cancelled" } : { type: "broken" };
    }
    try {
      const outcome = await downloadOver(connection, options, progress);
      if (outcome !== undefined) return outcome;
    } finally {
      await connection.close();
    }
  } while (!progress.isOver);
  return { type: "finished" };
}

/** @returns undefined: all of it is there, or the server ended the connection as it had said */
async function downloadOver(
  connection: FotaConnection,
  options: FotaDownloadOptions,
  progress: Progress,
): Promise<Attempt | undefined> {
  do {
    const before = progress.offset;
    connection.send(requestOf(options, progress));
    const bodyBytes = await readHead(connection, options, progress);
    if (typeof bodyBytes !== "number") return bodyBytes;
    const end = await readBody(connection, bodyBytes, options, progress);
    if (end !== undefined) return end;
    // A server that hands out nothing would be asked for ever.
    if (progress.offset === before && !progress.isOver) return failedBy("downloadFailed");
  } while (!progress.isOver && !progress.closes);
  return undefined;
}

function requestOf({ isSecure, host, path }: FotaDownloadOptions, { offset, sizeBytes = Infinity }: Progress): string {
  const last = Math.min(offset + fotaFragmentBytes.tls, sizeBytes) - 1;
  const whole = offset > 0 ? `Range: bytes=${offset}-\r\n` : "";
  const range = isSecure ? `Range: bytes=${offset}-${last}\r\n` : whole;
  return `GET /${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n${range}\r\n`;
}

/** @returns how many bytes of the image follow */
async function readHead(
  connection: FotaConnection,
  { isSecure }: FotaDownloadOptions,
  progress: Progress,
): Promise<number | Attempt> {
  let seenBytes = 0;
  for (;;) {
    const unread = await connection.peek(seenBytes);
    if (typeof unread === "string") return broken(unread);
    seenBytes = unread.length;
    const headBytes = headLength(unread);
    if ((headBytes ?? seenBytes) > fotaHeadBytesMax) return failedBy("downloadFailed");
    if (headBytes === undefined) continue;
    const head = parseResponseHead(unread);
    connection.take(headBytes);
    const wantsRange = isSecure || progress.offset > 0;
    if (head?.status !== (wantsRange ? 206 : 200) || head.contentLength === undefined)
      return failedBy("downloadFailed");
    const sizeBytes = wantsRange ? totalOf(head.fields.get("content-range"), progress.offset) : head.contentLength;
    // Neither may a file become another one while it is downloaded.
    if (sizeBytes === undefined || (progress.sizeBytes ?? sizeBytes) !== sizeBytes) return failedBy("downloadFailed");
    if (progress.offset + head.contentLength > sizeBytes) return failedBy("downloadFailed");
    progress.sizeBytes = sizeBytes;
    progress.closes = head.closes;
    return head.contentLength;
  }
}

/** `bytes 1024-2047/181124` */
function totalOf(field: string | undefined, offset: number): number | undefined {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/u.exec(field ?? "");
  return match !== null && Number(match[1]) === offset ? Number(match[2]) : undefined;
}

async function readBody(
  connection: FotaConnection,
  bodyBytes: number,
  options: FotaDownloadOptions,
  progress: Progress,
): Promise<Attempt | undefined> {
  const { isSecure, signal } = options;
  const fragmentBytes = isSecure ? fotaFragmentBytes.tls : fotaFragmentBytes.plain;
  let leftBytes = bodyBytes;
  while (leftBytes > 0) {
    const wantedBytes = Math.min(fragmentBytes, leftBytes);
    const unread = await connection.peek(wantedBytes - 1);
    if (typeof unread === "string") return broken(unread);
    const bytes = connection.take(wantedBytes);
    const cause = await options.take(bytes, { offset: progress.offset, sizeBytes: progress.sizeBytes ?? 0 });
    if (cause !== undefined) return signal.aborted ? { type: "cancelled" } : failedBy(cause);
    progress.offset += bytes.length;
    leftBytes -= bytes.length;
  }
  return undefined;
}

function broken(silence: FotaSilence): Attempt {
  return silence === "cancelled" ? { type: "cancelled" } : { type: "broken" };
}

function failedBy(cause: FotaCause): FotaOutcome {
  return { type: "failed", cause };
}
