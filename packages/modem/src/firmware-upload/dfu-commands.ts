import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { integerAt, parseInformation } from "@thingline/protocol/at";
import { bootloaderBanner, isBanner } from "../board-start.js";
import type { ModemSession } from "../session.js";
import type { HeardNotifications } from "./notifications.js";
import { unlessRejectedTwice } from "../failures.js";

/** What `#XDFU...` calls the kinds of firmware. */
export const dfuTypes = { application: 0, delta: 1, full: 2 } as const;
export type DfuType = (typeof dfuTypes)[keyof typeof dfuTypes];

const operations = { write: 1, apply: 2 } as const;

/** Verifying, and with a slow flash. */
const applyTimeoutMs = 120_000;

/** The commands of the serial modem application by which it takes firmware. */
export class DfuCommands {
  readonly #session: ModemSession;
  readonly #heard: HeardNotifications;

  constructor(session: ModemSession, heard: HeardNotifications) {
    this.#session = session;
    this.#heard = heard;
  }

  /** The types that the build takes; undefined when it has no such commands. */
  async types(): Promise<readonly number[] | undefined> {
    const lines = await unlessRejectedTwice(() => this.#session.command("AT#XDFUINIT=?"));
    if (lines === undefined) return undefined;
    const list = lines.map((line) => /^#XDFUINIT: \(([\d,]+)\)/.exec(line)?.[1]).find((found) => found !== undefined);
    if (list === undefined) {
      throw new ThinglineError("MODEM_RESPONSE_INVALID", "AT#XDFUINIT=?: expected a list of types in parentheses");
    }
    return list.split(",").map(Number);
  }

  async begin(type: DfuType, sizeBytes: number): Promise<void> {
    await this.#session.command(`AT#XDFUINIT=${type},${sizeBytes}`);
  }

  /** Restarts the board into the mode in which it takes a whole modem firmware. @throws {ThinglineError} TIMEOUT */
  async beginFull(restartMs: number): Promise<void> {
    this.#heard.forget();
    try {
      await this.#session.command(`AT#XDFUINIT=${dfuTypes.full}`, { timeoutMs: restartMs });
    } catch (error) {
      // What is expected: the board starts anew instead of answering.
      if (!isThinglineError(error, "MODEM_RESPONSE_INVALID")) throw error;
    }
    await this.#heard.next((line) => (line === bootloaderBanner ? true : undefined), restartMs);
  }

  /** @throws {ThinglineError} MODEM_DFU_FAILED when the board answers that the piece was not written. */
  async write(type: DfuType, address: number, bytes: Uint8Array): Promise<void> {
    const command = `AT#XDFUWRITE=${type},${address},${bytes.length}`;
    const lines = await this.#session.command(command, { payload: { bytes, end: "count", lastLine: "#XDFU" } });
    const status = lines.map((line) => statusOf(line, type, operations.write)).find((found) => found !== undefined);
    if (status === 0) return;
    const what = status === undefined ? "did not say what became of a piece" : `answered ${status} to a piece`;
    throw new ThinglineError("MODEM_DFU_FAILED", `the board ${what} of firmware at ${address}`, {
      details: { address, ...(status !== undefined && { status }) },
    });
  }

  /**
   * Schedules what was written, or, of a whole firmware, activates the part that was written.
   *
   * @returns `restarted`: the board started anew meanwhile, as it does after the last part of a whole firmware
   * @throws {ThinglineError} MODEM_DFU_FAILED when the board answers that it cannot, TIMEOUT when it does not say
   */
  async apply(type: DfuType): Promise<"applied" | "restarted"> {
    this.#heard.forget();
    try {
      await this.#session.command(`AT#XDFUAPPLY=${type}`);
    } catch (error) {
      if (isThinglineError(error, "MODEM_RESPONSE_INVALID")) return "restarted";
      throw error;
    }
    const outcome = await this.#heard.next((line) => {
      if (isBanner(line)) return "restarted" as const;
      return statusOf(line, type, operations.apply);
    }, applyTimeoutMs);
    if (outcome === "restarted") return outcome;
    if (outcome === 0) return "applied";
    const message = `the board answered ${outcome} when it was told to apply the firmware`;
    throw new ThinglineError("MODEM_DFU_FAILED", message, { details: { status: outcome } });
  }
}

/** `#XDFU: <type>,<operation>,<status>` */
function statusOf(line: string, type: number, operation: number): number | undefined {
  const information = parseInformation(line);
  if (information?.name !== "#XDFU") return undefined;
  const [ofType, ofOperation, status] = [0, 1, 2].map((index) => integerAt(information.parameters, index));
  return ofType === type && ofOperation === operation ? status : undefined;
}
