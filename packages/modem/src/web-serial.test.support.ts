import type { Connection } from "@thingline/transport";
import type { WebSerialPort } from "./web-serial.js";

/** A serial port as a browser has it, made of web streams, with a board at the other end. */
export interface FakeWebPort extends WebSerialPort {
  readonly isOpen: boolean;
  /** The device goes away. */
  unplug(): void;
  /** The browser's buffer overran, or a bit was wrong: the stream ends, and another one follows. */
  disturb(name: "BufferOverrunError" | "FramingError"): void;
}

/** @param board The host's end of the wire to it, not started. */
export function makeFakeWebPort(board: Connection): FakeWebPort {
  let readable: ReadableStream<Uint8Array> | null = null;
  let writable: WritableStream<Uint8Array> | null = null;
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  let onDrained: (() => void) | undefined;
  let isStarted = false;

  const openReadable = () => {
    readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          source = controller;
        },
        pull: () => board.resume(),
        cancel: () => {
          source = undefined;
        },
      },
      { highWaterMark: 1 },
    );
  };
  const failure = (name: string) => Object.assign(new Error(name), { name });

  return {
    get readable() {
      return readable;
    },
    get writable() {
      return writable;
    },
    get isOpen() {
      return writable !== null;
    },
    async open() {
      if (writable !== null) throw failure("InvalidStateError");
      openReadable();
      writable = new WritableStream<Uint8Array>({
        write: (bytes) =>
          board.write(bytes) ? undefined : new Promise<void>((resolve) => (onDrained = () => resolve())),
      });
      if (isStarted) return;
      isStarted = true;
      board.start({
        data: (bytes) => {
          source?.enqueue(bytes);
          if ((source?.desiredSize ?? 1) <= 0) board.pause();
        },
        drained: () => onDrained?.(),
        closed: () => this.unplug(),
      });
    },
    async close() {
      if (readable?.locked === true || writable?.locked === true) throw new TypeError("a stream is locked");
      readable = null;
      writable = null;
      source = undefined;
      // A board does not learn of it, and what it says meanwhile goes nowhere.
      board.resume();
      await Promise.resolve();
    },
    getInfo: () => ({ usbVendorId: 0x1366, usbProductId: 0x0105 }),
    unplug() {
      readable = null;
      writable = null;
      source?.error(failure("NetworkError"));
      source = undefined;
    },
    disturb(name) {
      const before = source;
      openReadable();
      before?.error(failure(name));
    },
  };
}
