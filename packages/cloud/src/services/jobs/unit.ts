import { notifiedExecutionsMax, type JobExecutionStatus, type JobStatus } from "@thingline/protocol/jobs";
import type { StoreEntry, StoreKey, StoreOperation, StoreValue } from "../../store/store.js";
import { draftOver, type Draft } from "../draft.js";
import type { Effect, OperationContext, Outcome, Scope } from "../operation.js";
import { lastName } from "../page.js";
import { tagsGone } from "../tags/index.js";
import {
  jobKeys,
  jobsServiceName,
  noTotals,
  recount,
  timeoutOf,
  type ExecutionRecord,
  type JobDefinition,
  type JobProgress,
  type JobTotals,
} from "./model.js";

/** A job in the hands of one operation. */
export interface Job {
  readonly jobId: string;
  /** Written when it is replaced. */
  definition: JobDefinition;
  progress: JobProgress;
}

interface LoadedJob extends Job {
  readonly stored: { definition: JobDefinition | undefined; progress: JobProgress | undefined };
  readonly revisions: { definition: number; progress: number };
  isDeleted: boolean;
}

/** A thing whose queue changes: what it was before decides who is told. */
interface TouchedThing {
  /** The first execution, encoded; undefined for an empty queue. */
  readonly firstBefore: string | undefined;
  readonly before: Map<string, boolean>;
}

/** Nearly always the first one is wanted. */
const queuePageExecutions = 4;

export interface QueueChange {
  /** Another execution is in the list, or one that was is not. */
  isListChanged: boolean;
  isFirstChanged: boolean;
  /** The whole queue, in its order; undefined for one that is too long. */
  executions: readonly ExecutionRecord[] | undefined;
}

/** What became of an execution, for events. */
export interface EndedExecution {
  execution: ExecutionRecord;
  operation: "succeeded" | "failed" | "rejected" | "canceled" | "timed_out" | "removed" | "deleted";
}

/** What became of a job, for events. */
export interface JobChange {
  job: Job;
  operation: "completed" | "canceled" | "deleted" | "cancellation_in_progress" | "deletion_in_progress";
}

/**
 * What one operation reads and writes of jobs: it sees what it has written itself, and everything becomes one commit. Indexes, counts and
 * timers follow from what is put here, so that no rule can forget them.
 */
export class JobsUnit {
  readonly context: OperationContext;
  readonly scope: Scope;
  readonly nowMs: number;
  readonly store: Draft;
  /** Answers, before all that is told of the change. */
  readonly answers: Effect[] = [];
  readonly ended: EndedExecution[] = [];
  readonly jobChanges: JobChange[] = [];
  readonly #wakes: Effect[] = [];
  readonly #jobs = new Map<string, LoadedJob>();
  /** Revisions of executions as they were read first. */
  readonly #seen = new Map<string, number>();
  readonly #written = new Set<string>();
  readonly #things = new Map<string, TouchedThing>();
  #totals: { value: JobTotals; revision: number; isChanged: boolean } | undefined;

  constructor(context: OperationContext) {
    this.context = context;
    this.scope = context.scope;
    this.nowMs = context.nowMs;
    this.store = draftOver(context.store);
  }

