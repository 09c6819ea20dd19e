import { ThinglineError } from "@thingline/protocol";
import { integerAt, parseCredentialLine, parseInformation, parseRegistrationRead } from "@thingline/protocol/at";
import { linkFailed } from "../commands/link-control.js";
import type { RunCommand } from "../session.js";
import type { SocketConnect } from "./socket-commands.js";
import { unlessRejected } from "../failures.js";

/** Error numbers of the modem library that a connect may fail with. */
const errnos = { badKey: 22, tls: 95, refused: 111, timedOut: [110, 116], noHost: [113, 118] } as const;

/** A connect that took so long ran out of time; a refusal comes within a few round trips. */
export const refusalMsMax = 15_000;

/** How a connect failed, as far as its command told. */
export interface ConnectFailure {
  target: SocketConnect;
  tookMs: number;
  /** What stood in front of the ERROR. */
  information: readonly string[];
  /** Connects a plain socket to the same place and closes it. @returns whether it could. */
  reachesPlain: () => Promise<{ reached: boolean; tookMs: number }>;
}

/**
 * Why a connect failed. The application's ERROR mostly has no reason, so the modem is asked: whether it is registered, whether it finds the
 * host, what lies in the security tag, and whether the same place can be reached without TLS.
 */
export async function explainFailure(run: RunCommand, failure: ConnectFailure): Promise<ThinglineError> {
  const { target, tookMs, information } = failure;
  const errno = errnoIn(information);
  if (errno !== undefined) return byErrno(errno, target);
  const link = await linkFault(run);
  if (link !== undefined) return link;
  if (!(await hasAddress(run, target))) return hostError(target);
  if (target.tls === undefined) return unreachable(target, tookMs);
  const missing = await missingCredentials(run, target.tls.secTag);
  if (missing !== undefined) return missing;
  const plain = await failure.reachesPlain();
  return plain.reached ? tlsError(target) : unreachable(target, Math.max(tookMs, plain.tookMs));
}

/** `#XCONNECT: -111`, `#XCONNECT: 0,-111`, `#XTCPCLI: -111,"not connected"`: the number of the modem library, without its sign. */
function errnoIn(lines: readonly string[]): number | undefined {
  for (const line of lines) {
    const { parameters } = parseInformation(line) ?? { parameters: [] };
    for (let index = 0; index < parameters.length; index++) {
      const value = integerAt(parameters, index);
      if (value !== undefined && value < 0) return -value;
    }
  }
  return undefined;
}

function byErrno(errno: number, target: SocketConnect): ThinglineError {
  if (errno === errnos.tls || errno === errnos.badKey) return tlsError(target, errno);
  if (errno === errnos.refused) return unreachable(target, 0);
  if (errnos.timedOut.some((number) => number === errno)) return unreachable(target, refusalMsMax);
  if (errnos.noHost.some((number) => number === errno)) return hostError(target);
  const { host, port } = target;
  const message = `the modem could not connect to ${host}:${port}: error ${errno}`;
  return new ThinglineError("CONNECTION_LOST", message, { details: { host, port, errno } });
}

async function linkFault(run: RunCommand): Promise<ThinglineError | undefined> {
  const line = (await askedFor(run, "AT+CEREG?")).find((text) => text.startsWith("+CEREG:"));
  const status = line === undefined ? undefined : parseRegistrationRead(line)?.registration.status;
  if (status === undefined) return undefined;
  if (status === "home" || status === "roaming") return undefined;
  return linkFailed(status);
}

async function hasAddress(run: RunCommand, { host }: SocketConnect): Promise<boolean> {
  if (isAddress(host)) return true;
  let isFound = true;
  const onInformation = (line: string) => {
    if (line.startsWith("#XGETADDRINFO:")) isFound = !line.includes("not found");
  };
  await asked(run, `AT#XGETADDRINFO="${host}"`, onInformation);
  return isFound;
}

export function isAddress(host: string): boolean {
  return /^[0-9]+(?:\.[0-9]+){3}$/.test(host) || host.includes(":");
}

async function missingCredentials(run: RunCommand, secTag: number): Promise<ThinglineError | undefined> {
  const missing = await missingIn(run, secTag);
  // A device gives up over it, so a line that was lost must not say it: two answers have to agree.
  if (missing.length === 0 || String(await missingIn(run, secTag)) !== String(missing)) return undefined;
  const message = `security tag ${secTag} of the modem has no ${missing.join(", no ")}`;
  return new ThinglineError("CREDENTIAL_MISSING", message, { details: { secTag, missing: missing.join(", ") } });
}

const credentialNames = ["root certificate (type 0)", "client certificate (type 1)", "private key (type 2)"] as const;

async function missingIn(run: RunCommand, secTag: number): Promise<string[]> {
  const lines = await asked(run, `AT%CMNG=1,${secTag}`);
  // A build that refuses to list says nothing about what there is.
  if (lines === undefined) return [];
  const types = new Set(lines.flatMap((line) => parseCredentialLine(line)?.type ?? []));
  // A pre-shared key takes the place of certificates.
  if (types.has(3) && types.has(4)) return [];
  return credentialNames.filter((_, type) => !types.has(type));
}

function tlsError({ host, port, tls }: SocketConnect, errno: number = errnos.tls): ThinglineError {
  const secTag = tls?.secTag ?? 0;
  const message =
    `TLS between the modem and ${host}:${port} failed (error ${errno}): with what lies under security tag ${secTag}, the modem does not ` +
    `trust the server, or the server does not take the certificate`;
  return new ThinglineError("TLS_HANDSHAKE_FAILED", message, { details: { host, port, secTag, errno } });
}

function hostError({ host }: SocketConnect): ThinglineError {
  return new ThinglineError("HOST_NOT_FOUND", `the modem finds no address of ${host}`, { details: { host } });
}

function unreachable({ host, port }: SocketConnect, tookMs: number): ThinglineError {
  if (tookMs < refusalMsMax) {
    const message = `${host}:${port} refused the modem's connection`;
    return new ThinglineError("CONNECTION_REFUSED", message, { details: { host, port } });
  }
  const message = `the modem got no answer from ${host}:${port}: nothing is there, or the SIM card has no data`;
  return new ThinglineError("TIMEOUT", message, { details: { host, port } });
}

const askedFor = async (run: RunCommand, line: string): Promise<readonly string[]> => (await asked(run, line)) ?? [];

/** @returns undefined when the modem refuses to tell. */
function asked(
  run: RunCommand,
  line: string,
  onInformation: (line: string) => void = () => undefined,
): Promise<readonly string[] | undefined> {
  return unlessRejected(run(line, { onInformation }));
}
