import { kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import { integerAt, parseInformation } from "@thingline/protocol/at";
import type { Connection } from "@thingline/transport";

/** What is sent in the data mode that a command opens with its OK. */
export interface CommandPayload {
  /** Sent in order, by reference: the caller must not change the bytes before the command has settled. */
  bytes: Uint8Array | readonly Uint8Array[];
  /**
   * What ends the data mode. `count`: the command said how many bytes come (`#XDFUWRITE`, `#XSEND` with a length). `marker`: `+++`, sent
   * behind the payload, which must neither hold it nor end with a plus sign.
   */
  end: "count" | "marker";
  /** From the OK to the end of the exchange, with one more millisecond for each byte. Default: the command's time. */
  endTimeoutMs?: number;
  /** The name of the line that ends the exchange, where it is another one than `#XDATAMODE`: `#XDFU` of `#XDFUWRITE`. */
  lastLine?: string;
}

/** Bytes that one payload may have. */
export const payloadBytesMax = 4 * 1024 * 1024;

/** Ends data mode. `CONFIG_SLM_DATAMODE_TERMINATOR` as it is by default. */
export const dataModeMarker = "+++";
/** Of the line that tells how data mode ended. */
export const dataModeName = "#XDATAMODE";
const markerBytes = new TextEncoder().encode(dataModeMarker);
const plus = 0x2b;
/** Of the lines that are in use: 9,600 baud. */
const slowestBytesPerMs = 1;

/** @throws {ThinglineError} OPTION_INVALID for what is no payload, and for one that its end marker would cut; LIMIT_EXCEEDED. */
export function checkPayload({ bytes, end, lastLine }: CommandPayload): void {
  if (end !== "count" && end !== "marker") throw optionInvalid("payload.end", `"count" or "marker"`, kindOf(end));
  const parts = partsOf(bytes);
  const stray = parts.find((part) => !(part instanceof Uint8Array));
  if (stray !== undefined) throw optionInvalid("payload.bytes", "a Uint8Array or a list of them", kindOf(stray));
  const lengthBytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (lengthBytes > payloadBytesMax) {
    const message = `a payload has at most ${payloadBytesMax} bytes, this one ${lengthBytes}`;
    throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytes: lengthBytes, limit: payloadBytesMax } });
  }
  if (lastLine !== undefined && !lastLine.startsWith("#X")) {
    throw optionInvalid("payload.lastLine", "the name of a line: #XDFU", kindOf(lastLine));
  }
  if (end === "marker" && isCutByMarker(parts)) {
    throw optionInvalid("payload.bytes", `bytes that neither hold ${dataModeMarker} nor end with +`, "such bytes");
  }
}

function isCutByMarker(parts: readonly Uint8Array[]): boolean {
  let run = 0;
  for (const part of parts) {
    for (const byte of part) {
      run = byte === plus ? run + 1 : 0;
      if (run === markerBytes.length) return true;
    }
  }
  return run > 0;
}

const partsOf = (bytes: Uint8Array | readonly Uint8Array[]): readonly Uint8Array[] =>
  bytes instanceof Uint8Array ? [bytes] : bytes;

/** A payload on its way, and the lines that end it. */
export class PayloadRun {
  /** Announced by a command that ends its data mode by count. */
  readonly lengthBytes: number;
  readonly #payload: CommandPayload;
  readonly #lastLine: string;
  #unsent: Uint8Array[];

  constructor(payload: CommandPayload) {
    const parts = partsOf(payload.bytes);
    this.#payload = payload;
    this.#lastLine = payload.lastLine ?? dataModeName;
    this.lengthBytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#unsent = payload.end === "count" ? [...parts] : [...parts, markerBytes];
  }

  /** A slow line is not a modem that does not answer. */
  timeoutMs(commandTimeoutMs: number): number {
    return (this.#payload.endTimeoutMs ?? commandTimeoutMs) + this.lengthBytes / slowestBytesPerMs;
  }

  get end(): "count" | "marker" {
    return this.#payload.end;
  }

  /** Hands on what the channel takes. To be called again when it has drained. */
  pump(channel: Connection): void {
    for (;;) {
      const part = this.#unsent.shift();
      if (part === undefined) break;
      if (part.length > 0 && !channel.write(part)) break;
    }
    channel.flush();
  }

  /** What is left is dropped: nobody waits for it. */
  drop(): void {
    this.#unsent = [];
  }

  /** @returns what a line of the data mode's end means, undefined for lines that are something else. */
  lineOf(text: string): { type: "kept" } | { type: "end" } | { type: "failed"; status: number } | undefined {
    const information = parseInformation(text);
    if (information === undefined) return undefined;
    const { name, parameters } = information;
    if (name === dataModeName) {
      const status = integerAt(parameters, 0) ?? -1;
      if (status < 0) return { type: "failed", status };
      // Some builds tell each send with its size.
      if (status > 0) return { type: "kept" };
      return { type: this.#lastLine === dataModeName ? "end" : "kept" };
    }
    return name === this.#lastLine ? { type: "end" } : undefined;
  }

  failedError(command: string, status: number): ThinglineError {
    const message = `${command}: the modem left data mode with status ${status}: what was sent last did not go out`;
    return new ThinglineError("MODEM_DATA_MODE_FAILED", message, { details: { command, status } });
  }

  overdueError(command: string, timeoutMs: number): ThinglineError {
    const message = `${command}: the modem did not leave data mode within ${timeoutMs} ms after ${this.lengthBytes} bytes`;
    return new ThinglineError("MODEM_DATA_MODE_FAILED", message, { details: { command, timeoutMs } });
  }
}
