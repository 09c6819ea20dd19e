import type { ThinglineError } from "@thingline/protocol";
import { isThinglineError } from "@thingline/protocol";
import type { AtTerminator } from "@thingline/protocol/at";
import { CommandLineReader, formatNotification } from "@thingline/protocol/at";
import { createConnectionPair, type Clock, type Connection } from "@thingline/transport";
import type { ModemCore } from "./modem-core.js";

export interface AtPortOptions {
  /** What ends a command. Default `CR`: line ends of CR LF do as well. */
  terminator?: AtTerminator;
  /**
   * What becomes of bytes that come while a command is executed. `lost`, as on the real part, whose receiver is off
   * then, and counted; or `queued`, for hosts that send ahead. Default `lost`.
   */
  whileBusy?: "lost" | "queued";
}

/** Bytes that wait for a host that reads too slowly, and bytes of a host that sends ahead; what comes on top is dropped and counted. */
export const memoryBufferBytesMax = 65_536;

/** What a disturbed line carries: one byte for each character, which need not make a text. */
export function noiseBytes(noise: string): Uint8Array {
  return Uint8Array.from(noise, (character) => character.charCodeAt(0));
}

/** What went past the ports of a modem. */
export interface AtPortCounters {
  /** Bytes that came while a command was executed, and of answers that a host which reads too slowly did not get. */
  lostBytes: number;
  /** URCs that a host which reads too slowly did not get. */
  droppedNotifications: number;
}

export interface AtPortSurroundings {
  counters: AtPortCounters;
  onEnd: (port: AtPort) => void;
  /** A command failed in a way that no AT answer expresses. */
  onFault: (port: AtPort, error: unknown) => void;
}

/** The AT host application in front of the modem: a serial port with a line discipline. */
export class AtPort {
  readonly #core: ModemCore;
  readonly #terminator: AtTerminator;
  readonly #whileBusy: "lost" | "queued";
  readonly #reader: CommandLineReader;
  readonly #counters: AtPortCounters;
  readonly #hostEnd: Connection;
  readonly #modemEnd: Connection;
  readonly #encoder = new TextEncoder();
  readonly #onFault: (error: unknown) => void;
  readonly #queued: Uint8Array[] = [];
  #queuedBytes = 0;
  #isBusy = false;

  constructor(
    core: ModemCore,
    clock: Clock,
    { onEnd, onFault, counters }: AtPortSurroundings,
    { terminator = "CR", whileBusy = "lost" }: AtPortOptions = {},
  ) {
    this.#core = core;
    this.#counters = counters;
    this.#terminator = terminator;
    this.#whileBusy = whileBusy;
    this.#onFault = (error) => onFault(this, error);
    this.#reader = new CommandLineReader({ terminator });
    const pair = createConnectionPair({
      clock,
      near: { host: "host", port: 0 },
      far: { host: "modem", port: 0 },
      // Whatever the host has not read yet counts as buffered at the modem's end.
      windowBytes: 0,
    });
    this.#hostEnd = pair.near;
    this.#modemEnd = pair.far;
    this.#modemEnd.start({ data: (bytes) => this.#receive(bytes), closed: () => onEnd(this) });
  }

  /** The host's end. */
  get connection(): Connection {
    return this.#hostEnd;
  }

  notify(line: string): void {
    if (this.#modemEnd.bufferedBytes > memoryBufferBytesMax) this.#counters.droppedNotifications++;
    else this.#send(formatNotification(line));
  }

  /** What a disturbed line adds; characters up to U+00FF are one byte each. */
  sendNoise(noise: string): void {
    if (this.#modemEnd.bufferedBytes <= memoryBufferBytesMax) this.#modemEnd.write(noiseBytes(noise));
  }

  /** The modem is gone: the host gets the error as the reason. */
  destroy(error?: ThinglineError): void {
    this.#hostEnd.destroy(error);
  }

  #send(text: string, isDamaged = false): void {
    const bytes = isDamaged ? noiseBytes(text) : this.#encoder.encode(text);
    // A host that asks and does not read: without flow control its own port would overrun.
    if (this.#modemEnd.bufferedBytes > memoryBufferBytesMax) this.#counters.lostBytes += bytes.length;
    else this.#modemEnd.write(bytes);
  }

  #receive(bytes: Uint8Array): void {
    const next = this.#take(bytes);
    if (next === bytes.length) return;
    const rest = bytes.subarray(next);
    if (this.#whileBusy === "queued") this.#queue(rest);
    // The line feed behind a carriage return is still in the receiver's register.
    else this.#counters.lostBytes += rest[0] === 0x0a ? rest.length - 1 : rest.length;
  }

  /** @returns how many bytes were taken: up to the end of the first command. */
  #take(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !this.#isBusy) {
      const { line, next } = this.#reader.take(bytes, at);
      at = next;
      if (line !== undefined) this.#execute(this.#handedOn(line.text));
    }
    return at;
  }

  #queue(bytes: Uint8Array): void {
    if (this.#queuedBytes + bytes.length > memoryBufferBytesMax) {
      this.#counters.lostBytes += bytes.length;
      return;
    }
    this.#queued.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** Goes on with what was sent ahead, up to the end of the next command. */
  #takeQueued(): void {
    while (!this.#isBusy) {
      const bytes = this.#queued[0];
      if (bytes === undefined) return;
      const next = this.#take(bytes);
      this.#queuedBytes -= next;
      if (next === bytes.length) this.#queued.shift();
      else this.#queued[0] = bytes.subarray(next);
    }
  }

  /** Where a line feed ends commands, a carriage return before it belongs to the command: ERROR, by which Cellular Monitor knows such a port. */
  #handedOn(text: string | undefined): string | undefined {
    return this.#terminator === "LF" && text?.endsWith("\r") === true ? undefined : text;
  }

  #execute(text: string | undefined): void {
    this.#isBusy = true;
    void this.#core
      .execute(text, (answer, isDamaged) => this.#send(answer, isDamaged))
      .catch((error: unknown) => {
        // Too many commands from all sides is an answer; a file that cannot be written is the modem's fault.
        if (isThinglineError(error, "LIMIT_EXCEEDED")) this.#send("ERROR\r\n");
        else this.#onFault(error);
      })
      .then(() => {
        this.#isBusy = false;
        this.#takeQueued();
      });
  }
}
