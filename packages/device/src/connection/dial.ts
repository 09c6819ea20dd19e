import { copyOptions, isBytes } from "@thingline/protocol";
import { pemText } from "@thingline/protocol/x509";
import {
  type Connection,
  type Dialer,
  type DialTarget,
  type TlsClientOptions,
  tlsClientOptionTypes,
} from "@thingline/transport";
import type { ConnectionOptions, ConnectionRules } from "./options.js";
import type { TlsSessionCache } from "./tls-sessions.js";

type DialerOptions = Extract<ConnectionOptions, { dialer: Dialer }>;

/** Where the credentials come from, for messages: never what they are. */
export function describeCredentials(options: ConnectionOptions): { credentials: string; hasCertificate: boolean } {
  if ("secTagDialer" in options && options.secTagDialer !== undefined) {
    return { credentials: `security tag ${options.secTag}, ${options.secTagDialer.name}`, hasCertificate: true };
  }
  const hasCertificate = (options as DialerOptions).tls?.certificate !== undefined;
  return { credentials: hasCertificate ? "the given certificate" : "no client certificate", hasCertificate };
}

/** PEM that was given as bytes, as text: of the moment, since the options keep what they were given. */
function textsOf({ ca, certificate, privateKey }: TlsClientOptions): Partial<TlsClientOptions> {
  return {
    ...(isBytes(ca) && { ca: pemText(ca) }),
    ...(isBytes(certificate) && { certificate: pemText(certificate) }),
    ...(isBytes(privateKey) && { privateKey: pemText(privateKey) }),
  };
}

export interface DialContext {
  signal: AbortSignal;
  /** Where sessions are kept with `handshake: "resume"`. */
  sessions: TlsSessionCache | undefined;
  /** Resume none, whatever the options say; the session that comes of it is kept. */
  isFullHandshake: boolean;
}

/** Opens the connection that the options describe. @throws {ThinglineError} the dialer's codes. */
export function dial(
  options: ConnectionOptions,
  checked: ConnectionRules,
  { signal, sessions, isFullHandshake }: DialContext,
): Promise<Connection> {
  const { host, port, alpnProtocols } = checked;
  const { connectTimeoutMs, family, staticAddress } = options;
  const serverName = options.serverName ?? (staticAddress === undefined ? undefined : host);
  const common = {
    host: staticAddress ?? host,
    port,
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(family === undefined ? {} : { family }),
  };
  const naming = {
    ...(serverName === undefined ? {} : { serverName }),
    ...(alpnProtocols === undefined ? {} : { alpnProtocols }),
  };
  if ("secTagDialer" in options && options.secTagDialer !== undefined) {
    const { secTagDialer, secTag } = options;
    const handshake = isFullHandshake ? "full" : (options.handshake ?? "full");
    return secTagDialer.dial({ ...common, ...naming, secTag, handshake }, { signal });
  }
  const { dialer, tls, webSocket } = options as DialerOptions;
  const target: DialTarget = { ...common };
  if (tls !== undefined) {
    target.tls = { ...naming, ...copyOptions(tls, tlsClientOptionTypes), ...textsOf(tls) };
    // Whoever keeps sessions himself goes on doing so.
    if (options.handshake === "resume" && tls.session === undefined && tls.onSession === undefined) {
      const { ca, certificate, minVersion, maxVersion } = target.tls;
      const names = [target.tls.serverName ?? host, target.tls.alpnProtocols ?? []];
      sessions?.apply(target.tls, [target.host, port, ...names, ca, certificate, minVersion, maxVersion], {
        isFull: isFullHandshake,
      });
    }
  }
  if (webSocket !== undefined) {
    // The name that a signed URL was signed for.
    const named: Record<string, string> =
      staticAddress === undefined ? {} : { host: port === 443 ? host : `${host}:${port}` };
    const { path, headers } = webSocket;
    target.webSocket = { path, headers: { ...named, ...headers } };
  }
  return dialer.dial(target, { signal });
}
