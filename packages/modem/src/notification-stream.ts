import { ThinglineError } from "@thingline/protocol";

/** URCs that may wait for a slow reader; beyond it the oldest are dropped. */
export const notificationsQueuedMax = 256;

export interface NotificationStreamOptions<Item> {
  /** What readers get of a line. */
  read(line: string): Item;
  signal: AbortSignal | undefined;
  onDropped(): void;
  onEnd(): void;
}

interface Waiter<Item> {
  resolve: (result: IteratorResult<Item>) => void;
  reject: (error: ThinglineError) => void;
}

/** URCs as an AsyncIterable. Leaving the loop, an abort, or the end of the session ends it. */
export class NotificationStream<Item> implements AsyncIterable<Item>, AsyncIterator<Item> {
  readonly #options: NotificationStreamOptions<Item>;
  readonly #items: Item[] = [];
  readonly #waiting: Waiter<Item>[] = [];
  readonly #onAbort = () => this.end(abortedError());
  #isEnded = false;
  #error: ThinglineError | undefined;

  constructor(options: NotificationStreamOptions<Item>) {
    this.#options = options;
    if (options.signal?.aborted === true) {
      // `onEnd` is not called from here: its caller does not have the stream yet.
      this.#isEnded = true;
      this.#error = abortedError();
    } else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  put(line: string): void {
    if (this.#isEnded) return;
    const item = this.#options.read(line);
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      waiter.resolve({ value: item, done: false });
      return;
    }
    this.#items.push(item);
    if (this.#items.length <= notificationsQueuedMax) return;
    this.#items.shift();
    this.#options.onDropped();
  }

  /** What is queued is still handed out; then the error, once, or the end. */
  end(error: ThinglineError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#options.onEnd();
    for (const waiter of this.#waiting.splice(0)) this.#finish(waiter);
  }

  next(): Promise<IteratorResult<Item>> {
    return new Promise((resolve, reject) => {
      const item = this.#items.shift();
      if (item !== undefined) resolve({ value: item, done: false });
      else if (this.#isEnded) this.#finish({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  async return(): Promise<IteratorResult<Item>> {
    this.#items.length = 0;
    this.end(undefined);
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): AsyncIterator<Item> {
    return this;
  }

  #finish({ resolve, reject }: Waiter<Item>): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) resolve({ value: undefined, done: true });
    else reject(error);
  }
}

function abortedError(): ThinglineError {
  return new ThinglineError("ABORTED", "reading URCs was aborted by the caller");
}
