import { ThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import type { Scope } from "../operation.js";

export interface ShadowLimits {
  /** Requests of one connection that are being worked on. */
  requestsInFlightMax: number;
  /** Requests to all shadows of one thing. */
  requestsPerSecondPerThingMax: number;
}

/** @see AWS General Reference, "AWS IoT Core endpoints and quotas", Device Shadow */
export const awsShadowLimits: ShadowLimits = { requestsInFlightMax: 10, requestsPerSecondPerThingMax: 20 };
export const noShadowLimits: ShadowLimits = { requestsInFlightMax: Infinity, requestsPerSecondPerThingMax: Infinity };

const windowMs = 1_000;
/** Things whose requests are remembered; the one asked about longest ago goes first. */
export const throttledThingsMax = 10_000;

/** Counts requests. Per process, and not over REST: a limit here is for seeing what a device would meet, not for safety. */
export class ShadowThrottle {
  readonly #limits: ShadowLimits;
  readonly #inFlight = new Map<string, number>();
  readonly #things = new Map<string, { windowStartMs: number; requests: number }>();

  constructor(limits: ShadowLimits) {
    this.#limits = limits;
  }

  /** @returns THROTTLED; then there is nothing to {@link end} */
  begin(clientId: string, scope: Scope, thingName: string, clock: Clock): ThinglineError | undefined {
    const { requestsInFlightMax, requestsPerSecondPerThingMax } = this.#limits;
    if (requestsInFlightMax !== Infinity && (this.#inFlight.get(clientId) ?? 0) >= requestsInFlightMax) {
      return throttled({ clientId, requestsInFlightMax });
    }
    if (requestsPerSecondPerThingMax !== Infinity) {
      const thing = `${scope.account}/${scope.region}/${thingName}`;
      if (!this.#take(thing, clock.monotonicMs())) return throttled({ thing, requestsPerSecondPerThingMax });
    }
    if (requestsInFlightMax !== Infinity) this.#inFlight.set(clientId, (this.#inFlight.get(clientId) ?? 0) + 1);
    return undefined;
  }

  end(clientId: string): void {
    if (this.#limits.requestsInFlightMax === Infinity) return;
    const left = (this.#inFlight.get(clientId) ?? 0) - 1;
    if (left > 0) this.#inFlight.set(clientId, left);
    else this.#inFlight.delete(clientId);
  }

  #take(thing: string, nowMs: number): boolean {
    const known = this.#things.get(thing);
    const isCurrent = known !== undefined && nowMs < known.windowStartMs + windowMs;
    const window = isCurrent ? known : { windowStartMs: nowMs, requests: 0 };
    if (window.requests >= this.#limits.requestsPerSecondPerThingMax) return false;
    window.requests++;
    this.#things.delete(thing);
    this.#things.set(thing, window);
    if (this.#things.size > throttledThingsMax) this.#things.delete(this.#things.keys().next().value ?? "");
    return true;
  }
}

const throttled = (details: Readonly<Record<string, string | number>>) =>
  new ThinglineError("THROTTLED", "Too Many Requests", { details });
