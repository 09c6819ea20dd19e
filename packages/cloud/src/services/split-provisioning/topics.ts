import { ThinglineError } from "@thingline/protocol";
import {
  createFilter,
  createFromCsrFilter,
  deviceIdCharactersMax,
  requestBytesMax,
} from "@thingline/protocol/provisioning";
import { encodeBase64 } from "@thingline/protocol/x509";
import type { Log } from "../../log.js";
import { noClientId, type OperationRunner, type ServiceMessage, type ServiceTopics } from "../operation.js";
import { statusOf, type CallFunction, type SplitProvisioning } from "./service.js";
import type { UnansweredRequests } from "./unanswered.js";
import type { Vending } from "./vending.js";

export interface SplitProvisioningTopicsDependencies {
  service: Pick<SplitProvisioning, "getVending" | "provisionDevice" | "rejectDevice">;
  /** Calls a function for a request, with a bound on how many; what goes wrong is logged there. */
  callFunction: CallFunction;
  unanswered: UnansweredRequests;
  log: Log;
}

type Done = (error?: Error) => void;

/**
 * The MQTT face of split provisioning: whoever answers is asked. The device is the client that published, never the topic's word; for the
 * built-in service a topic that names another client is rejected, on the client's own topic.
 */
export function createSplitProvisioningTopics(deps: SplitProvisioningTopicsDependencies): ServiceTopics {
  const { service, callFunction, unanswered, log } = deps;

  const rejected = (message: ServiceMessage, runner: OperationRunner, error: Error, done: Done): void => {
    const { clientId, topic, scope } = message;
    log.warn("provisioningRejected", { clientId, topic, error: String(error) });
    const defect = statusOf(error) === 500 ? error : undefined;
    if (canBeTold(clientId)) {
      runner.submit(scope, service.rejectDevice, { clientId, error }, (failure) => done(failure ?? defect));
    } else void Promise.resolve().then(() => done(defect));
  };

  const provision = (message: ServiceMessage, runner: OperationRunner, done: Done): void => {
    const { scope, clientId, certificateId: claimCertificateId } = message;
    const request = requestOf(message);
    if (request instanceof Error) return rejected(message, runner, request, done);
    runner.submit(scope, service.provisionDevice, { clientId, claimCertificateId, ...request }, (error) => {
      if (error === undefined) done();
      else rejected(message, runner, error, done);
    });
  };

  const ask = (vending: Vending, message: ServiceMessage, runner: OperationRunner, done: Done): void => {
    if (vending === "builtin") return provision(message, runner, done);
    if (vending === "off") unanswered.asked(message.clientId, message.topic);
    else void callFunction(vending.function, eventOf(message));
    done();
  };

  return {
    // The answers are heard for knowing whether there was one.
    filters: [createFilter, createFromCsrFilter, "certificate/+/create/accepted/+", "certificate/+/create/rejected"],
    sources: ["client", "http"],

    handle(message, runner, done) {
      const { topic, clientId, scope } = message;
      const [, named = "", , answer] = topic.split("/");
      if (answer !== undefined || clientId === noClientId) {
        if (answer !== undefined) unanswered.answered(named);
        void Promise.resolve().then(() => done());
        return;
      }
      runner.submit(scope, service.getVending, undefined, (error, state) => {
        if (state === undefined) done(error);
        else ask(state.vending, message, runner, done);
      });
    },
  };
}

/** What the original's rule selects: `SELECT clientid() as deviceId`, and for a request with a key of the device's own what it holds. */
function eventOf({ clientId, topic, payload }: ServiceMessage): Readonly<Record<string, string>> {
  if (!isForCsr(topic)) return { deviceId: clientId };
  return { deviceId: clientId, csr: encodeBase64(payload) };
}

/** @returns DEVICE_ID_MISMATCH, REQUEST_INVALID */
function requestOf({
  topic,
  clientId,
  payload,
}: ServiceMessage): { certificateSigningRequest?: string } | ThinglineError {
  const named = topic.split("/")[1] ?? "";
  if (named !== clientId) {
    const message = `the topic names device "${named}", and the client is "${clientId}"`;
    return new ThinglineError("DEVICE_ID_MISMATCH", message, { details: { named, clientId } });
  }
  if (!isForCsr(topic)) return {};
  if (payload.length <= requestBytesMax) return { certificateSigningRequest: new TextDecoder().decode(payload) };
  const message = `a certificate request is at most ${requestBytesMax} bytes, got ${payload.length}`;
  return new ThinglineError("REQUEST_INVALID", message, { details: { requestBytesMax } });
}

const isForCsr = (topic: string) => topic.endsWith("/create-from-csr");

/** A client id with a wildcard in it is no part of a topic name. */
const canBeTold = (clientId: string) =>
  clientId !== "" && clientId.length <= deviceIdCharactersMax && !/[+#\0]/.test(clientId);
