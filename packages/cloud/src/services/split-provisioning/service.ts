import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { encodeSplitProvisioningRejection, splitProvisioningTopics } from "@thingline/protocol/provisioning";
import type { Clock, Keys } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { StoreReader } from "../../store/store.js";
import { answer, type Effect, type Operation, type OperationContext, type Scope } from "../operation.js";
import { addCertificate, discardCertificate } from "../registry/index.js";
import type { CertificateIssuer, IssuedCertificate, Registry } from "../registry/index.js";
import { saga } from "../saga.js";
import { unless } from "../unless.js";
import { addPending, admitRequest, deviceKey, prove, type Change, type DeviceRecord } from "./model.js";
import { provisionedPolicyDocument, provisionedPolicyName } from "./policies.js";

/** Of its sagas, and of the certificates that it issued. */
export const splitProvisioningName = "split-provisioning" as const;

/** Requests that are worked on at once; more are rejected and may ask again. */
export const requestsInFlightMax = 64;

export interface SplitProvisioningDependencies {
  issuer: CertificateIssuer;
  /** Makes the devices' keys; a {@link createKeyPool} hides how long that takes. */
  keys: Keys;
  clock: Clock;
  log: Log;
  /** What is asked of the registry, within the commit that provisions a device. */
  registry: Pick<Registry, "createPolicy" | "createThing" | "describeCertificate" | "getPolicy" | "updateCertificate">;
}

/** A device that asks. */
export interface ProvisionRequest {
  deviceId: string;
  /** What it is connected with. */
  claimCertificateId: string | undefined;
}

export type SplitProvisioning = ReturnType<typeof createSplitProvisioning>;

/** The cloud half of the original sample. */
export function createSplitProvisioning({ issuer, keys, clock, log, registry }: SplitProvisioningDependencies) {
  let inFlight = 0;
  const operations = createOperations(registry);

  /** Gives a device a key, the certificate for it, and a thing. @throws {ThinglineError} THROTTLED */
  const provisionDevice = saga(
    splitProvisioningName,
    async ({ run }, { deviceId, claimCertificateId }: ProvisionRequest): Promise<void> => {
      if (inFlight >= requestsInFlightMax) {
        const message = `${requestsInFlightMax} devices are being provisioned already; try again later`;
        throw new ThinglineError("THROTTLED", message, { details: { requestsInFlightMax } });
      }
      inFlight++;
      try {
        await run(admit, { deviceId });
        // Outside of the operation: a conflict must not cost another key.
        const { privateKeyPem, publicKeyPem } = await keys.generate("rsa-2048");
        const issued = await issuer.issueForKey({ publicKeyPem, nowMs: clock.unixMs() });
        await run(operations.provision, { deviceId, claimCertificateId, privateKeyPem, issued });
        log.info("deviceProvisioned", { deviceId, certificateId: issued.certificateId, claimCertificateId });
      } finally {
        inFlight--;
      }
    },
  );

  return { provisionDevice, rejectDevice, recordProof: operations.recordProof };
}

/** Counts the request of a device. @throws {ThinglineError} THROTTLED */
const admit: Operation<{ deviceId: string }, void> = async ({ scope, store, nowMs }, { deviceId }) => {
  const { record, revision } = await readDevice(store, scope, deviceId);
  return {
    result: undefined,
    operations: [{ key: deviceKey(scope, deviceId), expectedRevision: revision, value: admitRequest(record, nowMs) }],
    effects: [],
  };
};

interface ProvisionInput extends ProvisionRequest {
  privateKeyPem: string;
  issued: IssuedCertificate;
}

