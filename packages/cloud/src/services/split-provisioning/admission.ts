import { BoundedMap, ThinglineError } from "@thingline/protocol";

/** Requests that are worked on at once; more wait for a place. */
export const requestsInFlightMax = 64;
/** Of them, those that came with one claim: what is left is there for the others, however hard the holder of that claim asks. */
export const requestsInFlightPerClaimMax = 48;
/** Requests that wait for a place, with one claim and with all; more are rejected and may ask again. */
export const requestsWaitingPerClaimMax = 1_200;
export const requestsWaitingMax = 4_800;
/** Requests with one claim at once, and how many come back every second: a production line's worth, and no flood. */
export const requestsPerClaimBurstMax = 1_200;
export const requestsPerClaimPerSecondMax = 20;
/** Claims whose requests are counted. Forgetting one lets it begin anew. */
export const claimsCountedMax = 1_000;

interface ClaimCount {
  inFlight: number;
  /** Those that wait, by what gives them their place. */
  waiting: (() => void)[];
  /** Requests that it may still make, as of `atMs`. */
  left: number;
  atMs: number;
}

interface Underway {
  readonly what: string;
  readonly done: Promise<void>;
}

export interface AdmittedRequest {
  /** Whoever asks: account, region, client and claim. */
  client: string;
  claim: string;
  /** Two requests of a client that ask for the same are one while the first is answered. */
  what: string;
}

/**
 * Lets requests in so that one who floods does not keep the others out: one client takes one place, and one claim not all of them. In
 * memory, as it bounds what this process does at once.
 */
export class Admission {
  private inFlight = 0;
  private waiting = 0;
  private readonly isLimited: boolean;
  /** Claims of which requests wait, the one whose turn is next first. */
  private readonly queues = new Set<ClaimCount>();
  private readonly underway = new Map<string, Underway>();
  private readonly claims = new BoundedMap<string, ClaimCount>(claimsCountedMax);

  /** @param options.isLimited false: a claim has as many requests as it likes, for load tests; places are bounded all the same. */
  constructor({ isLimited = true }: { isLimited?: boolean } = {}) {
    this.isLimited = isLimited;
  }

  /** @throws {ThinglineError} THROTTLED */
  run({ client, claim, what }: AdmittedRequest, nowMs: number, work: () => Promise<void>): Promise<void> {
    const same = this.underway.get(client);
    if (same?.what === what) return same.done;
    if (same !== undefined) throw throttled("the client has another request under way", {});
    const count = this.countOf(claim, nowMs);
    this.requireRoom(count);
    count.left--;
    const isIn = this.isFree(count);
    if (isIn) this.enter(count);
    const start = async (): Promise<void> => work();
    const done = (isIn ? start() : this.wait(count).then(start)).finally(() => {
      this.underway.delete(client);
      this.leave(count);
      this.next();
    });
    this.underway.set(client, { what, done });
    return done;
  }

  private requireRoom(count: ClaimCount): void {
    if (this.isLimited && count.left < 1) {
      const reason = `more than ${requestsPerClaimPerSecondMax} requests a second came with this claim`;
      throw throttled(reason, { requestsPerClaimPerSecondMax });
    }
    if (count.waiting.length >= requestsWaitingPerClaimMax) {
      const reason = `${requestsWaitingPerClaimMax} devices wait to be provisioned with this claim already`;
      throw throttled(reason, { requestsWaitingPerClaimMax });
    }
    if (this.waiting >= requestsWaitingMax) {
      throw throttled(`${requestsWaitingMax} devices wait to be provisioned already`, { requestsWaitingMax });
    }
  }

  private isFree(count: ClaimCount): boolean {
    return this.inFlight < requestsInFlightMax && count.inFlight < requestsInFlightPerClaimMax;
  }

  private enter(count: ClaimCount): void {
    count.inFlight++;
    this.inFlight++;
  }

  /** In one breath with {@link next}: whoever waits has the place before one who comes in between. */
  private leave(count: ClaimCount): void {
    count.inFlight--;
    this.inFlight--;
  }

  private wait(count: ClaimCount): Promise<void> {
    this.waiting++;
    this.queues.add(count);
    return new Promise((resolve) => count.waiting.push(resolve));
  }

  /** Gives the free place to a request that waits, of each claim in its turn. */
  private next(): void {
    for (const count of this.queues) {
      if (!this.isFree(count)) continue;
      this.queues.delete(count);
      const take = count.waiting.shift();
      if (count.waiting.length > 0) this.queues.add(count);
      this.waiting--;
      this.enter(count);
      take?.();
      return;
    }
  }

  private countOf(claim: string, nowMs: number): ClaimCount {
    let count = this.claims.get(claim);
    if (count === undefined) {
      count = { inFlight: 0, waiting: [], left: requestsPerClaimBurstMax, atMs: nowMs };
      this.claims.set(claim, count);
    }
    const refill = Math.max(0, nowMs - count.atMs) * (requestsPerClaimPerSecondMax / 1000);
    count.left = Math.min(requestsPerClaimBurstMax, count.left + refill);
    count.atMs = nowMs;
    return count;
  }
}

function throttled(reason: string, details: Readonly<Record<string, number>>): ThinglineError {
  return new ThinglineError("THROTTLED", `${reason}; try again later`, { details });
}
