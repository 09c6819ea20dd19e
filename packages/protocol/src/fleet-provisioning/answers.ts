import { readMembers, writeMembers, type Members, type MessageFormat } from "../cbor/members.js";
import { ThinglineError } from "../errors.js";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.js";
import {
  certificatePemCharactersMax,
  deviceConfigurationDepthMax,
  fleetProvisioningMessageBytesMax,
  ownershipTokenCharactersMax,
  privateKeyPemCharactersMax,
} from "./limits.js";

// What the service accepts with, as both ends see it.

/** `accepted` of CreateCertificateFromCsr. */
export interface CreateCertificateFromCsrAnswer {
  /** SHA-256 of the certificate, 64 hexadecimal digits. */
  certificateId: string;
  certificatePem: string;
  /** Opaque; proves in RegisterThing that the certificate is the asker's. */
  certificateOwnershipToken: string;
}

/** `accepted` of CreateKeysAndCertificate. */
export interface CreateKeysAndCertificateAnswer extends CreateCertificateFromCsrAnswer {
  /** PEM. */
  privateKey: string;
}

/** `accepted` of RegisterThing. */
export interface RegisterThingAnswer {
  /** `{}` where the template has none. AWS's have no objects within. */
  deviceConfiguration: JsonObject;
  /** Absent when the template makes no thing. */
  thingName?: string;
}

/** In the order of AWS's guide. */
export function encodeCreateKeysAndCertificateAnswer(
  answer: CreateKeysAndCertificateAnswer,
  format: MessageFormat,
): Uint8Array {
  const { certificateId, certificatePem, privateKey, certificateOwnershipToken } = answer;
  const members = { certificateId, certificatePem, privateKey, certificateOwnershipToken };
  return writeMembers(members, format, { isAnswer: true });
}

export function encodeCreateCertificateFromCsrAnswer(
  { certificateId, certificatePem, certificateOwnershipToken }: CreateCertificateFromCsrAnswer,
  format: MessageFormat,
): Uint8Array {
  return writeMembers({ certificateId, certificatePem, certificateOwnershipToken }, format, { isAnswer: true });
}

export function encodeRegisterThingAnswer(answer: RegisterThingAnswer, format: MessageFormat): Uint8Array {
  const { deviceConfiguration, thingName } = answer;
  return writeMembers({ deviceConfiguration, thingName }, format, { isAnswer: true });
}

/** What the PEM texts hold is not looked at. @throws {ThinglineError} PROVISIONING_ANSWER_INVALID */
export function decodeCreateKeysAndCertificateAnswer(
  payload: Uint8Array,
  format: MessageFormat,
): CreateKeysAndCertificateAnswer {
  const members = requireMembers(payload, format);
  const privateKey = text(members, "privateKey", privateKeyPemCharactersMax);
  return { ...certificateOf(members), privateKey };
}

/** What the PEM text holds is not looked at. @throws {ThinglineError} PROVISIONING_ANSWER_INVALID */
export function decodeCreateCertificateFromCsrAnswer(
  payload: Uint8Array,
  format: MessageFormat,
): CreateCertificateFromCsrAnswer {
  return certificateOf(requireMembers(payload, format));
}

/** A name of a thing that is empty is as good as none. @throws {ThinglineError} PROVISIONING_ANSWER_INVALID */
export function decodeRegisterThingAnswer(payload: Uint8Array, format: MessageFormat): RegisterThingAnswer {
  const members = requireMembers(payload, format);
  const thingName = members.get("thingName") ?? "";
  if (typeof thingName !== "string") throw invalid("thingName is no text");
  const deviceConfiguration = plain(members.get("deviceConfiguration") ?? {}, 0);
  if (!isJsonObject(deviceConfiguration)) throw invalid("deviceConfiguration is no object");
  return { deviceConfiguration, ...(thingName !== "" && { thingName }) };
}

function requireMembers(payload: Uint8Array, format: MessageFormat): Members {
  const { length } = payload;
  if (length > fleetProvisioningMessageBytesMax)
    throw invalid(`it has ${length} bytes, more than ${fleetProvisioningMessageBytesMax}`);
  const members = readMembers(payload, format, { hasFloats: true });
  if (members === undefined) throw invalid(`it is no object in ${format.toUpperCase()}`);
  return members;
}

function certificateOf(members: Members): CreateCertificateFromCsrAnswer {
  const certificateId = text(members, "certificateId", 64);
  if (!/^[0-9a-f]{64}$/u.test(certificateId)) throw invalid("certificateId is not 64 hexadecimal digits");
  return {
    certificateId,
    certificatePem: text(members, "certificatePem", certificatePemCharactersMax),
    certificateOwnershipToken: text(members, "certificateOwnershipToken", ownershipTokenCharactersMax),
  };
}

/** What it holds is shown to nobody: it may be a private key. */
function text(members: Members, name: string, charactersMax: number): string {
  const value = members.get(name);
  if (value === undefined || value === "") throw invalid(`${name} is missing`);
  if (typeof value !== "string") throw invalid(`${name} is no text`);
  if (value.length > charactersMax) throw invalid(`${name} has ${value.length} characters, more than ${charactersMax}`);
  return value;
}

/** What was read of either format, as JSON has it. */
function plain(value: unknown, depth: number): JsonValue {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  if (typeof value !== "object" || value instanceof Uint8Array) throw invalid("deviceConfiguration holds bytes");
  if (depth >= deviceConfigurationDepthMax)
    throw invalid(`deviceConfiguration has more than ${deviceConfigurationDepthMax} objects within each other`);
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  const members: Iterable<[string, unknown]> = value instanceof Map ? (value as Members) : Object.entries(value);
  return Object.fromEntries([...members].map(([name, member]) => [name, plain(member, depth + 1)]));
}

const invalid = (why: string) =>
  new ThinglineError("PROVISIONING_ANSWER_INVALID", `an answer of fleet provisioning is not as AWS sends it: ${why}`);
