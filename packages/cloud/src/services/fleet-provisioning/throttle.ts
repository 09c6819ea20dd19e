import type { FleetProvisioningOperation } from "@thingline/protocol/fleet-provisioning";
import type { Clock } from "@thingline/transport";
import type { Scope } from "../operation.js";
import { throttled } from "./refusal.js";

/**
 * Requests of an account and region within a second.
 *
 * @see AWS General Reference, "AWS IoT Core endpoints and quotas", fleet provisioning
 */
export const awsProvisioningRates: Readonly<Record<FleetProvisioningOperation, number>> = {
  createKeysAndCertificate: 10,
  createCertificateFromCsr: 20,
  registerThing: 10,
};

/** Accounts and regions whose requests are remembered; the one asked about longest ago goes first. */
export const throttledScopesMax = 1_000;

const windowMs = 1_000;

/** Counts requests. Per process: a limit here is for seeing what a device would meet on AWS, not for safety. */
export class ProvisioningThrottle {
  readonly #clock: Clock;
  readonly #rates: Readonly<Record<FleetProvisioningOperation, number>> | undefined;
  readonly #windows = new Map<string, { startMs: number; requests: number }>();

  /** @param rates undefined: as many as they like */
  constructor(clock: Clock, rates: Readonly<Record<FleetProvisioningOperation, number>> | undefined) {
    this.#clock = clock;
    this.#rates = rates;
  }

  /** @throws {ProvisioningRefusal} 429 */
  take({ account, region }: Scope, operation: FleetProvisioningOperation): void {
    if (this.#rates === undefined) return;
    const key = `${account}/${region}/${operation}`;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#windows.get(key);
    const isCurrent = known !== undefined && nowMs < known.startMs + windowMs;
    const window = isCurrent ? known : { startMs: nowMs, requests: 0 };
    if (window.requests >= this.#rates[operation]) throw throttled("Rate exceeded");
    window.requests++;
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size > throttledScopesMax) this.#windows.delete(this.#windows.keys().next().value ?? "");
  }
}
