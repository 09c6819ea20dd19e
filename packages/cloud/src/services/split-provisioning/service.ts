import { splitProvisioningTopics } from "@thingline/protocol/provisioning";
import { iterate } from "../../store/iterate.js";
import type { StoreOperation, StoreReader } from "../../store/store.js";
import type { Effect, Operation, OperationContext, Scope } from "../operation.js";
import { attachPolicyOperations, attachThingOperations, detachThingOperations } from "../registry/attachments.js";
import type { IssuedCertificate } from "../registry/certificate-issuer.js";
import { detachPolicyOperations, newCertificate } from "../registry/certificates.js";
import {
  arnOf,
  lastName,
  registryKeys,
  type CertificateRecord,
  type PolicyRecord,
  type ThingRecord,
} from "../registry/model.js";
import { newPolicy, policiesOf } from "../registry/policies.js";
import { newThing } from "../registry/things.js";
import { answer } from "../shape.js";
import { addPending, admitRequest, deviceKey, prove, type Change, type DeviceRecord } from "./model.js";
import { provisionedPolicyDocument, provisionedPolicyName } from "./policies.js";

export const splitProvisioningSource = "split-provisioning";

/** Counts the request of a device. @throws {ThinglineError} THROTTLED */
export const admit: Operation<{ deviceId: string }, void> = async ({ scope, store, nowMs }, { deviceId }) => {
  const { record, revision } = await readDevice(store, scope, deviceId);
  return {
    result: undefined,
    operations: [{ key: deviceKey(scope, deviceId), expectedRevision: revision, value: admitRequest(record, nowMs) }],
    effects: [],
  };
};

export interface ProvisionInput {
  deviceId: string;
  claimCertificateId: string | undefined;
  privateKeyPem: string;
  issued: IssuedCertificate;
}

/**
 * Thing, certificate, policy, attachments, what is superseded and both answers in one commit: whoever has seen an answer
 * can connect with it, and whoever can connect is written down with the reason.
 */
export const provision: Operation<ProvisionInput, void> = async (context, input) => {
  const { scope, store, nowMs, random } = context;
  const { deviceId, claimCertificateId, issued } = input;
  const { record, revision } = await readDevice(store, scope, deviceId);
  const why = { ...(claimCertificateId !== undefined && { claimCertificateId }) };
  const change = addPending(record, { certificateId: issued.certificateId, issuedAtMs: nowMs, ...why });
  const arn = arnOf.certificate(scope, issued.certificateId);
  const superseded = await applyChange(context, change);
  const topics = splitProvisioningTopics(deviceId);
  const publish = (topic: string, text: string): Effect => {
    return { type: "publish", topic, payload: new TextEncoder().encode(text), qos: 1 };
  };
  return {
    result: undefined,
    operations: [
      { key: deviceKey(scope, deviceId), expectedRevision: revision, value: change.record },
      ...(await ensureThing(context, deviceId)),
      ...(await ensurePolicy(context)),
      ...newCertificate({
        scope,
        issued,
        status: "ACTIVE",
        certificateMode: "DEFAULT",
        origin: { source: splitProvisioningSource, atMs: nowMs, clientId: deviceId, ...why },
        generationId: random.uuid(),
        nowMs,
      }),
      ...attachPolicyOperations(scope, provisionedPolicyName, arn),
      ...attachThingOperations(scope, deviceId, arn, "NON_EXCLUSIVE_THING"),
      ...superseded.operations,
    ],
    effects: [
      ...superseded.effects,
      publish(topics.key, input.privateKeyPem),
      publish(topics.certificate, issued.certificatePem),
    ],
  };
};

/** A connection with the certificate was accepted: the device has it. */
export const recordProof: Operation<{ deviceId: string; certificateId: string }, void> = async (context, input) => {
  const { scope, store, nowMs } = context;
  const { record, revision } = await readDevice(store, scope, input.deviceId);
  const change = prove(record, input.certificateId, nowMs);
  if (change === undefined) return answer(undefined);
  const superseded = await applyChange(context, change);
  const key = deviceKey(scope, input.deviceId);
  return {
    result: undefined,
    operations: [{ key, expectedRevision: revision, value: change.record }, ...superseded.operations],
    effects: superseded.effects,
  };
};

export async function readDevice(store: StoreReader, scope: Scope, deviceId: string) {
  const entry = await store.get<DeviceRecord>(deviceKey(scope, deviceId));
  const record: DeviceRecord = entry?.value ?? { deviceId, certificates: [], requestTimesMs: [] };
  return { record, revision: entry?.revision ?? 0 };
}

/** A thing that exists already is taken as it is, whatever its attributes. */
async function ensureThing({ scope, store, random, nowMs }: OperationContext, deviceId: string) {
  const key = registryKeys.thing(scope, deviceId);
  const existing = await store.get<ThingRecord>(key);
  if (existing !== undefined) return [{ key, expectedRevision: existing.revision, check: true as const }];
  const thing = newThing({ thingName: deviceId, thingId: random.uuid(), attributes: {}, nowMs });
  return [{ key, expectedRevision: 0, value: thing }];
}

async function ensurePolicy({ scope, store, random, nowMs }: OperationContext): Promise<StoreOperation[]> {
  const key = registryKeys.policy(scope, provisionedPolicyName);
  const existing = await store.get<PolicyRecord>(key);
  if (existing !== undefined) return [{ key, expectedRevision: existing.revision, check: true }];
  const policyDocument = provisionedPolicyDocument;
  const policyName = provisionedPolicyName;
  return newPolicy({ scope, policyName, policyDocument, generationId: random.uuid(), nowMs });
}

async function applyChange(context: OperationContext, { deleted, deactivated }: Change) {
  const operations: StoreOperation[] = [];
  const effects: Effect[] = [];
  for (const certificateId of deleted) operations.push(...(await deleteOperations(context, certificateId)));
  for (const certificateId of deactivated) operations.push(...(await deactivateOperations(context, certificateId)));
  for (const certificateId of [...deleted, ...deactivated]) effects.push({ type: "recheckPrincipal", certificateId });
  return { operations, effects };
}

/** Everything of a certificate; nothing when somebody deleted it before. */
async function deleteOperations(context: OperationContext, certificateId: string): Promise<StoreOperation[]> {
  const { scope, store } = context;
  const entry = await store.get<CertificateRecord>(registryKeys.certificate(scope, certificateId));
  if (entry === undefined) return [];
  const arn = arnOf.certificate(scope, certificateId);
  const guardKey = registryKeys.guard(scope, "certificate", certificateId);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  const operations: StoreOperation[] = [
    { key: registryKeys.certificate(scope, certificateId), expectedRevision: entry.revision, delete: true },
    { key: registryKeys.certificateByTime(scope, entry.value.createdAtMs, certificateId), delete: true },
    { key: guardKey, expectedRevision: guardRevision, delete: true },
  ];
  for (const name of await policiesOf(context, arn)) operations.push(...detachPolicyOperations(scope, name, arn));
  for await (const { key } of iterate(store, registryKeys.thingsOfPrincipal(scope, arn))) {
    operations.push(...detachThingOperations(scope, lastName(key), arn));
  }
  return operations;
}

async function deactivateOperations({ scope, store, nowMs }: OperationContext, certificateId: string) {
  const key = registryKeys.certificate(scope, certificateId);
  const entry = await store.get<CertificateRecord>(key);
  if (entry?.value.status !== "ACTIVE") return [];
  const value: CertificateRecord = { ...entry.value, status: "INACTIVE", modifiedAtMs: nowMs };
  return [{ key, expectedRevision: entry.revision, value }];
}
