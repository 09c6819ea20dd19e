import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { writeRotationDocument } from "@thingline/protocol/jobs";
import { openCertPlace, type CertPlace } from "../cert/place.js";
import { certificateLives } from "../cert/read.js";
import {
  findRotationJob,
  type Finished,
  finishRotation,
  lookAtRotation,
  rotationJobPrefix,
  type RotationProgress,
} from "../cert/rotations.js";
import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import type { PlaceOptions } from "../fota/plane.js";
import { commandLine } from "../invocation.js";
import type { Output, StatusLine } from "../output.js";
import { createJob, jobTargetsMax, rolloutOf, type RolloutOptions } from "./fota-deploy.js";

interface RotateOptions extends PlaceOptions, RolloutOptions {
  group?: string;
  /** Milliseconds. */
  expiresWithin?: number;
  /** Seconds. */
  overlap: number;
  wait?: boolean;
  /** `true`: the newest rotation. */
  finish?: string | true;
  interval: number;
}

/** `thingline cert rotate THING... | --group G | --expires-within 30d | --finish [JOB]` */
export async function certRotate(
  context: CommandContext,
  options: RotateOptions,
  ...things: string[]
): Promise<number> {
  const place = await openCertPlace(context, options);
  if (options.finish !== undefined) {
    checkAlone(options, things);
    const jobId = await findRotationJob(place, options.finish === true ? undefined : options.finish);
    return finish(context, place, jobId);
  }
  const jobIds: string[] = [];
  for await (const targets of targetsOf(place, options, things)) {
    jobIds.push(await order(context, place, options, targets));
  }
  if (jobIds.length === 0) {
    context.output.say(`no thing has a certificate that ends so soon in the ${place.plane.description}`);
    return exitCodes.done;
  }
  if (options.wait !== true) {
    tellNext(context.output, options, jobIds);
    return exitCodes.done;
  }
  let code: number = exitCodes.done;
  for (const jobId of jobIds) code = Math.max(code, await waitFor(context, place, jobId, options));
  return code;
}

function checkAlone({ group, expiresWithin, wait }: RotateOptions, things: readonly string[]): void {
  if (things.length === 0 && group === undefined && expiresWithin === undefined && wait !== true) return;
  throw new UsageError("--finish is for a rotation that was ordered before: it goes with nothing else");
}

interface Targets {
  arns: string[];
  description: string;
}

/** At most {@link jobTargetsMax} for one job. Of a list without end, no more is held. */
async function* targetsOf(
  place: CertPlace,
  { group, expiresWithin }: RotateOptions,
  things: readonly string[],
): AsyncGenerator<Targets> {
  const given = [things.length > 0, group !== undefined, expiresWithin !== undefined].filter(Boolean).length;
  if (given !== 1) throw new UsageError("say which devices: names of things, --group or --expires-within");
  const { client, sdk, send } = place;
  if (group !== undefined) {
    const found = await client.send(new sdk.DescribeThingGroupCommand({ thingGroupName: group }), send);
    yield { arns: [found.thingGroupArn ?? ""], description: `group ${group}` };
    return;
  }
  const names = expiresWithin === undefined ? iterate(things) : thingsEnding(place, Date.now() + expiresWithin);
  let arns: string[] = [];
  for await (const thingName of names) {
    const { thingArn = "" } = await client.send(new sdk.DescribeThingCommand({ thingName }), send);
    if (!arns.includes(thingArn)) arns.push(thingArn);
    if (arns.length < jobTargetsMax) continue;
    yield { arns, description: described(arns.length) };
    arns = [];
  }
  if (arns.length > 0) yield { arns, description: described(arns.length) };
}

const described = (count: number) => `${count} ${count === 1 ? "thing" : "things"}`;

async function* iterate(names: readonly string[]): AsyncGenerator<string> {
  yield* new Set(names);
}

async function* thingsEnding(place: CertPlace, atMs: number): AsyncGenerator<string> {
  for await (const { status, notAfterMs = Infinity, thingNames } of certificateLives(place)) {
    if (status === "ACTIVE" && notAfterMs <= atMs) yield* thingNames;
  }
}

