import {
  checkOptionTypes,
  kindOf,
  methodsOf,
  optionInvalid,
  type OptionTypes,
  ThinglineError,
} from "@thingline/protocol";
import type { AtCommand, ModemNotification } from "@thingline/protocol/at";
import {
  atCommandBytesMax,
  classifyLine,
  describeCmeError,
  describeCmsError,
  parseAtCommand,
  parseFinalResult,
  parseNotification,
  ResponseLineReader,
  slowCommandTimeMs,
} from "@thingline/protocol/at";
import { type Clock, clockOption, type Connection, connectionOption } from "@thingline/transport";
import { NotificationStream } from "./notification-stream.js";
import { type ModemLineEnd, type ModemProbe, probeBy } from "./probe.js";
import type { CommandPayload, RawDataListener } from "./raw-data.js";

export interface ModemSessionOptions {
  clock: Clock;
  /** What ends a command. CR LF suits every AT host but one that wants NUL. Default {@link defaultLineEnd}. */
  lineEnd?: ModemLineEnd;
  /** Of ordinary commands; slow ones (`slowCommandTimeMs`) have more. Default {@link defaultCommandTimeoutMs}. */
  commandTimeoutMs?: number;
}

export const defaultLineEnd = "\r\n";
export const defaultCommandTimeoutMs = 15_000;
/** Commands and sequences that may wait for their turn; more are refused. */
export const sessionQueueMax = 64;
/** Information that one answer may have in all its lines. */
export const answerBytesMax = 65_536;

/** A final result code on a line of its own, and nothing behind it. */
const endsWithResult = /(?:^|\n)(?:OK|ERROR|\+CM[ES] ERROR: ?[0-9]+)\r\n$/;
const resyncAttemptsMax = 4;
const resyncAnswerMs = 1000;
const resyncQuietMs = 100;

export interface CommandOptions {
  /**
   * From sending to the final result code, and once more from there to the end of a payload's exchange; the time does not run while
   * bytes of the payload still leave. Default: the command's own time, else the session's.
   */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Takes the raw bytes that a line of the answer announces (`#XRECV`). Without it they are counted over and dropped. */
  onRawData?: RawDataListener;
  /**
   * What the command sends in data mode once the modem answered OK. The command's answer is then the lines of the OK, and behind them
   * those that ended the exchange: `#XDATAMODE: 0`, `#XDFU: 0,1,0`.
   *
   * @throws {ThinglineError} besides those of {@link ModemSession.command}: MODEM_DATA_MODE_FAILED when the modem leaves the data mode with
   * an error or not at all, OPTION_INVALID for a payload that its end marker would cut.
   */
  payload?: CommandPayload;
}

/** Sends one command and waits for its answer. See {@link ModemSession.command}. */
export type RunCommand = (line: string, options?: CommandOptions) => Promise<readonly string[]>;

