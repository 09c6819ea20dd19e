import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { type Batch, type Channel, type ChannelEvents, type Clock, lostError, type Timer } from "@thingline/transport";
import type { BurstSize } from "./burst-size.js";
import { ignoreKnown } from "../failures.js";
import { planSends, type SendPiece } from "./send-plan.js";
import { pollEvents, pollGone, type SocketCommands } from "./socket-commands.js";

/** How soon a socket is asked for what came, where no URC tells; twice as long each time that nothing did. */
export const receivePollMs = { first: 10, longest: 500 } as const;
/** A URC may be lost on the line: a socket that is silent for so long is asked all the same. */
export const receiveGuardMs = 10_000;

export interface SocketChannelOptions {
  clock: Clock;
  commands: SocketCommands;
  handle: number;
  events: ChannelEvents;
  /** Of the line, whichever socket uses it. */
  burst: BurstSize;
  /** Called once, when the connection is over; the promise is kept once the modem has closed its socket. */
  onOver: (released: Promise<void>) => void;
}

/** From so many bytes on a receive may not have been all: it is asked again before a URC comes. */
const fullReceiveBytes = 1_024;

/**
 * One socket of the modem. Commands go one after the other, and each does something at once: none waits in the modem for what may come
 * later, so that a message never waits behind a receive.
 */
export class SocketChannel implements Channel {
  readonly #clock: Clock;
  readonly #commands: SocketCommands;
  readonly #handle: number;
  readonly #events: ChannelEvents;
  readonly #onOver: (released: Promise<void>) => void;
  readonly #burst: BurstSize;
  #outgoing: SendPiece[] = [];
  #isSending = false;
  #isReading = false;
  #mayRead = true;
  #isPumping = false;
  #isEndDue = false;
  #isEndRead = false;
  #isOver = false;
  #revents = 0;
  #released: Promise<void> | undefined;
  #pollMs: number = receivePollMs.first;
  #timer: Timer | undefined;

  constructor({ clock, commands, handle, events, burst, onOver }: SocketChannelOptions) {
    this.#clock = clock;
    this.#commands = commands;
    this.#handle = handle;
    this.#events = events;
    this.#onOver = onOver;
    this.#burst = burst;
  }

  send({ parts }: Batch): void {
    const { countsPayload, markerBufferBytes } = this.#commands.traits;
    this.#outgoing = planSends(parts, { countsPayload, markerBufferBytes, burstBytesMax: this.#burst.bytesMax });
    this.#isSending = true;
    this.#pump();
  }

  end(): void {
    this.#isEndDue = true;
    this.#pump();
  }

  destroy(): void {
    // Whatever command is under way: the modem's socket is closed behind it.
    this.#clock.afterTurn(() => this.#fail(undefined));
  }

  pause(): void {
    this.#isReading = false;
    this.#timer?.cancel();
  }

  resume(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#pump();
  }

  /** `#XAPOLL` told something of the socket. */
  onPollEvents(revents: number): void {
    this.#revents |= revents;
    this.#mayRead = true;
    this.#pump();
  }

  /** The modem has no such socket any more. */
  lose(error: ThinglineError): void {
    this.#finish(error, Promise.resolve());
  }

