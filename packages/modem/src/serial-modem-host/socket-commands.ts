import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { type AtValue, formatAtCommand, integerAt, parseInformation, stringAt } from "@thingline/protocol/at";
import { isPassing, unlessRejected } from "../failures.js";
import { type CommandOptions, type ModemSession, type RunCommand, withSignal } from "../session.js";
import type { DialectTraits } from "./dialect.js";
import type { SendPiece } from "./send-plan.js";

/** Poll events of a socket. */
export const pollEvents = { readable: 1, writable: 4, error: 8, hangup: 0x10, invalid: 0x20 } as const;
export const pollGone = pollEvents.error | pollEvents.hangup | pollEvents.invalid;

/** What one receive brought. `nothing`: an ERROR, for nothing there as for a socket that is dead. */
export type Received = "data" | "end" | "nothing";

export interface SocketConnect {
  host: string;
  port: number;
  family: 4 | 6;
  /** Undefined for plain TCP. */
  tls: { secTag: number; serverName: string | undefined; resumes: boolean } | undefined;
}

/** `#XRECV` of the add-on: also the most that one of its answers has. */
const receiveBytesMax = 2_048;
const dontWait = 64;
/** For what the application answers by itself, without the network. */
const localTimeoutMs = 5_000;
/** A send waits for room in the modem, which the network may make only after a while. */
const sendTimeoutMs = 60_000;

/** The commands of sockets, in a dialect. Where commands do not name their socket, the one that is selected is remembered. */
export class SocketCommands {
  readonly traits: DialectTraits;
  readonly #session: ModemSession;
  readonly #contextId: number;
  #selected: number | undefined;
  /** Handles of sockets that were opened here, and that nobody has asked to close. */
  readonly #used = new Set<number>();
  /** The line spoilt an opening or a closing: the modem may hold a socket that nobody here knows of, and it has few. */
  #mayHaveStrays = false;
  /** Builds without `#XAPOLL`: learnt by its refusal. */
  #lacksReadableEvents: boolean;

  constructor(session: ModemSession, traits: DialectTraits, contextId: number) {
    this.#session = session;
    this.traits = traits;
    this.#contextId = contextId;
    this.#lacksReadableEvents = !traits.tellsReadable;
  }

  /** Whether a URC tells that something came. */
  get tellsReadable(): boolean {
    return !this.#lacksReadableEvents;
  }

  /** The board started again: no socket is left but, where it was found out by one, that. */
  forget(opened?: number): void {
    this.#selected = opened;
    this.#used.clear();
    if (opened !== undefined) this.#used.add(opened);
    this.#mayHaveStrays = false;
  }

  /** Sockets of a host that went away: nobody reads from them, and they count against the modem's limit. */
  closeAll(signal: AbortSignal | undefined): Promise<void> {
    const steps = async (runAlways: RunCommand) => {
      const run = withSignal(runAlways, signal);
      try {
        await this.#closeEvery(run);
      } catch (error) {
        // The line may have spoilt it; what the application means it says again.
        if (!isThinglineError(error) || !isPassing(error)) throw error;
        await this.#closeEvery(run);
      }
    };
    return this.#session.sequence(steps, signal && { signal });
  }

  async #closeEvery(run: RunCommand): Promise<void> {
    if (this.traits.namesSockets) {
      await run("AT#XCLOSE");
      return;
    }
    for (const handle of await this.#openHandles(run)) await this.#closeOne(run, handle);
  }

  /** @returns whether there is room for one more than before. */
  async #closeStrays(run: RunCommand): Promise<boolean> {
    let closed = 0;
    try {
      for (const handle of await this.#openHandles(run)) {
        if (this.#used.has(handle)) continue;
        await this.#closeOne(run, handle);
        closed++;
      }
      this.#mayHaveStrays = false;
    } catch (error) {
      // It is tried again with the next socket.
      if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
    }
    return closed > 0;
  }

