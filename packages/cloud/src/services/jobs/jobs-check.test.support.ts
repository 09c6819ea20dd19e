// Performs commands on jobs and on the reference model, and compares what there is to see: states, counts, queues, refusals, notifications.
import assert from "node:assert/strict";
import { isThinglineError } from "@thingline/protocol";
import { groupArn, jobDocument, openJobsWorld, thingArn, type JobsWorld } from "./jobs-world.test.support.js";
import type { Command, ModelSettings, VersionChoice } from "./jobs-commands.test.support.js";
import {
  isPending,
  ReferenceJobs,
  type ModelExecution,
  type ModelJob,
  type Refusal,
} from "./reference-jobs.test.support.js";
import { writeTime } from "./schedule.js";

const jobIdsMax = 7;
/** `hall` is below `north`. */
const groupNames = ["north", "south", "hall"] as const;
const minuteMs = 60_000;
/** Commands between two looks at everything. */
const wholeEvery = 12;

const codes: Record<NonNullable<Refusal>, readonly string[]> = {
  unknown: ["RESOURCE_NOT_FOUND"],
  exists: ["RESOURCE_EXISTS"],
  state: ["JOB_STATE_INVALID", "REQUEST_INVALID"],
  version: ["VERSION_CONFLICT"],
  terminal: ["JOB_EXECUTION_ENDED"],
};

/** Who was told what of the queue of a thing: the executions in it, and the first. */
interface Told {
  list: string;
  first: string;
}

export class JobsCheck {
  readonly #world: JobsWorld;
  readonly #model: ReferenceJobs;
  readonly #thingNames: readonly string[];
  readonly #told = new Map<string, Told>();
  /** State and time of each execution that has ended, as first seen. */
  readonly #ended = new Map<string, string>();
  readonly statuses = new Set<string>();
  operations = 0;
  messages = 0;

  private constructor(world: JobsWorld, thingNames: readonly string[]) {
    this.#world = world;
    this.#thingNames = thingNames;
    this.#model = new ReferenceJobs(world.clock.unixMs());
  }

  static async open(thingCount: number): Promise<JobsCheck> {
    const world = await openJobsWorld();
    const names = Array.from({ length: thingCount }, (_, at) => `t${String(at).padStart(2, "0")}`);
    const check = new JobsCheck(world, names);
    for (const name of names) await check.#createThing(name);
    for (const name of groupNames) await check.#createGroup(name);
    return check;
  }

  async perform(command: Command): Promise<void> {
    this.operations++;
    // No two commands at the same time: what is equally old has no order that a user could count on.
    await this.#pass(command.type === "advance" ? command.ms : 7);
    await this.#perform(command);
    await this.#settle();
    if (this.operations % wholeEvery === 0) await this.#compareAll();
  }

  async finish(): Promise<void> {
    await this.#compareAll();
    await this.#world.runner.close();
  }

