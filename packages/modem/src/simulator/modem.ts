import { checkOptionTypes, isThinglineError, type OptionTypes, ThinglineError, toHex } from "@thingline/protocol";
import { atCommandBytesMax, isLteActive, reservedSecTags } from "@thingline/protocol/at";
import {
  type Clock,
  clockOption,
  type Connection,
  type Dialer,
  dialerOption,
  type Files,
  filesOption,
  type Keys,
  keysOption,
  makePrivateFolder,
  type ModemFirmware,
  type Random,
  randomOption,
  type SecTagDialer,
} from "@thingline/transport";
import type { AtPortCounters, AtPortOptions } from "./at-port.js";
import { AtPort } from "./at-port.js";
import type { Refusal } from "./credential-rules.js";
import type { FirmwareName, FirmwareProfile } from "./firmware.js";
import { firmwareProfiles } from "./firmware.js";
import type { ModemIdentity, StoredIdentity } from "./identity.js";
import { identityTypes, openIdentity } from "./identity.js";
import type { Cell, LteTiming, RadioConditions } from "./lte-link.js";
import { defaultConditions, defaultLteTiming } from "./lte-link.js";
import { ModemCore } from "./modem-core.js";
import { FirmwareArea } from "./firmware-area.js";
import { SecureStorage } from "./secure-storage.js";
import type { ModemSettings } from "./settings.js";
import { readSettings, writeSettings } from "./settings.js";
import { ModemSockets } from "./sockets.js";

export interface SimulatedModemOptions {
  /** What the modem's sockets go out through. */
  network: Dialer;
  clock: Clock;
  random: Random;
  keys: Keys;
  /** Where credentials, identity and settings are kept. Both or none: without them the modem forgets all. */
  files?: Files;
  folder?: string;
  /** What to be instead of what the folder says or is made up. */
  identity?: Partial<ModemIdentity>;
  /** Short for `identity.firmware`. */
  firmware?: FirmwareName;
  /** Delays, and what surrounds the modem when it boots. */
  lte?: Partial<LteTiming> & { conditions?: Partial<RadioConditions> };
  /** Of the SIM card, for `conditions.sim: "pinRequired"`. Default {@link defaultPin}. */
  pin?: string;
  /** Default 64 KiB. */
  storageBytesMax?: number;
  /** The supply is too low to write firmware when the modem starts: an update that is scheduled is put off. Default false. */
  isVoltageLow?: boolean;
}

export const defaultPin = "1234";

/** Faults that can be put into a running modem. */
export interface ModemFaults {
  /**
   * The power goes away at the Nth write of the credential storage from now on (1 is the next one), `before` it reached
   * the disk or `after`. The command never answers; {@link SimulatedModem.closed} resolves.
   */
  cutPowerAtWrite(count: number, phase: "before" | "after"): void;
  /** The next writes, `%CMNG=0` and `=3`, are refused with this code. */
  refuseWrites(options: { cme: 513 | 514 | 515 | 518 | 519 | 527 | 528; count: number }): void;
  /** A low supply voltage: writes are refused with 528, `%XPOFWARN` is sent when subscribed. */
  setPowerFailing(isFailing: boolean): void;
}

