import { constants, createHash, createPublicKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import {
  checkServerIdentity,
  type ConnectionOptions,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
} from "node:tls";
import { bytesEqual, isBytes, ThinglineError } from "@thingline/protocol";
import { checkTlsPems, parseCertificates, type Pem, pemText } from "@thingline/protocol/x509";
import { defaultHandshakeTimeoutMs } from "../connection.js";
import type { SecureInfo, ServerChoice, TlsClientOptions, TlsServerOptions } from "../connection.js";
import { codeOf } from "./files.js";
import { certificateBlocks, certificatePublicKey, publicKeyOf, readCertificate, readPrivateKey } from "./keys.js";
import { decodeSession } from "./session.js";

/** Credentials of a network that are kept ready; the one that was not used for longest goes first. */
export const clientContextsMax = 16;

/**
 * OpenSSL's contexts of a network's clients, by what they are made of. A context costs some 50 KB and a millisecond, and a
 * thousand connections with the same credentials need one.
 */
export class ClientContexts {
  readonly #contexts = new Map<string, SecureContext>();

  /**
   * Checks the PEM texts, before any network.
   *
   * @throws {ThinglineError} CERTIFICATE_INVALID, KEY_INVALID, KEY_MISMATCH, OPTION_INVALID.
   */
  of(tls: TlsClientOptions): SecureContext {
    const [ca, certificate, privateKey] = [tls.ca, tls.certificate, tls.privateKey].map(textOf);
    const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = tls;
    const ciphers = tls.ciphers?.map(opensslName).join(":");
    // A digest: the cache is no place to keep private keys as text.
    const parts = JSON.stringify([ca, certificate, privateKey, minVersion, maxVersion, ciphers]);
    const key = createHash("sha256").update(parts).digest("base64");
    const context = this.#contexts.get(key) ?? clientContext(tls, { minVersion, maxVersion, ciphers });
    // Behind all others.
    this.#contexts.delete(key);
    this.#contexts.set(key, context);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > clientContextsMax && oldest !== undefined) this.#contexts.delete(oldest);
    return context;
  }
}

/** What is neither text nor bytes is refused later, by name. */
function textOf(pem: Pem | undefined): string | undefined {
  return isBytes(pem) ? pemText(pem) : pem;
}

function clientContext(
  tls: TlsClientOptions,
  versions: Pick<SecureContextOptions, "minVersion" | "maxVersion" | "ciphers">,
): SecureContext {
  checkTlsPems(tls, "tls.");
  checkAuthorities(tls.ca);
  const [ca, cert, key] = [tls.ca, tls.certificate, tls.privateKey].map(textOf);
  if (tls.certificate !== undefined && tls.privateKey !== undefined) checkPair(tls.certificate, tls.privateKey, "tls.");
  const secureOptions = constants.SSL_OP_NO_RENEGOTIATION;
  try {
    return createSecureContext({ ...versions, ca, cert, key, secureOptions });
  } catch (cause) {
    const reason = codeOf(cause) ?? String(cause);
    throw new ThinglineError("OPTION_INVALID", `OpenSSL refuses the ciphers or versions of tls: ${reason}`, { cause });
  }
}

/**
 * Checks a server's name as Node does, and keeps the certificate that Node shows it for that until it is taken: to have OpenSSL tell it again
 * costs as much as the check.
 */
export class ServerIdentity {
  #certificate: Uint8Array | undefined;

  readonly check = (name: string, certificate: PeerCertificate): Error | undefined => {
    this.#certificate = new Uint8Array(certificate.raw);
    return checkServerIdentity(name, certificate);
  };

  /** Undefined where Node did not ask: of a session that is resumed. */
  take(): Uint8Array | undefined {
    const certificate = this.#certificate;
    this.#certificate = undefined;
    return certificate;
  }
}

/** @throws {ThinglineError} as {@link ClientContexts.of} */
export function clientTlsOptions(tls: TlsClientOptions, host: string, contexts: ClientContexts): ConnectionOptions {
  const name = tls.serverName ?? host;
  const session = tls.session === undefined ? undefined : decodeSession(tls.session)?.nodeSession;
  return {
    secureContext: contexts.of(tls),
    // RFC 6066 knows no IP addresses as server names; Node checks the certificate against `host` then.
    servername: isIP(name) === 0 ? name : "",
    host: name,
    ALPNProtocols: tls.alpnProtocols?.slice(),
    session: session === undefined ? undefined : Buffer.from(session),
    rejectUnauthorized: true,
  };
}

/**
 * Any certificate is taken whose key the peer proves to hold: `requestCert` without `rejectUnauthorized`. There is
 * never a `ca` here: it would name CAs in the certificate request, and a client whose certificate is from another one
 * would then send none.
 */
export function serverTlsOptions(tls: TlsServerOptions & Partial<ServerChoice>): TlsOptions {
  checkPair(tls.certificate, tls.privateKey);
  return {
    cert: tls.certificate,
    key: tls.privateKey,
    requestCert: tls.requestsClientCertificate,
    rejectUnauthorized: false,
    ALPNProtocols: tls.alpnProtocols?.slice(),
    handshakeTimeout: tls.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs,
    minVersion: tls.minVersion ?? "TLSv1.2",
    maxVersion: tls.maxVersion ?? "TLSv1.3",
    ...(tls.ciphers !== undefined && { ciphers: tls.ciphers.map(opensslName).join(":") }),
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
  };
}

/** What a finished handshake tells a client. `offered` is the session that it wanted to resume. */
export function clientSecureInfo(
  socket: TLSSocket,
  serverName: string,
  identity: ServerIdentity,
  offered: Uint8Array | undefined,
): SecureInfo {
  return {
    ...secureInfo(socket),
    peerCertificate: identity.take() ?? serverCertificate(socket, offered),
    serverName: serverName === "" ? undefined : serverName,
  };
}

/** The certificate of the session's first handshake. */
export function serverCertificate(socket: TLSSocket, offered: Uint8Array | undefined): Uint8Array | undefined {
  // getPeerX509Certificate() would take the certificate out of OpenSSL's chain on this side (Node 20): once and never again.
  const { raw } = socket.getPeerCertificate() as { raw?: Uint8Array };
  if (raw !== undefined) return new Uint8Array(raw);
  if (offered === undefined || !socket.isSessionReused()) return undefined;
  return decodeSession(offered)?.peerCertificate;
}

/** What a finished handshake tells a server. A ticket keeps the client's certificate: a resumed session tells the first's. */
export function serverSecureInfo(socket: TLSSocket): SecureInfo {
  const certificate = socket.getPeerX509Certificate();
  // What the client sent; @types/node does not know it.
  const { servername } = socket as TLSSocket & { servername?: string | false };
  return {
    ...secureInfo(socket),
    peerCertificate: certificate === undefined ? undefined : new Uint8Array(certificate.raw),
    serverName: servername === false || servername === "" ? undefined : servername,
  };
}

function secureInfo(socket: TLSSocket): Omit<SecureInfo, "peerCertificate" | "serverName"> {
  return {
    protocol: socket.getProtocol() === "TLSv1.3" ? "TLSv1.3" : "TLSv1.2",
    cipher: socket.getCipher().standardName,
    alpnProtocol: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : undefined,
    isResumed: socket.isSessionReused(),
  };
}

/** The text of the CAs that were found sound last: all connections of a process have the same, as a rule. */
let soundAuthorities: string | undefined;

export function checkAuthorities(ca: Pem): void {
  const text = pemText(ca);
  if (text === soundAuthorities) return;
  const blocks = certificateBlocks(text);
  try {
    for (const block of blocks) new X509Certificate(block);
    if (blocks.length > 0) return void (soundAuthorities = text);
  } catch {
    // Falls through to the one error for both.
  }
  parseCertificates(ca, "tls.ca");
  throw new ThinglineError(
    "CERTIFICATE_INVALID",
    "tls.ca: OpenSSL cannot read every certificate, although they look like PEM",
  );
}

/** @param prefix of the options' names: `tls.`; without it they are called what they are. */
export function checkPair(certificate: Pem, privateKey: Pem, prefix?: string): void {
  const named = (name: string, words: string): string => (prefix === undefined ? words : prefix + name);
  const [certificateName, keyName] = [
    named("certificate", "the certificate"),
    named("privateKey", "the private key"),
  ] as const;
  const ofCertificate = certificatePublicKey(pemText(certificate), certificateName);
  if (bytesEqual(ofCertificate, publicKeyOf(pemText(privateKey), keyName))) return;
  // A key may be written in two ways.
  const key = readPrivateKey(privateKey, keyName);
  if (readCertificate(certificate, certificateName).publicKey.equals(createPublicKey(key))) return;
  const where = prefix === undefined ? "" : `${prefix}privateKey and ${prefix}certificate: `;
  throw new ThinglineError("KEY_MISMATCH", `${where}the private key does not belong to the certificate`);
}

/** `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is `ECDHE-RSA-AES128-GCM-SHA256` to OpenSSL; TLS 1.3 names are the same. */
export function opensslName(name: string): string {
  const parts = /^TLS_(.+)_WITH_(.+)$/.exec(name);
  if (parts === null) return name;
  const exchange = (parts[1] ?? "").replace(/^RSA$/, "").replaceAll("_", "-");
  const cipher = (parts[2] ?? "")
    .replace(/^(AES)_(\d+)_CBC/, "$1$2")
    .replace(/^(AES)_(\d+)/, "$1$2")
    .replace(/^(CHACHA20_POLY1305)_SHA256$/, "$1")
    .replaceAll("_", "-");
  return exchange === "" ? cipher : `${exchange}-${cipher}`;
}
