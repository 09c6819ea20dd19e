import { isAbortDue } from "./decisions.js";
import { changeExecution, noteMember, queueExecution, removeExecution } from "./executions.js";
import {
  isDone,
  isRollingOut,
  jobKeys,
  parseTarget,
  type ExecutionRecord,
  type JobEnding,
  type WaitingChunk,
} from "./model.js";
import { allowRollout, awsRolloutPerMinuteMax, noteQueued, ratePerMinute } from "./rollout.js";
import { readSchedule, schedulePhase } from "./schedule.js";
import type { JobTargets } from "./targets.js";
import type { Job, JobsUnit } from "./unit.js";

// A job goes on in steps, each of them a commit: what one step leaves, a wake-up finds, also after a crash.

/** Executions that one commit makes, cancels or deletes. */
export const executionsPerStepMax = 16;
/** Things of a group that one step looks up, and of one chunk of those that wait. */
export const expandedPerStepMax = 256;
/** What is left of a job's chunks after its end is deleted in steps as well. */
const chunksPerStepMax = 64;

export interface AdvanceOptions {
  targets: JobTargets;
  /** Quotas of AWS are kept: no job is rolled out faster than AWS does. */
  isLimited: boolean;
}

/** One step of a job: what is due now, as far as one commit goes, and when to look again. */
export async function advanceJob(unit: JobsUnit, job: Job, options: AdvanceOptions): Promise<void> {
  if (job.progress.ending !== undefined) return stepEnding(unit, job, job.progress.ending);
  if (!(await obeySchedule(unit, job))) return;
  if (job.progress.status !== "IN_PROGRESS") return;
  await expandGroups(unit, job, options.targets);
  await release(unit, job, options);
}

/** @returns whether the job may roll out now */
async function obeySchedule(unit: JobsUnit, job: Job): Promise<boolean> {
  const { schedulingConfig } = job.definition;
  const { status } = job.progress;
  if (schedulingConfig === undefined || (status !== "IN_PROGRESS" && status !== "SCHEDULED")) return true;
  const phase = schedulePhase(readSchedule(schedulingConfig), unit.nowMs);
  if (phase.name === "waiting") {
    unit.wakeJob(job, phase.startsAtMs);
    return false;
  }
  if (phase.name === "ended") {
    await endBySchedule(unit, job, phase.endBehavior);
    return false;
  }
  if (status === "SCHEDULED") await unit.setStatus(job, "IN_PROGRESS");
  if (phase.name === "open") {
    if (phase.untilMs !== undefined) unit.wakeJob(job, phase.untilMs);
    return true;
  }
  // The schedule's own end is waited for where no window opens before it.
  const { endTime } = schedulingConfig;
  const untilMs = phase.opensAtMs ?? (endTime === undefined ? undefined : readSchedule({ endTime }).endMs);
  if (untilMs !== undefined) unit.wakeJob(job, untilMs);
  return false;
}

async function endBySchedule(unit: JobsUnit, job: Job, behavior: "STOP_ROLLOUT" | "CANCEL" | "FORCE_CANCEL") {
  if (behavior !== "STOP_ROLLOUT") return cancelJob(unit, job, { isForced: behavior === "FORCE_CANCEL" });
  if (job.progress.status === "SCHEDULED") await unit.setStatus(job, "IN_PROGRESS");
  if (isRollingOut(job.progress)) await dropWaiting(unit, job);
}

/** Nothing more is rolled out; chunks that are too many for one commit go with the next. */
async function dropWaiting(unit: JobsUnit, job: Job): Promise<boolean> {
  const { firstChunk, nextChunk } = job.progress;
  const end = Math.min(nextChunk, firstChunk + chunksPerStepMax);
  for (let number = firstChunk; number < end; number++) unit.delete(jobKeys.chunk(unit.scope, job.jobId, number));
  unit.update(job, { expanding: [], firstChunk: end, chunkOffset: 0 });
  if (end < nextChunk) unit.wakeJob(job, unit.nowMs);
  return end === nextChunk;
}

/** Puts a page of the things of a group on the list of those that wait. */
async function expandGroups(unit: JobsUnit, job: Job, targets: JobTargets): Promise<void> {
  const [group, ...others] = job.progress.expanding;
  if (group === undefined) return;
  const { thingNames, next } = await targets.thingsOf(unit.context, group, expandedPerStepMax);
  await addWaiting(unit, job, thingNames);
  unit.update(job, { expanding: next === undefined ? others : [{ ...group, after: next }, ...others] });
  unit.wakeJob(job, unit.nowMs);
}

/**
 * Puts things on the list of those that wait, behind all others. Those of the last chunk are not put there twice: who joins and leaves again
 * and again while nothing is rolled out makes it no longer.
 */
