import { bytesEqual, isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { credentialTypeNumbers, registrationNumber } from "@thingline/protocol/at";
import type {
  Clock,
  Connection,
  Dialer,
  DialTarget,
  Keys,
  SecTagDialer,
  SecTagDialTarget,
  TlsClientOptions,
} from "@thingline/transport";
import { defaultConnectTimeoutMs } from "@thingline/transport";
import type { ConnectionStatistics } from "./connection-statistics.js";
import { CountedConnection } from "./counted-connection.js";
import type { LteDriver } from "./lte-driver.js";
import type { SecureStorage } from "./secure-storage.js";
import type { SocketMeter, TrafficMeter } from "./traffic.js";

/** Sockets that the modem has. [NXLIB nrf_modem limits] */
export const socketsMax = 8;
/** Of those, how many may do TLS in the modem at a time. */
export const tlsSocketsMax = 3;
/** NRF_MODEM_TLS_MAX_MESSAGE_SIZE: a longer application record kills the socket. */
export const receivedRecordBytesMax = 2048;
/** TLS sessions that are kept for resumption. */
export const tlsSessionsMax = 8;

/**
 * The cipher suites of the modem with certificates, by their OpenSSL names: C024 C00A C023 C009 C014 C027 C013 and,
 * from firmware 1.3.1 on, C02B C030 C02F. Its PSK suites (008D 00AE 008C C0A8) are not simulated.
 */
export const modemCipherSuites = [
  "ECDHE-ECDSA-AES256-SHA384",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-ECDSA-AES128-SHA256",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES256-SHA",
  "ECDHE-RSA-AES128-SHA256",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES128-GCM-SHA256",
] as const;

export interface ModemSocketsOptions {
  clock: Clock;
  keys: Keys;
  network: Dialer;
  lte: LteDriver;
  storage: SecureStorage;
  /** Whether the firmware has ECDHE with AES-GCM. */
  hasGcmSuites(): boolean;
  /** Of `%XCONNSTAT`. */
  statistics: ConnectionStatistics;
  /** Counts what the sockets carry. */
  traffic?: TrafficMeter | undefined;
}

interface Credentials {
  ca: string;
  certificate: string;
  privateKey: string;
  /** Tells one set of credentials from another; nothing can be learnt from it. */
  digest: string;
}

/** The IP side of the modem: sockets that live as long as the LTE link does. */
export class ModemSockets {
  /** TLS inside the modem, with the credentials of a security tag. */
  readonly secTagDialer: SecTagDialer;
  /**
   * Plain sockets, for applications that bring their own TLS ("native TLS"): a `tls` target runs above the modem's TCP
   * socket, outside the modem, and knows none of its TLS limits.
   */
  readonly dialer: Dialer;
  readonly #options: ModemSocketsOptions;
  readonly #open = new Set<Connection>();
  readonly #dialling = new Set<AbortController>();
  readonly #sessions = new Map<string, Uint8Array>();
  #isOff = false;
  #socketCount = 0;
  #tlsSocketCount = 0;

  constructor(options: ModemSocketsOptions) {
    this.#options = options;
    this.secTagDialer = {
      name: "modem TLS",
      receivedRecordBytesMax,
      dial: (target, { signal } = {}) => this.#dialSecTag(target, signal),
    };
    this.dialer = { dial: (target, { signal } = {}) => this.#dial(target, "plain", signal) };
  }

  /** LTE went away: every socket is dead, every dial fails. */
  linkLost(): void {
    this.#killAll(() => new ThinglineError("CONNECTION_LOST", "the modem's socket is dead: the LTE link was lost"));
  }

  powerLost(): void {
    this.#isOff = true;
    this.#killAll(() => new ThinglineError("CONNECTION_LOST", "the modem's socket is dead: the modem is off"));
  }

  #killAll(makeError: () => ThinglineError): void {
    for (const controller of this.#dialling) controller.abort();
    for (const connection of this.#open) connection.destroy(makeError());
  }

  async #dialSecTag(target: SecTagDialTarget, signal: AbortSignal | undefined): Promise<Connection> {
    this.#checkLink();
    const { host, port, alpnProtocols, connectTimeoutMs, family, serverName = host } = target;
    const credentials = this.#credentialsOf(target.secTag);
    const sessionKey = JSON.stringify([host, port, serverName, alpnProtocols ?? [], credentials.digest]);
    const tls: TlsClientOptions = {
      ca: credentials.ca,
      certificate: credentials.certificate,
      privateKey: credentials.privateKey,
      serverName,
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
      ciphers: this.#options.hasGcmSuites()
        ? modemCipherSuites
        : modemCipherSuites.filter((suite) => !suite.includes("GCM")),
      receivedRecordBytesMax,
      onRecord: ({ direction, lengthBytes }) => {
        this.#options.statistics.count(direction, lengthBytes);
        this.#options.lte.input({ type: "traffic" });
      },
      ...(alpnProtocols === undefined ? {} : { alpnProtocols }),
      ...this.#sessionOptions(target.handshake ?? "full", sessionKey),
    };
    const dialTarget: DialTarget = {
      host,
      port,
      tls,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(family === undefined ? {} : { family }),
    };
    return this.#dial(dialTarget, "tls", signal);
  }

  #sessionOptions(handshake: "full" | "resume", key: string): Pick<TlsClientOptions, "session" | "onSession"> {
    // TLS_SESSION_CACHE off: nothing is resumed and nothing is kept.
    if (handshake === "full") return {};
    const session = this.#sessions.get(key);
    const onSession = (fresh: Uint8Array) => {
      this.#sessions.delete(key);
      this.#sessions.set(key, fresh);
      const oldest = this.#sessions.keys().next();
      if (this.#sessions.size > tlsSessionsMax && oldest.done !== true) this.#sessions.delete(oldest.value);
    };
    return session === undefined ? { onSession } : { session, onSession };
  }

  async #dial(target: DialTarget, kind: "tls" | "plain", signal: AbortSignal | undefined): Promise<Connection> {
    this.#checkLink();
    this.#checkLimits(kind);
    this.#socketCount++;
    if (kind === "tls") this.#tlsSocketCount++;
    const controller = new AbortController();
    this.#dialling.add(controller);
    const both = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
    try {
      this.#options.lte.input({ type: "traffic" });
      const connection = this.#forStatistics(
        kind,
        await this.#count(target, kind, (counted) => this.#reach(counted, both)),
      );
      if (controller.signal.aborted) {
        connection.destroy();
        this.#checkLink();
      }
      this.#open.add(connection);
      void connection.closed.then(() => {
        this.#open.delete(connection);
        this.#release(kind);
      });
      return connection;
    } catch (error) {
      this.#release(kind);
      // Aborted from inside: the link is the reason, not the caller.
      if (controller.signal.aborted && signal?.aborted !== true)
        throw linkFailed("the LTE link was lost while dialling");
      throw error;
    } finally {
      this.#dialling.delete(controller);
    }
  }

  /** Dials, and counts what goes past when somebody wants to know; else the target and the connection stay as they are. */
  async #count(
    target: DialTarget,
    kind: "tls" | "plain",
    dial: (target: DialTarget) => Promise<Connection>,
  ): Promise<Connection> {
    const { traffic, lte } = this.#options;
    if (traffic === undefined) return dial(target);
    const { host, port, tls } = target;
    const tlsBy = kind === "tls" ? "modem" : tls === undefined ? "nobody" : "application";
    const meter = traffic.dialling({ host, port, tlsBy });
    // TLS inside the modem tells the radio of each record by itself.
    const onTraffic = kind === "tls" ? undefined : () => lte.input({ type: "traffic" });
    try {
      const connection = await dial(tls === undefined ? target : { ...target, tls: metered(tls, meter, onTraffic) });
      return meter.established(connection, onTraffic);
    } catch (error) {
      meter.failed();
      throw error;
    }
  }

  /** A plain socket that is opened while `%XCONNSTAT` counts. TLS in the modem tells of each record by itself. */
  #forStatistics(kind: "tls" | "plain", connection: Connection): Connection {
    const { statistics } = this.#options;
    if (kind === "tls" || !statistics.isCounting) return connection;
    return new CountedConnection(connection, {
      sent: (bytes) => statistics.count("sent", bytes),
      received: (bytes) => statistics.count("received", bytes.length),
      closed: () => undefined,
    });
  }

  async #reach(target: DialTarget, signal: AbortSignal): Promise<Connection> {
    if (this.#options.lte.conditions.hasData) return this.#options.network.dial(target, { signal });
    // A SIM card out of data registers as ever; its packets go nowhere.
    const timeoutMs = target.connectTimeoutMs ?? defaultConnectTimeoutMs;
    await this.#options.clock.sleep(timeoutMs, { signal });
    const message = `no answer from ${target.host}:${target.port} within ${timeoutMs} ms (registered, but no data passes)`;
    throw new ThinglineError("TIMEOUT", message, { details: { host: target.host, port: target.port, timeoutMs } });
  }

  #release(kind: "tls" | "plain"): void {
    this.#socketCount--;
    if (kind === "tls") this.#tlsSocketCount--;
  }

  #checkLink(): void {
    const { lte } = this.#options;
    if (this.#isOff) throw new ThinglineError("CLOSED", "the simulated modem is off");
    if (lte.isRegistered) return;
    const { status } = lte.registration();
    throw linkFailed(`the modem is not registered (+CEREG: ${registrationNumber(status)}, ${status})`);
  }

  #checkLimits(kind: "tls" | "plain"): void {
    if (this.#socketCount >= socketsMax) {
      const message = `the modem has ${socketsMax} sockets and all are in use`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: socketsMax } });
    }
    if (kind === "tls" && this.#tlsSocketCount >= tlsSocketsMax) {
      const message = `the modem runs ${tlsSocketsMax} TLS sockets at a time and all are in use`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: tlsSocketsMax } });
    }
  }

  #credentialsOf(secTag: number): Credentials {
    const { storage, keys } = this.#options;
    const names = ["ca", "certificate", "privateKey"] as const;
    const missing = names.filter((name) => storage.get(secTag, credentialTypeNumbers[name]) === undefined);
    const content = (name: (typeof names)[number]) => storage.get(secTag, credentialTypeNumbers[name])?.content ?? "";
    if (missing.length > 0) {
      const types = missing.map((name) => `${name} (type ${credentialTypeNumbers[name]})`).join(", ");
      const hint =
        storage.get(secTag, credentialTypeNumbers.psk) === undefined ? "" : "; TLS with a PSK is not simulated";
      const message = `security tag ${secTag} of the modem has no ${types}${hint}`;
      throw new ThinglineError("CREDENTIAL_MISSING", message, { details: { secTag, missing: missing.join(",") } });
    }
    const credentials = { ca: content("ca"), certificate: content("certificate"), privateKey: content("privateKey") };
    checkPair(secTag, credentials, keys);
    const joined = new TextEncoder().encode(Object.values(credentials).join("\0"));
    return { ...credentials, digest: toHex(keys.sha256(joined)) };
  }
}

function metered(tls: TlsClientOptions, meter: SocketMeter, onTraffic: (() => void) | undefined): TlsClientOptions {
  const { onRecord } = tls;
  return {
    ...tls,
    onRecord(record) {
      meter.record(record);
      onTraffic?.();
      onRecord?.(record);
    },
  };
}

/** The real part's connect fails with EINVAL ("invalid private key") for a key that is none or does not fit. */
function checkPair(secTag: number, { certificate, privateKey }: Omit<Credentials, "digest">, keys: Keys): void {
  try {
    const certified = keys.certificatePublicKey(certificate);
    if (bytesEqual(certified, keys.publicKeyOf(privateKey))) return;
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    const message = `the modem cannot use security tag ${secTag} (EINVAL): ${error.message}`;
    throw new ThinglineError(error.code, message, { details: { secTag, errno: "EINVAL" }, cause: error });
  }
  const message = `the private key of security tag ${secTag} does not belong to its certificate (EINVAL)`;
  throw new ThinglineError("KEY_MISMATCH", message, { details: { secTag, errno: "EINVAL" } });
}

function linkFailed(message: string): ThinglineError {
  return new ThinglineError("LINK_FAILED", message);
}
