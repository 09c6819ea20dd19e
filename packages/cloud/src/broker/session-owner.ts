import type { Authorizer, ConnectionIdentity } from "../policy/authorizer.js";

// The one place that says whose a session is. AWS does not document it; `sessionOwner: "clientId"` is what is believed of AWS.

/**
 * `principal`: a session belongs to the thing that the principal is attached to where that thing's name is the client id, else to the
 * certificate. `clientId`: to whoever connects under the client id, as AWS is believed to do.
 */
export type SessionOwnerRule = "principal" | "clientId";

/** The thing whose name is the client id. */
export const thingOwner = "thing";
/** Nobody can tell the clients of the plain TCP port apart. */
export const anonymousOwner = "anonymous";

/** {@link thingOwner}, {@link anonymousOwner}, a certificate id, or a principal of an authorizer. Undefined in records of earlier releases. */
export type SessionOwner = string;

/** Stands in no client id. */
const separator = "\0";

export function ownerOf(
  clientId: string,
  { thingName }: Pick<Authorizer, "thingName">,
  { certificateId, principalId }: Pick<ConnectionIdentity, "certificateId" | "principalId">,
): SessionOwner {
  if (thingName === clientId) return thingOwner;
  if (certificateId !== undefined) return certificateId;
  // No certificate has such an id, whatever an authorizer calls somebody.
  return principalId === undefined ? anonymousOwner : `authorizer ${principalId}`;
}

/**
 * What a session is kept under. The first one of a client id has the client id itself; a session of somebody else that comes while that one
 * is there has a name of its own, so that neither can end, empty or read the other's.
 */
export type SessionName = string;

export function nameBeside(clientId: string, owner: SessionOwner): SessionName {
  return besidePrefix(clientId) + owner;
}

/** What the names of a client id's sessions begin with, but for the one that has the client id itself. */
export const besidePrefix = (clientId: string): string => clientId + separator;

export function clientIdOfName(name: SessionName): string {
  const end = name.indexOf(separator);
  return end < 0 ? name : name.slice(0, end);
}
