import type { ThinglineError } from "@thingline/protocol";
import { abortedError } from "../errors.js";
import { type DeltaInput, type DeltaView, freshDeltaView, type ShadowDelta, stepDeltaView } from "./delta-view.js";

/** One `for await` over the deltas of a shadow. */
export class DeltaLoop implements AsyncIterableIterator<ShadowDelta> {
  #view: DeltaView = freshDeltaView;
  #ending: { error: ThinglineError | undefined } | undefined;
  #wakes: (() => void)[] = [];
  readonly #ended: (loop: DeltaLoop) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.end(abortedError(this.#signal));

  /** @param ended called once, when nobody reads any more */
  constructor(signal: AbortSignal | undefined, ended: (loop: DeltaLoop) => void) {
    this.#signal = signal;
    this.#ended = ended;
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** For {@link DeltaInput} `document`: taken when it is asked for. */
  get inputCount(): number {
    return this.#view.inputCount;
  }

  /** @returns whether something may have been missed, so that the whole document has to be asked for */
  take(input: DeltaInput): boolean {
    const [next, isMissing] = stepDeltaView(this.#view, input);
    this.#view = next;
    if (next.unread !== undefined) this.#wake();
    return isMissing;
  }

  end(error: ThinglineError | undefined): void {
    if (this.#ending !== undefined) return;
    this.#ending = { error };
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#wake();
    this.#ended(this);
  }

  async next(): Promise<IteratorResult<ShadowDelta, undefined>> {
    for (;;) {
      const { unread } = this.#view;
      // After an abort nothing is handed out; after any other end what was there still is.
      if (unread !== undefined && this.#signal?.aborted !== true) {
        this.take({ type: "read" });
        return { done: false, value: unread };
      }
      if (this.#ending !== undefined) {
        const { error } = this.#ending;
        this.#ending = { error: undefined };
        if (error !== undefined) throw error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((wake) => this.#wakes.push(wake));
    }
  }

  async return(): Promise<IteratorResult<ShadowDelta, undefined>> {
    this.#view = { ...this.#view, unread: undefined };
    this.end(undefined);
    return { done: true, value: undefined };
  }

  #wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
