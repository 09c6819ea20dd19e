import type { LifecycleEvent } from "../lifecycle.js";
import type { OperationRunner } from "../operation.js";
import type { CloudService } from "../service.js";
import {
  createSplitProvisioning,
  splitProvisioningName,
  type SplitProvisioning,
  type SplitProvisioningDependencies,
} from "./service.js";
import { createSplitProvisioningTopics } from "./topics.js";

export type { SplitProvisioning, SplitProvisioningDependencies } from "./service.js";
export { checkVending } from "./vending.js";
export type { Vending } from "./vending.js";

/** The cloud half of the original sample: a claim certificate becomes a device's own. */
export function createSplitProvisioningService(deps: SplitProvisioningDependencies): CloudService<SplitProvisioning> {
  const operations = createSplitProvisioning(deps);
  const { log } = deps;
  return {
    name: splitProvisioningName,
    operations,
    topics: createSplitProvisioningTopics({ service: operations, log }),

    /** A certificate that this service issued is proved by the connection. Costs one read for all others. */
    async onLifecycle(event: LifecycleEvent, runner: OperationRunner) {
      const { eventType, scope, clientId: deviceId, certificateId } = event;
      if (eventType !== "connected" || certificateId === undefined) return;
      const isNews = await runner.run(scope, operations.recordProof, { deviceId, certificateId });
      if (isNews) log.info("provisionedCertificateProved", { deviceId, certificateId });
    },
  };
}
