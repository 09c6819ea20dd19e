import type { Clock } from "@thingline/transport";
import type { Scope } from "../operation.js";
import { JobRefusal } from "./refusals.js";

export interface JobsLimits {
  /** Requests of one thing over MQTT. */
  requestsPerSecondPerThingMax: number;
}

/** Ours: AWS states limits for an account, which a fleet of one machine does not reach. */
export const awsJobsLimits: JobsLimits = { requestsPerSecondPerThingMax: 20 };
export const noJobsLimits: JobsLimits = { requestsPerSecondPerThingMax: Infinity };

const windowMs = 1_000;
/** Things whose requests are remembered; the one asked about longest ago goes first. */
export const throttledThingsMax = 10_000;

/** Counts requests. Per process: a limit here is for seeing what a device would meet, not for safety. */
export class JobsThrottle {
  readonly #limits: JobsLimits;
  readonly #things = new Map<string, { startedMs: number; requests: number }>();

  constructor(limits: JobsLimits) {
    this.#limits = limits;
  }

  /** @throws {JobRefusal} RequestThrottled */
  count({ account, region }: Scope, thingName: string, clock: Clock): void {
    const { requestsPerSecondPerThingMax: most } = this.#limits;
    if (most === Infinity) return;
    const name = `${account}/${region}/${thingName}`;
    const nowMs = clock.monotonicMs();
    const known = this.#things.get(name);
    const window =
      known !== undefined && nowMs < known.startedMs + windowMs ? known : { startedMs: nowMs, requests: 0 };
    if (window.requests >= most) throw new JobRefusal("RequestThrottled", "Too many requests");
    window.requests++;
    this.#things.delete(name);
    this.#things.set(name, window);
    if (this.#things.size > throttledThingsMax) this.#things.delete(this.#things.keys().next().value ?? "");
  }
}
