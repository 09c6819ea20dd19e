import type { JobExecutionStatus, JobProcessDetails } from "@aws-sdk/client-iot";
import { shortVersion } from "../short-version.js";
import { escapeControls } from "../terminal-text.js";
import type { DetailedExecution, FirmwareJob } from "./jobs.js";

/** One device, as people and programs are told. */
export interface DeviceState {
  readonly thingName: string;
  readonly status: JobExecutionStatus;
  /** Undefined: the device has told nothing yet. */
  readonly versionRunning: string | undefined;
  /** Of a device that has told nothing yet: what it ran after an earlier update. */
  readonly versionBefore?: string | undefined;
  /** As the device tells it; undefined before it has begun. */
  readonly phase: string | undefined;
  /** Percent of the download. */
  readonly progress: number | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  /** Since when it is so. */
  readonly sinceMs: number | undefined;
  readonly executionNumber: number;
}

/** Phases in which the whole file is there. */
const phasesAfterDownload: ReadonlySet<string> = new Set([
  "downloaded",
  "verified",
  "installed",
  "rebooting",
  "booted",
  "healthy",
  "confirmed",
]);

export function stateOf({ details, ...execution }: DetailedExecution): DeviceState {
  const { phase, versionRunning, reason, message, since } = details;
  const told = Number(details.progress);
  const isWhole = phase !== undefined && phasesAfterDownload.has(phase);
  const isNumber = details.progress !== undefined && told >= 0 && told <= 100;
  const sinceMs = since !== undefined && /^\d{1,12}$/.test(since) ? Number(since) * 1_000 : undefined;
  return {
    thingName: execution.thingName,
    status: execution.status,
    versionRunning,
    phase,
    progress: isWhole ? 100 : isNumber ? Math.floor(told) : undefined,
    reason,
    message,
    // Of the phase while it is under way; when it ended, of the end.
    sinceMs: (execution.status === "IN_PROGRESS" ? sinceMs : undefined) ?? execution.lastUpdatedAtMs,
    executionNumber: execution.executionNumber,
  };
}

/** Devices that something happens to come first, then those that need somebody, then those that wait. */
const order: readonly JobExecutionStatus[] = [
  "IN_PROGRESS",
  "FAILED",
  "TIMED_OUT",
  "REJECTED",
  "QUEUED",
  "SUCCEEDED",
  "CANCELED",
  "REMOVED",
];

export function inOrder<Row extends { status: JobExecutionStatus; thingName: string }>(rows: readonly Row[]): Row[] {
  const rank = ({ status }: Row) => order.indexOf(status);
  return [...rows].sort((left, right) => rank(left) - rank(right) || (left.thingName < right.thingName ? -1 : 1));
}

