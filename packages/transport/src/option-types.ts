import { methodsOf, optionInvalid, type OptionTypes } from "@thingline/protocol";
import type { Clock } from "./clock.js";
import type {
  Connection,
  Dialer,
  DialTarget,
  ListenOptions,
  Network,
  TlsClientOptions,
  TlsServerOptions,
} from "./connection.js";
import type { CredentialStore, KeyMaker, LinkControl, SecTagDialer } from "./credentials.js";
import type { Files } from "./files.js";
import type { Flash } from "./flash.js";
import type { Http, HttpRequest, HttpRequestOptions } from "./http.js";
import type { Keys } from "./keys.js";
import type { Processes } from "./processes.js";
import type { Random } from "./random.js";

/**
 * The interfaces of this package as types of options, for `checkOptionTypes()`: whoever is handed one says at the call what is missing,
 * instead of failing at the first use.
 */
const fromNode = (make: string): string => `${make}() of @thingline/transport/node makes one`;

export const clockOption = methodsOf<Clock>(
  "a Clock",
  { monotonicMs: true, unixMs: true, setTimer: true, afterTurn: true, sleep: true },
  fromNode("createNodeClock"),
);
export const processesOption = methodsOf<Processes>("Processes", { start: true }, fromNode("createNodeProcesses"));
export const randomOption = methodsOf<Random>(
  "a Random",
  { bytes: true, fraction: true, integer: true, uuid: true },
  fromNode("createNodeRandom"),
);
export const dialerOption = methodsOf<Dialer>("a Dialer", { dial: true }, fromNode("createNodeNetwork"));
export const networkOption = methodsOf<Network>(
  "a Network",
  { dial: true, listen: true },
  fromNode("createNodeNetwork"),
);
export const secTagDialerOption = methodsOf<SecTagDialer>("a SecTagDialer", { dial: true });
export const httpOption = methodsOf<Http>("an Http", { request: true }, fromNode("createNodeHttp"));
export const keysOption = methodsOf<Keys>(
  "Keys",
  {
    generate: true,
    sign: true,
    verify: true,
    publicKeyOf: true,
    certificatePublicKey: true,
    sha256: true,
    hmacSha256: true,
  },
  fromNode("createNodeKeys"),
);
export const filesOption = methodsOf<Files>(
  "Files",
  {
    read: true,
    exists: true,
    list: true,
    replace: true,
    append: true,
    flush: true,
    remove: true,
    makeFolder: true,
    lock: true,
  },
  fromNode("createNodeFiles"),
);
export const flashOption = methodsOf<Flash>(
  "a Flash",
  { read: true, write: true, erase: true },
  fromNode("openNodeFlash"),
);
export const credentialStoreOption = methodsOf<CredentialStore>("a CredentialStore", {
  write: true,
  digest: true,
  read: true,
  compare: true,
  delete: true,
  exists: true,
  list: true,
});
export const keyMakerOption = methodsOf<KeyMaker>("a KeyMaker", { makeKey: true });
export const linkControlOption = methodsOf<LinkControl>("a LinkControl", {
  connect: true,
  offline: true,
  normal: true,
  powerOff: true,
});
export const connectionOption = methodsOf<Connection>("a Connection", {
  start: true,
  reserve: true,
  write: true,
  flush: true,
  pause: true,
  resume: true,
  close: true,
  destroy: true,
});

export const tlsClientOptionTypes = {
  ca: "text",
  certificate: "text",
  privateKey: "text",
  serverName: "string",
  alpnProtocols: "array",
  minVersion: "string",
  maxVersion: "string",
  ciphers: "array",
  session: "bytes",
  onSession: "function",
  onRecord: "function",
  receivedRecordBytesMax: "number",
} as const satisfies OptionTypes<TlsClientOptions>;

const webSocketTypes = { path: "string", headers: "object" } as const;

export const dialTargetTypes = {
  host: "string",
  port: "number",
  tls: { options: tlsClientOptionTypes },
  webSocket: { options: webSocketTypes, required: ["path"] },
  connectTimeoutMs: "number",
  family: "number",
} as const satisfies OptionTypes<DialTarget>;

const tlsServerTypes = {
  certificate: "string",
  privateKey: "string",
  requestsClientCertificate: "boolean",
  alpnProtocols: "array",
  handshakeTimeoutMs: "number",
  selectServer: "function",
} as const satisfies OptionTypes<TlsServerOptions>;

export const listenOptionTypes = {
  host: "string",
  port: "number",
  tls: { options: tlsServerTypes, required: ["certificate", "privateKey", "requestsClientCertificate"] },
  webSocket: { options: { path: "string", faultOf: "function", handle: "function" }, required: ["path"] },
  rawAlpnProtocols: "array",
  connectionsMax: "number",
  handshakesMax: "number",
  onRefused: "function",
} as const satisfies OptionTypes<ListenOptions>;

export const httpRequestTypes = {
  method: "string",
  url: "string",
  headers: "object",
  body: "bytes",
} as const satisfies OptionTypes<HttpRequest>;

export const httpRequestOptionTypes = {
  signal: "signal",
  timeoutMs: "number",
  bodyBytesMax: "number",
  tls: { options: { ca: "text", certificate: "text", privateKey: "text" } },
} as const satisfies OptionTypes<HttpRequestOptions>;

/** Infinity: no bound. NaN and 0 would be none either, to those who compare. @throws {ThinglineError} OPTION_INVALID */
export function checkBound(option: string, value: number | undefined): void {
  if (value === undefined || value === Infinity || (Number.isInteger(value) && value >= 1)) return;
  throw optionInvalid(option, "a whole number from 1, or Infinity", value);
}
