import { isThinglineError } from "@thingline/protocol";
import type { CommandLine } from "@thingline/protocol/at";
import type { Clock, Timer } from "@thingline/transport";
import { errorText, frameAnswer, frameInformation, okText } from "./answer.js";
import type { SerialModemInformation, SerialModemReply } from "./command.js";
import { checkLine, SerialCommandReader } from "./command-reader.js";
import { DataModeDriver, dataModeTerminator } from "./data-mode-driver.js";
import type { SerialModemDataMode } from "./data-mode.js";
import type { SerialModemTraits } from "./dialect.js";
import type { SerialModemCounters, SerialModemOptions } from "./options.js";
import type { SerialLine } from "./serial-line.js";
import { heldBytesMax, HeldNotifications } from "./held-notifications.js";

/** How long after the last byte of an unfinished command URCs wait that only leave on a free line. */
export const unfinishedCommandMs = 100;

/** What a line becomes: an answer of the application, or bytes of the modem that have their framing. */
export type Outcome = SerialModemReply | { type: "forwarded"; bytes: Uint8Array } | { type: "silent" };

export interface SerialHostOptions {
  clock: Clock;
  traits: SerialModemTraits;
  options: Pick<SerialModemOptions, "terminator" | "whileBusy" | "hasDataModeUrc">;
  counters: SerialModemCounters;
  line: Pick<SerialLine, "send" | "pause" | "resume">;
  /** One command whose grammar is right. */
  execute(text: string): Promise<Outcome>;
  timeLimitMs(): number;
  /** A command was answered, data mode began or ended. */
  onFree(): void;
  onFault(error: unknown): void;
}

type Mode =
  | { name: "command" }
  | { name: "data"; driver: DataModeDriver; mode: SerialModemDataMode }
  /** A burst could not be sent: what comes is dropped until the terminator, whose beginning may have come. */
  | { name: "dropping"; matched: number; mode: SerialModemDataMode }
  /** Asleep, or between two starts. */
  | { name: "off" };

/** Between the serial line and the commands: one command after the other, data mode, URCs. */
export class SerialHost {
  readonly #options: SerialHostOptions;
  readonly #reader: SerialCommandReader;
  readonly #held: HeldNotifications;
  readonly #whileBusy: "lost" | "queued";
  readonly #encoder = new TextEncoder();
  #mode: Mode = { name: "off" };
  #echoes = false;
  #isBusy = false;
  /** Counts starts: an answer of a start before this one goes nowhere. */
  #startCount = 0;
  #incoming: Uint8Array[] = [];
  #isDraining = false;
  #unfinishedTimer: Timer | undefined;

  constructor(options: SerialHostOptions) {
    this.#options = options;
    const { traits, counters } = options;
    this.#reader = new SerialCommandReader(traits, options.options.terminator ?? traits.terminator);
    this.#whileBusy = options.options.whileBusy ?? traits.whileBusy;
    this.#held = new HeldNotifications(heldBytesMax, counters);
  }

  get isInDataMode(): boolean {
    return this.#mode.name === "data";
  }

  /** Whether a URC would stand between commands: none is executed or begun, and the line is not in data mode. */
  get isFree(): boolean {
    return this.#mode.name === "command" && !this.#isBusy && this.#unfinishedTimer === undefined;
  }

  setEcho(echoes: boolean): void {
    this.#echoes = echoes;
  }

  /** The application has started: commands are taken. */
  start(): void {
    this.#mode = { name: "command" };
    this.#drain();
  }

