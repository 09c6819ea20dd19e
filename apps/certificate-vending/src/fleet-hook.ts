import { isThinglineError } from "@thingline/protocol";
import { claimClientIdOf } from "@thingline/protocol/provisioning";
import { admitName, admitThing, forbidden, type Registry } from "./admission.js";
import { describeError } from "./failure.js";
import type { AdmissionSettings } from "./settings.js";
import type { VendingLog } from "./types.js";

export interface FleetHookDependencies {
  registry: Registry;
  log: VendingLog;
  unixMs: () => number;
}

/** Of AWS's shape, members that are not of use left out. */
export interface FleetHookAnswer {
  allowProvisioning: boolean;
}

/**
 * AWS's pre-provisioning hook, by the rules of split provisioning: the parameter SerialNumber must be the name behind the claim's prefix, so
 * that a claim gets a certificate for the name that it is connected under and for no other.
 *
 * @see AWS IoT developer guide, "Pre-provisioning hooks"
 */
export function createFleetHook(
  { registry, log, unixMs }: FleetHookDependencies,
  settings: AdmissionSettings,
): (event: unknown) => Promise<FleetHookAnswer> {
  return async (event) => {
    const { clientId, parameters } = (event ?? {}) as { clientId?: unknown; parameters?: { SerialNumber?: unknown } };
    try {
      const thingName = parameters?.SerialNumber;
      if (typeof thingName !== "string" || clientId !== claimClientIdOf(thingName)) {
        throw forbidden("a device is connected as claim- and its SerialNumber");
      }
      admitName(thingName, settings);
      await admitThing({ thingName, isItself: false }, { registry, settings, nowMs: unixMs() });
      log.info("provisioningAllowed", { clientId, thingName });
      return { allowProvisioning: true };
    } catch (error) {
      log.error("provisioningRefused", { ...(typeof clientId === "string" && { clientId }), ...describeError(error) });
      // What is no verdict fails, which AWS IoT takes as a refusal too, and counts as an error of the function.
      if (!isThinglineError(error)) throw error;
      return { allowProvisioning: false };
    }
  };
}
