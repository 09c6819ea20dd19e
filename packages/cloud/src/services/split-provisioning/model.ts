import { ThinglineError } from "@thingline/protocol";
import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";

/**
 * What became of the certificates of one device. Asking again always gives new credentials, because the private key of
 * an answer that got lost is kept nowhere. So that asking again leaves nothing behind:
 *
 * - A certificate is `pending` until a connection proves that the device has it. The last {@link pendingCertificatesMax}
 *   stay good, so an answer that crosses a second request still works. Older ones are deleted.
 * - When one connects it is `proved`. The other pending ones are deleted: nobody will use them. A certificate proved
 *   before is set INACTIVE, not deleted: the device has moved on, and a person may still move it back. The one with which the device asked
 *   for the new one itself is left to the registry, which ends it after the overlap of a rotation.
 * - A device may ask {@link requestsPerMinuteMax} times in a minute.
 */
export type DeviceCertificate = {
  certificateId: string;
  state: "pending" | "proved" | "superseded";
  issuedAtMs: number;
  claimCertificateId?: string;
  provedAtMs?: number;
  supersededAtMs?: number;
};

export type DeviceRecord = {
  deviceId: string;
  /** Oldest first, with those that are gone; at most {@link certificatesRememberedMax}. */
  certificates: DeviceCertificate[];
  /** Of the last minute. */
  requestTimesMs: number[];
};

export const pendingCertificatesMax = 3;
export const certificatesRememberedMax = 16;
export const requestsPerMinuteMax = 30;
const minuteMs = 60_000;

export function deviceKey({ account, region }: Scope, deviceId: string): StoreKey {
  return [account, region, "splitProvisioning", deviceId];
}

/** Counts a request. @throws {ThinglineError} THROTTLED */
export function admitRequest(record: DeviceRecord, nowMs: number): DeviceRecord {
  // A clock that was set back must not lock a device out.
  const requestTimesMs = record.requestTimesMs.filter((atMs) => atMs > nowMs - minuteMs && atMs <= nowMs);
  if (requestTimesMs.length >= requestsPerMinuteMax) {
    const message = `device ${record.deviceId} asked ${requestsPerMinuteMax} times within a minute; try again later`;
    throw new ThinglineError("THROTTLED", message, { details: { requestsPerMinuteMax } });
  }
  return { ...record, requestTimesMs: [...requestTimesMs, nowMs] };
}

export interface Change {
  record: DeviceRecord;
  /** Certificates to delete. */
  deleted: string[];
  /** Certificates to set INACTIVE. */
  deactivated: string[];
}

/** Adds a pending certificate and lets go of pending ones that are too many. */
export function addPending(record: DeviceRecord, issued: Omit<DeviceCertificate, "state">): Change {
  const pending = record.certificates.filter(({ state }) => state === "pending");
  const deleted = new Set(
    pending
      .slice(0, Math.max(0, pending.length - (pendingCertificatesMax - 1)))
      .map(({ certificateId }) => certificateId),
  );
  const certificates = supersede(record.certificates, deleted, issued.issuedAtMs);
  certificates.push({ ...issued, state: "pending" });
  return { record: { ...record, certificates: forgetOldest(certificates) }, deleted: [...deleted], deactivated: [] };
}

/** A connection with the certificate was accepted. @returns undefined when that is no news. */
export function prove(record: DeviceRecord, certificateId: string, nowMs: number): Change | undefined {
  const proved = record.certificates.find((certificate) => certificate.certificateId === certificateId);
  if (proved?.state !== "pending") return undefined;
  const others = record.certificates.filter((certificate) => certificate !== proved);
  const inState = (wanted: DeviceCertificate["state"]) =>
    others.filter(({ state }) => state === wanted).map((certificate) => certificate.certificateId);
  const deleted = inState("pending");
  const deactivated = inState("proved").filter((id) => id !== proved.claimCertificateId);
  const certificates = supersede(record.certificates, new Set([...deleted, ...deactivated]), nowMs).map((certificate) =>
    certificate.certificateId === certificateId
      ? { ...certificate, state: "proved" as const, provedAtMs: nowMs }
      : certificate,
  );
  return { record: { ...record, certificates }, deleted, deactivated };
}

function supersede(
  certificates: readonly DeviceCertificate[],
  ids: ReadonlySet<string>,
  nowMs: number,
): DeviceCertificate[] {
  return certificates.map((certificate) =>
    ids.has(certificate.certificateId) ? { ...certificate, state: "superseded", supersededAtMs: nowMs } : certificate,
  );
}

function forgetOldest(certificates: readonly DeviceCertificate[]): DeviceCertificate[] {
  let surplus = certificates.length - certificatesRememberedMax;
  return certificates.filter(({ state }) => state !== "superseded" || surplus-- <= 0);
}
