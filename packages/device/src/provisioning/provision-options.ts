import { bytesEqual, optionInvalid, type OptionTypes, readOptions, ThinglineError } from "@thingline/protocol";
import { claimClientIdOf } from "@thingline/protocol/provisioning";
import {
  type DistinguishedName,
  parseCertificates,
  nameValueCharactersMax,
  parsePrivateKey,
  type Pem,
} from "@thingline/protocol/x509";
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
  secTagDialerOption,
} from "@thingline/transport";
import { checkOptions as checkDeviceOptions } from "../client/check-options.js";
import { deviceSettingTypes, listsOf, withoutTypes } from "../client/option-types.js";
import type { ConnectDeviceOptions, DeviceSettings } from "../client/options.js";
import type { Device } from "../device.js";
import { amazonRootCa1 } from "./amazon-root-ca.js";
import { digestOf } from "./inspect.js";
import { checkMethod, invalid, oneOf } from "./check-method.js";
import { type ClaimMaterial, keysOf, type ProvisioningMethod, wayOf } from "./method.js";
import { provisioningStepsOf, type ProvisioningStepName } from "./steps.js";
import {
  defaultProvisioningLimits,
  type ProvisioningConfig,
  type ProvisioningEffectType,
  type ProvisioningEvent,
  type ProvisioningLimits,
  type TagItem,
} from "./types.js";

/** The tag that holds the sample's claim. */
export const defaultClaimTag = 43;
/** The tag that the sample writes the device's own credentials to. */
export const defaultDeviceTag = 50;

/** A moment right before or after something is done: where a test cuts the power. */
export interface ProvisioningPoint {
  when: "before" | "after";
  effect: ProvisioningEffectType;
  /** Counts effects from 1. */
  index: number;
  /** The step that is under way, undefined before the first. */
  step: ProvisioningStepName | undefined;
  /** Which credential, for effects on one. */
  item: TagItem | undefined;
}

export interface ProvisionDeviceOptions {
  host: string;
  /** Default 8883. */
  port?: number;
  /** The device's id: MQTT client id, thing name and level of the topics. */
  clientId: string;
  /** How the device gets its credentials. Default split messages, as in the sample. */
  method?: ProvisioningMethod;
  /** The security tag that holds the claim: CA, certificate, private key. Default {@link defaultClaimTag}. */
  claimTag?: number;
  /** A claim to write to its tag first: a temporary one that a trusted user was given. Default: what the tag holds. */
  claim?: ClaimMaterial;
  /**
   * The client id while the claim is in use: `prefix`, the default, is `claim-<clientId>`, which shares no session with the device and can
   * throw none off; `device` is the device's own, which the policies of the original's cloud half ask for, and so does a device that renews
   * its own certificate.
   */
  claimClientId?: "prefix" | "device";
  /** For keys that are made inside the modem. */
  keyMaker?: KeyMaker;
  /** The security tag for the device's own credentials. Default {@link defaultDeviceTag}. */
  deviceTag?: number;
  store: CredentialStore;
  /** Default none: the network is there, and the store takes what it is given at any time. */
  link?: LinkControl;
  dialer: SecTagDialer;
  /**
   * Where the progress is kept: one small file that only its owner may read. It holds no private key; with fleet provisioning, for an hour
   * at most, the token with which whoever has the claim as well could register the certificate.
   */
  files: Files;
  progressPath: string;
  keys: Keys;
  clock: Clock;
  random: Random;
  /** PEM for the device's tag. Default: the claim tag's CA, else Amazon Root CA 1. */
  ca?: Pem;
  /**
   * For the connections. The claim's session is always clean, so that none of it is left to the device's; without `ackTimeoutMs`, a PUBACK is
   * waited for there as long as the answer.
   */
  settings?: Omit<DeviceSettings, "clientId" | "clock" | "random" | "applicationTopics" | "on" | "reconnect">;
  /** Application topics of the device's own connection. Default none, as in the sample. */
  applicationTopics?: Iterable<string>;
  limits?: Partial<ProvisioningLimits>;
  onEvent?: (event: ProvisioningEvent) => void;
  /** Awaited before and after each effect. What it throws ends the flow where it stands, as a power cut would. */
  onStep?: (point: ProvisioningPoint) => void | Promise<void>;
  /** Default `connectDevice`. */
  connect?: (options: ConnectDeviceOptions) => Promise<Device>;
  signal?: AbortSignal;
}

