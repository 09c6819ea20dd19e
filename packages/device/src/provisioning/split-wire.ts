import { ThinglineError } from "@thingline/protocol";
import {
  classifySplitProvisioningTopic,
  credentialBytesMax,
  decodeSplitProvisioningRejection,
  type SplitProvisioningMessageKind,
  splitProvisioningTopics,
} from "@thingline/protocol/provisioning";
import type { Keys } from "@thingline/transport";
import { type InspectedAnswer, inspectCertificate, inspectKey } from "./inspect.js";
import { orUnusable, type ProvisioningWire } from "./wire.js";

/** Split messages: the sample's request is empty and QoS 0; with a key of the device's own it is the certificate request. */
export function createSplitWire({ clientId, keys }: { clientId: string; keys: Keys }): ProvisioningWire {
  const topics = splitProvisioningTopics(clientId);
  const inspect = (kind: SplitProvisioningMessageKind, topic: string, payload: Uint8Array): InspectedAnswer => {
    switch (kind) {
      case "key":
        return inspectKey(readText(kind, payload), keys);
      case "certificate":
        return inspectCertificate(readText(kind, payload), keys);
      case "rejected":
        return {
          answer: { kind, of: "request", rejection: decodeSplitProvisioningRejection(payload) },
        };
      case "unknown":
        throw new ThinglineError("PROVISIONING_TOPIC_UNKNOWN", `a message on "${topic}" was ignored`);
    }
  };
  return {
    acceptedFilters: [topics.acceptedFilter],
    rejectedFilters: [topics.rejected],
    keptFilters: [topics.acceptedFilter],
    request: (requestPem) =>
      requestPem === undefined
        ? { topic: topics.create, payload: new Uint8Array(0), qos: 0 }
        : { topic: topics.createFromCsr, payload: new TextEncoder().encode(requestPem), qos: 1 },
    registerThing: () => {
      throw new Error("split messages register no thing");
    },
    inspect: (topic, payload) => {
      const kind = classifySplitProvisioningTopic(topics, topic);
      return kind === undefined ? [] : orUnusable(() => [inspect(kind, topic, payload)]);
    },
  };
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
