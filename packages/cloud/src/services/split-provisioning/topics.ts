import { isThinglineError, ThinglineError } from "@thingline/protocol";
import {
  createFilter,
  deviceIdCharactersMax,
  encodeSplitProvisioningRejection,
  isDeviceId,
} from "@thingline/protocol/provisioning";
import type { Clock, Keys } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { StoreReader } from "../../store/store.js";
import type { Operation, OperationRunner, Scope, ServiceMessage, ServiceTopics } from "../operation.js";
import type { CertificateIssuer } from "../registry/certificate-issuer.js";
import { admit, provision, readDevice, recordProof } from "./service.js";

export interface SplitProvisioningDependencies {
  issuer: CertificateIssuer;
  /** Makes the devices' keys; a {@link createKeyPool} hides how long that takes. */
  keys: Keys;
  clock: Clock;
  store: StoreReader;
  log: Log;
}

/** Requests that are worked on at once; more are rejected and may ask again. */
export const requestsInFlightMax = 64;

export interface SplitProvisioning extends ServiceTopics {
  /**
   * To be called when a CONNECT was accepted: a certificate that this service issued to the client is proved by it.
   * Costs one read for all others.
   */
  connected(
    scope: Scope,
    connection: { clientId: string; certificateId: string },
    runner: OperationRunner,
  ): Promise<void>;
}

/**
 * The cloud half of the original sample. The device is the client that published, never the topic's word; a topic that
 * names another device is rejected, on the client's own topic.
 */
export function createSplitProvisioning(deps: SplitProvisioningDependencies): SplitProvisioning {
  const { log, store } = deps;
  let inFlight = 0;

  const provisionClient = async (message: ServiceMessage, runner: OperationRunner): Promise<void> => {
    const { scope, topic, clientId: deviceId, certificateId: claimCertificateId } = message;
    requireOwnTopic(topic, deviceId);
    if (inFlight >= requestsInFlightMax) {
      const message = `${requestsInFlightMax} devices are being provisioned already; try again later`;
      throw new ThinglineError("THROTTLED", message, { details: { requestsInFlightMax } });
    }
    inFlight++;
    try {
      await runner.run(scope, admit, { deviceId });
      // Outside of the operation: a conflict must not cost another key.
      const { privateKeyPem, publicKeyPem } = await deps.keys.generate("rsa-2048");
      const issued = await deps.issuer.issueForKey({ publicKeyPem, nowMs: deps.clock.unixMs() });
      await runner.run(scope, provision, { deviceId, claimCertificateId, privateKeyPem, issued });
      log.info("deviceProvisioned", { deviceId, certificateId: issued.certificateId, claimCertificateId });
    } finally {
      inFlight--;
    }
  };

  const answer = async (message: ServiceMessage, runner: OperationRunner): Promise<void> => {
    try {
      await provisionClient(message, runner);
    } catch (error) {
      log.warn("provisioningRejected", { clientId: message.clientId, topic: message.topic, error: String(error) });
      if (canBeTold(message.clientId)) {
        await runner.run(message.scope, reject, { deviceId: message.clientId, error });
      }
      if (statusOf(error) === 500) throw error;
    }
  };

  return {
    filters: [createFilter],

    handle(message, runner, done) {
      answer(message, runner).then(() => done(), done);
    },

    async connected(scope, { clientId, certificateId }, runner) {
      const { record } = await readDevice(store, scope, clientId);
      const known = record.certificates.find((certificate) => certificate.certificateId === certificateId);
      if (known?.state !== "pending") return;
      await runner.run(scope, recordProof, { deviceId: clientId, certificateId });
      log.info("provisionedCertificateProved", { deviceId: clientId, certificateId });
    },
  };
}

/** Changes no state: the request's PUBACK waits until this is handed over. */
const reject: Operation<{ deviceId: string; error: unknown }, void> = async (_context, { deviceId, error }) => {
  const isKnown = isThinglineError(error) && statusOf(error) !== 500;
  const payload = encodeSplitProvisioningRejection({
    statusCode: statusOf(error),
    errorCode: isKnown ? error.code : "INTERNAL_FAILURE",
    errorMessage: isKnown ? error.message : "the local cloud failed; its log says more",
  });
  const topic = `certificate/${deviceId}/create/rejected`;
  return { result: undefined, operations: [], effects: [{ type: "publish", topic, payload, qos: 1 }] };
};

function statusOf(error: unknown): number {
  if (isThinglineError(error, "REQUEST_INVALID")) return 400;
  if (isThinglineError(error, "DEVICE_ID_MISMATCH")) return 403;
  if (isThinglineError(error, "THROTTLED")) return 429;
  return 500;
}

/** @throws {ThinglineError} DEVICE_ID_MISMATCH, REQUEST_INVALID */
function requireOwnTopic(topic: string, clientId: string): void {
  const named = topic.split("/")[1] ?? "";
  if (named !== clientId) {
    const message = `the topic names device "${named}", and the client is "${clientId}"`;
    throw new ThinglineError("DEVICE_ID_MISMATCH", message, { details: { named, clientId } });
  }
  if (isDeviceId(clientId)) return;
  const message = `a device id has 1 to ${deviceIdCharactersMax} of the characters A-Z a-z 0-9 : _ -, got "${clientId}"`;
  throw new ThinglineError("REQUEST_INVALID", message);
}

/** A client id with a wildcard in it is no part of a topic name. */
const canBeTold = (clientId: string) =>
  clientId !== "" && clientId.length <= deviceIdCharactersMax && !/[+#\0]/.test(clientId);
