import { randomBytes } from "node:crypto";
import { formatVersion } from "@thingline/protocol/image";
import type { CreateJobCommandInput } from "@aws-sdk/client-iot";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { hashOf, objectKeyOf, readFirmware, type Firmware, type FirmwareOptions } from "../fota/firmware.js";
import { writeFirmwareDocument } from "../fota/job-document.js";
import { openObjectStore, requireBucket, type ObjectStore } from "../fota/object-store.js";
import { isAwsError, openFotaPlane, type FotaPlane, type PlaceOptions } from "../fota/plane.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { defaultDataDir } from "../option-values.js";
import { readPackageName } from "../package-names.js";
import { ensurePublished } from "../package-versions.js";
import { unsignedMessage } from "../fota/signers.js";
import type { Output } from "../output.js";
import { shortVersion } from "../short-version.js";
import { readThingNames } from "../thing-names.js";

/** AWS's limit for one job. */
export const jobTargetsMax = 100;
/** A role that nobody looks at: the local cloud signs by itself. */
export const localRole = "arn:aws:iam::123456789012:role/thingline";

export interface RolloutOptions {
  rate?: number;
  abortAbove?: number;
  abortAfter: number;
  timeout: number;
  retries?: number;
}

export interface DeployOptions extends PlaceOptions, FirmwareOptions, RolloutOptions {
  things?: string[];
  from?: string;
  group?: string;
  continuous?: boolean;
  job?: string;
  bucket?: string;
  roleArn?: string;
  package?: string;
}

/** `thingline fota deploy IMAGE` */
export async function fotaDeploy(context: CommandContext, options: DeployOptions, path = ""): Promise<void> {
  const { output, signal } = context;
  requireBucket(options);
  const packageName = options.package === undefined ? undefined : readPackageName(options.package);
  const targetNames = await readTargets(options, signal);
  const firmware = await step(output, `verifying ${path}`, () => readFirmware(path, options, signal));
  tellVerified(output, firmware, path);
  const plane = await openFotaPlane(context, options);
  const targets = await findTargets(plane, options.group, targetNames);
  await warnIfNobody(output, plane, options);
  const store = await openObjectStore(options, signal);
  const { isNew } = await upload(context, store, firmware);
  const isSigned = options.aws !== true || options.roleArn !== undefined;
  const document = writeFirmwareDocument({
    ...firmware,
    sizeBytes: firmware.bytes.length,
    ...placeOf(store, firmware),
    isSigned,
  });
  if (!isSigned) {
    const message =
      "without --role-arn AWS signs no URLs: devices can fetch the image only if anybody may read the bucket";
    output.event({ event: "warning", code: "URL_UNSIGNED", message });
    output.complain({ kind: "warning", message });
  }
  const installed =
    packageName &&
    (await ensurePublished(plane, {
      packageName: packageName.packageName,
      versionName: packageName.versionName ?? versionNameOf(firmware.version),
      artifact: { bucket: store.bucket, key: objectKeyOf(firmware) },
    }));
  const jobId = options.job ?? newJobId(firmware, new Date());
  const { jobArn } = await createJob(plane, {
    jobId,
    targets,
    document,
    description: `firmware ${shortVersion(firmware.version)} (${firmware.file})`,
    targetSelection: options.continuous === true ? "CONTINUOUS" : "SNAPSHOT",
    ...(isSigned && { presignedUrlConfig: { roleArn: options.roleArn ?? localRole } }),
    ...(installed !== undefined && { destinationPackageVersions: [installed] }),
    ...rolloutOf(options),
  });
  const { version, sha256, bytes } = firmware;
  output.event(
    {
      ...{ event: "fotaDeployed", jobId, jobArn, version, sha256, bytes: bytes.length },
      ...{ bucket: store.bucket, key: objectKeyOf(firmware), isNewObject: isNew, targets },
      ...(installed !== undefined && { packageVersionArn: installed }),
    },
    describeDeployed(output, plane, { jobId, version, options, count: targetNames.length }),
  );
}

/** A version of MCUboot has a `+`, which AWS has not in names. */
const versionNameOf = (version: string): string =>
  shortVersion(version)
    .replace(/[^a-zA-Z0-9_.-]/g, "-")
    .slice(0, 64);

async function step<Result>(output: Output, text: string, run: () => Promise<Result>): Promise<Result> {
  using _step = output.begin(text);
  return await run();
}

async function readTargets({ things = [], from, group, continuous }: DeployOptions, signal: AbortSignal) {
  const hasThings = things.length > 0 || from !== undefined;
  if (hasThings && group !== undefined)
    throw new UsageError("--group and devices by name do not go together: deploy twice");
  if (!hasThings && group === undefined) throw new UsageError("say which devices: --things or --from, or --group");
  if (continuous === true && group === undefined)
    throw new UsageError("--continuous needs --group: things do not join things");
  const names = new Set<string>();
  if (!hasThings) return [];
  for await (const name of readThingNames(things, { from, signal })) {
    names.add(name);
    if (names.size <= jobTargetsMax) continue;
    throw new UsageError(
      `a job has at most ${jobTargetsMax} things by name: put them into a group, and deploy with --group`,
    );
  }
  if (names.size === 0) throw new UsageError("no names of things were given");
  return [...names];
}

