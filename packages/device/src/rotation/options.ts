import { methodsOf, optionInvalid, type OptionTypes, readOptions, ThinglineError } from "@thingline/protocol";
import type { Pem } from "@thingline/protocol/x509";
import {
  type Clock,
  clockOption,
  type CredentialStore,
  credentialStoreOption,
  type Files,
  filesOption,
  type KeyMaker,
  keyMakerOption,
  type Keys,
  keysOption,
  type LinkControl,
  linkControlOption,
  type Random,
  randomOption,
  type SecTagDialer,
} from "@thingline/transport";
import type { Device } from "../device.js";
import type { ProvisioningMethod } from "../provisioning/method.js";
import {
  checkProvisioning,
  type ProvisionDeviceOptions,
  type ProvisioningPoint,
} from "../provisioning/provision-options.js";
import type { ProvisioningLimits } from "../provisioning/types.js";
import type { RotationPolicy } from "./age.js";
import type { RotationListeners } from "./types.js";

/** So long a device keeps what it had: as long as the local cloud leaves it ACTIVE. */
export const defaultRotationOverlapMs = 3_600_000;
export const defaultWarnDays: readonly number[] = [30, 14, 7, 3, 1, 0];
/** Rotations by age begin within so long after their time, so that devices of one day do not come at once. */
export const defaultRotationSpreadMs = 3_600_000;
export const rotationOverlapMsMax = 366 * 86_400_000;
export const warnDaysMax = 32;

export interface RotationOptions {
  /** Two security tags that take turns. One holds the credentials in use; before the first rotation it is the first one that is complete. */
  tags: readonly [number, number];
  store: CredentialStore;
  /** Of a modem, which has to be offline while credentials are written. Default: they can be written at any time. */
  link?: LinkControl;
  /**
   * How the new certificate comes: by fleet provisioning under a template for rotation, or by split messages. The device's own certificate
   * has to be allowed to ask.
   */
  method: ProvisioningMethod;
  /** For keys that are made inside the modem. */
  keyMaker?: KeyMaker;
  /** PEM for the new tag. Default: the CA in the tag in use. */
  ca?: Pem;
  files: Files;
  /** Where the device remembers its tags; one process at a time has it. */
  folder: string;
  keys: Keys;
  clock: Clock;
  random: Random;
  /** When to rotate by age. Default: never. */
  policy?: RotationPolicy;
  /** 0 to {@link rotationOverlapMsMax}: how long the credentials before are kept once the new ones are proved. Default {@link defaultRotationOverlapMs}. */
  overlapMs?: number;
  /** Whole days before the end of the certificate at which the application is told. Default {@link defaultWarnDays}. */
  warnDays?: readonly number[];
  /** Default {@link defaultRotationSpreadMs}. */
  spreadMs?: number;
  /** Whether the time of `clock` can be gone by. Default: where nothing speaks against it. */
  isClockTrusted?: () => boolean;
  /** Of the provisioning flow. */
  limits?: Partial<ProvisioningLimits>;
  on?: RotationListeners;
  /** Awaited before and after each effect of the provisioning flow. What it throws ends the rotation where it stands. */
  onStep?: (point: ProvisioningPoint) => void | Promise<void>;
}

/** What a rotation needs of its device, which the library drives (`driver: "library"`) and which has a `secTagDialer`. */
export type RotationDevice = Device;

const deviceOption = methodsOf<Pick<Device, "connect" | "disconnect" | "on" | "subscribe">>("a Device", {
  connect: true,
  disconnect: true,
  on: true,
  subscribe: true,
});

const policyTypes = {
  atLifetimePercent: "number",
  daysBeforeEnd: "number",
  maxAgeDays: "number",
} as const satisfies OptionTypes<RotationPolicy>;

const optionTypes = {
  tags: "array",
  store: credentialStoreOption,
  link: linkControlOption,
  method: "object",
  keyMaker: keyMakerOption,
  ca: "text",
  files: filesOption,
  folder: "string",
  keys: keysOption,
  clock: clockOption,
  random: randomOption,
  policy: { options: policyTypes },
  overlapMs: "number",
  warnDays: "array",
  spreadMs: "number",
  isClockTrusted: "function",
  limits: "object",
  on: "object",
  onStep: "function",
} as const satisfies OptionTypes<RotationOptions>;

