import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { atCommandBytesMax, decodeActiveTime, isLteActive, reservedSecTags } from "@thingline/protocol/at";
import type { Clock, Connection, Dialer, Keys, SecTagDialer } from "@thingline/transport";
import type { AtPortCounters, AtPortOptions } from "./at-port.js";
import { AtPort } from "./at-port.js";
import type { ModemBehaviour, ModemEvent, ModemSurroundings } from "./behaviour/behaviour.js";
import { checkModemBehaviour } from "./behaviour/check.js";
import { BehaviourRunner } from "./behaviour/runner.js";
import { FirmwareArea } from "./firmware-area.js";
import { firmwareProfiles, profileOf } from "./firmware.js";
import type { ModemIdentity, StoredIdentity } from "./identity.js";
import { openIdentity } from "./identity.js";
import type { RadioChanges, RadioConditions } from "./lte-link.js";
import { defaultConditions, defaultLteTiming, withChanges, withTiming } from "./lte-link.js";
import { ModemMemory, powerLost } from "./memory.js";
import { ModemCore } from "./modem-core.js";
import { ModemPauses } from "./pauses.js";
import { grantedTimers } from "./power-saving.js";
import { RadioMeter } from "./radio-time.js";
import type { Refusal } from "./refusal.js";
import { SecureStorage } from "./secure-storage.js";
import type { ModemSettings } from "./settings.js";
import { readSettings, writeSettings } from "./settings.js";
import { SimCard } from "./sim-card.js";
import {
  defaultPin,
  defaultPuk,
  type ModemFaults,
  type SimulatedModem,
  type SimulatedModemOptions,
} from "./simulated-modem.js";
import { ModemSockets } from "./sockets.js";
import { conditionRules } from "./surroundings.js";
import { TrafficMeter } from "./traffic.js";
import { anyOf, checkedCopy, checkValues, type RulesOf } from "./value-rules.js";

const portRules: RulesOf<AtPortOptions> = {
  terminator: anyOf("CR", "LF", "CR+LF", "NUL"),
  whileBusy: anyOf("lost", "queued"),
};

/** Opens what the folder holds and switches the modem on. The options were checked. */
export async function bootModem(options: SimulatedModemOptions, release: () => Promise<void>): Promise<SimulatedModem> {
  const identity = await openIdentity({
    ...options,
    identity: { ...options.identity, ...(options.firmware === undefined ? {} : { firmware: options.firmware }) },
  });
  // The behaviour needs the modem and the storage the behaviour's writes: they meet here.
  let booted: BootedModem | undefined = undefined;
  const happenings = new BehaviourRunner(options.clock, {
    surround: (surroundings) => booted?.surround(surroundings),
    happen: (event) => booted?.happen(event),
    sendNoise: (noise) => booted?.sendNoise(noise),
  });
  const pauses = new ModemPauses(options.clock);
  const memory = new ModemMemory({
    pauses,
    fateOfWrite: () => happenings.fateOfWrite(),
    isWritten: () => happenings.isWritten(),
    cutPower: () => booted?.cutPower(),
  });
  const storage = await SecureStorage.open({
    ...options,
    ...(options.storageBytesMax === undefined ? {} : { contentBytesMax: options.storageBytesMax }),
    factoryEntries: [...factoryEntries(identity, options.keys), ...(options.factoryCredentials ?? [])],
    write: (change) => memory.write("credential", change),
  });
  const settings = await readSettings(options);
  const { pin = defaultPin, puk = defaultPuk } = options;
  const card = await SimCard.open({ ...options, pin, puk });
  const factoryRevision = firmwareProfiles[identity.firmware].revision;
  const { isVoltageLow = false } = options;
  const isRadioOn = (): boolean => booted?.isRadioOn ?? false;
  const firmware = await FirmwareArea.open({ ...options, factoryRevision, isVoltageLow }, isRadioOn);
  booted = new BootedModem(options, {
    identity,
    storage,
    memory,
    pauses,
    happenings,
    card,
    settings,
    firmware,
    release,
  });
  if (options.behaviour !== undefined) booted.apply(options.behaviour);
  return booted;
}

/**
 * What Nordic puts in before a modem leaves the factory: listed, and never to be deleted. Contents are stand-ins. Firmware that signs nothing
 * has no such keys.
 */
