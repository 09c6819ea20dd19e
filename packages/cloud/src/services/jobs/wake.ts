import { iterate } from "../../store/iterate.js";
import type { Operation } from "../operation.js";
import { thingOfMembershipWake, membershipWakeName } from "../registry/index.js";
import type { WakeHandler } from "../wake-ups.js";
import { addWaiting, advanceJob, executionsPerStepMax, isTarget } from "./advance.js";
import { changeExecution, removeExecution } from "./executions.js";
import { jobKeys, timeoutOf, type ExecutionRecord } from "./model.js";
import { decideIn, inJobsLane, type JobsDependencies } from "./operations.js";
import type { JobsUnit } from "./unit.js";

/** Called when a wake-up of the service is due: it looks at what it is about, and does what is due there. */
export function createJobsWake(deps: JobsDependencies): WakeHandler {
  const advance = inJobsLane<Operation<string, void>>(decideIn(deps, (unit, jobId) => advanceById(unit, jobId, deps)));
  const timeOut = inJobsLane<Operation<ExecutionName, void>>(decideIn(deps, timeOutExecution));
  const reconcile = inJobsLane<Operation<string, void>>(
    decideIn(deps, (unit, thingName) => reconcileThing(unit, thingName, deps)),
  );
  return async (scope, name, runner) => {
    const thingName = thingOfMembershipWake(name);
    if (thingName !== undefined) return runner.run(scope, reconcile, thingName);
    const [kind, jobId = "", thing = "", executionNumber] = name.split("/");
    if (kind === "job") return runner.run(scope, advance, jobId);
    return runner.run(scope, timeOut, { jobId, thingName: thing, executionNumber: Number(executionNumber) });
  };
}

type ExecutionName = Pick<ExecutionRecord, "jobId" | "thingName" | "executionNumber">;

async function advanceById(unit: JobsUnit, jobId: string, deps: JobsDependencies): Promise<void> {
  const job = await unit.job(jobId);
  if (job === undefined) return;
  // Unix time may have stepped back since the wake-up was due: what still has to come is stored anew.
  const { wakeAtMs: _woken, ...progress } = job.progress;
  job.progress = progress;
  await advanceJob(unit, job, deps);
}

async function timeOutExecution(unit: JobsUnit, { jobId, thingName, executionNumber }: ExecutionName): Promise<void> {
  const execution = await unit.execution(jobId, thingName, executionNumber);
  const job = await unit.job(jobId);
  if (job === undefined || execution === undefined) return;
  const dueMs = timeoutOf(execution);
  if (dueMs === undefined) return;
  if (dueMs <= unit.nowMs) return void (await changeExecution(unit, job, execution, "TIMED_OUT"));
  // The step was given more time meanwhile, or Unix time has stepped back since the wake-up was due.
  const { wakeAtMs: _woken, ...rest } = execution;
  await unit.putExecution(job, execution, rest);
}

/** What the groups of a thing, or its deletion, mean for its jobs. */
async function reconcileThing(unit: JobsUnit, thingName: string, deps: JobsDependencies): Promise<void> {
  const thingId = await deps.targets.requireThing(unit.context, thingName);
  if (await forgetFormer(unit, thingName, thingId)) return;
  await leaveJobs(unit, thingName, deps);
  for (const thingGroupId of await deps.targets.groupIdsOf(unit.context, thingName)) {
    for await (const { key } of iterate(unit.store, jobKeys.continuousOfGroup(unit.scope, thingGroupId))) {
      const job = await unit.job(String(key.at(-1)));
      if (job === undefined) continue;
      const hasIt = await unit.store.get(jobKeys.continuousJobOfThing(unit.scope, thingName, job.definition));
      if (hasIt !== undefined) continue;
      await addWaiting(unit, job, [thingName]);
      unit.wakeJob(job, unit.nowMs);
    }
  }
}

/** Whoever left the groups of a continuous job does not have to do it any more, and does it again after coming back. */
async function leaveJobs(unit: JobsUnit, thingName: string, { targets }: JobsDependencies): Promise<void> {
  for await (const { key } of iterate(unit.store, jobKeys.continuousOfThing(unit.scope, thingName))) {
    const [order, jobId] = [Number(key.at(-2)), String(key.at(-1))];
    const job = await unit.job(jobId);
    const isSame = job?.definition.order === order;
    if (isSame && (await isTarget(unit, job, thingName, targets))) continue;
    unit.delete(key);
    if (!isSame) continue;
    const latest = await unit.latestExecution(jobId, thingName);
    const isOpen = latest?.status === "QUEUED" || latest?.status === "IN_PROGRESS";
    if (isOpen) await changeExecution(unit, job, latest, "REMOVED");
  }
}

/**
 * The executions of a thing that was deleted go, some with each commit; also when there is another one of its name by now.
 *
 * @param thingId of the thing that there is now
 * @returns whether nothing else is to be done now: there is no thing, or a wake-up of its own looks again
 */
async function forgetFormer(unit: JobsUnit, thingName: string, thingId: string | undefined): Promise<boolean> {
  const { scope, store, nowMs } = unit;
  const found = await store.list(jobKeys.byThing(scope, thingName), { limit: executionsPerStepMax + 1 });
  let forgotten = 0;
  for (const { key } of found.slice(0, executionsPerStepMax)) {
    const execution = await unit.execution(String(key.at(-2)), thingName, Number(key.at(-1)));
    const job = execution && (await unit.job(execution.jobId));
    if (job === undefined || execution === undefined) continue;
    // They come in the order in which they were queued: those of the thing that is gone are the first.
    if (execution.thingId === thingId) break;
    await removeExecution(unit, job, execution, { isForgotten: true });
    forgotten++;
  }
  if (thingId === undefined) {
    for await (const { key } of iterate(store, jobKeys.continuousOfThing(scope, thingName))) unit.delete(key);
  }
  const isMore = thingId === undefined ? found.length > executionsPerStepMax : forgotten > 0;
  if (isMore) unit.wakeFor(membershipWakeName(thingName), nowMs);
  return isMore || thingId === undefined;
}
