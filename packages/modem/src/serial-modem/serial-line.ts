import { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection } from "@thingline/transport";
import { memoryBufferBytesMax } from "../simulator/at-port.js";
import type { SerialModemCounters, SerialModemPortOptions } from "./options.js";
import { serialModemPortsMax } from "./options.js";
import { createSerialWire } from "./serial-wire.js";

/** Over so many bytes that the host has not taken, nothing is added that can wait: received data stays in its socket. */
export const lineRoomBytes = 4096;

export interface SerialLineOptions {
  clock: Clock;
  counters: SerialModemCounters;
  /** Bytes of the host. */
  onData(bytes: Uint8Array): void;
  /** The host has taken so much that {@link SerialLine.hasRoom} holds. */
  onRoom(): void;
}

/** The one serial line of the application, with all its ends at the host's side. */
export class SerialLine {
  readonly #options: SerialLineOptions;
  readonly #ports = new Map<Connection, Connection>();
  #isPaused = false;

  constructor(options: SerialLineOptions) {
    this.#options = options;
  }

  get portCount(): number {
    return this.#ports.size;
  }

  /** Whether what was sent is on its way; nothing is when nobody listens. */
  get hasRoom(): boolean {
    return [...this.#ports.keys()].every((port) => port.bufferedBytes <= lineRoomBytes);
  }

  open({ bytesPerSecond }: SerialModemPortOptions): Connection {
    if (this.#ports.size >= serialModemPortsMax) {
      const message = `the serial line has ${serialModemPortsMax} ends already`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: serialModemPortsMax } });
    }
    const onTaken = (): void => {
      if (this.hasRoom) this.#options.onRoom();
    };
    const { host, modem } = createSerialWire({ clock: this.#options.clock, bytesPerSecond, onTaken });
    this.#ports.set(modem, host);
    modem.start({
      data: (bytes) => this.#options.onData(bytes),
      closed: () => {
        this.#ports.delete(modem);
        onTaken();
      },
    });
    if (this.#isPaused) modem.pause();
    return host;
  }

  /** To every end of the line. What a host that does not read has no memory for is lost, and counted. */
  send(bytes: Uint8Array): void {
    for (const port of this.#ports.keys()) {
      if (port.bufferedBytes + bytes.length > memoryBufferBytesMax) this.#options.counters.lostBytes += bytes.length;
      else port.write(bytes);
    }
  }

  /** Hardware flow control: the host keeps what it has. */
  pause(): void {
    this.#isPaused = true;
    for (const port of this.#ports.keys()) port.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    for (const port of this.#ports.keys()) port.resume();
  }

  /** Every end of the line ends; the hosts get the error as the reason. */
  destroy(error?: ThinglineError): void {
    for (const host of [...this.#ports.values()]) host.destroy(error);
  }
}