  async #pass(ms: number): Promise<void> {
    await this.#world.pass(ms);
    this.#model.advance(this.#world.clock.unixMs());
    await this.#hear();
  }

  /** What was left for a wake-up is due at once. */
  async #settle(): Promise<void> {
    await this.#world.pass(0);
    this.#model.advance(this.#world.clock.unixMs());
    await this.#hear();
  }

  // Whom a command is about

  #thing(choice: number): string {
    return this.#thingNames[choice % this.#thingNames.length]!;
  }

  /** Mostly one that has something to do. */
  #busyThing(choice: number): string {
    const busy = this.#thingNames.filter((name) => this.#model.pending(name).length > 0);
    return choice < 85 && busy.length > 0 ? busy[choice % busy.length]! : this.#thing(choice);
  }

  #things(choices: readonly number[]): string[] {
    return [...new Set(choices.map((choice) => this.#thing(choice)))];
  }

  #group(choice: number): (typeof groupNames)[number] {
    return groupNames[choice % groupNames.length]!;
  }

  #groups(choices: readonly number[]): string[] {
    return [...new Set(choices.map((choice) => this.#group(choice)))];
  }

  #job(choice: number): string {
    const ids = [...this.#model.jobs.keys(), "none"];
    return ids[choice % ids.length]!;
  }

  /** Mostly one that the thing has to do. */
  #jobOf(thing: string, choice: number): string {
    const pending = this.#model.pending(thing);
    return choice < 85 && pending.length > 0 ? pending[choice % pending.length]!.jobId : this.#job(choice);
  }

  #version(execution: ModelExecution | undefined, choice: VersionChoice): { version?: number } {
    if (choice === "none") return {};
    const current = execution?.version ?? 1;
    return { version: choice === "current" ? current : current + 1 };
  }

  // What it does

  async #perform(command: Command): Promise<void> {
    const { jobs, registry } = this.#world;
    const model = this.#model;
    switch (command.type) {
      case "advance":
        return;
      case "createJob":
        return this.#createJob(command);
      case "cancelJob": {
        const jobId = this.#job(command.job);
        const { isForced: force } = command;
        return this.#expect(model.cancelJob(jobId, force), this.#world.run(jobs.cancelJob, { jobId, force }));
      }
      case "deleteJob":
        return this.#deleteJob(this.#job(command.job), command.isForced);
      case "associate": {
        const jobId = this.#job(command.job);
        const [things, groups] = [this.#things(command.things), this.#groups(command.groups)];
        const targets = [...things.map(thingArn), ...groups.map(groupArn)];
        if (targets.length === 0) return;
        const input = { jobId, targets };
        return this.#expect(
          model.associate(jobId, things, groups),
          this.#world.run(jobs.associateTargetsWithJob, input),
        );
      }
      case "updateJob": {
        const jobId = this.#job(command.job);
        const isGiven = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);
        const given = Object.entries(command.settings).filter(([, value]) => isGiven(value));
        const input = { jobId, ...settingsOf(command.settings) };
        return this.#expect(model.updateJob(jobId, Object.fromEntries(given)), this.#world.run(jobs.updateJob, input));
      }
      case "cancelExecution": {
        const thingName = this.#busyThing(command.thing);
        const jobId = this.#jobOf(thingName, command.job);
        const version = this.#version(model.latest(jobId, thingName), command.version);
        const { isForced } = command;
        const input = { jobId, thingName, force: isForced, expectedVersion: version.version };
        return this.#expect(
          model.cancelExecution(jobId, thingName, { isForced, ...version }),
          this.#world.run(jobs.cancelJobExecution, input),
        );
      }
      case "deleteExecution": {
        const thingName = this.#thing(command.thing);
        const jobId = this.#jobOf(thingName, command.job);
        const number = Math.max(1, (model.latest(jobId, thingName)?.number ?? 1) - Number(command.isEarlier));
        const input = { jobId, thingName, executionNumber: number, force: command.isForced };
        this.#ended.delete(`${jobId}/${thingName}/${number}`);
        return this.#expect(
          model.deleteExecution(jobId, thingName, number, command.isForced),
          this.#world.run(jobs.deleteJobExecution, input),
        );
      }
      case "startNext":
        return this.#startNext(command);
      case "update":
        return this.#update(command);
      case "describe": {
        const thingName = this.#busyThing(command.thing);
        return this.#describe(thingName, this.#jobOf(thingName, command.job));
      }
      case "join":
      case "leave":
        return this.#member(command.type, this.#group(command.group), command.thing);
      case "createThing": {
        const name = this.#thing(command.thing);
        return model.things.has(name) ? undefined : this.#createThing(name);
      }
      case "deleteThing": {
        const thingName = this.#thing(command.thing);
        if (!model.things.has(thingName)) return;
        for (const key of this.#ended.keys()) if (key.split("/")[1] === thingName) this.#ended.delete(key);
        await this.#world.run(registry.deleteThing, { thingName });
        return model.deleteThing(thingName);
      }
      case "createGroup": {
        const name = this.#group(command.group);
        return model.groups.has(name) ? undefined : this.#createGroup(name);
      }
      case "deleteGroup": {
        const thingGroupName = this.#group(command.group);
        const hasChild = [...model.groups.values()].some(({ parent }) => parent === thingGroupName);
        if (!model.groups.has(thingGroupName) || hasChild) return;
        await this.#world.run(registry.deleteThingGroup, { thingGroupName });
        return model.deleteGroup(thingGroupName);
      }
    }
  }

  async #expect(refusal: Refusal, performed: Promise<unknown>): Promise<void> {
    const code = await performed.then(
      () => undefined,
      (error: unknown) => (isThinglineError(error) ? error.code : Promise.reject(error as Error)),
    );
    if (refusal === undefined) assert.equal(code, undefined);
    else assert.ok(code !== undefined && codes[refusal].includes(code), `expected ${refusal}, got ${code}`);
  }

  async #createJob(command: Command & { type: "createJob" }): Promise<void> {
    const jobId = `job-${command.job % jobIdsMax}`;
    // Ids are used again and again; now and then one that is taken.
    if (this.#model.jobs.has(jobId) && command.job < 90) {
      this.operations++;
      await this.#deleteJob(jobId, true);
      await this.#settle();
    }
    const [things, groups] = [this.#things(command.things), this.#groups(command.groups)];
    const targets = [...things.map(thingArn), ...groups.map(groupArn)];
    if (targets.length === 0) return;
    const { settings, isContinuous, schedule } = command;
    const nowMs = this.#world.clock.unixMs();
    const at = (minutes: number | undefined, fromMs = nowMs) =>
      minutes === undefined ? undefined : Math.floor(fromMs / minuteMs + minutes) * minuteMs;
    const startAt = at(schedule.start);
    const endAt = at(schedule.end, startAt);
    const { behavior: endBehavior } = schedule;
    const timed = {
      ...(startAt !== undefined && { startTime: writeTime(startAt) }),
      ...(endAt !== undefined && { endTime: writeTime(endAt), endBehavior }),
    };
    const refusal = this.#model.createJob({
      ...settings,
      jobId,
      isContinuous,
      things,
      groups,
      startAt,
      endAt,
      endBehavior,
    });
    const input = {
      ...{ jobId, targets, document: jobDocument, ...settingsOf(settings) },
      targetSelection: isContinuous ? ("CONTINUOUS" as const) : ("SNAPSHOT" as const),
      ...(Object.keys(timed).length > 0 && { schedulingConfig: timed }),
    };
    await this.#expect(refusal, this.#world.run(this.#world.jobs.createJob, input));
  }

  async #deleteJob(jobId: string, force: boolean): Promise<void> {
    const refusal = this.#model.deleteJob(jobId, force);
    await this.#expect(refusal, this.#world.run(this.#world.jobs.deleteJob, { jobId, force }));
    if (refusal !== undefined) return;
    for (const key of this.#ended.keys()) if (key.startsWith(`${jobId}/`)) this.#ended.delete(key);
  }

  async #startNext({ thing, stepMinutes }: Command & { type: "startNext" }): Promise<void> {
    const thingName = this.#busyThing(thing);
    if (!this.#model.things.has(thingName)) return;
    const expected = this.#model.startNext(thingName, stepMinutes);
    const { startNextPendingJobExecution } = this.#world.jobs;
    const input = { thingName, stepTimeoutInMinutes: stepMinutes };
    const { execution } = await this.#world.run(startNextPendingJobExecution, input);
    const { jobId, executionNumber, status, versionNumber, jobDocument: document } = execution ?? {};
    assert.deepEqual(
      [jobId, executionNumber, status, versionNumber],
      [expected?.jobId, expected?.number, expected?.status, expected?.version],
    );
    if (expected !== undefined) assert.equal(document, jobDocument);
  }

  async #describe(thingName: string, jobId: string): Promise<void> {
    const expected = this.#model.latest(jobId, thingName);
    const refusal = expected === undefined ? "unknown" : isPending(expected) ? undefined : "terminal";
    let described: Record<string, unknown> = {};
    const { describePendingJobExecution } = this.#world.jobs;
    const request = this.#world.run(describePendingJobExecution, { jobId, thingName });
    await this.#expect(
      refusal,
      request.then(({ execution }) => {
        described = { ...execution };
      }),
    );
    if (refusal !== undefined || expected === undefined) return;
    const { number, status, version, details, deadline = Infinity, stepDeadline = Infinity } = expected;
    const dueMs = status === "IN_PROGRESS" ? Math.min(deadline, stepDeadline) : Infinity;
    assert.deepEqual(
      ["executionNumber", "status", "versionNumber", "approximateSecondsBeforeTimedOut"].map((name) => described[name]),
      [number, status, version, dueMs === Infinity ? undefined : Math.ceil((dueMs - this.#model.now) / 1_000)],
    );
    assert.deepEqual(described["statusDetails"], details === undefined ? undefined : { details });
  }

  async #update(command: Command & { type: "update" }): Promise<void> {
    const thingName = this.#busyThing(command.thing);
    const jobId = this.#jobOf(thingName, command.job);
    const { status, stepMinutes } = command;
    const version = this.#version(this.#model.latest(jobId, thingName), command.version);
    const details = command.isDetailed ? `at-${this.operations}` : undefined;
    const refusal = this.#model.update(jobId, thingName, { status, ...version, stepMinutes, details });
    const input = {
      ...{ jobId, thingName, status, expectedVersion: version.version, stepTimeoutInMinutes: stepMinutes },
      ...(details !== undefined && { statusDetails: { details } }),
    };
    await this.#expect(refusal, this.#world.run(this.#world.jobs.updateJobExecution, input));
  }

  async #member(what: "join" | "leave", thingGroupName: string, choice: number): Promise<void> {
    const model = this.#model;
    const group = model.groups.get(thingGroupName);
    const members = [...(group?.members ?? [])];
    const thingName = what === "leave" && members.length > 0 ? members[choice % members.length]! : this.#thing(choice);
    if (group === undefined || !model.things.has(thingName)) return;
    const { addThingToThingGroup, removeThingFromThingGroup } = this.#world.registry;
    if (what === "leave") {
      if (!group.members.has(thingName)) return;
      await this.#world.run(removeThingFromThingGroup, { thingGroupName, thingName });
      return model.leave(thingGroupName, thingName);
    }
    // A thing is in one group of a hierarchy.
    const isBelow = (name: string) => name === "hall" && model.groups.get(name)?.parent === "north";
    const others = [...model.groups].filter(
      ([name]) => name === thingGroupName || isBelow(name) || isBelow(thingGroupName),
    );
    if (others.some(([name, { members }]) => (name !== "south" || name === thingGroupName) && members.has(thingName)))
      return;
    await this.#world.run(addThingToThingGroup, { thingGroupName, thingName });
    model.join(thingGroupName, thingName);
  }

  async #createThing(thingName: string): Promise<void> {
    await this.#world.run(this.#world.registry.createThing, { thingName });
    this.#model.createThing(thingName);
  }

  async #createGroup(thingGroupName: (typeof groupNames)[number]): Promise<void> {
    const parent = thingGroupName === "hall" && this.#model.groups.has("north") ? "north" : undefined;
    const input = { thingGroupName, ...(parent !== undefined && { parentGroupName: parent }) };
    await this.#world.run(this.#world.registry.createThingGroup, input);
    this.#model.createGroup(thingGroupName, parent);
  }

  // What is seen of it

  async #compareAll(): Promise<void> {
    for (const job of this.#model.jobs.values()) await this.#compareJob(job);
    for (const thing of this.#thingNames) if (this.#model.things.has(thing)) await this.#compareQueue(thing);
    const { jobs } = await this.#world.run(this.#world.jobs.listJobs, { maxResults: 250 });
    const listed = (jobs ?? []).map(({ jobId, status }) => [jobId, status]);
    const expected = [...this.#model.jobs.values()].sort((left, right) => right.order - left.order);
    assert.deepEqual(
      listed,
      expected.map(({ jobId, status }) => [jobId, status]),
    );
  }

  async #compareJob({ jobId, status }: ModelJob): Promise<void> {
    const { jobs, run } = this.#world;
    assert.equal(await this.#world.status(jobId), status, jobId);
    const counts = await this.#world.counts(jobId);
    assert.deepEqual(counts, namesOfCounts(this.#model.counts(jobId)), `counts of ${jobId}`);
    const { executionSummaries = [] } = await run(jobs.listJobExecutionsForJob, { jobId, maxResults: 250 });
    const listed = executionSummaries.map(({ thingArn: arn = "", jobExecutionSummary: one = {} }) => ({
      name: `${jobId}/${arn.split("/")[1]}/${one.executionNumber}`,
      ...{ status: one.status ?? "", times: [one.queuedAt, one.startedAt, one.lastUpdatedAt].map(msOf) },
    }));
    const expected = this.#model.of(jobId).map(({ thing, number, status: state, queuedAt, startedAt, updatedAt }) => ({
      name: `${jobId}/${thing}/${number}`,
      ...{ status: state, times: [queuedAt, startedAt, updatedAt] },
    }));
    const byName = (left: { name: string }, right: { name: string }) => (left.name < right.name ? -1 : 1);
    assert.deepEqual(listed.sort(byName), expected.sort(byName));
    // Counted without the model: each thing that has executions is counted once.
    const sum = Object.values(counts).reduce((total, count) => total + count, 0);
    assert.equal(sum, new Set(listed.map(({ name }) => name.split("/")[1])).size, `the counts of ${jobId} add up`);
    for (const { name, status: state, times } of listed) {
      this.statuses.add(state);
      if (state === "QUEUED" || state === "IN_PROGRESS") continue;
      const seen = `${state} at ${times.join()}`;
      const before = this.#ended.get(name);
      if (before === undefined) this.#ended.set(name, seen);
      else assert.equal(seen, before, `${name} had ended`);
    }
  }

  async #compareQueue(thingName: string): Promise<void> {
    const { getPendingJobExecutions } = this.#world.jobs;
    const { inProgressJobs = [], queuedJobs = [] } = await this.#world.run(getPendingJobExecutions, { thingName });
    const seen = [...inProgressJobs, ...queuedJobs].map(({ jobId, executionNumber, versionNumber }) => [
      ...[jobId, executionNumber, versionNumber],
    ]);
    const expected = this.#model.pending(thingName).map(({ jobId, number, version }) => [jobId, number, version]);
    assert.deepEqual(seen, expected, `the queue of ${thingName}`);
  }

  /**
   * Whoever listens knows the queue: the last `notify` names what is in it, the last `notify-next` the first of it, and none was sent that
   * said what was known.
   */
  async #hear(): Promise<void> {
    for (const { topic, message, to } of await this.#world.take()) {
      const [thing = "", , kind] = topic.split("/");
      assert.equal(to, undefined, "notifications are for everybody");
      const told = this.#told.get(thing) ?? { list: "", first: "" };
      this.#told.set(thing, told);
      this.messages++;
      if (kind === "notify") {
        const jobs = message["jobs"] as Partial<Record<string, readonly SummaryMessage[]>>;
        const list = Object.values(jobs)
          .flatMap((executions) => (executions ?? []).map(nameOf))
          .sort()
          .join();
        assert.notEqual(list, told.list, `notify of ${thing} says nothing new`);
        told.list = list;
      } else {
        assert.equal(kind, "notify-next");
        const execution = message["execution"] as SummaryMessage | undefined;
        const first = execution === undefined ? "" : nameOf(execution);
        assert.notEqual(first, told.first, `notify-next of ${thing} says nothing new`);
        told.first = first;
      }
    }
    for (const thing of this.#thingNames) {
      const pending = this.#model.pending(thing).map(({ jobId, number }) => nameOf({ jobId, executionNumber: number }));
      const { list = "", first = "" } = this.#told.get(thing) ?? {};
      assert.equal(list, [...pending].sort().join(), `the last notify of ${thing}`);
      assert.equal(first, pending[0] ?? "", `the last notify-next of ${thing}`);
    }
  }
}