function factoryEntries(identity: StoredIdentity, keys: Keys): { secTag: number; type: number; content: string }[] {
  if (!firmwareProfiles[identity.firmware].hasKeyGeneration) return [];
  const [baseKeyTag = 0, rootCaTag = 0, identityKeyTag = 0] = reservedSecTags;
  return [
    { secTag: baseKeyTag, type: 11, content: "stand-in for Nordic's base public key" },
    { secTag: rootCaTag, type: 10, content: "stand-in for Nordic's identity root CA" },
    { secTag: identityKeyTag, type: 6, content: toHex(keys.publicKeyOf(identity.identityKey)).toUpperCase() },
  ];
}

interface BootedParts {
  identity: StoredIdentity;
  storage: SecureStorage;
  memory: ModemMemory;
  pauses: ModemPauses;
  happenings: BehaviourRunner;
  card: SimCard;
  settings: ModemSettings;
  firmware: FirmwareArea;
  release: () => Promise<void>;
}

class BootedModem implements SimulatedModem {
  readonly identity: ModemIdentity;
  readonly keys: Keys;
  readonly secTagDialer: SecTagDialer;
  readonly dialer: Dialer;
  readonly faults: ModemFaults;
  readonly firmware: FirmwareArea;
  readonly counters: AtPortCounters = { lostBytes: 0, droppedNotifications: 0 };
  readonly traffic: TrafficMeter | undefined;
  readonly closed: Promise<void>;
  readonly #core: ModemCore;
  readonly #sockets: ModemSockets;
  readonly #clock: Clock;
  readonly #release: () => Promise<void>;
  readonly #memory: ModemMemory;
  readonly #pauses: ModemPauses;
  readonly #storage: SecureStorage;
  readonly #happenings: BehaviourRunner;
  readonly #refusals: Refusal[] = [];
  readonly #ports = new Set<AtPort>();
  readonly #listeners = new Set<(line: string) => void>();
  readonly #unplugListeners = new Set<() => void>();
  readonly #noiseListeners = new Set<(noise: string) => void>();
  readonly #resetListeners = new Set<() => void>();
  #life: "on" | "closing" | "closed" | "noPower" = "on";
  #resolveClosed: () => void = () => undefined;

