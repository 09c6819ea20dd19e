import { close, write } from "node:fs";
import { createRequire } from "node:module";
import { ReadStream } from "node:tty";
import { ThinglineError } from "@thingline/protocol";
import {
  type Batch,
  type Channel,
  type ChannelEvents,
  type Clock,
  type Connection,
  SlabPool,
  StreamConnection,
} from "@thingline/transport";
import { holdSerialPort } from "@thingline/modem/serial";

/** A pseudo-terminal: a serial port whose other end is a {@link Connection} of this process. */
export interface Pty {
  /** What a host opens: `/dev/pts/4`. Hosts may come and go; output that none reads waits there. */
  readonly path: string;
  /**
   * The board's end. A host that closes the port is not seen, as on a real line without status wires; closing this end is like
   * pulling the plug: the host loses what it has not read yet.
   */
  readonly connection: Connection;
  /** Takes the port away. Safe to call twice. */
  close(): Promise<void>;
}

/** What the native part of node-pty gives. */
interface NativePty {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
}

/**
 * Makes a pseudo-terminal in raw mode.
 *
 * node-pty's own `open()` reads from both ends and takes a host's input away, so only its native part is used. The host's end
 * stays open here, unread, through the package serialport: that sets raw mode before anybody comes, and keeps the
 * pseudo-terminal from hanging up when a host leaves.
 *
 * @throws {ThinglineError} DEPENDENCY_MISSING where there is none: Windows, or the package @lydell/node-pty is not installed.
 */
export async function openPty({ clock }: { clock: Clock }): Promise<Pty> {
  const { master, slave, pty: path } = loadNativePty().open(80, 24);
  let release: () => Promise<void>;
  try {
    release = await holdSerialPort(path);
  } catch (error) {
    await Promise.all([closeFile(master), closeFile(slave)]);
    throw error;
  }
  await closeFile(slave);
  const place = { host: path, port: 0 };
  const connection = new StreamConnection({
    clock,
    pool: new SlabPool(),
    secure: undefined,
    local: place,
    remote: place,
  });
  connection.attach(new PtyChannel(master, connection, clock, release));
  return {
    path,
    connection,
    close: () => {
      connection.destroy();
      return connection.closed;
    },
  };
}

function loadNativePty(): NativePty {
  try {
    const load = createRequire(import.meta.url);
    const { requireBinary } = load("@lydell/node-pty/requireBinary.js") as {
      requireBinary: (file: string) => NativePty;
    };
    if (process.platform === "win32") throw new Error("Windows has no pseudo-terminals of this kind");
    return requireBinary("pty.node");
  } catch (cause) {
    const message =
      "a pseudo-terminal needs Linux or macOS and the package @lydell/node-pty, which could not be loaded; " +
      "a TCP port does without";
    throw new ThinglineError("DEPENDENCY_MISSING", message, { details: { dependency: "@lydell/node-pty" }, cause });
  }
}

function closeFile(file: number): Promise<void> {
  return new Promise((resolve) => close(file, () => resolve()));
}

/** A full terminal is tried again after this; it doubles up to the most. */
const retryMs = 1;
const retryMsMax = 32;

/** The master's end of a pseudo-terminal below a connection. */
class PtyChannel implements Channel {
  readonly #file: number;
  readonly #events: ChannelEvents;
  readonly #clock: Clock;
  readonly #release: () => Promise<void>;
  readonly #reader: ReadStream;
  #isReading = false;
  #isOver = false;
  #isWriteUnderWay = false;

  constructor(file: number, events: ChannelEvents, clock: Clock, release: () => Promise<void>) {
    this.#file = file;
    this.#events = events;
    this.#clock = clock;
    this.#release = release;
    // Only for reading: its writes would block the process while the terminal is full.
    this.#reader = new ReadStream(file);
    this.#reader.on("error", () => this.#finish());
    this.#reader.on("close", () => this.#tellClosed());
  }

  send({ parts }: Batch): void {
    this.#write(Buffer.concat(parts), 0, retryMs);
  }

  #write(bytes: Uint8Array, from: number, waitMs: number): void {
    if (this.#isOver) return;
    this.#isWriteUnderWay = true;
    write(this.#file, bytes, from, bytes.length - from, null, (error, written) => {
      this.#isWriteUnderWay = false;
      if (this.#isOver) return this.#finish();
      if (error !== null && error.code !== "EAGAIN" && error.code !== "EINTR") return this.#finish();
      const next = from + (error === null ? written : 0);
      if (next === bytes.length) return this.#events.sent();
      if (error === null) return this.#write(bytes, next, retryMs);
      // Node has no event for a terminal that takes bytes again.
      this.#clock.setTimer(waitMs, () => this.#write(bytes, next, Math.min(2 * waitMs, retryMsMax)));
    });
  }

  end(): void {
    this.#finish();
  }

  destroy(): void {
    this.#finish();
  }

  pause(): void {
    this.#reader.pause();
  }

  resume(): void {
    if (!this.#isReading) {
      this.#isReading = true;
      this.#reader.on("data", (bytes: Uint8Array) => this.#events.received(bytes));
    }
    this.#reader.resume();
  }

  #finish(): void {
    this.#isOver = true;
    // The number of a closed file could be another one's by the time the write comes to it.
    if (!this.#isWriteUnderWay) this.#reader.destroy();
  }

  #tellClosed(): void {
    const told = (): void => this.#events.channelClosed(undefined);
    this.#release().then(told, told);
  }
}
