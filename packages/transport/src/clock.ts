export interface Timer {
  /** Safe to call twice and after it fired. */
  cancel(): void;
}

/** Time and the event loop. Monotonic for deadlines, Unix for what people see. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01T00:00:00Z; may jump. */
  unixMs(): number;
  /** Calls back once, not before `delayMs` have passed. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls back once at the end of this event-loop turn, after the input that is already there was handled. */
  afterTurn(callback: () => void): void;
  /** @throws {ThinglineError} ABORTED. */
  sleep(delayMs: number, options?: { signal?: AbortSignal }): Promise<void>;
}
