import type { factoryResetScopes } from "../at/functional-mode.js";
import type { CommandOptions } from "../session.js";
import { askModem, type CommandSession } from "./ask.js";

/** `all`, or what a user has set only. */
export type FactoryResetScope = (typeof factoryResetScopes)[keyof typeof factoryResetScopes];

/**
 * `AT%XFACTORYRESET=`: only with the modem switched off (`AT+CFUN=0`). `all` takes credentials along.
 *
 * @throws {ThinglineError} those of `ModemSession.command`.
 */
export async function resetToFactory(
  session: CommandSession,
  scope: FactoryResetScope,
  options?: CommandOptions,
): Promise<void> {
  await askModem(session, "%XFACTORYRESET=", { scope }, options);
}

/**
 * `AT%XPRODDONE`: ends the production of a device. For good: the modem takes no older firmware from then on, and no commands for radio tests unless
 * `keepsRadioTest` is set.
 *
 * @throws as {@link resetToFactory}
 */
export async function finishProduction(
  session: CommandSession,
  { keepsRadioTest = false, ...options }: CommandOptions & { keepsRadioTest?: boolean } = {},
): Promise<void> {
  await askModem(session, "%XPRODDONE=", { keepsRadioTest }, options);
}

/** `AT+CMEE?`: 0 is a plain ERROR, 1 and 2 tell the number. @throws as {@link resetToFactory}, and MODEM_RESPONSE_INVALID */
export function readErrorLevel(session: CommandSession, options?: CommandOptions): Promise<number> {
  return askModem(session, "+CMEE?", undefined, options);
}

/** `AT+CMEE=` @throws as {@link resetToFactory} */
export async function setErrorLevel(session: CommandSession, level: 0 | 1, options?: CommandOptions): Promise<void> {
  await askModem(session, "+CMEE=", { level }, options);
}
