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