export async function addWaiting(unit: JobsUnit, job: Job, thingNames: readonly string[]): Promise<void> {
  const { firstChunk, nextChunk, chunkOffset } = job.progress;
  const lastKey = jobKeys.chunk(unit.scope, job.jobId, nextChunk - 1);
  const last = firstChunk < nextChunk ? await unit.store.get<WaitingChunk>(lastKey) : undefined;
  const lastNames = last?.value.thingNames ?? [];
  // What comes before the offset is decided already.
  const waiting = new Set(lastNames.slice(firstChunk === nextChunk - 1 ? chunkOffset : 0));
  const added = thingNames.filter((name) => !waiting.has(name));
  if (added.length === 0) return;
  if (last !== undefined && lastNames.length + added.length <= expandedPerStepMax) {
    unit.put(lastKey, { thingNames: [...lastNames, ...added] } satisfies WaitingChunk);
    return;
  }
  unit.put(jobKeys.chunk(unit.scope, job.jobId, nextChunk), { thingNames: added } satisfies WaitingChunk);
  unit.update(job, { nextChunk: nextChunk + 1 });
}

/** Queues executions for things that wait, as many as the rate and one commit allow. */
async function release(unit: JobsUnit, job: Job, { targets, isLimited }: AdvanceOptions): Promise<void> {
  let room = executionsPerStepMax;
  while (room > 0 && job.progress.firstChunk < job.progress.nextChunk) {
    const { firstChunk, chunkOffset } = job.progress;
    const key = jobKeys.chunk(unit.scope, job.jobId, firstChunk);
    const thingNames = (await unit.store.get<WaitingChunk>(key))?.value.thingNames ?? [];
    const things = thingNames.slice(chunkOffset, chunkOffset + room);
    const looked = await releaseThings(unit, job, things, { targets, isLimited });
    const offset = chunkOffset + looked;
    if (offset < thingNames.length) unit.update(job, { chunkOffset: offset });
    else {
      unit.delete(key);
      unit.update(job, { firstChunk: firstChunk + 1, chunkOffset: 0 });
    }
    // The rate is used up, and the job is woken when it is not.
    if (looked < things.length) return;
    room -= Math.max(1, looked);
  }
  if (job.progress.firstChunk < job.progress.nextChunk) unit.wakeJob(job, unit.nowMs);
}

/** @returns for how many of them it is decided: the rate may stop it */
async function releaseThings(
  unit: JobsUnit,
  job: Job,
  thingNames: readonly string[],
  { targets, isLimited }: AdvanceOptions,
): Promise<number> {
  for (const [at, thingName] of thingNames.entries()) {
    const found = await wanted(unit, job, thingName, targets);
    if (found === undefined) continue;
    const nextMinuteAtMs = takeTurn(unit, job, isLimited);
    if (nextMinuteAtMs !== undefined) {
      unit.wakeJob(job, nextMinuteAtMs);
      return at;
    }
    await queueExecution(unit, job, { thingName, thingId: found.thingId }, { before: found.latest });
    if (job.definition.targetSelection === "CONTINUOUS") noteMember(unit, job, thingName);
  }
  return thingNames.length;
}

/**
 * Counts one execution more against the rate. The rate holds from the beginning of a minute: what is queued within the minute makes the next one
 * faster.
 *
 * @returns when to ask again, when the rate allows no more now
 */
function takeTurn(unit: JobsUnit, job: Job, isLimited: boolean): number | undefined {
  const { minute: before, notifiedCount, counts } = job.progress;
  const { minute } = allowRollout(before, Infinity, unit.nowMs);
  const isNew = before === undefined || minute.startedAtMs !== before.startedAtMs;
  const rate =
    (isNew ? undefined : before.ratePerMinute) ??
    ratePerMinute(
      job.definition.rolloutConfig ?? {},
      { notified: notifiedCount, succeeded: counts.SUCCEEDED },
      isLimited ? awsRolloutPerMinuteMax : Infinity,
    );
  if (rate === Infinity) return undefined;
  const { executions, nextMinuteAtMs } = allowRollout(minute, rate, unit.nowMs);
  if (executions < 1) return nextMinuteAtMs;
  unit.update(job, { minute: { ...noteQueued(minute, 1), ratePerMinute: rate } });
  return undefined;
}

/** @returns the thing's id, and the execution before the one that it gets now; undefined for a thing that gets none */
async function wanted(
  unit: JobsUnit,
  job: Job,
  thingName: string,
  targets: JobTargets,
): Promise<{ thingId: string; latest: ExecutionRecord | undefined } | undefined> {
  const { scope, store, context } = unit;
  const latest = await unit.latestExecution(job.jobId, thingName);
  if (job.definition.targetSelection === "SNAPSHOT") {
    if (latest !== undefined) return undefined;
    const thingId = await targets.requireThing(context, thingName);
    return thingId === undefined ? undefined : { thingId, latest };
  }
  const hasIt = await store.get(jobKeys.continuousJobOfThing(scope, thingName, job.definition));
  if (hasIt !== undefined || (latest !== undefined && isOpen(latest))) return undefined;
  const thingId = await targets.requireThing(context, thingName);
  if (thingId === undefined) return undefined;
  return (await isTarget(unit, job, thingName, targets)) ? { thingId, latest } : undefined;
}

