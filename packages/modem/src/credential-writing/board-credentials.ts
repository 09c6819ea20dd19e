import { ThinglineError } from "@thingline/protocol";
import {
  credentialTypeName,
  formatAtCommand,
  parseCredentialLine,
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
