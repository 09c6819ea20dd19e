import { type ErrorCode, kindOf, ThinglineError } from "@thingline/protocol";
import { connectionOption } from "@thingline/transport";

/**
 * How an attempt to connect ended, after the result codes of Nordic's aws_iot library, and the number each has
 * there (`undefined`: the original has none). Two differences: a host that cannot be resolved and a port where
 * nobody listens are `network`, where the original confuses them with "SIM out of data" and "bad certificate".
 */
export const connectResults = {
  success: 0,
  notInitialised: -1,
  invalidParameter: -2,
  /** Name not resolved, nobody listens, no LTE registration. */
  network: -3,
  /** Of other cloud backends: this library never gives it. */
  backend: -4,
  misc: -5,
  /** The original's buffers have a fixed size; never given here. */
  noMemory: -6,
  /** The private key is unusable or does not fit the certificate. */
  privateKey: -7,
  /** The CA does not vouch for the server, or the server refused our certificate during the handshake. */
  certificate: -8,
  /** The security tag lacks a credential, or the store refused it. */
  certificateMisc: -9,
  /** No answer in time: on LTE often a SIM without data left. */
  timeout: -10,
  alreadyConnected: -11,
  /** CONNACK with a code other than 0, which is in `details.reasonCode`. */
  refused: undefined,
  /** The server closed before CONNACK, as AWS IoT does when it denies a connection under MQTT 3.1.1. */
  closedByRemote: undefined,
  aborted: undefined,
} as const;

export type ConnectResult = keyof typeof connectResults;

const resultsByCode: Readonly<Partial<Record<ErrorCode, ConnectResult>>> = {
  ABORTED: "aborted",
  CERTIFICATE_INVALID: "certificate",
  CONNECTION_LOST: "closedByRemote",
  CONNECTION_REFUSED: "network",
  CREDENTIAL_MISSING: "certificateMisc",
  CREDENTIAL_REFUSED: "certificateMisc",
  HOST_NOT_FOUND: "network",
  KEY_INVALID: "privateKey",
  KEY_MISMATCH: "privateKey",
  LINK_FAILED: "network",
  MQTT_CONNECT_REFUSED: "refused",
  MQTT_DISCONNECTED: "closedByRemote",
  NOT_INITIALISED: "notInitialised",
  OPTION_INVALID: "invalidParameter",
  TIMEOUT: "timeout",
  TLS_HANDSHAKE_FAILED: "certificate",
  TLS_PEER_UNTRUSTED: "certificate",
};

/** The result that an error of the dialer, the session or {@link connectDevice} stands for. */
export function connectResultOf(error: unknown): ConnectResult {
  if (!(error instanceof ThinglineError)) return "misc";
  const told = error.details["connectResult"];
  if (typeof told === "string" && told in connectResults) return told as ConnectResult;
  return resultsByCode[error.code] ?? "misc";
}

export interface AttemptFacts {
  host: string;
  port: number;
  clientId: string;
  /** AWS IoT denies a connection whose will it would not let this client publish. */
  lastWillTopic: string | undefined;
  /** Where the credentials came from, in words: `security tag 43 (modem TLS)`. */
  credentials: string;
  hasCertificate: boolean;
  protocol: "TLSv1.2" | "TLSv1.3" | undefined;
}

/** An error of the dialer, with the address, the result and the cause. */
export function dialError(error: unknown, facts: AttemptFacts): ThinglineError {
  const result = connectResultOf(error);
  const code = error instanceof ThinglineError ? error.code : isDefect(error) ? "ADAPTER_FAILED" : "CONNECTION_LOST";
  if (code === "ADAPTER_FAILED") return adapterError(error, facts, result);
  const details = error instanceof ThinglineError ? error.details : {};
  const reason = error instanceof Error ? error.message : String(error);
  // Under TLS 1.2 a server refuses a client certificate in the middle of the handshake, with an alert or without.
  const hint = facts.hasCertificate && handshakeEndings.has(code) ? `. ${whatToCheck(facts)}` : "";
  const message = `no connection to ${facts.host}:${facts.port} with ${facts.credentials}: ${reason}${hint}`;
  return new ThinglineError(code, message, { details: { ...details, connectResult: result }, cause: error });
}

