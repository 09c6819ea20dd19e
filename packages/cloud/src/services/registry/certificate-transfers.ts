import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreOperation } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { requireCertificate } from "./certificates.js";
import { arnOf, registryKeys, type CertificateRecord } from "./model.js";
import { policiesOf } from "./policies.js";
import { changeStatus, listKeysOf } from "./records.js";
import { outgoingGone, recordGone } from "./transfer-records.js";

// A certificate on its way from one account of the cloud to another has a record in both, PENDING_TRANSFER, until the receiver has decided:
// each change of it is one commit over both accounts.

type Context = Pick<OperationContext, "store" | "scope" | "nowMs">;

export const transferCertificate = awsOperation(
  "iot",
  "TransferCertificate",
  ["certificateId", "targetAwsAccount", "transferMessage"],
  async (context, { certificateId: given, targetAwsAccount, transferMessage: message }) => {
    const { scope, store, nowMs, random } = context;
    if (targetAwsAccount === scope.account) {
      throw invalid(`The certificate belongs to account ${targetAwsAccount} already`);
    }
    const entry = await requireCertificate(context, given);
    const { value: certificate } = entry;
    const { certificateId } = certificate;
    requireStill(scope, certificate);
    const guard = await requireUnattached(context, certificateId);
    const target: Scope = { ...scope, account: targetAwsAccount };
    if ((await store.get(registryKeys.certificate(target, certificateId))) !== undefined) {
      throw conflict(`The certificate is registered in account ${targetAwsAccount} already`);
    }
    const { transfer: _before, replacedBy: _replaced, ...kept } = certificate;
    const leaving: CertificateRecord = {
      ...{ ...certificate, status: "PENDING_TRANSFER", modifiedAtMs: nowMs },
      transfer: { toAccount: targetAwsAccount, atMs: nowMs, ...(message !== undefined && { message }) },
    };
    const coming: CertificateRecord = {
      ...{ ...kept, status: "PENDING_TRANSFER", modifiedAtMs: nowMs, generationId: random.uuid() },
      origin: { source: "TransferCertificate", atMs: nowMs, fromAccount: scope.account },
      transfer: { fromAccount: scope.account, atMs: nowMs, ...(message !== undefined && { message }) },
    };
    return {
      result: { transferredCertificateArn: arnOf.certificate(target, certificateId) },
      operations: [
        ...changeStatus(scope, entry, leaving),
        guard,
        { key: registryKeys.outgoingCertificate(scope, nowMs, certificateId), value: null },
        { key: registryKeys.certificate(target, certificateId), expectedRevision: 0, value: coming },
        ...listKeysOf(target, coming).map((key) => ({ key, value: null })),
        // One that comes back to where it was before is not gone from there any more.
        { key: registryKeys.transferredCertificate(target, certificateId), delete: true as const },
      ],
      effects: [],
    };
  },
);

/** By the account that gave it away; then it has it as before. */
export const cancelCertificateTransfer = awsOperation(
  "iot",
  "CancelCertificateTransfer",
  ["certificateId"],
  async (context, { certificateId }) => {
    const { source, target } = await requireOutgoing(context, certificateId);
    const { transfer: _canceled, ...before } = source.entry.value;
    const operations = [...giveBack(context, source, before), ...forget(target)];
    return { result: {}, operations, effects: [] };
  },
);

export const rejectCertificateTransfer = awsOperation(
  "iot",
  "RejectCertificateTransfer",
  ["certificateId", "rejectReason"],
  async (context, { certificateId, rejectReason }) => {
    const { source, target } = await requireIncoming(context, certificateId);
    const { transfer, ...before } = source.entry.value;
    const operations = [
      ...giveBack(context, source, {
        ...before,
        transfer: {
          ...{ atMs: transfer?.atMs ?? context.nowMs, rejectedAtMs: context.nowMs },
          ...(transfer?.message !== undefined && { message: transfer.message }),
          ...(rejectReason !== undefined && { rejectReason }),
        },
      }),
      ...forget(target),
    ];
    return { result: {}, operations, effects: [] };
  },
);

/** From then on the account that gave it away has nothing of it but that it is gone. */
export const acceptCertificateTransfer = awsOperation(
  "iot",
  "AcceptCertificateTransfer",
  ["certificateId", "setAsActive"],
  async (context, { certificateId, setAsActive = false }) => {
    const { nowMs } = context;
    const { source, target } = await requireIncoming(context, certificateId);
    const { value: coming } = target.entry;
    const accepted: CertificateRecord = {
      ...{ ...coming, status: setAsActive ? "ACTIVE" : "INACTIVE", modifiedAtMs: nowMs },
      transfer: { ...coming.transfer, atMs: coming.transfer?.atMs ?? nowMs, acceptedAtMs: nowMs },
    };
    const id = coming.certificateId;
    const operations = [
      ...changeStatus(target.scope, target.entry, accepted),
      ...forget(source),
      { key: registryKeys.transferredCertificate(source.scope, id), value: null },
    ];
    return { result: {}, operations, effects: [] };
  },
);

