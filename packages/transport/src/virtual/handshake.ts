import { bytesEqual, concatBytes, ThinglineError, toHex } from "@thingline/protocol";
import { checkTlsPems, pemText } from "@thingline/protocol/x509";
import type { SecureInfo, ServerChoice, TlsClientOptions, TlsRecord, TlsServerOptions } from "../connection.js";
import type { Random } from "../random.js";
import { distrust, readCertificates, type VirtualCertificate } from "./certificate.js";
import { handshakeRecords, type HandshakeShape } from "./handshake-records.js";
import { publicKeyOf, readPrivateKey } from "./key-formats.js";

const ticketBytes = 16;
/** Sessions that a server can resume; the oldest goes first. */
export const virtualTicketsMax = 10_000;

/** Bytes that TLS adds to a record's plaintext: AES-GCM's nonce and tag, in TLS 1.3 the content type and tag. */
export const recordOverheadBytes = { "TLSv1.2": 24, "TLSv1.3": 17 } as const;

const cipherOf = {
  "TLSv1.2": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLSv1.3": "TLS_AES_256_GCM_SHA384",
} as const;

/** A client's TLS options, checked and read. */
export interface VirtualTlsClient {
  options: TlsClientOptions;
  authorities: readonly VirtualCertificate[];
  /** Its own, leaf first. */
  chain: readonly VirtualCertificate[];
  /** For the host name check. */
  host: string;
  serverName: string | undefined;
}

/** `records`: what the client sees below TLS, where somebody looks. */
export type HandshakeOutcome = { records: readonly TlsRecord[] } & (
  | { type: "secured"; client: SecureInfo; server: SecureInfo; session: Uint8Array; roundTrips: number; isRaw?: true }
  | { type: "failed"; client: ThinglineError; server: ThinglineError }
);

/** @throws {ThinglineError} CERTIFICATE_INVALID, KEY_INVALID, KEY_MISMATCH, OPTION_INVALID. */
export function prepareTlsClient(options: TlsClientOptions, dialledHost: string): VirtualTlsClient {
  checkTlsPems(options, "tls.");
  const authorities = readCertificates(pemText(options.ca));
  const host = options.serverName ?? dialledHost;
  return {
    options,
    authorities,
    chain:
      options.certificate === undefined || options.privateKey === undefined
        ? []
        : readPair(pemText(options.certificate), pemText(options.privateKey)),
    host,
    serverName: isAddress(host) ? undefined : host,
  };
}

interface Ticket {
  protocol: SecureInfo["protocol"];
  clientCertificate: Uint8Array | undefined;
}

/** The server's side of every handshake of one listener: same answers as TLS, no cryptography. */
export class VirtualTlsServer {
  readonly #options: TlsServerOptions;
  readonly #alpnProtocols: readonly string[] | undefined;
  readonly #chain: readonly VirtualCertificate[];
  readonly #random: Random;
  readonly #tickets = new Map<string, Ticket>();

  constructor(options: TlsServerOptions, alpnProtocols: readonly string[] | undefined, random: Random) {
    this.#options = options;
    this.#alpnProtocols = alpnProtocols;
    this.#random = random;
    this.#chain = readPair(options.certificate, options.privateKey);
  }

