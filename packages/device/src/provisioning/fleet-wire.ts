import { ThinglineError } from "@thingline/protocol";
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
import { isDeviceId } from "@thingline/protocol/provisioning";
import type { Keys } from "@thingline/transport";
import { type InspectedAnswer, inspectCertificate, inspectKey } from "./inspect.js";
import type { FleetMethod } from "./method.js";
import { orUnusable, type ProvisioningWire } from "./wire.js";

/** Of the JSON of a device configuration, which is kept over restarts. A whole template of AWS IoT has 10,240. */
export const deviceConfigurationCharactersMax = 16 * 1024;

const invalid = (why: string): ThinglineError =>
  new ThinglineError("PROVISIONING_ANSWER_INVALID", `the answer of RegisterThing is not as AWS sends it: ${why}`);

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
  const registeredOf = (payload: Uint8Array): InspectedAnswer => {
    const registration = decodeRegisterThingAnswer(payload, format);
    const { thingName, deviceConfiguration } = registration;
    if (thingName !== undefined && !isDeviceId(thingName)) throw invalid("its thingName is no name of a thing");
    const { length } = JSON.stringify(deviceConfiguration);
    if (length > deviceConfigurationCharactersMax) {
      throw invalid(`its deviceConfiguration has ${length} characters, more than ${deviceConfigurationCharactersMax}`);
    }
    return { answer: { kind: "registered", registration } };
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
          return orUnusable(() => [registeredOf(payload)]);
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
