import { LiveBlock } from "../live-block.js";
import type { Output, TextStream } from "../output.js";
import { failureText, progressLines, progressText, type BatchProgress } from "./progress-lines.js";
import type { DeviceResult } from "./result.js";
import { Pace } from "./tally.js";

/** Shows a batch while it runs: a block that is drawn over again on a terminal, a line now and then elsewhere, events with `--json`. */
export interface BatchView {
  /** `step` undefined: the device has ended. */
  step(name: string, step: string | undefined): void;
  ended(result: DeviceResult): void;
  end(): void;
}

export interface BatchViewOptions {
  all: number;
  /** Of an earlier run. */
  done: number;
  /** Monotonic. */
  now: () => number;
  /** False where the batch tells programs of its devices in its own words. Default true. */
  tellsEvents?: boolean;
  stream?: TextStream & { columns?: number };
  env?: NodeJS.ProcessEnv;
}

const drawIntervalMs = 100;
/** Failures told one by one: the first where nothing is drawn, and the last when what is drawn has ended. Others are counted. */
export const failuresToldMax = 10;

export function createBatchView(output: Output, options: BatchViewOptions): BatchView {
  const { all, now, tellsEvents = true, stream = process.stdout, env = process.env } = options;
  const pace = new Pace(now());
  const steps = new Map<string, string>();
  const failures: DeviceResult[] = [];
  let ended = options.done;
  let failed = 0;
  const progress = (): BatchProgress => {
    const inSteps = new Map<string, number>();
    for (const step of steps.values()) inSteps.set(step, (inSteps.get(step) ?? 0) + 1);
    const [rate, secondsLeft] = [pace.rate(now()), pace.secondsLeft(all - ended, now())];
    return { ...{ ended, failed, all, rate, secondsLeft, inSteps }, failures };
  };
  const isLive = !output.isJson && stream.isTTY === true && env["TERM"] !== "dumb";
  const live = isLive ? new LiveBlock(stream) : undefined;
  const draw = () => live?.show(progressLines(progress(), { paint: output.paint, columns: stream.columns ?? 80 }));
  const timer = live === undefined ? undefined : setInterval(draw, drawIntervalMs);
  draw();
  const failedLine = ({ name, failure }: DeviceResult) =>
    output.wrap(`failed  ${name}  ${failureText(failure)}`, 8).replace(/^failed/, output.paint.red("failed"));
  const tell = (result: DeviceResult) => {
    const { steps: _steps, ...facts } = result;
    if (tellsEvents) output.event({ event: "batchDevice", ...facts });
    if (output.isJson) return;
    if (result.failure !== undefined && failed <= failuresToldMax) {
      output.say(failedLine(result));
      if (failed === failuresToldMax) output.say("further failures are only counted");
    }
    // Every tenth part, so that a log of many devices stays short.
    const tenth = (count: number) => Math.floor((count * 10) / Math.max(1, all));
    if (tenth(ended) !== tenth(ended - 1) || ended === all) output.say(progressText(progress()));
  };
  return {
    step(name, step) {
      if (step === undefined) steps.delete(name);
      else steps.set(name, step);
    },
    ended(result) {
      ended++;
      pace.ended(now());
      if (result.failure !== undefined) {
        failed++;
        failures.push(result);
        if (failures.length > failuresToldMax) failures.shift();
      }
      if (live === undefined) tell(result);
    },
    end() {
      clearInterval(timer);
      if (live === undefined) return;
      // The newest failures stay, whole: while the block was drawn over again each had one line.
      live.show(progressLines({ ...progress(), failures: [] }, { paint: output.paint, columns: stream.columns ?? 80 }));
      live.end();
      if (failures.length < failed) output.say(`the last ${failures.length} of ${failed} that failed:`);
      for (const result of failures) output.say(failedLine(result));
    },
  };
}
