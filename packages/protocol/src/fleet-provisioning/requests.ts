import { readMembers, writeMembers, type Members, type MessageFormat } from "../cbor/members.js";
import {
  fleetProvisioningMessageBytesMax,
  ownershipTokenCharactersMax,
  provisioningParameterNameCharactersMax,
  provisioningParametersMax,
  signingRequestCharactersMax,
} from "./limits.js";
import type { FleetProvisioningRejection } from "./rejection.js";

// What a device asks for, as both ends see it.

export interface CreateCertificateFromCsrRequest {
  /** PEM. */
  certificateSigningRequest: string;
}

export interface RegisterThingRequest {
  /** What came with the certificate. */
  certificateOwnershipToken: string;
  /** For the template, and for its hook. */
  parameters: Readonly<Record<string, string>>;
}

/** What a server makes of a request: what it asks for, or how it is refused. */
export type ReadFleetProvisioningRequest<Request> = { request: Request } | { rejection: FleetProvisioningRejection };

/** AWS takes a message without members, or an empty one; the first is a document in either format. */
export function encodeCreateKeysAndCertificateRequest(format: MessageFormat): Uint8Array {
  return writeMembers({}, format);
}

export function encodeCreateCertificateFromCsrRequest(
  { certificateSigningRequest }: CreateCertificateFromCsrRequest,
  format: MessageFormat,
): Uint8Array {
  return writeMembers({ certificateSigningRequest }, format);
}

export function encodeRegisterThingRequest(request: RegisterThingRequest, format: MessageFormat): Uint8Array {
  const { certificateOwnershipToken, parameters } = request;
  return writeMembers({ certificateOwnershipToken, parameters }, format);
}

/** Members are passed over, as there are none that it takes. */
export function decodeCreateKeysAndCertificateRequest(
  payload: Uint8Array,
  format: MessageFormat,
): ReadFleetProvisioningRequest<Record<never, never>> {
  if (payload.length === 0) return { request: {} };
  return membersOf(payload, format) === undefined ? { rejection: unparsable } : { request: {} };
}

export function decodeCreateCertificateFromCsrRequest(
  payload: Uint8Array,
  format: MessageFormat,
): ReadFleetProvisioningRequest<CreateCertificateFromCsrRequest> {
  const members = membersOf(payload, format);
  if (members === undefined) return { rejection: unparsable };
  const certificateSigningRequest = members.get("certificateSigningRequest") ?? "";
  if (typeof certificateSigningRequest !== "string") return { rejection: unparsable };
  const { length } = certificateSigningRequest;
  if (length === 0) return refused("InvalidCSR", "Certificate signing request cannot be empty.");
  if (length > signingRequestCharactersMax)
    return refused(
      "InvalidCSR",
      `Certificate signing request has more than ${signingRequestCharactersMax} characters.`,
    );
  return { request: { certificateSigningRequest } };
}

export function decodeRegisterThingRequest(
  payload: Uint8Array,
  format: MessageFormat,
): ReadFleetProvisioningRequest<RegisterThingRequest> {
  const members = membersOf(payload, format);
  if (members === undefined) return { rejection: unparsable };
  const certificateOwnershipToken = members.get("certificateOwnershipToken") ?? "";
  const parameters = parametersOf(members.get("parameters") ?? {});
  if (typeof certificateOwnershipToken !== "string" || parameters === undefined) return { rejection: unparsable };
  const tokenCode = "InvalidCertificateOwnershipToken";
  if (certificateOwnershipToken === "") return refused(tokenCode, "Certificate ownership token cannot be empty.");
  if (certificateOwnershipToken.length > ownershipTokenCharactersMax)
    return refused(tokenCode, "Certificate ownership token is invalid.");
  if (parameters.length > provisioningParametersMax)
    return refused("InvalidParameters", `There are more than ${provisioningParametersMax} parameters.`);
  if (parameters.some(([name]) => name === "" || name.length > provisioningParameterNameCharactersMax))
    return refused("InvalidParameters", "The name of a parameter is empty or too long.");
  return { request: { certificateOwnershipToken, parameters: Object.fromEntries(parameters) } };
}

/** What AWS says of any payload that is not of its format, or has members of other kinds. */
const unparsable: FleetProvisioningRejection = {
  statusCode: 400,
  errorCode: "InvalidPayload",
  errorMessage: "Message cannot be parsed",
};

const refused = (errorCode: string, errorMessage: string): { rejection: FleetProvisioningRejection } => ({
  rejection: { statusCode: 400, errorCode, errorMessage },
});

const membersOf = (payload: Uint8Array, format: MessageFormat): Members | undefined =>
  payload.length > fleetProvisioningMessageBytesMax ? undefined : readMembers(payload, format);

/** @returns undefined unless each is a text */
function parametersOf(value: unknown): [string, string][] | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array)
    return undefined;
  const all = value instanceof Map ? [...(value as Members)] : Object.entries(value);
  return all.every((each): each is [string, string] => typeof each[1] === "string") ? all : undefined;
}
