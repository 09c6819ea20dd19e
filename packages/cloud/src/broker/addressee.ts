import type { BusMessage } from "../bus/bus.js";
import type { BrokerSession } from "./session.js";
import { thingOwner } from "./session-owner.js";

/** Whom the answer of a service is for: who asked. */
export interface Addressee {
  clientId: string;
  /** What it asked with. Undefined: whoever is the client now. */
  certificateId: string | undefined;
}

export const addresseeOf = ({
  onlyToClientId: clientId,
  onlyToCertificateId: certificateId,
}: Pick<BusMessage, "onlyToClientId" | "onlyToCertificateId">): Addressee | undefined =>
  clientId === undefined ? undefined : { clientId, certificateId };

/**
 * Whether a session is that of who asked, and not of somebody who came under the same client id since, with another certificate. While
 * nobody is connected, what a thing's certificate asked for waits for the thing, and the rest for the certificate.
 */
export function isAddressed(
  { clientId, connection, owner }: Pick<BrokerSession, "clientId" | "connection" | "owner">,
  only: Addressee,
): boolean {
  if (clientId !== only.clientId) return false;
  if (only.certificateId === undefined) return true;
  if (connection !== undefined) return connection.certificateId === only.certificateId;
  return owner === undefined || owner === thingOwner || owner === only.certificateId;
}
