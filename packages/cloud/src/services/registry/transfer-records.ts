import type { StoreOperation } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { registryKeys, type CertificateRecord } from "./model.js";

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
