import { bytesEqual, toHex } from "../bytes.js";
import type { ImageFacts } from "./facts.js";
import type { ImageRefusal, ImageRefusalCode } from "./refusals.js";
import { compareVersions, formatVersion, type ImageVersion } from "./version.js";

/** What a device asks of an image beyond its being whole and signed. What is left out is not asked for. */
export interface ImagePolicy {
  /** What runs: a lower version is refused. */
  readonly runningVersion?: ImageVersion | undefined;
  /** Whether the build counts in versions. Default false, as in MCUboot. */
  readonly comparesBuild?: boolean | undefined;
  /** What is stored, or what the running image has: no counter, or a lower one, is refused. */
  readonly securityCounterMin?: number | undefined;
  /** The version of every image that the device will run, by number: dependencies are held against it. */
  readonly imageVersions?: readonly ImageVersion[] | undefined;
  /** 16 bytes each. */
  readonly vendorId?: Uint8Array | undefined;
  readonly classId?: Uint8Array | undefined;
}

/** What of an image a policy looks at. */
export interface JudgedImage extends Pick<ImageFacts, "securityCounter" | "dependencies" | "vendorId" | "classId"> {
  readonly header: Pick<ImageFacts["header"], "version">;
}

/** The first thing that a policy refuses an image for; undefined when there is none. */
export function policyRefusal(image: JudgedImage, policy: ImagePolicy): ImageRefusal | undefined {
  return (
    counterRefusal(image.securityCounter, policy.securityCounterMin) ??
    idRefusal("VENDOR_MISMATCH", "vendor", image.vendorId, policy.vendorId) ??
    idRefusal("CLASS_MISMATCH", "class", image.classId, policy.classId) ??
    versionRefusal(image.header.version, policy) ??
    dependencyRefusal(image, policy)
  );
}

function counterRefusal(counter: number | undefined, least: number | undefined): ImageRefusal | undefined {
  if (least === undefined) return undefined;
  if (counter === undefined) {
    const message = `the image has no security counter, and ${least} is the least`;
    return { code: "SECURITY_COUNTER_MISSING", message, details: { securityCounterMin: least } };
  }
  if (counter >= least) return undefined;
  const message = `the image has security counter ${counter}, and ${least} is the least`;
  return {
    code: "SECURITY_COUNTER_LOWER",
    message,
    details: { securityCounter: counter, securityCounterMin: least },
  };
}

function idRefusal(
  code: ImageRefusalCode,
  what: string,
  id: Uint8Array | undefined,
  expected: Uint8Array | undefined,
): ImageRefusal | undefined {
  if (expected === undefined || (id !== undefined && bytesEqual(id, expected))) return undefined;
  const found = id === undefined ? "none" : toHex(id);
  const message = `the image is for ${what} ${found}, the device is of ${toHex(expected)}`;
  return { code, message, details: { expected: toHex(expected), found } };
}

function versionRefusal(
  version: ImageVersion,
  { runningVersion, comparesBuild: withBuild = false }: ImagePolicy,
): ImageRefusal | undefined {
  if (runningVersion === undefined || compareVersions(version, runningVersion, { withBuild }) >= 0) return undefined;
  const details = { version: formatVersion(version), runningVersion: formatVersion(runningVersion) };
  const message = `the image is ${details.version}, older than ${details.runningVersion}, which runs`;
  return { code: "VERSION_LOWER", message, details };
}

function dependencyRefusal({ dependencies }: JudgedImage, policy: ImagePolicy): ImageRefusal | undefined {
  const { imageVersions, comparesBuild: withBuild = false } = policy;
  if (imageVersions === undefined) return undefined;
  for (const { imageNumber, version } of dependencies) {
    const present = imageVersions[imageNumber];
    const wanted = formatVersion(version);
    if (present === undefined) {
      const message = `the image depends on image ${imageNumber}, and the device has ${imageVersions.length}`;
      return { code: "DEPENDENCY_INVALID", message, details: { imageNumber, images: imageVersions.length } };
    }
    if (compareVersions(present, version, { withBuild }) >= 0) continue;
    const details = { imageNumber, version: formatVersion(present), needed: wanted };
    const message = `the image needs image ${imageNumber} in ${wanted} or newer, it is ${details.version}`;
    return { code: "DEPENDENCY_UNMET", message, details };
  }
  return undefined;
}

/** What of a running image and of a candidate downgrade prevention compares. */
export interface Generation {
  readonly version: ImageVersion;
  readonly securityCounter?: number | undefined;
}

export interface DowngradeRule {
  /** `counter` when MCUboot is built with DOWNGRADE_PREVENTION_SECURITY_COUNTER. */
  readonly by: "version" | "counter";
  /** Default false. */
  readonly comparesBuild?: boolean;
}

/**
 * MCUboot's downgrade prevention (check_downgrade_prevention() of 2.4). By counter, a running image without one allows everything.
 *
 * @returns why the candidate would be erased instead of swapped in; undefined when it would not.
 */
export function downgradeRefusal(
  running: Generation,
  candidate: Generation,
  rule: DowngradeRule,
): ImageRefusal | undefined {
  if (rule.by === "counter") return counterRefusal(candidate.securityCounter, running.securityCounter);
  return versionRefusal(candidate.version, {
    runningVersion: running.version,
    comparesBuild: rule.comparesBuild ?? false,
  });
}
