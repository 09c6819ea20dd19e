import type { DeviceResult } from "./result.js";

/** Where the time of a step goes, over all devices that took it. */
export interface StepSummary {
  name: string;
  devices: number;
  failed: number;
  meanMs: number;
  medianMs: number;
  p95Ms: number;
  maxMs: number;
  /** Of the time of all devices, 0 to 1. Steps overlap, where a device waits for two messages at once. */
  share: number;
}

export interface BatchSummary {
  devices: number;
  provisioned: number;
  failed: number;
  /** Of devices, from the first step to the last. */
  medianMs: number;
  p95Ms: number;
  maxMs: number;
  /** In the order in which steps first ended. */
  steps: StepSummary[];
  /** Failures alike, the most frequent first. */
  failures: { step: string | undefined; code: string; devices: number; example: string; next: string | undefined }[];
}

export function summarize(results: Iterable<DeviceResult>): BatchSummary {
  const durations: number[] = [];
  const steps = new Map<string, { durations: number[]; failed: number }>();
  const failures = new Map<string, BatchSummary["failures"][number]>();
  let failed = 0;
  for (const { name, result, durationMs, steps: taken, failure } of results) {
    durations.push(durationMs);
    if (result === "failed") failed++;
    for (const step of taken) {
      if (step.result === "skipped") continue;
      const entry = steps.get(step.name) ?? { durations: [], failed: 0 };
      entry.durations.push(step.durationMs);
      if (step.result === "failed") entry.failed++;
      steps.set(step.name, entry);
    }
    if (failure === undefined) continue;
    const key = JSON.stringify([failure.step, failure.code]);
    const same = failures.get(key) ?? {
      step: failure.step,
      code: failure.code,
      devices: 0,
      example: name,
      next: failure.next,
    };
    same.devices++;
    failures.set(key, same);
  }
  const all = total(durations);
  return {
    ...{ devices: durations.length, provisioned: durations.length - failed, failed },
    ...spread(durations),
    steps: [...steps].map(([name, entry]) => {
      const sum = total(entry.durations);
      return {
        ...{ name, devices: entry.durations.length, failed: entry.failed },
        meanMs: rounded(sum / entry.durations.length),
        ...spread(entry.durations),
        share: all === 0 ? 0 : rounded(sum / all),
      };
    }),
    failures: [...failures.values()].sort((left, right) => right.devices - left.devices),
  };
}

const rounded = (value: number) => Math.round(value * 1_000) / 1_000;
const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

function spread(durations: readonly number[]): { medianMs: number; p95Ms: number; maxMs: number } {
  const sorted = [...durations].sort((left, right) => left - right);
  const at = (part: number) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
  return { medianMs: at(0.5), p95Ms: at(0.95), maxMs: sorted.at(-1) ?? 0 };
}

/** Ends that tell the rate: enough to be steady, few enough to follow a change. */
const endsKept = 64;

/** How fast a batch goes, and how long it will take. Times are monotonic. */
export class Pace {
  readonly #startedMs: number;
  readonly #ends: number[] = [];

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  ended(nowMs: number): void {
    this.#ends.push(nowMs);
    if (this.#ends.length > endsKept) this.#ends.shift();
  }

  /** Devices a second, of late; undefined before the first. */
  rate(nowMs: number): number | undefined {
    if (this.#ends.length === 0) return undefined;
    const isWindow = this.#ends.length === endsKept;
    const sinceMs = isWindow ? (this.#ends[0] ?? 0) : this.#startedMs;
    const elapsedMs = Math.max(1, nowMs - sinceMs);
    return ((isWindow ? this.#ends.length - 1 : this.#ends.length) * 1_000) / elapsedMs;
  }

  secondsLeft(devicesLeft: number, nowMs: number): number | undefined {
    const rate = this.rate(nowMs);
    return rate === undefined || rate === 0 ? undefined : devicesLeft / rate;
  }
}
