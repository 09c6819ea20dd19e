import { ThinglineError } from "@thingline/protocol";

/** What has come of a file, whatever the way that it came. */
export interface Arrivals {
  /** The next bytes in order, if they are here. */
  take(): Uint8Array | undefined;
  /** All of the file was taken. */
  readonly isTaken: boolean;
}

/**
 * How what comes is handed to the caller of a download, and how a download ends: the same for every way that a file comes. What failed is
 * told when all that had come before is handed out; what is over hands out nothing more.
 */
export class Delivery {
  readonly #waiting: (() => void)[] = [];
  #failure: Error | undefined;
  #isOver = false;
  #isTaken = false;

  get failure(): Error | undefined {
    return this.#failure;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nothing is to be fetched any more. */
  get isEnding(): boolean {
    return this.#isOver || this.#failure !== undefined;
  }

  /** The first failure is the one that is told. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.move();
  }

  /** @returns false when it was over already */
  end(error: Error): boolean {
    this.#failure ??= error;
    if (this.#isOver) return false;
    this.#isOver = true;
    this.move();
    return true;
  }

  /** Resolves when something has changed. */
  moved(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  move(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** @throws {ThinglineError} CLOSED for a second caller; what the download failed or ended with */
  async *chunks(
    arrivals: Arrivals,
    { taken, close }: { taken: () => void; close: () => Promise<void> },
  ): AsyncGenerator<Uint8Array> {
    if (this.#isTaken) throw new ThinglineError("CLOSED", "the chunks of a download are taken once");
    this.#isTaken = true;
    try {
      for (;;) {
        if (this.#isOver) throw this.#failure ?? downloadClosed();
        const bytes = arrivals.take();
        if (bytes !== undefined) {
          taken();
          yield bytes;
        } else if (arrivals.isTaken) return;
        else if (this.#failure !== undefined) throw this.#failure;
        else await this.moved();
      }
    } finally {
      await close();
    }
  }
}

export const downloadAborted = (signal: AbortSignal): ThinglineError =>
  new ThinglineError("ABORTED", "the download was aborted", { cause: signal.reason });

export const downloadClosed = (): ThinglineError => new ThinglineError("CLOSED", "the download was closed");
