// What jobs should be, written the other way round than the service: one flat list of executions, no indexes, no counters, no steps. What
// is due is found by looking at everything.

export type ModelStatus =
  | "QUEUED"
  | "IN_PROGRESS"
  | "SUCCEEDED"
  | "FAILED"
  | "TIMED_OUT"
  | "REJECTED"
  | "REMOVED"
  | "CANCELED";
export type ModelJobStatus = "IN_PROGRESS" | "SCHEDULED" | "CANCELED" | "COMPLETED";
type Failure = "FAILED" | "TIMED_OUT" | "REJECTED";

export interface ModelExecution {
  jobId: string;
  thing: string;
  number: number;
  status: ModelStatus;
  version: number;
  queuedAt: number;
  startedAt: number | undefined;
  updatedAt: number;
  details: string | undefined;
  deadline: number | undefined;
  stepDeadline: number | undefined;
  retries: { FAILED: number; TIMED_OUT: number };
}

/** What CreateJob is given. */
export interface ModelJobInput {
  jobId: string;
  isContinuous: boolean;
  things: readonly string[];
  groups: readonly string[];
  perMinute: number | undefined;
  timeoutMinutes: number | undefined;
  retries: readonly { type: "FAILED" | "TIMED_OUT" | "ALL"; count: number }[];
  abort: { type: Failure | "ALL"; percent: number; min: number } | undefined;
  startAt: number | undefined;
  endAt: number | undefined;
  endBehavior: "STOP_ROLLOUT" | "CANCEL" | "FORCE_CANCEL";
}

export interface ModelJob extends ModelJobInput {
  order: number;
  status: ModelJobStatus;
  things: string[];
  /** By what the registry made of the names at that time. */
  groupIds: number[];
  /** Groups whose things are still to be looked up: those of a job that has not started. */
  expanding: number[];
  waiting: string[];
  minute: { startedAt: number; queued: number } | undefined;
  /** Of a continuous job: who has it because of its targets. */
  members: Set<string>;
  isRolloutStopped: boolean;
}

interface ModelGroup {
  id: number;
  parent: string | undefined;
  members: Set<string>;
}

const minute = 60_000;
export const isPending = ({ status }: { status: ModelStatus }): boolean =>
  status === "QUEUED" || status === "IN_PROGRESS";

/** What an operation answers: nothing, or why it was refused. */
export type Refusal = "unknown" | "exists" | "state" | "version" | "terminal" | undefined;

export class ReferenceJobs {
  now: number;
  readonly things = new Set<string>();
  readonly groups = new Map<string, ModelGroup>();
  readonly jobs = new Map<string, ModelJob>();
  executions: ModelExecution[] = [];
  #made = 0;

  constructor(now: number) {
    this.now = now;
  }

  // What there is to see

  latest(jobId: string, thing: string): ModelExecution | undefined {
    return this.of(jobId)
      .filter((execution) => execution.thing === thing)
      .reduce<ModelExecution | undefined>(
        (best, one) => (best === undefined || one.number > best.number ? one : best),
        undefined,
      );
  }

  of(jobId: string): ModelExecution[] {
    return this.executions.filter((execution) => execution.jobId === jobId);
  }

  /** The queue of a thing: what is in progress first, then by time, then by the age of the job. */
  pending(thing: string): ModelExecution[] {
    const rank = ({ status, queuedAt, jobId }: ModelExecution) =>
      [status === "IN_PROGRESS" ? 0 : 1, queuedAt, this.jobs.get(jobId)?.order ?? 0] as const;
    return this.executions
      .filter((execution) => execution.thing === thing && isPending(execution))
      .sort((left, right) => {
        const [a, b] = [rank(left), rank(right)];
        return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
      });
  }

