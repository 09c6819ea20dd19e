import type { CloudService } from "../service.js";
import { createThingProvisioning, type ThingProvisioning, type ThingProvisioningDependencies } from "./service.js";

// What other services may know of provisioning by templates.
export type { ProvisionedThing, ProvisionThing, ProvisionThingInput } from "./provision-thing.js";
export type { ThingProvisioning } from "./service.js";

export const thingProvisioningName = "thing-provisioning";

/** What provisioning templates ask for, whoever asks: fleet provisioning, JITP, RegisterThing, bulk registration. */
export function createThingProvisioningService(deps: ThingProvisioningDependencies): CloudService<ThingProvisioning> {
  return { name: thingProvisioningName, operations: createThingProvisioning(deps) };
}
