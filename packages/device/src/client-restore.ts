import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Subscription } from "@thingline/protocol/mqtt";
import { refusedOf } from "./client-errors.js";
import type { RefusedFilter } from "./client-events.js";
import type { Settle } from "./client-waiter.js";

/** Packets of a restoration without answer; the session takes 64 of all kinds. */
export const restoringPacketsMax = 16;

export type RestorePacket =
  { type: "unsubscribe"; filters: readonly string[] } | { type: "subscribe"; subscriptions: readonly Subscription[] };

export interface RestorePort {
  /** Whether the filter is still wanted when its packet's turn comes. */
  isWanted: (filter: string) => boolean;
  subscribe: (subscriptions: readonly Subscription[], settle: Settle) => void;
  unsubscribe: (filters: readonly string[], settle: Settle) => void;
  /** Every answer to SUBSCRIBE is in. */
  done: (refused: readonly RefusedFilter[]) => void;
  /** An answer to SUBSCRIBE did not come, or the connection ended. Once. */
  failed: (error: ThinglineError) => void;
  /** An answer to UNSUBSCRIBE did not come: no reason to stop. */
  report: (error: ThinglineError) => void;
}

/** Brings a new connection's subscriptions to what is wanted, a few packets at a time. */
export class Restoration {
  readonly #packets: RestorePacket[];
  readonly #port: RestorePort;
  readonly #refused: RefusedFilter[] = [];
  #unanswered = 0;
  /** Nobody needs to wait for the others. */
  #unansweredSubscribes = 0;
  #isOver = false;

  constructor(packets: readonly RestorePacket[], port: RestorePort) {
    this.#packets = [...packets];
    this.#port = port;
  }

  start(): void {
    try {
      this.#next();
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      this.#fail(error);
    }
  }

  #next(): void {
    while (this.#unanswered < restoringPacketsMax && !this.#isOver) {
      const packet = this.#packets.shift();
      if (packet === undefined) break;
      this.#send(packet);
    }
    if (this.#packets.length > 0 || this.#unansweredSubscribes > 0 || this.#isOver) return;
    this.#isOver = true;
    this.#port.done(this.#refused);
  }

  #send(packet: RestorePacket): void {
    if (packet.type === "unsubscribe") {
      const filters = packet.filters.filter((filter) => !this.#port.isWanted(filter));
      if (filters.length === 0) return;
      this.#port.unsubscribe(filters, (outcome) => {
        if (outcome instanceof ThinglineError) this.#port.report(outcome);
        this.#answered();
      });
    } else {
      const subscriptions = packet.subscriptions.filter(({ filter }) => this.#port.isWanted(filter));
      if (subscriptions.length === 0) return;
      const filters = subscriptions.map(({ filter }) => filter);
      this.#port.subscribe(subscriptions, (outcome) => {
        if (outcome instanceof ThinglineError) return this.#fail(outcome);
        this.#unansweredSubscribes -= 1;
        this.#refused.push(...refusedOf(filters, outcome ?? []));
        this.#answered();
      });
      this.#unansweredSubscribes += 1;
    }
    this.#unanswered += 1;
  }

  #answered(): void {
    this.#unanswered -= 1;
    this.start();
  }

  #fail(error: ThinglineError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#port.failed(error);
  }
}
