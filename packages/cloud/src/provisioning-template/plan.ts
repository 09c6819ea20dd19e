import type { MergingOverrideSetting, OverrideSetting, ProvisioningTemplateKind } from "./template.js";

/**
 * What is to be there when a device is provisioned: a template whose parameters are known. Names are legal, nothing was looked up:
 * whoever applies it finds out whether what it names exists.
 */
export interface ProvisioningPlan {
  readonly kind: ProvisioningTemplateKind;
  readonly thing: PlannedThing | undefined;
  /** Always there in plans of fleet and JITP templates. */
  readonly certificate: PlannedCertificate | undefined;
  /** At most `templatePoliciesMax`. */
  readonly policies: readonly PlannedPolicy[];
  /** Empty unless the template is one of fleet provisioning. */
  readonly deviceConfiguration: Readonly<Record<string, string>>;
}

interface PlannedResource {
  /** By which `resourceArns` of RegisterThing names it. */
  readonly logicalName: string;
  /** `Resources.<logical name>`, for refusals. */
  readonly path: string;
}

export interface PlannedThing extends PlannedResource {
  readonly thingName: string;
  /** Undefined: the template says nothing of them. */
  readonly attributes: Readonly<Record<string, string>> | undefined;
  readonly thingTypeName: string | undefined;
  /** Each once, in the template's order. */
  readonly thingGroups: readonly string[] | undefined;
  readonly billingGroupName: string | undefined;
  /** What becomes of a thing that exists and differs. */
  readonly override: {
    readonly attributes: MergingOverrideSetting;
    readonly thingType: OverrideSetting;
    readonly thingGroups: MergingOverrideSetting;
  };
}

export interface PlannedCertificate extends PlannedResource {
  readonly source:
    | { readonly type: "id"; readonly certificateId: string }
    | { readonly type: "request"; readonly certificateSigningRequest: string }
    | { readonly type: "pem"; readonly certificatePem: string; readonly caCertificatePem: string | undefined };
  readonly status: "ACTIVE" | "INACTIVE";
  readonly overrideStatus: OverrideSetting;
}

export interface PlannedPolicy extends PlannedResource {
  readonly policy:
    | { readonly type: "name"; readonly policyName: string }
    /** JSON. Whether it is a policy is found out when it is applied. */
    | { readonly type: "document"; readonly policyDocument: string };
}
