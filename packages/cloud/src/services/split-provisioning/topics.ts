import { ThinglineError } from "@thingline/protocol";
import { createFilter, deviceIdCharactersMax, isDeviceId } from "@thingline/protocol/provisioning";
import type { Log } from "../../log.js";
import type { OperationRunner, ServiceMessage, ServiceTopics } from "../operation.js";
import { statusOf, type SplitProvisioning } from "./service.js";

export interface SplitProvisioningTopicsDependencies {
  service: Pick<SplitProvisioning, "provisionDevice" | "rejectDevice">;
  log: Log;
}

/**
 * The MQTT face of split provisioning. The device is the client that published, never the topic's word; a topic that names another device
 * is rejected, on the client's own topic.
 */
export function createSplitProvisioningTopics({ service, log }: SplitProvisioningTopicsDependencies): ServiceTopics {
  const rejected = (
    message: ServiceMessage,
    runner: OperationRunner,
    error: Error,
    done: (error?: Error) => void,
  ): void => {
    const { clientId, topic, scope } = message;
    log.warn("provisioningRejected", { clientId, topic, error: String(error) });
    const defect = statusOf(error) === 500 ? error : undefined;
    if (canBeTold(clientId)) {
      runner.submit(scope, service.rejectDevice, { deviceId: clientId, error }, (failure) => done(failure ?? defect));
    } else void Promise.resolve().then(() => done(defect));
  };

  return {
    filters: [createFilter],

    handle(message, runner, done) {
      const { scope, topic, clientId: deviceId, certificateId: claimCertificateId } = message;
      const fault = faultOfTopic(topic, deviceId);
      if (fault !== undefined) return rejected(message, runner, fault, done);
      runner.submit(scope, service.provisionDevice, { deviceId, claimCertificateId }, (error) => {
        if (error === undefined) done();
        else rejected(message, runner, error, done);
      });
    },
  };
}

/** @returns DEVICE_ID_MISMATCH, REQUEST_INVALID */
function faultOfTopic(topic: string, clientId: string): ThinglineError | undefined {
  const named = topic.split("/")[1] ?? "";
  if (named !== clientId) {
    const message = `the topic names device "${named}", and the client is "${clientId}"`;
    return new ThinglineError("DEVICE_ID_MISMATCH", message, { details: { named, clientId } });
  }
  if (isDeviceId(clientId)) return undefined;
  const message = `a device id has 1 to ${deviceIdCharactersMax} of the characters A-Z a-z 0-9 : _ -, got "${clientId}"`;
  return new ThinglineError("REQUEST_INVALID", message);
}

/** A client id with a wildcard in it is no part of a topic name. */
const canBeTold = (clientId: string) =>
  clientId !== "" && clientId.length <= deviceIdCharactersMax && !/[+#\0]/.test(clientId);
