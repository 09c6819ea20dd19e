import type { StoreEntry, StoreKey, StoreOperation } from "../../store/store.js";
import type { Effect, Operation, OperationContext } from "../operation.js";
import { answer } from "../operation.js";
import { addCertificate, discardCertificate, findCertificate, type AddCertificateInput } from "../registry/index.js";
import { fleetProvisioningName } from "./model.js";
import {
  ownershipTokenLifetimeMs,
  pendingCertificatesMax,
  pendingCertificatesPerClaimMax,
  pendingKeys,
  pendingOfClientMax,
  type PendingOfClientRecord,
  type PendingOwner,
  type TokenRecord,
} from "./pending-model.js";
import { invalidToken, throttled } from "./refusal.js";

// Certificates that wait to be registered, and the tokens that they can be registered with.

/** All of them share a count, so they wait for each other; what waits is one commit. */
export const inPendingLane = <Face extends object>(operation: Face): Face & { lane: () => string } =>
  Object.assign(operation, { lane: () => fleetProvisioningName });

export interface AddPendingInput {
  issued: AddCertificateInput["issued"];
  origin: AddCertificateInput["origin"];
  clientId: string;
  claimCertificateId: string | undefined;
  /** Of the token. */
  digest: string;
  /** What the client is told, in the same commit. */
  effects: readonly Effect[];
}

/** @throws {ProvisioningRefusal} 429 when too many certificates wait */
export const requireRoom: Operation<Pick<PendingOwner, "claimCertificateId">, void> = async (context, owner) => {
  checkRoom(await countsOf(context, owner), 0);
  return answer(undefined);
};

/** A certificate and its token. What the client's own limit leaves no room for is let go. @throws {ProvisioningRefusal} 429 */
export const addPending: Operation<AddPendingInput, void> = inPendingLane(
  async (context: OperationContext, input: AddPendingInput) => {
    const { scope, store, nowMs } = context;
    const { issued, origin, clientId, claimCertificateId, digest, effects } = input;
    const counts = await countsOf(context, input);
    const ofClient = await store.get<PendingOfClientRecord>(pendingKeys.ofClient(scope, input));
    const digests = ofClient?.value ?? [];
    const dropped = digests.slice(0, Math.max(0, digests.length - (pendingOfClientMax - 1)));
    checkRoom(counts, -dropped.length);
    const operations: StoreOperation[] = [];
    for (const each of dropped) operations.push(...(await dropToken(context, each)));
    await context.call(addCertificate, { issued, status: "PENDING_ACTIVATION", origin });
    const expiresAtMs = nowMs + ownershipTokenLifetimeMs;
    const token: TokenRecord = {
      ...{ certificateId: issued.certificateId, expiresAtMs, clientId },
      ...(claimCertificateId !== undefined && { claimCertificateId }),
    };
    operations.push(
      { key: pendingKeys.token(scope, digest), expectedRevision: 0, value: token },
      {
        key: pendingKeys.ofClient(scope, input),
        expectedRevision: ofClient?.revision ?? 0,
        value: [...digests.slice(dropped.length), digest],
      },
      ...changed(counts, 1 - dropped.length),
    );
    const wake: Effect = { type: "wakeAt", service: fleetProvisioningName, name: digest, atUnixMs: expiresAtMs };
    return { result: undefined, operations, effects: [wake, ...effects] };
  },
);

/** The token has come to its end. A certificate that was not registered and not activated by somebody else goes with it. */
export const expireToken: Operation<{ digest: string }, { deleted: string | undefined }> = inPendingLane(
  async (context: OperationContext, { digest }: { digest: string }) => {
    const { scope, store, nowMs } = context;
    const key = pendingKeys.token(scope, digest);
    const entry = await store.get<TokenRecord>(key);
    if (entry === undefined) return answer({ deleted: undefined });
    const { expiresAtMs, registered, certificateId, clientId, claimCertificateId } = entry.value;
    // The clock was set back meanwhile.
    if (nowMs < expiresAtMs) {
      const wake: Effect = { type: "wakeAt", service: fleetProvisioningName, name: digest, atUnixMs: expiresAtMs };
      return { result: { deleted: undefined }, operations: [], effects: [wake] };
    }
    const gone: StoreOperation = { key, expectedRevision: entry.revision, delete: true };
    if (registered !== undefined) return { result: { deleted: undefined }, operations: [gone], effects: [] };
    const isUnused = (await discardPending(context, certificateId)) !== undefined;
    const operations = [gone, ...(await leavePending(context, { clientId, claimCertificateId, digest }))];
    return { result: { deleted: isUnused ? certificateId : undefined }, operations, effects: [] };
  },
);