const required = ["tags", "store", "method", "files", "folder", "keys", "clock", "random"];

export interface CheckedRotation extends RotationOptions {
  policy: RotationPolicy;
  overlapMs: number;
  warnDays: readonly number[];
  spreadMs: number;
}

/** The flow dials nothing by itself: its connections are the device's. */
const noDialer: SecTagDialer = {
  name: "the device's own connection",
  dial: () => Promise.reject(new ThinglineError("ADAPTER_FAILED", "a rotation dials nothing by itself")),
};

/** Credentials that need a link to be written are a modem's, and so is its TLS, which takes no more than this. */
const modemDialer: SecTagDialer = { ...noDialer, receivedRecordBytesMax: 2_048 };

/** What the provisioning flow is told: the tag in use is its claim's, the other one the device's. */
export function flowOptions(
  { clientId }: Pick<Device, "clientId">,
  { store, link, method, keyMaker, ca, files, keys, clock, random, limits, onStep }: RotationOptions,
  { fromTag, toTag, progressPath }: { fromTag: number; toTag: number; progressPath: string },
): ProvisionDeviceOptions {
  return {
    ...{ host: "localhost", clientId, method, claimTag: fromTag, deviceTag: toTag, claimClientId: "device" },
    ...{ store, dialer: link === undefined ? noDialer : modemDialer, files, progressPath, keys, clock, random },
    ...(keyMaker !== undefined && { keyMaker }),
    ...(ca !== undefined && { ca }),
    ...(limits !== undefined && { limits }),
    ...(onStep !== undefined && { onStep }),
  };
}

/** @throws {ThinglineError} OPTION_INVALID, PROVISIONING_METHOD_UNFIT, and what the certificate in `ca` is refused with */
export function checkRotationOptions(device: Device, given: RotationOptions): CheckedRotation {
  const of = "openRotation()";
  readOptions({ device }, { device: deviceOption }, { of, required: ["device"] });
  const options = readOptions(given, optionTypes, { of, required });
  const { policy = {}, overlapMs = defaultRotationOverlapMs, spreadMs = defaultRotationSpreadMs } = options;
  const { warnDays = defaultWarnDays } = options;
  checkTags(options.tags);
  if (options.method.kind !== "fleet" && options.method.kind !== "split") {
    throw optionInvalid(
      "method",
      "fleet or split: a certificate of one's own CA comes from there",
      options.method.kind,
    );
  }
  checkPolicy(policy);
  whole("overlapMs", overlapMs, rotationOverlapMsMax);
  whole("spreadMs", spreadMs, rotationOverlapMsMax);
  if (warnDays.length > warnDaysMax) throw optionInvalid("warnDays", `at most ${warnDaysMax}`, warnDays.length);
  for (const days of warnDays) whole("warnDays", days, 36_500);
  // A rotation may be years away: what its flow would refuse then is refused now.
  const [fromTag, toTag] = options.tags;
  checkProvisioning(flowOptions(device, options, { fromTag, toTag, progressPath: options.folder }));
  return { ...options, policy, overlapMs, spreadMs, warnDays: [...warnDays] };
}

function checkTags(tags: readonly number[]): void {
  const areTags = tags.every((tag) => Number.isInteger(tag) && tag >= 0 && tag <= 2_147_483_647);
  if (tags.length === 2 && areTags && tags[0] !== tags[1]) return;
  throw optionInvalid("tags", "two different security tags of 0 to 2147483647", tags.join(" and ") || "none");
}

function checkPolicy({ atLifetimePercent: percent, daysBeforeEnd, maxAgeDays }: RotationPolicy): void {
  if (percent !== undefined && !(percent >= 1 && percent <= 100)) {
    throw optionInvalid("policy.atLifetimePercent", "a number from 1 to 100", percent);
  }
  for (const [name, days] of Object.entries({ daysBeforeEnd, maxAgeDays })) {
    if (days !== undefined && !(days > 0 && days <= 36_500)) {
      throw optionInvalid(`policy.${name}`, "a number of days, at most 36500", days);
    }
  }
}

function whole(option: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= max) return;
  throw optionInvalid(option, `a whole number from 0 to ${max}`, value);
}
