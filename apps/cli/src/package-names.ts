import { UsageError } from "./failure.js";

/** A package, and a version of it where one is named. */
export interface PackageName {
  packageName: string;
  versionName: string | undefined;
}

/** AWS's own patterns. */
const pattern = /^([a-zA-Z0-9_.-]{1,128})(?::([a-zA-Z0-9_.-]{1,64}))?$/;

/** @throws {UsageError} for what is not NAME or NAME:VERSION */
export function readPackageName(text: string): PackageName {
  const [, packageName, versionName] = pattern.exec(text) ?? [];
  if (packageName !== undefined) return { packageName, versionName };
  throw new UsageError(`a package is NAME or NAME:VERSION of letters, digits and _.-, got "${text.slice(0, 100)}"`);
}

/** @throws {UsageError} */
export function requireVersionName(text: string): { packageName: string; versionName: string } {
  const { packageName, versionName } = readPackageName(text);
  if (versionName !== undefined) return { packageName, versionName };
  throw new UsageError(`which version of package ${packageName}? NAME:VERSION`);
}
