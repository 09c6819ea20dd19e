import { ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { BusControl, BusId, BusMessage, BusOrder, BusPort } from "./bus.js";
import { seenMessagesMax } from "./seen-messages.js";

/** How often a message, a control or an interest is offered to the bus. */
export const busAttemptsMax = 8;
/** Between two attempts. With these, and their time-outs, what is sent outlives the lease of a node. */
export const busRetryDelayMs = 250;
/** Messages and controls of one broker that are not settled, counted from the oldest of them to the newest. */
export const busUnsettledMax = seenMessagesMax;

export interface BusLinkDependencies {
  clock: Clock;
  port: BusPort;
  /** Other nodes use the store, whether or not one of them is on the bus now. Default: as the bus says. */
  isShared?: boolean;
  /** Whether this node is surely none that is over. While it is not sure, it withdraws nothing: another may have its sessions. */
  mayAct?: () => boolean;
  /** Names this broker as a publisher; no other had the name before. */
  publisher: string;
}

/** A message that has not got its id yet, or has that of the effect it performs. */
export type Outgoing = Omit<BusMessage, "id"> & { id: BusId | undefined };

interface Interest {
  count: number;
  /** Until all others know of it. */
  known: Promise<void> | undefined;
  /** They could not all be told. */
  isUnknown: boolean;
}

/**
 * What a broker makes of its {@link BusPort}: what is not confirmed is sent again under its id, for a while, and the next message of a
 * topic waits until the one before is settled, so that each receiver gets them in order. Costs nothing when alone.
 */
export class BusLink {
  readonly #clock: Clock;
  readonly #port: BusPort;
  readonly #publisher: string;
  readonly #isShared: boolean;
  readonly #mayAct: () => boolean;
  #lastSequence = 0;
  #lastQos0Sequence = 0;
  /** Sequences that are not settled, the oldest first. */
  readonly #unsettled = new Set<number>();
  /** By topic: when the last message so far is settled. */
  readonly #tails = new Map<string, Promise<void>>();
  readonly #interest = new Map<string, Interest>();
  readonly #pauses = new Set<{ timer: Timer; resolve: () => void }>();
  #isClosed = false;

  constructor({ clock, port, publisher, isShared = false, mayAct = always }: BusLinkDependencies) {
    this.#clock = clock;
    this.#port = port;
    this.#publisher = publisher;
    this.#isShared = isShared;
    this.#mayAct = mayAct;
  }

  /** Nobody else could want anything. */
  get isAlone(): boolean {
    return !this.#isShared && this.#port.isAlone;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  hasInterest(topic: string): boolean {
    return this.#port.hasInterest(topic);
  }

  /**
   * Resolves when every broker with interest confirmed; undefined: nothing to wait for, as for QoS 0 that is not retained.
   *
   * @param after the message keeps its place in the order and is not sent before this.
   * @throws {ThinglineError} TIMEOUT after {@link busAttemptsMax} attempts, LIMIT_EXCEEDED when too many are unsettled, CLOSED.
   */
  publish(message: Outgoing, after?: Promise<void>): Promise<void> | undefined {
    const { topic } = message;
    const tail = this.#tails.get(topic);
    if (!isConfirmed(message)) {
      const once = (): void => {
        this.#attempt(() => this.#port.publish({ ...message, id: this.#nextQos0Id() }))?.catch(ignore);
      };
      if (tail === undefined && after === undefined) once();
      else void this.#follow(topic, (tail ?? Promise.resolve()).then(() => after).then(once));
      return undefined;
    }
    const id = message.id ?? this.#nextId();
    if (id instanceof ThinglineError) return Promise.reject(id);
    const send = () => this.#attempt(() => this.#port.publish({ ...message, id }));
    if (tail === undefined && after === undefined) {
      const first = send();
      if (first === undefined) this.#settled(id);
      else return this.#follow(topic, this.#untilConfirmed(send, id, first));
      return undefined;
    }
    const turn = (tail ?? Promise.resolve()).then(() => after);
    return this.#follow(
      topic,
      turn.then(
        () => this.#untilConfirmed(send, id, send()),
        (error: unknown) => {
          this.#settled(id);
          throw error;
        },
      ),
    );
  }

  /** To every other broker, in no order. Resolves when all have done it. @throws {ThinglineError} as {@link publish}. */
  control(order: BusOrder): Promise<void> | undefined {
    const id = this.#nextId();
    if (id instanceof ThinglineError) return Promise.reject(id);
    const send = () => this.#attempt(() => this.#port.control({ ...order, id }));
    const first = send();
    if (first !== undefined) return this.#untilConfirmed(send, id, first);
    this.#settled(id);
    return undefined;
  }

  /** One that may get lost: to who will find out anyway. */
  hint(order: BusOrder): void {
    const control: BusControl = { ...order, id: { publisher: this.#publisher, sequence: 0 } };
    this.#attempt(() => this.#port.control(control))?.catch(ignore);
  }

  /**
   * This broker's sessions start or stop to want what matches the filter: call in pairs. Resolves when all others know; undefined:
   * they do already. @throws {ThinglineError} TIMEOUT, CLOSED.
   */
  setInterest(filter: string, isWanted: boolean): Promise<void> | undefined {
    let interest = this.#interest.get(filter);
    if (!isWanted) {
      if (interest === undefined || --interest.count > 0) return undefined;
      this.#interest.delete(filter);
      // Nobody waits: until the others know, they send what nobody wants.
      if (this.#mayAct()) this.#tell(filter, false)?.catch(ignore);
      return undefined;
    }
    if (interest === undefined) this.#interest.set(filter, (interest = newInterest()));
    interest.count++;
    if (interest.count > 1 && !interest.isUnknown) return interest.known;
    return this.#makeKnown(filter, interest);
  }

  /**
   * As {@link setInterest} for a session that came from another broker: said to all, also when they know, so that what is under way
   * comes here once more.
   */
  renewInterest(filter: string): Promise<void> | undefined {
    const known = this.setInterest(filter, true);
    const interest = this.#interest.get(filter)!;
    return interest.count === 1 ? known : this.#makeKnown(filter, interest);
  }

  /** For one more subscription of the same session: as {@link setInterest}, and not counted. */
  interestKnown(filter: string): Promise<void> | undefined {
    const interest = this.#interest.get(filter);
    if (interest === undefined || !interest.isUnknown) return interest?.known;
    return this.#makeKnown(filter, interest);
  }

  #makeKnown(filter: string, interest: Interest): Promise<void> | undefined {
    const known = this.#tell(filter, true);
    interest.known = known;
    interest.isUnknown = false;
    known?.then(
      () => void (interest.known = undefined),
      () => {
        interest.known = undefined;
        interest.isUnknown = true;
      },
    );
    return known;
  }

  #tell(filter: string, isWanted: boolean): Promise<void> | undefined {
    const send = () => this.#attempt(() => this.#port.setInterest(filter, isWanted));
    const first = send();
    if (first === undefined) return undefined;
    // Overtaken by the opposite: that is what the others have to know.
    const isCurrent = () => (this.#interest.get(filter) !== undefined) === isWanted;
    return this.#retry(send, first, isCurrent);
  }

  knows(name: string): boolean {
    return this.#port.knows(name);
  }

  silence(name: string): void {
    this.#port.silence(name);
  }

  forget(name: string): void {
    this.#port.forget(name);
  }

  close(): void {
    this.#isClosed = true;
    this.#port.close();
    for (const { timer, resolve } of this.#pauses) {
      timer.cancel();
      resolve();
    }
    this.#pauses.clear();
  }

  #nextQos0Id(): BusId {
    return { publisher: this.#publisher, sequence: ++this.#lastQos0Sequence };
  }

  #nextId(): BusId | ThinglineError {
    const [oldest = this.#lastSequence] = this.#unsettled;
    if (this.#lastSequence - oldest >= busUnsettledMax - 1) {
      const message = `${busUnsettledMax} messages to other brokers are not settled`;
      return new ThinglineError("LIMIT_EXCEEDED", message, { details: { busUnsettledMax } });
    }
    const sequence = ++this.#lastSequence;
    this.#unsettled.add(sequence);
    return { publisher: this.#publisher, sequence };
  }

  #settled({ publisher, sequence }: BusId): void {
    if (publisher === this.#publisher) this.#unsettled.delete(sequence);
  }

  #follow(topic: string, work: Promise<void>): Promise<void> {
    const tail: Promise<void> = work.catch(ignore).then(() => {
      if (this.#tails.get(topic) === tail) this.#tails.delete(topic);
    });
    this.#tails.set(topic, tail);
    return work;
  }

  async #untilConfirmed(
    send: () => Promise<void> | undefined,
    id: BusId,
    first: Promise<void> | undefined,
  ): Promise<void> {
    try {
      await this.#retry(send, first, always);
    } finally {
      this.#settled(id);
    }
  }

  async #retry(
    send: () => Promise<void> | undefined,
    first: Promise<void> | undefined,
    isCurrent: () => boolean,
  ): Promise<void> {
    for (let attempt = 1, sent = first; ; attempt++) {
      try {
        await sent;
        return;
      } catch (error) {
        if (!isCurrent()) return;
        if (this.#isClosed || attempt >= busAttemptsMax) throw error;
      }
      await this.#pause();
      if (!isCurrent()) return;
      sent = send();
    }
  }

  #attempt(send: () => Promise<void> | undefined): Promise<void> | undefined {
    if (this.#isClosed) return Promise.reject(new ThinglineError("CLOSED", "the broker has left the bus"));
    return send();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const pause = {
        resolve,
        timer: this.#clock.setTimer(busRetryDelayMs, () => {
          this.#pauses.delete(pause);
          resolve();
        }),
      };
      this.#pauses.add(pause);
    });
  }
}

/** Whether it is sent until it is confirmed. */
export const isConfirmed = ({ qos, isRetained }: Pick<BusMessage, "qos" | "isRetained">): boolean =>
  qos === 1 || isRetained;
const newInterest = (): Interest => ({ count: 0, known: undefined, isUnknown: false });
const ignore = (): void => undefined;
const always = (): boolean => true;
