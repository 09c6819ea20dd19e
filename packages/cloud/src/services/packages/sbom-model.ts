import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { packagesServiceName } from "./model.js";

/** Of the archive. Ours: AWS states none. */
export const sbomArchiveBytesMax = 5 * 1024 * 1024;
/** Of one file, unpacked. Ours: AWS states none. */
export const sbomFileBytesMax = 5 * 1024 * 1024;
/** In one archive. Ours: AWS states none. */
export const sbomFilesMax = 100;
/** Validations at the same time, of an account and region. Ours: AWS has a limit, and does not state it. */
export const sbomValidationsMax = 10;

/** What one file came to. */
export type SbomResult = {
  fileName: string;
  validationResult: "FAILED" | "SUCCEEDED";
  errorCode?: "INCOMPATIBLE_FORMAT" | "FILE_SIZE_LIMIT_EXCEEDED";
  errorMessage?: string;
};

/** One that is under way. */
export type SbomValidation = { packageName: string; versionName: string };

const key = (scope: Scope, ...rest: (string | number)[]): StoreKey => [scope.account, scope.region, ...rest];

export const sbomKeys = {
  validations: (scope: Scope) => key(scope, "sbomValidation"),
  validation: (scope: Scope, id: string) => key(scope, "sbomValidation", id),
  results: (scope: Scope, packageName: string, versionName: string) =>
    key(scope, "sbomResult", packageName, versionName),
  result: (scope: Scope, packageName: string, versionName: string, index: number) =>
    key(scope, "sbomResult", packageName, versionName, index),
};

export const wakeForSbom = (id: string, atUnixMs: number) =>
  ({ type: "wakeAt", service: packagesServiceName, name: id, atUnixMs }) as const;
