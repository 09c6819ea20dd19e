import { ThinglineError } from "@thingline/protocol";
import { nextCronTime, parseCron, type Cron } from "./cron.js";

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Start and end lie at least so long ahead, and so long apart. */
export const scheduleLeadMinutesMin = 30;
export const scheduleStartDaysMax = 366;
export const scheduleEndDaysMax = 731;
/** Ours: AWS states none. */
export const maintenanceWindowsMax = 10;
/** What DescribeJob tells of the windows to come. */
export const scheduledRolloutsShown = 7;

/** AWS's `schedulingConfig`, as it is stored with a job. */
export interface SchedulingConfig {
  startTime?: string | undefined;
  endTime?: string | undefined;
  endBehavior?: JobEndBehavior | undefined;
  maintenanceWindows?: readonly MaintenanceWindow[] | undefined;
}

export type JobEndBehavior = "STOP_ROLLOUT" | "CANCEL" | "FORCE_CANCEL";

export interface MaintenanceWindow {
  /** A cron expression in UTC. */
  startTime: string;
  durationInMinutes: number;
}

/** A {@link SchedulingConfig}, read. */
export interface JobSchedule {
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  readonly endBehavior: JobEndBehavior;
  /** With none, the rollout may go on at any time between start and end. */
  readonly windows: readonly { cron: Cron; durationMs: number }[];
}

/** What a job may do now. */
export type SchedulePhase =
  /** It is SCHEDULED. */
  | { name: "waiting"; startsAtMs: number }
  /** It rolls out. Look again at `untilMs`, when a window or the job ends. */
  | { name: "open"; untilMs: number | undefined }
  /** Outside of its windows nothing is rolled out; undefined when none opens again. */
  | { name: "closed"; opensAtMs: number | undefined }
  | { name: "ended"; endBehavior: JobEndBehavior };

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** @throws {ThinglineError} REQUEST_INVALID for a time or a cron expression that cannot be read */
export function readSchedule(config: SchedulingConfig): JobSchedule {
  return {
    startMs: readTime(config.startTime, "startTime"),
    endMs: readTime(config.endTime, "endTime"),
    endBehavior: config.endBehavior ?? "STOP_ROLLOUT",
    windows: readWindows(config.maintenanceWindows ?? []),
  };
}

/** @throws {ThinglineError} REQUEST_INVALID */
function readWindows(windows: readonly MaintenanceWindow[]): JobSchedule["windows"] {
  if (windows.length > maintenanceWindowsMax) {
    throw invalid(`A job has at most ${maintenanceWindowsMax} maintenance windows, got ${windows.length}`);
  }
  return windows.map(({ startTime, durationInMinutes }) => ({
    cron: parseCron(startTime),
    durationMs: durationInMinutes * minuteMs,
  }));
}

/**
 * What AWS asks of the schedule of a new job: start at least 30 minutes and at most a year ahead, end at least 30 minutes ahead and after
 * the start, and at most two years. Besides, each window has to open before the end, and without an end they have to go on opening: things that
 * had no turn in the last of them would wait for ever, and the job with them.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 * @see AWS IoT API reference, "SchedulingConfig"
 */
export function checkNewSchedule(config: SchedulingConfig, nowMs: number): JobSchedule {
  const schedule = readSchedule(config);
  const { startMs, endMs } = schedule;
  const leadMs = scheduleLeadMinutesMin * minuteMs;
  // A time has no seconds: half an hour from 10:00:30 is 10:30.
  const minuteNowMs = Math.floor(nowMs / minuteMs) * minuteMs;
  if (startMs !== undefined) {
    if (startMs < minuteNowMs + leadMs)
      throw invalid(`startTime must be at least ${scheduleLeadMinutesMin} minutes from now`);
    if (startMs > nowMs + scheduleStartDaysMax * dayMs) throw invalid("startTime must be within one year from now");
  }
  if (endMs !== undefined) {
    if (endMs < minuteNowMs + leadMs)
      throw invalid(`endTime must be at least ${scheduleLeadMinutesMin} minutes from now`);
    if (endMs > nowMs + scheduleEndDaysMax * dayMs) throw invalid("endTime must be within two years from now");
    if (startMs !== undefined && endMs < startMs + leadMs) {
      throw invalid(`endTime must be at least ${scheduleLeadMinutesMin} minutes after startTime`);
    }
  }
  checkWindowsOpen(schedule, startMs ?? nowMs);
  return schedule;
}

