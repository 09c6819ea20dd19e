import { parseTemplate, resolveTemplate } from "../../provisioning-template/index.js";
import { awsSaga } from "../aws-operation.js";
import type { Operation } from "../operation.js";
import type { CertificateIssuer } from "../registry/index.js";
import { thingProvisioningName } from "./model.js";
import type { ProvisionedThing } from "./provision-thing.js";
import { issueForPlan, type RegisterPlanInput } from "./register-plan.js";

/** A saga, as a certificate for a request takes its time. */
export function createRegisterThing(deps: {
  issuer: CertificateIssuer;
  registerPlan: Operation<RegisterPlanInput, ProvisionedThing>;
}) {
  const { issuer, registerPlan } = deps;
  return awsSaga(
    thingProvisioningName,
    ["iot", "RegisterThing"],
    ["templateBody", "parameters"],
    async ({ run, clock }, { templateBody, parameters = {} }) => {
      const plan = resolveTemplate(parseTemplate(templateBody, { kind: "bulk" }), { parameters });
      const issued = await issueForPlan(plan, issuer, clock.unixMs());
      const origin = { source: "RegisterThing" } as const;
      const { certificatePem, resourceArns } = await run(registerPlan, { plan, issued, origin });
      return { ...(certificatePem !== undefined && { certificatePem }), resourceArns };
    },
  );
}
