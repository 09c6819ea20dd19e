import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { integerAt, parseInformation, secTagMax } from "@thingline/protocol/at";
import { type CredentialAddress, type CredentialVerb, withReason } from "../credential-refusal.js";
import type { ModemSession, RunCommand } from "../session.js";

/** Runs one command on a credential with numeric errors switched on, since a plain ERROR tells nothing, and puts that back. */
export async function runWithReasons(
  session: ModemSession,
  verb: CredentialVerb,
  address: CredentialAddress,
  line: string,
): Promise<readonly string[]> {
  return session.sequence(async (run) => {
    const wasPlain = await raiseErrorLevel(run);
    let answer: readonly string[];
    try {
      answer = await withReason(verb, address, () => run(line));
    } catch (error) {
      // Only when the modem still speaks; otherwise the first error is the one to tell.
      if (wasPlain && isThinglineError(error, "CREDENTIAL_REFUSED")) await run("AT+CMEE=0");
      throw error;
    }
    if (wasPlain) await run("AT+CMEE=0");
    return answer;
  });
}

/** @returns whether errors were plain before, so that they have to become so again. */
async function raiseErrorLevel(run: RunCommand): Promise<boolean> {
  const [line = ""] = await run("AT+CMEE?");
  const level = integerAt(parseInformation(line)?.parameters ?? [], 0);
  if (level !== 0) return false;
  await run("AT+CMEE=1");
  return true;
}

export function checkSecTag(secTag: number): void {
  if (Number.isInteger(secTag) && secTag >= 0 && secTag <= secTagMax) return;
  const message = `secTag: expected an integer from 0 to ${secTagMax}, got ${secTag}`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "secTag" } });
}
