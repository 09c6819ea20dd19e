import { isBytes, kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import { checkTlsPems, type TlsPems } from "@thingline/protocol/x509";
import type { Dialer, TlsClientOptions } from "@thingline/transport";
import type { DeviceCredentials, DeviceEndpoint } from "../connection/options.js";
import { TlsSessionCache } from "../connection/tls-sessions.js";
import { checkEach, integer, oneOf, optional, text } from "./option-values.js";
import { type DeviceOptions, nrfCloudSecTag } from "./options.js";

/** @throws {ThinglineError} OPTION_INVALID */
export function endpointOf(options: DeviceEndpoint, defaultPort: number): { host: string; port: number } {
  const {
    endpoint: given,
    host: givenHost,
    port: givenPort,
  } = options as DeviceEndpoint &
    Partial<Record<"endpoint" | "host", string>> & {
      port?: number;
    };
  if (given === undefined) {
    if (givenHost === undefined) throw optionInvalid("endpoint", "HOST, HOST:PORT or [ADDRESS]:PORT", "nothing");
    const host = text("host", givenHost);
    if (host === "" || /[\s/]/.test(host)) throw optionInvalid("host", "a host name or address", host);
    return { host, port: integer("port", givenPort ?? defaultPort, 1, 65_535) };
  }
  if (givenHost !== undefined) throw optionInvalid("endpoint", "endpoint or host, not both", "both");
  if (givenPort !== undefined) throw optionInvalid("port", "none with an endpoint: write HOST:PORT", givenPort);
  const endpoint = text("endpoint", given);
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(endpoint);
  if (match === null) throw optionInvalid("endpoint", "HOST, HOST:PORT or [ADDRESS]:PORT", endpoint);
  const host = match[1] ?? match[2] ?? "";
  return { host, port: integer("endpoint", match[3] === undefined ? defaultPort : Number(match[3]), 1, 65_535) };
}

export function checkCredentials(options: DeviceOptions): void {
  const { dialer, secTagDialer, secTag, tls, tlsSessions } = options as Partial<UnitedCredentials>;
  if ((dialer === undefined) === (secTagDialer === undefined)) {
    const got =
      dialer === undefined ? "neither; createNodeNetwork() of @thingline/transport/node makes a dialer" : "both";
    throw optionInvalid("dialer", "either secTagDialer with secTag, or dialer", got);
  }
  oneOf("handshake", options.handshake ?? "full", ["full", "resume"] as const);
  const webSocket = webSocketOf(options);
  if (secTagDialer !== undefined) {
    for (const [option, value] of Object.entries({ tls, tlsSessions, webSocket })) {
      if (value !== undefined)
        throw optionInvalid(option, "none with a secTagDialer, which does TLS by itself", kindOf(value));
    }
    const { receivedRecordBytesMax = Infinity } = secTagDialer;
    if (!(typeof receivedRecordBytesMax === "number" && receivedRecordBytesMax >= 1)) {
      throw optionInvalid("secTagDialer.receivedRecordBytesMax", "a number from 1", kindOf(receivedRecordBytesMax));
    }
    return checkSecTag(secTag as number, true);
  }
  if (secTag !== undefined) checkSecTag(secTag, false);
  if (tls !== undefined) checkTls(tls);
  if (tlsSessions !== undefined && !(tlsSessions instanceof TlsSessionCache)) {
    throw optionInvalid("tlsSessions", "a TlsSessionCache", kindOf(tlsSessions));
  }
  if (webSocket !== undefined) checkWebSocket(webSocket);
}

/** Both kinds of credentials, as a caller without types may mix them. */
type UnitedCredentials = Extract<DeviceCredentials, { secTag: number }> &
  Extract<DeviceCredentials, { dialer: Dialer }>;

export const webSocketOf = (options: DeviceCredentials): UnitedCredentials["webSocket"] =>
  (options as Partial<UnitedCredentials>).webSocket;

const tlsVersions = ["TLSv1.2", "TLSv1.3"] as const;

/**
 * PEMs that were fine, by the object that held them: thousands of devices are made with one, and each check decodes three files. Kept
 * outside of any device because it is no state but what a pure function said; it lives as long as that object. Texts only: bytes
 * may be others the next time, in the same array.
 */
const soundPems = new WeakMap<TlsClientOptions, TlsPems>();

function checkPems(tls: TlsClientOptions): void {
  const known = soundPems.get(tls);
  const { ca, certificate, privateKey } = tls;
  if (known !== undefined && known.ca === ca && known.certificate === certificate && known.privateKey === privateKey)
    return;
  const pems = { ca, certificate, privateKey };
  checkTlsPems(pems, "tls.");
  if (!isBytes(ca) && !isBytes(certificate) && !isBytes(privateKey)) soundPems.set(tls, pems);
}

function checkTls(tls: TlsClientOptions): void {
  checkPems(tls);
  for (const option of ["minVersion", "maxVersion"] as const) {
    const version = tls[option];
    if (version !== undefined) oneOf(`tls.${option}`, version, tlsVersions);
  }
  checkEach("tls.alpnProtocols", tls.alpnProtocols);
  checkEach("tls.ciphers", tls.ciphers);
  optional("tls.receivedRecordBytesMax", tls.receivedRecordBytesMax, 1, 16_384);
}

function checkWebSocket({ path, headers = {} }: NonNullable<UnitedCredentials["webSocket"]>): void {
  if (!path.startsWith("/"))
    throw optionInvalid("webSocket.path", "a path that begins with /", `${path.length} characters`);
  for (const [name, value] of Object.entries(headers)) text(`webSocket.headers.${name}`, value);
}

/** @throws {ThinglineError} OPTION_INVALID */
export function checkSecTag(secTag: number, hasDialer: boolean): void {
  if (!hasDialer) throw optionInvalid("secTag", "none without a secTagDialer", secTag);
  // Security tags are 31-bit numbers on the nRF91.
  integer("secTag", secTag, 0, 2_147_483_647);
}

/** Something about a security tag that is allowed and looks like a mistake. */
export function secTagWarning(secTag: number): ThinglineError | undefined {
  if (secTag !== nrfCloudSecTag) return undefined;
  const message = `security tag ${nrfCloudSecTag} is where nRF Cloud keeps its credentials: they would be used, or written over`;
  return new ThinglineError("SEC_TAG_RESERVED", message, { details: { secTag: nrfCloudSecTag } });
}

/** Names and times of the dial. @throws {ThinglineError} OPTION_INVALID */
export function checkReachDetails(options: DeviceOptions): void {
  if (options.family !== undefined) oneOf("family", options.family, [4, 6] as const);
  if (options.serverName === "") throw optionInvalid("serverName", "a name", "an empty one");
  checkEach("alpnProtocols", options.alpnProtocols);
  if (options.staticAddress !== undefined) checkAddress(options.staticAddress);
  optional("connectTimeoutMs", options.connectTimeoutMs, 1, 3_600_000);
}

function checkAddress(address: string): void {
  const isAddress = /^\d{1,3}(\.\d{1,3}){3}$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[\w.-]+)?$/.test(
    text("staticAddress", address),
  );
  if (!isAddress) throw optionInvalid("staticAddress", "an IPv4 or IPv6 address", address);
}
