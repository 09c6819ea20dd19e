import { stepWords, type DeviceFailure, type DeviceResult } from "./result.js";
import type { BatchSummary } from "./tally.js";

export interface BatchProgress {
  /** Of this run and, when it is resumed, of those before. */
  ended: number;
  failed: number;
  all: number;
  rate: number | undefined;
  secondsLeft: number | undefined;
  /** Devices under way, by the step that they are in. */
  inSteps: ReadonlyMap<string, number>;
  /** The newest failures. */
  failures: readonly DeviceResult[];
}

export interface Paint {
  green(text: string): string;
  red(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

const barCharactersMax = 40;
/** Failures below the bar. */
export const failuresShownMax = 3;

/** What is drawn over again on a terminal: the bar, where devices are, and the newest failures. No line is wider than `columns`. */
export function progressLines(
  progress: BatchProgress,
  { paint, columns }: { paint: Paint; columns: number },
): string[] {
  const { all, ended, failed, inSteps, failures } = progress;
  const figures = figuresText(progress);
  const width = Math.max(8, Math.min(barCharactersMax, columns - figures.length - 4));
  const full = all === 0 ? width : Math.floor((ended / all) * width);
  const bad = ended === 0 ? 0 : Math.min(full, Math.ceil((failed / Math.max(1, ended)) * full));
  const bar = paint.green("█".repeat(full - bad)) + paint.red("█".repeat(bad)) + paint.dim("░".repeat(width - full));
  const steps = [...inSteps].map(([name, count]) => `${count} ${stepWords(name)}`).join(", ");
  return [
    `${bar} ${fit(figures, columns - width - 1)}`,
    paint.dim(fit(steps === "" ? " " : `now: ${steps}`, columns)),
    ...failures
      .slice(-failuresShownMax)
      .map(({ name, failure }) => paint.red(fit(`✗ ${name}  ${failureText(failure)}`, columns))),
  ];
}

/** One line for a file or a pipe. */
export const progressText = (progress: BatchProgress): string => figuresText(progress);

function figuresText({ ended, failed, all, rate, secondsLeft }: BatchProgress): string {
  const percent = all === 0 ? 100 : Math.floor((ended / all) * 100);
  return [
    `${ended}/${all}`,
    `${percent} %`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(rate === undefined ? [] : [`${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)}/s`]),
    ...(secondsLeft === undefined || ended >= all ? [] : [`${timeText(secondsLeft)} left`]),
  ].join("  ");
}

export function failureText(failure: DeviceFailure | undefined): string {
  if (failure === undefined) return "";
  return `${failure.step === undefined ? "" : `${stepWords(failure.step)}: `}${failure.reason.split("\n")[0] ?? ""} (${failure.code})`;
}

/** `45 s`, `3 min 20 s`, `2 h 5 min` */
export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}

const fit = (text: string, columns: number) =>
  text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;

const shareCharacters = 20;
/** Of a row of the summary, between the name of the step and its bar. */
const figuresCharacters = 36;

/** Where the time goes, by step, for people. In `columns`, as far as figures fit; the bars become shorter, or go where there is no room. */
export function summaryLines({ steps, failures }: BatchSummary, paint: Paint, columns = 80): string[] {
  const widest = Math.max(4, ...steps.map(({ name }) => stepWords(name).length));
  const barMax = Math.max(0, Math.min(shareCharacters, columns - widest - figuresCharacters));
  const number = (value: number) => value.toFixed(0).padStart(8);
  return [
    paint.bold(
      `${"step".padEnd(widest)}${"devices".padStart(9)}${"median".padStart(8)}${"95 %".padStart(8)} ms  of the time`,
    ),
    ...steps.map(
      ({ name, devices, medianMs, p95Ms, share }) =>
        `${stepWords(name).padEnd(widest)}${String(devices).padStart(9)}${number(medianMs)}${number(p95Ms)}     ` +
        `${Math.round(share * 100)} %`.padStart(5) +
        barText(Math.round(share * barMax), paint),
    ),
    ...(failures.length === 0 ? [] : ["", paint.bold("what failed")]),
    ...failures.flatMap(({ step, code, devices, example, next }) => [
      `${String(devices).padStart(6)}  ${paint.red(code)}${step === undefined ? "" : ` in ${stepWords(step)}`}  ${paint.dim(`as ${example}`)}`,
      ...(next === undefined ? [] : [`        next: ${next}`]),
    ]),
  ];
}

const barText = (width: number, paint: Paint) => (width === 0 ? "" : ` ${paint.dim("█".repeat(width))}`);