export interface TablePaint {
  green(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

const barCells = 16;
/** Names and versions that are longer are cut in the table. */
const nameCellsMax = 32;
const versionCellsMax = 16;
const whatCellsMax = 28;
const ageCells = 6;

/**
 * @param options.columns of the terminal; undefined: lines are as long as they are.
 * @param options.more devices that are not among the rows.
 */
export function renderTable(
  job: Pick<FirmwareJob, "jobId" | "job" | "document">,
  rows: readonly DeviceState[],
  options: {
    nowMs: number;
    paint: TablePaint;
    columns: number | undefined;
    more: number;
    /** Below a device that failed, what it said. */
    hasMessages?: boolean;
  },
): string[] {
  const { nowMs, paint, columns, more, hasMessages = false } = options;
  const what = rows.map(describeState);
  const { nameCells, versionCells, whatCells } = widthsOf(rows, what, columns);
  const names = rows.map(({ thingName }) => cut(thingName, nameCells));
  const versions = rows.map((row) => cut(versionText(row), versionCells));
  const head = `${"device".padEnd(nameCells)}  ${"running".padEnd(versionCells)}  ${"phase".padEnd(whatCells)}  since`;
  const lines = rows.flatMap((row, at) => {
    const { text, color } = what[at] ?? { text: "", color: "dim" };
    const cells = [
      (names[at] ?? "").padEnd(nameCells),
      (versions[at] ?? "").padEnd(versionCells),
      paint[color](cut(text, whatCells).padEnd(whatCells)),
      age(row.sinceMs, nowMs).padStart(ageCells),
      progressOf(row, paint),
    ];
    const used = nameCells + versionCells + whatCells + ageCells + 8;
    // A bar that has no room would break the line.
    const hasRoom = columns === undefined || used + barCells + 6 <= columns;
    const last = hasRoom ? (cells.pop() ?? "") : (cells.pop(), "");
    const line = `${cells.join("  ")}${last === "" ? "" : `  ${last}`}`;
    const { message, status } = row;
    if (!hasMessages || message === undefined || status === "SUCCEEDED") return [line];
    return [line, paint.dim(cut(`  ${escapeControls(message)}`, columns ?? Infinity))];
  });
  return [
    ...describeJob(job, paint, columns),
    ...(rows.length === 0 ? [] : [paint.dim(columns === undefined ? head : head.slice(0, columns)), ...lines]),
    ...(more > 0 ? [paint.dim(`and ${more} more`)] : []),
  ];
}

/** In brackets: so it was when the device told it last. */
function versionText({ versionRunning, versionBefore }: DeviceState): string {
  if (versionRunning !== undefined) return shortVersion(versionRunning);
  return versionBefore === undefined ? "?" : `(${shortVersion(versionBefore)})`;
}

/** Names give way first, then what a device says. */
function widthsOf(rows: readonly DeviceState[], what: readonly { text: string }[], columns: number | undefined) {
  const most = (head: string, texts: readonly string[], max: number) =>
    Math.min(max, Math.max(...[head, ...texts].map((text) => escapeControls(text).length)));
  const name = most(
    "device",
    rows.map(({ thingName }) => thingName),
    nameCellsMax,
  );
  const versionCells = most("running", rows.map(versionText), versionCellsMax);
  const whatIs = most(
    "phase",
    what.map(({ text }) => text),
    whatCellsMax,
  );
  if (columns === undefined) return { nameCells: name, versionCells, whatCells: whatIs };
  const room = columns - versionCells - ageCells - 6;
  const whatCells = Math.min(whatIs, Math.max(10, Math.floor(room / 2)));
  return { nameCells: Math.min(name, Math.max(8, room - whatCells)), versionCells, whatCells };
}

function describeJob(
  { jobId, job, document }: Pick<FirmwareJob, "jobId" | "job" | "document">,
  paint: TablePaint,
  columns = Infinity,
): string[] {
  const version = document.version === undefined ? "" : ` to version ${escapeControls(shortVersion(document.version))}`;
  const rest = `${version}, ${statusText(job.status)}`;
  const head = jobId.length + rest.length > columns ? cut(jobId + rest, columns) : `${paint.bold(jobId)}${rest}`;
  return [head, cut(`  ${countsText(job.jobProcessDetails, isJobOver(job.status))}`, columns)];
}

export const statusText = (status: string | undefined) => (status ?? "unknown").toLowerCase().replaceAll("_", " ");

/** What is not zero. */
export function countsText(counts: JobProcessDetails | undefined, isOver = false): string {
  const parts: [count: number | undefined, what: string][] = [
    [counts?.numberOfSucceededThings, "succeeded"],
    [counts?.numberOfInProgressThings, "in progress"],
    [counts?.numberOfQueuedThings, "waiting"],
    [counts?.numberOfFailedThings, "failed"],
    [counts?.numberOfTimedOutThings, "timed out"],
    [counts?.numberOfRejectedThings, "rejected"],
    [counts?.numberOfCanceledThings, "canceled"],
    [counts?.numberOfRemovedThings, "removed"],
  ];
  const some = parts.filter(([count = 0]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (some.length > 0) return some.join(", ");
  return isOver ? "no devices" : "no devices yet";
}

/** No device joins it any more. */
export function isJobOver(status: string | undefined): boolean {
  return status === "COMPLETED" || status === "CANCELED";
}

/** How it ended, in a line. */
export function endLine({ jobId, job }: Pick<FirmwareJob, "jobId" | "job">): string {
  return `${jobId}  ${statusText(job.status)}: ${countsText(job.jobProcessDetails, isJobOver(job.status))}`;
}

function describeState(row: DeviceState): { text: string; color: keyof TablePaint } {
  const { status, phase, reason } = row;
  const why = reason === undefined ? "" : `: ${escapeControls(reason)}`;
  switch (status) {
    case "QUEUED":
      return { text: "waiting", color: "dim" };
    case "IN_PROGRESS":
      return { text: `${phase === undefined ? "begun" : escapeControls(phase)}${why}`, color: "yellow" };
    case "SUCCEEDED":
      return { text: phase === undefined ? "succeeded" : escapeControls(phase), color: "green" };
    case "CANCELED":
    case "REMOVED":
      return { text: statusText(status), color: "dim" };
    default:
      return { text: `${statusText(status)}${why}`, color: "red" };
  }
}

function progressOf({ progress, status }: DeviceState, paint: TablePaint): string {
  // A full bar beside "failed" would look like a success.
  if (progress === undefined || (status !== "IN_PROGRESS" && status !== "SUCCEEDED")) return "";
  const full = Math.round((progress / 100) * barCells);
  return `${paint.green("█".repeat(full))}${paint.dim("░".repeat(barCells - full))} ${String(progress).padStart(3)} %`;
}

/** `12 s`, `3 min`, `5 h`, `2 d` */
export function age(sinceMs: number | undefined, nowMs: number): string {
  if (sinceMs === undefined) return "";
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

function cut(text: string, cells: number): string {
  const shown = escapeControls(text);
  return shown.length <= cells ? shown : `${shown.slice(0, cells - 1)}…`;
}

/** One line for what became of a device. */
export function changeLine(row: DeviceState): string {
  const { text } = describeState(row);
  const running =
    row.versionRunning === undefined ? "" : `, running ${escapeControls(shortVersion(row.versionRunning))}`;
  const isDownloading = row.status === "IN_PROGRESS" && row.phase === "downloading";
  const percent = isDownloading && row.progress !== undefined ? ` ${row.progress} %` : "";
  const why = row.message === undefined ? "" : ` (${escapeControls(row.message)})`;
  return `${escapeControls(row.thingName)}  ${text}${percent}${running}${why}`;
}
