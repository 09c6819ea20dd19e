import { ThinglineError } from "@thingline/protocol";
import type { InputOf } from "../aws-operation.js";
import { addWaiting, advanceJob } from "./advance.js";
import { arnsOfDestinations, findDestinations } from "./destinations.js";
import { checkFilledDocument, checkJobDocument } from "./document.js";
import { checkS3Urls, requireDocumentRoom } from "./documents.js";
import {
  arnOf,
  jobKeys,
  noCounts,
  parseTarget,
  type JobDefinition,
  type JobDocumentRecord,
  type JobProgress,
  type Target,
  type TargetGroup,
} from "./model.js";
import type { JobsDependencies } from "./operations.js";
import { tagsOfNew } from "../tags/index.js";
import { fillPackages, hasPackagePlaceholders } from "./package-placeholders.js";
import { checkNewSchedule } from "./schedule.js";
import { checkJobSettings } from "./settings.js";
import type { Job, JobsUnit } from "./unit.js";

/** Things and groups that a job may have as targets, those that come later included. */
export const targetsMax = 100;

/** @see AWS General Reference, "AWS IoT Device Management endpoints and quotas": jobs that are not over, of each kind. */
export const activeJobsMax = { SNAPSHOT: 1_000, CONTINUOUS: 100 } as const;

type Input = InputOf<"iot", "CreateJob">;

/** A job whose document is there. `documentSource` is where it was read. */
export interface NewJob extends Omit<Input, "document"> {
  document: string;
  /** With the parameters of a managed template unfilled; undefined: the same. */
  documentBeforeSubstitution?: string | undefined;
}

/**
 * Makes the job, and begins to roll it out in the same commit: a small one is there with its executions.
 *
 * @throws {ThinglineError} REQUEST_INVALID, RESOURCE_EXISTS, RESOURCE_NOT_FOUND, QUOTA_EXCEEDED
 */
export async function createJob(unit: JobsUnit, input: NewJob, deps: JobsDependencies) {
  const { scope, nowMs } = unit;
  const { jobId, description } = input;
  const targets = parseTargets(unit, input.targets);
  const { document, beforeSubstitution, ...packages } = await withPackages(unit, input);
  await requireDocumentRoom(unit, document, deps.documents);
  checkJobSettings(input);
  const schedule = input.schedulingConfig && checkNewSchedule(input.schedulingConfig, nowMs);
  if ((await unit.job(jobId)) !== undefined) throw jobExists(unit, jobId);
  const totals = await unit.totals();
  const targetSelection = input.targetSelection ?? "SNAPSHOT";
  if (deps.isLimited && totals.active[targetSelection] >= activeJobsMax[targetSelection]) {
    throw quotaExceeded(`There are ${activeJobsMax[targetSelection]} active ${targetSelection} jobs already`);
  }
  const groups = await resolveTargets(unit, targets, deps);
  const definition = defineJob({ ...input, ...packages, targetSelection }, { order: totals.nextOrder, nowMs, groups });
  const isScheduled = schedule?.startMs !== undefined && schedule.startMs > nowMs;
  await unit.setTotals({ ...totals, nextOrder: totals.nextOrder + 1 });
  const job = await unit.createJob(definition, newProgress(groups, nowMs, isScheduled ? "SCHEDULED" : "IN_PROGRESS"));
  const record: JobDocumentRecord = { document, ...given("beforeSubstitution", beforeSubstitution) };
  unit.put(jobKeys.document(scope, jobId), record);
  unit.store.write(tagsOfNew(jobKeys.definition(scope, jobId), input.tags));
  indexGroups(unit, job, groups);
  await addWaiting(unit, job, namesOf(targets, "thing"));
  await advanceJob(unit, job, deps);
  return { jobArn: arnOf.job(scope, jobId), jobId, ...(description !== undefined && { description }) };
}

interface PackagesOfJob {
  document: string;
  /** Undefined: the same. */
  beforeSubstitution: string | undefined;
  destinationPackageVersions?: readonly string[];
  destinationsBeforeSubstitution?: readonly string[];
}

/** The document and its versions of packages as they are now. */
async function withPackages({ context, scope }: JobsUnit, input: NewJob): Promise<PackagesOfJob> {
  const { document: text, documentBeforeSubstitution, destinationPackageVersions: asked = [] } = input;
  const facts = checkJobDocument(text);
  const destinations = asked.length === 0 ? [] : await findDestinations(context, asked);
  const document = hasPackagePlaceholders(text) ? fillPackages(text, destinations, scope) : text;
  checkS3Urls((document === text ? facts : checkFilledDocument(document)).presignedUrls);
  const resolved = arnsOfDestinations(scope, destinations);
  const isDefaultAmong = resolved.some((arn, at) => arn !== asked[at]);
  return {
    document,
    beforeSubstitution: documentBeforeSubstitution ?? (document === text ? undefined : text),
    ...(resolved.length > 0 && { destinationPackageVersions: resolved }),
    ...(isDefaultAmong && { destinationsBeforeSubstitution: asked }),
  };
}