  /** Things whose queues may have changed, in order. */
  get touchedThings(): readonly string[] {
    return [...this.#things.keys()];
  }

  /** Jobs that were looked at and still exist. */
  get jobs(): readonly Job[] {
    return [...this.#jobs.values()].filter(({ isDeleted }) => !isDeleted);
  }

  async job(jobId: string): Promise<Job | undefined> {
    const loaded = this.#jobs.get(jobId);
    if (loaded !== undefined) return loaded.isDeleted ? undefined : loaded;
    const definition = await this.store.get<JobDefinition>(jobKeys.definition(this.scope, jobId));
    const progress = await this.store.get<JobProgress>(jobKeys.progress(this.scope, jobId));
    if (definition === undefined || progress === undefined) return undefined;
    const job: LoadedJob = {
      jobId,
      definition: definition.value,
      progress: progress.value,
      stored: { definition: definition.value, progress: progress.value },
      revisions: { definition: definition.revision, progress: progress.revision },
      isDeleted: false,
    };
    this.#jobs.set(jobId, job);
    return job;
  }

  async createJob(definition: JobDefinition, progress: JobProgress): Promise<Job> {
    const { jobId } = definition;
    const job: LoadedJob = {
      ...{ jobId, definition, progress },
      stored: { definition: undefined, progress: undefined },
      revisions: { definition: 0, progress: 0 },
      isDeleted: false,
    };
    this.#jobs.set(jobId, job);
    await this.#countActive(job, undefined, progress.status);
    this.#list(job);
    return job;
  }

  /** @param change what becomes of it besides `lastUpdatedAtMs` */
  update(job: Job, change: Partial<JobProgress>): void {
    job.progress = { ...job.progress, ...change, lastUpdatedAtMs: this.nowMs };
  }

  async setStatus(job: Job, status: JobStatus, change: Partial<JobProgress> = {}): Promise<void> {
    const before = job.progress.status;
    this.update(job, { ...change, status });
    if (before === status) return;
    await this.#countActive(job, before, status);
    this.#list(job);
    if (!isActive(status)) {
      for (const { thingGroupId } of job.definition.groups) {
        this.delete(jobKeys.continuousJobOfGroup(this.scope, thingGroupId, job.jobId));
      }
    }
  }

  #list({ jobId, definition, progress }: Job): void {
    const { order, targetSelection } = definition;
    this.put(jobKeys.listedJob(this.scope, order, jobId), { status: progress.status, targetSelection });
  }

  /** Everything of the job but its executions and chunks, which are gone already. */
  async deleteJob(job: Job): Promise<void> {
    const { jobId, definition, progress } = job;
    const { groups, order } = definition;
    await this.#countActive(job, progress.status, undefined);
    for (const { thingGroupId } of groups) {
      this.delete(jobKeys.jobOfGroup(this.scope, thingGroupId, order, jobId));
      this.delete(jobKeys.continuousJobOfGroup(this.scope, thingGroupId, jobId));
    }
    this.delete(jobKeys.listedJob(this.scope, order, jobId));
    this.delete(jobKeys.document(this.scope, jobId));
    (job as LoadedJob).isDeleted = true;
  }

  async totals(): Promise<JobTotals> {
    if (this.#totals === undefined) {
      const entry = await this.store.get<JobTotals>(jobKeys.totals(this.scope));
      this.#totals = { value: entry?.value ?? noTotals, revision: entry?.revision ?? 0, isChanged: false };
    }
    return this.#totals.value;
  }

  async setTotals(value: JobTotals): Promise<void> {
    await this.totals();
    this.#totals = { ...this.#totals!, value, isChanged: true };
  }

  async #countActive({ definition }: Job, from: JobStatus | undefined, to: JobStatus | undefined): Promise<void> {
    const totals = await this.totals();
    const { targetSelection } = definition;
    const active = Number(isActive(to)) - Number(isActive(from));
    const deleting = Number(to === "DELETION_IN_PROGRESS") - Number(from === "DELETION_IN_PROGRESS");
    if (active === 0 && deleting === 0) return;
    await this.setTotals({
      ...totals,
      active: { ...totals.active, [targetSelection]: totals.active[targetSelection] + active },
      deletingCount: totals.deletingCount + deleting,
    });
  }

  /** The latest execution of a job on a thing. */
  async latestExecution(jobId: string, thingName: string): Promise<ExecutionRecord | undefined> {
    const prefix = jobKeys.executionsOf(this.scope, jobId, thingName);
    const [latest] = await this.store.list<ExecutionRecord>(prefix, { limit: 1, order: "descending" });
    return this.#see(latest);
  }

