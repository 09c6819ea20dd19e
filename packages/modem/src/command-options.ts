import { checkOptionTypes, kindOf, optionInvalid, type OptionTypes } from "@thingline/protocol";
import { checkPayload, type CommandPayload } from "./payload.js";
import type { RawDataListener } from "./raw-data.js";

export interface CommandOptions {
  /**
   * From sending to the final result code. Default: the command's own time, else the session's.
   */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Gets each information line as it comes: also those before an ERROR, which has no place for them (`#XTCPCLI: -111,"not connected"`). */
  onInformation?: (line: string) => void;
  /** Takes the raw bytes that a line of the answer announces (`#XRECV`). Without it they count as lines. */
  onRawData?: RawDataListener;
  /**
   * What the command sends in data mode once the modem answered OK. The command's answer is then the lines of the OK, and behind them
   * those that ended the exchange: `#XDATAMODE: 0`, `#XDFU: 0,1,0`. Fails, besides as any command does, with MODEM_DATA_MODE_FAILED when the
   * modem leaves data mode with an error or not at all, and with OPTION_INVALID for a payload that its end marker would cut.
   */
  payload?: CommandPayload;
}

/** Sends one command and waits for its answer. See `ModemSession.command`. */
export type RunCommand = (line: string, options?: CommandOptions) => Promise<readonly string[]>;

/** Has every command end with its caller's signal. */
export function withSignal(run: RunCommand, signal: AbortSignal | undefined): RunCommand {
  return signal === undefined ? run : (line, options) => run(line, { ...options, signal });
}

const commandTypes = {
  timeoutMs: "number",
  signal: "signal",
  onInformation: "function",
  onRawData: "function",
  payload: {
    options: { bytes: "object", end: "string", endTimeoutMs: "number", lastLine: "string" },
    required: ["bytes", "end"],
  },
} as const satisfies OptionTypes<CommandOptions>;

export function checkCommand(line: string, options: CommandOptions): void {
  if (typeof line !== "string") throw optionInvalid("line", "an AT command", kindOf(line));
  checkOptionTypes(options, commandTypes, { of: "command()" });
  checkTimeout("timeoutMs", options.timeoutMs);
  if (options.payload === undefined) return;
  checkTimeout("payload.endTimeoutMs", options.payload.endTimeoutMs);
  checkPayload(options.payload);
}

export function checkTimeout(option: string, timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (timeoutMs > 0 && timeoutMs <= 2_147_483_647)) return;
  throw optionInvalid(option, "milliseconds above 0", timeoutMs);
}
