import { optionInvalid } from "@thingline/protocol";
import type { simLocks } from "../at/sim.js";
import type { CommandOptions } from "../session.js";
import { ask, askModem, type CommandSession, sequenceOf, type SequenceSession } from "./ask.js";
import { unlessRejected } from "../failures.js";

/** What a SIM card, or the device's own lock, wants before it works; `ready` wants nothing. */
export type SimLock = (typeof simLocks)[keyof typeof simLocks];

/** A SIM card, as far as the modem can tell: while it is switched off (`AT+CFUN=4`), and without a card, nothing is known of it. */
export interface SimCard {
  isInitialized: boolean;
  /** Why it is not: 1 is a PIN that is missing, 2 one that was wrong too often; others are the reference's. */
  cause: number | undefined;
  lock: SimLock | undefined;
  /** Attempts at the PIN that are left. */
  pinAttempts: number | undefined;
  /** Of the subscription, 15 digits at most. */
  imsi: string | undefined;
  /** Of the card, 18 to 20 digits, the filler of some cards taken off. */
  iccid: string | undefined;
}

/** @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command` but MODEM_COMMAND_REJECTED. */
export function readSim(session: SequenceSession, options: { signal?: AbortSignal } = {}): Promise<SimCard> {
  return sequenceOf(session, options, async (run) => {
    const state = await unlessRejected(ask(run, "%XSIM?", undefined));
    const attempts = await unlessRejected(ask(run, "+CPINR=", { facility: "SIM PIN" }));
    const iccid = await unlessRejected(ask(run, "%XICCID", undefined));
    return {
      isInitialized: state?.isInitialized ?? false,
      cause: state?.cause,
      lock: await unlessRejected(ask(run, "+CPIN?", undefined)),
      pinAttempts: attempts?.find(({ facility }) => facility === "SIM PIN")?.attempts,
      imsi: await unlessRejected(ask(run, "+CIMI", undefined)),
      iccid: iccid?.replace(/F+$/i, ""),
    };
  });
}

/**
 * `AT+CPIN`: unlocks the SIM card. Each wrong PIN takes one attempt, the last one locks the card: look at {@link readSim} before.
 *
 * @throws {ThinglineError} OPTION_INVALID for what is not 4 to 8 digits, and those of `ModemSession.command`.
 */
export async function enterPin(
  session: CommandSession,
  pin: string,
  { newPin, ...options }: CommandOptions & { newPin?: string } = {},
): Promise<void> {
  for (const [option, value] of Object.entries({ pin, ...(newPin === undefined ? {} : { newPin }) })) {
    // The value itself is a secret.
    if (!/^[0-9]{4,8}$/.test(value)) throw optionInvalid(option, "4 to 8 digits", "something else");
  }
  await askModem(session, "+CPIN=", { pin, ...(newPin === undefined ? {} : { newPin }) }, options);
}
