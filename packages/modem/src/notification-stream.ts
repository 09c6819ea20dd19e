import { ThinglineError } from "@thingline/protocol";

/** URCs that may wait for a slow reader; beyond it the oldest are dropped. */
export const notificationsQueuedMax = 256;

export interface NotificationStreamOptions {
  signal: AbortSignal | undefined;
  onDropped(): void;
  onEnd(): void;
}

interface Waiter {
  resolve: (result: IteratorResult<string>) => void;
  reject: (error: ThinglineError) => void;
}

/** URCs as an AsyncIterable. Leaving the loop, an abort, or the end of the session ends it. */
export class NotificationStream implements AsyncIterable<string>, AsyncIterator<string> {
  readonly #options: NotificationStreamOptions;
  readonly #lines: string[] = [];
  readonly #waiting: Waiter[] = [];
  readonly #onAbort = () => this.end(abortedError());
  #isEnded = false;
  #error: ThinglineError | undefined;

  constructor(options: NotificationStreamOptions) {
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
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      waiter.resolve({ value: line, done: false });
      return;
    }
    this.#lines.push(line);
    if (this.#lines.length <= notificationsQueuedMax) return;
    this.#lines.shift();
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

  next(): Promise<IteratorResult<string>> {
    return new Promise((resolve, reject) => {
      const line = this.#lines.shift();
      if (line !== undefined) resolve({ value: line, done: false });
      else if (this.#isEnded) this.#finish({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  async return(): Promise<IteratorResult<string>> {
    this.#lines.length = 0;
    this.end(undefined);
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return this;
  }

  #finish({ resolve, reject }: Waiter): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) resolve({ value: undefined, done: true });
    else reject(error);
  }
}

function abortedError(): ThinglineError {
  return new ThinglineError("ABORTED", "reading URCs was aborted by the caller");
}
