import type { Effect } from "../operation.js";

const prefix = "membership/";

/** The name of the wake-up by which a watcher hears that the groups of a thing changed, or that the thing is gone. */
export const membershipWakeName = (thingName: string): string => prefix + thingName;

/** The thing that a wake-up of this name is about; undefined for a wake-up of another kind. */
export function thingOfMembershipWake(name: string): string | undefined {
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

/** Wakes every watcher for the thing. */
export function wakeWatchers(watchers: readonly string[], thingName: string, nowMs: number): Effect[] {
  const name = membershipWakeName(thingName);
  return watchers.map((service) => ({ type: "wakeAt", service, name, atUnixMs: nowMs }));
}
