import type { ClientSessionOptions } from "@thingline/protocol/mqtt/client";
import type { Clock, Dialer, Random, SecTagDialer, TlsClientOptions } from "@thingline/transport";
import type { ReconnectRules } from "./reconnect.js";
import type { TlsSessionCache } from "./tls-sessions.js";

/**
 * `resume`: a reconnect may resume the TLS session, which saves a round trip or two and the certificates, and proves no new
 * credentials: the server goes by the certificate of the session's first handshake. After an attempt that failed before
 * CONNACK the next one is full again. Default `full`, as in the original library since 2021.
 */
export type Handshake = "full" | "resume";

/** How to reach the cloud: with the credentials of a security tag, or with a dialer and TLS options. */
export type DeviceCredentials =
  | { secTagDialer: SecTagDialer; secTag: number; handshake?: Handshake }
  /** Without `tls` the connection is not encrypted: for local tools only. */
  | {
      dialer: Dialer;
      tls?: TlsClientOptions;
      handshake?: Handshake;
      /** Sessions to resume, when devices that follow each other share them. Default: the device's own. */
      tlsSessions?: TlsSessionCache;
      webSocket?: { path: string; headers?: Readonly<Record<string, string>> };
    };

/** Where: `endpoint` (`HOST` or `HOST:PORT`, `[V6]:PORT`), or `host` and `port`. */
export type DeviceEndpoint = { endpoint: string } | { host: string; port?: number };

/** What of a device's options is about its connections. */
export type ConnectionOptions = {
  readonly clientId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly lastWill?: { readonly topic: string };
  readonly connectTimeoutMs?: number;
  readonly family?: 4 | 6;
  readonly staticAddress?: string;
  readonly serverName?: string;
} & DeviceCredentials;

/** What became of them when they were checked. */
export interface ConnectionRules {
  host: string;
  port: number;
  alpnProtocols: readonly string[] | undefined;
  /** The largest packet that is decoded. */
  packetBytesMax: number;
  /** 0: never. */
  sendTimeoutMs: number;
  /** 0: never. */
  receiveTimeoutMs: number;
  closeTimeoutMs: number;
  keepsTryingRecords: boolean;
  /** Undefined: one connection, and then idle. */
  reconnect: ReconnectRules | undefined;
  session: ClientSessionOptions;
}
