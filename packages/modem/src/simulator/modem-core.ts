import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { AtCommand, FinalResult, FunctionalMode } from "@thingline/protocol/at";
import {
  effectiveStatus,
  formatRegistration,
  formatResponse,
  formatSignalNotification,
  isLteActive,
  parseAtCommand,
} from "@thingline/protocol/at";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { ModemState, Reply } from "./commands/command.js";
import { isSubscribed, perform, refused } from "./commands/command.js";
import { timeNotification } from "./commands/system.js";
import { commandTable } from "./commands/table.js";
import type { CommandStep, ModemEvent, ModemSurroundings } from "./behaviour/behaviour.js";
import { defaultSlowMs, resetLoopBlockMs } from "./behaviour/behaviour.js";
import type { BehaviourRunner } from "./behaviour/runner.js";
import type { CredentialSituation } from "./credential-rules.js";
import type { FirmwareProfile } from "./firmware.js";
import type { StoredIdentity } from "./identity.js";
import { LteDriver } from "./lte-driver.js";
import type { LteEffect, LteState, LteTiming, RadioConditions } from "./lte-link.js";
import type { Refusal } from "./refusal.js";
import { RefusedWrite } from "./refusal.js";
import type { SecureStorage } from "./secure-storage.js";
import type { ModemSettings } from "./settings.js";

export interface ModemCoreOptions {
  clock: Clock;
  random: Random;
  keys: Keys;
  profile: FirmwareProfile;
  identity: StoredIdentity;
  storage: SecureStorage;
  settings: ModemSettings;
  conditions: RadioConditions;
  timing: LteTiming;
  pin: string;
  saveSettings(settings: ModemSettings): Promise<void>;
  /** A refusal that a test put in the way of the next write. */
  takeInjectedRefusal(): Refusal | undefined;
  /** What befalls commands. */
  happenings: BehaviourRunner;
  /** A command brought it about. */
  onEvent(event: "cutPower" | "unplug" | "reset"): void;
  /** A URC, without line end. */
  onNotification(line: string): void;
  /** Every socket is dead. */
  onLinkLost(): void;
  /** The LTE machine's state after each of its inputs, when somebody measures. */
  onLteState?: ((state: LteState) => void) | undefined;
}

/** Commands that may wait for the one under way; more are refused. */
export const queuedCommandsMax = 64;

/** The modem itself: state, one command at a time, URCs. Channels, sockets and disk are around it. */
export class ModemCore implements ModemState {
  readonly clock: Clock;
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
  hasNetworkTime = false;
  isPowerFailing = false;
  pin: string;
  copsMode = 0;
  copsFormat = 2;
  supplyMv = 4464;
  temperatureC = 25;
  readonly #options: ModemCoreOptions;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #isExecuting = false;
  #held: string[] = [];
  #lastRegistration = "";
  #networkTimeOffsetMs = 0;
  #stored: ModemSettings;

  constructor(options: ModemCoreOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.random = options.random;
    this.keys = options.keys;
    this.profile = options.profile;
    this.identity = options.identity;
    this.storage = options.storage;
    this.settings = options.settings;
    this.#stored = structuredClone(options.settings);
    this.pin = options.pin;
    this.lte = new LteDriver({
      clock: options.clock,
      conditions: options.conditions,
      timing: options.timing,
      allowsAct: (act) => (act === 7 ? this.settings.systemMode.lteM : this.settings.systemMode.nbIot),
      requestedTimers: () => this.settings.psm ?? undefined,
      onEffect: (effect) => this.#onLte(effect),
      onState: options.onLteState,
    });
  }