const isOpen = ({ status }: ExecutionRecord): boolean => status === "QUEUED" || status === "IN_PROGRESS";

/** Whether the thing, or a group that it is in, is a target. */
export async function isTarget(unit: JobsUnit, job: Job, thingName: string, targets: JobTargets): Promise<boolean> {
  if (isNamed(unit, job, thingName)) return true;
  const groupIds = await targets.groupIdsOf(unit.context, thingName);
  return job.definition.groups.some(({ thingGroupId }) => groupIds.includes(thingGroupId));
}

function isNamed({ scope }: JobsUnit, { definition }: Job, thingName: string): boolean {
  return definition.targets.some((arn) => {
    const target = parseTarget(scope, arn);
    return target?.kind === "thing" && target.name === thingName;
  });
}

/** Ends a job: executions that are queued are canceled, with force those in progress as well. */
export async function cancelJob(
  unit: JobsUnit,
  job: Job,
  {
    isForced,
    reasonCode,
    comment,
  }: { isForced: boolean; reasonCode?: string | undefined; comment?: string | undefined },
): Promise<void> {
  await unit.setStatus(job, "CANCELED", {
    ending: { kind: "cancel", isForced },
    completedAtMs: unit.nowMs,
    ...(isForced && { forceCanceled: true }),
    ...(reasonCode !== undefined && { reasonCode }),
    ...(comment !== undefined && { comment }),
  });
  unit.jobChanges.push({ job, operation: "cancellation_in_progress" });
  await stepEnding(unit, job, { kind: "cancel", isForced });
}

export async function deleteJob(unit: JobsUnit, job: Job): Promise<void> {
  await unit.setStatus(job, "DELETION_IN_PROGRESS", { ending: { kind: "delete" } });
  unit.jobChanges.push({ job, operation: "deletion_in_progress" });
  await stepEnding(unit, job, { kind: "delete" });
}

async function stepEnding(unit: JobsUnit, job: Job, ending: JobEnding): Promise<void> {
  const isDropped = await dropWaiting(unit, job);
  const isEnded = ending.kind === "cancel" ? await cancelSome(unit, job, ending) : await deleteSome(unit, job);
  if (!isDropped || !isEnded) return unit.wakeJob(job, unit.nowMs);
  if (ending.kind === "cancel") {
    const { ending: _done, ...progress } = job.progress;
    job.progress = progress;
    unit.jobChanges.push({ job, operation: "canceled" });
    return;
  }
  await unit.deleteJob(job);
  unit.jobChanges.push({ job, operation: "deleted" });
}

async function cancelSome(unit: JobsUnit, job: Job, { isForced }: { isForced: boolean }): Promise<boolean> {
  let room = executionsPerStepMax;
  for (const status of isForced ? (["QUEUED", "IN_PROGRESS"] as const) : (["QUEUED"] as const)) {
    const found = await unit.store.list(jobKeys.byStatus(unit.scope, job.jobId, status), { limit: room + 1 });
    for (const { key } of found.slice(0, room)) {
      const execution = await unit.execution(job.jobId, String(key.at(-2)), Number(key.at(-1)));
      if (execution === undefined) continue;
      await changeExecution(unit, job, execution, "CANCELED", { forceCanceled: isForced });
    }
    if (found.length > room) return false;
    room -= found.length;
  }
  return true;
}

async function deleteSome(unit: JobsUnit, job: Job): Promise<boolean> {
  const prefix = jobKeys.executions(unit.scope, job.jobId);
  const found = await unit.store.list<ExecutionRecord>(prefix, { limit: executionsPerStepMax + 1 });
  for (const { key } of found.slice(0, executionsPerStepMax)) {
    const execution = await unit.execution(job.jobId, String(key.at(-2)), Number(key.at(-1)));
    if (execution !== undefined) await removeExecution(unit, job, execution, { isForgotten: true });
  }
  return found.length <= executionsPerStepMax;
}

/** What follows from counts that changed: a job may be over, or has to be given up. */
export async function settleJob(unit: JobsUnit, job: Job): Promise<void> {
  const { definition, progress } = job;
  if (progress.status !== "IN_PROGRESS") return;
  if (isAbortDue(definition.abortConfig, progress.counts)) {
    await cancelJob(unit, job, { isForced: false, reasonCode: abortReasonCode });
    return;
  }
  if (definition.targetSelection === "SNAPSHOT" && isDone(progress)) {
    await unit.setStatus(job, "COMPLETED", { completedAtMs: unit.nowMs });
    unit.jobChanges.push({ job, operation: "completed" });
  }
}

/** Ours: why the service canceled a job. */
export const abortReasonCode = "ABORT_CRITERIA_MET";