/** One AT channel: commands one after the other, their answers, and the URCs in between. */
export interface ModemSession {
  /**
   * Sends a command line, without terminator, when those before it have their answers.
   *
   * @returns the information lines of an OK, without the OK.
   * @throws {ThinglineError} MODEM_COMMAND_REJECTED with `details.cme` or `details.cms` where the modem gave one,
   * AT_MALFORMED, LIMIT_EXCEEDED, TIMEOUT, ABORTED, CLOSED, CONNECTION_LOST, SERIAL_PORT_UNPLUGGED. Messages name the command, not its values.
   */
  command: RunCommand;
  /**
   * Several commands with nobody else's in between. The function must not call {@link ModemSession.command}: it would
   * wait for itself; it is given its own.
   */
  sequence<Result>(steps: (run: RunCommand) => Promise<Result>, options?: { signal?: AbortSignal }): Promise<Result>;
  /** Calls back for each URC, from the event loop. @returns what ends the subscription. */
  onNotification(listener: (line: string) => void): () => void;
  /** URCs as they come. Bounded: the oldest are dropped, and counted, when the reader falls behind. */
  notifications(options?: { signal?: AbortSignal }): AsyncIterable<string>;
  /** URCs as they come, taken apart: what is not known comes as `other`. Bounded as {@link ModemSession.notifications}. */
  events(options?: { signal?: AbortSignal }): AsyncIterable<ModemNotification>;
  /**
   * Takes the raw bytes behind URCs of a name (`#XTCPDATA`, `#XMQTTMSG`, `#XRECV` of a socket that receives by itself); one listener for
   * each name, the last one. Bytes that nobody takes are lines and noise. @returns what ends the subscription.
   */
  onRawData(name: string, listener: RawDataListener): () => void;
  /**
   * Finds out what is behind the channel, and speaks its way from then on. Some seconds when nothing answers. Must not be called
   * while the serial modem application is in data mode: the probe would be payload.
   *
   * @throws {ThinglineError} LIMIT_EXCEEDED, ABORTED, CLOSED, CONNECTION_LOST, and those of the channel.
   */
  probe(options?: { signal?: AbortSignal }): Promise<ModemProbe>;
  readonly counters: Readonly<ModemSessionCounters>;
  /** Fails what waits with CLOSED and closes the channel. Safe to call twice. */
  close(): Promise<void>;
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ModemSessionCounters {
  commands: number;
  timeouts: number;
  /** How often the session had to find its way back to the modem. */
  resyncs: number;
  /** Lines that were neither answer nor URC. */
  noiseLines: number;
  /** URCs that readers of {@link ModemSession.notifications} were too slow for. */
  droppedNotifications: number;
}

interface Exchange {
  line: string;
  command: AtCommand;
  information: string[];
  informationBytes: number;
  /** What is wrong with the answer although it ends in order. */
  fault: ThinglineError | undefined;
  settle(outcome: readonly string[] | ThinglineError): void;
}

interface Job {
  start(): Promise<void>;
  fail(error: ThinglineError): void;
}

const optionTypes = {
  clock: clockOption,
  lineEnd: "string",
  commandTimeoutMs: "number",
} as const satisfies OptionTypes<ModemSessionOptions>;

/** A session as an option of what is built on it. */
export const sessionOption = methodsOf<Pick<ModemSession, "sequence" | "onNotification">>(
  "a ModemSession",
  { sequence: true, onNotification: true },
  "openModemSession() makes one",
);

const commandTypes = {
  timeoutMs: "number",
  signal: "signal",
  onRawData: "function",
  payload: { options: { bytes: "any", end: "string", lastLine: "string" }, required: ["bytes", "end"] },
} as const satisfies OptionTypes<CommandOptions>;
const lineEnds: readonly string[] = ["\r\n", "\r", "\n", "\0", ""];

function checkCommand(line: string, options: CommandOptions): void {
  if (typeof line !== "string") throw optionInvalid("line", "an AT command", kindOf(line));
  checkOptionTypes(options, commandTypes, { of: "command()" });
  checkTimeout("timeoutMs", options.timeoutMs);
}

function checkTimeout(option: string, timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (timeoutMs > 0 && timeoutMs <= 2_147_483_647)) return;
  throw optionInvalid(option, "milliseconds above 0", timeoutMs);
}

/** Takes the host's end of an AT channel: a serial port's, or a simulated modem's `openPort()`. */
export function openModemSession(channel: Connection, options: ModemSessionOptions): ModemSession {
  checkOptionTypes(options, optionTypes, { of: "openModemSession()", required: ["clock"] });
  checkOptionTypes({ channel }, { channel: connectionOption }, { of: "openModemSession()", required: ["channel"] });
  if (options.lineEnd !== undefined && !lineEnds.includes(options.lineEnd)) {
    throw optionInvalid("lineEnd", "CR LF, CR, LF, NUL or nothing", kindOf(options.lineEnd));
  }
  checkTimeout("commandTimeoutMs", options.commandTimeoutMs);
  return new OpenModemSession(channel, options);
}

