import { isThinglineError, type OptionTypes, readOptions, ThinglineError } from "@thingline/protocol";
import { splitProvisioningTopics } from "@thingline/protocol/provisioning";
import { parseCertificates, type Pem } from "@thingline/protocol/x509";
import {
  type Clock,
  clockOption,
  type CredentialStore,
  credentialStoreOption,
  type Files,
  filesOption,
  type Keys,
  type KeyMaker,
  keyMakerOption,
  keysOption,
  type LinkControl,
  linkControlOption,
  type Random,
  randomOption,
  type SecTagDialer,
  secTagDialerOption,
  type Timer,
} from "@thingline/transport";
import { checkOptions as checkDeviceOptions } from "../client/check-options.js";
import { connectDevice } from "../client/create-device.js";
import { deviceSettingTypes, listsOf, withoutTypes } from "../client/option-types.js";
import type { ConnectDeviceOptions, DeviceSettings } from "../client/options.js";
import { isRecordTooLarge, sameRecordCutsMax } from "../connection/records.js";
import type { Device } from "../device.js";
import { EffectRunner } from "./effects.js";
import { stepProvisioning } from "./machine.js";
import type { ClaimMaterial, ProvisioningMethod } from "./method.js";
import type { HistoryEntry } from "./progress.js";
import { newProvisioningState, type ProvisioningState } from "./state.js";
import type { ProvisioningStepName } from "./steps.js";
import {
  type CaSource,
  defaultProvisioningLimits,
  type ProvisioningConfig,
  type ProvisioningEffect,
  type ProvisioningEffectType,
  type ProvisioningEvent,
  type ProvisioningInput,
  type ProvisioningLimits,
  type ProvisioningOutcome,
  type ProvisioningOutput,
  type TagItem,
} from "./types.js";

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
  /** The security tag that holds the claim: CA, certificate, private key. 43 in the sample. */
  claimTag: number;
  /** A claim to write to its tag first: a temporary one that a trusted user was given. Default: what the tag holds. */
  claim?: ClaimMaterial;
  /**
   * The client id while the claim is in use: `prefix` is `claim-<clientId>`, which shares no session with the device; `device` is the
   * device's own, which the policies of the original's cloud half ask for, and so does a device that renews its own certificate.
   */
  claimClientId?: "prefix" | "device";
  /** For keys that are made inside the modem. */
  keyMaker?: KeyMaker;
  /** The security tag for the device's own credentials. Default {@link defaultDeviceTag}. */
  deviceTag?: number;
  store: CredentialStore;
  link: LinkControl;
  dialer: SecTagDialer;
  /** Where the progress is kept: one small file, without keys. */
  files: Files;
  progressPath: string;
  keys: Keys;
  clock: Clock;
  random: Random;
  /** PEM for the device's tag. Default: the claim tag's CA, else Amazon Root CA 1. */
  ca?: Pem;
  /** For the connections. The claim's session is always clean, so that none of it is left to the device's. */
  settings?: Omit<DeviceSettings, "clientId" | "clock" | "random" | "applicationTopics" | "on" | "reconnect">;
  /** Application topics of the device's own connection. Default none, as in the sample. */
  applicationTopics?: Iterable<string>;
  limits?: Partial<ProvisioningLimits>;
  onEvent?: (event: ProvisioningEvent) => void;
  /** Awaited before and after each effect. What it throws ends the flow where it stands, as a power cut would. */
  onStep?: (point: ProvisioningPoint) => void | Promise<void>;
  /** Default {@link connectDevice}. */
  connect?: (options: ConnectDeviceOptions) => Promise<Device>;
  signal?: AbortSignal;
}

export interface ProvisionResult {
  /**
   * Connected with the device's own credentials. The caller closes it. It does not reconnect by itself: for work that lasts, close
   * it and make a device with `createDevice`.
   */
  device: Device;
  secTag: number;
  certificateId: string;
  /** false: the device was provisioned before this call. */
  isNew: boolean;
  /** As RegisterThing answered, in this run or an earlier one; undefined with methods that do not register, or where it named none. */
  thingName: string | undefined;
  /** The template's `DeviceConfiguration`, as RegisterThing answered; kept over restarts. Empty with methods that do not register. */
  deviceConfiguration: Readonly<Record<string, string>>;
  /** Where the CA in the device's tag came from; undefined when it was written in an earlier run. */
  caSource: CaSource | undefined;
  /** Every request for a certificate and what became of it, oldest first. */
  history: readonly HistoryEntry[];
}