/** ARNs; a thing or group that is not there ends the command before anything is sent. */
async function findTargets({ client, sdk, send }: FotaPlane, group: string | undefined, names: readonly string[]) {
  if (group !== undefined) {
    const { thingGroupArn = "" } = await client.send(
      new sdk.DescribeThingGroupCommand({ thingGroupName: group }),
      send,
    );
    return [thingGroupArn];
  }
  const arns: string[] = [];
  for (const thingName of names) {
    const { thingArn = "" } = await client.send(new sdk.DescribeThingCommand({ thingName }), send);
    arns.push(thingArn);
  }
  return arns;
}

/** A job for nobody is over at once. */
async function warnIfNobody(
  output: Output,
  { client, sdk, send }: FotaPlane,
  { group, continuous }: DeployOptions,
): Promise<void> {
  if (group === undefined || continuous === true) return;
  const input = { thingGroupName: group, recursive: true };
  try {
    // Empty pages may come before the first thing.
    for await (const { things = [] } of sdk.paginateListThingsInThingGroup({ client, pageSize: 250 }, input, send)) {
      if (things.length > 0) return;
    }
  } catch (error) {
    // Who may not list may deploy.
    if (["AccessDeniedException", "UnauthorizedException"].some((name) => isAwsError(error, name))) return;
    throw error;
  }
  const message = `group ${group} has no things: the job is over at once; --continuous waits for those that join`;
  output.event({ event: "warning", code: "GROUP_EMPTY", message });
  output.complain({ kind: "warning", message });
}

export function tellVerified(output: Output, firmware: Firmware, path: string): void {
  const { image, version, signedBy, bytes } = firmware;
  if (image === undefined) {
    const message = `"${path}" is no MCUboot image: nothing of it was verified`;
    output.event({ event: "warning", code: "IMAGE_UNCHECKED", message });
    output.complain({ kind: "warning", message });
    return;
  }
  const by = signedBy.length > 0 ? `, signed with ${signedBy.join(", ")}` : "";
  output.say(
    `${output.paint.green("verified")}  ${path}  version ${shortVersion(version)}, ${bytes.length} bytes${by}`,
  );
  output.say(output.paint.dim(`          ${hashOf(firmware)}`));
  const own = formatVersion(image.header.version);
  if (own !== version)
    output.complain({
      kind: "warning",
      message: `the image itself says version ${shortVersion(own)}, not ${shortVersion(version)}`,
    });
  if (signedBy.length > 0) return;
  const message = unsignedMessage(image);
  output.event({ event: "warning", code: "SIGNATURE_UNCHECKED", message });
  output.complain({ kind: "warning", message });
}

export async function upload({ output, signal }: CommandContext, store: ObjectStore, firmware: Firmware) {
  const key = objectKeyOf(firmware);
  const answer = await step(output, `uploading ${firmware.bytes.length} bytes to ${store.bucket}`, () =>
    store.put(key, firmware.bytes, signal),
  );
  output.say(`${output.paint.green(answer.isNew ? "uploaded" : "there already")}  ${store.bucket}/${key}`);
  return answer;
}

export const placeOf = (store: ObjectStore, firmware: Firmware) => ({ place: store.placeOf(objectKeyOf(firmware)) });

export function createJob({ client, sdk, send }: FotaPlane, input: CreateJobCommandInput) {
  return client.send(new sdk.CreateJobCommand(input), send);
}

/** Readable, and never the same twice. */
export function newJobId({ version, sha256 }: Pick<Firmware, "version" | "sha256">, now: Date, kind = "fota"): string {
  const shown = version.replace(/[^A-Za-z0-9]+/g, "-").slice(0, 20);
  const time = now.toISOString().replace(/[-:]|\.\d+Z$/g, "");
  return `${kind}-${shown}-${sha256.slice(0, 8)}-${time}-${randomBytes(2).toString("hex")}`;
}

export function rolloutOf({
  rate,
  abortAbove,
  abortAfter,
  timeout,
  retries,
}: RolloutOptions): Partial<CreateJobCommandInput> {
  return {
    timeoutConfig: { inProgressTimeoutInMinutes: timeout },
    ...(rate !== undefined && { jobExecutionsRolloutConfig: { maximumPerMinute: rate } }),
    ...(abortAbove !== undefined && {
      abortConfig: {
        criteriaList: [
          {
            failureType: "ALL",
            action: "CANCEL",
            thresholdPercentage: abortAbove,
            minNumberOfExecutedThings: abortAfter,
          },
        ],
      },
    }),
    ...(retries !== undefined && {
      jobExecutionsRetryConfig: { criteriaList: [{ failureType: "ALL", numberOfRetries: retries }] },
    }),
  };
}

function describeDeployed(
  output: Output,
  { plane }: FotaPlane,
  { jobId, version, options, count }: { jobId: string; version: string; options: DeployOptions; count: number },
): string {
  const whom = options.group === undefined ? `${count} ${count === 1 ? "thing" : "things"}` : `group ${options.group}`;
  const pace = options.rate === undefined ? "" : `, ${options.rate} a minute`;
  return [
    `${output.paint.green("deployed")}  ${shortVersion(version)} to ${whom}${pace}, job ${jobId} in the ${plane.description}`,
    watchHint(jobId, options),
  ].join("\n");
}

export function watchHint(jobId: string, { aws, dataDir }: PlaceOptions): string {
  const where = aws === true ? ["--aws"] : unlessDefault("--data-dir", dataDir, defaultDataDir);
  return [
    "",
    "Watch it, or stop it:",
    `  ${commandLine(["fota", "status", jobId, "--watch", ...where])}`,
    `  ${commandLine(["fota", "cancel", jobId, ...where])}`,
  ].join("\n");
}
