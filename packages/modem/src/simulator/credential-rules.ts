import { isThinglineError } from "@thingline/protocol";
import { reservedSecTags, secTagMax } from "@thingline/protocol/at";
import type { Keys } from "@thingline/transport";
import type { FirmwareProfile } from "./firmware.js";
import type { Refusal } from "./refusal.js";
import type { SecureStorage } from "./secure-storage.js";

/** What `%CMNG` and `%KEYGEN` go by. */
export interface CredentialSituation {
  storage: SecureStorage;
  profile: FirmwareProfile;
  keys: Keys;
  /** LTE is active: nothing may be written. */
  isActive: boolean;
  /** The supply voltage is low (`%XPOFWARN`): nothing may be written. */
  isPowerFailing: boolean;
}

const testTags = { from: 2_147_483_648, to: 2_147_483_667 };
/** Highest type that any firmware knows. */
const typeMax = 13;
/** Types that are never read back: private key, PSK, endorsement key. */
const secretTypes: readonly number[] = [2, 3, 8];
/** Types that applications write; those above are the vendor's. */
const writableTypeMax = 4;

/** Types that applications delete beside those: the public key of `%XPMNG`, the endorsement key of `%KEYGEN`. */
const deletableTypes: readonly number[] = [5, 8];

/** Whether a tag exists at all, the vendor's included. */
function isTag(secTag: number, profile: FirmwareProfile): boolean {
  if (!Number.isInteger(secTag) || secTag < 0) return false;
  if (secTag <= secTagMax || reservedSecTags.includes(secTag)) return true;
  return profile.hasTestTags && secTag >= testTags.from && secTag <= testTags.to;
}

function refusalOfAddress(secTag: number, type: number, profile: FirmwareProfile): Refusal | undefined {
  if (!isTag(secTag, profile)) return "error";
  if (!Number.isInteger(type) || type < 0 || type > typeMax) return 50;
  return undefined;
}

function refusalOfChange(secTag: number, type: number, situation: CredentialSituation): Refusal | undefined {
  const refusal = refusalOfAddress(secTag, type, situation.profile);
  if (refusal !== undefined) return refusal;
  if (reservedSecTags.includes(secTag) || type > writableTypeMax) return 514;
  return refusalOfMoment(situation);
}

/** Whatever is written: not now. */
export function refusalOfMoment({ isActive, isPowerFailing, profile }: CredentialSituation): Refusal | undefined {
  if (isActive) return 518;
  return isPowerFailing && profile.guardsWrites ? 528 : undefined;
}

/** `AT%CMNG=0`. Nordic does not state which refusal wins when several would fit. */
export function refusalOfWrite(
  entry: { secTag: number; type: number; content: string },
  situation: CredentialSituation,
): Refusal | undefined {
  const { secTag, type, content } = entry;
  if (content === "" || content.includes('"') || content.includes("\0")) return "error";
  const refusal = refusalOfChange(secTag, type, situation);
  if (refusal !== undefined) return refusal;
  if (situation.storage.isFromFactory(secTag, type)) return 514;
  if (situation.storage.get(secTag, type)?.isGenerated === true) return 519;
  const isCertificate = type <= 1;
  if (isCertificate && situation.profile.checksCertificates && !areCertificates(content, situation.keys)) return 527;
  return situation.storage.hasRoomFor(entry) ? undefined : 515;
}

/** `AT%CMNG=2`. */
export function refusalOfRead(secTag: number, type: number, situation: CredentialSituation): Refusal | undefined {
  const refusal = refusalOfAddress(secTag, type, situation.profile);
  if (refusal !== undefined) return refusal;
  if (situation.storage.get(secTag, type) === undefined) return 513;
  return secretTypes.includes(type) ? 514 : undefined;
}

/** `AT%CMNG=3`. */
export function refusalOfDelete(secTag: number, type: number, situation: CredentialSituation): Refusal | undefined {
  const isOwn = deletableTypes.includes(type) && secTag <= secTagMax;
  const refusal = isOwn
    ? (refusalOfAddress(secTag, type, situation.profile) ?? refusalOfMoment(situation))
    : refusalOfChange(secTag, type, situation);
  if (refusal !== undefined) return refusal;
  if (situation.storage.isFromFactory(secTag, type)) return 514;
  return situation.storage.get(secTag, type) === undefined ? 513 : undefined;
}

/** `AT%KEYGEN` for a client key (2), or an endorsement key (8), which is told again where it is already. Whether it has room shows when it is made. */
export function refusalOfGenerate(secTag: number, type: 2 | 8, situation: CredentialSituation): Refusal | undefined {
  const refusal = refusalOfChange(secTag, 2, situation);
  if (refusal !== undefined) return refusal;
  return type === 2 && situation.storage.get(secTag, type) !== undefined ? 519 : undefined;
}

const certificate = /-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+?\r?\n-----END CERTIFICATE-----/g;

/** One or more PEM certificates, with their line ends. */
function areCertificates(content: string, keys: Keys): boolean {
  const found = content.match(certificate) ?? [];
  try {
    for (const pem of found) keys.certificatePublicKey(`${pem}\n`);
  } catch (error) {
    if (isThinglineError(error, "CERTIFICATE_INVALID")) return false;
    throw error;
  }
  return found.length > 0;
}
