export { resolvedCharactersMax } from "./evaluate.js";
export { parseTemplate } from "./parse.js";
export type { PlannedCertificate, PlannedPolicy, PlannedThing, ProvisioningPlan } from "./plan.js";
export { checkPlannedPolicies } from "./policies.js";
export { refusal } from "./refusal.js";
export { resolveTemplate } from "./resolve.js";
export type { ResolveOptions } from "./resolve.js";
export { certificateParameterNames, templateCharactersMax, templateDepthMax, templatePoliciesMax } from "./template.js";
export type {
  CertificateParameterName,
  CertificateParameters,
  MergingOverrideSetting,
  OverrideSetting,
  ProvisioningTemplate,
  ProvisioningTemplateKind,
  TemplateParameter,
} from "./template.js";
