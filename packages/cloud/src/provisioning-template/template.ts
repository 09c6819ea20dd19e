import type { ListExpression, ObjectExpression, TextExpression } from "./expression.js";

/** What a template is for decides what it may contain, and who gives its parameters. */
export type ProvisioningTemplateKind =
  /** Fleet provisioning: a device asks over MQTT, with a certificate that the cloud has just issued. */
  | "fleet"
  /** Just-in-time provisioning: a device connects, with a certificate of a registered CA. */
  | "jitp"
  /** `RegisterThing` and bulk registration: an operator asks. */
  | "bulk";

/** AWS's limit on the text of a template. */
export const templateCharactersMax = 10_240;
/** Functions within functions, and levels of a policy document. */
export const templateDepthMax = 32;
/** A template's policies are all attached to one certificate, which has at most ten. */
export const templatePoliciesMax = 10;

/** What an existing thing keeps. Without a setting it is `FAIL`: what differs is refused. */
export type OverrideSetting = "DO_NOTHING" | "REPLACE" | "FAIL";
export type MergingOverrideSetting = OverrideSetting | "MERGE";

export interface TemplateParameter {
  readonly name: string;
  readonly defaultValue: string | undefined;
}

export interface ThingResource {
  readonly logicalName: string;
  /** `Resources.<logical name>`, for refusals. */
  readonly path: string;
  readonly thingName: TextExpression;
  readonly attributes: readonly (readonly [name: string, value: TextExpression])[] | undefined;
  readonly thingTypeName: TextExpression | undefined;
  readonly thingGroups: ListExpression | undefined;
  readonly billingGroup: TextExpression | undefined;
  readonly override: ThingOverrides;
}

export interface ThingOverrides {
  readonly attributes: MergingOverrideSetting;
  readonly thingType: OverrideSetting;
  readonly thingGroups: MergingOverrideSetting;
}

export interface CertificateResource {
  readonly logicalName: string;
  readonly path: string;
  readonly source:
    | { readonly type: "id"; readonly certificateId: TextExpression }
    | { readonly type: "request"; readonly certificateSigningRequest: TextExpression }
    | {
        readonly type: "pem";
        readonly certificatePem: TextExpression;
        readonly caCertificatePem: TextExpression | undefined;
      };
  readonly status: TextExpression | undefined;
  /** `REPLACE` when the template says nothing. */
  readonly overrideStatus: OverrideSetting;
}

export interface PolicyResource {
  readonly logicalName: string;
  readonly path: string;
  readonly policy:
    | { readonly type: "name"; readonly policyName: TextExpression }
    | { readonly type: "document"; readonly policyDocument: TextExpression | ObjectExpression };
}

/** A template that was read: what is left to be refused depends on its parameters. */
export interface ProvisioningTemplate {
  readonly kind: ProvisioningTemplateKind;
  readonly parameters: readonly TemplateParameter[];
  /** Maps of two levels, by names. */
  readonly mappings: ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, string>>>;
  readonly thing: ThingResource | undefined;
  readonly certificate: CertificateResource | undefined;
  readonly policies: readonly PolicyResource[];
  /** Of fleet templates alone. */
  readonly deviceConfiguration: readonly (readonly [name: string, value: TextExpression])[];
}

/**
 * What a template may ask of the certificate: `AWS::IoT::Certificate::Id` in fleet and JITP templates, the others in JITP templates.
 *
 * @see AWS IoT developer guide, "Just-in-time provisioning"
 */
export const certificateParameterNames = [
  "AWS::IoT::Certificate::Country",
  "AWS::IoT::Certificate::Organization",
  "AWS::IoT::Certificate::OrganizationalUnit",
  "AWS::IoT::Certificate::DistinguishedNameQualifier",
  "AWS::IoT::Certificate::StateName",
  "AWS::IoT::Certificate::CommonName",
  "AWS::IoT::Certificate::SerialNumber",
  "AWS::IoT::Certificate::Id",
] as const;

export type CertificateParameterName = (typeof certificateParameterNames)[number];

/** What the service that provisions says of the certificate. */
export type CertificateParameters = Readonly<Partial<Record<CertificateParameterName, string>>>;

export function isCertificateParameter(name: string): name is CertificateParameterName {
  return (certificateParameterNames as readonly string[]).includes(name);
}
