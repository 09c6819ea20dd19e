/** Requests of one client that wait for the one that is being answered. */
export const waitingStreamRequestsMax = 32;
/** Requests that are answered at one time: each holds as much as one answer may have. */
export const answeredStreamRequestsMax = 32;
/** Of all clients, those included that are being answered. */
export const streamRequestsMax = 4_096;

interface Waiting {
  clientId: string;
  start: () => void;
}

/**
 * Lets each client have one request answered at a time, in the order in which they came, and all clients together so many: what is sent
 * stays bounded however much is asked for.
 */
export class StreamTurns {
  /** Clients that have a request, and what waits behind it. */
  readonly #clients = new Map<string, (() => void)[]>();
  /** First requests of clients that wait for room. */
  readonly #queue: Waiting[] = [];
  #answering = 0;
  #count = 0;

  /**
   * @param start called when it is its turn, at once perhaps; {@link end} has to follow
   * @returns false when too many wait: nothing is called then
   */
  begin(clientId: string, start: () => void): boolean {
    const waiting = this.#clients.get(clientId);
    if (this.#count >= streamRequestsMax || (waiting?.length ?? 0) >= waitingStreamRequestsMax) return false;
    this.#count++;
    if (waiting !== undefined) waiting.push(start);
    else {
      this.#clients.set(clientId, []);
      this.#enter({ clientId, start });
    }
    return true;
  }

  end(clientId: string): void {
    this.#count--;
    this.#answering--;
    const next = this.#clients.get(clientId)?.shift();
    if (next === undefined) this.#clients.delete(clientId);
    else this.#queue.push({ clientId, start: next });
    const first = this.#queue.shift();
    if (first !== undefined) this.#enter(first);
  }

  #enter(waiting: Waiting): void {
    if (this.#answering >= answeredStreamRequestsMax) {
      this.#queue.push(waiting);
      return;
    }
    this.#answering++;
    waiting.start();
  }
}
