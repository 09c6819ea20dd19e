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
  parseAtCommand,
  parseNotification,
  ResponseLineReader,
  type ResponseSink,
  slowCommandTimeMs,
} from "@thingline/protocol/at";
import { type Clock, clockOption, type Connection, connectionOption } from "@thingline/transport";
import { isBanner } from "./board-start.js";
import { checkCommand, checkTimeout, type CommandOptions, type RunCommand } from "./command-options.js";
import { answerBytesMax, Exchange, type ExchangeEnd } from "./exchange.js";
import { NotificationStream } from "./notification-stream.js";
import { dataModeMarker, dataModeName } from "./payload.js";
import { type ModemLineEnd, type ModemProbe, probeBy } from "./probe.js";
import { abandonedBytesMax, findWayBack, leaveDataMode, type WayBack, type WayBackTools } from "./way-back.js";
import { parseRawDataHead, type RawDataListener } from "./raw-data.js";
import { RawIntake } from "./raw-intake.js";
import { commandAborted, TurnQueue } from "./turn-queue.js";

export { checkTimeout, withSignal } from "./command-options.js";
export type { CommandOptions, RunCommand } from "./command-options.js";

export interface ModemSessionOptions {
  clock: Clock;
  /** What ends a command. CR LF suits every AT host but one that wants NUL. Default {@link defaultLineEnd}. */
  lineEnd?: ModemLineEnd;
  /** Of ordinary commands; slow ones (`slowCommandTimeMs`) have more. Default {@link defaultCommandTimeoutMs}. */
  commandTimeoutMs?: number;
}

export const defaultLineEnd = "\r\n";
export const defaultCommandTimeoutMs = 15_000;
/** A final result code on a line of its own, and nothing behind it. */
const endsWithResult = /(?:^|\n)(?:OK|ERROR|\+CM[ES] ERROR: ?[0-9]+)\r\n$/;

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
   * Finds out what is behind the channel, and speaks its way from then on. Some seconds when nothing answers. In data mode the serial
   * modem application would take the probe for payload.
   *
   * @param options `leavesDataMode`: when nothing answers, ends a data mode that an earlier program may have left, and asks again. What it
   * sends for that goes to whatever that data mode sends to. An abort is followed within a second.
   * @throws {ThinglineError} LIMIT_EXCEEDED, ABORTED, CLOSED, CONNECTION_LOST, and those of the channel.
   */
  probe(options?: { signal?: AbortSignal; leavesDataMode?: boolean }): Promise<ModemProbe>;
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