/**
 * Takes a device from its claim to credentials of its own, in the twelve steps of Nordic's sample, and connects with them.
 * Safe to call at every start: a device that is provisioned connects, one that lost its power half-way goes on.
 *
 * @throws {ThinglineError} CREDENTIAL_MISSING without a complete claim; PROVISIONING_REJECTED with the cloud's code and
 * reason; PROVISIONING_TIMEOUT, KEY_MISMATCH and the other codes of bad answers; CREDENTIAL_REFUSED and
 * CREDENTIAL_NOT_VERIFIED when writing fails; PROVISIONING_NOT_PROVED when the cloud does not take the new credentials;
 * PROVISIONING_EXHAUSTED; those of connecting and of the link; OPTION_INVALID; ABORTED.
 */
export async function provisionDevice(options: ProvisionDeviceOptions): Promise<ProvisionResult> {
  return new Provisioner(options).run();
}

class Provisioner {
  readonly #options: ProvisionDeviceOptions;
  readonly #config: ProvisioningConfig;
  readonly #runner: EffectRunner;
  readonly #abort = new AbortController();
  #state: ProvisioningState;
  #timer: Timer | undefined;
  #effectCount = 0;
  /** Connections that a TLS record ended that was too large. */
  #recordCuts = 0;
  #step: ProvisioningStepName | undefined;
  #caSource: CaSource | undefined;
  #settle: { resolve: (outcome: ProvisioningOutcome) => void; reject: (reason: unknown) => void } | undefined;

  constructor(given: ProvisionDeviceOptions) {
    const options = optionsOf(given);
    this.#options = options;
    this.#config = checkOptions(options);
    this.#state = newProvisioningState(this.#config);
    const ca = options.ca === undefined ? undefined : parseCertificates(options.ca, "the option ca");
    this.#runner = new EffectRunner({
      ...options,
      config: this.#config,
      topics: splitProvisioningTopics(options.clientId),
      ca: ca?.map(({ pem }) => pem).join(""),
      connect: (as, topics, signal) => this.#connect(as, topics, signal),
      onAnswer: (answer) => this.#input({ type: "answer", answer }),
      onConnectionLost: (error) => this.#input({ type: "connectionLost", error }),
    });
  }

  async run(): Promise<ProvisionResult> {
    const { signal } = this.#options;
    const abort = (): void => {
      this.#abort.abort();
      if (!this.#state.inFlight) this.#input({ type: "aborted", error: abortedError(signal) });
    };
    let keepsDevice = false;
    try {
      signal?.addEventListener("abort", abort, { once: true });
      const outcome = await new Promise<ProvisioningOutcome>((resolve, reject) => {
        this.#settle = { resolve, reject };
        if (signal?.aborted) reject(abortedError(signal));
        else this.#input({ type: "start" });
      });
      if (outcome.type === "failed") throw outcome.error;
      const { device } = this.#runner;
      if (!device) throw new ThinglineError("CONNECTION_LOST", "the connection ended right after it was proved");
      keepsDevice = true;
      const { secTag, certificateId } = outcome.credentials;
      const { isNew } = outcome;
      return {
        device,
        secTag,
        certificateId,
        isNew,
        thingName: undefined,
        deviceConfiguration: {},
        caSource: this.#caSource,
        history: this.#state.progress.history,
      };
    } finally {
      this.#settle = undefined;
      this.#timer?.cancel();
      signal?.removeEventListener("abort", abort);
      await this.#runner.close({ keepsDevice });
    }
  }

  #input(input: ProvisioningInput): void {
    if (!this.#settle) return;
    const { clock } = this.#options;
    try {
      const now = { monotonicMs: clock.monotonicMs(), unixMs: clock.unixMs() };
      const [next, outputs] = stepProvisioning(this.#state, input, now);
      this.#state = next;
      for (const output of outputs) this.#output(output);
    } catch (error) {
      // A defect, or a clock or a listener of the caller that threw.
      this.#settle?.reject(error);
    }
  }

  #output(output: ProvisioningOutput): void {
    switch (output.type) {
      case "run":
        this.#perform(output.effect).catch((error: unknown) => this.#settle?.reject(error));
        return;
      case "wakeAt": {
        const { clock } = this.#options;
        this.#timer?.cancel();
        this.#timer = clock.setTimer(Math.max(0, output.atMs - clock.monotonicMs()), () =>
          this.#input({ type: "tick" }),
        );
        return;
      }
      case "event":
        if (output.event.type === "stepStarted") this.#step = output.event.name;
        if (output.event.type === "caChosen") this.#caSource = output.event.source;
        this.#options.onEvent?.(output.event);
        return;
      case "finished":
        this.#settle?.resolve(output.outcome);
        return;
    }
  }

  async #perform(effect: ProvisioningEffect): Promise<void> {
    const { onStep, signal } = this.#options;
    const item = "item" in effect ? effect.item : undefined;
    const point = { effect: effect.type, index: ++this.#effectCount, step: this.#step, item };
    await onStep?.({ ...point, when: "before" });
    let input: ProvisioningInput;
    try {
      input = { type: "succeeded", result: await this.#runner.run(effect, this.#abort.signal) };
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      if (isRecordTooLarge(error)) this.#recordCuts += 1;
      input = { type: "failed", error };
    }
    await onStep?.({ ...point, when: "after" });
    this.#input(signal?.aborted ? { type: "aborted", error: abortedError(signal) } : input);
  }

  #noteDiscarding(): void {
    const message = `a message that is too large for the TLS of this device ended ${this.#recordCuts} connections: the session at the cloud is discarded, with the messages that wait in it`;
    this.#options.onEvent?.({ type: "note", message, code: "TLS_RECORD_TOO_LARGE" });
  }

  #connect(as: "claim" | "device", topics: readonly string[], signal: AbortSignal): Promise<Device> {
    const { host, port, clientId, clock, random, dialer, settings, applicationTopics } = this.#options;
    const connect = this.#options.connect ?? connectDevice;
    // A session that an earlier life of this device left behind may hold a message that never fits.
    const discardsSession =
      as === "device" && this.#recordCuts >= sameRecordCutsMax && settings?.oversizeRecords !== "keepTrying";
    if (discardsSession) this.#noteDiscarding();
    return connect({
      ...settings,
      // The machine decides what follows the end of a connection.
      reconnect: false,
      host,
      ...(port !== undefined && { port }),
      clientId,
      clock,
      random,
      secTagDialer: dialer,
      secTag: as === "claim" ? this.#config.claimTag : this.#config.deviceTag,
      handshake: "full",
      ...(as === "claim" || discardsSession ? { isCleanSession: true } : {}),
      ...(as === "claim" ? {} : { applicationTopics: [...topics, ...(applicationTopics ?? [])] }),
      signal,
    });
  }
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

