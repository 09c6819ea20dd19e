import { isThinglineError } from "@thingline/protocol";
import {
  readRotationDocument,
  type RotatedDetails,
  type RotationOrder,
  writeRotatedDetails,
} from "@thingline/protocol/jobs";
import type { JobHandler, JobOutcome, RunningJob } from "../jobs/job.js";
import { type RotationEntry, type RotationRecord, rotatedFor } from "./record.js";
import type { CertificateFacts, RotateOptions, RotationOrigin, RotationResult } from "./types.js";

export interface RotationForJobs {
  record(): RotationRecord;
  certificate(): CertificateFacts | undefined;
  rotate(origin: RotationOrigin, options: RotateOptions): Promise<RotationResult>;
}

/** A rotation because a job says so. Called again for a job that it has followed, by a later process, it says what it came to. */
export function rotationJobHandler(rotation: RotationForJobs): JobHandler {
  return async (job) => {
    let order: RotationOrder;
    try {
      order = readRotationDocument(job.document);
    } catch (error) {
      if (!isThinglineError(error, "REQUEST_INVALID")) throw error;
      return { status: "REJECTED", statusDetails: { reason: "JOB_DOCUMENT_INVALID", message: error.message } };
    }
    const before = rotatedFor(rotation.record(), idOf(job));
    if (before !== undefined) return succeeded(detailsOf(before, rotation.record()));
    const certificate = rotation.certificate();
    if (order.issuedBefore !== undefined && certificate && certificate.notBeforeMs >= order.issuedBefore * 1000) {
      const { certificateId } = certificate;
      return { status: "SUCCEEDED", statusDetails: { reason: "ALREADY_ROTATED", certificateId } };
    }
    const overlapMs = order.overlapSeconds === undefined ? {} : { overlapMs: order.overlapSeconds * 1000 };
    const result = await rotation.rotate({ reason: "job", job: idOf(job), ...overlapMs }, { signal: job.signal });
    return succeeded(detailsOfResult(result));
  };
}

const idOf = ({ jobId, executionNumber }: RunningJob) => ({ jobId, executionNumber });

const succeeded = (details: RotatedDetails): JobOutcome => ({
  status: "SUCCEEDED",
  statusDetails: writeRotatedDetails(details),
});

function detailsOfResult({ certificateId, replacedCertificateId, overlapUntilUnixMs }: RotationResult): RotatedDetails {
  const known = replacedCertificateId === undefined ? {} : { replacedCertificateId };
  return { certificateId, ...known, overlapUntil: Math.ceil(overlapUntilUnixMs / 1000) };
}

function detailsOf(entry: RotationEntry, { state }: RotationRecord): RotatedDetails {
  const { certificateId = "", replacedCertificateId, atUnixMs } = entry;
  const untilMs = state.name === "overlapping" ? state.untilUnixMs : atUnixMs;
  const known = replacedCertificateId === undefined ? {} : { replacedCertificateId };
  return { certificateId, ...known, overlapUntil: Math.ceil(untilMs / 1000) };
}