  /** Things of a job by the state of their latest execution. */
  counts(jobId: string): Partial<Record<ModelStatus, number>> {
    const counts: Partial<Record<ModelStatus, number>> = {};
    for (const thing of new Set(this.of(jobId).map((execution) => execution.thing))) {
      const { status } = this.latest(jobId, thing)!;
      counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  // Time

  advance(to: number): void {
    for (;;) {
      const due = this.#nextDue();
      if (due === undefined || due.at > to) break;
      this.now = Math.max(this.now, due.at);
      due.act();
      this.#settle();
    }
    this.now = to;
  }

  #nextDue(): { at: number; name: string; act: () => void } | undefined {
    const dues: { at: number; name: string; act: () => void }[] = [];
    for (const execution of this.executions) {
      if (execution.status !== "IN_PROGRESS") continue;
      const at = Math.min(execution.deadline ?? Infinity, execution.stepDeadline ?? Infinity);
      const name = `execution/${execution.jobId}/${execution.thing}/${execution.number}`;
      dues.push({ at, name, act: () => this.#change(execution, "TIMED_OUT") });
    }
    for (const job of this.jobs.values()) {
      const name = `job/${job.jobId}`;
      if (job.status === "SCHEDULED") {
        dues.push({ at: job.startAt ?? Infinity, name, act: () => this.#start(job) });
      }
      if (job.status !== "IN_PROGRESS") continue;
      if (!job.isRolloutStopped) dues.push({ at: job.endAt ?? Infinity, name, act: () => this.#end(job) });
      if (job.waiting.length > 0) {
        const at = job.minute === undefined ? this.now : job.minute.startedAt + minute;
        dues.push({ at, name, act: () => this.#rollOut(job) });
      }
    }
    const open = dues.filter(({ at }) => at !== Infinity);
    return open.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1))[0];
  }

  #start(job: ModelJob): void {
    job.status = "IN_PROGRESS";
    this.#rollOut(job);
  }

  #end(job: ModelJob): void {
    job.isRolloutStopped = true;
    job.waiting = [];
    if (job.endBehavior !== "STOP_ROLLOUT") this.#cancel(job, job.endBehavior === "FORCE_CANCEL");
  }

  // Rules

  #change(execution: ModelExecution, status: ModelStatus, details?: string): void {
    const job = this.jobs.get(execution.jobId)!;
    if (execution.status === "QUEUED" && status === "IN_PROGRESS" && job.timeoutMinutes !== undefined) {
      execution.deadline = this.now + job.timeoutMinutes * minute;
    }
    if (execution.status === "QUEUED" && status === "IN_PROGRESS") execution.startedAt = this.now;
    execution.status = status;
    execution.updatedAt = this.now;
    execution.version++;
    execution.details = details ?? execution.details;
    if (status !== "FAILED" && status !== "TIMED_OUT") return;
    const { FAILED, TIMED_OUT } = execution.retries;
    const isRetried = job.retries.some(({ type, count }) =>
      type === "ALL" ? FAILED + TIMED_OUT < count : type === status && execution.retries[status] < count,
    );
    if (job.status === "IN_PROGRESS" && isRetried) {
      this.#queue(job, execution.thing, { ...execution.retries, [status]: execution.retries[status] + 1 });
    }
  }

  #queue(job: ModelJob, thing: string, retries = { FAILED: 0, TIMED_OUT: 0 }): void {
    this.executions.push({
      ...{ jobId: job.jobId, thing, retries, status: "QUEUED", version: 1, queuedAt: this.now },
      number: (this.latest(job.jobId, thing)?.number ?? 0) + 1,
      ...{ updatedAt: this.now, startedAt: undefined },
      ...{ details: undefined, deadline: undefined, stepDeadline: undefined },
    });
  }

  /** One group after the other; whoever waits already is not put there twice. */
  #rollOut(job: ModelJob): void {
    if (job.status !== "IN_PROGRESS") return;
    do {
      const [id] = job.expanding.splice(0, 1);
      if (id !== undefined) this.#wait(job, this.#thingsBelow(id));
      if (job.isRolloutStopped) [job.waiting, job.expanding] = [[], []];
      this.#release(job);
    } while (job.expanding.length > 0);
  }

  #wait(job: ModelJob, things: readonly string[]): void {
    job.waiting.push(...things.filter((thing) => !job.waiting.includes(thing)));
  }

  #release(job: ModelJob): void {
    while (job.waiting.length > 0) {
      const thing = job.waiting[0]!;
      if (this.#isWanted(job, thing)) {
        if (job.perMinute !== undefined) {
          const isOver = job.minute === undefined || this.now >= job.minute.startedAt + minute;
          if (isOver) job.minute = { startedAt: this.now, queued: 0 };
          if (job.minute!.queued >= job.perMinute) return;
          job.minute!.queued++;
        }
        this.#queue(job, thing);
        if (job.isContinuous) job.members.add(thing);
      }
      job.waiting.shift();
    }
  }

