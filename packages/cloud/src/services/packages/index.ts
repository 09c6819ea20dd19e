import type { CloudService } from "../service.js";
import { taggable, type TaggableKind } from "../taggable.js";
import { packageKeys, packagesServiceName } from "./model.js";
import type { Objects } from "../objects/index.js";
import { sbomWake } from "./sbom-validation.js";
import { createPackages, type Packages } from "./service.js";

// What other services may know of packages.
export { areVersionsReported, findPackageVersion } from "./find-version.js";
export type { FoundPackageVersion } from "./find-version.js";
export type { Packages } from "./service.js";

/** The ARN of a version has two names. */
const versionKind: TaggableKind = {
  resource: /^package\/([\w.-]{1,128})\/version\/([\w.-]{1,64})$/,
  keyOf: (scope, packageName = "", versionName = "") => packageKeys.version(scope, packageName, versionName),
};

/** Software packages and their versions. */
export function createPackagesService(
  deps: { objects: Pick<Objects, "headObject" | "readObject"> },
  options: { isLimited: boolean },
): CloudService<Packages> {
  const operations = createPackages(deps, options);
  return {
    name: packagesServiceName,
    operations,
    rest: Object.values(operations),
    wake: sbomWake(deps.objects.readObject),
    taggable: [taggable("package", packageKeys.package), versionKind],
  };
}