/**
 * A mistake in a program, and not an answer of the network: what JavaScript itself throws, or no error at all. `fetch()` reports the
 * network by a TypeError with a cause.
 */
function isDefect(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  const isOfLanguage = /^(?:Type|Range|Reference|Syntax|Eval|URI|Assertion)Error$/u.test(error.name);
  const { code } = error as { code?: unknown };
  return (
    (isOfLanguage && !(error.cause instanceof Error)) || (typeof code === "string" && code.startsWith("ERR_INVALID_"))
  );
}

function adapterError(error: unknown, facts: AttemptFacts, connectResult: ConnectResult): ThinglineError {
  const what =
    error instanceof ThinglineError
      ? error.message
      : `it threw ${error instanceof Error ? `${error.name}: ${error.message}` : kindOf(error)}`;
  const message = `the dialer for ${facts.host}:${facts.port} is at fault, not the network: ${what}`;
  return new ThinglineError("ADAPTER_FAILED", message, { details: { connectResult }, cause: error });
}

/** @throws {ThinglineError} ADAPTER_FAILED: what a dialer gave is no connection */
export function requireConnection(connection: unknown): void {
  const given = connection as Readonly<Record<string, unknown>> | null | undefined;
  const missing = connectionOption.methods.filter((method) => typeof given?.[method] !== "function");
  if (missing.length === 0) return;
  const lack = missing.length === connectionOption.methods.length ? "" : ` without ${missing.join(", ")}`;
  throw new ThinglineError("ADAPTER_FAILED", `dial() gave ${kindOf(connection)}${lack} instead of a Connection`);
}

/** The connection was open and ended, or was ended, before CONNACK 0. */
export function attemptError(error: ThinglineError | undefined, facts: AttemptFacts): ThinglineError {
  const address = `${facts.host}:${facts.port}`;
  const code = error?.code ?? "CONNECTION_LOST";
  const details = { ...error?.details, connectResult: connectResultOf(error ?? lostError) };
  if (code === "CONNECTION_LOST") {
    return new ThinglineError(code, closedWithoutAnswer(address, facts, error), { details, cause: error });
  }
  if (code === "TLS_HANDSHAKE_FAILED") {
    const message = `${address} refused the client certificate (${facts.credentials}) after the TLS handshake: ${error?.message}. ${whatToCheck(facts)}`;
    return new ThinglineError(code, message, { details, cause: error });
  }
  const hint = notAuthorized.has(Number(error?.details["reasonCode"])) ? ` ${whatToCheck(facts)}` : "";
  return new ThinglineError(code, `${address}: ${error?.message}.${hint}`, { details, cause: error });
}

/** CONNACK 5 of MQTT 3.1.1 and 0x87 of 5; no other code means this in either. */
const notAuthorized = new Set([5, 0x87]);

const handshakeEndings = new Set<ErrorCode>(["CONNECTION_LOST", "TLS_HANDSHAKE_FAILED"]);
const lostError = new ThinglineError("CONNECTION_LOST", "closed");

function closedWithoutAnswer(address: string, facts: AttemptFacts, error: ThinglineError | undefined): string {
  // An orderly close says nothing more; a reset or a dead link does.
  const how = error === undefined || error.details["inFlightCount"] !== undefined ? "" : ` (${error.message})`;
  const late = facts.protocol === "TLSv1.3" ? " Under TLS 1.3 a refused client certificate shows only now, too." : "";
  return (
    `${address} closed the connection without answering CONNECT${how}, as AWS IoT does when it denies a connection.` +
    `${late} ${whatToCheck(facts)}`
  );
}

function whatToCheck(facts: AttemptFacts): string {
  return (
    `Check that the certificate (${facts.credentials}) is registered and ACTIVE, and that a policy attached to it ` +
    `allows iot:Connect for client id "${facts.clientId}"` +
    (facts.lastWillTopic === undefined
      ? ""
      : `, and iot:Publish on the topic of its last will, "${facts.lastWillTopic}"`)
  );
}
