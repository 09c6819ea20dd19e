import { Evaluator, unresolved } from "./evaluate.js";
import type { PlannedCertificate, PlannedPolicy, PlannedThing, ProvisioningPlan } from "./plan.js";
import { memberPath, refusal, show, stringAt } from "./refusal.js";
import {
  isCertificateParameter,
  type CertificateParameters,
  type CertificateResource,
  type PolicyResource,
  type ProvisioningTemplate,
  type ThingResource,
} from "./template.js";

export interface ResolveOptions {
  /**
   * By name, as whoever wants to be provisioned gave them; one that is no string is refused. Those that the template does not declare are
   * not used.
   */
  readonly parameters: Readonly<Record<string, unknown>>;
  /**
   * What the service knows of the certificate, in fleet and JITP templates: there nobody else can give an `AWS::IoT::Certificate::` parameter.
   * In bulk templates they are parameters like any other.
   */
  readonly certificate?: CertificateParameters;
}

/**
 * What a template asks for with these parameters.
 *
 * @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID as {@link parseTemplate}; for a parameter without a value `details.reason` is
 * AWS's `Cannot resolve reference value: <name>`.
 */
export function resolveTemplate(template: ProvisioningTemplate, options: ResolveOptions): ProvisioningPlan {
  const { kind, mappings, thing, certificate, policies, deviceConfiguration } = template;
  const evaluator = new Evaluator({ mappings, parameters: valuesOf(template, options) });
  return {
    kind,
    thing: thing && planThing(thing, evaluator),
    certificate: certificate && planCertificate(certificate, evaluator),
    policies: policies.map((policy) => planPolicy(policy, evaluator)),
    deviceConfiguration: Object.fromEntries(
      deviceConfiguration.map(([name, value]) => [name, evaluator.text(value)] as const),
    ),
  };
}

function valuesOf({ kind, parameters }: ProvisioningTemplate, options: ResolveOptions): Map<string, string> {
  const values = new Map<string, string>();
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(options.parameters)) {
    const path = memberPath("Parameters", name);
    if (kind !== "bulk" && isCertificateParameter(name)) {
      throw refusal(path, "is what the certificate says, and cannot be given");
    }
    given.set(name, stringAt(path, value));
  }
  if (kind !== "bulk") for (const [name, value] of Object.entries(options.certificate ?? {})) values.set(name, value);
  for (const { name, defaultValue } of parameters) {
    if (values.has(name)) continue;
    const value = given.get(name) ?? defaultValue;
    if (value === undefined) throw unresolved(memberPath("Parameters", name), name);
    values.set(name, value);
  }
  return values;
}

/** Names as AWS's model has them. */
const patterns = {
  name: { pattern: /^[a-zA-Z0-9:_-]+$/, charactersMax: 128 },
  attributeName: { pattern: /^[a-zA-Z0-9_.,@/:#-]+$/, charactersMax: 128 },
  attributeValue: { pattern: /^[a-zA-Z0-9_.,@/:#=[\]-]*$/, charactersMax: 800 },
  policyName: { pattern: /^[\w+=,.@-]+$/, charactersMax: 128 },
  certificateId: { pattern: /^[a-f0-9]{64}$/, charactersMax: 64 },
} as const;

function checked(path: string, text: string, kind: keyof typeof patterns): string {
  const { pattern, charactersMax } = patterns[kind];
  if (text.length > charactersMax) throw refusal(path, `has ${text.length} characters; at most ${charactersMax}`);
  if (!pattern.test(text)) throw refusal(path, `must match ${pattern.source}, got ${show(text)}`);
  return text;
}

function planThing(resource: ThingResource, evaluator: Evaluator): PlannedThing {
  const { logicalName, path, override } = resource;
  const at = `${path}.Properties`;
  const name = (property: string, value: ThingResource["thingTypeName"]) =>
    value === undefined ? undefined : checked(`${at}.${property}`, evaluator.text(value), "name");
  const groups = resource.thingGroups && evaluator.texts(resource.thingGroups);
  return {
    ...{ logicalName, path, override },
    thingName: checked(`${at}.ThingName`, evaluator.text(resource.thingName), "name"),
    attributes: resource.attributes && planAttributes(`${at}.AttributePayload`, resource.attributes, evaluator),
    thingTypeName: name("ThingTypeName", resource.thingTypeName),
    thingGroups: groups && [
      ...new Set(groups.map((group, index) => checked(`${at}.ThingGroups[${index}]`, group, "name"))),
    ],
    billingGroupName: name("BillingGroup", resource.billingGroup),
  };
}

function planAttributes(
  path: string,
  attributes: NonNullable<ThingResource["attributes"]>,
  evaluator: Evaluator,
): Record<string, string> {
  const values = attributes.map(([name, value]) => {
    const at = memberPath(path, name);
    return [checked(at, name, "attributeName"), checked(at, evaluator.text(value), "attributeValue")] as const;
  });
  return Object.fromEntries(values);
}

function planCertificate(resource: CertificateResource, evaluator: Evaluator): PlannedCertificate {
  const { logicalName, path, overrideStatus, source, status } = resource;
  const at = `${path}.Properties`;
  return {
    ...{ logicalName, path, overrideStatus },
    source: planSource(at, source, evaluator),
    status: status === undefined ? "ACTIVE" : statusOf(`${at}.Status`, evaluator.text(status)),
  };
}

function planSource(
  path: string,
  source: CertificateResource["source"],
  evaluator: Evaluator,
): PlannedCertificate["source"] {
  switch (source.type) {
    case "id": {
      const id = checked(`${path}.CertificateId`, evaluator.text(source.certificateId), "certificateId");
      return { type: "id", certificateId: id };
    }
    case "request":
      return { type: "request", certificateSigningRequest: evaluator.text(source.certificateSigningRequest) };
    case "pem": {
      const ca = source.caCertificatePem;
      return {
        ...{ type: "pem", certificatePem: evaluator.text(source.certificatePem) },
        caCertificatePem: ca === undefined ? undefined : evaluator.text(ca),
      };
    }
  }
}

/** AWS's guide writes `ACTIVE` in some of its examples and `Active` in others. */
function statusOf(path: string, text: string): PlannedCertificate["status"] {
  const status = text.toUpperCase();
  if (status === "ACTIVE" || status === "INACTIVE") return status;
  throw refusal(path, `must be ACTIVE or INACTIVE, got ${show(text)}`);
}

function planPolicy({ logicalName, path, policy }: PolicyResource, evaluator: Evaluator): PlannedPolicy {
  const at = `${path}.Properties`;
  if (policy.type === "name") {
    const policyName = checked(`${at}.PolicyName`, evaluator.text(policy.policyName), "policyName");
    return { logicalName, path, policy: { type: "name", policyName } };
  }
  const { policyDocument: document } = policy;
  const policyDocument =
    typeof document === "object" && document.type === "object"
      ? JSON.stringify(evaluator.document(document))
      : evaluator.text(document);
  return { logicalName, path, policy: { type: "document", policyDocument } };
}
