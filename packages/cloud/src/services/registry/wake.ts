import type { WakeHandler } from "../wake-ups.js";
import { billingGroupOfSweepWake, continueBillingSweep } from "./billing-group-sweep.js";
import { continueSweep, groupOfSweepWake } from "./group-sweep.js";
import { endReplaced, readReplacedWake } from "./proofs.js";
import { continueRecheck, readRecheckWake } from "./recheck.js";

/** Goes on with what was too much for one commit. @param watchers services that hear of each thing that leaves a group */
export function registryWake(watchers: readonly string[]): WakeHandler {
  const sweep = continueSweep(watchers);
  return async (scope, name, runner) => {
    const thingGroupId = groupOfSweepWake(name);
    if (thingGroupId !== undefined) await runner.run(scope, sweep, { thingGroupId });
    const billingGroupId = billingGroupOfSweepWake(name);
    if (billingGroupId !== undefined) await runner.run(scope, continueBillingSweep, { billingGroupId });
    const recheck = readRecheckWake(name);
    if (recheck !== undefined) await runner.run(scope, continueRecheck, recheck);
    const certificateId = readReplacedWake(name);
    if (certificateId !== undefined) await runner.run(scope, endReplaced, { certificateId });
  };
}
