import { isRecord, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import {
  batchDevicesMax,
  type DeviceFailure,
  type DeviceResult,
  isDeviceFailure,
  isOptionalText,
  type StepTime,
} from "./result.js";

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

/** What tells one kind of batch from what else may lie in a folder. */
export interface BatchKind<Plan, Result> {
  isPlan(value: Record<string, unknown>): value is Record<string, unknown> & Plan;
  isResult(value: unknown): value is Result;
}

interface NamedResult {
  readonly name: string;
  readonly failure?: DeviceFailure | undefined;
}

/** Of `thingline provision --count`. */
export const provisioningBatch: BatchKind<BatchPlan, DeviceResult> = {
  isPlan: (value): value is Record<string, unknown> & BatchPlan =>
    typeof value["method"] === "string" && typeof value["prefix"] === "string",
  isResult,
};

/** A batch on disk: a plan, and a line for each device that ended, the newest last. What a killed process had begun is not there. */
export class BatchFolder<Plan extends object, Result extends NamedResult> {
  readonly #files: Files;
  readonly #folder: string;
  readonly #kind: BatchKind<Plan, Result>;

  constructor(files: Files, folder: string, kind: BatchKind<Plan, Result>) {
    this.#files = files;
    this.#folder = folder;
    this.#kind = kind;
  }

  get #planPath(): string {
    return `${this.#folder}/${batchPlanName}`;
  }

  get #resultsPath(): string {
    return `${this.#folder}/${batchResultsName}`;
  }

  async readPlan(): Promise<Plan | undefined> {
    if (!(await this.#files.exists(this.#planPath))) return undefined;
    const bytes = await this.#files.read(this.#planPath, { bytesMax: planFileBytesMax });
    const plan = parse(decoder.decode(bytes));
    if (plan === undefined || !this.#kind.isPlan(plan)) {
      const message = `"${this.#planPath}" is not the plan of a batch; name another --batch-dir`;
      throw new ThinglineError("FILE_UNREADABLE", message, { details: { path: this.#planPath } });
    }
    return plan;
  }

  async writePlan(plan: Plan): Promise<void> {
    await this.#files.replace(this.#planPath, encoder.encode(`${JSON.stringify(plan, null, 2)}\n`));
  }

  /** The last result of each device. A line that was cut off by the end of a process is left out. */
  async readResults(): Promise<Map<string, Result>> {
    const results = new Map<string, Result>();
    const text = await this.#files
      .read(this.#resultsPath, { bytesMax: resultsFileBytesMax })
      .then((bytes) => decoder.decode(bytes))
      .catch((error: unknown) => {
        if (isThinglineError(error, "FILE_NOT_FOUND")) return "";
        throw error;
      });
    for (const line of text.split("\n")) {
      const result = parse(line);
      if (result === undefined || !this.#kind.isResult(result)) continue;
      results.set(result.name, result);
      if (results.size > batchDevicesMax) break;
    }
    return results;
  }

  /** Begins on a line of its own, whatever a process that was killed left behind. */
  async append(result: Result): Promise<void> {
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
  const { name, result, durationMs, steps, thingName, certificateId, failure } = value;
  return (
    typeof name === "string" &&
    (result === "provisioned" || result === "failed") &&
    Number.isFinite(durationMs) &&
    [thingName, certificateId].every(isOptionalText) &&
    (failure === undefined || isDeviceFailure(failure)) &&
    Array.isArray(steps) &&
    steps.every(isStep)
  );
}

function isStep(value: unknown): value is StepTime {
  if (!isRecord(value)) return false;
  const { name, durationMs, result } = value;
  return (
    typeof name === "string" && Number.isFinite(durationMs) && ["done", "skipped", "failed"].includes(String(result))
  );
}

/** A reason is of any origin, and a server's may be long. */
function bounded<Result extends NamedResult>(result: Result): Result {
  const { failure } = result;
  if (failure === undefined || failure.reason.length <= reasonCharactersMax) return result;
  return { ...result, failure: { ...failure, reason: `${failure.reason.slice(0, reasonCharactersMax)} …` } };
}

/** Of a reason in a report. */
export const reasonCharactersMax = 1_000;