const required: readonly (keyof ProvisionDeviceOptions)[] = [
  "host",
  "clientId",
  "claimTag",
  "store",
  "link",
  "dialer",
  "files",
  "progressPath",
  "keys",
  "clock",
  "random",
];

/** As they are now: connections are made with them until the end. */
function optionsOf(given: ProvisionDeviceOptions): ProvisionDeviceOptions {
  const of = "provisionDevice()";
  const options = readOptions(given, optionTypes, { of, required });
  const { settings } = options;
  if (settings !== undefined) options.settings = readOptions(settings, settingTypes, { of, prefix: "settings." });
  return { ...options, ...listsOf(options) };
}

function checkOptions(options: ProvisionDeviceOptions): ProvisioningConfig {
  const { clientId, claimTag, deviceTag = defaultDeviceTag } = options;
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
  if (options.method !== undefined && options.method.kind !== "split") {
    throw invalid("method", `method: ${options.method.kind} is not built yet`);
  }
  const limits = { ...defaultProvisioningLimits, ...definedOf(options.limits ?? {}) };
  for (const [name, value] of Object.entries(limits)) {
    if (Number.isInteger(value) && Number(value) >= 1) continue;
    throw invalid(`limits.${name}`, `limits.${name} must be a whole number of at least 1, got ${value}`);
  }
  checkConnecting(options);
  return { clientId, claimTag, deviceTag, limits };
}

/** What the connections are made with, before the first of them. */
function checkConnecting({
  host,
  port,
  clientId,
  clock,
  random,
  dialer,
  claimTag,
  settings,
  applicationTopics,
}: ProvisionDeviceOptions): void {
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

const definedOf = <Values extends object>(values: Values): Partial<Values> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Values>;

function invalid(option: string, message: string): ThinglineError {
  return new ThinglineError("OPTION_INVALID", message, { details: { option } });
}

function abortedError(signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", "provisioning was aborted by the caller", { cause: signal?.reason });
}
