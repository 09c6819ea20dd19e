import type { FunctionalMode } from "@thingline/protocol/at";
import { isLteActive } from "@thingline/protocol/at";
import type { Clock, Keys, Random } from "@thingline/transport";
import { type AnswerListener, CommandExecutor } from "./command-executor.js";
import type { ModemState } from "./commands/command.js";
import { timeNotification } from "./commands/clock.js";
import { isSubscribed } from "./commands/command.js";
import { announceSim } from "./commands/functional-mode.js";
import { notifyPacketEvent } from "./commands/packet-data.js";
import { criticalTemperatureC, highTemperatureC, lowSupplyMv } from "./commands/system.js";
import { bandsOf } from "./commands/signal.js";
import { commandTable } from "./commands/table.js";
import type { ModemEvent, ModemSurroundings } from "./behaviour/behaviour.js";
import { resetLoopBlockMs } from "./behaviour/behaviour.js";
import type { BehaviourRunner } from "./behaviour/runner.js";
import { ConnectionStatistics } from "./connection-statistics.js";
import type { CredentialSituation } from "./credential-rules.js";
import type { FirmwareProfile } from "./firmware.js";
import type { StoredIdentity } from "./identity.js";
import { LteDriver } from "./lte-driver.js";
import type { Cell, LteEffect, LteState, LteTiming, RadioChanges, RadioConditions } from "./lte-link.js";
import { NetworkTime } from "./network-time.js";
import { PacketContexts } from "./packet-contexts.js";
import type { ModemPauses } from "./pauses.js";
import { grantedEdrx, grantedTimers, PowerSaving } from "./power-saving.js";
import { RadioNotifications } from "./radio-notifications.js";
import type { Refusal } from "./refusal.js";
import type { SecureStorage } from "./secure-storage.js";
import type { ModemSettings } from "./settings.js";
import type { SimCard } from "./sim-card.js";

export interface ModemCoreOptions {
  clock: Clock;
  pauses: ModemPauses;
  random: Random;
  keys: Keys;
  profile: FirmwareProfile;
  identity: StoredIdentity;
  storage: SecureStorage;
  settings: ModemSettings;
  conditions: RadioConditions;
  timing: LteTiming;
  card: SimCard;
  /** `%XPRODDONE` shall outlive the modem's settings. */
  endProduction(): Promise<void>;
  saveSettings(settings: ModemSettings): Promise<void>;
  /** A refusal that a test put in the way of the next write. */
  takeInjectedRefusal(): Refusal | undefined;
  /** What befalls commands. */
  happenings: BehaviourRunner;
  /** A command brought it about. */
  onEvent: (event: "cutPower" | "unplug" | "reset") => void;
  /** A URC, without line end. */
  onNotification: (line: string) => void;
  /** A URC that nobody gets, since too many wait for the end of a command. */
  onNotificationDropped: () => void;
  /** Every socket is dead. */
  onLinkLost(): void;
  /** The LTE machine's state after each of its inputs, when somebody measures. */
  onLteState?: ((state: LteState) => void) | undefined;
}

/** The modem itself: state, one command at a time, URCs. Channels, sockets and disk are around it. */
export class ModemCore implements ModemState {
  readonly clock: Clock;
  readonly pauses: ModemPauses;
  readonly random: Random;
  readonly keys: Keys;
  /** Another one after an update of the firmware. */
  profile: FirmwareProfile;
  readonly identity: StoredIdentity;
  readonly storage: SecureStorage;
  readonly lte: LteDriver;
  settings: ModemSettings;
  functionalMode: FunctionalMode = 0;
  cmee: 0 | 1 = 0;
  subscriptions = new Map<string, readonly number[]>();
  isGnssOn = false;
  isSimOn = false;
  isPowerFailing = false;
  copsFormat = 2;
  lastFailure = "OTHER 0";
  runtimeBandLock: string | undefined;
  readonly card: SimCard;
  readonly time: NetworkTime;
  readonly contexts = new PacketContexts();
  readonly powerSaving: PowerSaving;
  readonly statistics = new ConnectionStatistics();
  supplyMv = 4464;
  temperatureC = 25;
  readonly #options: ModemCoreOptions;
  #stored: ModemSettings;
  #temperatureLevel = 1;
  /** The SIM card asked for its PIN before it was ready. */
  #wasLocked = false;
  readonly #radio: RadioNotifications;
  readonly #executor: CommandExecutor;