  async execution(jobId: string, thingName: string, executionNumber?: number): Promise<ExecutionRecord | undefined> {
    if (executionNumber === undefined) return this.latestExecution(jobId, thingName);
    return this.#see(
      await this.store.get<ExecutionRecord>(jobKeys.execution(this.scope, jobId, thingName, executionNumber)),
    );
  }

  /** What is decided of an execution holds for the record that was read first. */
  #see(entry: StoreEntry<ExecutionRecord> | undefined): ExecutionRecord | undefined {
    if (entry === undefined) return undefined;
    const name = executionName(entry.value);
    if (!this.#seen.has(name)) this.#seen.set(name, entry.revision);
    return entry.value;
  }

  #expectedOf(execution: ExecutionRecord): { expectedRevision?: number } {
    const name = executionName(execution);
    if (this.#written.has(name)) return {};
    this.#written.add(name);
    return { expectedRevision: this.#seen.get(name) ?? 0 };
  }

  /** The executions of a state that a device has still to do, in the order of its queue. */
  async pending(thingName: string, status: "IN_PROGRESS" | "QUEUED", limit: number): Promise<ExecutionRecord[]> {
    return this.#executionsAt(await this.store.list(jobKeys.pendingOf(this.scope, thingName, status), { limit }));
  }

  /** All executions that a device has still to do, in the order of its queue; who finds what it wants looks no further. */
  async *queue(thingName: string): AsyncGenerator<ExecutionRecord, void, undefined> {
    let after: StoreKey | undefined;
    for (;;) {
      const options = { limit: queuePageExecutions, ...(after && { after }) };
      const page = await this.store.list(jobKeys.pending(this.scope, thingName), options);
      yield* await this.#executionsAt(page);
      after = page.at(-1)?.key;
      if (page.length < queuePageExecutions) return;
    }
  }

  async #executionsAt(entries: readonly StoreEntry[]): Promise<ExecutionRecord[]> {
    const executions: ExecutionRecord[] = [];
    for (const { key } of entries) {
      const [, , , thingName, , , , jobId, executionNumber] = key;
      const execution = await this.execution(String(jobId), String(thingName), Number(executionNumber));
      if (execution !== undefined) executions.push(execution);
    }
    return executions;
  }

  /** A new execution, or another state of one that is there: with its places in the lists, the counts of its job and its timer. */
  async putExecution(job: Job, before: ExecutionRecord | undefined, after: ExecutionRecord): Promise<ExecutionRecord> {
    const { scope } = this;
    const wasPending = before !== undefined && isPending(before.status);
    if (wasPending || isPending(after.status)) await this.#touch(after.thingName);
    const stored = this.#armed(after);
    const key = jobKeys.execution(scope, after.jobId, after.thingName, after.executionNumber);
    this.store.write([{ key, ...this.#expectedOf(after), value: stored }]);
    if (before?.status !== after.status) {
      if (before !== undefined) this.delete(jobKeys.executionByStatus(scope, before));
      this.put(jobKeys.executionByStatus(scope, after), null);
      this.put(jobKeys.executionByThing(scope, after), { status: after.status });
      if (wasPending) this.#setPending(before, false);
      if (isPending(after.status)) this.#setPending(after, true);
      // What changes is the latest of its thing; with a new one, the one before it counts no more.
      const replaced = before ?? (await this.execution(after.jobId, after.thingName, after.executionNumber - 1));
      this.update(job, { counts: recount(job.progress.counts, replaced?.status, after.status) });
    }
    return stored;
  }

  /** Takes an execution away, as if it had never been. */
  async deleteExecution(job: Job, execution: ExecutionRecord): Promise<void> {
    const { scope } = this;
    const { jobId, thingName, status, executionNumber } = execution;
    if (isPending(status)) {
      await this.#touch(thingName);
      this.#setPending(execution, false);
    }
    const latest = await this.latestExecution(jobId, thingName);
    const key = jobKeys.execution(scope, jobId, thingName, executionNumber);
    this.store.write([{ key, ...this.#expectedOf(execution), delete: true }]);
    this.delete(jobKeys.executionByStatus(scope, execution));
    this.delete(jobKeys.executionByThing(scope, execution));
    if (latest?.executionNumber !== executionNumber) return;
    const nowLatest = await this.latestExecution(jobId, thingName);
    this.update(job, { counts: recount(job.progress.counts, status, nowLatest?.status) });
  }

  /** With a wake-up for its timer, unless one comes before it in any case. */
  #armed(execution: ExecutionRecord): ExecutionRecord {
    const dueMs = timeoutOf(execution);
    if (dueMs === undefined) return execution;
    const { jobId, thingName, executionNumber, wakeAtMs } = execution;
    // One that has come already, when no timer ran, comes no more.
    if (wakeAtMs !== undefined && wakeAtMs > this.nowMs && wakeAtMs <= dueMs) return execution;
    this.#wakes.push(wakeAt(executionWakeName(jobId, thingName, executionNumber), dueMs));
    return { ...execution, wakeAtMs: dueMs };
  }

  /** Looks at the job at this time, or earlier. */
  wakeJob(job: Job, atMs: number): void {
    const { wakeAtMs } = job.progress;
    if (wakeAtMs !== undefined && wakeAtMs <= atMs) return;
    this.#wakes.push(wakeAt(jobWakeName(job.jobId), atMs));
    job.progress = { ...job.progress, wakeAtMs: atMs };
  }

  wakeFor(name: string, atMs: number): void {
    this.#wakes.push(wakeAt(name, atMs));
  }

  async #touch(thingName: string): Promise<void> {
    if (this.#things.has(thingName)) return;
    const [first] = await this.store.list(jobKeys.pending(this.scope, thingName), { limit: 1 });
    this.#things.set(thingName, { firstBefore: first && queueName(first.key), before: new Map() });
  }

  #setPending(execution: ExecutionRecord, isThere: boolean): void {
    const key = jobKeys.pendingExecution(this.scope, execution);
    const name = queueName(key);
    const { before } = this.#things.get(execution.thingName)!;
    if (!before.has(name)) before.set(name, !isThere);
    if (isThere) this.put(key, null);
    else this.delete(key);
  }

  /** What changed of the queue of a thing, and as much of the queue as is told. */
  async queueChange(thingName: string): Promise<QueueChange> {
    const { firstBefore, before } = this.#things.get(thingName)!;
    // One entry more than the lists can show tells whether there is more.
    const limit = 2 * notifiedExecutionsMax + 1;
    const queued = await this.store.list(jobKeys.pending(this.scope, thingName), { limit });
    const names = new Set(queued.map(({ key }) => queueName(key)));
    let isListChanged = false;
    for (const [name, wasThere] of before) {
      isListChanged ||= wasThere !== (names.has(name) || (await this.#isQueued(thingName, name)));
    }
    const first = queued[0] && queueName(queued[0].key);
    return {
      ...{ isListChanged, isFirstChanged: first !== firstBefore },
      executions: queued.length < limit ? await this.#executionsAt(queued) : undefined,
    };
  }

  async #isQueued(thingName: string, name: string): Promise<boolean> {
    const [jobId = "", executionNumber] = name.split("#");
    const execution = await this.execution(jobId, thingName, Number(executionNumber));
    return execution !== undefined && isPending(execution.status);
  }

  put(key: StoreKey, value: StoreValue): void {
    this.store.write([{ key, value }]);
  }

  delete(key: StoreKey): void {
    this.store.write([{ key, delete: true }]);
  }

  /** Makes the commit depend on what was read there. */
  check({ key, revision }: StoreEntry): void {
    this.store.write([{ key, expectedRevision: revision, check: true }]);
  }

  /** Everything as one outcome; `told` comes after the answers. */
  outcome<Result>(result: Result, told: readonly Effect[]): Outcome<Result> {
    for (const job of this.#jobs.values()) this.#writeJob(job);
    if (this.#totals?.isChanged === true) {
      const { value, revision } = this.#totals;
      this.store.write([{ key: jobKeys.totals(this.scope), expectedRevision: revision, value }]);
    }
    const operations: StoreOperation[] = this.store.operations();
    return { result, operations, effects: [...this.answers, ...told, ...this.#wakes] };
  }

  #writeJob({ jobId, definition, progress, stored, revisions, isDeleted }: LoadedJob): void {
    const [definitionKey, progressKey] = [jobKeys.definition(this.scope, jobId), jobKeys.progress(this.scope, jobId)];
    const expected = { expectedRevision: revisions.progress };
    if (isDeleted) {
      this.store.write([
        { key: definitionKey, expectedRevision: revisions.definition, delete: true },
        tagsGone(definitionKey),
        { key: progressKey, ...expected, delete: true },
      ]);
      return;
    }
    if (definition !== stored.definition) {
      this.store.write([{ key: definitionKey, expectedRevision: revisions.definition, value: definition }]);
    }
    if (progress !== stored.progress) this.store.write([{ key: progressKey, ...expected, value: progress }]);
  }
}

const isActive = (status: JobStatus | undefined): boolean => status === "IN_PROGRESS" || status === "SCHEDULED";

const isPending = (status: JobExecutionStatus): boolean => status === "QUEUED" || status === "IN_PROGRESS";

/** Names an execution in the queue of its thing, whatever its place. */
const queueName = (key: StoreKey): string => `${key.at(-2)}#${lastName(key)}`;

const executionName = ({ jobId, thingName, executionNumber }: ExecutionRecord): string =>
  `${jobId}/${thingName}/${executionNumber}`;

const wakeAt = (name: string, atUnixMs: number): Effect => ({
  type: "wakeAt",
  service: jobsServiceName,
  name,
  atUnixMs,
});

export const jobWakeName = (jobId: string): string => `job/${jobId}`;
export const executionWakeName = (jobId: string, thingName: string, executionNumber: number): string =>
  `execution/${jobId}/${thingName}/${executionNumber}`;
