import { ThinglineError } from "@thingline/protocol";
import type { OperationContext, Scope } from "../operation.js";
import { findPackageVersion } from "../packages/index.js";
import { defaultVersion, noVersion, type PackageDestination } from "./package-placeholders.js";

/** Of one job. @see AWS IoT API reference, CreateJob: destinationPackageVersions */
export const destinationPackageVersionsMax = 25;

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

interface DestinationName {
  packageName: string;
  asked: string;
}

const arnPattern =
  /^arn:aws[a-z-]*:iot:([^:]*):([^:]*):package\/([a-zA-Z0-9_.-]{1,128})\/version\/([a-zA-Z0-9_.-]{1,64}|\$default|\$null)$/;

/**
 * Reads ARNs of versions, without looking whether they are there.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function readDestinations({ account, region }: Scope, arns: readonly string[]): DestinationName[] {
  if (arns.length > destinationPackageVersionsMax) {
    const message = `destinationPackageVersions has at most ${destinationPackageVersionsMax} package versions, got ${arns.length}`;
    throw invalid(message);
  }
  const names = arns.map((arn): DestinationName => {
    const [, arnRegion, arnAccount, packageName, asked] = arnPattern.exec(arn) ?? [];
    if (arnRegion === region && arnAccount === account && packageName !== undefined && asked !== undefined) {
      return { packageName, asked };
    }
    throw invalid(
      `'${arn.slice(0, 300)}' in destinationPackageVersions is not the ARN of a package version of ${account} in ${region}`,
    );
  });
  const twice = names.find((one, at) => names.findIndex((other) => other.packageName === one.packageName) < at);
  if (twice !== undefined) throw invalid(`destinationPackageVersions has package ${twice.packageName} twice`);
  return names;
}

/**
 * The versions that a job installs, as they are now: a default one is the default one of this moment.
 *
 * @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND
 */
export async function findDestinations(
  context: OperationContext,
  arns: readonly string[],
): Promise<PackageDestination[]> {
  const destinations: PackageDestination[] = [];
  for (const { packageName, asked } of readDestinations(context.scope, arns)) {
    if (asked === noVersion) destinations.push({ packageName, asked, version: undefined });
    else {
      const versionName = asked === defaultVersion ? undefined : asked;
      const version = await context.call(findPackageVersion, { packageName, versionName });
      if (version.status === "DRAFT") {
        throw invalid(`Version ${version.versionName} of package ${packageName} is a draft, which no job can deploy`);
      }
      destinations.push({ packageName, asked, version });
    }
  }
  return destinations;
}

/** With the version that stands for a default one. */
export function arnsOfDestinations({ account, region }: Scope, destinations: readonly PackageDestination[]): string[] {
  return destinations.map(({ packageName, asked, version }) => {
    const versionName = version?.versionName ?? asked;
    return `arn:aws:iot:${region}:${account}:package/${packageName}/version/${versionName}`;
  });
}
