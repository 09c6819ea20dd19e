import type { AtCommandForm, AtParameter, FunctionalMode } from "@thingline/protocol/at";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { CredentialSituation, Refusal } from "../credential-rules.js";
import type { FirmwareProfile } from "../firmware.js";
import type { StoredIdentity } from "../identity.js";
import type { LteDriver } from "../lte-driver.js";
import type { SecureStorage } from "../secure-storage.js";
import type { ModemSettings } from "../settings.js";

/** What the commands of the simulated modem work on. */
export interface ModemState {
  readonly clock: Clock;
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
  /** Network time came with a registration. */
  hasNetworkTime: boolean;
  isPowerFailing: boolean;
  /** The PIN that unlocks a SIM card that wants one. */
  pin: string;
  copsMode: number;
  copsFormat: number;
  supplyMv: number;
  temperatureC: number;
  /** Sends a URC, after the answer to the command under way. */
  notify(line: string): void;
  saveSettings(): Promise<void>;
  situation(): CredentialSituation;
  /** A refusal that a test put in the way of the next write, if any. */
  takeInjectedRefusal(): Refusal | undefined;
}

export type Reply = { type: "ok"; lines: readonly string[] } | { type: "refused"; refusal: Refusal };

export type CommandHandler = (modem: ModemState, parameters: readonly AtParameter[]) => Reply | Promise<Reply>;

/** Handlers by command name and form; a form that is not there is answered with ERROR. */
export type CommandTable = Readonly<Record<string, Partial<Record<AtCommandForm, CommandHandler>>>>;

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

/** Whether the level of a subscription is not zero. */
export function isSubscribed(modem: ModemState, name: string): boolean {
  return (modem.subscriptions.get(name)?.[0] ?? 0) !== 0;
}

/** A subscription `NAME=<n>[,...]` whose read form shows what was set. */
export function subscription(name: string, max: number, read?: CommandHandler): CommandTable {
  return {
    [name]: {
      set: (modem, parameters) => {
        const values = integers(parameters);
        const level = values?.[0];
        if (values === undefined || level === undefined || level < 0 || level > max) return refused("error");
        modem.subscriptions.set(name, values);
        return ok();
      },
      read: read ?? ((modem) => ok(`${name}: ${(modem.subscriptions.get(name) ?? [0]).join(",")}`)),
      test: () => ok(`${name}: (0-${max})`),
    },
  };
}