const limitTypes = {
  answerTimeoutMs: "number",
  resendAfterMs: "number",
  requestsPerConnectionMax: "number",
  claimConnectionsMax: "number",
  connectAttemptsMax: "number",
  retryMinMs: "number",
  retryMaxMs: "number",
  requestsMax: "number",
  unprovedMax: "number",
  ownCertificateAttemptsMax: "number",
  renewalsMax: "number",
  requestRefillMs: "number",
} as const satisfies OptionTypes<ProvisioningLimits>;

const settingTypes = withoutTypes(
  deviceSettingTypes,
  "clientId",
  "clock",
  "random",
  "applicationTopics",
  "on",
  "reconnect",
) satisfies OptionTypes<NonNullable<ProvisionDeviceOptions["settings"]>>;

const optionTypes = {
  host: "string",
  port: "number",
  clientId: "string",
  method: "object",
  claimTag: "number",
  claim: "object",
  claimClientId: "string",
  keyMaker: keyMakerOption,
  deviceTag: "number",
  store: credentialStoreOption,
  link: linkControlOption,
  dialer: secTagDialerOption,
  files: filesOption,
  progressPath: "string",
  keys: keysOption,
  clock: clockOption,
  random: randomOption,
  ca: "text",
  settings: { options: settingTypes },
  applicationTopics: "strings",
  limits: { options: limitTypes },
  onEvent: "function",
  onStep: "function",
  connect: "function",
  signal: "signal",
} as const satisfies OptionTypes<ProvisionDeviceOptions>;

const claimTypes = {
  certificatePem: "string",
  privateKeyPem: "string",
  caPem: "string",
  expiresAtUnixMs: "number",
} as const satisfies OptionTypes<ClaimMaterial>;

const required: readonly (keyof ProvisionDeviceOptions)[] = [
  "host",
  "clientId",
  "store",
  "dialer",
  "files",
  "progressPath",
  "keys",
  "clock",
  "random",
];

/** What was asked for, checked. */
export interface CheckedProvisioning {
  options: ProvisionDeviceOptions;
  method: ProvisioningMethod;
  config: ProvisioningConfig;
  /** While the claim is in use. */
  claimClientId: string;
  /** What may be written to the claim's tag. */
  claimTexts: readonly string[];
  keyMaking: { subject: DistinguishedName; maker: KeyMaker | "rsa-2048" | "ec-p256" };
  ca: string | undefined;
}

/** As they are now: connections are made with them until the end. @throws {ThinglineError} OPTION_INVALID, PROVISIONING_METHOD_UNFIT */
export function checkProvisioning(given: ProvisionDeviceOptions): CheckedProvisioning {
  const of = "provisionDevice()";
  const read = readOptions(given, optionTypes, { of, required });
  const { settings } = read;
  if (settings !== undefined) read.settings = readOptions(settings, settingTypes, { of, prefix: "settings." });
  const options: ProvisionDeviceOptions = { ...read, ...listsOf(read) };
  const method = checkMethod(options);
  const { claimTag, deviceTag } = checkTags(options);
  checkConnecting(options, claimTag);
  const claim = checkClaim(options);
  const { clientId, keyMaker, store } = options;
  const keys = keysOf(method);
  const config: ProvisioningConfig = {
    ...{ clientId, claimTag, deviceTag, keys, limits: checkLimits(options) },
    way: wayOf(method),
    steps: provisioningStepsOf(method, { hasClaimMaterial: claim !== undefined }),
    registers: method.kind === "fleet",
    keepsOnline: store.isWritableOnline === true,
    ...(claim && { claim: claim.config }),
  };
  const asked = method.kind === "ownCertificate" ? undefined : method;
  const ca = options.ca === undefined ? undefined : parseCertificates(options.ca, "the option ca");
  return {
    options,
    method,
    config,
    claimClientId: claimClientId(options, keys),
    claimTexts: claim?.texts ?? [],
    keyMaking: {
      subject: asked?.subject ?? [["CN", clientId.slice(0, nameValueCharactersMax)]],
      maker: keys === "modem" && keyMaker !== undefined ? keyMaker : (asked?.keyKind ?? "ec-p256"),
    },
    ca: ca?.map(({ pem }) => pem).join(""),
  };
}

