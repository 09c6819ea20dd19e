import { isThinglineError } from "@thingline/protocol";
import { parsePolicyDocument } from "../policy/index.js";
import type { ProvisioningPlan } from "./plan.js";
import { refusal } from "./refusal.js";

/**
 * Whether the policy documents of a plan are policies. Whoever applies it finds out as well; this is for those who ask before.
 *
 * @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID; its path goes on within the document:
 * `Resources.policy.Properties.PolicyDocument.Statement[1].Effect`
 */
export function checkPlannedPolicies({ policies }: Pick<ProvisioningPlan, "policies">): void {
  for (const { path, policy } of policies) {
    if (policy.type !== "document") continue;
    try {
      parsePolicyDocument(policy.policyDocument);
    } catch (error) {
      if (!isThinglineError(error, "POLICY_MALFORMED")) throw error;
      const { path: within = "", reason = error.message } = error.details;
      const document = `${path}.Properties.PolicyDocument`;
      throw refusal(within === "" ? document : `${document}.${String(within)}`, String(reason));
    }
  }
}