  #isWanted(job: ModelJob, thing: string): boolean {
    if (!this.things.has(thing)) return false;
    const latest = this.latest(job.jobId, thing);
    if (!job.isContinuous) return latest === undefined;
    return !job.members.has(thing) && !(latest && isPending(latest)) && this.#isTarget(job, thing);
  }

  #isTarget(job: ModelJob, thing: string): boolean {
    return job.things.includes(thing) || this.#isInTargetGroup(job, thing);
  }

  #isInTargetGroup(job: ModelJob, thing: string): boolean {
    return this.#groupIdsOf(thing).some((id) => job.groupIds.includes(id));
  }

  #groupIdsOf(thing: string): number[] {
    const ids: number[] = [];
    for (const group of this.groups.values()) {
      if (!group.members.has(thing)) continue;
      for (let at: ModelGroup | undefined = group; at !== undefined; at = this.groups.get(at.parent ?? ""))
        ids.push(at.id);
    }
    return ids;
  }

  /** In the order of their names. */
  #thingsBelow(id: number): string[] {
    return [...this.things].filter((thing) => this.#groupIdsOf(thing).includes(id)).sort();
  }

  #cancel(job: ModelJob, isForced: boolean): void {
    job.status = "CANCELED";
    job.waiting = [];
    job.expanding = [];
    for (const execution of this.of(job.jobId)) {
      if (execution.status === "QUEUED" || (isForced && execution.status === "IN_PROGRESS")) {
        this.#change(execution, "CANCELED");
      }
    }
  }

  /** What follows from what happened. */
  #settle(): void {
    for (const job of this.jobs.values()) {
      if (job.status !== "IN_PROGRESS") continue;
      if (this.#isAbortDue(job)) this.#cancel(job, false);
      else if (!job.isContinuous && job.waiting.length === 0 && !this.of(job.jobId).some(isPending))
        job.status = "COMPLETED";
    }
  }

  #isAbortDue({ jobId, abort }: ModelJob): boolean {
    if (abort === undefined) return false;
    const counts = this.counts(jobId);
    const executed = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const types: Failure[] = abort.type === "ALL" ? ["FAILED", "TIMED_OUT", "REJECTED"] : [abort.type];
    const failed = types.reduce((sum, type) => sum + (counts[type] ?? 0), 0);
    return executed >= abort.min && failed > 0 && (failed / executed) * 100 >= abort.percent - 1e-9;
  }

  // Operations: they answer why they refuse

  createJob(input: ModelJobInput): Refusal {
    if (this.jobs.has(input.jobId)) return "exists";
    const isKnown =
      input.things.every((thing) => this.things.has(thing)) && input.groups.every((name) => this.groups.has(name));
    if (!isKnown) return "unknown";
    const job: ModelJob = {
      ...input,
      things: [...input.things],
      order: ++this.#made,
      status: input.startAt === undefined ? "IN_PROGRESS" : "SCHEDULED",
      groupIds: input.groups.map((name) => this.groups.get(name)!.id),
      ...{ waiting: [], expanding: [], minute: undefined, members: new Set<string>(), isRolloutStopped: false },
    };
    this.jobs.set(job.jobId, job);
    this.#await(job, job.things, job.groupIds);
    return undefined;
  }

  #await(job: ModelJob, things: readonly string[], groupIds: readonly number[]): void {
    this.#wait(job, things);
    job.expanding.push(...groupIds);
    this.#rollOut(job);
    this.#settle();
  }

  associate(jobId: string, things: readonly string[], groups: readonly string[]): Refusal {
    const job = this.jobs.get(jobId);
    if (job === undefined) return "unknown";
    if (!job.isContinuous || job.status !== "IN_PROGRESS") return "state";
    const isKnown = things.every((thing) => this.things.has(thing)) && groups.every((name) => this.groups.has(name));
    if (!isKnown) return "unknown";
    const ids = groups.map((name) => this.groups.get(name)!.id).filter((id) => !job.groupIds.includes(id));
    job.things.push(...things);
    job.groupIds.push(...ids);
    this.#await(job, things, ids);
    return undefined;
  }

  updateJob(
    jobId: string,
    change: Partial<Pick<ModelJob, "perMinute" | "timeoutMinutes" | "retries" | "abort">>,
  ): Refusal {
    const job = this.jobs.get(jobId);
    if (job === undefined) return "unknown";
    Object.assign(job, change);
    this.#rollOut(job);
    this.#settle();
    return undefined;
  }

  cancelJob(jobId: string, isForced: boolean): Refusal {
    const job = this.jobs.get(jobId);
    if (job === undefined) return "unknown";
    if (job.status !== "IN_PROGRESS" && job.status !== "SCHEDULED") return "state";
    this.#cancel(job, isForced);
    return undefined;
  }

  deleteJob(jobId: string, isForced: boolean): Refusal {
    const job = this.jobs.get(jobId);
    if (job === undefined) return "unknown";
    if (!isForced && job.status !== "CANCELED" && job.status !== "COMPLETED") return "state";
    this.jobs.delete(jobId);
    this.executions = this.executions.filter((execution) => execution.jobId !== jobId);
    return undefined;
  }

  cancelExecution(
    jobId: string,
    thing: string,
    { isForced, version }: { isForced: boolean; version?: number },
  ): Refusal {
    const execution = this.latest(jobId, thing);
    if (execution === undefined) return "unknown";
    if (!isPending(execution) || (execution.status === "IN_PROGRESS" && !isForced)) return "state";
    if (version !== undefined && version !== execution.version) return "version";
    this.#change(execution, "CANCELED");
    this.#settle();
    return undefined;
  }

  deleteExecution(jobId: string, thing: string, number: number, isForced: boolean): Refusal {
    const execution = this.of(jobId).find((one) => one.thing === thing && one.number === number);
    if (execution === undefined) return "unknown";
    if (isPending(execution) && !isForced) return "state";
    this.executions = this.executions.filter((one) => one !== execution);
    this.#settle();
    return undefined;
  }

  // What devices do

  startNext(thing: string, stepMinutes?: number): ModelExecution | undefined {
    const [next] = this.pending(thing);
    if (next === undefined) return undefined;
    if (next.status === "QUEUED") this.#change(next, "IN_PROGRESS");
    this.#setStep(next, stepMinutes);
    return next;
  }

  update(
    jobId: string,
    thing: string,
    {
      status,
      version,
      stepMinutes,
      details,
    }: { status: ModelStatus; version?: number; stepMinutes?: number; details?: string },
  ): Refusal {
    const execution = this.latest(jobId, thing);
    if (execution === undefined) return "unknown";
    if (!isPending(execution)) return "state";
    if (version !== undefined && version !== execution.version) return "version";
    this.#change(execution, status, details);
    this.#setStep(execution, stepMinutes);
    this.#settle();
    return undefined;
  }

  #setStep(execution: ModelExecution, minutes: number | undefined): void {
    if (minutes === undefined || execution.status !== "IN_PROGRESS") return;
    execution.stepDeadline = minutes < 0 ? undefined : this.now + minutes * minute;
  }

  // What happens to things and groups

  createThing(thing: string): void {
    this.things.add(thing);
  }

  deleteThing(thing: string): void {
    this.things.delete(thing);
    for (const group of this.groups.values()) group.members.delete(thing);
    for (const job of this.jobs.values()) job.members.delete(thing);
    this.executions = this.executions.filter((execution) => execution.thing !== thing);
    this.#settle();
  }

  createGroup(name: string, parent?: string): void {
    this.groups.set(name, { id: ++this.#made, parent, members: new Set() });
  }

  deleteGroup(name: string): void {
    const things = [...(this.groups.get(name)?.members ?? [])].sort();
    this.groups.delete(name);
    for (const thing of things) this.#membershipChanged(thing);
  }

  join(name: string, thing: string): void {
    this.groups.get(name)?.members.add(thing);
    this.#membershipChanged(thing);
  }

  leave(name: string, thing: string): void {
    this.groups.get(name)?.members.delete(thing);
    this.#membershipChanged(thing);
  }

  #membershipChanged(thing: string): void {
    for (const job of this.jobs.values()) {
      if (!job.isContinuous) continue;
      const isActive = job.status === "IN_PROGRESS" || job.status === "SCHEDULED";
      if (this.#isInTargetGroup(job, thing) && !job.members.has(thing) && isActive) {
        this.#wait(job, [thing]);
        this.#rollOut(job);
      } else if (!this.#isTarget(job, thing) && job.members.has(thing)) {
        job.members.delete(thing);
        const latest = this.latest(job.jobId, thing);
        if (latest !== undefined && isPending(latest)) this.#change(latest, "REMOVED");
      }
    }
    this.#settle();
  }
}
