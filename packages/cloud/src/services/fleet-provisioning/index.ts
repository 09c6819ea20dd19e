import type { OperationRunner, Scope } from "../operation.js";
import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { claimOfWake, expireClaim } from "./claims.js";
import { fleetProvisioningName, templateKeys } from "./model.js";
import { expireToken } from "./pending.js";
import {
  createFleetProvisioning,
  createProvisioningRequests,
  type FleetProvisioning,
  type FleetProvisioningDependencies,
} from "./service.js";
import { createFleetProvisioningTopics } from "./topics.js";

// What other services may know of this one.
export { claimProvisioningTemplate, findProvisioningTemplate } from "./templates.js";
export type { FoundTemplate } from "./templates.js";
export type { FleetProvisioning } from "./service.js";

/** Provisioning templates, temporary claims, and the MQTT API by which devices become things. */
export function createFleetProvisioningService(
  deps: FleetProvisioningDependencies,
  options: { isLimited: boolean },
): CloudService<FleetProvisioning> {
  const { log, iotLog } = deps;
  const operations = createFleetProvisioning(deps, options);
  return {
    name: fleetProvisioningName,
    operations,
    rest: Object.values(operations),
    taggable: [taggable("provisioningtemplate", templateKeys.template)],
    topics: createFleetProvisioningTopics({ requests: createProvisioningRequests(deps, options), log, iotLog }),

    async wake(scope: Scope, name: string, runner: OperationRunner) {
      const claim = claimOfWake(name);
      if (claim !== undefined) {
        const { isGone } = await runner.run(scope, expireClaim, { certificateId: claim });
        if (isGone) log.info("provisioningClaimEnded", { certificateId: claim });
        return;
      }
      const { deleted } = await runner.run(scope, expireToken, { digest: name });
      if (deleted !== undefined) log.info("unregisteredCertificateDeleted", { certificateId: deleted });
    },
  };
}
