import { isThinglineError, ThinglineError } from "@thingline/protocol";
import {
  credentialTypeName,
  credentialTypeNumbers,
  formatAtCommand,
  parseCredentialLine,
  parseInformation,
  reservedSecTags,
  secTagMax,
} from "@thingline/protocol/at";
import type { CredentialType } from "@thingline/transport";
import type { ModemSession, RunCommand } from "../session.js";
import { checkWritableTag } from "./checked-plan.js";
import { deleteCredential } from "./tag-commands.js";
import { whileOffline } from "./while-offline.js";

/** One credential of a modem, the vendor's own included. */
export interface BoardCredential {
  secTag: number;
  /** The number of `%CMNG`. */
  type: number;
  /** Undefined for the vendor's types. */
  name: CredentialType | undefined;
  /** Lower-case hexadecimal; undefined on firmware up to 1.0, which tells none. */
  sha256: string | undefined;
  /** Nordic's own, which nobody changes. */
  isReserved: boolean;
}

/**
 * All that a modem has, in its order.
 *
 * @throws {ThinglineError} MODEM_RESPONSE_INVALID for an answer that was damaged on its way, and those of the session.
 */
export async function listBoardCredentials(
  session: Pick<ModemSession, "command">,
  { secTag, signal }: { secTag?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<BoardCredential[]> {
  const line = formatAtCommand("%CMNG", secTag === undefined ? [1] : [1, secTag]);
  const answer = await session.command(line, signal === undefined ? {} : { signal });
  return answer.map((each) => readEntry(each, secTag));
}

function readEntry(line: string, wanted: number | undefined): BoardCredential {
  const entry = parseCredentialLine(line);
  const isSound = entry?.sha256 === undefined || /^[0-9A-F]{64}$/iu.test(entry.sha256);
  if (entry === undefined || !isSound || (wanted !== undefined && entry.secTag !== wanted)) {
    const message =
      "AT%CMNG=1: a line of the answer is not what the command promises; the line to the modem may damage it";
    throw new ThinglineError("MODEM_RESPONSE_INVALID", message);
  }
  const { secTag, type } = entry;
  const isReserved = reservedSecTags.includes(secTag) || secTag > secTagMax + 20;
  return { secTag, type, name: credentialTypeName(type), sha256: entry.sha256?.toLowerCase(), isReserved };
}

/**
 * Deletes what a tag has, or one type of it, offline, and leaves the modem as it was. The CA goes first: what is left never looks whole.
 *
 * @returns what was there and is not any more, asked from the modem.
 * @throws {ThinglineError} OPTION_INVALID, CREDENTIAL_REFUSED, CREDENTIAL_NOT_VERIFIED when it is there all the same, and those of the session.
 */
export async function deleteBoardCredentials(
  session: ModemSession,
  {
    secTag,
    type,
    force = false,
    signal,
  }: { secTag: number; type?: number | undefined; force?: boolean; signal?: AbortSignal | undefined },
): Promise<BoardCredential[]> {
  checkWritableTag(secTag, { force });
  const list = async (run: RunCommand) =>
    (await run(formatAtCommand("%CMNG", [1, secTag]))).map((line) => readEntry(line, secTag));
  const isWanted = (entry: BoardCredential) => type === undefined || entry.type === type;
  return whileOffline(
    session,
    async (run) => {
      const entries = (await list(run)).filter(isWanted).toSorted((left, right) => left.type - right.type);
      for (const entry of entries) await deleteCredential(run, { secTag, type: entry.name ?? entry.type });
      const [left] = (await list(run)).filter(isWanted);
      if (left === undefined) return entries;
      const message = `type ${left.type} of security tag ${secTag} is there still, although the modem said OK`;
      throw new ThinglineError("CREDENTIAL_NOT_VERIFIED", message, { details: { secTag, item: left.type } });
    },
    { signal },
  );
}

/** When a certificate ends, as a modem with firmware for it tells. Unix time in seconds. */
export interface BoardCertificate {
  serialNumber: string;
  notBefore: number;
  notAfter: number;
}

/**
 * `AT%CERTEXPIRY`, which newer firmware has for CA and client certificates.
 *
 * @returns undefined where the firmware does not offer it, or there is no such certificate.
 */
export async function readCertificateExpiry(
  session: Pick<ModemSession, "command">,
  { secTag, type, signal }: { secTag: number; type: "ca" | "certificate"; signal?: AbortSignal | undefined },
): Promise<BoardCertificate | undefined> {
  const line = formatAtCommand("%CERTEXPIRY", [secTag, credentialTypeNumbers[type]]);
  try {
    const answer = await session.command(line, signal === undefined ? {} : { signal });
    return answer.map(readExpiry).find((each) => each !== undefined);
  } catch (error) {
    if (isThinglineError(error, "MODEM_COMMAND_REJECTED")) return undefined;
    throw error;
  }
}

function readExpiry(line: string): BoardCertificate | undefined {
  const information = parseInformation(line);
  if (information?.name !== "%CERTEXPIRY") return undefined;
  const [serialNumber = "", from = "", to = ""] = information.text.trim().replaceAll('"', "").split(",");
  const notBefore = readCompactTime(from);
  const notAfter = readCompactTime(to);
  return notBefore === undefined || notAfter === undefined ? undefined : { serialNumber, notBefore, notAfter };
}

/** `yyyymmddhhmmssZ`. */
function readCompactTime(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/u.exec(text.trim())?.slice(1).map(Number);
  if (parts === undefined) return undefined;
  const [year = 0, month = 0, ...rest] = parts as [number, number, number, number, number, number];
  return Date.UTC(year, month - 1, ...rest) / 1000;
}
