export interface ClientTurnsLimits {
  /** Requests of one client that wait for the one that is being answered. */
  waitingMax: number;
  /** Requests of all clients that are answered at one time. */
  answeredMax: number;
  /** Of all clients, those included that are being answered. */
  requestsMax: number;
}

interface Waiting {
  clientId: string;
  start: () => void;
}

/**
 * Lets each client have one request answered at a time, in the order in which they came, and all clients together so many: what is made for
 * them stays bounded however much is asked for.
 */
export class ClientTurns {
  readonly #limits: ClientTurnsLimits;
  /** Clients that have a request, and what waits behind it. */
  readonly #clients = new Map<string, (() => void)[]>();
  /** First requests of clients that wait for room. */
  readonly #queue: Waiting[] = [];
  #answering = 0;
  #count = 0;

  constructor(limits: ClientTurnsLimits) {
    this.#limits = limits;
  }

  /**
   * @param start called when it is its turn, at once perhaps; {@link end} has to follow
   * @returns false when too many wait: nothing is called then
   */
  begin(clientId: string, start: () => void): boolean {
    const { requestsMax, waitingMax } = this.#limits;
    const waiting = this.#clients.get(clientId);
    if (this.#count >= requestsMax || (waiting?.length ?? 0) >= waitingMax) return false;
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
    if (this.#answering >= this.#limits.answeredMax) {
      this.#queue.push(waiting);
      return;
    }
    this.#answering++;
    waiting.start();
  }
}
