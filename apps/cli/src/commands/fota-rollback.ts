import { createHash } from "node:crypto";
import { ThinglineError } from "@thingline/protocol";
import {
  formatVersion,
  identifyFirmware,
  signAgain,
  type ImageFacts,
  type ImageVersion,
} from "@thingline/protocol/image";
import { createNodeFiles } from "@thingline/transport/node";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import type { BootloaderRule } from "../bootloader-rules.js";
import type { CommandContext } from "../command.js";
import { forEachAtOnce } from "../each.js";
import { exitCodes } from "../failure.js";
import { readKeyFile } from "../firmware-file.js";
import { firmwareBytesMax, judge, readFirmware, type Firmware } from "../fota/firmware.js";
import { FirmwareHistory } from "../fota/history.js";
import { writeFirmwareDocument } from "../fota/job-document.js";
import {
  findFirmwareJob,
  iterateOver,
  listExecutions,
  readDetails,
  type Execution,
  type FirmwareJob,
} from "../fota/jobs.js";
import { openObjectStore, type ObjectStore } from "../fota/object-store.js";
import { isAwsError, openFotaPlane, type FotaPlane, type PlaceOptions } from "../fota/plane.js";
import { namesKey } from "../fota/signers.js";
import { obstacleOf, type Obstacle, type Previous } from "../fota/rollback-plan.js";
import { generationAbove, whyRefused, type Running } from "../fota/rollback-rules.js";
import type { Output } from "../output.js";
import { shortVersion, shortVersions } from "../short-version.js";
import { escapeControls } from "../terminal-text.js";
import {
  createJob,
  jobTargetsMax,
  localRole,
  newJobId,
  placeOf,
  rolloutOf,
  upload,
  watchHint,
  type RolloutOptions,
} from "./fota-deploy.js";

export interface RollbackOptions extends PlaceOptions, RolloutOptions {
  to?: string;
  /** Of `to`, when it does not say it itself. */
  fwVersion?: string;
  bootloader: BootloaderRule;
  key?: string;
  asVersion?: ImageVersion;
  partial?: boolean;
  dryRun?: boolean;
  bucket?: string;
  roleArn?: string;
}

/** What becomes of one device. */
interface Plan {
  readonly thingName: string;
  readonly running: Running;
  /** Undefined where it is not there any more. */
  readonly runningImage: ImageFacts | undefined;
  readonly previous: Previous | undefined;
  /** Why it is left out, or why its bootloader would refuse; undefined when it goes back. */
  readonly obstacle: Obstacle | undefined;
}

/** Ids of its jobs begin so. */
const rollbackPrefix = "rollback";

/** `thingline fota rollback [JOB]`: nothing is created that must fail. */
export async function fotaRollback(context: CommandContext, options: RollbackOptions, jobId?: string): Promise<number> {
  const { output } = context;
  const plane = await openFotaPlane(context, options);
  // Twice in a hurry must not bring back what was gone back from: that takes the job's name.
  const job = await findFirmwareJob(plane, jobId, (id) => !id.startsWith(rollbackPrefix));
  const store = await openObjectStore(
    { ...options, bucket: options.bucket ?? job.document.object?.bucket },
    context.signal,
  );
  const plans = await withStep(output, `asking what the devices of job ${job.jobId} had before`, () =>
    makePlans(context, plane, { options, job, store }),
  );
  for (const plan of plans) tellPlan(output, { jobId: job.jobId, plan, isSignedAgain: options.key !== undefined });
  const refused = plans.filter(({ obstacle }) => obstacle?.kind === "refused");
  const ready = plans.filter(({ obstacle }) => obstacle === undefined);
  const going = options.key === undefined ? ready : [...ready, ...refused];
  if (options.key === undefined && refused.length > 0 && options.partial !== true) {
    return refuse(output, refused, going.length);
  }
  if (going.length === 0) {
    const who = plans.length === 0 ? "no device has taken" : "no device can go back from";
    const message = `${who} job ${job.jobId}; no job was created`;
    throw new ThinglineError("REQUEST_INVALID", message, { details: { jobId: job.jobId } });
  }
  // Before anything is stopped: what cannot be signed ends the command here.
  const tasks = await tasksFor(context, { options, going, refused });
  if (options.dryRun === true) {
    output.say(`${going.length} would go back; nothing was uploaded, and no job created`);
    return exitCodes.done;
  }
  await stopRollout(output, plane, job);
  for (const [at, task] of tasks.entries()) {
    const suffix = tasks.length === 1 ? "" : `-${at + 1}`;
    await createRollback(context, plane, { options, job, store, task, suffix });
  }
  return exitCodes.done;
}

