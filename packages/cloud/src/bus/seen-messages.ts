import type { BusId } from "./bus.js";

/** Of one publisher: so many messages are remembered, and so many may a publisher have between its oldest unsettled one and its newest. */
export const seenMessagesMax = 1_024;
/** Topics of QoS 0 messages whose last one is remembered, of one publisher. */
export const seenTopicsMax = 1_024;
/** Publishers that are remembered; the one that was silent longest is forgotten first. */
export const seenPublishersMax = 200;

type Done = Promise<void> | undefined;

interface Entry {
  topic: string | undefined;
  done: Done;
  /** What the receiver had counted when it took the message. */
  mark: number;
}

/** What came from one publisher. */
class Window {
  /** Of QoS 1 messages and controls, in the order of their arrival. */
  readonly entries = new Map<number, Entry>();
  /** The newest QoS 1 message of each topic, as long as it is among the entries. */
  readonly newest = new Map<string, number>();
  /** The newest QoS 0 message of each topic. */
  readonly newestQos0 = new Map<string, number>();
  highest = 0;
}

/**
 * What a receiver has had from each publisher: a message comes again when its confirmation was lost, or when another node performs
 * the effect of one that is over. A publisher sends the next message of a topic when the one before is settled, so what comes late was
 * given up, and is dropped: the order of a topic stays.
 */
export class SeenMessages {
  readonly #windows = new Map<string, Window>();

  /** The mark with which it was taken last; undefined: it was not, or refused, or is too long ago. */
  markOf({ publisher, sequence }: BusId): number | undefined {
    return this.#windows.get(publisher)?.entries.get(sequence)?.mark;
  }

  /**
   * A QoS 1 message, or what has no place in the order of a topic: a control, an effect.
   * @param take called unless it was seen. What it returns is also the answer to repetitions, unless it rejects: then it is tried again.
   * @param mark when this has grown since, a repetition is taken once more: `take` is called with the mark of the last time.
   */
  receive(
    { publisher, sequence }: BusId,
    topic: string | undefined,
    take: (since: number | undefined) => Done,
    mark = 0,
  ): Done {
    const window = this.#windowOf(publisher);
    const known = window.entries.get(sequence);
    if (known !== undefined) return this.#again(window, sequence, known, take, mark);
    // Its publisher waits for it no more.
    if (sequence <= window.highest - seenMessagesMax) return undefined;
    if (topic !== undefined && (window.newest.get(topic) ?? 0) > sequence) return undefined;
    const entry: Entry = { topic, done: undefined, mark };
    const done = this.#track(window, sequence, entry, take(undefined));
    window.entries.set(sequence, entry);
    if (topic !== undefined) window.newest.set(topic, sequence);
    if (sequence > window.highest) {
      window.highest = sequence;
      this.#trim(window);
    }
    return done;
  }

  #again(window: Window, sequence: number, entry: Entry, take: (since: number) => Done, mark: number): Done {
    if (entry.mark === mark) return entry.done;
    const more = take(entry.mark);
    entry.mark = mark;
    if (more === undefined) return entry.done;
    if (entry.done === undefined) return this.#track(window, sequence, entry, more);
    return this.#track(window, sequence, entry, Promise.all([entry.done, more]).then(ignore));
  }

  #track({ entries }: Window, sequence: number, entry: Entry, done: Done): Done {
    entry.done = done;
    done?.then(
      () => {
        if (entry.done === done) entry.done = undefined;
      },
      () => {
        if (entry.done === done) entries.delete(sequence);
      },
    );
    return done;
  }

  /** A QoS 0 message: never comes again, and is dropped when a newer one of its topic was faster. */
  isLate({ publisher, sequence }: BusId, topic: string): boolean {
    const { newestQos0 } = this.#windowOf(publisher);
    if ((newestQos0.get(topic) ?? 0) >= sequence) return true;
    newestQos0.delete(topic);
    newestQos0.set(topic, sequence);
    if (newestQos0.size > seenTopicsMax) newestQos0.delete(newestQos0.keys().next().value!);
    return false;
  }

  #trim({ entries, newest, highest }: Window): void {
    if (entries.size <= seenMessagesMax) return;
    for (const [sequence, { topic }] of entries) {
      if (sequence > highest - seenMessagesMax) return;
      entries.delete(sequence);
      if (topic !== undefined && newest.get(topic) === sequence) newest.delete(topic);
    }
  }

  #windowOf(publisher: string): Window {
    const known = this.#windows.get(publisher);
    if (known !== undefined) {
      this.#windows.delete(publisher);
      this.#windows.set(publisher, known);
      return known;
    }
    const window = new Window();
    this.#windows.set(publisher, window);
    if (this.#windows.size > seenPublishersMax) this.#windows.delete(this.#windows.keys().next().value!);
    return window;
  }
}

const ignore = (): void => undefined;
