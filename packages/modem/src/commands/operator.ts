import type { AccessTechnology } from "@thingline/protocol/at";
import type { CommandOptions } from "../session.js";
import { askModem, type CommandSession } from "./ask.js";

/** The network that the modem is registered with; only the mode while it is not. */
export interface CurrentOperator {
  mode: "automatic" | "manual" | "format";
  /** How `operator` calls it: `AT+COPS=3` sets that. */
  format?: "long" | "short" | "numeric" | undefined;
  operator?: string | undefined;
  act?: AccessTechnology | undefined;
}

/** A network that a search has found. */
export interface FoundOperator {
  availability: "unknown" | "available" | "current" | "forbidden";
  /** Names are empty where the modem does not know them. */
  fullName: string;
  shortName: string;
  /** Country and network code, 5 or 6 digits. */
  plmn: string;
  act?: AccessTechnology | undefined;
}

/** Which network the modem is to look for: whichever the SIM card prefers, or one by its country and network code. */
export type OperatorChoice = "automatic" | { plmn: string; act?: AccessTechnology };

/** `AT+COPS?` @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`. */
export function readOperator(session: CommandSession, options?: CommandOptions): Promise<CurrentOperator> {
  return askModem(session, "+COPS?", undefined, options);
}

/** `AT+COPS=` @throws {ThinglineError} AT_MALFORMED, and those of `ModemSession.command`. */
export async function selectOperator(
  session: CommandSession,
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
export async function searchOperators(session: CommandSession, options?: CommandOptions): Promise<FoundOperator[]> {
  return (await askModem(session, "+COPS=?", undefined, options)) ?? [];
}
