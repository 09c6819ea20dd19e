import type { Log } from "../../log.js";
import type { ObjectsService } from "../objects/index.js";
import type { CertificateIssuer } from "../registry/index.js";
import { createForgetTask } from "./forget-task.js";
import { createProvisionThing, type ProvisioningRegistry } from "./provision-thing.js";
import { createRegisterPlan } from "./register-plan.js";
import { createRegisterThing } from "./register-thing.js";
import { createRegistrationStep } from "./registration-step.js";
import {
  createListReports,
  describeThingRegistrationTask,
  listThingRegistrationTasks,
  startThingRegistrationTask,
  stopThingRegistrationTask,
} from "./registration-tasks.js";

export interface ThingProvisioningDependencies {
  registry: ProvisioningRegistry;
  issuer: CertificateIssuer;
  /** Where input files are and reports go. */
  objects: Pick<ObjectsService, "operations" | "presignedUrl">;
  log: Log;
}

export type ThingProvisioning = ReturnType<typeof createThingProvisioning>["operations"];

/** What provisioning templates ask for. */
export function createThingProvisioning(deps: ThingProvisioningDependencies) {
  const { registry, issuer, objects, log } = deps;
  const provisionThing = createProvisionThing(registry);
  const registerPlan = createRegisterPlan(provisionThing);
  return {
    operations: {
      provisionThing,
      registerThing: createRegisterThing({ issuer, registerPlan }),
      ...{ startThingRegistrationTask, describeThingRegistrationTask, listThingRegistrationTasks },
      stopThingRegistrationTask,
      listThingRegistrationTaskReports: createListReports(objects),
    },
    runStep: createRegistrationStep({ issuer, objects, registerPlan, log }),
    forgetTask: createForgetTask(objects.operations),
  };
}
