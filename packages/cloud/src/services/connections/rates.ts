import { BoundedMap, ThinglineError } from "@thingline/protocol";

/** Requests of one kind about one client id in a second, and about all of them. @see AWS General Reference, AWS IoT Core quotas */
export const requestsPerSecondPerClientIdMax = 1;
export const requestsPerSecondMax = 100;
/** Client ids whose requests are counted, for each kind. Forgetting one lets it begin anew. */
export const clientIdsCountedMax = 10_000;

/** Counts the requests of one operation, in this process. */
export class RequestRates {
  private readonly lastMs = new BoundedMap<string, number>(clientIdsCountedMax);
  private secondMs = -Infinity;
  private count = 0;

  /** @param nowMs monotonic. @throws {ThinglineError} THROTTLED */
  take(key: string, nowMs: number): void {
    const lastMs = this.lastMs.get(key);
    if (lastMs !== undefined && nowMs - lastMs < 1000 / requestsPerSecondPerClientIdMax) {
      throw throttled(`more than ${requestsPerSecondPerClientIdMax} request a second for one client ID`);
    }
    if (nowMs - this.secondMs >= 1000) {
      this.secondMs = nowMs;
      this.count = 0;
    }
    if (this.count >= requestsPerSecondMax) throw throttled(`more than ${requestsPerSecondMax} requests a second`);
    this.count++;
    this.lastMs.set(key, nowMs);
  }
}

const throttled = (message: string) => new ThinglineError("THROTTLED", message);
