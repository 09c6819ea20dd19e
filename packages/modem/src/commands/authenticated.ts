import { optionInvalid, ThinglineError } from "@thingline/protocol";
import { encodeBase64 } from "@thingline/protocol/x509";
import { formatCommand, parseAnswer } from "../at/table.js";
import { isNotStored } from "../credential-refusal.js";
import type { CommandOptions, ModemSession } from "../session.js";
import { ask, type SequenceSession } from "./ask.js";
import { runWithReasons } from "./reasons.js";

/** Type of a public key in the modem's storage. */
const publicKeyType = 5;

/** Which of the modem's ten keys for authenticated commands; default: the first. */
export interface KeySlotOptions {
  slot?: number;
}

/**
 * `AT%XPMNG=0`: gives the modem the public key of whoever may send authenticated commands (P-256, PEM). The modem has to be offline.
 *
 * @throws {ThinglineError} CREDENTIAL_REFUSED with the number in `details.cme`: 519 and 520 where there is a key, which `AT%CMNG=3` deletes; and
 * those of {@link ModemSession.command}.
 */
export async function writeCommandKey(
  session: ModemSession,
  publicKeyPem: string,
  { slot }: KeySlotOptions = {},
): Promise<void> {
  const line = formatCommand("%XPMNG=", { operation: "write", content: publicKeyPem, slot });
  await runWithReasons(session, "write", { secTag: slot ?? 0, type: publicKeyType }, line);
}

/** `AT%XPMNG=2`: undefined where there is none. @throws as {@link writeCommandKey}, and MODEM_RESPONSE_INVALID */
export async function readCommandKey(
  session: ModemSession,
  { slot }: KeySlotOptions = {},
): Promise<string | undefined> {
  const line = formatCommand("%XPMNG=", { operation: "read", slot });
  try {
    const lines = await runWithReasons(session, "read", { secTag: slot ?? 0, type: publicKeyType }, line);
    const answer = parseAnswer("%XPMNG=", lines);
    if (answer?.value !== undefined) return answer.value;
    throw new ThinglineError("MODEM_RESPONSE_INVALID", "AT%XPMNG: no public key in the answer to a read");
  } catch (error) {
    if (isNotStored(error)) return undefined;
    throw error;
  }
}

export interface AuthenticatedOptions extends KeySlotOptions, CommandOptions {
  /** Signs with ECDSA and SHA-256, by the private key to which the modem has the public one: DER, as `Keys.sign` does. */
  sign: (data: Uint8Array) => Promise<Uint8Array>;
}

/**
 * `AT%XSUDO=`: runs a command that the modem takes from nobody else.
 *
 * @param command As any other, `AT%CMNG=1` for example.
 * @returns its answer.
 * @throws {ThinglineError} OPTION_INVALID, and those of {@link ModemSession.command}: 520 when the signature is another key's
 */
export async function runAuthenticated(
  session: SequenceSession,
  command: string,
  { sign, slot, ...options }: AuthenticatedOptions,
): Promise<readonly string[]> {
  const bare = /^AT([+%][^]+)$/i.exec(command)?.[1];
  if (bare === undefined) throw optionInvalid("command", "AT, + or %, and a command", "something else");
  const signature = encodeBase64(await sign(new TextEncoder().encode(bare)));
  const values = { length: bare.length, signature, slot, command: bare };
  return session.sequence((run) => ask(run, "%XSUDO=", values, options), options);
}