class OpenModemSession implements ModemSession {
  readonly counters: ModemSessionCounters = {
    commands: 0,
    timeouts: 0,
    resyncs: 0,
    noiseLines: 0,
    droppedNotifications: 0,
  };
  readonly closed: Promise<void>;
  readonly #channel: Connection;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #reader = new ResponseLineReader();
  readonly #encoder = new TextEncoder();
  readonly #listeners = new Set<(line: string) => void>();
  readonly #rawListeners = new Map<string, RawDataListener>();
  readonly #streams = new Set<NotificationStream>();
  #jobs: Job[] = [];
  #lineEnd: string;
  /** Takes what comes while the session probes. */
  #tap: ((bytes: Uint8Array) => void) | undefined;
  #isBusy = false;
  #exchange: Exchange | undefined;
  #answered: Promise<void> = Promise.resolve();
  #needsResync = false;
  #end: ThinglineError | undefined;
  #ended = new AbortController();

  constructor(channel: Connection, options: ModemSessionOptions) {
    this.#channel = channel;
    this.#clock = options.clock;
    this.#lineEnd = options.lineEnd ?? defaultLineEnd;
    this.#timeoutMs = options.commandTimeoutMs ?? defaultCommandTimeoutMs;
    this.closed = channel.closed;
    channel.start({
      data: (bytes) => this.#receive(bytes),
      closed: (error) => {
        const message = "the AT channel ended";
        const { details = {} } = error ?? {};
        const code = error?.code === "SERIAL_PORT_UNPLUGGED" ? error.code : "CONNECTION_LOST";
        const why = error === undefined ? message : `${message}: ${error.message}`;
        this.#finish(new ThinglineError(code, why, { details, cause: error }));
      },
    });
  }

  async command(line: string, options: CommandOptions = {}): Promise<readonly string[]> {
    checkCommand(line, options);
    return this.sequence((run) => run(line, options), options);
  }

  sequence<Result>(
    steps: (run: RunCommand) => Promise<Result>,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (this.#end !== undefined) throw this.#end;
      if (signal?.aborted === true) throw aborted(signal);
      if (this.#jobs.length >= sessionQueueMax) {
        throw new ThinglineError("LIMIT_EXCEEDED", `more than ${sessionQueueMax} AT commands wait for the modem`);
      }
      const onAbort = () => {
        this.#jobs = this.#jobs.filter((other) => other !== job);
        reject(aborted(signal));
      };
      const job: Job = {
        start: async () => {
          signal?.removeEventListener("abort", onAbort);
          const run: RunCommand = async (line, options = {}) => {
            checkCommand(line, options);
            return this.#run(line, options);
          };
          await steps(run).then(resolve, reject);
        },
        fail: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#jobs.push(job);
      this.#next();
    });
  }

