import { isThinglineError } from "@thingline/protocol";
import { forEachAtOnce } from "../each.js";
import type { DeviceFailure, DeviceResult, StepTime } from "./result.js";

/** What a device tells while it is provisioned. */
export interface DeviceWatch {
  stepStarted(name: string): void;
  stepEnded(step: StepTime): void;
  /** The next thing to try, where the flow knows one. */
  advice(next: string): void;
}

export interface BatchOptions {
  names: readonly string[];
  /** How many at once. */
  atOnce: number;
  /** Takes one device to its certificate. Throws with the reason. */
  provision(name: string, watch: DeviceWatch): Promise<{ certificateId?: string; thingName?: string | undefined }>;
  /** Monotonic. */
  now: () => number;
  /** At most so many begin in a second; undefined: as many as can. */
  perSecond?: number | undefined;
  /** Ends early when the signal is aborted. */
  sleep: (delayMs: number) => Promise<void>;
  signal: AbortSignal;
  /** Awaited: what is kept of a device is kept before the next begins. */
  onResult(result: DeviceResult): Promise<void>;
  /** A device is in another step; undefined when it has ended. */
  onStep?(name: string, step: string | undefined): void;
}

/**
 * Provisions many devices, some at once. One that fails does not stop the others; a defect of ours, and the user, do. A device that was
 * under way when the user stopped has no result, and is provisioned when the batch is resumed.
 */
export async function runBatch(options: BatchOptions): Promise<void> {
  const { atOnce, signal } = options;
  await forEachAtOnce(
    paced(options),
    async (name) => {
      signal.throwIfAborted();
      const result = await provisionOne(options, name);
      await options.onResult(result);
    },
    atOnce,
  );
}

/** Each begins when it is due; one that began late does not hurry those after it. */
async function* paced({ names, perSecond, now, sleep }: BatchOptions): AsyncGenerator<string> {
  let dueMs = now();
  for (const name of names) {
    if (perSecond !== undefined) {
      const waitMs = dueMs - now();
      if (waitMs > 0) await sleep(waitMs);
      dueMs = Math.max(dueMs, now()) + 1_000 / perSecond;
    }
    yield name;
  }
}

async function provisionOne(options: BatchOptions, name: string): Promise<DeviceResult> {
  const startedMs = options.now();
  const steps: StepTime[] = [];
  let current: string | undefined;
  let next: string | undefined;
  const watch: DeviceWatch = {
    stepStarted(step) {
      current = step;
      options.onStep?.(name, step);
    },
    stepEnded(step) {
      steps.push(step);
      if (step.result !== "failed") current = undefined;
    },
    advice: (text) => (next = text),
  };
  try {
    const { certificateId, thingName } = await options.provision(name, watch);
    const durationMs = options.now() - startedMs;
    return { name, result: "provisioned", durationMs, thingName, certificateId, steps };
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    const failure = { ...describeFailure(error), step: steps.findLast(isFailed)?.name ?? current, next };
    return { name, result: "failed", durationMs: options.now() - startedMs, failure, steps };
  } finally {
    options.onStep?.(name, undefined);
  }
}

const isFailed = ({ result }: StepTime) => result === "failed";

/** What is nobody's defect is a result; a defect of ours ends the batch. */
function describeFailure(error: unknown): DeviceFailure {
  if (isThinglineError(error)) return { code: error.code, reason: error.message };
  throw error;
}
