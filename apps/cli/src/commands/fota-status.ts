import { setTimeout as sleep } from "node:timers/promises";
import type { CommandContext } from "../command.js";
import { exitCodes } from "../failure.js";
import {
  findFirmwareJob,
  isFinal,
  iterateOver,
  listExecutions,
  readDetails,
  readFirmwareJob,
  type DetailedExecution,
  type Execution,
  type FirmwareJob,
} from "../fota/jobs.js";
import { openFotaPlane, type FotaPlane, type PlaceOptions } from "../fota/plane.js";
import { forEachAtOnce } from "../each.js";
import { lastVersionOf } from "../fota/history.js";
import { changeLine, endLine, inOrder, isJobOver, renderTable, stateOf, type DeviceState } from "../fota/table.js";
import { LiveBlock } from "../live-block.js";
import type { Output } from "../output.js";

interface StatusOptions extends PlaceOptions {
  watch?: boolean;
  interval: number;
  limit: number;
}

/** Devices whose own words are read in one look; the others follow with the next ones. */
export const detailsPerLookMax = 250;

/** Looks that may fail one after another before the watch is given up. */
export const failedLooksMax = 10;

/** `thingline fota status [JOB]` */
export async function fotaStatus(context: CommandContext, options: StatusOptions, jobId?: string): Promise<number> {
  const plane = await openFotaPlane(context, options);
  const job = await findFirmwareJob(plane, jobId);
  const watcher = new FotaWatcher(plane, job.jobId, options.limit);
  if (options.watch === true) return watch(context, options, watcher);
  const look = await watcher.look();
  showOnce(context.output, look, options);
  return exitCodes.done;
}

/** What there was at one moment. */
interface Look {
  job: FirmwareJob;
  /** All of them, the most interesting first. */
  executions: readonly Execution[];
  states: ReadonlyMap<string, DeviceState>;
}

/** Looks at a job again and again, and asks the devices' words anew where they may have changed. */
class FotaWatcher {
  readonly #plane: FotaPlane;
  readonly #jobId: string;
  readonly #known = new Map<string, DetailedExecution>();
  /** Of devices that wait; asked once. */
  readonly #versionsBefore = new Map<string, string | undefined>();
  readonly #rowsMax: number;

  constructor(plane: FotaPlane, jobId: string, rowsMax: number) {
    this.#plane = plane;
    this.#jobId = jobId;
    this.#rowsMax = rowsMax;
  }