export const listOutgoingCertificates = awsOperation(
  "iot",
  "ListOutgoingCertificates",
  ["marker", "pageSize", "ascendingOrder"],
  async ({ scope, store }, input) => {
    const { entries, nextToken } = await readPage(store, {
      prefix: registryKeys.outgoingCertificates(scope),
      token: input.marker,
      tokenName: "marker",
      size: input.pageSize,
      order: input.ascendingOrder === true ? "ascending" : "descending",
    });
    const outgoingCertificates = [];
    for (const { key } of entries) {
      const entry = await store.get<CertificateRecord>(registryKeys.certificate(scope, lastName(key)));
      const transfer = entry?.value.transfer;
      if (entry === undefined || transfer === undefined) continue; // decided between the two reads
      const { certificateId, createdAtMs } = entry.value;
      outgoingCertificates.push({
        ...{ certificateArn: arnOf.certificate(scope, certificateId), certificateId },
        ...{ transferredTo: transfer.toAccount, transferDate: transfer.atMs / 1000, creationDate: createdAtMs / 1000 },
        ...(transfer.message !== undefined && { transferMessage: transfer.message }),
      });
    }
    return answer({ outgoingCertificates, ...(nextToken !== undefined && { nextMarker: nextToken }) });
  },
);

/** One side of a transfer. */
interface Side {
  scope: Scope;
  entry: StoreEntry<CertificateRecord>;
}

interface BothSides {
  source: Side;
  target: Side;
}

async function requireOutgoing(context: Context, given: string): Promise<BothSides> {
  const { store, scope } = context;
  const gone = await store.get(registryKeys.transferredCertificate(scope, given.toLowerCase()));
  if (gone !== undefined) throw completed(given);
  const entry = await requireCertificate(context, given);
  const { status, transfer } = entry.value;
  if (status !== "PENDING_TRANSFER" || transfer?.toAccount === undefined) throw notPending(entry.value, "from");
  const source = { scope, entry };
  return { source, target: await otherSide(context, source, transfer.toAccount) };
}

async function requireIncoming(context: Context, given: string): Promise<BothSides> {
  const entry = await requireCertificate(context, given);
  const { status, transfer, certificateId } = entry.value;
  if (transfer?.acceptedAtMs !== undefined && status !== "PENDING_TRANSFER") throw completed(certificateId);
  if (status !== "PENDING_TRANSFER" || transfer?.fromAccount === undefined) throw notPending(entry.value, "to");
  const target = { scope: context.scope, entry };
  return { source: await otherSide(context, target, transfer.fromAccount), target };
}

async function otherSide({ store }: Context, { scope, entry }: Side, account: string): Promise<Side> {
  const other: Scope = { ...scope, account };
  const { certificateId } = entry.value;
  const found = await store.get<CertificateRecord>(registryKeys.certificate(other, certificateId));
  if (found !== undefined) return { scope: other, entry: found };
  throw new ThinglineError("STORE_CORRUPT", `Account ${account} has nothing of the transfer of ${certificateId}`);
}

/** @throws {ThinglineError} CERTIFICATE_STATE_INVALID */
function requireStill(scope: Scope, { certificateId, status, temporaryPolicyDocument }: CertificateRecord): void {
  const arn = arnOf.certificate(scope, certificateId);
  if (temporaryPolicyDocument !== undefined) {
    throw new ThinglineError("CERTIFICATE_STATE_INVALID", `A temporary claim cannot be transferred (arn: ${arn})`);
  }
  if (status === "INACTIVE" || status === "REVOKED") return;
  const message = `A certificate that is ${status} cannot be transferred; it must not be ACTIVE (arn: ${arn})`;
  throw new ThinglineError("CERTIFICATE_STATE_INVALID", message);
}

/** @returns what makes a commit depend on it @throws {ThinglineError} TRANSFER_CONFLICT */
async function requireUnattached(context: OperationContext, certificateId: string): Promise<StoreOperation> {
  const { scope, store } = context;
  const arn = arnOf.certificate(scope, certificateId);
  const key = registryKeys.guard(scope, "certificate", certificateId);
  const expectedRevision = (await store.get(key))?.revision ?? 0;
  if ((await policiesOf(context, arn)).length > 0) {
    throw conflict(`Policies must be detached before the certificate is transferred (arn: ${arn})`);
  }
  const [thing] = await store.list(registryKeys.thingsOfPrincipal(scope, arn), { limit: 1 });
  if (thing !== undefined)
    throw conflict(`Things must be detached before the certificate is transferred (arn: ${arn})`);
  return { key, expectedRevision, value: null };
}

function giveBack({ nowMs }: Context, { scope, entry }: Side, before: CertificateRecord): StoreOperation[] {
  const value: CertificateRecord = { ...before, status: "INACTIVE", modifiedAtMs: nowMs };
  return [...changeStatus(scope, entry, value), outgoingGone(scope, entry.value)];
}

/** Its record goes, with all that goes with it. Nothing is attached to it. */
function forget({ scope, entry }: Side): StoreOperation[] {
  const { value } = entry;
  return [
    ...recordGone(scope, entry),
    ...(value.transfer?.toAccount === undefined ? [] : [outgoingGone(scope, value)]),
  ];
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
const conflict = (message: string) => new ThinglineError("TRANSFER_CONFLICT", message);
const completed = (id: string) =>
  new ThinglineError("TRANSFER_COMPLETED", `The transfer of the certificate is already complete (id=${id})`);
const notPending = ({ certificateId, status }: CertificateRecord, way: "from" | "to") =>
  invalid(`The certificate is ${status}: no transfer ${way} this account is pending (id=${certificateId})`);
