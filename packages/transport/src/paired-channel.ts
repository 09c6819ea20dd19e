import type { ThinglineError } from "@thingline/protocol";
import type { Clock } from "./clock.js";
import { type Channel, type ChannelEvents, lostError } from "./stream-connection.js";
import type { Batch } from "./write-plan.js";

/**
 * One end of a byte stream inside the process: how both ends close, in order or at once, and that nothing is told but at the end of an
 * event-loop turn. What is on its way to this end, and how it is handed on, is the subclass's.
 */
export abstract class PairedChannel<Peer extends PairedChannel<Peer>> implements Channel {
  /** The other end; set before either is used. */
  peer: Peer | undefined;
  protected readonly clock: Clock;
  protected readonly events: ChannelEvents;
  #isReading = false;
  #isTurnPlanned = false;
  #isEndSent = false;
  #isEndArrived = false;
  #isEndRead = false;
  /** Nothing more is read or told but the end itself. */
  #isOver = false;
  #isToldOver = false;
  #error: ThinglineError | undefined;

  constructor(clock: Clock, events: ChannelEvents) {
    this.clock = clock;
    this.events = events;
  }

  protected get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether its reader takes bytes now. */
  protected get isFlowing(): boolean {
    return this.#isReading && !this.#isOver;
  }

  send(batch: Batch): void {
    if (!this.#isOver && this.peer !== undefined) this.carryTo(this.peer, batch);
  }

  end(): void {
    if (this.#isOver || this.#isEndSent) return;
    this.#isEndSent = true;
    this.peer?.endArrived();
    if (this.#isEndRead) this.#finish(undefined);
  }

  destroy(): void {
    this.peer?.reset();
    this.#finish(undefined);
  }

  pause(): void {
    this.#isReading = false;
  }

  resume(): void {
    this.#isReading = true;
    this.plan();
  }

  /** The other end has taken what was sent. */
  taken(): void {
    if (!this.#isOver) this.events.sent();
  }

  /** The other end sends nothing more. */
  endArrived(): void {
    this.#isEndArrived = true;
    this.plan();
  }

  /** The other end is gone. */
  reset(): void {
    this.#finish(lostError("ECONNRESET"));
  }

  /** Puts what was sent on its way. */
  protected abstract carryTo(peer: Peer, batch: Batch): void;
  /** Hands on what came and may be handed on, while {@link isFlowing}; tells the other end what was taken. */
  protected abstract handOn(): void;
  /** Whether nothing is on its way to this end. */
  protected abstract get isEmpty(): boolean;
  /** Forgets what is on its way to this end. */
  protected abstract drop(): void;

  /** Looks at the end of the turn. */
  protected plan(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    this.clock.afterTurn(() => {
      this.#isTurnPlanned = false;
      this.turn();
    });
  }

  protected turn(): void {
    if (!this.#isOver) this.handOn();
    if (this.#isEndArrived && !this.#isEndRead && this.isFlowing && this.isEmpty) {
      this.#isEndRead = true;
      this.events.ended();
      if (this.#isEndSent) this.#finish(undefined);
    }
    if (!this.#isOver || this.#isToldOver) return;
    this.#isToldOver = true;
    this.events.channelClosed(this.#error);
  }

  #finish(error: ThinglineError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.drop();
    this.plan();
  }
}
