import { basename } from "node:path";
import { createHash } from "node:crypto";
import { createNodeFiles } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { openObjectStore, requireBucket } from "../fota/object-store.js";
import { readNameValues } from "../name-values.js";
import { readPackageName, requireVersionName } from "../package-names.js";
import { ensurePackage } from "../package-versions.js";
import { openIot, type PlaceOptions } from "./members.js";

interface CreateOptions extends PlaceOptions {
  from?: string;
  bucket?: string;
  attribute?: string[];
  description?: string;
  publish?: boolean;
  default?: boolean;
}

/** Of a page of packages or versions: as many as AWS gives at once. */
const packagesPerPage = 100;
/** Of one that is uploaded. */
const artifactBytesMax = 256 * 1024 * 1024;

/** `thingline package create NAME[:VERSION]` */
export async function packageCreate(context: CommandContext, options: CreateOptions, name = ""): Promise<void> {
  const { output, signal } = context;
  const { packageName, versionName } = readPackageName(name);
  const { description, from: file } = options;
  const isOfVersion = file !== undefined || options.publish === true || options.default === true;
  const attributes = readNameValues(options.attribute ?? [], "--attribute");
  const hasAttributes = Object.keys(attributes).length > 0;
  if (versionName === undefined && (isOfVersion || hasAttributes)) {
    throw new UsageError("--from, --attribute, --publish and --default are for NAME:VERSION");
  }
  if (file !== undefined) requireBucket(options);
  const where = await openIot(context, options);
  const { plane, client, sdk, send } = where;
  if (versionName === undefined) {
    const input = { packageName, ...(description !== undefined && { description }) };
    const { packageArn } = await client.send(new sdk.CreatePackageCommand(input), send);
    const text = `${output.paint.green("created")} package ${packageName} in the ${plane.description}`;
    return output.event({ event: "packageCreated", packageName, packageArn }, text);
  }
  const { isNew } = await ensurePackage(where, packageName);
  const artifact = file === undefined ? undefined : await uploadArtifact(options, file, signal);
  const named = { packageName, versionName };
  const made = await client.send(
    new sdk.CreatePackageVersionCommand({
      ...named,
      ...(description !== undefined && { description }),
      ...(hasAttributes && { attributes }),
      ...(artifact !== undefined && { artifact: { s3Location: artifact } }),
    }),
    send,
  );
  const isPublished = options.publish === true || options.default === true;
  if (isPublished) await client.send(new sdk.UpdatePackageVersionCommand({ ...named, action: "PUBLISH" }), send);
  if (options.default === true) {
    await client.send(new sdk.UpdatePackageCommand({ packageName, defaultVersionName: versionName }), send);
  }
  const status = isPublished ? "PUBLISHED" : "DRAFT";
  const { packageVersionArn } = made;
  const from = artifact === undefined ? "" : ` from ${artifact.bucket}/${artifact.key}`;
  const of = `version ${versionName} of ${isNew ? "the new package" : "package"} ${packageName}`;
  output.event(
    { event: "packageVersionCreated", ...named, packageVersionArn, status, artifact: artifact ?? null },
    `${output.paint.green("created")} ${of}${from} in the ${plane.description}: ${status}`,
  );
}

async function uploadArtifact(options: CreateOptions, file: string, signal: AbortSignal) {
  const bytes = await createNodeFiles().read(file, { bytesMax: artifactBytesMax });
  const store = await openObjectStore(options, signal);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const key = `packages/${sha256.slice(0, 16)}/${basename(file)}`;
  await store.put(key, bytes, signal);
  return { bucket: store.bucket, key };
}

