// The package asks for them by name.
import { Buffer } from "node:buffer";
import { read, write } from "node:fs";
import { ThinglineError } from "@thingline/protocol";
import type { SerialLine } from "./serial-channel.js";
import type { SerialLibrary } from "./serial-library.js";

/** A port of the package serialport as it was opened. */
export type BoundPort = Awaited<ReturnType<SerialLibrary["binding"]["open"]>>;

/** What the package's port has on Unix beside its interface. */
interface UnixPort extends Pick<BoundPort, "drain" | "flush" | "close"> {
  readonly fd: number | null;
  readonly poller: {
    once(event: "readable" | "writable", done: (error: Error | null) => void): unknown;
    /** Watches for these events and, until one of them comes, for no others. */
    poll(events: number): void;
    stop(): void;
  };
}

const pollEvents = { readable: 1, writable: 2 } as const;

/** Bytes of one read. */
const readBytes = 65_536;

export function serialLineOf(port: BoundPort): SerialLine {
  return "poller" in port ? new UnixLine(port) : new LibraryLine(port);
}

/** By the package alone: Windows. */
class LibraryLine implements SerialLine {
  readonly #port: BoundPort;

  constructor(port: BoundPort) {
    this.#port = port;
  }

  async read(): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(readBytes);
    const { bytesRead } = await this.#port.read(buffer, 0, buffer.length);
    return copyOf(buffer, bytesRead);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#port.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  drain(): Promise<void> {
    return this.#port.drain();
  }

  async close({ discards }: { discards: boolean }): Promise<void> {
    if (discards) await this.#port.flush().catch(() => undefined);
    await this.#port.close();
  }
}

/**
 * The package opens, configures and watches the port; reading and writing are done here, for three reasons. A read of no bytes is
 * how the system tells that the device is gone, upon which the package would read again without end. The package closes the
 * file under reads and writes that are under way, whose number may be another file's by then. And its watch for one event ends that
 * for the other: a long write stands still once a read has begun to wait.
 */
class UnixLine implements SerialLine {
  readonly #port: UnixPort;
  /** Calls of the system under way: none of them waits, so they end at once. */
  readonly #calls = new Set<Promise<unknown>>();
  /** Of {@link pollEvents}, those that are waited for. */
  #awaited = 0;
  #isClosed = false;

  constructor(port: UnixPort) {
    this.#port = port;
  }

  async read(): Promise<Uint8Array> {
    const buffer = new Uint8Array(readBytes);
    for (;;) {
      const length = await this.#call((file, done) => read(file, buffer, 0, buffer.length, null, done));
      if (length === 0) throw new ThinglineError("CONNECTION_LOST", "the serial port has ended");
      if (length !== undefined) return copyOf(buffer, length);
      await this.#ready("readable");
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const at = from;
      const length = await this.#call((file, done) => write(file, bytes, at, bytes.length - at, null, done));
      if (length === undefined) await this.#ready("writable");
      else from += length;
    }
  }

  drain(): Promise<void> {
    return this.#port.drain();
  }

  async close({ discards }: { discards: boolean }): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#calls);
    if (discards) await this.#port.flush().catch(() => undefined);
    await this.#port.close();
  }

  /** @returns undefined when the port is not ready for it */
  async #call(
    start: (file: number, done: (error: NodeJS.ErrnoException | null, length: number) => void) => void,
  ): Promise<number | undefined> {
    const { fd } = this.#port;
    if (this.#isClosed || fd === null) throw closedError();
    const call = new Promise<number | undefined>((resolve, reject) => {
      start(fd, (error, length) => {
        if (error === null) resolve(length);
        else if (["EAGAIN", "EWOULDBLOCK", "EINTR"].includes(error.code ?? "")) resolve(undefined);
        else reject(error);
      });
    });
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  #ready(event: "readable" | "writable"): Promise<void> {
    const { poller } = this.#port;
    return new Promise((resolve, reject) => {
      // Watching a port that was closed crashes the process.
      if (this.#isClosed) return reject(closedError());
      this.#awaited |= pollEvents[event];
      poller.once(event, (error) => {
        this.#awaited &= ~pollEvents[event];
        if (error !== null) return reject(error);
        this.#watch();
        resolve();
      });
      this.#watch();
    });
  }

  #watch(): void {
    if (this.#isClosed) return;
    if (this.#awaited === 0) this.#port.poller.stop();
    else this.#port.poller.poll(this.#awaited);
  }
}

function closedError(): ThinglineError {
  return new ThinglineError("CLOSED", "the serial port was closed");
}

/** Small reads do not keep the whole buffer. */
function copyOf(buffer: Uint8Array, length: number): Uint8Array {
  return length > readBytes / 2 ? buffer.subarray(0, length) : new Uint8Array(buffer.subarray(0, length));
}
