import { isThinglineError, ThinglineError } from "@thingline/protocol";
import {
  claimClientIdPrefix,
  deviceIdCharactersMax,
  deviceIdOfClient,
  encodeSplitProvisioningRejection,
  isClaimClientId,
  isDeviceId,
  splitProvisioningTopics,
} from "@thingline/protocol/provisioning";
import type { Clock, Keys } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { StoreReader } from "../../store/store.js";
import {
  answer,
  type Effect,
  type Operation,
  type OperationContext,
  type SagaContext,
  type Scope,
} from "../operation.js";
import { addCertificate, discardCertificate } from "../registry/index.js";
import type { CertificateIssuer, Registry, SignedRequest, SignRequest } from "../registry/index.js";
import { saga } from "../saga.js";
import { unless } from "../unless.js";
import { Admission } from "./admission.js";
import { addPending, admitRequest, deviceKey, prove, type Change, type DeviceRecord } from "./model.js";
import { provisionedPolicyDocument, provisionedPolicyName } from "./policies.js";
import { createVendingOperations, type Vending } from "./vending.js";

/** Of its sagas, and of the certificates that it issued. */
export const splitProvisioningName = "split-provisioning" as const;

/** More than AWS lets a thing have. */
const principalsLookedAtMax = 100;

export interface SplitProvisioningDependencies {
  issuer: CertificateIssuer;
  /** Default: the issuer signs. */
  signRequest?: SignRequest;
  /** Makes the devices' keys; a {@link createKeyPool} hides how long that takes. */
  keys: Keys;
  clock: Clock;
  log: Log;
  /** What is asked of the registry, within the commit that provisions a device. */
  registry: Pick<
    Registry,
    "createPolicy" | "createThing" | "describeCertificate" | "getPolicy" | "listThingPrincipals" | "updateCertificate"
  >;
  /** Calls a function of the cloud by its name. Default: there are none. */
  callFunction?: CallFunction | undefined;
}

/** @throws {ThinglineError} for a name that is none, and whatever went wrong */
export type CallFunction = (name: string, event: Readonly<Record<string, string>>) => Promise<unknown>;

export interface SplitProvisioningOptions {
  /** Default: what is stored, see {@link Vending}. */
  vending?: Vending | undefined;
  /** false: a claim has as many requests as it likes, for load tests. Default true. */
  isLimited?: boolean;
}

/** A client that asks. */
export interface ProvisionRequest {
  /** What it is connected as: `claim-NAME`, or the device's name itself as in the original. */
  clientId: string;
  /** What it is connected with. */
  claimCertificateId: string | undefined;
  /** A PKCS#10 request of a device that made its key itself. Default: the cloud makes one. */
  certificateSigningRequest?: string | undefined;
}

export type SplitProvisioning = ReturnType<typeof createSplitProvisioning>;

/** The cloud half of the original sample. */
export function createSplitProvisioning(deps: SplitProvisioningDependencies, options: SplitProvisioningOptions) {
  const { vending, isLimited = true } = options;
  const { issuer, signRequest = signedBy(issuer), keys, clock, log, registry } = deps;
  const admission = new Admission({ isLimited });
  const operations = createOperations(registry);

  const issue = async (context: SagaContext, { clientId, claimCertificateId, ...asked }: ProvisionRequest) => {
    const { certificateSigningRequest } = asked;
    if (certificateSigningRequest !== undefined) {
      const request = { certificateSigningRequest, clientId, claimCertificateId };
      return { ...(await signRequest(context, request)), privateKeyPem: undefined };
    }
    const { privateKeyPem, publicKeyPem } = await keys.generate("rsa-2048");
    const issued = await issuer.issueForKey({ publicKeyPem, nowMs: clock.unixMs() });
    return { issued, signer: {}, privateKeyPem };
  };

  /** Gives a device a key, the certificate for it, and a thing. @throws {ThinglineError} THROTTLED, RESOURCE_EXISTS, REQUEST_INVALID */
  const provisionDevice = saga(splitProvisioningName, async (context, request: ProvisionRequest): Promise<void> => {
    const { scope, run } = context;
    const { clientId, claimCertificateId = "", certificateSigningRequest = "" } = request;
    const deviceId = requireDeviceId(clientId);
    const of = (...words: string[]) => [scope.account, scope.region, ...words].join(" ");
    const admitted = {
      client: of(clientId, claimCertificateId),
      claim: of(claimCertificateId),
      what: certificateSigningRequest,
    };
    await admission.run(admitted, clock.monotonicMs(), async () => {
      await run(operations.admit, { deviceId, clientId });
      // Outside of the operation: a conflict must not cost another key.
      const made = await issue(context, request);
      await run(operations.provision, { ...request, deviceId, ...made });
      const { certificateId } = made.issued;
      log.info("deviceProvisioned", { deviceId, certificateId, claimCertificateId: request.claimCertificateId });
    });
  });

  return { provisionDevice, rejectDevice, recordProof: operations.recordProof, ...createVendingOperations(vending) };
}

function signedBy(issuer: CertificateIssuer): SignRequest {
  return async ({ clock }, { certificateSigningRequest }) => {
    return { issued: await issuer.issueForRequest({ certificateSigningRequest, nowMs: clock.unixMs() }), signer: {} };
  };
}

/** The name of the thing to be. @throws {ThinglineError} REQUEST_INVALID */
function requireDeviceId(clientId: string): string {
  const deviceId = deviceIdOfClient(clientId);
  if (isDeviceId(deviceId) && !isClaimClientId(deviceId)) return deviceId;
  const rule = `1 to ${deviceIdCharactersMax} of the characters A-Z a-z 0-9 : _ -, and does not begin with "${claimClientIdPrefix}"`;
  throw new ThinglineError("REQUEST_INVALID", `a device id has ${rule}, got "${deviceId}"`);
}

