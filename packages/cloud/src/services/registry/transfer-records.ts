import type { StoreEntry, StoreOperation } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";
import { registryKeys, type CertificateRecord } from "./model.js";
import { changeStatus, unlistCertificate } from "./records.js";

/** What DescribeCertificate tells of the last transfer. */
export function describeTransfer({ transfer }: CertificateRecord) {
  if (transfer === undefined) return {};
  const { message, atMs, rejectReason, acceptedAtMs, rejectedAtMs } = transfer;
  return {
    ...(message !== undefined && { transferMessage: message }),
    ...(rejectReason !== undefined && { rejectReason }),
    transferDate: atMs / 1000,
    ...(acceptedAtMs !== undefined && { acceptDate: acceptedAtMs / 1000 }),
    ...(rejectedAtMs !== undefined && { rejectDate: rejectedAtMs / 1000 }),
  };
}

/** For the commit that deletes a certificate: the account that it came from need not remember it. */
export function forgetTransfer(scope: Scope, { certificateId, transfer }: CertificateRecord): StoreOperation[] {
  if (transfer?.fromAccount === undefined) return [];
  const source: Scope = { ...scope, account: transfer.fromAccount };
  return [{ key: registryKeys.transferredCertificate(source, certificateId), delete: true }];
}

/** For the commit that deletes a certificate whatever its status: a transfer that is pending ends, as nothing is left to be transferred. */
export async function endTransfer(
  context: Pick<OperationContext, "store" | "scope" | "nowMs">,
  certificate: CertificateRecord,
): Promise<StoreOperation[]> {
  const { scope, store } = context;
  const { certificateId, status, transfer } = certificate;
  const account = transfer?.toAccount ?? transfer?.fromAccount;
  if (status !== "PENDING_TRANSFER" || account === undefined) return forgetTransfer(scope, certificate);
  const other: Scope = { ...scope, account };
  const entry = await store.get<CertificateRecord>(registryKeys.certificate(other, certificateId));
  const isOutgoing = transfer?.toAccount !== undefined;
  const operations = [
    outgoingGone(isOutgoing ? scope : other, (isOutgoing ? certificate : entry?.value) ?? certificate),
  ];
  if (entry === undefined) return operations;
  if (isOutgoing) return [...operations, ...recordGone(other, entry)];
  return [...operations, ...givenBack(context, other, entry)];
}

/** The record with all that goes with it. Nothing is attached to a certificate that is pending. */
export function recordGone(scope: Scope, { key, value, revision }: StoreEntry<CertificateRecord>): StoreOperation[] {
  return [
    { key, expectedRevision: revision, delete: true },
    { key: registryKeys.guard(scope, "certificate", value.certificateId), delete: true },
    ...unlistCertificate(scope, value),
  ];
}

/** The account that wanted to give it away has it as before. */
function givenBack(
  { nowMs }: Pick<OperationContext, "nowMs">,
  scope: Scope,
  entry: StoreEntry<CertificateRecord>,
): StoreOperation[] {
  const { transfer: _ended, ...before } = entry.value;
  return changeStatus(scope, entry, { ...before, status: "INACTIVE", modifiedAtMs: nowMs });
}

/** Out of the list of those that the account gives away. */
export function outgoingGone(scope: Scope, { certificateId, transfer }: CertificateRecord): StoreOperation {
  return { key: registryKeys.outgoingCertificate(scope, transfer?.atMs ?? 0, certificateId), delete: true };
}
