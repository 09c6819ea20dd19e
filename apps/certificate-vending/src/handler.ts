import { isClaimClientId, splitProvisioningTopics } from "@thingline/protocol/provisioning";
import { admitRequest, admitThing, createRequestGuard } from "./admission.js";
import { clientIdOf, readRequest, type VendingRequest } from "./event.js";
import { describeError, failureOf, rejectionOf } from "./failure.js";
import { askHook, type VendingHook } from "./hook.js";
import { limitsOf, type VendingSettings } from "./settings.js";
import type { VendingCloud, VendingContext, VendingHandler, VendingLog } from "./types.js";
import { vend } from "./vend.js";

/** From the beginning of a call to its last step forward. */
export const forwardMaxMs = 20_000;
/** Kept of the time that a call has left: for taking back what was made, and for the rejection. */
export const backwardMs = 35_000;

export interface VendingDependencies {
  cloud: VendingCloud;
  /** Asked last, before anything is made. Default: nobody is asked. */
  hook?: VendingHook | undefined;
  log: VendingLog;
  unixMs: () => number;
}

/** The cloud half of split provisioning, the same in Lambda and in a local cloud. */
export function createVendingHandler(deps: VendingDependencies, settings: VendingSettings): VendingHandler {
  const guard = createRequestGuard(limitsOf(settings));
  const { cloud, log, unixMs } = deps;
  return async (event, context) => {
    const isOver = createDeadline(unixMs, context);
    // Without a client id there is nobody to tell.
    const clientId = clientIdOf(event);
    try {
      guard.admit(unixMs());
      const request = readRequest(event, clientId);
      admitRequest(request, settings);
      const isThere = await judge(request, deps, settings);
      const vended = await vend(request, isThere, { cloud, policyName: settings.policyName, log, isOver });
      log.info("certificateVended", { clientId, ...vended });
      return vended;
    } catch (error) {
      log.error("vendingRefused", { clientId, ...describeError(error) });
      await reject(deps, clientId, error);
      throw error;
    }
  };
}

/** By what the registry knows of the thing, then by the hook. @returns whether the thing is there */
async function judge(
  request: VendingRequest,
  { cloud, hook, unixMs }: VendingDependencies,
  settings: VendingSettings,
): Promise<boolean> {
  const { thingName, clientId } = request;
  const isItself = settings.clients !== "any" && !isClaimClientId(clientId);
  try {
    const isThere = await admitThing({ thingName, isItself }, { registry: cloud, settings, nowMs: unixMs() });
    if (hook !== undefined) await askHook(hook, request);
    return isThere;
  } catch (error) {
    throw failureOf("looking at the thing", error);
  }
}

/** The device asks again sooner or later; that it cannot be told must not hide why. */
async function reject({ cloud, log }: VendingDependencies, clientId: string, error: unknown): Promise<void> {
  try {
    await cloud.publish(splitProvisioningTopics(clientId).rejected, rejectionOf(error));
  } catch (failure) {
    log.error("rejectionNotSent", { clientId, ...describeError(failure) });
  }
}

function createDeadline(unixMs: () => number, context: VendingContext | undefined): () => boolean {
  const startedAtMs = unixMs();
  return () => {
    const leftMs = context?.getRemainingTimeInMillis?.() ?? Infinity;
    return context?.signal?.aborted === true || leftMs < backwardMs || unixMs() - startedAtMs >= forwardMaxMs;
  };
}
