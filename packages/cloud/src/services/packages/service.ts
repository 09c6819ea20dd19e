import type { Objects } from "../objects/index.js";
import {
  createPackageOperation,
  deletePackage,
  getPackage,
  getPackageConfiguration,
  listPackages,
  updatePackage,
  updatePackageConfiguration,
} from "./packages.js";
import { associateSbomOperation, disassociateSbom, listSbomValidationResults } from "./sbom.js";
import {
  createPackageVersionOperation,
  deletePackageVersion,
  getPackageVersion,
  listPackageVersions,
  updatePackageVersionOperation,
} from "./versions.js";

export interface PackagesDependencies {
  /** Where artifacts are. */
  objects: Pick<Objects, "headObject">;
}

export type Packages = ReturnType<typeof createPackages>;

/** The software package catalog. Members are the operations of AWS IoT by their names. */
export function createPackages(
  { objects: { headObject } }: PackagesDependencies,
  { isLimited }: { isLimited: boolean },
) {
  return {
    createPackage: createPackageOperation(isLimited),
    ...{ getPackage, updatePackage, deletePackage, listPackages },
    createPackageVersion: createPackageVersionOperation(headObject, isLimited),
    updatePackageVersion: updatePackageVersionOperation(headObject),
    ...{ getPackageVersion, deletePackageVersion, listPackageVersions },
    ...{ getPackageConfiguration, updatePackageConfiguration },
    associateSbomWithPackageVersion: associateSbomOperation(headObject),
    disassociateSbomFromPackageVersion: disassociateSbom,
    listSbomValidationResults,
  };
}
