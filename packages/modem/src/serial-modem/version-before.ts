/** Whether a version of the application (`2.5.0`, `v2.0.0-18-g2c85d9224fca`) is older than a release. One that cannot be read is not. */
export function isVersionBefore(version: string, major: number, minor: number): boolean {
  const match = /^v?(\d{1,6})\.(\d{1,6})/u.exec(version);
  if (match === null) return false;
  const [ownMajor, ownMinor] = [Number(match[1]), Number(match[2])];
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}