  async look(): Promise<Look> {
    const job = await readFirmwareJob(this.#plane, this.#jobId);
    if (job === undefined) throw new Error("unreachable: a job keeps its document");
    const all: Execution[] = [];
    for await (const execution of listExecutions(this.#plane, this.#jobId)) all.push(execution);
    const executions = inOrder(newestOfEach(all));
    const stale = executions.filter((execution) => this.#isStale(execution)).slice(0, detailsPerLookMax);
    for (const detailed of await readDetails(this.#plane, this.#jobId, stale)) {
      this.#known.set(detailed.thingName, detailed);
    }
    await this.#askBefore(executions);
    const states = new Map([...this.#known].map(([name, detailed]) => [name, this.#stateOf(detailed)]));
    return { job, executions, states };
  }

  #stateOf(detailed: DetailedExecution): DeviceState {
    const versionBefore = this.#versionsBefore.get(detailed.thingName);
    const state = stateOf(detailed);
    return versionBefore === undefined || state.versionRunning !== undefined ? state : { ...state, versionBefore };
  }

  /** For those that are shown. */
  async #askBefore(executions: readonly Execution[]): Promise<void> {
    const unknown = executions
      .slice(0, Math.min(this.#rowsMax, detailsPerLookMax))
      .map(({ thingName }) => thingName)
      .filter((name) => !this.#versionsBefore.has(name))
      .filter((name) => this.#known.get(name)?.details.versionRunning === undefined);
    await forEachAtOnce(iterateOver(unknown), async (name) => {
      this.#versionsBefore.set(name, await lastVersionOf(this.#plane, name));
    });
  }

  /** Times have whole seconds only, so one that is under way is asked each time. */
  #isStale({ thingName, status, lastUpdatedAtMs, executionNumber }: Execution): boolean {
    const known = this.#known.get(thingName);
    if (known === undefined || status === "IN_PROGRESS") return true;
    return (
      known.status !== status || known.lastUpdatedAtMs !== lastUpdatedAtMs || known.executionNumber !== executionNumber
    );
  }
}

/** A retry is another execution of the same thing. */
function newestOfEach(executions: readonly Execution[]): Execution[] {
  const newest = new Map<string, Execution>();
  for (const execution of executions) {
    const other = newest.get(execution.thingName);
    if (other === undefined || other.executionNumber < execution.executionNumber)
      newest.set(execution.thingName, execution);
  }
  return [...newest.values()];
}

function showOnce(output: Output, look: Look, { limit }: StatusOptions): void {
  tellJob(output, look.job);
  const states = look.executions.flatMap(({ thingName }) => look.states.get(thingName) ?? []);
  if (output.isJson) for (const state of states) tellDevice(output, look.job, state);
  const rows = states.slice(0, limit);
  const more = look.executions.length - rows.length;
  const columns = process.stdout.isTTY ? process.stdout.columns : undefined;
  const lines = renderTable(look.job, rows, {
    ...{ nowMs: Date.now(), paint: output.paint, columns, more },
    hasMessages: true,
  });
  if (!output.isJson) output.say(lines.join("\n"));
}

/** Until the job has ended and no device works on it. @returns 0 when every device succeeded. */
async function watch(context: CommandContext, options: StatusOptions, watcher: FotaWatcher): Promise<number> {
  const { output, signal } = context;
  const isLive = !output.isJson && process.stdout.isTTY && process.env["TERM"] !== "dumb";
  const block = isLive ? new LiveBlock(process.stdout) : undefined;
  const told = new Map<string, string>();
  let failedLooks = 0;
  for (;;) {
    const look = await watcher.look().catch((error: unknown) => {
      // The cloud may be gone for a while, as with a restart.
      if (!isPassing(error) || ++failedLooks >= failedLooksMax) throw error;
      return undefined;
    });
    if (look === undefined) {
      await sleep(options.interval * 1_000, undefined, { signal });
      continue;
    }
    failedLooks = 0;
    if (block === undefined) tellChanges(output, look, told);
    else showLive(output, look, block, options);
    if (isOver(look)) {
      if (block === undefined && !output.isJson) output.say(endLine(look.job));
      return look.executions.every(({ status }) => status === "SUCCEEDED") ? exitCodes.done : exitCodes.failed;
    }
    await sleep(options.interval * 1_000, undefined, { signal });
  }
}

/** Nobody listens, or the other end failed by itself: nothing that asking otherwise would change. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return (
    ["ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EPIPE"].includes(code) ||
    ("$fault" in error && error.$fault === "server")
  );
}

function isOver({ job, executions }: Look): boolean {
  return isJobOver(job.job.status) && executions.every(({ status }) => isFinal(status));
}

function showLive(output: Output, look: Look, block: LiveBlock, { limit }: StatusOptions): void {
  const { rows: height = 24, columns = 80 } = process.stdout;
  // Two lines of the job, the head, the rest, and the line of the cursor.
  const room = Math.max(1, Math.min(limit, height - 5));
  const shown = look.executions.slice(0, room).flatMap(({ thingName }) => look.states.get(thingName) ?? []);
  const more = look.executions.length - shown.length;
  block.show(renderTable(look.job, shown, { nowMs: Date.now(), paint: output.paint, columns, more }));
}

/** One line for each device that is somewhere else than before; of a download every tenth part, programs every percent. */
function tellChanges(output: Output, { job, executions, states }: Look, told: Map<string, string>): void {
  const head = [job.job.status, JSON.stringify(job.job.jobProcessDetails)].join(" ");
  if (told.get("") !== head) tellJob(output, job);
  told.set("", head);
  for (const { thingName } of executions) {
    const state = states.get(thingName);
    if (state === undefined) continue;
    const step = output.isJson ? 1 : 10;
    const { sinceMs: _since, progress = 0, ...rest } = state;
    const key = JSON.stringify({ ...rest, progress: Math.floor(progress / step) });
    if (told.get(thingName) === key) continue;
    told.set(thingName, key);
    tellDevice(output, job, state);
  }
}

function tellJob(output: Output, { jobId, job, document }: FirmwareJob): void {
  output.event({
    event: "fotaJob",
    jobId,
    status: job.status,
    versionWanted: document.version ?? null,
    counts: job.jobProcessDetails,
  });
}

function tellDevice(output: Output, { jobId }: FirmwareJob, state: DeviceState): void {
  const { thingName, status, executionNumber, sinceMs } = state;
  const {
    versionRunning = null,
    versionBefore = null,
    phase = null,
    progress = null,
    reason = null,
    message = null,
  } = state;
  const since = sinceMs === undefined ? null : new Date(sinceMs).toISOString();
  output.event(
    {
      ...{ event: "fotaDevice", jobId, thingName, status, executionNumber },
      ...{ versionRunning, versionBefore, phase, progress, reason, message, since },
    },
    changeLine(state),
  );
}
