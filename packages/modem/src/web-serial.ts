import { checkOptionTypes, methodsOf, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { type Clock, clockOption, type Connection, createSystemClock } from "@thingline/transport";
import { connectSerialLine, lineSettingsOf, type SerialLine } from "./serial-channel.js";

export { defaultBaudRate } from "./serial-channel.js";

/** The clocks and the event loop of a browser. */
export function createWebClock(): Clock {
  return createSystemClock();
}

/** As much of the browser's `ReadableStream` as is used. */
export interface WebByteSource {
  getReader(): {
    read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
    cancel(reason?: unknown): Promise<void>;
    releaseLock(): void;
  };
}

/** As much of the browser's `WritableStream` as is used. */
export interface WebByteSink {
  getWriter(): {
    write(bytes: Uint8Array): Promise<void>;
    /** Waits until the port has sent everything. */
    close(): Promise<void>;
    abort(reason?: unknown): Promise<void>;
    releaseLock(): void;
  };
}

/** As much of the `SerialPort` of the Web Serial API as is used: what `navigator.serial.requestPort()` gives. */
export interface WebSerialPort {
  /** Another one after an error that the port survived; null once it did not. */
  readonly readable: WebByteSource | null;
  readonly writable: WebByteSink | null;
  open(options: { baudRate: number; bufferSize: number; flowControl: "hardware" | "none" }): Promise<void>;
  close(): Promise<void>;
  getInfo?(): { usbVendorId?: number | undefined; usbProductId?: number | undefined };
}

export interface WebSerialOptions {
  /** `createWebClock()` makes one. */
  clock: Clock;
  /** Bits per second. Default {@link defaultBaudRate}. */
  baudRate?: number;
  /** `hardware`: RTS and CTS, as Nordic's host tools have it; `none` for adapters without these wires. Default `hardware`. */
  flowControl?: "hardware" | "none";
}

/** Of the browser's own buffers: the longest answer of a modem at once, and what comes while the page is busy. */
const bufferBytes = 65_536;

const portOption = methodsOf<WebSerialPort>(
  "a SerialPort",
  { open: true, close: true },
  "navigator.serial.requestPort() gives one",
);
const optionTypes = {
  clock: clockOption,
  baudRate: "number",
  flowControl: "string",
} as const satisfies OptionTypes<WebSerialOptions>;

/**
 * Opens a serial port in a browser as a {@link Connection}: eight data bits, no parity, one stop bit. The user has picked the port;
 * a page sees no other.
 *
 * A serial line has no end of its own: the other side never learns of `close()`, and `closed` tells an error only when the
 * device went away: SERIAL_PORT_UNPLUGGED. Bytes that the browser lost (its buffer overran, a bit was wrong) are missing, and reading goes on.
 *
 * @throws {ThinglineError} SERIAL_PORT_BUSY, SERIAL_PORT_FORBIDDEN, SERIAL_PORT_FAILED, OPTION_INVALID.
 */
export async function openWebSerialPort(port: WebSerialPort, options: WebSerialOptions): Promise<Connection> {
  const of = "openWebSerialPort()";
  checkOptionTypes({ port }, { port: portOption }, { of, required: ["port"] });
  checkOptionTypes(options, optionTypes, { of, required: ["clock"] });
  const { baudRate, flowControl } = lineSettingsOf(options);
  const name = nameOf(port);
  try {
    await port.open({ baudRate, flowControl, bufferSize: bufferBytes });
  } catch (error) {
    throw openError(name, error);
  }
  return connectSerialLine(new WebLine(port), { clock: options.clock, name });
}

/** A page does not learn the path of a port. */
function nameOf(port: WebSerialPort): string {
  const { usbVendorId, usbProductId } = port.getInfo?.() ?? {};
  if (usbVendorId === undefined) return "serial port";
  const hex = (value: number) => value.toString(16).padStart(4, "0");
  return `serial port ${hex(usbVendorId)}${usbProductId === undefined ? "" : `:${hex(usbProductId)}`}`;
}

function openError(path: string, cause: unknown): ThinglineError {
  const { name = "", message: reason = String(cause) } = cause instanceof Error ? cause : {};
  const details = { path };
  if (name === "InvalidStateError") {
    const message = `${path} is open in this page already: close it there`;
    return new ThinglineError("SERIAL_PORT_BUSY", message, { details, cause });
  }
  if (name === "SecurityError" || name === "NotAllowedError") {
    const message = `this page may not open ${path}: its permissions do not allow serial ports`;
    return new ThinglineError("SERIAL_PORT_FORBIDDEN", message, { details, cause });
  }
  const message = `${path} could not be opened (another program may have it open): ${reason}`;
  return new ThinglineError("SERIAL_PORT_FAILED", message, { details, cause });
}

/** A port of the Web Serial API, read and written through its streams. */
class WebLine implements SerialLine {
  readonly #port: WebSerialPort;
  #reader: ReturnType<WebByteSource["getReader"]> | undefined;
  #writer: ReturnType<WebByteSink["getWriter"]> | undefined;
  #isClosed = false;

  constructor(port: WebSerialPort) {
    this.#port = port;
  }

  async read(): Promise<Uint8Array> {
    for (;;) {
      const source = this.#port.readable;
      if (this.#isClosed || source === null) throw goneError();
      const reader = (this.#reader ??= source.getReader());
      try {
        const { done, value } = await reader.read();
        if (done) throw goneError();
        if (value !== undefined && value.length > 0) return value;
      } catch (error) {
        // Meanwhile `close()` may have taken it.
        reader.releaseLock();
        this.#reader = undefined;
        // After an overrun, a wrong bit or a break there is another stream; with the device gone there is none.
        if (this.#isClosed || this.#port.readable === null || this.#port.readable === source) throw error;
      }
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#writerOf().write(bytes);
  }

  async drain(): Promise<void> {
    // There is no other way to wait for the wire; nothing is written behind it.
    await this.#writerOf().close();
  }

  async close({ discards }: { discards: boolean }): Promise<void> {
    this.#isClosed = true;
    const reader = this.#reader;
    const writer = this.#writer;
    this.#reader = undefined;
    this.#writer = undefined;
    // The port closes once both streams are free. Of a device that is gone each of these fails.
    await reader?.cancel().catch(() => undefined);
    reader?.releaseLock();
    if (discards) await writer?.abort().catch(() => undefined);
    writer?.releaseLock();
    await this.#port.close();
  }

  #writerOf(): ReturnType<WebByteSink["getWriter"]> {
    const sink = this.#port.writable;
    if (this.#isClosed || (this.#writer === undefined && sink === null)) throw goneError();
    this.#writer ??= sink?.getWriter();
    return this.#writer as ReturnType<WebByteSink["getWriter"]>;
  }
}

function goneError(): ThinglineError {
  return new ThinglineError("CONNECTION_LOST", "the serial port has ended");
}