const lineEnds: readonly string[] = ["\r\n", "\r", "\n", "\0", ""];

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
  readonly #raw: RawIntake;
  readonly #rawListeners = new Map<string, RawDataListener>();
  readonly #turns = new TurnQueue();
  readonly #streams = new Set<Pick<NotificationStream<unknown>, "put" | "end">>();
  #lineEnd: string;
  /** Takes what comes while the session probes. */
  #tap: ((bytes: Uint8Array) => void) | undefined;
  #exchange: Exchange | undefined;
  #answered: Promise<void> = Promise.resolve();
  #wayBack: WayBack | undefined;
  #end: ThinglineError | undefined;
  #ended = new AbortController();

  constructor(channel: Connection, options: ModemSessionOptions) {
    this.#channel = channel;
    this.#clock = options.clock;
    this.#lineEnd = options.lineEnd ?? defaultLineEnd;
    this.#timeoutMs = options.commandTimeoutMs ?? defaultCommandTimeoutMs;
    this.closed = channel.closed;
    this.#raw = new RawIntake(this.#clock, this.#reader, (error) => {
      this.counters.noiseLines++;
      this.#exchange?.fail(error, { type: "answer" });
    });
    channel.start({
      data: (bytes) => this.#receive(bytes),
      drained: () => this.#exchange?.onDrained(),
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
    return this.sequence(() => this.#run(line, options), options);
  }

  sequence<Result>(
    steps: (run: RunCommand) => Promise<Result>,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Result> {
    return this.#turns.take(() => {
      const run: RunCommand = async (line, options = {}) => {
        checkCommand(line, options);
        return this.#run(line, options);
      };
      return steps(run);
    }, signal);
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

  notifications(options: { signal?: AbortSignal } = {}): AsyncIterable<string> {
    return this.#stream((line) => line, options);
  }

  events(options: { signal?: AbortSignal } = {}): AsyncIterable<ModemNotification> {
    return this.#stream(parseNotification, options);
  }

  #stream<Item>(read: (line: string) => Item, { signal }: { signal?: AbortSignal }): AsyncIterable<Item> {
    const stream = new NotificationStream({
      read,
      signal,
      onDropped: () => this.counters.droppedNotifications++,
      onEnd: () => this.#streams.delete(stream),
    });
    if (this.#end !== undefined) stream.end(undefined);
    else if (!stream.isEnded) this.#streams.add(stream);
    return stream;
  }

  probe({
    leavesDataMode = false,
    signal,
  }: { signal?: AbortSignal; leavesDataMode?: boolean } = {}): Promise<ModemProbe> {
    return this.#turns.take(async () => {
      await this.#answered;
      try {
        const probe = await this.#findModem(leavesDataMode, signal);
        if ("lineEnd" in probe) {
          this.#lineEnd = probe.lineEnd;
          this.#wayBack = undefined;
        }
        return probe;
      } catch (error) {
        // A part of it may lie in the modem's line.
        this.#wayBack ??= leavesDataMode ? { type: "dataMode", missingBytesMax: 0 } : { type: "answer" };
        throw error;
      }
    }, signal);
  }

  async #findModem(leavesDataMode: boolean, signal: AbortSignal | undefined): Promise<ModemProbe> {
    const checkSignal = () => {
      if (signal?.aborted === true) throw commandAborted(signal);
    };
    const exchange = async (text: string, waitMs: number) => {
      checkSignal();
      return this.#exchangeRaw(text, waitMs);
    };
    const pause = async (delayMs: number) => {
      checkSignal();
      await this.#pause(delayMs);
    };
    const tools = { ...this.#wayBackTools(), pause };
    let probe = await probeBy(exchange);
    let hasLeft = false;
    const unsubscribe = this.onNotification((line) => (hasLeft ||= line.startsWith(dataModeName)));
    try {
      // The marker alone first: what fills a count takes its time on a slow line, and must be through before a marker counts.
      for (const missingBytesMax of leavesDataMode ? [0, abandonedBytesMax] : []) {
        if (probe.kind !== "silent") break;
        await leaveDataMode(missingBytesMax, tools);
        probe = await probeBy(exchange);
      }
    } finally {
      unsubscribe();
    }
    return probe.kind === "serialModem" && hasLeft ? { ...probe, leftDataMode: true } : probe;
  }

  async close(): Promise<void> {
    this.#finish(new ThinglineError("CLOSED", "the modem session was closed"));
    await this.#channel.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(line: string, options: CommandOptions = {}): Promise<readonly string[]> {
    const command = parseAtCommand(line);
    const bytes = this.#encoder.encode(line).length;
    if (bytes > atCommandBytesMax) {
      const message = `AT${command.name}: the modem takes commands of ${atCommandBytesMax} bytes, got ${bytes}`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytes, limit: atCommandBytesMax } });
    }
    // The answer to a command whose caller went away.
    await this.#answered;
    if (this.#wayBack !== undefined) await this.#resync(this.#wayBack);
    this.counters.commands++;
    return this.#send(line, command, options.timeoutMs ?? this.#timeOf(command), options);
  }

  #timeOf(command: AtCommand): number {
    return Math.max(slowCommandTimeMs(command) ?? 0, this.#timeoutMs);
  }

  /** One command and its answer. An abort frees the caller at once; the channel stays taken until the answer came. */
  #send(line: string, command: AtCommand, timeoutMs: number, options: CommandOptions = {}): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      if (this.#end !== undefined) throw this.#end;
      if (signal?.aborted === true) throw commandAborted(signal);
      let release: () => void = () => undefined;
      this.#answered = new Promise((resolveAnswered) => {
        release = resolveAnswered;
      });
      const onAbort = () => reject(commandAborted(signal));
      const onEnd = ({ outcome, wayBack }: ExchangeEnd) => {
        signal?.removeEventListener("abort", onAbort);
        this.#exchange = undefined;
        if (wayBack !== undefined) this.#loseWay(outcome, wayBack);
        release();
        if (outcome instanceof ThinglineError) reject(outcome);
        else resolve(outcome);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#reader.dropNoise();
      this.#exchange = new Exchange({
        ...{ line, command, timeoutMs, options, onEnd },
        channel: this.#channel,
        clock: this.#clock,
      });
      this.#write(line + this.#lineEnd);
    });
  }

  async #resync(wayBack: WayBack): Promise<void> {
    this.counters.resyncs++;
    try {
      await findWayBack(wayBack, this.#wayBackTools());
      this.#wayBack = undefined;
    } catch (error) {
      // Whatever was disturbed on the way, or a data mode that nobody knows of: the next command tries more.
      this.#wayBack = wayBack.type === "dataMode" ? wayBack : { type: "dataMode", missingBytesMax: 0 };
      throw error;
    }
  }

  #wayBackTools(): WayBackTools {
    const probe = parseAtCommand("AT");
    return {
      lineEnd: this.#lineEnd,
      bufferedBytes: () => this.#channel.bufferedBytes,
      write: (text) => this.#write(text),
      pause: (delayMs) => this.#pause(delayMs),
      forget: () => this.#reader.reset(),
      ask: (timeoutMs) => this.#send("AT", probe, timeoutMs),
    };
  }

  #loseWay(outcome: readonly string[] | ThinglineError, wayBack: WayBack): void {
    this.#wayBack = wayBack;
    if (outcome instanceof ThinglineError && outcome.code === "TIMEOUT") this.counters.timeouts++;
    this.#raw.end();
    this.#reader.reset();
  }

  #write(text: string): void {
    this.#channel.write(this.#encoder.encode(text));
    this.#channel.flush();
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
      this.#write(text);
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
    this.#reader.read(bytes, this.#sink);
    const exchange = this.#exchange;
    // An application whose connection broke in data mode sends the marker, without a line end.
    if (exchange?.isAnswering === false && this.#reader.pendingText(dataModeMarker.length) === dataModeMarker) {
      this.#reader.reset();
      exchange.onDataModeBroken();
    }
  }

  readonly #sink: ResponseSink = {
    line: (text) => this.#onLine(text),
    overlong: (droppedBytes) => this.#onOverlong(droppedBytes),
    raw: (bytes) => this.#raw.take(bytes),
  };

  #onOverlong(droppedBytes: number): void {
    this.counters.noiseLines++;
    if (this.#exchange === undefined) return;
    const message = `the answer to ${this.#exchange.describe()} has a line that is ${droppedBytes} bytes long`;
    this.#exchange.spoil(new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytes: droppedBytes } }));
  }

  #onLine(text: string): void {
    const exchange = this.#exchange;
    if (isBanner(text)) return this.#onBanner(text);
    if (exchange?.onDataModeLine(text) === true) return;
    const answering = exchange?.isAnswering === true ? exchange : undefined;
    switch (classifyLine(text, answering?.command)) {
      case "final":
        return answering?.onFinal(text);
      case "information":
        answering?.onInformation(text);
        if (answering?.rawListener !== undefined) this.#raw.expect(parseRawDataHead(text), answering.rawListener);
        return;
      case "notification":
        return this.#notify(text);
      case "noise":
        this.counters.noiseLines++;
        return;
    }
  }

  #notify(text: string): void {
    const head = this.#rawListeners.size === 0 ? undefined : parseRawDataHead(text);
    const taker = head && this.#rawListeners.get(head.name);
    if (taker !== undefined) this.#raw.expect(head, taker);
    for (const listener of [...this.#listeners]) listener(text);
    for (const stream of this.#streams) stream.put(text);
  }

  /** The board started again: what it was asked it does not know any more. */
  #onBanner(banner: string): void {
    const exchange = this.#exchange;
    if (exchange !== undefined) {
      const message = `the board started again instead of answering ${exchange.describe()}`;
      exchange.fail(new ThinglineError("MODEM_RESPONSE_INVALID", message), undefined);
    }
    this.#notify(banner);
  }

  #finish(error: ThinglineError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#raw.end();
    this.#exchange?.fail(error, undefined);
    this.#ended.abort();
    this.#turns.end(error);
    for (const stream of [...this.#streams]) stream.end(error.code === "CLOSED" ? undefined : error);
    this.#listeners.clear();
  }
}