  #pump(): void {
    if (this.#isPumping || this.#isOver) return;
    this.#isPumping = true;
    // Not from inside a call of the connection.
    this.#clock.afterTurn(() => {
      void this.#work().catch((error: unknown) => this.#fail(asLost(error)));
    });
  }

  get #mayClose(): boolean {
    return this.#isEndDue && this.#outgoing.length === 0;
  }

  get #mayReceive(): boolean {
    return this.#isReading && this.#mayRead && !this.#isEndRead;
  }

  /** Takes turns: neither what is sent nor what comes has to wait for all of the other. */
  async #work(): Promise<void> {
    while (!this.#isOver && (this.#mayReceive || this.#isSending || this.#mayClose)) {
      if (this.#mayClose) return this.#close();
      if (this.#mayReceive) await this.#receive();
      if (!this.#isOver && this.#isSending) await this.#send();
    }
    this.#isPumping = false;
    if (!this.#isOver) this.#askLater();
  }

  async #send(): Promise<void> {
    const piece = this.#outgoing.shift();
    if (piece !== undefined) await this.#sendPiece(piece);
    if (this.#isOver) return;
    // Where data mode drops URCs, or there are none, what came meanwhile has to be asked for.
    if (!this.#commands.tellsReadable || !this.#commands.traits.keepsNotifications) this.#expectAnswer();
    if (this.#outgoing.length > 0) return;
    this.#isSending = false;
    this.#events.sent();
  }

  async #sendPiece(piece: SendPiece): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    await this.#commands.send(this.#handle, piece);
    if (piece.type === "data") this.#burst.took(piece.lengthBytes, this.#clock.monotonicMs() - startMs);
  }

  #expectAnswer(): void {
    this.#mayRead = true;
    this.#pollMs = receivePollMs.first;
  }

  async #receive(): Promise<void> {
    this.#mayRead = false;
    const revents = this.#revents;
    this.#revents = 0;
    let lengthBytes = 0;
    const received = await this.#commands.receive(this.#handle, (bytes) => {
      lengthBytes += bytes.length;
      if (!this.#isOver) this.#events.received(bytes);
    });
    if (this.#isOver) return;
    if (received === "data") {
      // No further URC comes for a socket that is at its end.
      this.#revents |= revents & pollGone;
      const isAll = this.#revents === 0 && lengthBytes < fullReceiveBytes;
      // What is sent next asks again, or a URC tells.
      if (!isAll || !(this.#commands.tellsReadable || this.#isSending)) this.#expectAnswer();
      return;
    }
    if (received === "end") {
      this.#isEndRead = true;
      this.#events.ended();
      return;
    }
    const gone = (revents & pollGone) !== 0 || (await this.#isGone());
    if (gone) this.#fail(lostError((revents & pollEvents.error) !== 0 ? "ECONNRESET" : "EPIPE"));
  }

  /** An ERROR does not tell whether nothing came or the socket is dead; where nothing else does, it is asked. */
  async #isGone(): Promise<boolean> {
    if (this.#commands.traits.namesSockets || this.#commands.tellsReadable || this.#isSending) return false;
    const revents = await this.#commands.poll(this.#handle);
    if ((revents & pollEvents.readable) === 0) return (revents & pollGone) !== 0;
    // Something came in between, or the socket is at its end: the next receive tells which.
    this.#revents |= revents & pollGone;
    this.#mayRead = true;
    return false;
  }

  #askLater(): void {
    this.#timer?.cancel();
    if (!this.#isReading || this.#isEndRead) return;
    const delayMs = this.#commands.tellsReadable ? receiveGuardMs : this.#pollMs;
    this.#pollMs = Math.min(2 * this.#pollMs, receivePollMs.longest);
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#mayRead = true;
      this.#pump();
    });
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    const released = this.#release();
    await released;
    this.#finish(undefined, released);
  }

  #fail(error: ThinglineError | undefined): void {
    if (!this.#isOver) this.#finish(error, this.#release());
  }

  /** Closes the modem's socket, once: its handle may be another one's afterwards. */
  #release(): Promise<void> {
    this.#released ??= this.#closeSocket();
    return this.#released;
  }

  /** It may be closed by the modem already, or out of reach: there is nothing left to do about it. */
  async #closeSocket(): Promise<void> {
    await this.#commands.close(this.#handle).catch(ignoreKnown);
  }

  #finish(error: ThinglineError | undefined, released: Promise<void>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#outgoing = [];
    this.#onOver(released);
    this.#events.channelClosed(error);
  }
}

/** What became of a connection whose command failed. A port that was unplugged is told as such. */
export function asLost(error: unknown): ThinglineError {
  if (!isThinglineError(error)) throw error;
  if (error.code === "SERIAL_PORT_UNPLUGGED" || error.code === "CLOSED") return error;
  const message = `the connection through the modem was lost: ${error.message}`;
  return new ThinglineError("CONNECTION_LOST", message, { details: { reason: error.code }, cause: error });
}
