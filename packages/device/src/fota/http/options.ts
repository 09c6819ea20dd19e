import {
  checkOptionTypes,
  isThinglineError,
  optionInvalid,
  type OptionTypes,
  ThinglineError,
} from "@thingline/protocol";
import type { Pem } from "@thingline/protocol/x509";
import {
  type Clock,
  clockOption,
  type Connection,
  type Dialer,
  dialerOption,
  type DialTarget,
  type SecTagDialer,
  secTagDialerOption,
  type TlsClientOptions,
  tlsClientOptionTypes,
} from "@thingline/transport";
import { TlsSessionCache } from "../../connection/tls-sessions.js";
import type { HttpConnection } from "./http-connection.js";
import { type HttpUrl, originOf } from "./url.js";

/** TLS of the application's own: as for MQTT, without what belongs to one host or one connection. */
export type DownloadTls = Omit<TlsClientOptions, "serverName" | "alpnProtocols" | "session" | "onSession">;

export interface HttpDownloaderOptions {
  clock: Clock;
  /** For `http:`, and with `tls` for `https:`. */
  dialer?: Dialer;
  /** Whom to trust at `https:` hosts, and who this device is. Usually the `tls` of the MQTT connection. */
  tls?: DownloadTls;
  /** For `https:` with the credentials of a security tag, inside the modem or outside; goes before `dialer`. */
  secTagDialer?: SecTagDialer;
  /** Usually that of the MQTT connection. */
  secTag?: number;
  /** Connections that fetch at the same time, 1 to 8. Default {@link defaultDownloadConnections}. */
  connections?: number;
  /**
   * Bytes of a range, 256 to 1,048,576. Default {@link defaultRangeBytes}. Where a TLS record is bounded, head and body of an answer have to
   * fit into one, so a range is smaller there.
   */
  rangeBytes?: number;
  /** So long nothing may come while an answer is awaited. Default {@link defaultDownloadReceiveTimeoutMs}. */
  receiveTimeoutMs?: number;
  /** Within this, a range's worth of bytes must come. Default {@link defaultRangeTimeoutMs}. */
  rangeTimeoutMs?: number;
  /** For a connection, TLS included. Default: the dialer's. */
  connectTimeoutMs?: number;
  /** 4 or 6 forces an address family. */
  family?: 4 | 6;
  /** Default `resume`: a server that closes after each answer costs no full handshake each time. */
  handshake?: "full" | "resume";
}

export const defaultDownloadConnections = 2;
export const downloadConnectionsMax = 8;
export const defaultRangeBytes = 64 * 1024;
export const rangeBytesMin = 256;
export const rangeBytesMax = 1024 * 1024;
export const defaultDownloadReceiveTimeoutMs = 30_000;
export const defaultRangeTimeoutMs = 300_000;

const downloadTlsTypes = {
  ca: tlsClientOptionTypes.ca,
  certificate: tlsClientOptionTypes.certificate,
  privateKey: tlsClientOptionTypes.privateKey,
  minVersion: tlsClientOptionTypes.minVersion,
  maxVersion: tlsClientOptionTypes.maxVersion,
  ciphers: tlsClientOptionTypes.ciphers,
  onRecord: tlsClientOptionTypes.onRecord,
  receivedRecordBytesMax: tlsClientOptionTypes.receivedRecordBytesMax,
} as const satisfies OptionTypes<DownloadTls>;

const optionTypes = {
  clock: clockOption,
  dialer: dialerOption,
  tls: { options: downloadTlsTypes, required: ["ca"] },
  secTagDialer: secTagDialerOption,
  secTag: "number",
  connections: "number",
  rangeBytes: "number",
  receiveTimeoutMs: "number",
  rangeTimeoutMs: "number",
  connectTimeoutMs: "number",
  family: "number",
  handshake: "string",
} as const satisfies OptionTypes<HttpDownloaderOptions>;