  /** The application stops: whatever is under way ends without a word, and bytes are lost. */
  stop(): void {
    this.#startCount++;
    if (this.#mode.name === "data") this.#mode.driver.close();
    this.#mode = { name: "off" };
    this.#isBusy = false;
    this.#echoes = false;
    this.#unfinishedTimer?.cancel();
    this.#unfinishedTimer = undefined;
    this.#reader.reset();
    this.#held.clear();
    this.#drain();
  }

  receive(bytes: Uint8Array): void {
    this.#incoming.push(bytes);
    this.#drain();
  }

  /** A URC: of the application, or one that the modem sent. */
  notify(information: SerialModemInformation, { isOfModem = false } = {}): void {
    const { traits, counters, line } = this.#options;
    const isAtOnce = traits.notifiesWhen === "atOnce";
    if (this.#mode.name === "off" || (isAtOnce && isOfModem && this.#mode.name !== "command")) {
      counters.droppedNotifications++;
      return;
    }
    const bytes = frameInformation(information);
    // The modem hands its URCs over before the answer that they follow.
    if ((isAtOnce && !(isOfModem && this.#isBusy)) || (this.isFree && this.#held.isEmpty)) line.send(bytes);
    else this.#held.put(bytes);
  }

  /** Bytes for the host as they are, in data mode. */
  sendRaw(bytes: Uint8Array): void {
    this.#options.line.send(bytes);
  }

  /** What the payload goes to is gone. */
  leaveDataMode(result: number): void {
    if (this.#mode.name !== "data") return;
    this.#mode.driver.close();
    this.#endData(this.#mode.mode, result);
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (let bytes = this.#incoming[0]; bytes !== undefined; bytes = this.#incoming[0]) {
      const next = this.#take(bytes);
      if (next < bytes.length) {
        this.#incoming[0] = bytes.subarray(next);
        break;
      }
      this.#incoming.shift();
    }
    this.#isDraining = false;
    // Held back: the host's bytes wait at its end.
    if (this.#incoming.length > 0) this.#options.line.pause();
    else this.#options.line.resume();
  }

  /** @returns the offset of the first byte that has to wait. */
  #take(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      const next = this.#takeSome(bytes, at);
      if (next === at) return at;
      at = next;
    }
    return at;
  }

  #takeSome(bytes: Uint8Array, at: number): number {
    switch (this.#mode.name) {
      case "off":
        this.#options.counters.lostBytes += bytes.length - at;
        return bytes.length;
      case "data": {
        const { driver } = this.#mode;
        return driver.take(bytes, at);
      }
      case "dropping":
        return this.#drop(this.#mode, bytes, at);
      case "command":
        return this.#isBusy ? this.#takeWhileBusy(bytes, at) : this.#takeCommand(bytes, at);
    }
  }

  #takeWhileBusy(bytes: Uint8Array, at: number): number {
    if (this.#whileBusy === "queued") return at;
    // The line feed behind a carriage return is still in the receiver's register.
    this.#options.counters.lostBytes += bytes.length - at - (bytes[at] === 0x0a ? 1 : 0);
    return bytes.length;
  }

  #takeCommand(bytes: Uint8Array, at: number): number {
    const { line, next } = this.#reader.take(bytes, at);
    if (this.#echoes) this.#options.line.send(bytes.slice(at, next));
    this.#watchUnfinished();
    if (line !== undefined) this.#execute(line);
    return next;
  }

  #drop(state: Mode & { name: "dropping" }, bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      state.matched = bytes[at] === dataModeTerminator.charCodeAt(state.matched) ? state.matched + 1 : 0;
      if (state.matched < dataModeTerminator.length) continue;
      this.#tellDataModeEnd(state.mode, -1);
      return at + 1;
    }
    return bytes.length;
  }

  /** URCs that wait for a free line wait for a command that is being typed, but not for ever. */
  #watchUnfinished(): void {
    if (this.#options.traits.notifiesWhen === "atOnce") return;
    this.#unfinishedTimer?.cancel();
    this.#unfinishedTimer = undefined;
    if (this.#reader.pendingBytes === 0) return;
    this.#unfinishedTimer = this.#options.clock.setTimer(unfinishedCommandMs, () => {
      this.#unfinishedTimer = undefined;
      this.#tellFree();
    });
  }

  #execute(commandLine: CommandLine): void {
    const checked = checkLine(commandLine, this.#options.traits);
    if (checked.type === "invalid") return this.#answer({ type: "error", information: [] });
    this.#isBusy = true;
    const start = this.#startCount;
    void this.#options
      .execute(checked.text)
      .catch((error: unknown): Outcome => {
        // What the modem or the network refuses is an ERROR; anything else is a defect.
        if (isThinglineError(error)) return { type: "error", information: [] };
        throw error;
      })
      .then((outcome) => {
        if (start !== this.#startCount) return;
        this.#isBusy = false;
        this.#answer(outcome);
      })
      .catch((error: unknown) => this.#options.onFault(error));
  }

  #answer(outcome: Outcome): void {
    const { line } = this.#options;
    if (outcome.type === "forwarded") line.send(outcome.bytes);
    else if (outcome.type === "error") line.send(frameAnswer(outcome.information, errorText));
    else if (outcome.type !== "silent") line.send(frameAnswer(outcome.information, okText));
    if (outcome.type === "dataMode") this.#enterDataMode(outcome.mode);
    if (outcome.type === "ok" || outcome.type === "dataMode") this.#runAfterwards(outcome);
    this.#tellFree();
    this.#drain();
  }

  #runAfterwards(outcome: SerialModemReply & { type: "ok" | "dataMode" }): void {
    const run = async (): Promise<void> => outcome.afterwards?.();
    void run().catch((error: unknown) => this.#options.onFault(error));
  }

  #enterDataMode(mode: SerialModemDataMode): void {
    const { clock, traits, options } = this.#options;
    const driver = new DataModeDriver({
      clock,
      traits,
      mode,
      timeLimitMs: this.#options.timeLimitMs(),
      onSent: (lengthBytes) => {
        if (options.hasDataModeUrc === true) this.#sendText(`\r\n#XDATAMODE: ${lengthBytes}\r\n`);
      },
      onEnd: (result) => this.#endData(mode, result),
      onFree: () => this.#drain(),
      onFault: (error) => this.#options.onFault(error),
    });
    this.#mode = { name: "data", driver, mode };
  }

  #endData(mode: SerialModemDataMode, result: number): void {
    if (result < 0 && this.#options.traits.onSendFailure === "dropUntilTerminator") {
      this.#sendText(dataModeTerminator);
      this.#mode = { name: "dropping", matched: 0, mode };
    } else this.#tellDataModeEnd(mode, result);
    this.#drain();
  }

  #tellDataModeEnd(mode: SerialModemDataMode, result: number): void {
    this.#mode = { name: "command" };
    this.#sendText(`\r\n#XDATAMODE: ${result}\r\n`);
    mode.ended?.(result);
    this.#tellFree();
  }

  #tellFree(): void {
    if (this.#mode.name !== "off" && (this.isFree || this.#options.traits.notifiesWhen === "atOnce")) {
      for (const bytes of this.#held.takeAll()) this.#options.line.send(bytes);
    }
    this.#options.onFree();
  }

  #sendText(text: string): void {
    this.#options.line.send(this.#encoder.encode(text));
  }
}
