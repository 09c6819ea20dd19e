import { answer, type Operation } from "../operation.js";
import {
  findPackage,
  invalid,
  noPackage,
  packageKeys,
  requireVersion,
  type ObjectLocation,
  type PackageConfigurationRecord,
  type PackageVersionStatus,
} from "./model.js";

export interface FoundPackageVersion {
  versionName: string;
  status: PackageVersionStatus;
  attributes: Readonly<Record<string, string>>;
  artifact: ObjectLocation | undefined;
}

/**
 * A version of a package, for jobs that deploy it; without a name the default one.
 *
 * @throws {ThinglineError} RESOURCE_NOT_FOUND; REQUEST_INVALID for a package that there is not, or that has no default version
 */
export const findPackageVersion: Operation<
  { packageName: string; versionName?: string | undefined },
  FoundPackageVersion
> = async (context, { packageName, versionName: named }) => {
  const parent = (await findPackage(context, packageName))?.value;
  if (parent === undefined) throw invalid(noPackage(packageName));
  const versionName = named ?? parent.defaultVersionName;
  if (versionName === undefined) throw invalid(`Package ${packageName} has no default version`);
  const { status, attributes, artifact } = (await requireVersion(context, { packageName, versionName })).value;
  return answer({ versionName, status, attributes, artifact });
};

/** Whether jobs write what they have installed into the shadow `$package` of their things. */
export const areVersionsReported: Operation<undefined, boolean> = async ({ store, scope }) => {
  const entry = await store.get<PackageConfigurationRecord>(packageKeys.configuration(scope));
  return answer(entry?.value.isEnabled === true);
};