  onNotification(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onRawData(name: string, listener: RawDataListener): () => void {
    this.#rawListeners.set(name, listener);
    return () => {
      if (this.#rawListeners.get(name) === listener) this.#rawListeners.delete(name);
    };
  }

  notifications({ signal }: { signal?: AbortSignal } = {}): AsyncIterable<string> {
    const stream = new NotificationStream({
      signal,
      onDropped: () => this.counters.droppedNotifications++,
      onEnd: () => this.#streams.delete(stream),
    });
    if (this.#end === undefined) this.#streams.add(stream);
    else stream.end(undefined);
    return stream;
  }

  async *events(options: { signal?: AbortSignal } = {}): AsyncGenerator<ModemNotification, void, undefined> {
    for await (const line of this.notifications(options)) yield parseNotification(line);
  }

  probe(options: { signal?: AbortSignal } = {}): Promise<ModemProbe> {
    return this.sequence(async () => {
      await this.#answered;
      const probe = await probeBy((text, waitMs) => this.#exchangeRaw(text, waitMs));
      if ("lineEnd" in probe) {
        this.#lineEnd = probe.lineEnd;
        this.#needsResync = false;
      }
      return probe;
    }, options);
  }

  async close(): Promise<void> {
    this.#finish(new ThinglineError("CLOSED", "the modem session was closed"));
    await this.#channel.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #next(): void {
    if (this.#isBusy) return;
    const job = this.#jobs.shift();
    if (job === undefined) return;
    this.#isBusy = true;
    void job.start().then(() => {
      this.#isBusy = false;
      this.#next();
    });
  }

  async #run(line: string, { timeoutMs, signal }: CommandOptions = {}): Promise<readonly string[]> {
    const command = parseAtCommand(line);
    const bytes = this.#encoder.encode(line).length;
    if (bytes > atCommandBytesMax) {
      const message = `AT${command.name}: the modem takes commands of ${atCommandBytesMax} bytes, got ${bytes}`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytes, limit: atCommandBytesMax } });
    }
    // The answer to a command whose caller went away.
    await this.#answered;
    if (this.#needsResync) await this.#resync();
    this.counters.commands++;
    return this.#send(line, command, timeoutMs ?? this.#timeOf(command), signal);
  }

  #timeOf(command: AtCommand): number {
    return Math.max(slowCommandTimeMs(command) ?? 0, this.#timeoutMs);
  }

  /** One command and its answer. An abort frees the caller at once; the channel stays taken until the answer came. */
  #send(line: string, command: AtCommand, timeoutMs: number, signal?: AbortSignal): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw this.#end;
      if (signal?.aborted === true) throw aborted(signal);
      let release: () => void = () => undefined;
      this.#answered = new Promise((resolveAnswered) => {
        release = resolveAnswered;
      });
      const onAbort = () => reject(aborted(signal));
      const settle = (outcome: readonly string[] | ThinglineError) => {
        timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        this.#exchange = undefined;
        release();
        if (outcome instanceof ThinglineError) reject(outcome);
        else resolve(outcome);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const timer = this.#clock.setTimer(timeoutMs, () => {
        this.#needsResync = true;
        this.counters.timeouts++;
        this.#reader.reset();
        const message = `the modem did not answer ${describe(command)} within ${timeoutMs} ms`;
        settle(new ThinglineError("TIMEOUT", message, { details: { command: describe(command), timeoutMs } }));
      });
      this.#reader.dropNoise();
      this.#exchange = { line, command, information: [], informationBytes: 0, fault: undefined, settle };
      this.#channel.write(this.#encoder.encode(line + this.#lineEnd));
      this.#channel.flush();
    });
  }

  /**
   * Finds the way back after an answer that did not come: whatever is still under way ends, a quote that noise opened
   * in the modem's line discipline is closed, and late answers run dry.
   */
  async #resync(): Promise<void> {
    this.counters.resyncs++;
    const probe = parseAtCommand("AT");
    for (let attempt = 0; attempt < resyncAttemptsMax; attempt++) {
      this.#reader.reset();
      if (attempt > 0) {
        // Ends a quoted text, or opens one that the next attempt ends.
        this.#channel.write(this.#encoder.encode(`"${this.#lineEnd}`));
        this.#channel.flush();
        await this.#pause(resyncQuietMs);
      }
      try {
        await this.#send("AT", probe, resyncAnswerMs);
      } catch (error) {
        if (error instanceof ThinglineError && (error.code === "TIMEOUT" || error.code === "MODEM_COMMAND_REJECTED"))
          continue;
        throw error;
      }
      await this.#pause(resyncQuietMs);
      this.#needsResync = false;
      return;
    }
    const message = `the modem does not answer AT: ${resyncAttemptsMax} attempts, ${resyncAnswerMs} ms each`;
    throw new ThinglineError("TIMEOUT", message, { details: { command: "AT", timeoutMs: resyncAnswerMs } });
  }

  /** Sends a text as it is and collects what comes until it looks complete, or the time is over. */
  #exchangeRaw(text: string, waitMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw this.#end;
      const decoder = new TextDecoder();
      let answer = "";
      const finish = () => {
        timer.cancel();
        this.#ended.signal.removeEventListener("abort", onEnd);
        this.#tap = undefined;
        this.#reader.reset();
        resolve(answer);
      };
      const onEnd = () => {
        timer.cancel();
        this.#tap = undefined;
        reject(this.#end ?? new ThinglineError("CLOSED", "the modem session was closed"));
      };
      const timer = this.#clock.setTimer(waitMs, finish);
      this.#ended.signal.addEventListener("abort", onEnd, { once: true });
      this.#tap = (bytes) => {
        answer += decoder.decode(bytes, { stream: true });
        if (answer.length > answerBytesMax || endsWithResult.test(answer)) finish();
      };
      this.#channel.write(this.#encoder.encode(text));
      this.#channel.flush();
    });
  }

  async #pause(delayMs: number): Promise<void> {
    try {
      await this.#clock.sleep(delayMs, { signal: this.#ended.signal });
    } catch (error) {
      throw this.#end ?? error;
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#tap !== undefined) return this.#tap(bytes);
    for (const line of this.#reader.push(bytes)) {
      if (line.type === "line") this.#onLine(line.text);
      else this.#onOverlong(line.droppedBytes);
    }
  }

  #onOverlong(droppedBytes: number): void {
    this.counters.noiseLines++;
    if (this.#exchange === undefined) return;
    const message = `the answer to ${describe(this.#exchange.command)} has a line that is ${droppedBytes} bytes long`;
    this.#exchange.fault = new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytes: droppedBytes } });
  }

  #onLine(text: string): void {
    const exchange = this.#exchange;
    switch (classifyLine(text, exchange?.command)) {
      case "final":
        if (exchange !== undefined) this.#onFinal(exchange, text);
        return;
      case "information":
        if (exchange !== undefined) this.#onInformation(exchange, text);
        return;
      case "notification":
        for (const listener of [...this.#listeners]) listener(text);
        for (const stream of this.#streams) stream.put(text);
        return;
      case "noise":
        this.counters.noiseLines++;
        return;
    }
  }

  #onInformation(exchange: Exchange, text: string): void {
    // An echo (ATE1 of the Serial Modem application) is no information.
    if (exchange.information.length === 0 && text === exchange.line) return;
    exchange.informationBytes += text.length;
    if (exchange.informationBytes <= answerBytesMax) exchange.information.push(text);
    else {
      const message = `the answer to ${describe(exchange.command)} is longer than ${answerBytesMax} bytes`;
      exchange.fault = new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: answerBytesMax } });
    }
  }

  #onFinal(exchange: Exchange, text: string): void {
    const result = parseFinalResult(text);
    if (result === undefined) return;
    if (result.type === "ok") exchange.settle(exchange.fault ?? exchange.information);
    else {
      const command = describe(exchange.command);
      const codes: Record<string, number> =
        result.type === "error" ? {} : { [result.type === "cmeError" ? "cme" : "cms"]: result.code };
      const words =
        result.type === "cmeError"
          ? `+CME ERROR ${describeCmeError(result.code)}`
          : result.type === "cmsError"
            ? `+CMS ERROR ${describeCmsError(result.code)}`
            : text;
      const message = `the modem answered ${words} to ${command}`;
      exchange.settle(new ThinglineError("MODEM_COMMAND_REJECTED", message, { details: { command, ...codes } }));
    }
  }

  #finish(error: ThinglineError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    const jobs = this.#jobs;
    this.#jobs = [];
    this.#exchange?.settle(error);
    this.#ended.abort();
    for (const job of jobs) job.fail(error);
    for (const stream of [...this.#streams]) stream.end(error.code === "CLOSED" ? undefined : error);
    this.#listeners.clear();
  }
}

/** The command without its values: they may be a private key. */
function describe(command: AtCommand): string {
  const suffix = { execute: "", read: "?", test: "=?", set: "=..." }[command.form];
  return `AT${command.name}${suffix}`;
}

function aborted(signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", "the AT command was aborted by its caller", { cause: signal?.reason });
}
