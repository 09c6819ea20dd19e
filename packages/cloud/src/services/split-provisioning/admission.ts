import { BoundedMap, ThinglineError } from "@thingline/protocol";

/** Requests that are worked on at once; more are rejected and may ask again. */
export const requestsInFlightMax = 64;
/** Of them, those that came with one claim: what is left is there for the others, however hard the holder of that claim asks. */
export const requestsInFlightPerClaimMax = 48;
/** Requests with one claim at once, and how many come back every second: a production line's worth, and no flood. */
export const requestsPerClaimBurstMax = 1_200;
export const requestsPerClaimPerSecondMax = 20;
/** Claims whose requests are counted. Forgetting one lets it begin anew. */
export const claimsCountedMax = 1_000;

interface ClaimCount {
  inFlight: number;
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
  private readonly underway = new Map<string, Underway>();
  private readonly claims = new BoundedMap<string, ClaimCount>(claimsCountedMax);

  /** @throws {ThinglineError} THROTTLED */
  run({ client, claim, what }: AdmittedRequest, nowMs: number, work: () => Promise<void>): Promise<void> {
    const same = this.underway.get(client);
    if (same?.what === what) return same.done;
    if (same !== undefined) throw throttled("the client has another request under way", {});
    if (this.inFlight >= requestsInFlightMax) {
      throw throttled(`${requestsInFlightMax} devices are being provisioned already`, { requestsInFlightMax });
    }
    const count = this.countOf(claim, nowMs);
    if (count.inFlight >= requestsInFlightPerClaimMax) {
      const reason = `${requestsInFlightPerClaimMax} devices are being provisioned with this claim already`;
      throw throttled(reason, { requestsInFlightPerClaimMax });
    }
    if (count.left < 1) {
      const reason = `more than ${requestsPerClaimPerSecondMax} requests a second came with this claim`;
      throw throttled(reason, { requestsPerClaimPerSecondMax });
    }
    count.left--;
    count.inFlight++;
    this.inFlight++;
    const done = work().finally(() => {
      count.inFlight--;
      this.inFlight--;
      this.underway.delete(client);
    });
    this.underway.set(client, { what, done });
    return done;
  }

  private countOf(claim: string, nowMs: number): ClaimCount {
    let count = this.claims.get(claim);
    if (count === undefined) {
      count = { inFlight: 0, left: requestsPerClaimBurstMax, atMs: nowMs };
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