function checkWindowsOpen({ windows, endMs }: JobSchedule, fromMs: number): void {
  const member = "schedulingConfig.maintenanceWindows";
  requireOpening(windows, { fromMs, endMs, member });
  if (windows.length === 0 || endMs !== undefined) return;
  // As late as the latest end that a job could have. A window that opens then goes on as far as anybody can know.
  const lateMs = fromMs + scheduleEndDaysMax * dayMs;
  if (windows.some(({ cron }) => nextCronTime(cron, lateMs) !== undefined)) return;
  throw invalid(
    `${member}: none opens again after ${writeTime(lateMs)}, and things would be left over: give schedulingConfig.endTime`,
  );
}

/**
 * What is asked of the windows of a new template: each has to open some day. When its jobs end is not known yet.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function checkNewWindows(windows: readonly MaintenanceWindow[], nowMs: number): void {
  requireOpening(readWindows(windows), { fromMs: nowMs, endMs: undefined, member: "maintenanceWindows" });
}

function requireOpening(
  windows: JobSchedule["windows"],
  { fromMs, endMs, member }: { fromMs: number; endMs: number | undefined; member: string },
): void {
  for (const [index, { cron }] of windows.entries()) {
    const opensAtMs = nextCronTime(cron, fromMs - 1);
    if (opensAtMs !== undefined && opensAtMs < (endMs ?? Infinity)) continue;
    throw invalid(
      `${member}[${index}].startTime: the maintenance window never opens${endMs === undefined ? "" : " before the end of the job"}`,
    );
  }
}

/** AWS writes `2026-12-01T18:30`, in UTC. Seconds and the `Z` of ISO 8601 are taken as well. */
function readTime(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?Z?$/.exec(text);
  const atMs = parts === null ? NaN : Date.parse(`${parts[1]}T${parts[2]}${parts[3] ?? ":00"}Z`);
  // Date.parse makes 1 March of 30 February.
  if (!Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(parts?.[1] ?? "")) return atMs;
  throw invalid(`${name} must be a time in UTC of the form YYYY-MM-DDThh:mm, got '${text}'`);
}

/** As {@link SchedulingConfig} writes times. */
export function writeTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, "YYYY-MM-DDThh:mm".length);
}

/** Whether a job with this schedule may roll out at this time, and when that changes. */
export function schedulePhase(schedule: JobSchedule, nowMs: number): SchedulePhase {
  const { startMs, endMs, endBehavior, windows } = schedule;
  if (endMs !== undefined && nowMs >= endMs) return { name: "ended", endBehavior };
  if (startMs !== undefined && nowMs < startMs) return { name: "waiting", startsAtMs: startMs };
  if (windows.length === 0) return { name: "open", untilMs: endMs };
  const closesAtMs = windowEnd(schedule, nowMs);
  if (closesAtMs !== undefined) return { name: "open", untilMs: Math.min(closesAtMs, endMs ?? Infinity) };
  return { name: "closed", opensAtMs: nextWindow(schedule, nowMs) };
}

/** Of the windows that are open: when the last of them closes. */
function windowEnd({ windows }: JobSchedule, nowMs: number): number | undefined {
  let endMs: number | undefined;
  for (const { cron, durationMs } of windows) {
    // A window that is open began within its duration, and the first that did is enough to know that it is open.
    const openedAtMs = nextCronTime(cron, nowMs - durationMs);
    if (openedAtMs === undefined || openedAtMs > nowMs) continue;
    endMs = Math.max(endMs ?? 0, openedAtMs + durationMs);
  }
  return endMs;
}

function nextWindow({ windows, endMs }: JobSchedule, afterMs: number): number | undefined {
  let nextMs: number | undefined;
  for (const { cron } of windows) {
    const opensAtMs = nextCronTime(cron, afterMs);
    if (opensAtMs !== undefined && opensAtMs < (endMs ?? Infinity)) nextMs = Math.min(nextMs ?? Infinity, opensAtMs);
  }
  return nextMs;
}

/** When the next windows open, in Unix milliseconds, in order: `scheduledJobRollouts` of DescribeJob. */
export function nextRollouts(schedule: JobSchedule, nowMs: number): number[] {
  const rollouts: number[] = [];
  let afterMs = Math.max(nowMs, (schedule.startMs ?? 0) - 1);
  while (rollouts.length < scheduledRolloutsShown) {
    const opensAtMs = nextWindow(schedule, afterMs);
    if (opensAtMs === undefined) break;
    rollouts.push(opensAtMs);
    afterMs = opensAtMs;
  }
  return rollouts;
}
