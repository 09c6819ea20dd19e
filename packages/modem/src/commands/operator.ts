import type { AccessTechnology } from "@thingline/protocol/at";
import type { CommandAnswer } from "../at/table.js";
import type { CommandOptions, ModemSession } from "../session.js";
import { askModem } from "./ask.js";

type Commands = Pick<ModemSession, "command">;

/** The network that the modem is registered with; only the mode while it is not. */
export type CurrentOperator = CommandAnswer<"+COPS?">;

/** A network that a search has found. */
export type FoundOperator = NonNullable<CommandAnswer<"+COPS=?">>[number];

/** Which network the modem is to look for: whichever the SIM card prefers, or one by its country and network code. */
export type OperatorChoice = "automatic" | { plmn: string; act?: AccessTechnology };

/** `AT+COPS?` @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}. */
export function readOperator(session: Commands, options?: CommandOptions): Promise<CurrentOperator> {
  return askModem(session, "+COPS?", undefined, options);
}

/** `AT+COPS=` @throws {ThinglineError} AT_MALFORMED, and those of {@link ModemSession.command}. */
export async function selectOperator(
  session: Commands,
  operator: OperatorChoice,
  options?: CommandOptions,
): Promise<void> {
  if (operator === "automatic") return askModem(session, "+COPS=", { mode: "automatic" }, options);
  const { plmn, act } = operator;
  const chosen = { mode: "manual", format: "numeric", operator: plmn, act } as const;
  await askModem(session, "+COPS=", chosen, options);
}

/**
 * `AT+COPS=?`: looks for networks, for minutes. An nRF91 cannot be stopped in it: an AT host does not listen while a command runs. An abort
 * frees the caller at once, and the session once the modem answered. A refusal with 516 means that the radio is connected: try again in RRC idle.
 *
 * @throws as {@link readOperator}
 */
export async function searchOperators(session: Commands, options?: CommandOptions): Promise<FoundOperator[]> {
  return (await askModem(session, "+COPS=?", undefined, options)) ?? [];
}
