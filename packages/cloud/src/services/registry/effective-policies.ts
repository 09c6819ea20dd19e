import { ThinglineError } from "@thingline/protocol";
import { awsOperation } from "../aws-operation.js";
import { answer } from "../operation.js";
import { requirePrincipal } from "./attachments.js";
import { arnOf } from "./model.js";
import { addMissing, policiesAttached, policiesOfGroups, type PrincipalPolicy } from "./principal.js";
import { requireThing } from "./thing-directory.js";

/** Those of the certificate, and those of the thing's groups and of all groups above them. */
export const getEffectivePolicies = awsOperation(
  "iot",
  "GetEffectivePolicies",
  ["principal", "thingName"],
  async (context, { principal, thingName }) => {
    const { store, scope } = context;
    if (principal === undefined && thingName === undefined) {
      throw new ThinglineError("REQUEST_INVALID", "principal or thingName must be given");
    }
    const policies: PrincipalPolicy[] = [];
    if (principal !== undefined) {
      await requirePrincipal(context, principal);
      addMissing(policies, await policiesAttached(store, scope, principal));
    }
    if (thingName !== undefined) {
      const { value: thing } = await requireThing(context, thingName);
      addMissing(policies, await policiesOfGroups(store, scope, thing));
    }
    const effectivePolicies = policies.map(({ policyName, document }) => ({
      policyName,
      policyArn: arnOf.policy(scope, policyName),
      policyDocument: document,
    }));
    return answer({ effectivePolicies });
  },
);
