import type { ThinglineError } from "@thingline/protocol";
import type { ResponseLineReader } from "@thingline/protocol/at";
import type { Clock, Timer } from "@thingline/transport";
import { type RawDataHead, type RawDataListener, RawDataRun } from "./raw-data.js";

/** Raw bytes that were announced and do not come for so long were lost on the line. */
export const rawDataSilenceMs = 2_000;

/** The raw bytes that a session waits for: those of one line at a time. */
export class RawIntake {
  readonly #clock: Clock;
  readonly #reader: ResponseLineReader;
  readonly #onShort: (error: ThinglineError) => void;
  #run: RawDataRun | undefined;
  #timer: Timer | undefined;
  #seenMs = 0;

  /** @param onShort called when bytes did not come; the reader reads lines again by then. */
  constructor(clock: Clock, reader: ResponseLineReader, onShort: (error: ThinglineError) => void) {
    this.#clock = clock;
    this.#reader = reader;
    this.#onShort = onShort;
  }

  /** What a line announces, if it does, goes to the listener. To be called while the reader tells that line. */
  expect(head: RawDataHead | undefined, listener: RawDataListener): void {
    if (head === undefined) return;
    this.#run = new RawDataRun(head, listener);
    this.#reader.expectRaw(head.lengthBytes);
    this.#seenMs = this.#clock.monotonicMs();
    // One timer for as long as raw bytes come; each run would cost one more.
    this.#timer ??= this.#clock.setTimer(rawDataSilenceMs, () => this.#onSilence());
  }

  take(bytes: Uint8Array): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#seenMs = this.#clock.monotonicMs();
    run.take(bytes);
    if (run.isComplete) this.#run = undefined;
  }

  end(): void {
    this.#run = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #onSilence(): void {
    this.#timer = undefined;
    const run = this.#run;
    if (run === undefined) return;
    const dueMs = this.#seenMs + rawDataSilenceMs - this.#clock.monotonicMs();
    if (dueMs > 0) {
      this.#timer = this.#clock.setTimer(dueMs, () => this.#onSilence());
      return;
    }
    this.end();
    this.#reader.reset();
    this.#onShort(run.shortError());
  }
}
