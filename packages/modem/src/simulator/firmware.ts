/** What differs between modem firmwares, as far as it is simulated. */
export interface FirmwareProfile {
  /** `AT+CGMR`. */
  revision: string;
  /** `AT+CGMM`. */
  model: string;
  /** `AT%SHORTSWVER`. */
  shortVersion: string;
  /** `AT%HWVERSION`. */
  hardware: string;
  /** Device type of attestation tokens: 1 nRF9160, 4 nRF9161. */
  attestationDeviceType: number;
  /** Looks into certificates that are written and refuses others with 527. */
  checksCertificates: boolean;
  /** Security tags 2147483648 to 2147483667, whose TLS can be decrypted in traces. */
  hasTestTags: boolean;
  /** `AT%DEVICEUUID` and `AT%CERTEXPIRY`. */
  hasDeviceUuid: boolean;
  /** `AT%XTEMP` instead of `AT%XTEMP?`. */
  hasTemperatureCommand: boolean;
}

/** @see nRF9160 and nRF91x1 AT Commands reference guides */
export const firmwareProfiles = {
  "mfw_nrf9160_1.3.2": {
    revision: "mfw_nrf9160_1.3.2",
    model: "nRF9160-SICA",
    shortVersion: "nrf9160_1.3.2",
    hardware: "nRF9160 SICA B0A",
    attestationDeviceType: 1,
    checksCertificates: false,
    hasTestTags: false,
    hasDeviceUuid: false,
    hasTemperatureCommand: false,
  },
  "mfw_nrf91x1_2.0.2": {
    revision: "mfw_nrf91x1_2.0.2",
    model: "nRF9161-LACA",
    shortVersion: "nrf91x1_2.0.2",
    hardware: "nRF9161 LACA ADA",
    attestationDeviceType: 4,
    checksCertificates: true,
    hasTestTags: true,
    hasDeviceUuid: true,
    hasTemperatureCommand: true,
  },
} as const satisfies Readonly<Record<string, FirmwareProfile>>;

export type FirmwareName = keyof typeof firmwareProfiles;

/** The part of the original provisioning sample. */
export const defaultFirmware: FirmwareName = "mfw_nrf9160_1.3.2";

export function isFirmwareName(name: string): name is FirmwareName {
  return Object.hasOwn(firmwareProfiles, name);
}