/** @throws {ThinglineError} REQUEST_INVALID for a job that is not continuous and in progress, QUOTA_EXCEEDED, RESOURCE_NOT_FOUND */
export async function associateTargets(
  unit: JobsUnit,
  job: Job,
  input: { targets: readonly string[]; comment?: string | undefined },
  deps: JobsDependencies,
): Promise<void> {
  const { definition, progress } = job;
  if (definition.targetSelection !== "CONTINUOUS" || progress.status !== "IN_PROGRESS") {
    const message = `Targets can be associated only with a continuous job that is in progress; job ${job.jobId} is ${definition.targetSelection} and ${progress.status}`;
    throw new ThinglineError("REQUEST_INVALID", message);
  }
  const targets = parseTargets(unit, input.targets);
  const all = [...new Set([...definition.targets, ...input.targets])];
  if (all.length > targetsMax) throw quotaExceeded(`A job has at most ${targetsMax} targets, got ${all.length}`);
  const known = new Set(definition.groups.map(({ thingGroupId }) => thingGroupId));
  // A group that was made anew under the name of a target is another one.
  const groups = (await resolveTargets(unit, targets, deps)).filter(({ thingGroupId }) => !known.has(thingGroupId));
  job.definition = { ...definition, targets: all, groups: [...definition.groups, ...groups] };
  unit.update(job, {
    expanding: [...progress.expanding, ...groups],
    ...(input.comment !== undefined && { comment: input.comment }),
  });
  indexGroups(unit, job, groups);
  await addWaiting(unit, job, namesOf(targets, "thing"));
  await advanceJob(unit, job, deps);
}

function parseTargets({ scope }: JobsUnit, arns: readonly string[]): Target[] {
  if (arns.length > targetsMax) {
    throw new ThinglineError("REQUEST_INVALID", `A job has at most ${targetsMax} targets, got ${arns.length}`);
  }
  return [...new Set(arns)].map((arn) => {
    const target = parseTarget(scope, arn);
    if (target !== undefined) return target;
    const message = `Target '${arn.slice(0, 300)}' is not the ARN of a thing or thing group of ${scope.account} in ${scope.region}`;
    throw new ThinglineError("REQUEST_INVALID", message);
  });
}

/** @returns the groups among them */
async function resolveTargets(
  { context }: JobsUnit,
  all: readonly Target[],
  { targets }: JobsDependencies,
): Promise<TargetGroup[]> {
  for (const name of namesOf(all, "thing")) {
    if ((await targets.requireThing(context, name)) !== undefined) continue;
    throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing ${name} not found.`);
  }
  const groups: TargetGroup[] = [];
  for (const name of namesOf(all, "thinggroup")) groups.push(await targets.requireGroup(context, name));
  return groups;
}

const namesOf = (targets: readonly Target[], kind: Target["kind"]): string[] =>
  targets.filter((target) => target.kind === kind).map(({ name }) => name);

function indexGroups(unit: JobsUnit, { jobId, definition }: Job, groups: readonly TargetGroup[]): void {
  const { scope } = unit;
  for (const { thingGroupId } of groups) {
    unit.put(jobKeys.jobOfGroup(scope, thingGroupId, definition.order, jobId), null);
    if (definition.targetSelection === "CONTINUOUS") {
      unit.put(jobKeys.continuousJobOfGroup(scope, thingGroupId, jobId), null);
    }
  }
}

function defineJob(
  input: NewJob & {
    targetSelection: "SNAPSHOT" | "CONTINUOUS";
    destinationsBeforeSubstitution?: readonly string[] | undefined;
  },
  { order, nowMs, groups }: { order: number; nowMs: number; groups: readonly TargetGroup[] },
): JobDefinition {
  const { jobId, targets, targetSelection } = input;
  return {
    ...{ jobId, order, createdAtMs: nowMs, targetSelection, targets: [...new Set(targets)], groups },
    ...given("description", input.description),
    ...given("documentSource", input.documentSource),
    ...given("presignedUrlConfig", input.presignedUrlConfig),
    ...given("rolloutConfig", input.jobExecutionsRolloutConfig),
    ...given("abortConfig", input.abortConfig),
    ...given("timeoutConfig", input.timeoutConfig),
    ...given("retryConfig", input.jobExecutionsRetryConfig),
    ...given("schedulingConfig", input.schedulingConfig),
    ...given("jobTemplateArn", input.jobTemplateArn),
    ...given("documentParameters", input.documentParameters),
    ...given("destinationPackageVersions", input.destinationPackageVersions),
    ...given("destinationsBeforeSubstitution", input.destinationsBeforeSubstitution),
  };
}

/** A member with a value, or none. */
export function given<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [N in Name]?: Exclude<Value, undefined> } {
  return (value === undefined ? {} : { [name]: value }) as { [N in Name]?: Exclude<Value, undefined> };
}

function newProgress(groups: readonly TargetGroup[], nowMs: number, status: JobProgress["status"]): JobProgress {
  return {
    ...{ status, counts: noCounts, lastUpdatedAtMs: nowMs, expanding: groups },
    ...{ firstChunk: 0, nextChunk: 0, chunkOffset: 0, notifiedCount: 0 },
  };
}

function jobExists({ scope }: JobsUnit, jobId: string): ThinglineError {
  const details = { resourceId: jobId, resourceArn: arnOf.job(scope, jobId) };
  return new ThinglineError("RESOURCE_EXISTS", `Job ${jobId} already exists`, { details });
}

export const quotaExceeded = (message: string): ThinglineError => new ThinglineError("QUOTA_EXCEEDED", message);
