import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Subscription } from "@thingline/protocol/mqtt/client";
import { type RefusedFilter, refusedOf } from "./filters.js";
import type { Settle } from "./waiter.js";

/** Packets of a restoration without answer; the session takes 64 of all kinds. */
export const restoringPacketsMax = 16;

export type RestorePacket =
  | { type: "unsubscribe"; filters: readonly string[] }
  | { type: "subscribe"; subscriptions: readonly Subscription[] };

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
  /** One filter after the other, each with what comes of it: when it is to be found out which one is to blame. */
  alone?: RestoreAlone;
}

export interface RestoreAlone {
  /** Subscribed before all others. */
  first: string | undefined;
  /** Calls when all has come of what was sent before. */
  fence: (then: () => void) => void;
  /** A filter was subscribed, and the connection lived. */
  passed: (filter: string) => void;
}

/** One SUBSCRIBE for each filter, the first one first. */
function oneByOne(packets: readonly RestorePacket[], first: string | undefined): RestorePacket[] {
  const single = packets.flatMap((packet): RestorePacket[] =>
    packet.type === "unsubscribe"
      ? [packet]
      : packet.subscriptions.map((subscription) => ({ type: packet.type, subscriptions: [subscription] })),
  );
  const isFirst = (packet: RestorePacket): boolean =>
    packet.type === "subscribe" && packet.subscriptions[0]?.filter === first;
  return [...single.filter(isFirst), ...single.filter((packet) => !isFirst(packet))];
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
  readonly #packetsMax: number;
  #lastFilter: string | undefined;

  constructor(packets: readonly RestorePacket[], port: RestorePort) {
    const { alone } = port;
    this.#packets = alone === undefined ? [...packets] : oneByOne(packets, alone.first);
    this.#packetsMax = alone === undefined ? restoringPacketsMax : 1;
    this.#port = port;
  }

  /** While filters go one by one: the one that was subscribed last. */
  get suspectFilter(): string | undefined {
    return this.#lastFilter;
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
    while (this.#unanswered < this.#packetsMax && !this.#isOver) {
      const packet = this.#packets.shift();
      if (packet === undefined) break;
      this.#send(packet);
    }
    if (this.#packets.length > 0 || this.#unansweredSubscribes > 0 || this.#isOver) return;
    this.#isOver = true;
    this.#lastFilter = undefined;
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
        this.#subscribed(filters);
      });
      if (this.#port.alone !== undefined) this.#lastFilter = filters[0];
      this.#unansweredSubscribes += 1;
    }
    this.#unanswered += 1;
  }

  #subscribed([filter]: readonly string[]): void {
    const { alone } = this.#port;
    if (alone === undefined || filter === undefined) return this.#answered();
    // The next one waits: this one counts as unanswered.
    this.#unansweredSubscribes += 1;
    alone.fence(() => {
      if (this.#isOver) return;
      this.#unansweredSubscribes -= 1;
      alone.passed(filter);
      this.#answered();
    });
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
