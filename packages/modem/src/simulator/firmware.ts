/** The parts of the nRF91 series, as far as they are simulated. */
export const modemParts = {
  nRF9160: { model: "nRF9160-SICA", hardware: "nRF9160 SICA B0A", attestationDeviceType: 1, family: "nrf9160" },
  nRF9161: { model: "nRF9161-LACA", hardware: "nRF9161 LACA ADA", attestationDeviceType: 4, family: "nrf91x1" },
  nRF9131: { model: "nRF9131-LACA", hardware: "nRF9131 LACA ADA", attestationDeviceType: 5, family: "nrf91x1" },
  nRF9151: { model: "nRF9151-LACA", hardware: "nRF9151 LACA ADA", attestationDeviceType: 6, family: "nrf91x1" },
} as const;

export type ModemPart = keyof typeof modemParts;

export function isModemPart(name: string): name is ModemPart {
  return Object.hasOwn(modemParts, name);
}

/** What differs between modem firmwares, as far as it is simulated. */
export interface FirmwareProfile {
  /** `AT+CGMR`. */
  revision: string;
  /** `AT%SHORTSWVER`. */
  shortVersion: string;
  /** `AT+CGMM`. */
  model: string;
  /** `AT%HWVERSION`. */
  hardware: string;
  /** Device type of attestation tokens: 1 nRF9160, 4 nRF9161, 5 nRF9131, 6 nRF9151. */
  attestationDeviceType: number;
  /** Parts that the firmware is for; the first one is the default. */
  parts: readonly ModemPart[];
  /** Shows the SHA-256 of credentials in lists. */
  listsDigests: boolean;
  /** `AT%XMONITOR` ends with the periodic TAU. */
  showsPeriodicTau: boolean;
  /** `AT%KEYGEN`, `AT%ATTESTTOKEN`, `AT%KEYINJECT`. */
  hasKeyGeneration: boolean;
  /** `AT%MDMEV`, `AT%XMODEMSLEEP`, `AT%XT3412`, `AT%CONEVAL`, `AT%NCELLMEAS`. */
  hasModemEvents: boolean;
  /** ECDHE with AES-GCM. */
  hasGcmSuites: boolean;
  /** A power-off warning refuses writes with 528. */
  guardsWrites: boolean;
  hasClaimToken: boolean;
  /** Looks into certificates that are written and refuses others with 527. */
  checksCertificates: boolean;
  /** Security tags 2147483648 to 2147483667, whose TLS can be decrypted in traces. */
  hasTestTags: boolean;
  /** `AT%DEVICEUUID`. */
  hasDeviceUuid: boolean;
  hasCertificateExpiry: boolean;
  /** `AT%XTEMP` instead of `AT%XTEMP?`. */
  hasTemperatureCommand: boolean;
  /** A power-off warning is on from the boot on. */
  warnsByDefault: boolean;
}

type Version = readonly [major: number, minor: number, patch: number];

function isAtLeast(version: Version, least: Version): boolean {
  for (const [index, number] of version.entries()) {
    const other = least[index] ?? 0;
    if (number !== other) return number > other;
  }
  return true;
}

function profile(family: "nrf9160" | "nrf91x1", ...version: Version): FirmwareProfile {
  const isNewer = family === "nrf91x1";
  const shortVersion = `${family}_${version.join(".")}`;
  const parts = (Object.keys(modemParts) as ModemPart[]).filter((part) => modemParts[part].family === family);
  const { model, hardware, attestationDeviceType } = modemParts[isNewer ? "nRF9161" : "nRF9160"];
  return {
    revision: `mfw_${shortVersion}`,
    ...{ shortVersion, model, hardware, attestationDeviceType, parts },
    listsDigests: isAtLeast(version, [1, 1, 0]),
    showsPeriodicTau: isAtLeast(version, [1, 2, 0]),
    hasKeyGeneration: isAtLeast(version, [1, 3, 0]),
    hasModemEvents: isAtLeast(version, [1, 3, 0]),
    hasGcmSuites: isAtLeast(version, [1, 3, 1]) || (version[1] === 2 && isAtLeast(version, [1, 2, 7])),
    guardsWrites: isAtLeast(version, [1, 3, 2]),
    hasClaimToken: isAtLeast(version, [1, 3, 4]),
    checksCertificates: isAtLeast(version, [2, 0, 2]),
    hasTestTags: isAtLeast(version, [2, 0, 0]),
    hasDeviceUuid: isNewer,
    hasCertificateExpiry: isNewer,
    hasTemperatureCommand: isNewer,
    warnsByDefault: isNewer,
  };
}

/** @see nRF9160 and nRF91x1 AT Commands reference guides, where each command names the firmware that it came with */
export const firmwareProfiles = {
  "mfw_nrf9160_1.0.1": profile("nrf9160", 1, 0, 1),
  "mfw_nrf9160_1.1.4": profile("nrf9160", 1, 1, 4),
  "mfw_nrf9160_1.2.7": profile("nrf9160", 1, 2, 7),
  "mfw_nrf9160_1.3.0": profile("nrf9160", 1, 3, 0),
  "mfw_nrf9160_1.3.1": profile("nrf9160", 1, 3, 1),
  "mfw_nrf9160_1.3.2": profile("nrf9160", 1, 3, 2),
  "mfw_nrf9160_1.3.3": profile("nrf9160", 1, 3, 3),
  "mfw_nrf9160_1.3.4": profile("nrf9160", 1, 3, 4),
  "mfw_nrf9160_1.3.5": profile("nrf9160", 1, 3, 5),
  "mfw_nrf9160_1.3.6": profile("nrf9160", 1, 3, 6),
  "mfw_nrf9160_1.3.7": profile("nrf9160", 1, 3, 7),
  "mfw_nrf91x1_2.0.0": profile("nrf91x1", 2, 0, 0),
  "mfw_nrf91x1_2.0.1": profile("nrf91x1", 2, 0, 1),
  "mfw_nrf91x1_2.0.2": profile("nrf91x1", 2, 0, 2),
  "mfw_nrf91x1_2.0.3": profile("nrf91x1", 2, 0, 3),
  "mfw_nrf91x1_2.0.4": profile("nrf91x1", 2, 0, 4),
} as const satisfies Readonly<Record<string, FirmwareProfile>>;

export type FirmwareName = keyof typeof firmwareProfiles;

/** The part of the original provisioning sample. */
export const defaultFirmware: FirmwareName = "mfw_nrf9160_1.3.2";

export function isFirmwareName(name: string): name is FirmwareName {
  return Object.hasOwn(firmwareProfiles, name);
}

/**
 * What a modem is with a firmware.
 *
 * @param name What it left the factory with.
 * @param revision What it runs now: an update to a firmware that is not known says so of itself, and can do what it could before.
 */
export function profileOf(name: FirmwareName, part: ModemPart, revision: string): FirmwareProfile {
  const { model, hardware, attestationDeviceType } = modemParts[part];
  const known = firmwareProfiles[isFirmwareName(revision) ? revision : name];
  return { ...known, revision, shortVersion: revision.replace(/^mfw_/u, ""), model, hardware, attestationDeviceType };
}

/** Whether a firmware is older than another one of the same family. */
export function isOlderFirmware(revision: string, than: string): boolean {
  const [one, other] = [versionOf(revision), versionOf(than)];
  return one !== undefined && other !== undefined && !isAtLeast(one, other);
}

function versionOf(revision: string): Version | undefined {
  const match = /_([0-9]+)\.([0-9]+)\.([0-9]+)/u.exec(revision);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}
