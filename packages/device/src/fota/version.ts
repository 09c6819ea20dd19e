interface Version {
  numbers: readonly number[];
  build: number | undefined;
}

const pattern = /^v?([0-9]{1,10})(?:\.([0-9]{1,10}))?(?:\.([0-9]{1,10}))?(?:\+([0-9]{1,10}))?$/iu;

/** `v1.0.2`, `1.2.3+4`, `2`: what is missing is 0, but for the build number, which then does not matter. */
function parse(text: string): Version | undefined {
  const match = pattern.exec(text.trim());
  if (!match) return undefined;
  const [, major, minor = "0", revision = "0", build] = match;
  return { numbers: [major, minor, revision].map(Number), build: build === undefined ? undefined : Number(build) };
}

/**
 * Whether an image has the version that its job document names: by number where both are versions of MCUboot's kind, else letter by letter.
 * A build number counts when the document gives one.
 */
export function isWantedVersion(wanted: string, found: string): boolean {
  const a = parse(wanted);
  const b = parse(found);
  if (!a || !b) return wanted.trim() === found.trim();
  if (a.numbers.some((number, index) => number !== b.numbers[index])) return false;
  return a.build === undefined || a.build === (b.build ?? 0);
}
