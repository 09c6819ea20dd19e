import {
  decodeCreateCertificateFromCsrAnswer,
  decodeCreateKeysAndCertificateAnswer,
  decodeFleetProvisioningRejection,
  decodeRegisterThingAnswer,
  encodeCreateCertificateFromCsrRequest,
  encodeCreateKeysAndCertificateRequest,
  encodeRegisterThingRequest,
  fleetProvisioningTopics,
} from "@thingline/protocol/fleet-provisioning";
import type { Keys } from "@thingline/transport";
import { type InspectedAnswer, inspectCertificate, inspectKey } from "./inspect.js";
import type { FleetMethod } from "./method.js";
import { orUnusable, type ProvisioningWire } from "./wire.js";

/** AWS IoT's fleet provisioning over MQTT. Nothing in its messages tells which request they answer. */
export function createFleetWire(method: FleetMethod, keys: Keys): ProvisioningWire {
  const { template: templateName, parameters = {}, format = "cbor" } = method;
  const topics = fleetProvisioningTopics({ templateName, format });
  const isCloudKey = method.keys === "cloud";
  const create = isCloudKey ? topics.createKeysAndCertificate : topics.createCertificateFromCsr;
  const register = topics.registerThing;

  const readCreated = (payload: Uint8Array): readonly InspectedAnswer[] => {
    if (isCloudKey) {
      const { privateKey, ...answer } = decodeCreateKeysAndCertificateAnswer(payload, format);
      return [inspectKey(privateKey, keys), certificateOf(answer)];
    }
    return [certificateOf(decodeCreateCertificateFromCsrAnswer(payload, format))];
  };
  const certificateOf = (answer: ReturnType<typeof decodeCreateCertificateFromCsrAnswer>): InspectedAnswer => {
    const { certificateId, certificatePem, certificateOwnershipToken: token } = answer;
    return inspectCertificate(certificatePem, keys, { certificateId, token });
  };
  const rejectionOf = (of: "request" | "registerThing", payload: Uint8Array): InspectedAnswer => ({
    answer: { kind: "rejected", of, rejection: decodeFleetProvisioningRejection(payload, format) },
  });

  return {
    acceptedFilters: [create.accepted, register.accepted],
    rejectedFilters: [create.rejected, register.rejected],
    keptFilters: [],
    request: (requestPem) => ({
      topic: create.request,
      payload:
        requestPem === undefined
          ? encodeCreateKeysAndCertificateRequest(format)
          : encodeCreateCertificateFromCsrRequest({ certificateSigningRequest: requestPem }, format),
      qos: 1,
    }),
    registerThing: (certificateOwnershipToken) => ({
      topic: register.request,
      payload: encodeRegisterThingRequest({ certificateOwnershipToken, parameters }, format),
      qos: 1,
    }),
    inspect: (topic, payload) => {
      switch (topic) {
        case create.accepted:
          return orUnusable(() => readCreated(payload));
        case register.accepted:
          return orUnusable(() => [
            {
              answer: { kind: "registered", registration: decodeRegisterThingAnswer(payload, format) },
            },
          ]);
        case create.rejected:
          return [rejectionOf("request", payload)];
        case register.rejected:
          return [rejectionOf("registerThing", payload)];
        default:
          return [];
      }
    },
  };
}