  shake(client: VirtualTlsClient, unixMs: number): HandshakeOutcome | Promise<HandshakeOutcome> {
    const { selectServer } = this.#options;
    if (selectServer === undefined) return this.#shake(client, unixMs, undefined);
    const refuse = (error: unknown) => {
      const refusedHello = { client, protocol: client.options.maxVersion ?? "TLSv1.3", end: "refusedHello" } as const;
      const why = error instanceof Error ? error.message : String(error);
      return failed(`handshake_failure: ${why}`, this.#records(refusedHello));
    };
    const chosen = Promise.resolve().then(() => selectServer(client.serverName));
    return chosen.then((choice) => this.#shake(client, unixMs, choice)).catch(refuse);
  }

  #shake(client: VirtualTlsClient, unixMs: number, choice: ServerChoice | undefined): HandshakeOutcome {
    const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3", alpnProtocols: offered } = client.options;
    const refusedHello = { client, protocol: maxVersion, end: "refusedHello" } as const;
    const { minVersion: ownMin = "TLSv1.2", maxVersion: ownMax = "TLSv1.3" } = choice ?? {};
    const protocol = maxVersion < ownMax ? maxVersion : ownMax;
    if (minVersion > protocol || ownMin > protocol) return failed("protocol_version", this.#records(refusedHello));
    const alpnProtocol = this.#alpnProtocols?.find((name) => offered?.includes(name));
    if (
      offered !== undefined &&
      offered.length > 0 &&
      this.#alpnProtocols !== undefined &&
      alpnProtocol === undefined
    ) {
      return failed("no_application_protocol", this.#records(refusedHello));
    }
    const ticket = this.#resume(client, protocol);
    const chain = choice === undefined ? this.#chain : readPair(choice.certificate, choice.privateKey);
    const reason = ticket === undefined ? distrust(chain, client.authorities, client.host, unixMs) : undefined;
    if (reason !== undefined) {
      const records = this.#records({ client, protocol, chain, alpnProtocol, end: "refusedServer" });
      return untrusted(reason, client.host, records);
    }

    const isAsked = choice?.requestsClientCertificate ?? this.#options.requestsClientCertificate;
    const asked = isAsked ? client.chain[0]?.bytes : undefined;
    const clientCertificate = ticket === undefined ? asked : ticket.clientCertificate;
    const serverCertificate = ticket === undefined ? chain[0]?.bytes : client.options.session?.slice(ticketBytes);
    const common = {
      protocol,
      cipher: cipherOf[protocol],
      serverName: client.serverName,
      alpnProtocol,
      isResumed: ticket !== undefined,
    };
    const id = this.#random.bytes(ticketBytes);
    this.#remember(toHex(id), { protocol, clientCertificate });
    return {
      type: "secured",
      ...(choice?.isRaw === true && { isRaw: true }),
      client: { ...common, peerCertificate: serverCertificate },
      server: { ...common, peerCertificate: clientCertificate },
      session: concatBytes([id, serverCertificate ?? new Uint8Array(0)]),
      roundTrips: protocol === "TLSv1.2" && ticket === undefined ? 2 : 1,
      records: this.#records({ client, protocol, chain, alpnProtocol, isResumed: common.isResumed, end: "finished" }),
    };
  }

  #records(
    seen: Pick<HandshakeShape, "protocol" | "end"> &
      Partial<Pick<HandshakeShape, "alpnProtocol" | "isResumed">> & {
        client: VirtualTlsClient;
        chain?: readonly VirtualCertificate[];
      },
  ): readonly TlsRecord[] {
    const { client, protocol, end, chain = [], alpnProtocol, isResumed = false } = seen;
    const { onRecord, ciphers, alpnProtocols = [] } = client.options;
    if (onRecord === undefined) return [];
    return handshakeRecords({
      ...{ protocol, end, alpnProtocol, isResumed, alpnProtocols, cipherCount: ciphers?.length },
      ...{ serverName: client.serverName, serverChain: chain, clientChain: client.chain },
      requestsClientCertificate: this.#options.requestsClientCertificate,
    });
  }

  #resume({ options }: VirtualTlsClient, protocol: SecureInfo["protocol"]): Ticket | undefined {
    if (options.session === undefined) return undefined;
    const ticket = this.#tickets.get(toHex(options.session.subarray(0, ticketBytes)));
    return ticket?.protocol === protocol ? ticket : undefined;
  }

  #remember(id: string, ticket: Ticket): void {
    const oldest = this.#tickets.keys().next();
    if (this.#tickets.size >= virtualTicketsMax && oldest.done !== true) this.#tickets.delete(oldest.value);
    this.#tickets.set(id, ticket);
  }
}

function readPair(certificate: string, privateKey: string): [VirtualCertificate, ...VirtualCertificate[]] {
  const chain = readCertificates(certificate);
  if (!bytesEqual(chain[0].publicKey, publicKeyOf(readPrivateKey(privateKey)))) {
    throw new ThinglineError("KEY_MISMATCH", "the private key does not belong to the certificate");
  }
  return chain;
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

function failed(alert: string, records: readonly TlsRecord[]): HandshakeOutcome {
  const error = new ThinglineError("TLS_HANDSHAKE_FAILED", `the TLS handshake failed with the alert ${alert}`, {
    details: { alert },
  });
  return { type: "failed", client: error, server: error, records };
}

function untrusted(reason: string, where: string, records: readonly TlsRecord[]): HandshakeOutcome {
  const message = `the certificate of ${where} is not trusted: ${reason}`;
  const client = new ThinglineError("TLS_PEER_UNTRUSTED", message, { details: { reason, where } });
  const alert = "bad_certificate";
  const server = new ThinglineError("TLS_HANDSHAKE_FAILED", `the peer refused the TLS connection: ${alert}`, {
    details: { alert },
  });
  return { type: "failed", client, server, records };
}