/** A simulated nRF91: an AT interface, secure storage, an LTE link, sockets. */
export interface SimulatedModem {
  readonly identity: ModemIdentity;
  /** TLS inside the modem with the credentials of a security tag. */
  readonly secTagDialer: SecTagDialer;
  /** Plain sockets of the modem, for TLS outside of it. */
  readonly dialer: Dialer;
  readonly faults: ModemFaults;
  /** Takes delta images of `makeSimulatedModemDelta()`; applied when the modem is made again on its folder. */
  readonly firmware: ModemFirmware;
  /** What went past the ports. */
  readonly counters: Readonly<AtPortCounters>;
  /** What surrounds the modem at this moment. */
  readonly conditions: RadioConditions;
  /** Coverage, denial, SIM, cell: takes effect at once, with the URCs that a real modem sends. */
  setConditions(conditions: Partial<RadioConditions>): void;
  /** The host's end of a serial port with the line discipline of Nordic's AT host library. */
  openPort(options?: AtPortOptions): Connection;
  /**
   * One command, without terminator, as `nrf_modem_at_cmd` takes it. Answers the exact response: information lines and
   * the final result code, each ended by CR LF.
   *
   * @throws {ThinglineError} LIMIT_EXCEEDED for more than 4096 bytes, CLOSED, CONNECTION_LOST when the power went away.
   */
  at(command: string): Promise<string>;
  /** URCs, without line end. @returns what ends the subscription. */
  onNotification(listener: (line: string) => void): () => void;
  /** The power goes away now: nothing is saved, nobody is told. */
  cutPower(): void;
  /** Switches off and gives the folder back. Safe to call twice. */
  close(): Promise<void>;
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const timingTypes = {
  searchMs: "number",
  attachMs: "number",
  detachMs: "number",
  rrcInactivityMs: "number",
} as const satisfies OptionTypes<LteTiming>;

const cellTypes = {
  plmn: "string",
  fullName: "string",
  shortName: "string",
  tac: "string",
  cellId: "string",
  act: "number",
  band: "number",
  physicalCellId: "number",
  earfcn: "number",
  rsrpDbm: "number",
  rsrqDb: "number",
  snrDb: "number",
} as const satisfies OptionTypes<Cell>;

const conditionTypes = {
  hasCoverage: "boolean",
  isDenied: "boolean",
  rejectCause: "number",
  isRoaming: "boolean",
  sim: "string",
  cell: { options: cellTypes },
  hasData: "boolean",
} as const satisfies OptionTypes<RadioConditions>;

const portTypes = { terminator: "string", whileBusy: "string" } as const satisfies OptionTypes<AtPortOptions>;

const optionTypes = {
  network: dialerOption,
  clock: clockOption,
  random: randomOption,
  keys: keysOption,
  files: filesOption,
  folder: "string",
  identity: { options: identityTypes },
  firmware: "string",
  lte: { options: { ...timingTypes, conditions: { options: conditionTypes } } },
  pin: "string",
  storageBytesMax: "number",
  isVoltageLow: "boolean",
} as const satisfies OptionTypes<SimulatedModemOptions>;

/**
 * Boots a simulated nRF91, functional mode 0.
 *
 * @throws {ThinglineError} OPTION_INVALID, LOCKED when another process runs on the folder, STORE_CORRUPT naming the
 * damaged file.
 */
export async function createSimulatedModem(options: SimulatedModemOptions): Promise<SimulatedModem> {
  checkOptionTypes(options, optionTypes, {
    of: "createSimulatedModem()",
    required: ["network", "clock", "random", "keys"],
  });
  const { files, folder } = options;
  if ((files === undefined) !== (folder === undefined)) {
    const message = "files and folder: expected both or none";
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "folder" } });
  }
  if (files === undefined || folder === undefined) return boot(options, async () => undefined);
  await makePrivateFolder(files, folder);
  const lock = await files.lock(folder);
  try {
    return await boot(options, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function boot(options: SimulatedModemOptions, release: () => Promise<void>): Promise<SimulatedModem> {
  const identity = await openIdentity({
    ...options,
    identity: { ...options.identity, ...(options.firmware === undefined ? {} : { firmware: options.firmware }) },
  });
  const faults = new StorageFaults();
  const storage = await SecureStorage.open({
    ...options,
    ...(options.storageBytesMax === undefined ? {} : { contentBytesMax: options.storageBytesMax }),
    factoryEntries: factoryEntries(identity, options.keys),
    onWrite: (phase) => faults.onWrite(phase),
  });
  const settings = await readSettings(options);
  const factoryRevision = firmwareProfiles[identity.firmware].revision;
  const { isVoltageLow = false } = options;
  let booted: BootedModem | undefined = undefined;
  const isRadioOn = (): boolean => booted?.isRadioOn ?? false;
  const firmware = await FirmwareArea.open({ ...options, factoryRevision, isVoltageLow }, isRadioOn);
  booted = new BootedModem(options, { identity, storage, faults, settings, firmware, release });
  return booted;
}

/** What Nordic puts in before a modem leaves the factory: listed, and never to be deleted. Contents are stand-ins. */
function factoryEntries(identity: StoredIdentity, keys: Keys): { secTag: number; type: number; content: string }[] {
  const [baseKeyTag = 0, rootCaTag = 0, identityKeyTag = 0] = reservedSecTags;
  return [
    { secTag: baseKeyTag, type: 11, content: "stand-in for Nordic's base public key" },
    { secTag: rootCaTag, type: 10, content: "stand-in for Nordic's identity root CA" },
    { secTag: identityKeyTag, type: 6, content: toHex(keys.publicKeyOf(identity.identityKey)).toUpperCase() },
  ];
}

/** Faults of the storage, and the count of its writes. */
class StorageFaults {
  cut: { remaining: number; phase: "before" | "after" } | undefined;
  refusals: Refusal[] = [];
  onCut: () => void = () => undefined;

  onWrite(phase: "before" | "after"): void {
    if (this.cut === undefined) return;
    if (phase === "before") this.cut.remaining--;
    if (this.cut.remaining > 0 || this.cut.phase !== phase) return;
    this.cut = undefined;
    this.onCut();
    throw powerLost();
  }
}

function powerLost(): ThinglineError {
  return new ThinglineError("CONNECTION_LOST", "the simulated modem lost its power");
}

/** What it says of itself after an update; what it can do stays as its first firmware's. */
function profileOf(name: FirmwareName, revision: string): FirmwareProfile {
  const profile = firmwareProfiles[name];
  return revision === profile.revision
    ? profile
    : { ...profile, revision, shortVersion: revision.replace(/^mfw_/u, "") };
}

interface BootedParts {
  identity: StoredIdentity;
  storage: SecureStorage;
  faults: StorageFaults;
  settings: ModemSettings;
  firmware: FirmwareArea;
  release: () => Promise<void>;
}

class BootedModem implements SimulatedModem {
  readonly identity: ModemIdentity;
  readonly secTagDialer: SecTagDialer;
  readonly dialer: Dialer;
  readonly faults: ModemFaults;
  readonly firmware: FirmwareArea;
  readonly counters: AtPortCounters = { lostBytes: 0, droppedNotifications: 0 };
  readonly closed: Promise<void>;
  readonly #core: ModemCore;
  readonly #sockets: ModemSockets;
  readonly #clock: Clock;
  readonly #release: () => Promise<void>;
  readonly #ports = new Set<AtPort>();
  readonly #listeners = new Set<(line: string) => void>();
  #life: "on" | "closing" | "closed" | "noPower" = "on";
  #resolveClosed: () => void = () => undefined;

  constructor(options: SimulatedModemOptions, { identity, storage, faults, settings, firmware, release }: BootedParts) {
    const { identityKey: _, ...publicIdentity } = identity;
    this.identity = publicIdentity;
    this.#clock = options.clock;
    this.#release = release;
    this.firmware = firmware;
    const { conditions, ...timing } = options.lte ?? {};
    this.#core = new ModemCore({
      clock: options.clock,
      random: options.random,
      keys: options.keys,
      profile: profileOf(identity.firmware, firmware.revision),
      identity,
      storage,
      settings,
      conditions: { ...defaultConditions, ...conditions },
      timing: { ...defaultLteTiming, ...timing },
      pin: options.pin ?? defaultPin,
      saveSettings: (changed) => writeSettings(options, changed),
      takeInjectedRefusal: () => faults.refusals.shift(),
      onNotification: (line) => this.#notify(line),
      onLinkLost: () => this.#sockets.linkLost(),
    });
    const { network, clock, keys } = options;
    this.#sockets = new ModemSockets({ clock, keys, network, storage, lte: this.#core.lte });
    this.secTagDialer = this.#sockets.secTagDialer;
    this.dialer = this.#sockets.dialer;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    faults.onCut = () => this.cutPower();
    this.faults = {
      cutPowerAtWrite: (count, phase) => {
        faults.cut = { remaining: count, phase };
      },
      refuseWrites: ({ cme, count }) => faults.refusals.push(...Array.from({ length: count }, () => cme)),
      setPowerFailing: (isFailing) => this.#core.setPowerFailing(isFailing),
    };
  }

  get isRadioOn(): boolean {
    return isLteActive(this.#core.functionalMode);
  }

  get conditions(): RadioConditions {
    return this.#core.lte.conditions;
  }

  setConditions(conditions: Partial<RadioConditions>): void {
    checkOptionTypes(conditions, conditionTypes, { of: "setConditions()" });
    if (this.#life === "on") this.#core.lte.change(conditions);
  }

  openPort(options?: AtPortOptions): Connection {
    checkOptionTypes(options ?? {}, portTypes, { of: "openPort()" });
    this.#checkOn();
    const onEnd = (port: AtPort) => this.#ports.delete(port);
    const onFault = (port: AtPort, error: unknown) => {
      // A disk that cannot be written is told to the host; anything else is a bug and must not be hidden.
      if (!isThinglineError(error)) throw error;
      port.destroy(error);
    };
    const port = new AtPort(this.#core, this.#clock, { onEnd, onFault, counters: this.counters }, options);
    this.#ports.add(port);
    return port.connection;
  }

  async at(command: string): Promise<string> {
    this.#checkOn();
    const bytes = new TextEncoder().encode(command).length;
    if (bytes > atCommandBytesMax) {
      const message = `the modem takes AT commands of ${atCommandBytesMax} bytes, got ${bytes} (E2BIG)`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytes, limit: atCommandBytesMax } });
    }
    let answer = "";
    await this.#core.execute(command, (text) => {
      answer = text;
    });
    if (this.#life === "noPower") throw powerLost();
    return answer;
  }

  onNotification(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  cutPower(): void {
    if (this.#life !== "on" && this.#life !== "closing") return;
    this.#life = "noPower";
    this.#stop(powerLost());
    void this.#release().then(this.#resolveClosed);
  }

  async close(): Promise<void> {
    if (this.#life === "on") {
      this.#life = "closing";
      await this.#core.idle();
      // The power may have gone while the last command ran.
      if (this.#isClosing()) {
        this.#life = "closed";
        this.#stop(undefined);
        await this.#release();
        this.#resolveClosed();
      }
    }
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #isClosing(): boolean {
    return this.#life === "closing";
  }

  #stop(error: ThinglineError | undefined): void {
    this.#core.close();
    this.firmware.close();
    this.#sockets.powerLost();
    for (const port of [...this.#ports]) port.destroy(error);
    this.#listeners.clear();
  }

  #notify(line: string): void {
    for (const port of this.#ports) port.notify(line);
    for (const listener of [...this.#listeners]) listener(line);
  }

  #checkOn(): void {
    if (this.#life === "noPower") throw powerLost();
    if (this.#life !== "on") throw new ThinglineError("CLOSED", "the simulated modem was closed");
  }
}
