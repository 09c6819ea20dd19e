import type { LifecycleEvent } from "../lifecycle.js";
import type { OperationRunner } from "../operation.js";
import type { CloudService } from "../service.js";
import { ThinglineError } from "@thingline/protocol";
import {
  createSplitProvisioning,
  splitProvisioningName,
  type CallFunction,
  type SplitProvisioning,
  type SplitProvisioningDependencies,
  type SplitProvisioningOptions,
} from "./service.js";
import { createSplitProvisioningTopics } from "./topics.js";
import { UnansweredRequests } from "./unanswered.js";

export type {
  CallFunction,
  ProvisionRequest,
  SplitProvisioning,
  SplitProvisioningDependencies,
  SplitProvisioningOptions,
} from "./service.js";
export { checkVending, nameOfVending } from "./vending.js";
export type { Vending, VendingState } from "./vending.js";

/** The cloud half of the original sample: a claim certificate becomes a device's own. It answers while it is switched on. */
export function createSplitProvisioningService(
  deps: SplitProvisioningDependencies,
  options: SplitProvisioningOptions = {},
): CloudService<SplitProvisioning> {
  const operations = createSplitProvisioning(deps, options);
  const { log } = deps;
  const unanswered = new UnansweredRequests(deps);
  return {
    name: splitProvisioningName,
    operations,
    topics: createSplitProvisioningTopics({ service: operations, callFunction: logging(deps), unanswered, log }),
    close: () => unanswered.close(),

    /** A certificate that this service issued is proved by the connection. Costs one read for all others. */
    async onLifecycle(event: LifecycleEvent, runner: OperationRunner) {
      const { eventType, scope, clientId: deviceId, certificateId } = event;
      if (eventType !== "connected" || certificateId === undefined) return;
      const isNews = await runner.run(scope, operations.recordProof, { deviceId, certificateId });
      if (isNews) log.info("provisionedCertificateProved", { deviceId, certificateId });
    },
  };
}

/** The device hears of a failure by the function, if at all: so does a rule's. */
function logging({ callFunction, log }: SplitProvisioningDependencies): CallFunction {
  return async (name, event) => {
    try {
      if (callFunction === undefined) throw new ThinglineError("RESOURCE_NOT_FOUND", "this cloud has no functions");
      return await callFunction(name, event);
    } catch (error) {
      log.error("vendingFunctionFailed", { function: name, clientId: event["deviceId"], error: String(error) });
      return undefined;
    }
  };
}
