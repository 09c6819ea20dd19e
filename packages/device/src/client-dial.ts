import type { Connection, Dialer, DialTarget } from "@thingline/transport";
import type { CheckedOptions, DeviceOptions } from "./client-options.js";

type DialerOptions = Extract<DeviceOptions, { dialer: Dialer }>;

/** Where the credentials come from, for messages: never what they are. */
export function describeCredentials(options: DeviceOptions): { credentials: string; hasCertificate: boolean } {
  if ("secTagDialer" in options && options.secTagDialer !== undefined) {
    return { credentials: `security tag ${options.secTag}, ${options.secTagDialer.name}`, hasCertificate: true };
  }
  const hasCertificate = (options as DialerOptions).tls?.certificate !== undefined;
  return { credentials: hasCertificate ? "the given certificate" : "no client certificate", hasCertificate };
}

/** Opens the connection that the options describe. @throws {ThinglineError} the dialer's codes. */
export function dial(options: DeviceOptions, checked: CheckedOptions, signal: AbortSignal): Promise<Connection> {
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
    const { secTagDialer, secTag, handshake = "full" } = options;
    return secTagDialer.dial({ ...common, ...naming, secTag, handshake }, { signal });
  }
  const { dialer, tls, webSocket } = options as DialerOptions;
  const target: DialTarget = { ...common, ...(tls === undefined ? {} : { tls: { ...naming, ...tls } }) };
  if (webSocket !== undefined) {
    // The name that a signed URL was signed for.
    const named: Record<string, string> =
      staticAddress === undefined ? {} : { host: port === 443 ? host : `${host}:${port}` };
    target.webSocket = { ...webSocket, headers: { ...named, ...webSocket.headers } };
  }
  return dialer.dial(target, { signal });
}