type SummaryMessage = { jobId: string; executionNumber: number };
const nameOf = ({ jobId, executionNumber }: SummaryMessage) => `${jobId}#${executionNumber}`;

const msOf = (seconds: number | undefined) => (seconds === undefined ? undefined : Math.round(seconds * 1_000));

/** As members of `jobProcessDetails` name them. */
function namesOfCounts(counts: Partial<Record<string, number>>): Record<string, number | undefined> {
  const names: Record<string, string> = { IN_PROGRESS: "InProgress", TIMED_OUT: "TimedOut" };
  const name = (status: string) => names[status] ?? status[0] + status.slice(1).toLowerCase();
  return Object.fromEntries(Object.entries(counts).map(([status, count]) => [name(status), count]));
}

function settingsOf({ perMinute, timeoutMinutes, retries, abort }: ModelSettings) {
  return {
    ...(perMinute !== undefined && { jobExecutionsRolloutConfig: { maximumPerMinute: perMinute } }),
    ...(timeoutMinutes !== undefined && { timeoutConfig: { inProgressTimeoutInMinutes: timeoutMinutes } }),
    ...(retries.length > 0 && {
      jobExecutionsRetryConfig: {
        criteriaList: retries.map(({ type, count }) => ({ failureType: type, numberOfRetries: count })),
      },
    }),
    ...(abort !== undefined && {
      abortConfig: {
        criteriaList: [
          {
            ...{ failureType: abort.type, action: "CANCEL" as const },
            ...{ thresholdPercentage: abort.percent, minNumberOfExecutedThings: abort.min },
          },
        ],
      },
    }),
  };
}
