import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import type { SplitProvisioningTopics } from "@thingline/protocol/provisioning";
import {
  classifySplitProvisioningTopic,
  credentialBytesMax,
  decodeSplitProvisioningRejection,
} from "@thingline/protocol/provisioning";
import { parseCertificates, parsePrivateKey } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";
import type { ProvisioningAnswer } from "./types.js";

/** What the machine is told of a message, and the text that the shell keeps in memory for it. */
export interface InspectedMessage {
  answer: ProvisioningAnswer;
  /** As it will be written: LF line ends, nothing around the PEM. */
  pem?: string;
}

/** Undefined: the message is none of the flow's. */
export function inspectMessage(
  topics: SplitProvisioningTopics,
  topic: string,
  payload: Uint8Array,
  keys: Keys,
): InspectedMessage | undefined {
  const kind = classifySplitProvisioningTopic(topics, topic);
  if (kind === undefined) return undefined;
  try {
    switch (kind) {
      case "key":
        return inspectKey(readText(kind, payload), keys);
      case "certificate":
        return inspectCertificate(readText(kind, payload), keys);
      case "rejected":
        return { answer: { kind, rejection: decodeSplitProvisioningRejection(payload) } };
      case "unknown": {
        const error = new ThinglineError("PROVISIONING_TOPIC_UNKNOWN", `a message on "${topic}" was ignored`);
        return { answer: { kind: "unusable", error } };
      }
    }
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    return { answer: { kind: "unusable", error } };
  }
}

function readText(kind: "key" | "certificate", payload: Uint8Array): string {
  if (payload.length === 0) {
    throw new ThinglineError("PROVISIONING_ANSWER_EMPTY", `the message with the ${kind} was empty`);
  }
  if (payload.length > credentialBytesMax) {
    const message = `the message with the ${kind} has ${payload.length} bytes, more than ${credentialBytesMax}`;
    const details = { bytes: payload.length, bytesMax: credentialBytesMax };
    throw new ThinglineError("PROVISIONING_ANSWER_TOO_LARGE", message, { details });
  }
  return new TextDecoder().decode(payload);
}

function inspectKey(text: string, keys: Keys): InspectedMessage {
  const { pem } = parsePrivateKey(text, "the key that was received");
  const publicKey = toHex(keys.publicKeyOf(pem));
  return { answer: { kind: "key", sha256: digestOf(pem, keys), publicKey }, pem };
}

function inspectCertificate(text: string, keys: Keys): InspectedMessage {
  const certificates = parseCertificates(text, "the certificate that was received");
  const [{ der }] = certificates;
  const pem = certificates.map((certificate) => certificate.pem).join("");
  const publicKey = toHex(keys.certificatePublicKey(pem));
  const certificateId = toHex(keys.sha256(der));
  return { answer: { kind: "certificate", sha256: digestOf(pem, keys), publicKey, certificateId }, pem };
}

/** The digest by which a credential store knows a text. */
export function digestOf(text: string, keys: Keys): string {
  return toHex(keys.sha256(new TextEncoder().encode(text)));
}
