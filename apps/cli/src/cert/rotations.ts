import type { JobExecutionStatus } from "@aws-sdk/client-iot";
import { ThinglineError } from "@thingline/protocol";
import {
  type JsonValue,
  readRotatedDetails,
  readRotationDocument,
  type RotatedDetails,
} from "@thingline/protocol/jobs";
import { isAwsError } from "../fota/plane.js";
import { iterateOver, listExecutions, newestJobIds, readDetails, type Execution } from "../fota/jobs.js";
import type { CertPlace } from "./place.js";

// Jobs that have devices rotate their certificates, and what follows when they did.

export const rotationJobPrefix = "rotate-";

/** The job of an id, or the newest rotation. @throws {ThinglineError} REQUEST_INVALID when it is none */
export async function findRotationJob(place: CertPlace, jobId: string | undefined): Promise<string> {
  const id = jobId ?? (await newestJobIds(place)).find((one) => one.startsWith(rotationJobPrefix));
  if (id === undefined) {
    const message = `there is no rotation of certificates among the newest jobs of the ${place.plane.description}`;
    throw new ThinglineError("REQUEST_INVALID", message);
  }
  const { client, sdk, send } = place;
  const { document = "" } = await client.send(new sdk.GetJobDocumentCommand({ jobId: id }), send);
  try {
    readRotationDocument(JSON.parse(document) as JsonValue);
  } catch (cause) {
    throw new ThinglineError("REQUEST_INVALID", `the job ${id} is not a rotation of certificates`, { cause });
  }
  return id;
}

/** How far a rotation is. */
export interface RotationProgress {
  counts: Readonly<Partial<Record<JobExecutionStatus, number>>>;
  total: number;
  isOver: boolean;
}

export async function lookAtRotation(place: CertPlace, jobId: string): Promise<RotationProgress> {
  const counts: Partial<Record<JobExecutionStatus, number>> = {};
  let total = 0;
  let open = 0;
  for await (const { status } of listExecutions(place, jobId)) {
    counts[status] = (counts[status] ?? 0) + 1;
    total += 1;
    if (status === "QUEUED" || status === "IN_PROGRESS") open += 1;
  }
  const { client, sdk, send } = place;
  const { job } = await client.send(new sdk.DescribeJobCommand({ jobId }), send);
  const isJobOver = job?.status === "COMPLETED" || job?.status === "CANCELED";
  return { counts, total, isOver: open === 0 && (total > 0 || isJobOver) };
}

/** What became of the certificate that a device replaced. */
export type Finished =
  | { result: "deactivated" | "already" | "gone"; thingName: string; certificateId: string }
  /** The device can still go back to it. */
  | { result: "overlapping"; thingName: string; certificateId: string; untilMs: number }
  /** What the device says does not hold: nothing is touched. */
  | { result: "doubtful"; thingName: string; reason: string };

const executionsAtOnce = 50;
/** A device tells of its rotation within this of its proof; one that says an earlier end than that has a wrong clock. */
const clockDriftMs = 24 * 3_600_000;
/** The default overlap of `@thingline/device/rotation`, which is not loaded for one number. */
const usualOverlapMs = 3_600_000;

/** For each device that has rotated: the certificate before is set INACTIVE, once the device can no longer go back to it. */
export async function* finishRotation(place: CertPlace, jobId: string, nowMs: () => number): AsyncGenerator<Finished> {
  let batch: Execution[] = [];
  for await (const execution of listExecutions(place, jobId, "SUCCEEDED")) {
    batch.push(execution);
    if (batch.length < executionsAtOnce) continue;
    yield* finishBatch(place, jobId, batch, nowMs);
    batch = [];
  }
  yield* finishBatch(place, jobId, batch, nowMs);
}

async function* finishBatch(
  place: CertPlace,
  jobId: string,
  batch: readonly Execution[],
  nowMs: () => number,
): AsyncGenerator<Finished> {
  for await (const { thingName, details, lastUpdatedAtMs } of iterateOver(await readDetails(place, jobId, batch))) {
    const said = Object.entries(details).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const rotated = readRotatedDetails(Object.fromEntries(said));
    // One that had nothing to do, or could not read what it had.
    if (rotated?.replacedCertificateId === undefined) continue;
    yield await finishOne(
      place,
      thingName,
      { ...rotated, replacedCertificateId: rotated.replacedCertificateId, toldAtMs: lastUpdatedAtMs },
      nowMs(),
    );
  }
}

/**
 * Until when a device can go back. One that says a day long before it said so (a board without a clock begins in 1970) still has its
 * overlap to go, as far as anybody here knows: the usual one, counted by the cloud's clock.
 *
 * @param toldAtMs when the cloud heard of it
 */
export function overlapEndMs(saidMs: number, toldAtMs: number | undefined): number {
  if (toldAtMs === undefined || saidMs >= toldAtMs - clockDriftMs) return saidMs;
  return toldAtMs + usualOverlapMs;
}

/** A device says what it replaced. It is believed as far as both certificates are its own. */
async function finishOne(
  place: CertPlace,
  thingName: string,
  {
    certificateId,
    replacedCertificateId: oldId,
    overlapUntil,
    toldAtMs,
  }: RotatedDetails & { replacedCertificateId: string; toldAtMs: number | undefined },
  nowMs: number,
): Promise<Finished> {
  const { client, sdk, send } = place;
  const untilMs = overlapEndMs(overlapUntil * 1000, toldAtMs);
  const doubtful = (reason: string): Finished => ({ result: "doubtful", thingName, reason });
  if (oldId === certificateId) return doubtful("it says that it replaced a certificate by itself");
  const old = await describe(place, oldId);
  if (old === undefined) return { result: "gone", thingName, certificateId: oldId };
  if (old.status !== "ACTIVE") return { result: "already", thingName, certificateId: oldId };
  const fresh = await describe(place, certificateId);
  if (fresh?.status !== "ACTIVE") return doubtful(`its new certificate is ${fresh?.status ?? "not there"}`);
  for (const [what, { arn }] of Object.entries({ new: fresh, old })) {
    if (!(await isOfThing(place, arn, thingName))) return doubtful(`its ${what} certificate is not attached to it`);
  }
  if (nowMs < untilMs) return { result: "overlapping", thingName, certificateId: oldId, untilMs };
  await client.send(new sdk.UpdateCertificateCommand({ certificateId: oldId, newStatus: "INACTIVE" }), send);
  return { result: "deactivated", thingName, certificateId: oldId };
}

async function describe({ client, sdk, send }: CertPlace, certificateId: string) {
  try {
    const { certificateDescription: found } = await client.send(
      new sdk.DescribeCertificateCommand({ certificateId }),
      send,
    );
    return { status: found?.status ?? "", arn: found?.certificateArn ?? "" };
  } catch (error) {
    if (isAwsError(error, "ResourceNotFoundException")) return undefined;
    throw error;
  }
}

async function isOfThing({ client, sdk, send }: CertPlace, principal: string, thingName: string): Promise<boolean> {
  for await (const page of sdk.paginateListPrincipalThings({ client }, { principal }, send)) {
    if (page.things?.includes(thingName) === true) return true;
  }
  return false;
}