  /**
   * Executes one command line, after those before it, and hands over the answer before any URC that it caused.
   *
   * @param line Undefined for bytes that were no text: answered with ERROR.
   * @param onAnswer Called with the exact answer, unless it was lost; what it throws goes to the caller.
   * @throws {ThinglineError} LIMIT_EXCEEDED when {@link queuedCommandsMax} wait already; what a handler throws.
   */
  async execute(line: string | undefined, onAnswer: (answer: string) => void): Promise<void> {
    if (this.#waiting >= queuedCommandsMax) {
      throw new ThinglineError("LIMIT_EXCEEDED", `more than ${queuedCommandsMax} AT commands wait for the modem`);
    }
    this.#waiting++;
    const turn = this.#last.then(async () => {
      this.#isExecuting = true;
      try {
        const answer = await this.#answer(line);
        if (answer !== undefined) onAnswer(answer);
      } finally {
        this.#isExecuting = false;
        this.#waiting--;
        this.#releaseHeld();
      }
    });
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  notify(line: string): void {
    if (this.#isExecuting) this.#held.push(line);
    else this.#options.onNotification(line);
  }

  async saveSettings(): Promise<void> {
    await this.#options.saveSettings(this.settings);
    this.#stored = structuredClone(this.settings);
  }

  /** What a behaviour has set around the modem. */
  surround(surroundings: Omit<ModemSurroundings, "writeMs" | "storageBytesMax">): void {
    const { timing, supplyMv, temperatureC, isPowerFailing, networkTimeOffsetMs, ...conditions } = surroundings;
    if (supplyMv !== undefined) this.supplyMv = supplyMv;
    if (temperatureC !== undefined) this.temperatureC = temperatureC;
    if (isPowerFailing !== undefined) this.setPowerFailing(isPowerFailing);
    if (networkTimeOffsetMs !== undefined && networkTimeOffsetMs !== this.#networkTimeOffsetMs) {
      this.#networkTimeOffsetMs = networkTimeOffsetMs;
      if (this.hasNetworkTime && isSubscribed(this, "%XTIME")) this.notify(timeNotification(this.networkTimeMs()));
    }
    this.lte.change(conditions, timing);
  }

  networkTimeMs(): number {
    return this.clock.unixMs() + this.#networkTimeOffsetMs;
  }

  /** Something that the modem reports about itself. */
  tell(event: Exclude<ModemEvent, "cutPower" | "unplug" | "reset" | "garbage">): void {
    const words = { resetLoop: "RESET LOOP", overheated: "ME OVERHEATED", batteryLow: "ME BATTERY LOW" } as const;
    if (isSubscribed(this, "%MDMEV")) this.notify(`%MDMEV: ${words[event]}`);
    if (event === "resetLoop") this.lte.blockAttach(resetLoopBlockMs);
  }

  /** Starts again as after a fault: what was not stored is gone. */
  reset(): void {
    this.subscriptions.clear();
    this.lte.input({ type: "radioOff" });
    this.settings = structuredClone(this.#stored);
    this.functionalMode = 0;
    this.cmee = 0;
    this.isGnssOn = false;
    this.isSimOn = false;
    this.hasNetworkTime = false;
    this.copsMode = 0;
    this.copsFormat = 2;
    this.#lastRegistration = "";
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
    await this.#last;
  }

  setPowerFailing(isFailing: boolean): void {
    this.isPowerFailing = isFailing;
    const level = this.subscriptions.get("%XPOFWARN");
    if (isFailing && level?.[0] === 1) this.notify(`%XPOFWARN: ${level[1] ?? 30}`);
  }

  close(): void {
    this.lte.close();
    this.#held = [];
  }

  #releaseHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const line of held) this.#options.onNotification(line);
  }

  /** @returns undefined when the command or its answer was lost. */
  async #answer(line: string | undefined): Promise<string | undefined> {
    const command = parse(line);
    const fate = command === undefined ? undefined : this.#options.happenings.fateOf(command);
    if (fate !== undefined && command !== undefined) return this.#meet(fate, command);
    return this.#format(command === undefined ? refused("error") : await this.#reply(command));
  }

  /** A command that a behaviour has an eye on. */
  async #meet({ do: fault, phase = "before", ...fate }: CommandStep, command: AtCommand): Promise<string | undefined> {
    switch (fault) {
      case "refuse":
        return this.#format(refused(fate.cme ?? "error"));
      case "loseCommand":
        return undefined;
      case "loseAnswer":
        await this.#reply(command);
        return undefined;
      case "garbage":
        return this.#options.happenings.damage(this.#format(await this.#reply(command)));
      case "slow": {
        const answer = this.#format(await this.#reply(command));
        await this.clock.sleep(fate.delayMs ?? defaultSlowMs);
        return answer;
      }
      case "cutPower":
      case "unplug":
      case "reset":
        if (phase === "after") await this.#reply(command);
        this.#options.onEvent(fault);
        return undefined;
    }
  }

  #format(reply: Reply): string {
    if (reply.type === "ok") return formatResponse(reply.lines, { type: "ok" });
    const { refusal } = reply;
    const isPlain = refusal === "error" || this.cmee === 0;
    const result: FinalResult = isPlain ? { type: "error" } : { type: "cmeError", code: refusal };
    return formatResponse([], result);
  }

  async #reply(command: AtCommand): Promise<Reply> {
    try {
      return await perform(this, commandTable.get(command.name), command);
    } catch (error) {
      if (error instanceof RefusedWrite) return refused(error.refusal);
      throw error;
    }
  }

  #onLte(effect: Exclude<LteEffect, { type: "wakeAt" }>): void {
    switch (effect.type) {
      case "registrationChanged":
        this.#notifyRegistration();
        return;
      case "rrcChanged":
        if (isSubscribed(this, "+CSCON")) this.notify(`+CSCON: ${effect.isConnected ? 1 : 0}`);
        return;
      case "searchEnded":
        if (isSubscribed(this, "%MDMEV")) this.notify(`%MDMEV: SEARCH STATUS ${effect.isFound ? 1 : 2}`);
        return;
      case "linkLost":
        this.#options.onLinkLost();
        return;
    }
  }

  #notifyRegistration(): void {
    const registration = this.lte.registration();
    const level = this.subscriptions.get("+CEREG")?.[0] ?? 0;
    const isRegistered = ["home", "roaming"].includes(effectiveStatus(registration));
    if (isRegistered && !this.hasNetworkTime) {
      this.hasNetworkTime = true;
      if (isSubscribed(this, "%XTIME")) this.notify(timeNotification(this.networkTimeMs()));
    }
    // A modem that is switched off says no more than that.
    const shown = formatRegistration(registration, registration.status === "notRegistered" ? 1 : level);
    const text = `${level}:${shown}`;
    if (text === this.#lastRegistration) return;
    this.#lastRegistration = text;
    if (level > 0) this.notify(`+CEREG: ${shown}`);
    if (isRegistered && isSubscribed(this, "%CESQ")) {
      this.notify(formatSignalNotification(this.lte.conditions.cell));
    }
  }
}

/** @returns undefined for bytes that are no text, and for text that is no command. */
function parse(line: string | undefined): AtCommand | undefined {
  if (line === undefined) return undefined;
  try {
    return parseAtCommand(line);
  } catch (error) {
    if (isThinglineError(error, "AT_MALFORMED")) return undefined;
    throw error;
  }
}
