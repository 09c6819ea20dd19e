import { iterate } from "../../store/iterate.js";
import type { StoreEntry, StoreOperation } from "../../store/store.js";
import { answer, type Effect, type Operation, type OperationContext, type Outcome } from "../operation.js";
import { lastName } from "../page.js";
import {
  arnOf,
  lastConnectionKeptMs,
  registryKeys,
  registryServiceName,
  type CertificateRecord,
  type CertificateReplacement,
} from "./model.js";

// What connections tell of certificates: the first one proves that somebody holds the key.

export interface ConnectionInput {
  certificateId: string;
  /** When it connected, in Unix time: events come in no order. Default: now. */
  connectedAtMs?: number;
  /** Between the proof of a certificate and the end of the one that it replaces. */
  rotationOverlapMs: number;
}

export type ConnectionNews =
  | { type: "none" }
  /** The first connection. `replaced`: the certificate whose place it took. */
  | { type: "proved"; replaced: (CertificateReplacement & { oldCertificateId: string }) | undefined }
  /** The device went back to this certificate within the overlap. */
  | { type: "withdrawn"; successorId: string };

const noNews: ConnectionNews = { type: "none" };

/**
 * A connection with the certificate was accepted. Costs a read; writes at the first one, and afterwards at most once in
 * `lastConnectionKeptMs`. A certificate that a thing asked for with an older one of its own takes that one's place: the older one
 * stays ACTIVE for the overlap, so that whatever the device can still go back to until it has settled works. When it does go back, it may
 * have deleted the new one: nothing is replaced then, and the new one has to prove itself anew.
 */
export const recordConnection: Operation<ConnectionInput, ConnectionNews> = async (context, input) => {
  const { scope, store, nowMs } = context;
  const key = registryKeys.certificate(scope, input.certificateId);
  const entry = await store.get<CertificateRecord>(key);
  // Deleted since it connected.
  if (entry === undefined) return answer(noNews);
  const { value, revision } = entry;
  const { connectedAtMs = nowMs } = input;
  if (value.replacedBy !== undefined && value.status === "ACTIVE" && connectedAtMs > value.replacedBy.atMs)
    return withdraw(context, entry, value.replacedBy.certificateId);
  const isFirst = typeof value.provedAtMs !== "number";
  const lastMs = value.lastConnectedAtMs ?? -Infinity;
  // A clock that was set back must not stop the record for good.
  const isKnown = nowMs - lastMs < lastConnectionKeptMs && lastMs - nowMs < lastConnectionKeptMs;
  if (!isFirst && isKnown) return answer(noNews);
  const proved = { ...value, lastConnectedAtMs: nowMs, ...(isFirst && { provedAtMs: nowMs }) };
  const operations: StoreOperation[] = [{ key, expectedRevision: revision, value: proved }];
  if (!isFirst) return { result: noNews, operations, effects: [] };
  const replacement = await replacementBy(context, value, connectedAtMs, input.rotationOverlapMs);
  if (replacement === undefined) return { result: { type: "proved", replaced: undefined }, operations, effects: [] };
  const { old, replacedBy } = replacement;
  const oldCertificateId = old.value.certificateId;
  operations.push({ key: old.key, expectedRevision: old.revision, value: { ...old.value, replacedBy } });
  return {
    result: { type: "proved", replaced: { ...replacedBy, oldCertificateId } },
    operations,
    effects: [replacedWake(oldCertificateId, replacedBy.inactiveAtMs)],
  };
};

async function withdraw(
  { scope, store }: OperationContext,
  { key, value, revision }: StoreEntry<CertificateRecord>,
  successorId: string,
): Promise<Outcome<ConnectionNews>> {
  const { replacedBy: _replacement, ...kept } = value;
  const operations: StoreOperation[] = [{ key, expectedRevision: revision, value: kept }];
  const successor = await store.get<CertificateRecord>(registryKeys.certificate(scope, successorId));
  if (successor !== undefined) {
    const unproved = { ...successor.value, provedAtMs: null };
    operations.push({ key: successor.key, expectedRevision: successor.revision, value: unproved });
  }
  return { result: { type: "withdrawn", successorId }, operations, effects: [] };
}

/** The certificate with which the new one was asked for, if both belong to one thing: a claim belongs to none. */
async function replacementBy(
  context: OperationContext,
  proved: CertificateRecord,
  atMs: number,
  rotationOverlapMs: number,
) {
  const { scope, store, nowMs } = context;
  const { claimCertificateId } = proved.origin;
  if (claimCertificateId === undefined || claimCertificateId === proved.certificateId) return undefined;
  const old = await store.get<CertificateRecord>(registryKeys.certificate(scope, claimCertificateId));
  if (old?.value.status !== "ACTIVE" || old.value.replacedBy !== undefined) return undefined;
  if (!(await haveThingInCommon(context, proved.certificateId, claimCertificateId))) return undefined;
  const inactiveAtMs = nowMs + rotationOverlapMs;
  const replacedBy: CertificateReplacement = { certificateId: proved.certificateId, atMs, inactiveAtMs };
  return { old, replacedBy };
}

async function haveThingInCommon({ scope, store }: OperationContext, one: string, other: string): Promise<boolean> {
  const otherArn = arnOf.certificate(scope, other);
  for await (const { key } of iterate(store, registryKeys.thingsOfPrincipal(scope, arnOf.certificate(scope, one)))) {
    if ((await store.get(registryKeys.thingOfPrincipal(scope, otherArn, lastName(key)))) !== undefined) return true;
  }
  return false;
}

const wakePrefix = "replaced/";

const replacedWake = (certificateId: string, atUnixMs: number): Effect => ({
  ...{ type: "wakeAt", service: registryServiceName, name: `${wakePrefix}${certificateId}` },
  atUnixMs,
});

/** The certificate whose overlap a wake-up says is over; undefined for a wake-up of another kind. */
export function readReplacedWake(name: string): string | undefined {
  return name.startsWith(wakePrefix) ? name.slice(wakePrefix.length) : undefined;
}

/**
 * The overlap is over: the old certificate is set INACTIVE, and whoever is connected with it is disconnected. Unless the new one has been
 * taken away meanwhile: a thing must not lose both.
 *
 * @returns whether it was
 */
export const endReplaced: Operation<{ certificateId: string }, boolean> = async (context, { certificateId }) => {
  const { scope, store, nowMs } = context;
  const key = registryKeys.certificate(scope, certificateId);
  const entry = await store.get<CertificateRecord>(key);
  if (entry === undefined) return answer(false);
  const { replacedBy, ...old } = entry.value;
  if (replacedBy === undefined || old.status !== "ACTIVE" || nowMs < replacedBy.inactiveAtMs) return answer(false);
  const newKey = registryKeys.certificate(scope, replacedBy.certificateId);
  const successor = await store.get<CertificateRecord>(newKey);
  const isGood = successor?.value.status === "ACTIVE" && nowMs <= successor.value.notAfterMs;
  // What it was replaced by is forgotten, so that a later rotation can replace it again.
  const value: CertificateRecord = isGood
    ? { ...entry.value, status: "INACTIVE", modifiedAtMs: nowMs }
    : { ...old, modifiedAtMs: nowMs };
  const operations: StoreOperation[] = [{ key, expectedRevision: entry.revision, value }];
  if (!isGood) return { result: false, operations, effects: [] };
  operations.push({ key: newKey, expectedRevision: successor.revision, check: true });
  return { result: true, operations, effects: [{ type: "recheckPrincipal", certificateId }] };
};
