import { isRecord, isThinglineError, type OptionTypes, ThinglineError } from "@thingline/protocol";
import type { Files, Keys, Random } from "@thingline/transport";
import type { FirmwareName, ModemPart } from "./firmware.js";
import { defaultFirmware, firmwareProfiles, isFirmwareName, isModemPart, modemParts } from "./firmware.js";
import { readRecord, writeRecord } from "./record-file.js";

/** Who the simulated modem is. Made up on first use, then kept. */
export interface ModemIdentity {
  /** What it left the factory with. */
  firmware: FirmwareName;
  /** Which chip it is; the firmware is for it. */
  part: ModemPart;
  /** 15 digits, the last a Luhn check digit. */
  imei: string;
  /** Software version number, two digits; IMEISV is the IMEI without check digit and these. */
  softwareVersionNumber: string;
  serialNumber: string;
  /** 15 digits, of the test network 001 01. */
  imsi: string;
  /** 19 digits and a Luhn check digit. */
  iccid: string;
  modemUuid: string;
  deviceUuid: string;
}

/** The identity with the key that signs for it. */
export interface StoredIdentity extends ModemIdentity {
  /** P-256, PEM. Never leaves the modem. */
  identityKey: string;
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const formats: Readonly<Record<keyof ModemIdentity, RegExp>> = {
  firmware: /^[\w.]+$/,
  part: /^nRF[0-9]{4}$/,
  imei: /^[0-9]{15}$/,
  softwareVersionNumber: /^[0-9]{2}$/,
  serialNumber: /^[0-9A-Za-z]{1,32}$/,
  imsi: /^[0-9]{14,15}$/,
  iccid: /^[0-9]{19,20}$/,
  modemUuid: uuid,
  deviceUuid: uuid,
};

export const identityTypes = {
  firmware: "string",
  part: "string",
  imei: "string",
  softwareVersionNumber: "string",
  serialNumber: "string",
  imsi: "string",
  iccid: "string",
  modemUuid: "string",
  deviceUuid: "string",
} as const satisfies OptionTypes<ModemIdentity>;

export interface IdentityOptions {
  random: Random;
  keys: Keys;
  files?: Files;
  folder?: string;
  /** What to be instead of what is stored or made up. It is stored. */
  identity?: Partial<ModemIdentity>;
}

/**
 * Reads the identity of a modem's folder, or makes one.
 *
 * @throws {ThinglineError} OPTION_INVALID, STORE_CORRUPT.
 */
export async function openIdentity(options: IdentityOptions): Promise<StoredIdentity> {
  const { files, folder, identity: wanted = {} } = options;
  checkWanted(wanted);
  const path = `${folder}/identity.json`;
  const isKept = files !== undefined && folder !== undefined;
  const remedy = "Remove the file to give this modem a new identity.";
  const stored = isKept
    ? await readRecord(files, { path, check: (value) => checkIdentity(value, options.keys), remedy })
    : undefined;
  const identity = withPart({ ...(stored ?? (await makeIdentity(options))), ...wanted }, wanted);
  if (isKept && (stored === undefined || JSON.stringify(stored) !== JSON.stringify(identity))) {
    await writeRecord(files, path, identity);
  }
  return identity;
}

function checkWanted(wanted: Partial<ModemIdentity>): void {
  for (const [name, value] of Object.entries(wanted) as [keyof ModemIdentity, string | undefined][]) {
    const isRight = name in formats && value !== undefined && formats[name].test(value);
    const isUnknown =
      value !== undefined &&
      ((name === "firmware" && !isFirmwareName(value)) || (name === "part" && !isModemPart(value)));
    if (!isRight || isUnknown) {
      const known = name === "firmware" ? firmwareProfiles : modemParts;
      const expected = isUnknown ? Object.keys(known).join(", ") : String(formats[name]);
      const message = `identity.${name}: expected ${expected}, got "${value}"`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: `identity.${name}` } });
    }
  }
}

/** The part and the firmware belong together: the one that was asked for decides, and one of both that do not fit is refused. */
function withPart(identity: StoredIdentity, { firmware, part }: Partial<ModemIdentity>): StoredIdentity {
  const fits = (other: ModemPart, name: FirmwareName) => firmwareProfiles[name].parts.includes(other);
  if (fits(identity.part, identity.firmware)) return identity;
  if (firmware !== undefined && part !== undefined) {
    const message = `identity.part: ${firmware} is for ${firmwareProfiles[firmware].parts.join(", ")}, got ${part}`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "identity.part" } });
  }
  if (part !== undefined) return { ...identity, firmware: defaultFirmwares[modemParts[part].family] };
  return { ...identity, part: firmwareProfiles[identity.firmware].parts[0] ?? identity.part };
}

const defaultFirmwares = { nrf9160: defaultFirmware, nrf91x1: "mfw_nrf91x1_2.0.2" } as const;

function checkIdentity(value: unknown, keys: Keys): StoredIdentity | undefined {
  if (!isRecord(value)) return undefined;
  for (const [name, format] of Object.entries(formats)) {
    // Modems that were made before there were several parts do not name theirs.
    const text = value[name] ?? (name === "part" ? "nRF9160" : undefined);
    if (typeof text !== "string" || !format.test(text)) return undefined;
  }
  if (!isFirmwareName(String(value["firmware"])) || !isPart(value["part"])) return undefined;
  if (!isSigningKey(value["identityKey"], keys)) return undefined;
  return { part: "nRF9160", ...value } as unknown as StoredIdentity;
}

function isPart(part: unknown): boolean {
  return part === undefined || (typeof part === "string" && isModemPart(part));
}

/** Bytes of the SubjectPublicKeyInfo of a P-256 key. */
const publicKeyBytes = 91;

/** The modem signs with ES256. */
function isSigningKey(pem: unknown, keys: Keys): boolean {
  if (typeof pem !== "string") return false;
  try {
    return keys.publicKeyOf(pem).length === publicKeyBytes;
  } catch (error) {
    if (isThinglineError(error)) return false;
    throw error;
  }
}

async function makeIdentity({ random, keys }: IdentityOptions): Promise<StoredIdentity> {
  const { privateKeyPem } = await keys.generate("ec-p256");
  return {
    firmware: defaultFirmware,
    part: "nRF9160",
    // The type allocation code of the nRF9160.
    imei: withCheckDigit(`35265610${digits(random, 6)}`),
    softwareVersionNumber: "11",
    serialNumber: digits(random, 15),
    imsi: `00101${digits(random, 10)}`,
    iccid: withCheckDigit(`89450${digits(random, 14)}`),
    modemUuid: random.uuid(),
    deviceUuid: random.uuid(),
    identityKey: privateKeyPem,
  };
}

function digits(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.integer(10)).join("");
}

/** Luhn, as in ISO/IEC 7812-1. */
function withCheckDigit(number: string): string {
  let sum = 0;
  for (let index = 0; index < number.length; index++) {
    const digit = Number(number[number.length - 1 - index]);
    const doubled = index % 2 === 0 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return `${number}${(10 - (sum % 10)) % 10}`;
}