/** @throws {ProvisioningRefusal} for a token that is none, has ended, or is another's */
export async function requireToken(
  { store, scope, nowMs }: Pick<OperationContext, "store" | "scope" | "nowMs">,
  { digest, claimCertificateId, clientId }: Pick<AddPendingInput, "digest" | "claimCertificateId" | "clientId">,
): Promise<StoreEntry<TokenRecord>> {
  const entry = await store.get<TokenRecord>(pendingKeys.token(scope, digest));
  if (entry === undefined) throw invalidToken("Certificate ownership token is invalid.");
  const { value } = entry;
  if (value.expiresAtMs <= nowMs) throw invalidToken("Certificate ownership token has expired.");
  const isOwn = value.claimCertificateId === claimCertificateId;
  // Without a certificate there is nothing else that tells clients apart.
  if (!isOwn || (claimCertificateId === undefined && value.clientId !== clientId))
    throw invalidToken("Certificate ownership token is invalid.");
  return entry;
}

/** What is written when a certificate waits no more. */
export async function leavePending(
  context: OperationContext,
  { digest, ...owner }: PendingOwner & { digest: string },
): Promise<StoreOperation[]> {
  const key = pendingKeys.ofClient(context.scope, owner);
  const ofClient = await context.store.get<PendingOfClientRecord>(key);
  const left = ofClient?.value.filter((each) => each !== digest) ?? [];
  const expectedRevision = ofClient?.revision ?? 0;
  return [
    left.length === 0 ? { key, expectedRevision, delete: true } : { key, expectedRevision, value: left },
    ...changed(await countsOf(context, owner), -1),
  ];
}

/** What the client's own limit leaves no room for. */
async function dropToken(context: OperationContext, digest: string): Promise<StoreOperation[]> {
  const key = pendingKeys.token(context.scope, digest);
  const entry = await context.store.get<TokenRecord>(key);
  if (entry === undefined) return [];
  await discardPending(context, entry.value.certificateId);
  return [{ key, expectedRevision: entry.revision, delete: true }];
}

/** @returns undefined when somebody has deleted or activated it */
async function discardPending(context: OperationContext, certificateId: string): Promise<string | undefined> {
  const certificate = await findCertificate(context.store, context.scope, certificateId);
  if (certificate?.status !== "PENDING_ACTIVATION") return undefined;
  await context.call(discardCertificate, { certificateId });
  return certificateId;
}

/** How many certificates wait, of all and of one claim. */
interface Count {
  readonly key: StoreKey;
  readonly entry: StoreEntry<number> | undefined;
  readonly max: number;
  readonly tooMany: string;
  /** Claims come and go, and leave no record behind. */
  readonly isForgotten: boolean;
}

async function countsOf(
  { store, scope }: OperationContext,
  { claimCertificateId }: Pick<PendingOwner, "claimCertificateId">,
): Promise<Count[]> {
  const [all, ofClaim] = [pendingKeys.count(scope), pendingKeys.countOfClaim(scope, claimCertificateId)];
  return [
    {
      ...{ key: all, entry: await store.get<number>(all), max: pendingCertificatesMax },
      ...{ tooMany: "Too many certificates wait to be registered", isForgotten: false },
    },
    {
      ...{ key: ofClaim, entry: await store.get<number>(ofClaim), max: pendingCertificatesPerClaimMax },
      ...{ tooMany: "Too many certificates of this claim wait to be registered", isForgotten: true },
    },
  ];
}

function changed(counts: readonly Count[], more: number): StoreOperation[] {
  return counts.map(({ key, entry, isForgotten }) => {
    const value = Math.max(0, (entry?.value ?? 0) + more);
    const expectedRevision = entry?.revision ?? 0;
    return isForgotten && value === 0
      ? { key, expectedRevision, delete: true as const }
      : { key, expectedRevision, value };
  });
}

function checkRoom(counts: readonly Count[], more: number): void {
  for (const { entry, max, tooMany } of counts) if ((entry?.value ?? 0) + more >= max) throw throttled(tooMany);
}
