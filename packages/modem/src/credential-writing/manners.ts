import { ThinglineError } from "@thingline/protocol";
import {
  type FunctionalMode,
  integerAt,
  isLteActive,
  parseFunctionalMode,
  parseInformation,
  parseRegistrationRead,
} from "@thingline/protocol/at";
import type { Clock } from "@thingline/transport";
import { unlessRejected } from "../failures.js";
import type { RunCommand } from "../session.js";
import type { ModemManners } from "./story.js";

/** Subscriptions that a modem tells of itself, so that they can be put back. */
const subscriptions = ["+CEREG", "+CSCON"] as const;
const registrationPollMs = 500;

/** @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of the session. */
export async function readManners(run: RunCommand): Promise<ModemManners> {
  const errorLevel = await readLevel(run, "+CMEE");
  const functionalMode = await readMode(run);
  const told: [string, number][] = [];
  for (const name of subscriptions) {
    // Not every state answers them.
    const level = await unlessRejected(readLevel(run, name));
    if (level !== undefined) told.push([name, level]);
  }
  return { errorLevel, functionalMode, subscriptions: told };
}

async function readLevel(run: RunCommand, name: string): Promise<number> {
  const [line = ""] = await run(`AT${name}?`);
  const information = parseInformation(line);
  const level = information?.name === name ? integerAt(information.parameters, 0) : undefined;
  if (level !== undefined) return level;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", `AT${name}?: expected ${name}: and a number`);
}

async function readMode(run: RunCommand): Promise<FunctionalMode> {
  const [line = ""] = await run("AT+CFUN?");
  const mode = parseFunctionalMode(line);
  if (mode !== undefined) return mode;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", "AT+CFUN?: expected +CFUN: and a functional mode");
}

/** Only when LTE is in the way: a modem that is off, or has GNSS alone, takes credentials as it is. */
export async function goOffline(run: RunCommand): Promise<void> {
  if (isLteActive(await readMode(run))) await run("AT+CFUN=4");
}

/**
 * Makes a modem what it was. Subscriptions are asked first, since setting them sends a URC on some firmware.
 *
 * @throws {ThinglineError} when it does not answer, or is not so in the end.
 */
export async function restoreManners(run: RunCommand, manners: ModemManners): Promise<void> {
  const { functionalMode, errorLevel } = manners;
  const now = await readMode(run);
  if (now !== functionalMode) {
    // Modes of GNSS and SIM leave LTE as it is.
    const leavesLte = functionalMode >= 30;
    if (isLteActive(now) && leavesLte) await run("AT+CFUN=4");
    await run(`AT+CFUN=${functionalMode}`);
    const mode = await readMode(run);
    // Which of the two active modes is told after a change is not documented.
    if (mode !== functionalMode && isLteActive(mode) !== isLteActive(functionalMode)) {
      const message = `the modem was in functional mode ${functionalMode}, and stays in ${mode}`;
      throw new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { functionalMode: mode } });
    }
  }
  for (const [name, level] of manners.subscriptions) {
    if ((await readLevel(run, name)) !== level) await run(`AT${name}=${level}`);
  }
  await run(`AT+CMEE=${errorLevel}`);
}

/**
 * Switches LTE on, and waits for the network. Registration is asked for and not subscribed to: nothing is left to put back.
 *
 * @throws {ThinglineError} LINK_FAILED, TIMEOUT, and those of the session.
 */
export async function goOnline(
  run: RunCommand,
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  if (!isLteActive(await readMode(run))) await run("AT+CFUN=1");
  for (;;) {
    const [line = ""] = await run("AT+CEREG?");
    const status = parseRegistrationRead(line)?.registration.status;
    if (status === "home" || status === "roaming") return;
    if (status === "denied" || status === "uiccFailure") {
      const what = status === "denied" ? "the network denies the registration" : "the SIM card failed";
      throw new ThinglineError("LINK_FAILED", `${what}; nothing could be proved`, { details: { status } });
    }
    if (clock.monotonicMs() >= deadlineMs) {
      const message = `the modem did not register within ${timeoutMs} ms, so nothing could be proved`;
      throw new ThinglineError("TIMEOUT", message, { details: { timeoutMs } });
    }
    await clock.sleep(registrationPollMs, signal === undefined ? {} : { signal });
  }
}