  constructor(options: ModemCoreOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.pauses = options.pauses;
    this.random = options.random;
    this.keys = options.keys;
    this.profile = options.profile;
    this.identity = options.identity;
    this.storage = options.storage;
    this.settings = options.settings;
    this.#stored = structuredClone(options.settings);
    this.card = options.card;
    this.time = new NetworkTime(options.clock);
    this.#radio = new RadioNotifications(this);
    const { happenings, onEvent, onNotification } = options;
    this.#executor = new CommandExecutor(this, {
      ...{ happenings, onEvent, onNotification, onDropped: options.onNotificationDropped },
      onOvertaken: () => this.#start(),
    });
    this.lte = new LteDriver({
      clock: options.clock,
      conditions: options.conditions,
      timing: options.timing,
      allows: (cell) => this.#allows(cell),
      timers: (conditions) => grantedTimers(this.settings, conditions),
      onEffect: (effect) => this.#onLte(effect),
      onState: options.onLteState,
    });
    this.powerSaving = new PowerSaving({
      clock: options.clock,
      timers: () => grantedTimers(this.settings, this.lte.conditions),
      edrx: () => grantedEdrx(this.settings, this.lte.conditions),
      subscription: (name) => this.subscriptions.get(name) ?? [0],
      notify: (line) => this.notify(line),
      onUpdateDue: () => this.lte.input({ type: "traffic" }),
    });
    this.#askForPin();
  }

  /** See {@link CommandExecutor.execute}. */
  async execute(line: string | undefined, onAnswer: AnswerListener): Promise<void> {
    await this.#executor.execute(line, onAnswer);
  }

  notify(line: string): void {
    this.#executor.notify(line);
  }

  async saveSettings(): Promise<void> {
    const saved = structuredClone(this.settings);
    await this.#options.saveSettings(saved);
    this.#stored = saved;
  }

  /** What a behaviour has set around the modem. */
  surround(surroundings: Omit<ModemSurroundings, "writeMs" | "storageBytesMax">): void {
    const { timing, supplyMv, temperatureC, isPowerFailing, networkTimeOffsetMs, ...conditions } = surroundings;
    if (supplyMv !== undefined) this.#setSupply(supplyMv);
    if (temperatureC !== undefined) this.#setTemperature(temperatureC);
    if (isPowerFailing !== undefined) this.setPowerFailing(isPowerFailing);
    if (networkTimeOffsetMs !== undefined && this.time.moveNetwork(networkTimeOffsetMs)) {
      const isTold = this.time.isFromNetwork && isSubscribed(this, "%XTIME");
      if (isTold) this.notify(timeNotification(this.time.networkMs()));
    }
    this.changeConditions(conditions, timing);
  }

  changeConditions(conditions: RadioChanges, timing: Partial<LteTiming> = {}): void {
    const before = this.lte.conditions.sim;
    this.lte.change(conditions, timing);
    if (conditions.sim !== undefined && conditions.sim !== before && this.isSimOn) announceSim(this);
  }

  /** Something that the modem reports about itself. */
  tell(event: Exclude<ModemEvent, "cutPower" | "unplug" | "reset" | "garbage">): void {
    const words = { resetLoop: "RESET LOOP", overheated: "ME OVERHEATED", batteryLow: "ME BATTERY LOW" } as const;
    if (isSubscribed(this, "%MDMEV")) this.notify(`%MDMEV: ${words[event]}`);
    if (event === "resetLoop") this.lte.blockAttach(resetLoopBlockMs);
    else {
      notifyPacketEvent(this, words[event]);
      this.#goOffline();
    }
  }

  switchSim(isOn: boolean): void {
    if (this.isSimOn === isOn) return;
    this.isSimOn = isOn;
    if (!isOn) this.#askForPin();
  }

  unlockSim(): void {
    this.#wasLocked = true;
    this.lte.change({ sim: "ready" });
    announceSim(this);
  }

  blockSim(as: "pukRequired" | "failed"): void {
    this.lte.change({ sim: as });
    announceSim(this);
  }

  commandNames(): string[] {
    return [...commandTable]
      .filter(([name, { isIn }]) => name !== "" && isIn?.(this.profile) !== false)
      .map(([name]) => `AT${name}`);
  }

  async endProduction(): Promise<void> {
    await this.#options.endProduction();
  }

  /** Starts again as after a fault: what was not stored is gone, and a command that is under way is not answered. */
  reset(): void {
    this.#executor.overtake();
    this.#start();
  }

  /** As the modem is after a boot; once more when a command ended that a reset had come over. */
  #start(): void {
    this.subscriptions.clear();
    this.lte.input({ type: "radioOff" });
    this.settings = structuredClone(this.#stored);
    this.functionalMode = 0;
    this.cmee = 0;
    this.isGnssOn = false;
    this.isSimOn = false;
    this.time.forget();
    this.contexts.clear();
    this.powerSaving.off();
    this.runtimeBandLock = undefined;
    this.copsFormat = 2;
    this.#radio.forget();
    this.#askForPin();
    this.warnByDefault();
  }

  /** A firmware that warns of a low supply from the boot on. */
  warnByDefault(): void {
    if (this.profile.warnsByDefault) this.subscriptions.set("%XPOFWARN", [1, 30]);
  }

  situation(): CredentialSituation {
    return {
      storage: this.storage,
      profile: this.profile,
      keys: this.keys,
      isActive: isLteActive(this.functionalMode),
      isPowerFailing: this.isPowerFailing,
    };
  }

  takeInjectedRefusal(): Refusal | undefined {
    return this.#options.takeInjectedRefusal();
  }

  /** Resolves when no command is under way or waits. */
  async idle(): Promise<void> {
    await this.#executor.idle();
  }

  setPowerFailing(isFailing: boolean): void {
    const isNew = isFailing && !this.isPowerFailing;
    this.isPowerFailing = isFailing;
    const [isOn, level = 30] = this.subscriptions.get("%XPOFWARN") ?? [0];
    if (!isNew || isOn !== 1) return;
    // Once warned, the modem has to be asked again.
    this.subscriptions.set("%XPOFWARN", [0]);
    this.notify(`%XPOFWARN: ${level}`);
    if (isSubscribed(this, "%MDMEV")) this.notify("%MDMEV: ME BATTERY LOW");
    notifyPacketEvent(this, "ME BATTERY LOW");
    this.#goOffline();
  }

  close(): void {
    this.lte.close();
    this.powerSaving.off();
    this.#executor.close();
  }

  /** Whatever the modem reports of heat or supply, it does so in flight mode. */
  #goOffline(): void {
    if (!isLteActive(this.functionalMode)) return;
    this.functionalMode = 4;
    this.isGnssOn = false;
    this.switchSim(false);
    this.lte.input({ type: "radioOff" });
  }

  #allows({ act, plmn, band }: Cell): boolean {
    const { systemMode, operator } = this.settings;
    const isModeRight = act === 7 ? systemMode.lteM : systemMode.nbIot;
    const isLocked = this.settings.bandLock !== undefined || this.runtimeBandLock !== undefined;
    return isModeRight && (operator === undefined || operator === plmn) && (!isLocked || bandsOf(this).includes(band));
  }

  /** A SIM card that was switched off wants its PIN again, if it wants one at all. */
  #askForPin(): void {
    const { sim } = this.lte.conditions;
    if (sim !== "ready" && sim !== "pinRequired") return;
    const isWanted = this.card.isPinWanted ?? (this.#wasLocked || sim === "pinRequired");
    const locked = this.card.pinAttempts === 0 ? "pukRequired" : "pinRequired";
    const next = isWanted ? locked : "ready";
    if (next !== sim) this.lte.change({ sim: next });
  }

  #setSupply(supplyMv: number): void {
    this.supplyMv = supplyMv;
    const lowest = this.settings.stored?.["%XVBATLOWLVL"]?.[0] ?? lowSupplyMv;
    if (supplyMv < lowest && isSubscribed(this, "%XVBATLVL")) this.notify(`%XVBATLOWLVL: ${supplyMv}`);
  }

  #setTemperature(temperatureC: number): void {
    this.temperatureC = temperatureC;
    const high = this.settings.stored?.["%XTEMPHIGHLVL"]?.[0] ?? highTemperatureC;
    const level = temperatureC >= criticalTemperatureC ? 3 : temperatureC >= high ? 2 : 1;
    if (level !== this.#temperatureLevel && isSubscribed(this, "%XTEMP")) {
      this.notify(`%XTEMP: ${level},${temperatureC}`);
    }
    this.#temperatureLevel = level;
  }

  #onLte(effect: Exclude<LteEffect, { type: "wakeAt" }>): void {
    if (effect.type === "linkLost") this.#options.onLinkLost();
    else this.#radio.on(effect);
  }
}
