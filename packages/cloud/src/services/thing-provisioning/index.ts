import type { CloudService } from "../service.js";
import { thingProvisioningName, wakeNames } from "./model.js";
import { createThingProvisioning, type ThingProvisioning, type ThingProvisioningDependencies } from "./service.js";

// What other services may know of provisioning by templates.
export type { ProvisionedThing, ProvisionThing, ProvisionThingInput } from "./provision-thing.js";
export type { ThingProvisioning } from "./service.js";

/** What provisioning templates ask for, whoever asks: fleet provisioning, JITP, RegisterThing, bulk registration. */
export function createThingProvisioningService(deps: ThingProvisioningDependencies): CloudService<ThingProvisioning> {
  const { operations, runStep, forgetTask } = createThingProvisioning(deps);
  const { provisionThing: _internal, ...served } = operations;
  return {
    name: thingProvisioningName,
    operations,
    rest: Object.values(served),
    async wake(scope, name, runner) {
      const [kind, taskId = ""] = name.split("/");
      await runner.run(scope, kind === wakeNames.forget ? forgetTask : runStep, { taskId });
    },
  };
}
