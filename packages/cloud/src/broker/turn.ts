import type { EncodedTopics } from "@thingline/protocol/mqtt";
import type { Clock } from "@thingline/transport";
import type { ServiceMessage } from "../services/operation.js";
import { Publication } from "./publication.js";

/** A service that holds the acknowledgement of a message until it has answered it. */
export interface AckHolder {
  /** Calls back once. */
  ask(message: ServiceMessage, answered: (error?: unknown) => void): void;
}

/**
 * What one turn of the broker carries with it: a chunk of input, a timer, a call. A turn is begun at a door, passed to everything
 * below it, and over when the door's function returns. Nothing keeps it, and nothing awaits while it holds one.
 */
export class Turn {
  /** Monotonic, read once when the turn began: exact enough for rates and deadlines. */
  nowMs = 0;
  /** The message that this turn sends right now; used again for the next one. */
  readonly publication: Publication;
  private waits: Promise<unknown>[] = [];
  /** What the message has to be answered by; none of them was asked yet. */
  readonly holders: AckHolder[] = [];
  /** As the holders get it; only there with them. */
  message: ServiceMessage | undefined;

  constructor(topics: EncodedTopics) {
    this.publication = new Publication(new Uint8Array(0), topics);
  }

  /** Coarse time for what is in flight. */
  get nowSeconds(): number {
    return Math.floor(this.nowMs / 1000);
  }

  /** Whether the message has to wait for something before it is acknowledged. */
  get hasWaits(): boolean {
    return this.waits.length > 0;
  }

  /** The message is acknowledged after this. */
  wait(work: Promise<unknown>): void {
    this.waits.push(work);
  }

  /** The message is acknowledged after this service has answered it. Whoever acknowledges asks it. */
  hold(holder: AckHolder, message: ServiceMessage): void {
    this.holders.push(holder);
    this.message = message;
  }

  /** Asks the services that hold the acknowledgement. @returns undefined when there are none */
  takeAnswers(): Promise<unknown> | undefined {
    const { holders, message } = this;
    if (message === undefined) return undefined;
    const answers = holders.map((holder) => answerOf(holder, message));
    this.dropHolders();
    return Promise.all(answers);
  }

  /** They are asked by somebody else, or not at all. */
  dropHolders(): void {
    this.holders.length = 0;
    this.message = undefined;
  }

  /** When everything to wait for is done; the turn begins to collect anew. */
  takeWaits(): Promise<unknown> {
    const { waits } = this;
    this.waits = [];
    return waits.length === 1 ? waits[0]! : Promise.all(waits);
  }

  /** Nobody waits for what was collected; its failures are reported where they happen. */
  dropWaits(): void {
    if (this.waits.length > 0) this.waits = [];
  }
}

/**
 * Turn objects used again and again. A turn within a turn, such as a will that is sent while a chunk of input is worked on, has an
 * object of its own, so that neither sees the other's message or waits.
 */
export class Turns {
  private readonly clock: Clock;
  private readonly topics: EncodedTopics;
  /** As many as turns were ever nested: a few. */
  private readonly free: Turn[] = [];

  constructor(clock: Clock, topics: EncodedTopics) {
    this.clock = clock;
    this.topics = topics;
  }

  /** Pair each with an {@link end}; one that is lost to an error costs an object, no more. */
  begin(): Turn {
    const turn = this.free.pop() ?? new Turn(this.topics);
    turn.nowMs = this.clock.monotonicMs();
    return turn;
  }

  /** What the turn still waits for is waited for by nobody. */
  end(turn: Turn): void {
    turn.dropWaits();
    if (turn.message !== undefined) turn.dropHolders();
    this.free.push(turn);
  }
}

function answerOf(holder: AckHolder, message: ServiceMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    holder.ask(message, (error) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new Error("a service failed", { cause: error }));
    });
  });
}
