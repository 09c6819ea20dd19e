import type { DistinguishedName } from "@thingline/protocol/x509";
import type { Connection } from "./connection.js";

/** Credential types 0 to 4 of `%CMNG`, by name. */
export type CredentialType = "ca" | "certificate" | "privateKey" | "psk" | "pskIdentity";

export interface CredentialEntry {
  secTag: number;
  type: CredentialType;
  /** SHA-256 over the stored bytes, lower-case hex. */
  sha256: string;
}

/**
 * Credentials under security tags: in an nRF91's secure storage, or in the application's own store for native TLS.
 * A private key can be written and compared by digest, never read back.
 */
export interface CredentialStore {
  /** Takes what is written while connections are open. A modem's does not. Default false. */
  readonly isWritableOnline?: boolean;
  /** Replaces what is there. @throws {ThinglineError} CREDENTIAL_REFUSED with the reason (link active, storage full, content). */
  write(secTag: number, type: CredentialType, content: string): Promise<void>;
  /** The digest of what is stored, or undefined when nothing is. */
  digest(secTag: number, type: CredentialType): Promise<string | undefined>;
  /** @throws {ThinglineError} CREDENTIAL_REFUSED for types that cannot be read. */
  read(secTag: number, type: CredentialType): Promise<string | undefined>;
  /** Whether exactly this content is stored. */
  compare(secTag: number, type: CredentialType, content: string): Promise<boolean>;
  /** Not there: nothing happens. */
  delete(secTag: number, type: CredentialType): Promise<void>;
  exists(secTag: number, type: CredentialType): Promise<boolean>;
  list(): Promise<CredentialEntry[]>;
}

/** LTE link control, after Nordic's lte_lc: functional modes of the modem and network registration. */
export interface LinkControl {
  /** CFUN=1 and wait until registered (home or roaming). @throws {ThinglineError} LINK_FAILED, TIMEOUT, ABORTED. */
  connect(options?: { signal?: AbortSignal }): Promise<void>;
  /** CFUN=4: radio off, storage writable. Open sockets are lost. */
  offline(): Promise<void>;
  /** CFUN=1 without waiting for the registration. */
  normal(): Promise<void>;
  /** CFUN=0. */
  powerOff(): Promise<void>;
}

export interface SecTagDialTarget {
  host: string;
  port: number;
  secTag: number;
  /** Default: `host`. */
  serverName?: string;
  alpnProtocols?: readonly string[];
  /**
   * `full` never resumes an old session: what a proof of new credentials needs. `resume` may.
   * Sessions are cached by endpoint and credential digest. Default `full`.
   */
  handshake?: "full" | "resume";
  connectTimeoutMs?: number;
  family?: 4 | 6;
}

/** Opens TLS with the credentials of a security tag: inside the modem ("modem TLS") or outside ("native TLS"). */
export interface SecTagDialer {
  /** For people: `modem TLS` or `native TLS`. */
  readonly name: string;
  /** A received application record with more bytes ends the connection with TLS_RECORD_TOO_LARGE. Undefined: whatever TLS allows. */
  readonly receivedRecordBytesMax?: number;
  /** @throws {ThinglineError} the Dialer's codes, CREDENTIAL_MISSING when the tag lacks one, LINK_FAILED when offline. */
  dial(target: SecTagDialTarget, options?: { signal?: AbortSignal }): Promise<Connection>;
}

/** What the certificate of a key that is made will say, and what the key is for. */
export interface KeyRequestOptions {
  /** In the order in which it shall be read. */
  subject: DistinguishedName;
}

/** A key that was made where it stays, and what is known of it. */
export interface MadeKey {
  /** PKCS#10, PEM, as a CA reads it. */
  requestPem: string;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array;
}

/** Makes private keys where credentials are kept, inside a modem, so that they never leave. */
export interface KeyMaker {
  /**
   * Makes a key pair under a security tag that holds no private key.
   *
   * @throws {ThinglineError} CREDENTIAL_REFUSED with the modem's reason; MODEM_RESPONSE_INVALID when what it says does not hold together.
   */
  makeKey(secTag: number, options: KeyRequestOptions): Promise<MadeKey>;
}
