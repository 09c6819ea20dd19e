import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { describeCmeError } from "@thingline/protocol/at";
import type { CredentialType } from "@thingline/transport";

/** What to do about a refused `%CMNG`, by `+CME ERROR` code. */
const advice: Readonly<Record<number, string>> = {
  50: "check security tag, type and content",
  51: "this modem firmware does not offer the command",
  513: "nothing is stored there",
  514: "this type or tag is protected: private keys and PSKs are never read back, the vendor's tags never changed",
  515: "delete security tags that are no longer used, then write again",
  518: "take the modem offline first (AT+CFUN=4)",
  519: "delete what is there first",
  520: "the modem wants authenticated commands (%XSUDO)",
  527:
    "the firmware checks certificates: a complete PEM with its line ends is expected " +
    "(text flattened to one line does not do)",
  528: "the supply voltage is too low for writing; charge or change the battery",
};

export type CredentialVerb = "write" | "read" | "delete" | "list" | "generate";

/** One credential that was asked for, for errors. Never its content. */
export interface CredentialAddress {
  secTag: number;
  type: CredentialType | number;
}

/**
 * CREDENTIAL_REFUSED with the modem's code in `details.cme` and what to do about it.
 *
 * @param cme Undefined for a plain ERROR.
 */
export function credentialRefused(
  verb: CredentialVerb,
  { secTag, type }: CredentialAddress,
  cme: number | undefined,
  cause?: unknown,
): ThinglineError {
  const what = `the modem refused to ${verb} ${type} of security tag ${secTag}`;
  const reason =
    cme === undefined
      ? "ERROR: the modem took it for malformed: an empty or too long text, or a tag out of range"
      : `${describeCmeError(cme)}: ${advice[cme] ?? "see +CME ERROR in the AT reference of the modem firmware"}`;
  return new ThinglineError("CREDENTIAL_REFUSED", `${what}: ${reason}`, {
    details: { secTag, type, ...(cme === undefined ? {} : { cme }) },
    cause,
  });
}

/** What a command answers, its refusal with a reason in words. @throws {ThinglineError} CREDENTIAL_REFUSED, and whatever else `act` throws */
export async function withReason<Answer>(
  verb: CredentialVerb,
  address: CredentialAddress,
  act: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await act();
  } catch (error) {
    if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
    const { cme } = error.details;
    throw credentialRefused(verb, address, typeof cme === "number" ? cme : undefined, error);
  }
}

/** Whether a modem refused because nothing is stored there. */
export function isNotStored(error: unknown): boolean {
  return isThinglineError(error, "CREDENTIAL_REFUSED") && error.details["cme"] === 513;
}