function claimClientId(
  { clientId, claimClientId = defaultClaimClientId }: ProvisionDeviceOptions,
  keys: string,
): string {
  oneOf("claimClientId", claimClientId, ["prefix", "device"]);
  return claimClientId === "device" || keys === "own" ? clientId : claimClientIdOf(clientId);
}

function checkTags(options: ProvisionDeviceOptions): { claimTag: number; deviceTag: number } {
  const { claimTag = defaultClaimTag, deviceTag = defaultDeviceTag } = options;
  for (const [option, tag] of Object.entries({ claimTag, deviceTag })) {
    if (Number.isInteger(tag) && tag >= 0 && tag <= 2_147_483_647) continue;
    throw invalid(option, `${option} must be a security tag of 0 to 2147483647, got ${tag}`);
  }
  if (claimTag === deviceTag) {
    throw invalid(
      "deviceTag",
      `claimTag and deviceTag must differ, both are ${claimTag}: the claim is never written over`,
    );
  }
  return { claimTag, deviceTag };
}

function checkLimits(options: ProvisionDeviceOptions): ProvisioningLimits {
  const limits = {
    ...defaultProvisioningLimits,
    ...definedOf(options.limits ?? {}),
  };
  for (const [name, value] of Object.entries(limits)) {
    if (Number.isInteger(value) && Number(value) >= 1) continue;
    throw invalid(`limits.${name}`, `limits.${name} must be a whole number of at least 1, got ${value}`);
  }
  return limits;
}

/** A claim as it will lie in its tag. */
function checkClaim(
  options: ProvisionDeviceOptions,
): { config: NonNullable<ProvisioningConfig["claim"]>; texts: string[] } | undefined {
  if (options.claim === undefined) return undefined;
  const of = "provisionDevice()";
  const names = ["certificatePem", "privateKeyPem"];
  const claim = readOptions(options.claim, claimTypes, { of, prefix: "claim.", required: names });
  const { keys } = options;
  const certificate = pemsOf(claim.certificatePem, "the option claim.certificatePem");
  const { pem: privateKey } = parsePrivateKey(claim.privateKeyPem, "the option claim.privateKeyPem");
  if (!bytesEqual(keys.publicKeyOf(privateKey), keys.certificatePublicKey(certificate))) {
    const message = "the options claim.privateKeyPem and claim.certificatePem do not belong together";
    throw new ThinglineError("KEY_MISMATCH", message, { details: { option: "claim" } });
  }
  const { expiresAtUnixMs } = claim;
  if (expiresAtUnixMs !== undefined && !(expiresAtUnixMs >= 0 && expiresAtUnixMs <= dateMsMax)) {
    throw optionInvalid("claim.expiresAtUnixMs", "a Unix time in ms", expiresAtUnixMs);
  }
  const ca = claim.caPem === undefined ? undefined : pemsOf(claim.caPem, "the option claim.caPem");
  const texts = [certificate, privateKey, ca ?? amazonRootCa1];
  const sha256 = {
    certificate: digestOf(certificate, keys),
    privateKey: digestOf(privateKey, keys),
    ...(ca !== undefined && { ca: digestOf(ca, keys) }),
  };
  const fallbackCa = digestOf(amazonRootCa1, keys);
  return {
    config: { sha256, fallbackCa, expiresAtUnixMs },
    texts,
  };
}

/** What a Date can hold. */
const dateMsMax = 8.64e15;

const pemsOf = (text: string, what: string): string =>
  parseCertificates(text, what)
    .map(({ pem }) => pem)
    .join("");

/** What the connections are made with, before the first of them. */
function checkConnecting(options: ProvisionDeviceOptions, claimTag: number): void {
  const { host, port, clientId, clock, random, dialer, settings, applicationTopics } = options;
  checkDeviceOptions(
    {
      ...settings,
      host,
      ...(port !== undefined && { port }),
      clientId,
      clock,
      random,
      secTagDialer: dialer,
      secTag: claimTag,
      applicationTopics: applicationTopics ?? [],
    },
    "provisionDevice()",
  );
}

const defaultClaimClientId = "prefix";

const definedOf = <Values extends object>(values: Values): Partial<Values> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Values>;
