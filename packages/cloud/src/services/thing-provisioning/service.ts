import { createProvisionThing, type ProvisioningRegistry } from "./provision-thing.js";

export interface ThingProvisioningDependencies {
  registry: ProvisioningRegistry;
}

export type ThingProvisioning = ReturnType<typeof createThingProvisioning>;

/** What provisioning templates ask for. */
export function createThingProvisioning({ registry }: ThingProvisioningDependencies) {
  return { provisionThing: createProvisionThing(registry) };
}
