import { optionInvalid } from "@thingline/protocol";
import { decodeActiveTime, decodePeriodicTau } from "@thingline/protocol/at";
import {
  decodeEdrxCycle,
  type EdrxTechnology,
  encodeActiveTime,
  encodeEdrxCycle,
  encodePagingWindow,
  encodePeriodicTau,
} from "../at/timers.js";
import type { CommandOptions } from "../session.js";
import { ask, askModem, type CommandSession, sequenceOf, type SequenceSession } from "./ask.js";

/** Power saving mode, as it was asked for; what the network granted is in the registration. */
export interface PowerSaving {
  isOn: boolean;
  /** How often the modem tells the network that it is still there. Undefined: left to the network, or off. */
  periodicTauSeconds: number | undefined;
  /** How long the modem can be reached after each exchange. */
  activeTimeSeconds: number | undefined;
}

/** Each is rounded up to the next one that a network knows. */
export interface PowerSavingRequest {
  periodicTauSeconds?: number;
  activeTimeSeconds?: number;
}

export interface EdrxSetting {
  technology: EdrxTechnology;
  cycleSeconds: number;
}

export interface EdrxRequest extends EdrxSetting {
  /** How long the modem listens in each cycle. Default: the modem's own. */
  pagingWindowSeconds?: number;
}

/** `AT+CPSMS?` @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`. */
export async function readPowerSaving(session: CommandSession, options?: CommandOptions): Promise<PowerSaving> {
  const { isOn, periodicTau = "", activeTime = "" } = await askModem(session, "+CPSMS?", undefined, options);
  return {
    isOn,
    periodicTauSeconds: decodePeriodicTau(periodicTau),
    activeTimeSeconds: decodeActiveTime(activeTime),
  };
}

/**
 * `AT+CPSMS=`: asks for power saving, or for none.
 *
 * @throws {ThinglineError} OPTION_INVALID for a time that is longer than any, and those of `ModemSession.command`.
 */
export async function requestPowerSaving(
  session: CommandSession,
  request: PowerSavingRequest | "off",
  options?: CommandOptions,
): Promise<void> {
  if (request === "off") return askModem(session, "+CPSMS=", {}, options);
  const { periodicTauSeconds, activeTimeSeconds } = request;
  await askModem(
    session,
    "+CPSMS=",
    {
      isOn: true,
      periodicTau: encoded("periodicTauSeconds", periodicTauSeconds, encodePeriodicTau),
      activeTime: encoded("activeTimeSeconds", activeTimeSeconds, encodeActiveTime),
    },
    options,
  );
}

/** `AT+CEDRXS?`: none for a technology that does without. @throws as {@link readPowerSaving} */
export async function readEdrx(session: CommandSession, options?: CommandOptions): Promise<EdrxSetting[]> {
  const lines = await askModem(session, "+CEDRXS?", undefined, options);
  return lines.map(({ technology, cycle }) => ({ technology, cycleSeconds: decodeEdrxCycle(cycle) ?? 0 }));
}

/**
 * `AT+CEDRXS=` with URCs (`+CEDRXP`), and `AT%XPTW=` behind it, since each change of the cycle puts the window back. Of several requests none is
 * left half asked for by others: they are one sequence.
 *
 * @throws as {@link requestPowerSaving}
 */
export async function requestEdrx(
  session: SequenceSession,
  requests: readonly EdrxRequest[] | "off",
  options: CommandOptions = {},
): Promise<void> {
  if (requests === "off") return sequenceOf(session, options, (run) => ask(run, "+CEDRXS=", { mode: "reset" }));
  const settings = requests.map(({ technology, cycleSeconds, pagingWindowSeconds }) => ({
    technology,
    cycle: encoded("cycleSeconds", cycleSeconds, (seconds) => encodeEdrxCycle(technology, seconds)),
    window: encoded("pagingWindowSeconds", pagingWindowSeconds, (seconds) => encodePagingWindow(technology, seconds)),
  }));
  await sequenceOf(session, options, async (run) => {
    for (const { technology, cycle, window } of settings) {
      await ask(run, "+CEDRXS=", { mode: "onWithNotifications", technology, cycle });
      if (window !== undefined) await ask(run, "%XPTW=", { technology, window });
    }
  });
}

function encoded(
  option: string,
  seconds: number | undefined,
  encode: (seconds: number) => string | undefined,
): string | undefined {
  if (seconds === undefined) return undefined;
  const bits = seconds >= 0 ? encode(seconds) : undefined;
  if (bits === undefined) throw optionInvalid(option, "seconds that a network knows a timer for", seconds);
  return bits;
}
