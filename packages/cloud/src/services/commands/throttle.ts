import type { Clock } from "@thingline/transport";
import type { Scope } from "../operation.js";
import { CommandRefusal } from "./update.js";

/** Updates of all devices of an account and region. @see AWS General Reference, "AWS IoT Device Management commands quotas" */
export const commandUpdatesPerSecondMax = 100;

const windowMs = 1_000;
/** Accounts and regions that are counted; the one asked about longest ago goes first. */
export const throttledScopesMax = 1_000;

/** Counts updates. Per process: a limit here is for seeing what a device would meet, not for safety. */
export class CommandsThrottle {
  readonly #isLimited: boolean;
  readonly #windows = new Map<string, { startedMs: number; updates: number }>();

  constructor({ isLimited }: { isLimited: boolean }) {
    this.#isLimited = isLimited;
  }

  /** @throws {CommandRefusal} RequestThrottled */
  count({ account, region }: Scope, clock: Clock): void {
    if (!this.#isLimited) return;
    const name = `${account}/${region}`;
    const nowMs = clock.monotonicMs();
    const known = this.#windows.get(name);
    const window = known !== undefined && nowMs < known.startedMs + windowMs ? known : { startedMs: nowMs, updates: 0 };
    if (window.updates >= commandUpdatesPerSecondMax) throw new CommandRefusal("RequestThrottled", "Too many requests");
    window.updates++;
    this.#windows.delete(name);
    this.#windows.set(name, window);
    if (this.#windows.size > throttledScopesMax) this.#windows.delete(this.#windows.keys().next().value ?? "");
  }
}
