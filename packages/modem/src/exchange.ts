import { ThinglineError } from "@thingline/protocol";
import type { AtCommand } from "@thingline/protocol/at";
import { describeCmeError, describeCmsError, parseFinalResult } from "@thingline/protocol/at";
import type { Clock, Connection, Timer } from "@thingline/transport";
import type { CommandOptions } from "./command-options.js";
import { dataModeMarker, PayloadRun } from "./payload.js";
import type { RawDataListener } from "./raw-data.js";
import type { WayBack } from "./way-back.js";

/** Information that one answer may have in all its lines. */
export const answerBytesMax = 65_536;

export interface ExchangeEnd {
  /** The answer's lines, or what went wrong. */
  outcome: readonly string[] | ThinglineError;
  wayBack: WayBack | undefined;
}

export interface ExchangeInit {
  line: string;
  command: AtCommand;
  timeoutMs: number;
  options: CommandOptions;
  clock: Clock;
  channel: Connection;
  /** Exactly once. */
  onEnd: (end: ExchangeEnd) => void;
}

/** One command, its answer, and what it sends in data mode. */
export class Exchange {
  readonly command: AtCommand;
  readonly #line: string;
  readonly #timeoutMs: number;
  readonly #options: CommandOptions;
  readonly #clock: Clock;
  readonly #channel: Connection;
  readonly #onEnd: (end: ExchangeEnd) => void;
  readonly #information: string[] = [];
  #informationBytes = 0;
  /** What is wrong with the answer although it ends in order. */
  #fault: ThinglineError | undefined;
  /** Set from the OK on that opened data mode. */
  #payload: PayloadRun | undefined;
  #timer: Timer;

  constructor({ line, command, timeoutMs, options, clock, channel, onEnd }: ExchangeInit) {
    this.command = command;
    this.#line = line;
    this.#timeoutMs = timeoutMs;
    this.#options = options;
    this.#clock = clock;
    this.#channel = channel;
    this.#onEnd = onEnd;
    this.#timer = clock.setTimer(timeoutMs, () => this.#onOverdue());
  }

  /** Whether lines are those of an answer; behind the OK of a data mode they are the application's own. */
  get isAnswering(): boolean {
    return this.#payload === undefined;
  }

  get rawListener(): RawDataListener | undefined {
    return this.#options.onRawData;
  }

  /** A line that is not final. */
  onInformation(text: string): void {
    // An echo (ATE1 of the Serial Modem application) is no information.
    if (this.#information.length === 0 && text === this.#line) return;
    this.#options.onInformation?.(text);
    this.#keep(text);
  }

  onFinal(text: string): void {
    const result = parseFinalResult(text);
    if (result === undefined) return;
    if (result.type === "ok") {
      if (this.#options.payload === undefined || this.#fault !== undefined)
        return this.#end(this.#fault ?? this.#information);
      this.#startPayload(new PayloadRun(this.#options.payload));
      return;
    }
    const command = this.describe();
    const codes: Record<string, number> =
      result.type === "error" ? {} : { [result.type === "cmeError" ? "cme" : "cms"]: result.code };
    const words =
      result.type === "cmeError"
        ? `+CME ERROR ${describeCmeError(result.code)}`
        : result.type === "cmsError"
          ? `+CMS ERROR ${describeCmsError(result.code)}`
          : text;
    const message = `the modem answered ${words} to ${command}`;
    this.#end(new ThinglineError("MODEM_COMMAND_REJECTED", message, { details: { command, ...codes } }));
  }

  /** @returns false for a line that has nothing to do with the end of data mode. */
  onDataModeLine(text: string): boolean {
    const payload = this.#payload;
    const meaning = payload?.lineOf(text);
    if (payload === undefined || meaning === undefined) return false;
    this.#keep(text);
    if (meaning.type === "failed") this.fail(payload.failedError(this.describe(), meaning.status), undefined);
    else if (meaning.type === "end") this.#end(this.#fault ?? this.#information);
    return true;
  }

  /** The application gave the data mode up: it drops everything until it is answered in kind. */
  onDataModeBroken(): void {
    this.#payload?.drop();
    this.#channel.write(new TextEncoder().encode(dataModeMarker));
    this.#channel.flush();
  }

  /** Something in the answer is not as it must be: the command fails, whatever its result. */
  spoil(fault: ThinglineError): void {
    this.#fault ??= fault;
  }

  onDrained(): void {
    this.#payload?.pump(this.#channel);
  }

  /** Also with what happened to its channel. */
  fail(error: ThinglineError, wayBack: WayBack | undefined): void {
    const { payload } = this.#options;
    // Its OK may have been lost: the modem may be in data mode whether or not anything was sent.
    const isLost = wayBack !== undefined && payload !== undefined;
    const missingBytesMax = payload?.end === "count" ? new PayloadRun(payload).lengthBytes : 0;
    this.#payload?.drop();
    this.#end(error, isLost ? { type: "dataMode", missingBytesMax } : wayBack);
  }

  /** The command without its values: they may be a private key. */
  describe(): string {
    const suffix = { execute: "", read: "?", test: "=?", set: "=..." }[this.command.form];
    return `AT${this.command.name}${suffix}`;
  }

  #startPayload(payload: PayloadRun): void {
    this.#timer.cancel();
    this.#payload = payload;
    payload.pump(this.#channel);
    this.#timer = this.#clock.setTimer(payload.timeoutMs(this.#timeoutMs), () => this.#onOverdue());
  }

  #keep(text: string): void {
    this.#informationBytes += text.length;
    if (this.#informationBytes <= answerBytesMax) this.#information.push(text);
    else {
      const message = `the answer to ${this.describe()} is longer than ${answerBytesMax} bytes`;
      this.spoil(new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: answerBytesMax } }));
    }
  }

  #onOverdue(): void {
    this.fail(this.#overdueError(), { type: "answer" });
  }

  #overdueError(): ThinglineError {
    const command = this.describe();
    const payload = this.#payload;
    if (payload !== undefined) return payload.overdueError(command, payload.timeoutMs(this.#timeoutMs));
    const timeoutMs = this.#timeoutMs;
    const message = `the modem did not answer ${command} within ${timeoutMs} ms`;
    return new ThinglineError("TIMEOUT", message, { details: { command, timeoutMs } });
  }

  #end(outcome: readonly string[] | ThinglineError, wayBack?: WayBack): void {
    this.#timer.cancel();
    this.#onEnd({ outcome, wayBack });
  }
}
