import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";

export const packagesServiceName = "packages";

/** Of an account and region. @see AWS General Reference, "AWS IoT Device Management endpoints and quotas", software package catalog */
export const packagesMax = 100;
/** Of all packages of an account and region. */
export const packageVersionsMax = 10_000;
/** Names and values of a version's attributes together. @see AWS IoT API reference, CreatePackageVersion */
export const packageAttributesBytesMax = 3_072;

export type PackageRecord = {
  packageName: string;
  description?: string;
  defaultVersionName?: string;
  createdAtMs: number;
  modifiedAtMs: number;
  /** Of the request that made it: asked again, it gets the same answer. */
  createToken?: string;
};

export type PackageVersionStatus = "DRAFT" | "PUBLISHED" | "DEPRECATED";

/** An object of this cloud; without a version its newest one. */
export type ObjectLocation = { bucket: string; key: string; version?: string };

export type PackageVersionRecord = {
  packageName: string;
  versionName: string;
  status: PackageVersionStatus;
  description?: string;
  /** Fixed once it is published, as is the artifact. */
  attributes: { readonly [name: string]: string };
  artifact?: ObjectLocation;
  recipe?: string;
  createdAtMs: number;
  modifiedAtMs: number;
  createToken?: string;
  /** Of the last update: asked again, nothing is done a second time. */
  updateToken?: string;
  /** SHA-256 of what that update said: the token with anything else is no repetition. */
  updateDigest?: string;
  /** Its bill of materials, and what was found of it. The id is that of its validation. */
  sbom?: { location: ObjectLocation; status: "IN_PROGRESS" | "FAILED" | "SUCCEEDED"; id: string };
  sbomToken?: string;
};

/** What all packages of an account and region share. Whoever makes or deletes one, or a version, expects its revision. */
export type PackageTotals = { packages: number; versions: number };

export type PackageConfigurationRecord = { isEnabled: boolean; roleArn?: string };

const key = (scope: Scope, ...rest: string[]): StoreKey => [scope.account, scope.region, ...rest];

export const packageKeys = {
  totals: (scope: Scope) => key(scope, "packageTotals"),
  configuration: (scope: Scope) => key(scope, "packageConfiguration"),
  packages: (scope: Scope) => key(scope, "package"),
  package: (scope: Scope, packageName: string) => key(scope, "package", packageName),
  versions: (scope: Scope, packageName: string) => key(scope, "packageVersion", packageName),
  version: (scope: Scope, packageName: string, versionName: string) =>
    key(scope, "packageVersion", packageName, versionName),
};

export const arnOf = {
  package: ({ region, account }: Scope, packageName: string) =>
    `arn:aws:iot:${region}:${account}:package/${packageName}`,
  version: (scope: Scope, packageName: string, versionName: string) =>
    `${arnOf.package(scope, packageName)}/version/${versionName}`,
};

export type Reader = Pick<OperationContext, "store" | "scope">;

export const invalid = (message: string): ThinglineError => new ThinglineError("REQUEST_INVALID", message);
/** What the state of a resource does not allow: ConflictException. */
export const conflict = (message: string): ThinglineError => new ThinglineError("RESOURCE_CONFLICT", message);

export function findPackage({ store, scope }: Reader, packageName: string) {
  return store.get<PackageRecord>(packageKeys.package(scope, packageName));
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requirePackage(context: Reader, packageName: string): Promise<StoreEntry<PackageRecord>> {
  const entry = await findPackage(context, packageName);
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", noPackage(packageName));
}

export const noPackage = (packageName: string) => `Package ${packageName} does not exist`;

export function findVersion({ store, scope }: Reader, packageName: string, versionName: string) {
  return store.get<PackageVersionRecord>(packageKeys.version(scope, packageName, versionName));
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireVersion(
  context: Reader,
  { packageName, versionName }: { packageName: string; versionName: string },
): Promise<StoreEntry<PackageVersionRecord>> {
  const entry = await findVersion(context, packageName, versionName);
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Version ${versionName} of package ${packageName} does not exist`);
}

/** How many there are, and the write that changes that. */
export async function readTotals({ store, scope }: Reader) {
  const totalsKey = packageKeys.totals(scope);
  const entry = await store.get<PackageTotals>(totalsKey);
  const totals = entry?.value ?? { packages: 0, versions: 0 };
  return {
    totals,
    write: (change: Partial<PackageTotals>) => ({
      key: totalsKey,
      expectedRevision: entry?.revision ?? 0,
      value: { ...totals, ...change },
    }),
  };
}
