import { ThinglineError } from "@thingline/protocol";
import type { CheckedOfflineQueue } from "./options.js";

type Start = (failure: ThinglineError | undefined) => void;

/** Messages that were published before the folder was read: what is in there goes first. As many as the queue may hold. */
export class EarlyMessages {
  readonly #limits: CheckedOfflineQueue;
  readonly #waiting: { bytes: number; start: Start }[] = [];

  constructor(limits: CheckedOfflineQueue) {
    this.#limits = limits;
  }

  /**
   * @param start called once, with what stands in the way
   * @throws {ThinglineError} LIMIT_EXCEEDED
   */
  add(bytes: number, start: Start): void {
    this.#makeRoom(bytes);
    this.#waiting.push({ bytes, start });
  }

  /** The folder was read, or could not be. */
  start(failure: ThinglineError | undefined): void {
    for (const { start } of this.#waiting.splice(0)) start(failure);
  }

  #makeRoom(bytes: number): void {
    const { messagesMax, bytesMax, overflow } = this.#limits;
    const isOver = (): boolean =>
      this.#waiting.length >= messagesMax || this.#waiting.reduce((sum, early) => sum + early.bytes, bytes) > bytesMax;
    while (isOver()) {
      const message = "the offline queue is being opened, and as many messages as it may hold wait for it";
      const error = new ThinglineError("LIMIT_EXCEEDED", message, { details: { messagesMax, bytesMax } });
      const oldest = overflow === "dropOldest" ? this.#waiting.shift() : undefined;
      if (oldest === undefined) throw error;
      oldest.start(error);
    }
  }
}
