import { isRecord, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import type { DeviceResult } from "./result.js";
import { batchDevicesMax } from "./result.js";

/** What a batch is about: the same when it is resumed. */
export interface BatchPlan {
  readonly method: string;
  readonly endpoint: string;
  readonly prefix: string;
  readonly template: string | null;
}

export const batchPlanName = "batch.json";
export const batchResultsName = "results.jsonl";

/** A device may have failed and been tried again several times before its batch is whole. */
export const resultsFileBytesMax = 64 * 1024 * 1024;
const planFileBytesMax = 64 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A batch on disk: a plan, and a line for each device that ended, the newest last. What a killed process had begun is not there. */
export class BatchFolder {
  readonly #files: Files;
  readonly #folder: string;

  constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  get #planPath(): string {
    return `${this.#folder}/${batchPlanName}`;
  }

  get #resultsPath(): string {
    return `${this.#folder}/${batchResultsName}`;
  }

  async readPlan(): Promise<BatchPlan | undefined> {
    if (!(await this.#files.exists(this.#planPath))) return undefined;
    const bytes = await this.#files.read(this.#planPath, { bytesMax: planFileBytesMax });
    const plan = parse(decoder.decode(bytes));
    if (plan === undefined || typeof plan["method"] !== "string" || typeof plan["prefix"] !== "string") {
      const message = `"${this.#planPath}" is not the plan of a batch; name another --batch-dir`;
      throw new ThinglineError("FILE_UNREADABLE", message, { details: { path: this.#planPath } });
    }
    return plan as unknown as BatchPlan;
  }

  async writePlan(plan: BatchPlan): Promise<void> {
    await this.#files.replace(this.#planPath, encoder.encode(`${JSON.stringify(plan, null, 2)}\n`));
  }

  /** The last result of each device. A line that was cut off by the end of a process is left out. */
  async readResults(): Promise<Map<string, DeviceResult>> {
    const results = new Map<string, DeviceResult>();
    const text = await this.#files
      .read(this.#resultsPath, { bytesMax: resultsFileBytesMax })
      .then((bytes) => decoder.decode(bytes))
      .catch((error: unknown) => {
        if (isThinglineError(error, "FILE_NOT_FOUND")) return "";
        throw error;
      });
    for (const line of text.split("\n")) {
      const result = parse(line);
      if (result === undefined || !isResult(result)) continue;
      results.set(result.name, result);
      if (results.size > batchDevicesMax) break;
    }
    return results;
  }

  /** Begins on a line of its own, whatever a process that was killed left behind. */
  async append(result: DeviceResult): Promise<void> {
    await this.#files.append(this.#resultsPath, encoder.encode(`\n${JSON.stringify(bounded(result))}`));
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  if (line === "") return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isResult(value: unknown): value is DeviceResult {
  if (!isRecord(value)) return false;
  const { name, result, durationMs, steps } = value;
  return (
    typeof name === "string" &&
    (result === "provisioned" || result === "failed") &&
    typeof durationMs === "number" &&
    Array.isArray(steps)
  );
}

/** A reason is of any origin, and a server's may be long. */
function bounded(result: DeviceResult): DeviceResult {
  const { failure } = result;
  if (failure === undefined || failure.reason.length <= reasonCharactersMax) return result;
  return { ...result, failure: { ...failure, reason: `${failure.reason.slice(0, reasonCharactersMax)} …` } };
}

/** Of a reason in a report. */
export const reasonCharactersMax = 1_000;
