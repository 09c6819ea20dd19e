import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import type { PackageVersionArtifact } from "../../model/types/iot.js";
import { awsOperation, type InputOf } from "../aws-operation.js";
import type { Objects } from "../objects/index.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { readPage } from "../page.js";
import { sbomGone } from "./sbom.js";
import { hasTags, tagsGone, tagsOfNew } from "../tags/index.js";
import {
  arnOf,
  conflict,
  findPackage,
  findVersion,
  invalid,
  noPackage,
  packageAttributesBytesMax,
  packageKeys,
  packageVersionsMax,
  readTotals,
  requireVersion,
  type ObjectLocation,
  type PackageVersionRecord,
  type PackageVersionStatus,
} from "./model.js";

type HeadObject = Objects["headObject"];

const artifactMembers = [
  "artifact.s3Location.bucket",
  "artifact.s3Location.key",
  "artifact.s3Location.version",
] as const;

export function createPackageVersionOperation(headObject: HeadObject, isLimited: boolean) {
  return awsOperation(
    "iot",
    "CreatePackageVersion",
    [
      ...(["packageName", "versionName", "description", "attributes", "recipe", "tags", "clientToken"] as const),
      ...artifactMembers,
    ],
    async (context, input) => {
      const { scope, nowMs } = context;
      const { packageName, versionName, description, recipe, tags, clientToken } = input;
      const parent = await findPackage(context, packageName);
      if (parent === undefined) throw invalid(noPackage(packageName));
      const attributes = checkAttributes(input.attributes ?? {});
      const artifact = input.artifact && (await readArtifact(context, headObject, input.artifact));
      const record: PackageVersionRecord = {
        ...{ packageName, versionName, status: "DRAFT", attributes },
        ...(description !== undefined && { description }),
        ...(artifact !== undefined && { artifact }),
        ...(recipe !== undefined && { recipe }),
        ...{ createdAtMs: nowMs, modifiedAtMs: nowMs },
        ...(clientToken !== undefined && { createToken: clientToken }),
      };
      const key = packageKeys.version(scope, packageName, versionName);
      const existing = (await findVersion(context, packageName, versionName))?.value;
      if (existing !== undefined) {
        const isAgain = isSameRequest(existing, record) && (await hasTags(context, key, tags));
        if (isAgain) return answer(tellCreated(scope, existing));
        throw conflict(`Version ${versionName} of package ${packageName} already exists`);
      }
      const { totals, write } = await readTotals(context);
      if (isLimited && totals.versions >= packageVersionsMax) {
        const message = `An account has ${packageVersionsMax} package versions at the most`;
        throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { packageVersionsMax } });
      }
      const operations = [
        { key, expectedRevision: 0, value: record },
        { key: parent.key, expectedRevision: parent.revision, check: true as const },
        write({ versions: totals.versions + 1 }),
        ...tagsOfNew(key, tags),
      ];
      return { result: tellCreated(scope, record), operations, effects: [] };
    },
  );
}

/** Whether a version that is there was made by this very request. */
function isSameRequest(existing: PackageVersionRecord, asked: PackageVersionRecord): boolean {
  if (asked.createToken === undefined || asked.createToken !== existing.createToken) return false;
  const contentOf = ({ description, attributes, artifact, recipe }: PackageVersionRecord) =>
    JSON.stringify([description, Object.entries(attributes).sort(), artifact, recipe]);
  return contentOf(existing) === contentOf(asked);
}

function tellCreated(
  scope: Scope,
  { packageName, versionName, description, attributes, status }: PackageVersionRecord,
) {
  return {
    packageVersionArn: arnOf.version(scope, packageName, versionName),
    ...{ packageName, versionName, attributes, status },
    ...(description !== undefined && { description }),
  };
}

function checkAttributes(attributes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const encoder = new TextEncoder();
  let bytes = 0;
  for (const [name, value] of Object.entries(attributes)) bytes += encoder.encode(name + value).length;
  if (bytes <= packageAttributesBytesMax) return attributes;
  throw invalid(`attributes have ${bytes} bytes together, at most ${packageAttributesBytesMax} are allowed`);
}

/** AWS looks whether it can get the object, as does this. */
async function readArtifact(
  context: OperationContext,
  headObject: HeadObject,
  { s3Location: { bucket, key, version } = {} }: PackageVersionArtifact,
): Promise<ObjectLocation> {
  if (bucket === undefined) throw invalid("artifact.s3Location.bucket must not be null");
  if (key === undefined) throw invalid("artifact.s3Location.key must not be null");
  try {
    await context.call(headObject, { bucket, key, ...(version !== undefined && { versionId: version }) });
  } catch (cause) {
    if (!isThinglineError(cause, "RESOURCE_NOT_FOUND")) throw cause;
    const message = `artifact.s3Location is not accessible by the service: ${cause.message} Please make sure the bucket/key/version exists.`;
    throw new ThinglineError("REQUEST_INVALID", message, { cause });
  }
  return { bucket, key, ...(version !== undefined && { version }) };
}

export const getPackageVersion = awsOperation(
  "iot",
  "GetPackageVersion",
  ["packageName", "versionName"],
  async (context, input) => {
    const { value } = await requireVersion(context, input);
    const { artifact, recipe, sbom, createdAtMs, modifiedAtMs } = value;
    return answer({
      ...tellCreated(context.scope, value),
      ...(artifact !== undefined && { artifact: { s3Location: artifact } }),
      ...(recipe !== undefined && { recipe }),
      ...(sbom !== undefined && { sbom: { s3Location: sbom.location }, sbomValidationStatus: sbom.status }),
      ...{ creationDate: createdAtMs / 1_000, lastModifiedDate: modifiedAtMs / 1_000 },
    });
  },
);