  /** What the modem itself says it has open. */
  async #openHandles(run: RunCommand): Promise<ReadonlySet<number>> {
    const handles = new Set<number>();
    for (const list of this.traits.namesSockets ? ["#XSOCKET", "#XSSOCKET"] : ["#XSOCKETSELECT"]) {
      for (const line of await run(`AT${list}?`, { timeoutMs: localTimeoutMs })) {
        const { name, parameters } = parseInformation(line) ?? { name: "", parameters: [] };
        const handle = integerAt(parameters, 0);
        // The last line of `#XSOCKETSELECT` is the one that is selected, by its handle alone.
        if (name === list && handle !== undefined && parameters.length > 1) handles.add(handle);
      }
    }
    return handles;
  }

  /** @param signal drops the command while it waits for its turn; a socket that the modem has opened is always told. @returns its handle. */
  open({ family, tls }: SocketConnect, signal: AbortSignal): Promise<number> {
    const name = tls === undefined ? "#XSOCKET" : "#XSSOCKET";
    const peerVerify = 2;
    const secure = tls === undefined ? [] : [tls.secTag, peerVerify];
    const command = formatAtCommand(name, [family === 4 ? 1 : 2, 1, 0, ...secure, this.#contextId]);
    const steps = async (run: RunCommand) => {
      if (this.#mayHaveStrays) await this.#closeStrays(run);
      try {
        return await this.#openOne(run, name, command);
      } catch (error) {
        const isRefused = isThinglineError(error, "MODEM_COMMAND_REJECTED");
        if (!isRefused || !(await this.#closeStrays(run))) throw error;
        return this.#openOne(run, name, command);
      }
    };
    return this.#session.sequence(steps, { signal });
  }

  async #openOne(run: RunCommand, name: string, command: string): Promise<number> {
    const hadStrays = this.#mayHaveStrays;
    this.#selected = undefined;
    // Until its handle is known.
    this.#mayHaveStrays = true;
    const handle = integerIn(await run(command), name, 0);
    if (handle === undefined || handle < 0) throw unreadable(name);
    this.#mayHaveStrays = hadStrays;
    this.#used.add(handle);
    this.#selected = handle;
    return handle;
  }

  /** What has to be said before the connection: the server's name, and whether an old session may be resumed. */
  async setOptions(handle: number, { tls }: SocketConnect): Promise<void> {
    if (tls === undefined) return;
    const option = (name: number, value: AtValue) => this.#about(handle, "#XSSOCKETOPT", [1, name, value]);
    if (tls.serverName !== undefined) await option(2, tls.serverName);
    await option(12, tls.resumes ? 1 : 0);
  }

  /** @param onInformation gets what stands in front of an ERROR: some builds tell the number of the error. */
  async connect(handle: number, { host, port }: SocketConnect, onInformation: (line: string) => void): Promise<void> {
    await this.#about(handle, "#XCONNECT", [host, port], { onInformation });
  }

  /** Asks for a URC when something comes; a build that cannot is remembered. */
  async watch(handle: number): Promise<void> {
    if (this.#lacksReadableEvents) return;
    // A list of sockets replaces the one before; without a list every socket is watched, new ones too.
    const parameters = this.traits.namesSockets ? [handle, 1, pollEvents.readable] : [1, pollEvents.readable];
    const answer = await unlessRejected(this.#session.command(formatAtCommand("#XAPOLL", parameters)));
    if (answer === undefined) this.#lacksReadableEvents = true;
  }

  /** Whether TLS took up an old session cannot be asked; which cipher suite it uses can. @returns undefined for a build that does not tell. */
  async cipherSuite(handle: number): Promise<string | undefined> {
    const [line = ""] = (await unlessRejected(this.#about(handle, "#XSSOCKETOPT", [0, 4]))) ?? [];
    // In some builds in hexadecimal digits, in some in quotes.
    const number = Number(/(0x[0-9a-f]+|[0-9]+)"?$/i.exec(line)?.[1] ?? 0);
    return number > 0 ? `0x${number.toString(16).toUpperCase().padStart(4, "0")}` : undefined;
  }

  /**
   * Takes what is there without waiting for more: the channel is never held by a receive. Bytes are handed on once the whole answer is seen to
   * be in order: a serial line has no checksum, and what it lost or made up shows in what follows.
   *
   * @throws {ThinglineError} MODEM_RESPONSE_INVALID for an answer that holds more than it announced.
   */
  async receive(handle: number, onData: (bytes: Uint8Array) => void): Promise<Received> {
    const received: Uint8Array[] = [];
    const onRawData = (bytes: Uint8Array) => void received.push(bytes);
    const parameters = this.traits.namesSockets ? [handle, 0, dontWait, 1, receiveBytesMax] : [1, dontWait];
    try {
      const lines = await this.#selecting(handle, (run) =>
        run(formatAtCommand("#XRECV", parameters), { onRawData, timeoutMs: localTimeoutMs }),
      );
      if (lines.length > 1 || (lines.length === 1) !== received.length > 0) throw disturbed();
      for (const bytes of received) onData(bytes);
      return received.length > 0 ? "data" : "end";
    } catch (error) {
      if (isThinglineError(error, "MODEM_COMMAND_REJECTED")) return "nothing";
      throw error;
    }
  }

  /** What `#XPOLL` tells at once. Not for the add-on, which has no such command. */
  async poll(handle: number): Promise<number> {
    const lines = await this.#session.command(formatAtCommand("#XPOLL", [0, handle]), { timeoutMs: localTimeoutMs });
    for (const line of lines) {
      const { name, parameters } = parseInformation(line) ?? { name: "", parameters: [] };
      if (name !== "#XPOLL") continue;
      const events = stringAt(parameters, 1);
      if (integerAt(parameters, 0) === handle && events !== undefined) return Number(events);
      // `#XPOLL: <error>`
      if (parameters.length === 1) return pollEvents.error;
    }
    return 0;
  }

  /** @throws {ThinglineError} MODEM_COMMAND_REJECTED, MODEM_DATA_MODE_FAILED; MODEM_RESPONSE_INVALID when not everything was taken. */
  async send(handle: number, piece: SendPiece): Promise<void> {
    const { namesSockets, countsPayload } = this.traits;
    if (piece.type === "data") {
      const command = namesSockets ? formatAtCommand("#XSEND", [handle, 2, 0, piece.lengthBytes]) : "AT#XSEND";
      const end = countsPayload ? "count" : "marker";
      const payload = { bytes: piece.parts, end, endTimeoutMs: sendTimeoutMs } as const;
      await this.#selecting(handle, (run) => run(command, { payload, timeoutMs: localTimeoutMs }));
      return;
    }
    const [text, lengthBytes] =
      piece.type === "hex" ? [toHex(piece.bytes), piece.bytes.length] : [piece.text, piece.text.length];
    const parameters = namesSockets ? [handle, piece.type === "hex" ? 1 : 0, 0, text] : [text];
    const lines = await this.#selecting(handle, (run) => run(formatAtCommand("#XSEND", parameters)));
    const sent = integerIn(lines, "#XSEND", namesSockets ? 2 : 0);
    if (sent === lengthBytes) return;
    const details = { expected: lengthBytes, got: sent ?? "nothing" };
    throw new ThinglineError("MODEM_RESPONSE_INVALID", `AT#XSEND took ${sent ?? 0} of ${lengthBytes} bytes`, {
      details,
    });
  }

  /** A socket whose closing fails may be open still: it is looked for when the next one is opened. */
  close(handle: number): Promise<void> {
    return this.#session.sequence(async (run) => {
      // Of a modem that has started again since.
      if (!this.#used.delete(handle)) return;
      try {
        await this.#closeOne(run, handle);
      } catch (error) {
        this.#mayHaveStrays = true;
        throw error;
      }
    });
  }

  async #closeOne(run: RunCommand, handle: number): Promise<void> {
    if (this.traits.namesSockets) {
      await run(formatAtCommand("#XCLOSE", [handle]));
      return;
    }
    await this.#select(run, handle);
    this.#selected = undefined;
    await run("AT#XSOCKET=0");
  }

  /** A command whose first parameter is the socket, where commands name it. */
  #about(
    handle: number,
    name: string,
    parameters: readonly AtValue[],
    options: CommandOptions = {},
  ): Promise<readonly string[]> {
    const all = this.traits.namesSockets ? [handle, ...parameters] : parameters;
    return this.#selecting(handle, (run) => run(formatAtCommand(name, all), options));
  }

  #selecting<Result>(handle: number, steps: (run: RunCommand) => Promise<Result>): Promise<Result> {
    return this.#session.sequence(async (run) => {
      if (!this.traits.namesSockets) await this.#select(run, handle);
      return steps(run);
    });
  }

  async #select(run: RunCommand, handle: number): Promise<void> {
    if (this.#selected === handle) return;
    this.#selected = undefined;
    await run(formatAtCommand("#XSOCKETSELECT", [handle]), { timeoutMs: localTimeoutMs });
    this.#selected = handle;
  }
}

function integerIn(lines: readonly string[], name: string, index: number): number | undefined {
  for (const line of lines) {
    const information = parseInformation(line);
    if (information?.name === name) return integerAt(information.parameters, index);
  }
  return undefined;
}

function disturbed(): ThinglineError {
  return new ThinglineError("MODEM_RESPONSE_INVALID", "AT#XRECV was answered with other bytes than it announced");
}

function unreadable(name: string): ThinglineError {
  return new ThinglineError("MODEM_RESPONSE_INVALID", `AT${name} was answered with OK and no handle`);
}