/** `thingline package list [NAME]` */
export async function packageList(context: CommandContext, options: PlaceOptions, name?: string): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const config = { client, pageSize: packagesPerPage };
  let count = 0;
  if (name === undefined) {
    for await (const { packageSummaries = [] } of sdk.paginateListPackages(config, {}, send)) {
      for (const { packageName, defaultVersionName } of packageSummaries) {
        count++;
        const version = defaultVersionName === undefined ? "" : `  default ${defaultVersionName}`;
        const facts = { packageName, defaultVersionName: defaultVersionName ?? null };
        output.event({ event: "package", ...facts }, `${packageName}${version}`);
      }
    }
    if (count === 0) output.say(`no packages in the ${plane.description}`);
    return;
  }
  const { packageName } = readPackageName(name);
  for await (const page of sdk.paginateListPackageVersions(config, { packageName }, send)) {
    for (const { versionName, status } of page.packageVersionSummaries ?? []) {
      count++;
      output.event(
        { event: "packageVersion", packageName, versionName, status },
        `${packageName}:${versionName}  ${status}`,
      );
    }
  }
  if (count === 0) output.say(`package ${packageName} has no versions`);
}

/** `thingline package show NAME:VERSION` */
export async function packageShow(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const named = requireVersionName(name);
  const { client, sdk, send } = await openIot(context, options);
  const { $metadata: _told, ...found } = await client.send(new sdk.GetPackageVersionCommand(named), send);
  const { packageVersionArn, status, description, attributes = {}, sbomValidationStatus } = found;
  const artifact = found.artifact?.s3Location;
  output.event(
    {
      ...{ event: "packageVersion", ...named, packageVersionArn, status, attributes },
      ...{ description: description ?? null, artifact: artifact ?? null, sbom: sbomValidationStatus ?? null },
    },
    [
      `version   ${named.packageName}:${named.versionName}  ${status}`,
      `ARN       ${packageVersionArn}`,
      ...(description === undefined ? [] : [`about     ${description}`]),
      ...(artifact === undefined ? [] : [`artifact  ${artifact.bucket}/${artifact.key}`]),
      ...(sbomValidationStatus === undefined ? [] : [`SBOM      ${sbomValidationStatus}`]),
      ...Object.entries(attributes).map(([attribute, value]) => `attribute ${attribute}=${value}`),
    ].join("\n"),
  );
}

const changer = (action: "PUBLISH" | "DEPRECATE", status: string) =>
  async function change(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
    const { output } = context;
    const named = requireVersionName(name);
    const { plane, client, sdk, send } = await openIot(context, options);
    await client.send(new sdk.UpdatePackageVersionCommand({ ...named, action }), send);
    const text = `${output.paint.green(status.toLowerCase())} ${name} in the ${plane.description}`;
    output.event({ event: "packageVersionUpdated", ...named, status }, text);
  };

/** `thingline package publish NAME:VERSION` */
export const packagePublish = changer("PUBLISH", "PUBLISHED");
/** `thingline package deprecate NAME:VERSION` */
export const packageDeprecate = changer("DEPRECATE", "DEPRECATED");

/** `thingline package delete NAME[:VERSION]`: without a version the package and all of its versions. */
export async function packageDelete(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const { packageName, versionName } = readPackageName(name);
  const { plane, client, sdk, send } = await openIot(context, options);
  if (versionName !== undefined) {
    await client.send(new sdk.DeletePackageVersionCommand({ packageName, versionName }), send);
  } else {
    // AWS deletes no package that has versions, and no default version.
    await client.send(new sdk.UpdatePackageCommand({ packageName, unsetDefaultVersion: true }), send);
    const versions: string[] = [];
    const config = { client, pageSize: packagesPerPage };
    for await (const page of sdk.paginateListPackageVersions(config, { packageName }, send)) {
      for (const { versionName: each = "" } of page.packageVersionSummaries ?? []) versions.push(each);
    }
    for (const each of versions) {
      await client.send(new sdk.DeletePackageVersionCommand({ packageName, versionName: each }), send);
    }
    await client.send(new sdk.DeletePackageCommand({ packageName }), send);
  }
  const text = `${output.paint.green("deleted")} ${name} from the ${plane.description}`;
  output.event({ event: "packageDeleted", packageName, versionName: versionName ?? null }, text);
}