/** @see AWS IoT developer guide, "Package version lifecycle" */
const actions: Readonly<
  Record<"PUBLISH" | "DEPRECATE", { from: readonly PackageVersionStatus[]; to: PackageVersionStatus }>
> = {
  PUBLISH: { from: ["DRAFT", "DEPRECATED"], to: "PUBLISHED" },
  DEPRECATE: { from: ["PUBLISHED"], to: "DEPRECATED" },
};

export function updatePackageVersionOperation(headObject: HeadObject) {
  return awsOperation(
    "iot",
    "UpdatePackageVersion",
    [
      ...(["packageName", "versionName", "description", "attributes", "recipe", "action", "clientToken"] as const),
      ...artifactMembers,
    ],
    async (context, input) => {
      const { key, value: before, revision } = await requireVersion(context, input);
      const { description, action, recipe, clientToken } = input;
      const updateDigest = clientToken === undefined ? undefined : digestOf(context, input);
      if (clientToken !== undefined && clientToken === before.updateToken) {
        // One without a digest was stored by an older release.
        if ((before.updateDigest ?? updateDigest) === updateDigest) return answer({});
        throw conflict("The clientToken was used before, with another request");
      }
      requireChangeable(before, input);
      const attributes = input.attributes && checkAttributes(input.attributes);
      const artifact = input.artifact && (await readArtifact(context, headObject, input.artifact));
      const value: PackageVersionRecord = {
        ...before,
        ...(description !== undefined && { description }),
        ...(attributes !== undefined && { attributes }),
        ...(artifact !== undefined && { artifact }),
        ...(recipe !== undefined && { recipe }),
        ...(action !== undefined && { status: statusAfter(before, action) }),
        modifiedAtMs: context.nowMs,
        ...(clientToken !== undefined && updateDigest !== undefined && { updateToken: clientToken, updateDigest }),
      };
      return { result: {}, operations: [{ key, expectedRevision: revision, value }], effects: [] };
    },
  );
}

/** Of all that an update says: the same request has the same. */
function digestOf({ keys }: OperationContext, input: InputOf<"iot", "UpdatePackageVersion">): string {
  const { description, attributes = {}, artifact, recipe, action } = input;
  const { bucket, key, version } = artifact?.s3Location ?? {};
  const isGiven = [input.attributes !== undefined, artifact !== undefined];
  const said = [description, isGiven, Object.entries(attributes).sort(), bucket, key, version, recipe, action];
  return toHex(keys.sha256(new TextEncoder().encode(JSON.stringify(said))));
}

/** Attributes and artifact are fixed from the first publication on; description and recipe are not. */
function requireChangeable(
  { status, packageName, versionName }: PackageVersionRecord,
  { attributes, artifact }: { attributes?: unknown; artifact?: unknown },
): void {
  if (status === "DRAFT") return;
  const name = attributes !== undefined ? "attributes" : artifact !== undefined ? "artifact" : undefined;
  if (name === undefined) return;
  throw conflict(`${name} of version ${versionName} of package ${packageName} cannot be changed: it is ${status}`);
}

function statusAfter(
  { status, packageName, versionName }: PackageVersionRecord,
  action: keyof typeof actions,
): PackageVersionStatus {
  const { from, to } = actions[action];
  if (from.includes(status)) return to;
  throw conflict(`${action} is not for version ${versionName} of package ${packageName}: it is ${status}`);
}

/** One that there is not is as good as deleted: AWS's list of errors has no other answer. */
export const deletePackageVersion = awsOperation(
  "iot",
  "DeletePackageVersion",
  ["packageName", "versionName", "clientToken"],
  async (context, { packageName, versionName }) => {
    const entry = await findVersion(context, packageName, versionName);
    const parent = await findPackage(context, packageName);
    if (entry === undefined || parent === undefined) return answer({});
    if (parent.value.defaultVersionName === versionName) {
      throw invalid(
        `Version ${versionName} is the default one of package ${packageName}; choose another, or unset it first`,
      );
    }
    const { totals, write } = await readTotals(context);
    const operations = [
      { key: entry.key, expectedRevision: entry.revision, delete: true as const },
      // Nobody makes it the default one meanwhile.
      { key: parent.key, expectedRevision: parent.revision, check: true as const },
      write({ versions: totals.versions - 1 }),
      tagsGone(entry.key),
      ...(await sbomGone(context, entry.value)),
    ];
    return { result: {}, operations, effects: [] };
  },
);

export const listPackageVersions = awsOperation(
  "iot",
  "ListPackageVersions",
  ["packageName", "status", "maxResults", "nextToken"],
  async (context, { packageName, status, maxResults, nextToken: token }) => {
    const { store, scope } = context;
    const { entries, nextToken } = await readPage<PackageVersionRecord>(store, {
      ...{ prefix: packageKeys.versions(scope, packageName), token, size: maxResults },
      ...(status !== undefined && { matches: ({ value }) => value.status === status }),
    });
    const isUnknown = entries.length === 0 && (await findPackage(context, packageName)) === undefined;
    if (isUnknown) throw invalid(noPackage(packageName));
    const packageVersionSummaries = entries.map(({ value }) => ({
      ...{ packageName, versionName: value.versionName, status: value.status },
      ...{ creationDate: value.createdAtMs / 1_000, lastModifiedDate: value.modifiedAtMs / 1_000 },
    }));
    return answer({ packageVersionSummaries, ...(nextToken !== undefined && { nextToken }) });
  },
);
