import { ThinglineError } from "@thingline/protocol";
import { credentialTypeNumbers } from "@thingline/protocol/at";
import { formatCommand, parseAnswer } from "../at/table.js";
import type { ModemSession } from "../session.js";
import { checkSecTag, runWithReasons } from "./reasons.js";

/** A certificate in a modem, as far as `AT%CERTEXPIRY` tells. */
export interface CertificateExpiry {
  /** Hexadecimal. */
  serialNumber: string;
  /** Unix seconds. */
  notBefore: number;
  notAfter: number;
}

/**
 * `AT%CERTEXPIRY=`: how long a certificate is valid, asked of the modem that holds it (nRF91x1).
 *
 * @throws {ThinglineError} CREDENTIAL_REFUSED with the number in `details.cme`: 513 where there is none, 527 where it is no certificate;
 * OPTION_INVALID, MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}.
 */
export async function readCertificateExpiry(
  session: ModemSession,
  secTag: number,
  type: "ca" | "certificate",
): Promise<CertificateExpiry> {
  checkSecTag(secTag);
  const line = formatCommand("%CERTEXPIRY=", { secTag, type: credentialTypeNumbers[type] });
  const answer = parseAnswer("%CERTEXPIRY=", await runWithReasons(session, "read", { secTag, type }, line));
  if (answer !== undefined) return answer.value;
  const message = `AT%CERTEXPIRY for security tag ${secTag}: expected a serial number and two times`;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag, type } });
}