function createOperations(registry: SplitProvisioningDependencies["registry"]) {
  /**
   * Thing, certificate, policy, attachments, what is superseded and both answers in one commit: whoever has seen an answer
   * can connect with it, and whoever can connect is written down with the reason.
   */
  const provision: Operation<ProvisionInput, void> = async (context, input) => {
    const { scope, store, nowMs } = context;
    const { deviceId, claimCertificateId, issued } = input;
    const { record, revision } = await readDevice(store, scope, deviceId);
    const why = { ...(claimCertificateId !== undefined && { claimCertificateId }) };
    const change = addPending(record, { certificateId: issued.certificateId, issuedAtMs: nowMs, ...why });
    await applyChange(context, change);
    await ensureThing(context, deviceId);
    await ensurePolicy(context);
    const origin = { source: splitProvisioningName, clientId: deviceId, ...why };
    const attached = { policyName: provisionedPolicyName, thingName: deviceId };
    await context.call(addCertificate, { issued, status: "ACTIVE", origin, ...attached });
    const topics = splitProvisioningTopics(deviceId);
    const publish = (topic: string, text: string): Effect => {
      return { type: "publish", topic, payload: new TextEncoder().encode(text), qos: 1 };
    };
    return {
      result: undefined,
      operations: [{ key: deviceKey(scope, deviceId), expectedRevision: revision, value: change.record }],
      effects: [publish(topics.key, input.privateKeyPem), publish(topics.certificate, issued.certificatePem)],
    };
  };

  /** A connection with the certificate was accepted: the device has it. @returns whether that is news */
  const recordProof: Operation<{ deviceId: string; certificateId: string }, boolean> = async (context, input) => {
    const { scope, store, nowMs } = context;
    const { record, revision } = await readDevice(store, scope, input.deviceId);
    const change = prove(record, input.certificateId, nowMs);
    if (change === undefined) return answer(false);
    await applyChange(context, change);
    const key = deviceKey(scope, input.deviceId);
    return {
      result: true,
      operations: [{ key, expectedRevision: revision, value: change.record }],
      effects: [],
    };
  };

  /** A thing that exists already is taken as it is, whatever its attributes. */
  const ensureThing = (context: OperationContext, thingName: string) =>
    unless("RESOURCE_EXISTS", () => context.call(registry.createThing, { thingName }));

  const ensurePolicy = async (context: OperationContext) => {
    const policy = { policyName: provisionedPolicyName };
    const policyDocument = provisionedPolicyDocument;
    const isThere = await unless("RESOURCE_NOT_FOUND", () => context.call(registry.getPolicy, policy));
    if (isThere === undefined) await context.call(registry.createPolicy, { ...policy, policyDocument });
  };

  const applyChange = async (context: OperationContext, { deleted, deactivated }: Change) => {
    for (const certificateId of deleted) await context.call(discardCertificate, { certificateId });
    for (const certificateId of deactivated) await deactivate(context, certificateId);
  };

  /** Only what is ACTIVE: a person may have revoked or deleted it. */
  const deactivate = async (context: OperationContext, certificateId: string) => {
    const described = await unless("RESOURCE_NOT_FOUND", () =>
      context.call(registry.describeCertificate, { certificateId }),
    );
    if (described?.certificateDescription.status !== "ACTIVE") return;
    await context.call(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  };

  return { provision, recordProof };
}

/** Changes no state: the request's PUBACK waits until this is handed over. */
const rejectDevice: Operation<{ deviceId: string; error: unknown }, void> = async (_context, { deviceId, error }) => {
  const isKnown = isThinglineError(error) && statusOf(error) !== 500;
  const payload = encodeSplitProvisioningRejection({
    statusCode: statusOf(error),
    errorCode: isKnown ? error.code : "INTERNAL_FAILURE",
    errorMessage: isKnown ? error.message : "the local cloud failed; its log says more",
  });
  const topic = `certificate/${deviceId}/create/rejected`;
  return { result: undefined, operations: [], effects: [{ type: "publish", topic, payload, qos: 1 }] };
};

/** 500 for what is a fault of the cloud. */
export function statusOf(error: unknown): number {
  if (isThinglineError(error, "REQUEST_INVALID")) return 400;
  if (isThinglineError(error, "DEVICE_ID_MISMATCH")) return 403;
  if (isThinglineError(error, "THROTTLED")) return 429;
  return 500;
}

async function readDevice(store: StoreReader, scope: Scope, deviceId: string) {
  const entry = await store.get<DeviceRecord>(deviceKey(scope, deviceId));
  const record: DeviceRecord = entry?.value ?? { deviceId, certificates: [], requestTimesMs: [] };
  return { record, revision: entry?.revision ?? 0 };
}
