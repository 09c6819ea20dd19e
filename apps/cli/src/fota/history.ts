import type { JobExecutionSummaryForThing } from "@aws-sdk/client-iot";
import { isAwsError, type FotaPlane } from "./plane.js";
import { readFirmwareJob, type FirmwareJob } from "./jobs.js";

const pageSize = 250;
/** Executions of one thing that are looked through for its firmware before. */
export const historyMax = 500;

/** What a device took, and what it had before that. */
export interface TakenFirmware {
  /** The last update that succeeded. */
  readonly current: FirmwareJob | undefined;
  /** The one before the update that is asked about. */
  readonly before: FirmwareJob | undefined;
}

/** Reads each job once, for any number of devices. */
export class FirmwareHistory {
  readonly #plane: FotaPlane;
  readonly #jobs = new Map<string, Promise<FirmwareJob | undefined>>();

  constructor(plane: FotaPlane, known: FirmwareJob) {
    this.#plane = plane;
    this.#jobs.set(known.jobId, Promise.resolve(known));
  }

  /** @param jobId the update that is gone back from */
  async of(thingName: string, jobId: string): Promise<TakenFirmware> {
    const taken = await this.#firmwareOf(thingName);
    const at = taken.findIndex((job) => job.jobId === jobId);
    const sha256 = taken[at]?.document.sha256;
    // The same image twice is one.
    const isOther = ({ document }: FirmwareJob) => sha256 === undefined || document.sha256 !== sha256;
    const before = at < 0 ? undefined : taken.slice(at + 1).find(isOther);
    return { current: taken[0], before };
  }

  /** The newest first. */
  async #firmwareOf(thingName: string): Promise<FirmwareJob[]> {
    const { client, sdk, send } = this.#plane;
    const found: { jobId: string; endedAtMs: number }[] = [];
    const input = { thingName, status: "SUCCEEDED" as const };
    for await (const page of sdk.paginateListJobExecutionsForThing({ client, pageSize }, input, send)) {
      for (const { jobId = "", jobExecutionSummary } of page.executionSummaries ?? []) {
        found.push({ jobId, endedAtMs: jobExecutionSummary?.lastUpdatedAt?.getTime() ?? 0 });
      }
      if (found.length >= historyMax) break;
    }
    found.sort((left, right) => right.endedAtMs - left.endedAtMs);
    const jobs: FirmwareJob[] = [];
    for (const { jobId } of found) {
      const job = await this.#job(jobId);
      if (job !== undefined) jobs.push(job);
    }
    return jobs;
  }

  #job(jobId: string): Promise<FirmwareJob | undefined> {
    const known = this.#jobs.get(jobId);
    if (known !== undefined) return known;
    const read = readFirmwareJob(this.#plane, jobId).catch((error: unknown) => {
      // Deleted, while its executions are still listed.
      if (isAwsError(error, "ResourceNotFoundException")) return undefined;
      throw error;
    });
    this.#jobs.set(jobId, read);
    return read;
  }
}

/** Executions of one thing that are asked for the version it told last. */
const reportsReadMax = 3;

/** What a device said last that it runs, with any update; undefined when it has never said. */
export async function lastVersionOf({ client, sdk, send }: FotaPlane, thingName: string): Promise<string | undefined> {
  const status = "SUCCEEDED" as const;
  const list = new sdk.ListJobExecutionsForThingCommand({ thingName, status, maxResults: 25 });
  const listed = await client.send(list, send).catch((error: unknown) => {
    if (isAwsError(error, "ResourceNotFoundException")) return undefined;
    throw error;
  });
  const endedAtMs = (one: JobExecutionSummaryForThing) => one.jobExecutionSummary?.lastUpdatedAt?.getTime() ?? 0;
  const newest = [...(listed?.executionSummaries ?? [])].sort((left, right) => endedAtMs(right) - endedAtMs(left));
  for (const { jobId = "", jobExecutionSummary } of newest.slice(0, reportsReadMax)) {
    const { executionNumber } = jobExecutionSummary ?? {};
    const command = new sdk.DescribeJobExecutionCommand({
      ...{ jobId, thingName },
      ...(executionNumber !== undefined && { executionNumber }),
    });
    const answer = await client.send(command, send).catch((error: unknown) => {
      if (isAwsError(error, "ResourceNotFoundException")) return undefined;
      throw error;
    });
    const version = answer?.execution?.statusDetails?.detailsMap?.["versionRunning"];
    if (version !== undefined) return version;
  }
  return undefined;
}
