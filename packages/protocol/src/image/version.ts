/** Of an image's header: 8, 8, 16 and 32 bits. */
export interface ImageVersion {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly build: number;
}

/** The largest value of each part. */
export const versionMax: ImageVersion = { major: 0xff, minor: 0xff, revision: 0xffff, build: 0xffff_ffff };

const pattern = /^(0|[1-9]\d{0,9})(?:\.(0|[1-9]\d{0,9})(?:\.(0|[1-9]\d{0,9})(?:\+(0|[1-9]\d{0,9}))?)?)?$/;

/**
 * `major[.minor[.revision[+build]]]`, as MCUboot's tool takes it: no leading zeros, what is left out is 0.
 *
 * @returns undefined when the text is anything else, or a part does not fit.
 */
export function parseVersion(text: string): ImageVersion | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [major = 0, minor = 0, revision = 0, build = 0] = match.slice(1).map((part) => Number(part ?? 0));
  const fits =
    major <= versionMax.major &&
    minor <= versionMax.minor &&
    revision <= versionMax.revision &&
    build <= versionMax.build;
  return fits ? { major, minor, revision, build } : undefined;
}

/** `1.2.3+4`, the build always there, as MCUboot's tool and its bootloader print it. */
export function formatVersion({ major, minor, revision, build }: ImageVersion): string {
  return `${major}.${minor}.${revision}+${build}`;
}

/**
 * Negative when `a` is older than `b`, 0 when they are the same, positive when it is newer.
 *
 * @param withBuild whether the build counts. MCUboot leaves it out unless it is built with VERSION_CMP_USE_BUILD_NUMBER.
 */
export function compareVersions(a: ImageVersion, b: ImageVersion, { withBuild }: { withBuild: boolean }): number {
  return (
    a.major - b.major || a.minor - b.minor || a.revision - b.revision || (withBuild ? Math.sign(a.build - b.build) : 0)
  );
}

/** What `--security-counter auto` makes of a version: major, minor and revision in one number; the build is left out. */
export function securityCounterOf({ major, minor, revision }: ImageVersion): number {
  return major * 2 ** 24 + minor * 2 ** 16 + revision;
}