  constructor(options: SimulatedModemOptions, parts: BootedParts) {
    const { identity, storage, memory, pauses, happenings, card, settings, firmware, release } = parts;
    const { identityKey: _, ...publicIdentity } = identity;
    this.identity = publicIdentity;
    this.#clock = options.clock;
    this.keys = options.keys;
    this.#release = release;
    this.firmware = firmware;
    this.#memory = memory;
    this.#pauses = pauses;
    this.#storage = storage;
    this.#happenings = happenings;
    const { conditions, ...timing } = options.lte ?? {};
    const radio =
      options.countsTraffic === true ? new RadioMeter(options.clock, () => this.#activeTimeMs()) : undefined;
    this.traffic = radio && new TrafficMeter(() => radio.read());
    this.#core = new ModemCore({
      clock: options.clock,
      pauses,
      random: options.random,
      keys: options.keys,
      profile: profileOf(identity.firmware, identity.part, firmware.revision),
      identity,
      storage,
      settings,
      conditions: withChanges(defaultConditions, conditions ?? {}),
      timing: withTiming(defaultLteTiming, timing),
      card,
      endProduction: () => memory.write("settings", () => firmware.endProduction()),
      saveSettings: (changed) => memory.write("settings", () => writeSettings(options, changed)),
      takeInjectedRefusal: () => this.#refusals.shift(),
      happenings,
      onEvent: (event) => this.happen(event),
      onNotification: (line) => this.#notify(line),
      onNotificationDropped: () => void this.counters.droppedNotifications++,
      onLinkLost: () => this.#sockets.linkLost(),
      onLteState: radio && ((state) => radio.enter(state)),
    });
    this.#core.warnByDefault();
    const { network, clock, keys } = options;
    const { traffic } = this;
    const { statistics } = this.#core;
    const hasGcmSuites = (): boolean => this.#core.profile.hasGcmSuites;
    const { lte } = this.#core;
    this.#sockets = new ModemSockets({ clock, keys, network, storage, lte, traffic, statistics, hasGcmSuites });
    this.secTagDialer = this.#sockets.secTagDialer;
    this.dialer = this.#sockets.dialer;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.faults = {
      cutPowerAtWrite: (count, phase) => {
        memory.cut = { remaining: count, phase };
      },
      refuseWrites: ({ cme, count }) => this.#refusals.push(...Array.from({ length: count }, () => cme)),
      setPowerFailing: (isFailing) => this.#core.setPowerFailing(isFailing),
    };
  }

  get isRadioOn(): boolean {
    return isLteActive(this.#core.functionalMode);
  }

  get conditions(): RadioConditions {
    return this.#core.lte.conditions;
  }

  setConditions(conditions: RadioChanges): void {
    const checked = checkedCopy(conditions, "conditions", (each) => {
      checkValues(each, conditionRules, { of: "setConditions()" });
    });
    if (this.#life === "on") this.#core.changeConditions(checked);
  }

  apply(behaviour: ModemBehaviour): void {
    const checked = checkModemBehaviour(behaviour);
    this.#checkOn();
    this.#happenings.apply(checked);
  }

  onUnplug(listener: () => void): () => void {
    this.#unplugListeners.add(listener);
    return () => this.#unplugListeners.delete(listener);
  }

  onNoise(listener: (noise: string) => void): () => void {
    this.#noiseListeners.add(listener);
    return () => this.#noiseListeners.delete(listener);
  }

  onReset(listener: () => void): () => void {
    this.#resetListeners.add(listener);
    return () => this.#resetListeners.delete(listener);
  }

  surround({ writeMs, storageBytesMax, ...surroundings }: ModemSurroundings): void {
    if (this.#life !== "on") return;
    if (writeMs !== undefined) this.#memory.writeMs = writeMs;
    if (storageBytesMax !== undefined) this.#storage.contentBytesMax = storageBytesMax;
    this.#core.surround(surroundings);
  }

  happen(event: Exclude<ModemEvent, "garbage">): void {
    if (this.#life !== "on" && this.#life !== "closing") return;
    if (event === "cutPower") this.cutPower();
    else if (event === "unplug") this.#unplug();
    else if (event === "reset") {
      this.#reset();
      for (const listener of [...this.#resetListeners]) listener();
    } else this.#core.tell(event);
  }

  sendNoise(noise: string): void {
    for (const port of this.#ports) port.sendNoise(noise);
    for (const listener of [...this.#noiseListeners]) listener(noise);
  }

  openPort(options?: AtPortOptions): Connection {
    checkValues(options ?? {}, portRules, { of: "openPort()" });
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
    let answer: string | undefined;
    await this.#core.execute(command, (text) => {
      answer = text;
    });
    if (this.#life === "noPower") throw powerLost();
    if (answer === undefined) throw new ThinglineError("TIMEOUT", "the modem's answer was lost, as its behaviour says");
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

  async restart(): Promise<void> {
    this.#checkOn();
    await this.#core.idle();
    this.#checkOn();
    this.#reset();
    await this.firmware.start();
    this.#core.profile = profileOf(this.identity.firmware, this.identity.part, this.firmware.revision);
    this.#checkOn();
  }

  async close(): Promise<void> {
    if (this.#life === "on") {
      this.#life = "closing";
      this.#pauses.end();
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

  /** What the network grants of PSM. */
  #activeTimeMs(): number | undefined {
    const seconds = decodeActiveTime(grantedTimers(this.#core.settings, this.#core.lte.conditions).activeTime);
    return seconds === undefined ? undefined : seconds * 1000;
  }

  #isClosing(): boolean {
    return this.#life === "closing";
  }

  #reset(): void {
    this.#sockets.linkLost();
    this.#core.reset();
  }

  #unplug(): void {
    const error = new ThinglineError("SERIAL_PORT_UNPLUGGED", "the simulated modem was unplugged");
    for (const port of [...this.#ports]) port.destroy(error);
    for (const listener of [...this.#unplugListeners]) listener();
  }

  #stop(error: ThinglineError | undefined): void {
    this.#happenings.close();
    this.#memory.powerLost();
    this.#pauses.end();
    this.#core.close();
    this.firmware.close();
    this.#sockets.powerLost();
    for (const port of [...this.#ports]) port.destroy(error);
    this.#listeners.clear();
    this.#unplugListeners.clear();
    this.#noiseListeners.clear();
    this.#resetListeners.clear();
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
