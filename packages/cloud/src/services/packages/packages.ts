import { ThinglineError } from "@thingline/protocol";
import { awsOperation } from "../aws-operation.js";
import { answer } from "../operation.js";
import { readPage } from "../page.js";
import { hasTags, tagsGone, tagsOfNew } from "../tags/index.js";
import {
  arnOf,
  conflict,
  findPackage,
  findVersion,
  invalid,
  packageKeys,
  packagesMax,
  readTotals,
  requirePackage,
  type PackageConfigurationRecord,
  type PackageRecord,
} from "./model.js";

export function createPackageOperation(isLimited: boolean) {
  return awsOperation(
    "iot",
    "CreatePackage",
    ["packageName", "description", "tags", "clientToken"],
    async (context, { packageName, description, tags, clientToken }) => {
      const { scope, nowMs } = context;
      const key = packageKeys.package(scope, packageName);
      const result = {
        ...{ packageName, packageArn: arnOf.package(scope, packageName) },
        ...(description !== undefined && { description }),
      };
      const existing = (await findPackage(context, packageName))?.value;
      if (existing !== undefined) {
        const isAgain = clientToken !== undefined && clientToken === existing.createToken;
        const isSame = isAgain && description === existing.description && (await hasTags(context, key, tags));
        if (isSame) return answer(result);
        throw conflict(`Package ${packageName} already exists`);
      }
      const { totals, write } = await readTotals(context);
      if (isLimited && totals.packages >= packagesMax) {
        const message = `An account has ${packagesMax} packages at the most`;
        throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { packagesMax } });
      }
      const value: PackageRecord = {
        ...{ packageName, createdAtMs: nowMs, modifiedAtMs: nowMs },
        ...(description !== undefined && { description }),
        ...(clientToken !== undefined && { createToken: clientToken }),
      };
      const operations = [
        { key, expectedRevision: 0, value },
        write({ packages: totals.packages + 1 }),
        ...tagsOfNew(key, tags),
      ];
      return { result, operations, effects: [] };
    },
  );
}

export const getPackage = awsOperation("iot", "GetPackage", ["packageName"], async (context, input) => {
  const { packageName, description, defaultVersionName, createdAtMs, modifiedAtMs } = (
    await requirePackage(context, input.packageName)
  ).value;
  return answer({
    ...{ packageName, packageArn: arnOf.package(context.scope, packageName) },
    ...(description !== undefined && { description }),
    ...(defaultVersionName !== undefined && { defaultVersionName }),
    ...{ creationDate: createdAtMs / 1_000, lastModifiedDate: modifiedAtMs / 1_000 },
  });
});

/** Done twice it comes to the same, so that its token says nothing more. */
export const updatePackage = awsOperation(
  "iot",
  "UpdatePackage",
  ["packageName", "description", "defaultVersionName", "unsetDefaultVersion", "clientToken"],
  async (context, { packageName, description, defaultVersionName, unsetDefaultVersion = false }) => {
    const { key, value: before, revision } = await requirePackage(context, packageName);
    if (unsetDefaultVersion && defaultVersionName !== undefined) {
      throw invalid("Only one of defaultVersionName and unsetDefaultVersion may be given");
    }
    const checks = [];
    if (defaultVersionName !== undefined) {
      const version = await findVersion(context, packageName, defaultVersionName);
      if (version === undefined) {
        const message = `Version ${defaultVersionName} of package ${packageName} does not exist`;
        throw new ThinglineError("RESOURCE_NOT_FOUND", message);
      }
      if (version.value.status === "DRAFT") {
        throw conflict(`Version ${defaultVersionName} of package ${packageName} is a draft, which no default can be`);
      }
      // Nobody deletes it meanwhile.
      checks.push({ key: version.key, expectedRevision: version.revision, check: true as const });
    }
    const { defaultVersionName: oldDefault, ...rest } = before;
    const newDefault = unsetDefaultVersion ? undefined : (defaultVersionName ?? oldDefault);
    const value: PackageRecord = {
      ...rest,
      ...(description !== undefined && { description }),
      ...(newDefault !== undefined && { defaultVersionName: newDefault }),
      modifiedAtMs: context.nowMs,
    };
    return { result: {}, operations: [{ key, expectedRevision: revision, value }, ...checks], effects: [] };
  },
);

/** One that there is not is as good as deleted: AWS's list of errors has no other answer. */
export const deletePackage = awsOperation(
  "iot",
  "DeletePackage",
  ["packageName", "clientToken"],
  async (context, { packageName }) => {
    const entry = await findPackage(context, packageName);
    if (entry === undefined) return answer({});
    const { key, revision } = entry;
    const [version] = await context.store.list(packageKeys.versions(context.scope, packageName), { limit: 1 });
    if (version !== undefined) throw invalid(`Package ${packageName} has versions; delete them first`);
    const { totals, write } = await readTotals(context);
    const operations = [
      { key, expectedRevision: revision, delete: true as const },
      write({ packages: totals.packages - 1 }),
      tagsGone(key),
    ];
    return { result: {}, operations, effects: [] };
  },
);

export const listPackages = awsOperation(
  "iot",
  "ListPackages",
  ["maxResults", "nextToken"],
  async ({ store, scope }, input) => {
    const { entries, nextToken } = await readPage<PackageRecord>(store, {
      ...{ prefix: packageKeys.packages(scope), token: input.nextToken, size: input.maxResults },
    });
    const packageSummaries = entries.map(
      ({ value: { packageName, defaultVersionName, createdAtMs, modifiedAtMs } }) => ({
        packageName,
        ...(defaultVersionName !== undefined && { defaultVersionName }),
        ...{ creationDate: createdAtMs / 1_000, lastModifiedDate: modifiedAtMs / 1_000 },
      }),
    );
    return answer({ packageSummaries, ...(nextToken !== undefined && { nextToken }) });
  },
);

export const getPackageConfiguration = awsOperation("iot", "GetPackageConfiguration", [], async ({ store, scope }) => {
  const entry = await store.get<PackageConfigurationRecord>(packageKeys.configuration(scope));
  const { isEnabled, roleArn } = entry?.value ?? { isEnabled: false };
  return answer({ versionUpdateByJobsConfig: { enabled: isEnabled, ...(roleArn !== undefined && { roleArn }) } });
});

/** What is left out stays as it is. */
export const updatePackageConfiguration = awsOperation(
  "iot",
  "UpdatePackageConfiguration",
  ["versionUpdateByJobsConfig.enabled", "versionUpdateByJobsConfig.roleArn", "clientToken"],
  async ({ store, scope }, { versionUpdateByJobsConfig: { enabled, roleArn: newRole } = {} }) => {
    const key = packageKeys.configuration(scope);
    const entry = await store.get<PackageConfigurationRecord>(key);
    const isEnabled = enabled ?? entry?.value.isEnabled ?? false;
    const roleArn = newRole ?? entry?.value.roleArn;
    if (isEnabled && roleArn === undefined) {
      throw invalid("versionUpdateByJobsConfig.roleArn is needed when versionUpdateByJobsConfig.enabled is true");
    }
    const value: PackageConfigurationRecord = { isEnabled, ...(roleArn !== undefined && { roleArn }) };
    return { result: {}, operations: [{ key, expectedRevision: entry?.revision ?? 0, value }], effects: [] };
  },
);
