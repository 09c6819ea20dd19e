import {
  decodeCreateCertificateFromCsrRequest,
  decodeCreateKeysAndCertificateRequest,
  decodeRegisterThingRequest,
  fleetProvisioningRequestFilters,
  parseFleetProvisioningTopic,
  type FleetProvisioningRequestTopic,
} from "@thingline/protocol/fleet-provisioning";
import type { Log } from "../../log.js";
import { ClientTurns } from "../client-turns.js";
import { noIotLog, verbosityOf, type IotLog, type IotLogEntry } from "../iot-log.js";
import type { OperationRunner, ServiceMessage, ServiceTopics } from "../operation.js";
import type { Asker } from "./asker.js";
import type { Asked, DeviceRequests } from "./device-requests.js";

/** Requests of one client that wait for the one that is being answered. */
export const waitingProvisioningRequestsMax = 4;
/** Requests that are answered at one time: each may cost a key, or wait for a hook. */
export const answeredProvisioningRequestsMax = 64;
/** Of all clients, those included that are being answered. */
export const provisioningRequestsMax = 1_024;

export interface FleetProvisioningTopicsDependencies {
  requests: DeviceRequests;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
}

/** The MQTT face. The answer goes to the client that asked, whoever else has subscribed to the topic. */
export function createFleetProvisioningTopics({
  requests,
  log,
  iotLog = noIotLog,
}: FleetProvisioningTopicsDependencies): ServiceTopics {
  const turns = new ClientTurns({
    waitingMax: waitingProvisioningRequestsMax,
    answeredMax: answeredProvisioningRequestsMax,
    requestsMax: provisioningRequestsMax,
  });

  const answer = (
    { scope, topic, clientId, certificateId: principalId }: ServiceMessage,
    request: { asker: Asker; asked: Asked },
    runner: OperationRunner,
    settled: (error: Error | undefined) => void,
  ): void => {
    runner.submit(scope, requests.answerRequest, request, (error, rejection) => {
      if (rejection !== undefined) {
        log.warn("fleetProvisioningRejected", { clientId, topic, ...rejection });
        if (iotLog.verbosity >= verbosityOf.ERROR) {
          const who = { protocol: "MQTT", clientId, principalId } as const;
          iotLog.write({ ...failureEntry(request.asker, rejection), ...who, topicName: topic });
        }
      }
      settled(error);
    });
  };

  return {
    filters: fleetProvisioningRequestFilters,

    handle(message, runner, done) {
      const { clientId, certificateId: claimCertificateId, payload } = message;
      const topic = parseFleetProvisioningTopic(message.topic);
      if (topic === undefined) return void Promise.resolve().then(() => done());
      const asker = { clientId, claimCertificateId, topic };
      const asked = readRequest(payload, topic);
      const turn = `${message.scope.account}/${message.scope.region}/${clientId}`;
      const isTaken = turns.begin(turn, () => {
        answer(message, { asker, asked }, runner, (error) => {
          turns.end(turn);
          done(error);
        });
      });
      if (isTaken) return;
      const rejection = {
        ...{ statusCode: 429, errorCode: "ThrottlingException" },
        errorMessage: "Too many requests of this client are waiting",
      };
      answer(message, { asker, asked: { type: "rejected", rejection } }, runner, done);
    },
  };
}

function failureEntry(
  { topic }: Asker,
  { errorCode, errorMessage }: { errorCode: string; errorMessage: string },
): IotLogEntry {
  const failed = { level: "ERROR", isFailure: true, reason: errorCode, details: errorMessage } as const;
  if (topic.operation !== "registerThing") return { ...failed, eventType: "GetDeviceCredentials" };
  return { ...failed, eventType: "ProvisionDevice", more: { provisioningTemplateName: topic.templateName } };
}

function readRequest(payload: Uint8Array, topic: FleetProvisioningRequestTopic): Asked {
  const { format } = topic;
  if (topic.operation === "registerThing") {
    const read = decodeRegisterThingRequest(payload, format);
    if ("rejection" in read) return { type: "rejected", rejection: read.rejection };
    return { type: "registerThing", templateName: topic.templateName, request: read.request };
  }
  if (topic.operation === "createCertificateFromCsr") {
    const read = decodeCreateCertificateFromCsrRequest(payload, format);
    if ("rejection" in read) return { type: "rejected", rejection: read.rejection };
    return { type: "createCertificateFromCsr", request: read.request };
  }
  const read = decodeCreateKeysAndCertificateRequest(payload, format);
  return "rejection" in read ? { type: "rejected", rejection: read.rejection } : { type: "createKeysAndCertificate" };
}
