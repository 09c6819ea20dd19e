import type { DescribeJobCommandOutput, Job, JobExecutionStatus } from "@aws-sdk/client-iot";
import type { FotaStatusDetails } from "@thingline/device/fota";
import { ThinglineError } from "@thingline/protocol";
import { forEachAtOnce } from "../each.js";
import { readFirmwareDocument, type FirmwareDocument } from "./job-document.js";
import { isAwsError, type FotaPlane } from "./plane.js";

const pageSize = 250;
/** Jobs that are looked through for the newest update. */
export const jobsSearchedMax = 250;
/** Documents read for it. */
const documentsReadMax = 25;

/** A job that is a firmware update. */
export interface FirmwareJob {
  readonly jobId: string;
  readonly job: Job;
  readonly documentText: string;
  readonly document: FirmwareDocument;
}

/** One device of a job. */
export interface Execution {
  readonly thingName: string;
  readonly status: JobExecutionStatus;
  readonly executionNumber: number;
  readonly queuedAtMs: number | undefined;
  readonly startedAtMs: number | undefined;
  readonly lastUpdatedAtMs: number | undefined;
}

/** As devices report them; another program's may say anything. */
export type Details = Partial<FotaStatusDetails> & Readonly<Record<string, string | undefined>>;

export interface DetailedExecution extends Execution {
  readonly details: Details;
  readonly versionNumber: number | undefined;
}

/** No device moves it any more. */
export function isFinal(status: JobExecutionStatus): boolean {
  return status !== "QUEUED" && status !== "IN_PROGRESS";
}

/**
 * The job of an id, or the newest firmware update that is meant.
 * @throws {ThinglineError} REQUEST_INVALID when it is none; AWS's ResourceNotFoundException
 */
export async function findFirmwareJob(
  plane: FotaPlane,
  jobId: string | undefined,
  isMeant: (jobId: string) => boolean = () => true,
): Promise<FirmwareJob> {
  if (jobId !== undefined) {
    const found = await readFirmwareJob(plane, jobId);
    if (found !== undefined) return found;
    throw new ThinglineError("REQUEST_INVALID", `the job ${jobId} is not a firmware update`);
  }
  for (const id of (await newestJobIds(plane)).filter(isMeant).slice(0, documentsReadMax)) {
    const found = await readFirmwareJob(plane, id);
    if (found !== undefined) return found;
  }
  const message = `there is no firmware update among the newest jobs of the ${plane.plane.description}`;
  throw new ThinglineError("REQUEST_INVALID", message);
}

/** Ids of jobs, the newest first. */
export async function newestJobIds({ client, sdk, send }: FotaPlane, status?: Job["status"]): Promise<string[]> {
  const jobs: { jobId: string; createdAtMs: number }[] = [];
  const input = status === undefined ? {} : { status };
  for await (const page of sdk.paginateListJobs({ client, pageSize }, input, send)) {
    for (const { jobId = "", createdAt } of page.jobs ?? [])
      jobs.push({ jobId, createdAtMs: createdAt?.getTime() ?? 0 });
    if (jobs.length >= jobsSearchedMax) break;
  }
  return jobs.sort((left, right) => right.createdAtMs - left.createdAtMs).map(({ jobId }) => jobId);
}

/** Undefined for a job that is something else. */
export async function readFirmwareJob(
  { client, sdk, send }: FotaPlane,
  jobId: string,
): Promise<FirmwareJob | undefined> {
  const { document: documentText = "" } = await client.send(new sdk.GetJobDocumentCommand({ jobId }), send);
  const document = readFirmwareDocument(documentText);
  if (document === undefined) return undefined;
  const { job }: DescribeJobCommandOutput = await client.send(new sdk.DescribeJobCommand({ jobId }), send);
  return { jobId, job: job ?? {}, documentText, document };
}

/** The devices of a job, page by page. */
export async function* listExecutions(
  { client, sdk, send }: FotaPlane,
  jobId: string,
  status?: JobExecutionStatus,
): AsyncGenerator<Execution> {
  const input = { jobId, ...(status !== undefined && { status }) };
  for await (const page of sdk.paginateListJobExecutionsForJob({ client, pageSize }, input, send)) {
    for (const { thingArn = "", jobExecutionSummary: summary = {} } of page.executionSummaries ?? []) {
      yield {
        thingName: thingArn.slice(thingArn.indexOf("/") + 1),
        status: summary.status ?? "QUEUED",
        executionNumber: summary.executionNumber ?? 1,
        queuedAtMs: summary.queuedAt?.getTime(),
        startedAtMs: summary.startedAt?.getTime(),
        lastUpdatedAtMs: summary.lastUpdatedAt?.getTime(),
      };
    }
  }
}

/** What the devices themselves say, in the order of the executions. One that is gone meanwhile is left out. */
export async function readDetails(
  plane: FotaPlane,
  jobId: string,
  executions: readonly Execution[],
): Promise<DetailedExecution[]> {
  const { client, sdk, send } = plane;
  const found = new Map<Execution, DetailedExecution>();
  await forEachAtOnce(iterateOver(executions), async (execution) => {
    const { thingName, executionNumber } = execution;
    const command = new sdk.DescribeJobExecutionCommand({ jobId, thingName, executionNumber });
    const answer = await client.send(command, send).catch((error: unknown) => {
      if (isAwsError(error, "ResourceNotFoundException")) return undefined;
      throw error;
    });
    if (answer?.execution === undefined) return;
    const { statusDetails, status = execution.status, lastUpdatedAt, startedAt, versionNumber } = answer.execution;
    found.set(execution, {
      ...execution,
      status,
      startedAtMs: startedAt?.getTime() ?? execution.startedAtMs,
      lastUpdatedAtMs: lastUpdatedAt?.getTime() ?? execution.lastUpdatedAtMs,
      details: statusDetails?.detailsMap ?? {},
      versionNumber,
    });
  });
  return executions.flatMap((execution) => found.get(execution) ?? []);
}

export async function* iterateOver<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
