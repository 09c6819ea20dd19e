import type { AtCommand, AtCommandForm, AtParameter, FunctionalMode } from "@thingline/protocol/at";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { CredentialSituation } from "../credential-rules.js";
import type { FirmwareProfile } from "../firmware.js";
import type { NetworkTime } from "../network-time.js";
import type { PacketContexts } from "../packet-contexts.js";
import type { ModemPauses } from "../pauses.js";
import type { PowerSaving } from "../power-saving.js";
import type { StoredIdentity } from "../identity.js";
import type { LteDriver } from "../lte-driver.js";
import type { Refusal } from "../refusal.js";
import type { SecureStorage } from "../secure-storage.js";
import type { ModemSettings } from "../settings.js";
import type { SimCard } from "../sim-card.js";
import type { ConnectionStatistics } from "../connection-statistics.js";
import { areAllowed, integer, type ParameterRule } from "./parameter-rules.js";

/** What the commands of the simulated modem work on. */
export interface ModemState {
  readonly clock: Clock;
  readonly pauses: ModemPauses;
  readonly random: Random;
  readonly keys: Keys;
  readonly profile: FirmwareProfile;
  readonly identity: StoredIdentity;
  readonly storage: SecureStorage;
  readonly lte: LteDriver;
  settings: ModemSettings;
  functionalMode: FunctionalMode;
  /** `+CMEE`: 0 hides the numbers of errors. */
  cmee: 0 | 1;
  /** Subscriptions and the like by command name; lost with `AT+CFUN=0`. */
  subscriptions: Map<string, readonly number[]>;
  isGnssOn: boolean;
  isSimOn: boolean;
  readonly card: SimCard;
  readonly time: NetworkTime;
  readonly contexts: PacketContexts;
  readonly powerSaving: PowerSaving;
  readonly statistics: ConnectionStatistics;
  isPowerFailing: boolean;
  copsFormat: number;
  /** Of `+CEER`: what failed last. */
  lastFailure: string;
  /** `%XBANDLOCK=2`. */
  runtimeBandLock: string | undefined;
  supplyMv: number;
  temperatureC: number;
  /** Sends a URC, after the answer to the command under way. */
  notify(line: string): void;
  saveSettings(): Promise<void>;
  situation(): CredentialSituation;
  /** The SIM card is switched on or off; off, it forgets that its PIN was entered. */
  switchSim(isOn: boolean): void;
  /** The SIM card got its PIN or PUK. */
  unlockSim(): void;
  /** The SIM card wants its PUK from now on, or is of no use any more. */
  blockSim(as: "pukRequired" | "failed"): void;
  /** `%XPRODDONE`: older firmware is refused from now on. */
  endProduction(): Promise<void>;
  /** The names of all commands of this firmware. */
  commandNames(): string[];
  /** A refusal that a test put in the way of the next write, if any. */
  takeInjectedRefusal(): Refusal | undefined;
}

export type Reply = { type: "ok"; lines: readonly string[] } | { type: "refused"; refusal: Refusal };

export type CommandHandler = (modem: ModemState, parameters: readonly AtParameter[]) => Reply | Promise<Reply>;

/** A set form: what is not allowed by the rules is answered with ERROR, and the handler never sees it. */
export interface SetForm {
  rules: readonly ParameterRule[];
  handle: CommandHandler;
}

export type CommandForms = Partial<Record<Exclude<AtCommandForm, "set">, CommandHandler>> & {
  set?: SetForm;
  /** Which firmware has the command. Default all. */
  isIn?: (profile: FirmwareProfile) => boolean;
};

/** Handlers by command name and form; a form that is not there is answered with ERROR. */
export type CommandTable = Readonly<Record<string, CommandForms>>;

export function set(rules: readonly ParameterRule[], handle: CommandHandler): SetForm {
  return { rules, handle };
}

export function perform(
  modem: ModemState,
  forms: CommandForms | undefined,
  { form, parameters }: AtCommand,
): Reply | Promise<Reply> {
  if (forms === undefined || forms.isIn?.(modem.profile) === false) return refused("error");
  if (form !== "set") return forms[form]?.(modem, parameters) ?? refused("error");
  const rules = forms.set;
  return rules !== undefined && areAllowed(parameters, rules.rules)
    ? rules.handle(modem, parameters)
    : refused("error");
}

export function ok(...lines: readonly string[]): Reply {
  return { type: "ok", lines };
}

export function refused(refusal: Refusal): Reply {
  return { type: "refused", refusal };
}

/** All parameters as integers, or undefined when one is something else. */
export function integers(parameters: readonly AtParameter[]): number[] | undefined {
  const values: number[] = [];
  for (const parameter of parameters) {
    if (parameter.type !== "integer") return undefined;
    values.push(parameter.value);
  }
  return values;
}

/** Commands that only some firmware has. */
export function since(isIn: (profile: FirmwareProfile) => boolean, table: CommandTable): CommandTable {
  return Object.fromEntries(Object.entries(table).map(([name, forms]) => [name, { ...forms, isIn }]));
}

/** Whether the level of a subscription is not zero. */
export function isSubscribed(modem: ModemState, name: string): boolean {
  return levelOf(modem, name) !== 0;
}

/** Forms of a subscription beside its set form; most have neither. */
export interface SubscriptionForms {
  read?: CommandHandler;
  /** What stands behind the name in the answer of the test form. */
  test?: string;
}

/**
 * A subscription `NAME=<n>[,...]`. What is left out, `NAME=` too, is 0.
 *
 * @param rules of the parameters; a number: of one level from 0 up to it.
 */
export function subscription(
  name: string,
  rules: number | readonly ParameterRule[],
  { read, test }: SubscriptionForms = {},
): CommandTable {
  const forms: CommandForms = {
    set: set(typeof rules === "number" ? [integer(0, rules)] : rules, (modem, parameters) => {
      const values = parameters.map((parameter) => (parameter.type === "integer" ? parameter.value : 0));
      modem.subscriptions.set(name, values.length === 0 ? [0] : values);
      return ok();
    }),
  };
  if (read !== undefined) forms.read = read;
  if (test !== undefined) forms.test = () => ok(`${name}: ${test}`);
  return { [name]: forms };
}

/** The level of a subscription. */
export function levelOf(modem: ModemState, name: string): number {
  return modem.subscriptions.get(name)?.[0] ?? 0;
}

/** A setting that is kept and shown, and changes nothing: what it is about is not simulated. */
export function storedSetting(name: string, rules: readonly ParameterRule[], initial: readonly number[]): CommandTable {
  return {
    [name]: {
      set: set(rules, (modem, parameters) => {
        modem.settings.stored = { ...modem.settings.stored, [name]: integers(parameters) ?? [...initial] };
        return ok();
      }),
      read: (modem) => ok(`${name}: ${(modem.settings.stored?.[name] ?? initial).join(",")}`),
    },
  };
}
