import { concatBytes, optionInvalid, ThinglineError } from "@thingline/protocol";
import {
  type Batch,
  type Channel,
  type ChannelEvents,
  type Clock,
  type Connection,
  SlabPool,
  StreamConnection,
} from "@thingline/transport";

/** One port, read and written by one side each. */
export interface SerialLine {
  /** Waits for bytes. @throws when the device is gone, or the line was closed */
  read(): Promise<Uint8Array>;
  /** Waits until the system has all of them. @throws as `read` */
  write(bytes: Uint8Array): Promise<void>;
  /** Waits until the line has them. */
  drain(): Promise<void>;
  /** Closes it, and with `discards` what it has not sent yet is dropped: flow control would hold up closing as long as sending. */
  close(options: { discards: boolean }): Promise<void>;
}

/** What Nordic's boards and host tools use. */
export const defaultBaudRate = 115_200;

/** What a port is opened with, whoever opens it. */
export interface LineSettings {
  baudRate: number;
  flowControl: "hardware" | "none";
}

/** @throws {ThinglineError} OPTION_INVALID */
export function lineSettingsOf(options: Partial<LineSettings>): LineSettings {
  const { baudRate = defaultBaudRate, flowControl = "hardware" } = options;
  if (!Number.isInteger(baudRate) || baudRate < 50 || baudRate > 4_000_000) {
    throw optionInvalid("baudRate", "bits per second from 50 to 4000000", baudRate);
  }
  if (!["hardware", "none"].includes(flowControl)) throw optionInvalid("flowControl", "hardware or none", flowControl);
  return { baudRate, flowControl };
}

/** Puts a connection on a port that is open. @param name What both ends of it are called, and errors speak of. */
export function connectSerialLine(line: SerialLine, { clock, name }: { clock: Clock; name: string }): Connection {
  const place = { host: name, port: 0 };
  const pool = new SlabPool();
  const connection = new StreamConnection({ clock, pool, secure: undefined, local: place, remote: place });
  return connection.attach(new SerialChannel(line, connection, name));
}

/** A serial port below a connection. */
class SerialChannel implements Channel {
  readonly #line: SerialLine;
  readonly #events: ChannelEvents;
  readonly #name: string;
  #isFlowing = false;
  #isReadUnderWay = false;
  /** Was read while paused. */
  #held: Uint8Array | undefined;
  #isOver = false;

  constructor(line: SerialLine, events: ChannelEvents, name: string) {
    this.#line = line;
    this.#events = events;
    this.#name = name;
  }

  send({ parts }: Batch): void {
    this.#line.write(parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts)).then(
      () => {
        if (!this.#isOver) this.#events.sent();
      },
      (error: unknown) => this.#lose(error),
    );
  }

  end(): void {
    this.#line.drain().then(
      () => this.#finish(undefined, { discards: false }),
      (error: unknown) => this.#lose(error),
    );
  }

  destroy(): void {
    this.#finish(undefined);
  }

  pause(): void {
    this.#isFlowing = false;
  }

  resume(): void {
    this.#isFlowing = true;
    if (!this.#isReadUnderWay) void this.#read();
  }

  async #read(): Promise<void> {
    this.#isReadUnderWay = true;
    try {
      // Never from inside the call that resumed.
      await Promise.resolve();
      while (this.#isFlowing && !this.#isOver) {
        const bytes = this.#held ?? (await this.#line.read());
        this.#held = undefined;
        this.#deliver(bytes);
      }
    } catch (error) {
      this.#lose(error);
    } finally {
      this.#isReadUnderWay = false;
    }
  }

  #deliver(bytes: Uint8Array): void {
    if (!this.#isFlowing) this.#held = bytes;
    else if (!this.#isOver) this.#events.received(bytes);
  }

  #lose(cause: unknown): void {
    const message = `${this.#name} is gone: the board was unplugged, lost its power, or its USB link failed`;
    this.#finish(new ThinglineError("SERIAL_PORT_UNPLUGGED", message, { details: { path: this.#name }, cause }));
  }

  #finish(error: ThinglineError | undefined, { discards } = { discards: true }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const told = (): void => this.#events.channelClosed(error);
    this.#line.close({ discards }).then(told, told);
  }
}
