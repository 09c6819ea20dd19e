import {
  compareVersions,
  downgradeRefusal,
  parseVersion,
  versionMax,
  type Generation,
  type ImageVersion,
} from "@thingline/protocol/image";
import type { BootloaderRule } from "../bootloader-rules.js";

/** What a device runs, as far as it is known. */
export interface Running {
  readonly version: string | undefined;
  /** Of the image that it took. */
  readonly securityCounter: number | undefined;
}

/** The image that a device is to go back to. */
export interface Candidate {
  readonly version: ImageVersion;
  readonly securityCounter: number | undefined;
}

/** Why the bootloader would not take it; undefined when it would. */
export function whyRefused(running: Running, candidate: Candidate, rule: BootloaderRule): string | undefined {
  if (rule === "none") return undefined;
  const version = running.version === undefined ? undefined : parseVersion(running.version.replace(/^v/i, ""));
  const reasons: (string | undefined)[] = [];
  if (rule !== "counter") {
    if (version === undefined) return `it runs ${running.version ?? "an unknown version"}, which cannot be compared`;
    const comparesBuild = rule === "version-and-build" || rule === "unknown";
    reasons.push(refusalOf({ version }, candidate, { by: "version", comparesBuild }));
  }
  if (rule === "counter" || rule === "unknown") {
    const known = { version: version ?? candidate.version, securityCounter: running.securityCounter };
    reasons.push(refusalOf(known, candidate, { by: "counter" }));
  }
  return reasons.find((reason) => reason !== undefined);
}

function refusalOf(...asked: Parameters<typeof downgradeRefusal>): string | undefined {
  return downgradeRefusal(...asked)?.message;
}

/** Above everything that runs, so that whatever compares versions or counters takes it. Undefined: there is none. */
export function generationAbove(running: readonly Running[], candidate: Candidate): Generation | undefined {
  let newest = candidate.version;
  let counter = candidate.securityCounter;
  for (const { version: text, securityCounter } of running) {
    const version = text === undefined ? undefined : parseVersion(text.replace(/^v/i, ""));
    if (version !== undefined && compareVersions(version, newest, { withBuild: true }) > 0) newest = version;
    if (securityCounter !== undefined) counter = Math.max(counter ?? 0, securityCounter);
  }
  const version = nextVersion(newest);
  return version && { version, securityCounter: counter };
}

/** The build is left out by most bootloaders. */
function nextVersion({ major, minor, revision }: ImageVersion): ImageVersion | undefined {
  if (revision < versionMax.revision) return { major, minor, revision: revision + 1, build: 0 };
  if (minor < versionMax.minor) return { major, minor: minor + 1, revision: 0, build: 0 };
  return major < versionMax.major ? { major: major + 1, minor: 0, revision: 0, build: 0 } : undefined;
}