async function order(
  { output }: CommandContext,
  place: CertPlace,
  options: RotateOptions,
  { arns, description }: Targets,
): Promise<string> {
  const time = new Date().toISOString().replace(/[-:]|\.\d+Z$/g, "");
  const jobId = `${rotationJobPrefix}${time}-${randomBytes(3).toString("hex")}`;
  await createJob(place, {
    ...{ jobId, targets: arns, description: "rotation of certificates", targetSelection: "SNAPSHOT" },
    document: JSON.stringify(writeRotationDocument({ overlapSeconds: options.overlap })),
    ...rolloutOf(options),
  });
  output.event(
    { event: "rotationOrdered", jobId, targets: arns, overlapSeconds: options.overlap },
    `${output.paint.green("ordered")}  new certificates for ${description}, job ${jobId} in the ${place.plane.description}`,
  );
  return jobId;
}

function tellNext(output: Output, { aws, overlap }: RotateOptions, jobIds: readonly string[]): void {
  const how =
    aws === true
      ? "AWS ends no certificate by itself. When the devices have rotated and their overlap is over:"
      : `The local cloud sets each certificate before INACTIVE after the overlap${overlap === 0 ? "" : ", by its own setting"}. To see that it did:`;
  const where = aws === true ? ["--aws"] : [];
  output.say(
    ["", how, ...jobIds.map((id) => `  ${commandLine(["cert", "rotate", "--finish", id, ...where])}`)].join("\n"),
  );
}

async function waitFor(
  context: CommandContext,
  place: CertPlace,
  jobId: string,
  { interval }: RotateOptions,
): Promise<number> {
  const { output, signal } = context;
  const status = output.status();
  try {
    const progress = await untilOver(context, place, { jobId, interval, status });
    const { SUCCEEDED: succeeded = 0 } = progress.counts;
    output.event(
      { event: "rotationEnded", jobId, total: progress.total, counts: progress.counts },
      `${output.paint.bold("ended")}    ${succeeded} of ${progress.total} devices have a new certificate`,
    );
    for (;;) {
      const untilMs = await finishOnce(output, place, jobId);
      if (untilMs === undefined) return succeeded === progress.total ? exitCodes.done : exitCodes.failed;
      status.show(`overlap until ${new Date(untilMs).toISOString()}`, true);
      await sleep(Math.max(1_000, Math.min(interval * 1000, untilMs - Date.now())), undefined, { signal });
    }
  } finally {
    status.end();
  }
}

async function untilOver(
  { output, signal }: CommandContext,
  place: CertPlace,
  { jobId, interval, status }: { jobId: string; interval: number; status: StatusLine },
): Promise<RotationProgress> {
  let last = "";
  for (;;) {
    const progress = await lookAtRotation(place, jobId);
    const words = Object.entries(progress.counts).map(([name, count]) => `${count} ${name}`);
    const line = words.join(", ") || "nobody has begun";
    status.show(line, true);
    if (line !== last)
      output.event({ event: "rotationProgress", jobId, total: progress.total, counts: progress.counts });
    last = line;
    if (progress.isOver) return progress;
    await sleep(interval * 1000, undefined, { signal });
  }
}

async function finish({ output }: CommandContext, place: CertPlace, jobId: string): Promise<number> {
  const untilMs = await finishOnce(output, place, jobId, true);
  if (untilMs !== undefined) {
    output.say(`some can still be gone back to; the last until ${new Date(untilMs).toISOString()}: run it again then`);
  }
  return exitCodes.done;
}

/** @returns until when the last device can go back; undefined: no one can any more */
async function finishOnce(
  output: Output,
  place: CertPlace,
  jobId: string,
  tellsOverlaps = false,
): Promise<number | undefined> {
  let lastMs: number | undefined;
  for await (const one of finishRotation(place, jobId, () => Date.now())) {
    if (one.result === "overlapping") lastMs = Math.max(lastMs ?? 0, one.untilMs);
    if (one.result === "overlapping" && !tellsOverlaps) continue;
    output.event({ event: "rotationFinished", jobId, ...factsOf(one) }, lineOf(output, one));
    await output.drained();
  }
  return lastMs;
}

function factsOf(one: Finished): object {
  return one.result === "overlapping"
    ? { ...one, untilMs: undefined, until: new Date(one.untilMs).toISOString() }
    : one;
}

function lineOf({ paint }: Output, one: Finished): string {
  if (one.result === "doubtful") return `${paint.yellow("untouched")}  ${one.thingName}: ${one.reason}`;
  const words = {
    deactivated: paint.green("INACTIVE"),
    already: "INACTIVE before",
    gone: "deleted before",
    overlapping: paint.yellow("in overlap"),
  };
  return `${words[one.result]}  ${one.certificateId} of ${one.thingName}`;
}