interface ProvisionInput extends ProvisionRequest, SignedRequest {
  deviceId: string;
  privateKeyPem: string | undefined;
}

function createOperations(registry: SplitProvisioningDependencies["registry"]) {
  /** Counts the request of a device. @throws {ThinglineError} THROTTLED, RESOURCE_EXISTS */
  const admit: Operation<{ deviceId: string; clientId: string }, void> = async (context, { deviceId, clientId }) => {
    const { scope, store, nowMs } = context;
    const { record, revision } = await readDevice(store, scope, deviceId);
    const counted = admitRequest(record, nowMs);
    if (isClaimClientId(clientId)) await requireFree(context, record);
    return {
      result: undefined,
      operations: [{ key: deviceKey(scope, deviceId), expectedRevision: revision, value: counted }],
      effects: [],
    };
  };

  /**
   * Who has no more than a claim becomes no device that somebody is already: a thing with a certificate that could connect now, but for those
   * that nobody has connected with yet. Whoever asks under the device's own name has the rights of the device, or a claim that gives
   * everything away, as the original's does.
   *
   * @throws {ThinglineError} RESOURCE_EXISTS
   */
  const requireFree = async (context: OperationContext, { deviceId, certificates }: DeviceRecord) => {
    const pending = new Set(
      certificates.flatMap(({ state, certificateId }) => (state === "pending" ? certificateId : [])),
    );
    const listed = await unless("RESOURCE_NOT_FOUND", () =>
      context.call(registry.listThingPrincipals, { thingName: deviceId, maxResults: principalsLookedAtMax }),
    );
    for (const principal of listed?.principals ?? []) {
      const [, certificateId] = /:cert\/([0-9a-f]{64})$/.exec(principal) ?? [];
      if (certificateId === undefined || pending.has(certificateId)) continue;
      if (!(await mayConnect(context, certificateId))) continue;
      const message = `there is a device "${deviceId}" with a certificate of its own; deactivate that (UpdateCertificate INACTIVE) to provision it anew`;
      throw new ThinglineError("RESOURCE_EXISTS", message, { details: { deviceId, certificateId } });
    }
  };

  const mayConnect = async (context: OperationContext, certificateId: string): Promise<boolean> => {
    const described = await unless("RESOURCE_NOT_FOUND", () =>
      context.call(registry.describeCertificate, { certificateId }),
    );
    if (described === undefined) return false;
    const { status, validity } = described.certificateDescription;
    return status === "ACTIVE" && (validity?.notAfter ?? Infinity) > context.nowMs / 1000;
  };

  /**
   * Thing, certificate, policy, attachments, what is superseded and both answers in one commit: whoever has seen an answer
   * can connect with it, and whoever can connect is written down with the reason.
   */
  const provision: Operation<ProvisionInput, void> = async (context, input) => {
    const { scope, store, nowMs } = context;
    const { deviceId, clientId, claimCertificateId, issued, signer, privateKeyPem } = input;
    const { record, revision } = await readDevice(store, scope, deviceId);
    // Somebody else may have become it while the key was made.
    if (isClaimClientId(clientId)) await requireFree(context, record);
    const why = { ...(claimCertificateId !== undefined && { claimCertificateId }) };
    const change = addPending(record, { certificateId: issued.certificateId, issuedAtMs: nowMs, ...why });
    await applyChange(context, change);
    await ensureThing(context, deviceId);
    await ensurePolicy(context);
    const origin = { source: splitProvisioningName, clientId, ...why, ...signer };
    const attached = { policyName: provisionedPolicyName, thingName: deviceId };
    await context.call(addCertificate, { issued, status: "ACTIVE", origin, ...attached });
    const topics = splitProvisioningTopics(clientId);
    const publish = (topic: string, text: string): Effect => {
      return { type: "publish", topic, payload: new TextEncoder().encode(text), qos: 1 };
    };
    return {
      result: undefined,
      operations: [{ key: deviceKey(scope, deviceId), expectedRevision: revision, value: change.record }],
      effects: [
        ...(privateKeyPem === undefined ? [] : [publish(topics.key, privateKeyPem)]),
        publish(topics.certificate, issued.certificatePem),
      ],
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

  return { admit, provision, recordProof };
}

/** Changes no state: the request's PUBACK waits until this is handed over. */
const rejectDevice: Operation<{ clientId: string; error: unknown }, void> = async (_context, { clientId, error }) => {
  const isKnown = isThinglineError(error) && statusOf(error) !== 500;
  const payload = encodeSplitProvisioningRejection({
    statusCode: statusOf(error),
    errorCode: isKnown ? error.code : "INTERNAL_FAILURE",
    errorMessage: isKnown ? error.message : "the local cloud failed; its log says more",
  });
  const topic = `certificate/${clientId}/create/rejected`;
  return { result: undefined, operations: [], effects: [{ type: "publish", topic, payload, qos: 1 }] };
};

/** 500 for what is a fault of the cloud. */
export function statusOf(error: unknown): number {
  if (isThinglineError(error, "REQUEST_INVALID")) return 400;
  if (isThinglineError(error, "DEVICE_ID_MISMATCH")) return 403;
  if (isThinglineError(error, "RESOURCE_EXISTS")) return 409;
  if (isThinglineError(error, "THROTTLED")) return 429;
  return 500;
}

async function readDevice(store: StoreReader, scope: Scope, deviceId: string) {
  const entry = await store.get<DeviceRecord>(deviceKey(scope, deviceId));
  const record: DeviceRecord = entry?.value ?? { deviceId, certificates: [], requestTimesMs: [] };
  return { record, revision: entry?.revision ?? 0 };
}