async function withStep<Result>(output: Output, text: string, run: () => Promise<Result>): Promise<Result> {
  using _step = output.begin(text);
  return await run();
}

async function makePlans(
  { signal }: CommandContext,
  plane: FotaPlane,
  { options, job, store }: { options: RollbackOptions; job: FirmwareJob; store: ObjectStore },
): Promise<Plan[]> {
  const taken: Execution[] = [];
  for await (const execution of listExecutions(plane, job.jobId, "SUCCEEDED")) taken.push(execution);
  const devices = await readDetails(plane, job.jobId, taken);
  const newImage = await readImage(store, job, signal);
  const given =
    options.to === undefined
      ? undefined
      : previousOf(
          await readFirmware(
            options.to,
            options.fwVersion === undefined ? {} : { fwVersion: options.fwVersion },
            signal,
          ),
        );
  const history = new FirmwareHistory(plane, job);
  const images = new Map<string, Promise<Previous>>();
  const plans: Plan[] = [];
  await forEachAtOnce(iterateOver(devices), async (device) => {
    const { current, before } = await history.of(device.thingName, job.jobId);
    const running = {
      version: device.details.versionRunning ?? job.document.version,
      securityCounter: newImage?.image?.securityCounter,
    };
    const common = { thingName: device.thingName, running, runningImage: newImage?.image };
    if (current !== undefined && current.jobId !== job.jobId) {
      const why = `it has had the update of job ${current.jobId} since then`;
      plans.push({ ...common, previous: undefined, obstacle: { kind: "skipped", why } });
      return;
    }
    let previous = given;
    if (previous === undefined && before !== undefined) {
      const read = images.get(before.jobId) ?? readPrevious(store, before, signal);
      images.set(before.jobId, read);
      previous = await read;
    }
    plans.push({ ...common, previous, obstacle: obstacleOf(running, previous, options.bootloader) });
  });
  return plans.sort((left, right) => (left.thingName < right.thingName ? -1 : 1));
}

