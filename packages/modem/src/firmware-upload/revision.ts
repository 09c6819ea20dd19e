/** A modem firmware's name, taken apart: `mfw_nrf9160_1.3.2`, `mfw_nrf91x1_2.0.2`, `mfw_nrf9151-ntn_1.0.0`. */
export interface FirmwareRevision {
  /** `nrf9160`, `nrf91x1` (nRF9161, nRF9151, nRF9131), or another one that is not known here. */
  family: string;
  version: readonly [major: number, minor: number, patch: number];
  /** What stands behind the version: `-FOTA-TEST`. */
  suffix: string;
}

const form = /^(?:mfw_)?(nrf91[a-z0-9-]*)_(\d{1,4})\.(\d{1,4})\.(\d{1,4})(-[A-Za-z0-9.-]+)?$/;

/** @returns undefined for what is no such name. */
export function parseFirmwareRevision(name: string): FirmwareRevision | undefined {
  const [, family, major, minor, patch, suffix = ""] = form.exec(name.trim()) ?? [];
  if (family === undefined) return undefined;
  return { family, version: [Number(major), Number(minor), Number(patch)], suffix };
}

/** Negative when the first is older. */
export function compareFirmwareVersions(
  first: FirmwareRevision["version"],
  second: FirmwareRevision["version"],
): number {
  return first[0] - second[0] || first[1] - second[1] || first[2] - second[2];
}