/** @throws {ThinglineError} OPTION_INVALID */
export function checkHttpDownloaderOptions(options: HttpDownloaderOptions): void {
  const of = "createHttpDownloader()";
  checkOptionTypes(options, optionTypes, { of, required: ["clock"] });
  const bounds: readonly [keyof HttpDownloaderOptions, number, number][] = [
    ["connections", 1, downloadConnectionsMax],
    ["rangeBytes", rangeBytesMin, rangeBytesMax],
    ["receiveTimeoutMs", 1, 3_600_000],
    ["rangeTimeoutMs", 1, 86_400_000],
    ["secTag", 0, 2_147_483_647],
  ];
  for (const [name, min, max] of bounds) {
    const value = options[name] as number | undefined;
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) continue;
    throw optionInvalid(name, `a whole number of ${min} to ${max}`, value);
  }
  if (options.secTagDialer !== undefined && options.secTag === undefined) {
    throw optionInvalid("secTag", "the security tag whose CA the servers of files are checked with", "nothing");
  }
  if (options.secTagDialer === undefined && options.dialer === undefined) {
    throw optionInvalid("dialer", "a dialer, or secTagDialer with secTag", "neither");
  }
}

/** Makes connections to the servers of files. */
export class DownloadDialer {
  readonly #options: HttpDownloaderOptions;
  readonly #sessions = new TlsSessionCache();
  /** Those the transport has not let go of yet, of all downloads. */
  readonly #open = new Set<HttpConnection>();

  constructor(options: HttpDownloaderOptions) {
    this.#options = options;
  }

  /** What a TLS record may hold that this device is sent, undefined: whatever TLS allows. */
  recordBytesMaxOf({ isSecure }: HttpUrl): number | undefined {
    if (!isSecure) return undefined;
    const { secTagDialer, tls } = this.#options;
    return secTagDialer ? secTagDialer.receivedRecordBytesMax : tls?.receivedRecordBytesMax;
  }

  /**
   * Dials when the transport has let go of the connections that are over: a modem has three for TLS, and one counts until it is closed.
   *
   * @throws {ThinglineError} the dialer's codes; OPTION_INVALID when there is nothing to make such a connection with
   */
  async connect(url: HttpUrl, signal: AbortSignal, make: (raw: Connection) => HttpConnection): Promise<HttpConnection> {
    const over = [...this.#open].filter(({ isOver }) => isOver);
    // One that ends in order may wait for its server.
    for (const connection of over) connection.destroy();
    await Promise.all(over.map(({ closed }) => closed));
    const made = make(await this.#dial(url, signal));
    this.#open.add(made);
    void made.closed.then(() => this.#open.delete(made));
    return made;
  }

  #dial(url: HttpUrl, signal: AbortSignal): Promise<Connection> {
    const { host, port, isSecure } = url;
    const { secTagDialer, secTag = 0, dialer, tls, connectTimeoutMs, family, handshake = "resume" } = this.#options;
    const common = {
      host,
      port,
      ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
      ...(family !== undefined && { family }),
    };
    if (isSecure && secTagDialer) return secTagDialer.dial({ ...common, secTag, handshake }, { signal });
    if (!dialer || (isSecure && !tls)) {
      const lacks = isSecure ? "no CA to check it with (tls or secTag)" : "no dialer for connections without TLS";
      return Promise.reject(
        new ThinglineError("OPTION_INVALID", `the file is at ${originOf(url)}, and this device has ${lacks}`),
      );
    }
    const target: DialTarget = { ...common };
    if (isSecure && tls) {
      target.tls = { ...tls };
      if (handshake === "resume") {
        const ca: Pem = tls.ca;
        this.#sessions.apply(target.tls, [host, port, ca, tls.certificate, tls.minVersion, tls.maxVersion]);
      }
    }
    return dialer.dial(target, { signal });
  }
}

const later = new Set<string>([
  "CONNECTION_LOST",
  "CONNECTION_REFUSED",
  "HOST_NOT_FOUND",
  "TIMEOUT",
  "TLS_HANDSHAKE_FAILED",
  "LINK_FAILED",
  // All sockets of a modem are in use.
  "LIMIT_EXCEEDED",
]);

/** A failure of the network in the words of a downloader. */
export function downloadErrorOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error("a dialer threw what is no error", { cause: error });
  if (!isThinglineError(error) || !later.has(error.code)) return error;
  const details = { ...error.details, networkCode: error.code };
  return new ThinglineError("DOWNLOAD_UNAVAILABLE", error.message, { details, cause: error });
}