/** Undefined for a file that is somewhere else, or gone. */
async function readImage(store: ObjectStore, { document }: FirmwareJob, signal: AbortSignal) {
  if (document.object === undefined) return undefined;
  const bytes = await store.get(document.object, { bytesMax: firmwareBytesMax, signal }).catch((error: unknown) => {
    if (isAwsError(error, "NoSuchKey") || isAwsError(error, "NoSuchBucket")) return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  const kind = identifyFirmware(bytes);
  return { bytes, kind, image: kind === "application" ? (await judge(bytes)).image : undefined };
}

async function readPrevious(store: ObjectStore, job: FirmwareJob, signal: AbortSignal): Promise<Previous> {
  const read = await readImage(store, job, signal);
  const version = job.document.version ?? (read?.image && formatVersion(read.image.header.version)) ?? "?";
  const file = job.document.object?.key.split("/").at(-1) ?? "image.bin";
  return { job, version, kind: read?.kind ?? "unknown", image: read?.image, bytes: read?.bytes, file };
}

function previousOf({ version, image, bytes, file }: Firmware): Previous {
  return { job: undefined, version, kind: identifyFirmware(bytes), image, bytes, file };
}

function tellPlan(output: Output, told: { jobId: string; plan: Plan; isSignedAgain: boolean }): void {
  const { paint } = output;
  const { jobId, isSignedAgain } = told;
  const { thingName, running, previous, obstacle } = told.plan;
  const refused = isSignedAgain ? paint.yellow("goes back signed again") : paint.red("would refuse");
  const [from, to] = [running.version ?? "?", previous?.version ?? "?"].map((version) =>
    escapeControls(shortVersion(version)),
  );
  const verdict =
    obstacle === undefined
      ? paint.green("goes back")
      : `${obstacle.kind === "skipped" ? paint.dim("left out") : refused}: ${escapeControls(shortVersions(obstacle.why))}`;
  output.event(
    {
      ...{ event: "fotaRollbackDevice", jobId, thingName, versionRunning: running.version ?? null },
      ...{ versionBefore: previous?.version ?? null, verdict: obstacle?.kind ?? "ready", why: obstacle?.why ?? null },
    },
    `${thingName}  ${from} → ${to}  ${verdict}`,
  );
}

function refuse(output: Output, refused: readonly Plan[], ready: number): number {
  const count = refused.length;
  const message = `the bootloader of ${count} ${count === 1 ? "device" : "devices"} would refuse the old image; no job was created`;
  const text = [
    "With --key FILE the old image is signed again under a higher version.",
    "--bootloader says what the bootloader compares (none: nothing).",
    ...(ready > 0 ? [`--partial leaves ${count === 1 ? "it" : "them"} out.`] : []),
  ].join(" ");
  output.event({ event: "error", code: "IMAGE_INVALID", message, hint: text });
  output.complain({ kind: "error", message, code: "IMAGE_INVALID", hint: { text } });
  return exitCodes.failed;
}

/** Nobody else is to take what is gone back from. */
async function stopRollout(
  output: Output,
  { client, sdk, send }: FotaPlane,
  { jobId, job }: FirmwareJob,
): Promise<void> {
  if (job.status !== "IN_PROGRESS" && job.status !== "SCHEDULED") return;
  const comment = "thingline fota rollback";
  await client.send(new sdk.CancelJobCommand({ jobId, reasonCode: "ROLLED_BACK", comment }), send);
  const underWay = job.jobProcessDetails?.numberOfInProgressThings ?? 0;
  const rest = underWay === 0 ? "" : `; ${underWay} that have begun will finish: roll back once more then`;
  output.event(
    { event: "fotaCanceled", jobId, force: false, stillInProgress: underWay },
    `${output.paint.yellow("canceled")} job ${jobId}, which was not over${rest}`,
  );
}

/** One image, and who gets it. */
interface Task {
  readonly previous: Previous;
  readonly things: readonly string[];
  /** Another image than the one that they had. */
  readonly firmware: Firmware | undefined;
}

async function tasksFor(
  context: CommandContext,
  work: { options: RollbackOptions; going: readonly Plan[]; refused: readonly Plan[] },
): Promise<Task[]> {
  const { options, going, refused } = work;
  const tasks: Task[] = [];
  const byPrevious = new Map<Previous, Plan[]>();
  for (const plan of going) {
    if (plan.previous === undefined) continue;
    byPrevious.set(plan.previous, [...(byPrevious.get(plan.previous) ?? []), plan]);
  }
  for (const [previous, plans] of byPrevious) {
    // One image for all of them: a mixture of versions helps nobody.
    const isSignedAgain = plans.some((plan) => refused.includes(plan));
    const firmware = isSignedAgain ? await signedAgain(context, options, previous, plans) : fileOf(previous);
    const names = plans.map(({ thingName }) => thingName);
    for (let at = 0; at < names.length; at += jobTargetsMax) {
      tasks.push({ previous, things: names.slice(at, at + jobTargetsMax), firmware });
    }
  }
  return tasks;
}

/** A file that was given has to be uploaded; an image of an earlier job is there. */
function fileOf({ job, bytes, version, image, file }: Previous): Firmware | undefined {
  if (job !== undefined || bytes === undefined) return undefined;
  return { file, bytes, sha256: sha256Of(bytes), version, image, signedBy: [] };
}

const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function signedAgain(
  { output, signal }: CommandContext,
  { key = "", asVersion }: RollbackOptions,
  { image, bytes, version: before, file }: Previous,
  plans: readonly Plan[],
): Promise<Firmware> {
  if (image === undefined || bytes === undefined) {
    throw new ThinglineError("IMAGE_INVALID", "what is no MCUboot image cannot be signed again");
  }
  const running = plans.map((plan) => plan.running);
  const { header, securityCounter } = image;
  const above = generationAbove(running, { version: header.version, securityCounter });
  const generation = asVersion === undefined ? above : { version: asVersion, securityCounter: above?.securityCounter };
  if (generation === undefined) throw new ThinglineError("IMAGE_INVALID", "no version is higher than what runs");
  const candidate = { version: generation.version, securityCounter: generation.securityCounter };
  const refusal = running.map((one) => whyRefused(one, candidate, "unknown")).find((why) => why !== undefined);
  if (refusal !== undefined)
    throw new ThinglineError("IMAGE_INVALID", `also signed again it would be refused: ${refusal}`);
  const pem = await readKeyFile(createNodeFiles(), key, signal);
  const crypto = createNodeImageCrypto();
  const publicKey = crypto.publicKeyOf(pem);
  const named = [image, ...plans.flatMap(({ runningImage }) => runningImage ?? [])].map((one) =>
    namesKey(one, publicKey, crypto),
  );
  // Of images that name no key nothing is known.
  if (named.includes(false) && !named.includes(true)) {
    const message = `what these devices took was not signed with ${key}: they would refuse what it signs; no job was created`;
    throw new ThinglineError("IMAGE_INVALID", message, { details: { reason: "KEY_UNKNOWN" } });
  }
  const signed = await signAgain(bytes, { crypto, privateKeyPem: pem, ...generation });
  const verdict = await judge(signed, [publicKey]);
  const version = formatVersion(generation.version);
  output.event(
    { event: "fotaSignedAgain", version, versionBefore: before, bytes: signed.length },
    `${output.paint.green("signed again")}  ${shortVersion(before)} as ${shortVersion(version)}`,
  );
  return { file, bytes: signed, sha256: sha256Of(signed), version, image: verdict.image, signedBy: [key] };
}

async function createRollback(
  context: CommandContext,
  plane: FotaPlane,
  work: { options: RollbackOptions; job: FirmwareJob; store: ObjectStore; task: Task; suffix: string },
): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = plane;
  const { options, job, task } = work;
  const targets: string[] = [];
  for (const thingName of task.things) {
    const { thingArn = "" } = await client.send(new sdk.DescribeThingCommand({ thingName }), send);
    targets.push(thingArn);
  }
  const content = await contentOf(context, work);
  const jobId = `${newJobId(content, new Date(), rollbackPrefix)}${work.suffix}`;
  await createJob(plane, {
    ...{ jobId, targets, document: content.document, targetSelection: "SNAPSHOT" },
    description: `back to firmware ${shortVersion(task.previous.version)} from job ${job.jobId}`.slice(0, 2_028),
    ...(content.presignedUrlConfig !== undefined && { presignedUrlConfig: content.presignedUrlConfig }),
    ...rolloutOf(options),
  });
  const count = targets.length;
  output.event(
    { event: "fotaRolledBack", jobId, fromJobId: job.jobId, version: content.version, things: count },
    `${output.paint.green("going back")}  ${count} ${count === 1 ? "thing" : "things"} to ${shortVersion(content.version)}, job ${jobId} in the ${plane.plane.description}\n${watchHint(jobId, options)}`,
  );
}

/** The document of the job that brought the old image, or one for a new object. */
async function contentOf(
  context: CommandContext,
  { options, job, store, task }: { options: RollbackOptions; job: FirmwareJob; store: ObjectStore; task: Task },
) {
  const { previous, firmware } = task;
  if (firmware === undefined) {
    const { job: before, version } = previous;
    if (before === undefined) throw new Error("unreachable: an image without a job is a file");
    const { presignedUrlConfig } = before.job;
    return { version, sha256: before.document.sha256 ?? "image", document: before.documentText, presignedUrlConfig };
  }
  await upload(context, store, firmware);
  const role = options.roleArn ?? job.job.presignedUrlConfig?.roleArn ?? (options.aws === true ? undefined : localRole);
  const document = writeFirmwareDocument({
    ...{ version: firmware.version, sha256: firmware.sha256, sizeBytes: firmware.bytes.length },
    ...{ ...placeOf(store, firmware), isSigned: role !== undefined },
  });
  const presignedUrlConfig = role === undefined ? undefined : { roleArn: role };
  return { version: firmware.version, sha256: firmware.sha256, document, presignedUrlConfig };
}
