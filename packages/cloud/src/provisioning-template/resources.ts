import { functionAt, type ExpressionParser } from "./parse-expression.js";
import { checkMembers, memberPath, objectAt, refusal, show, stringAt } from "./refusal.js";
import {
  templatePoliciesMax,
  type CertificateResource,
  type MergingOverrideSetting,
  type OverrideSetting,
  type PolicyResource,
  type ProvisioningTemplate,
  type ProvisioningTemplateKind,
  type ThingResource,
} from "./template.js";

type Resources = Pick<ProvisioningTemplate, "thing" | "certificate" | "policies">;
type Members = Readonly<Record<string, unknown>>;

/** One resource as it stands in the template. */
interface Given {
  readonly logicalName: string;
  readonly path: string;
  readonly properties: Members;
  readonly override: Members;
}

const resourceTypes = ["AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"] as const;

/** @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID */
export function parseResources(
  value: unknown,
  kind: ProvisioningTemplateKind,
  expressions: ExpressionParser,
): Resources {
  const path = "Resources";
  if (value === undefined) throw refusal(path, "is missing");
  let thing: ThingResource | undefined;
  let certificate: CertificateResource | undefined;
  const policies: PolicyResource[] = [];
  for (const [logicalName, resource] of Object.entries(objectAt(path, value))) {
    const { type, ...given } = resourceAt(memberPath(path, logicalName), logicalName, resource);
    if (type === "AWS::IoT::Thing") {
      if (thing !== undefined) throw secondOf(given.path, "thing", thing.logicalName);
      thing = parseThing(given, expressions);
    } else if (type === "AWS::IoT::Certificate") {
      if (certificate !== undefined) throw secondOf(given.path, "certificate", certificate.logicalName);
      certificate = parseCertificate(given, kind, expressions);
    } else {
      policies.push(parsePolicy(given, kind, expressions));
    }
  }
  requireComplete({ thing, certificate, policies }, kind);
  return { thing, certificate, policies };
}

function resourceAt(path: string, logicalName: string, value: unknown) {
  const resource = objectAt(path, value);
  checkMembers(path, resource, ["Type", "Properties", "OverrideSettings"], "is not a member of a resource");
  const type = resourceTypes.find((name) => name === resource["Type"]);
  if (type === undefined) {
    throw refusal(`${path}.Type`, `must be one of ${resourceTypes.join(", ")}, got ${show(resource["Type"])}`);
  }
  if (resource["Properties"] === undefined) throw refusal(`${path}.Properties`, "is missing");
  const properties = objectAt(`${path}.Properties`, resource["Properties"]);
  const { OverrideSettings = {} } = resource;
  const override = objectAt(`${path}.OverrideSettings`, OverrideSettings);
  return { logicalName, path, type, properties, override };
}

const secondOf = (path: string, what: string, logicalName: string) =>
  refusal(path, `is a second ${what}: Resources.${logicalName} is one, and a template provisions one`);

function requireComplete({ thing, certificate, policies }: Resources, kind: ProvisioningTemplateKind): void {
  if (policies.length > templatePoliciesMax) {
    throw refusal("Resources", `has ${policies.length} policies; a certificate has at most ${templatePoliciesMax}`);
  }
  if (certificate !== undefined) return;
  if (kind !== "bulk") throw refusal("Resources", `a ${kind} template needs a resource of type AWS::IoT::Certificate`);
  const [policy] = policies;
  if (policy !== undefined) throw refusal(policy.path, "needs a certificate among the resources to be attached to");
  if (thing === undefined) throw refusal("Resources", "is empty");
}

function parseThing({ logicalName, path, properties, override }: Given, expressions: ExpressionParser): ThingResource {
  const at = `${path}.Properties`;
  const names = ["ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"] as const;
  checkMembers(at, properties, names, "is not a property of a thing");
  if (properties["ThingName"] === undefined) throw refusal(`${at}.ThingName`, "is missing");
  const text = (name: (typeof names)[number]) =>
    properties[name] === undefined ? undefined : expressions.text(`${at}.${name}`, properties[name]);
  const { AttributePayload: attributes, ThingGroups: groups } = properties;
  return {
    ...{ logicalName, path },
    thingName: expressions.text(`${at}.ThingName`, properties["ThingName"]),
    attributes: attributes === undefined ? undefined : parseTexts(`${at}.AttributePayload`, attributes, expressions),
    thingTypeName: text("ThingTypeName"),
    thingGroups: groups === undefined ? undefined : expressions.list(`${at}.ThingGroups`, groups),
    billingGroup: text("BillingGroup"),
    override: parseThingOverrides(`${path}.OverrideSettings`, override),
  };
}

/** An object whose values are texts. */
export function parseTexts(path: string, value: unknown, expressions: ExpressionParser) {
  refuseFunction(path, value, "gives a string where an object is needed");
  return Object.entries(objectAt(path, value)).map(
    ([name, text]) => [name, expressions.text(memberPath(path, name), text)] as const,
  );
}

/** AWS's guide writes them as properties in its examples, and in capitals where it lists them. */
const overrideNames = {
  attributes: ["AttributePayload", "ATTRIBUTE_PAYLOAD"],
  thingType: ["ThingTypeName", "THING_TYPE_NAME"],
  thingGroups: ["ThingGroups", "THING_GROUPS"],
} as const;

const settings: readonly OverrideSetting[] = ["DO_NOTHING", "REPLACE", "FAIL"];
const mergingSettings: readonly MergingOverrideSetting[] = [...settings, "MERGE"];

function parseThingOverrides(path: string, override: Members): ThingResource["override"] {
  checkMembers(path, override, Object.values(overrideNames).flat(), "is not an override setting of a thing");
  return {
    attributes: settingAt(path, override, overrideNames.attributes, mergingSettings) ?? "FAIL",
    thingType: settingAt(path, override, overrideNames.thingType, settings) ?? "FAIL",
    thingGroups: settingAt(path, override, overrideNames.thingGroups, mergingSettings) ?? "FAIL",
  };
}

function settingAt<Setting extends string>(
  path: string,
  override: Members,
  names: readonly string[],
  allowed: readonly Setting[],
): Setting | undefined {
  const given = names.filter((name) => override[name] !== undefined);
  const [name, other] = given;
  if (name === undefined) return undefined;
  const at = memberPath(path, name);
  if (other !== undefined) throw refusal(memberPath(path, other), `is ${name} in another spelling; give one of them`);
  const setting = allowed.find((one) => one === override[name]);
  if (setting === undefined) throw refusal(at, `must be one of ${allowed.join(", ")}, got ${show(override[name])}`);
  return setting;
}

function parseCertificate(
  { logicalName, path, properties, override }: Given,
  kind: ProvisioningTemplateKind,
  expressions: ExpressionParser,
): CertificateResource {
  const at = `${path}.Properties`;
  const ways = ["CertificateId", "CertificateSigningRequest", "CertificatePem"] as const;
  checkMembers(at, properties, [...ways, "CACertificatePem", "Status"], "is not a property of a certificate");
  checkMembers(`${path}.OverrideSettings`, override, ["Status"], "is not an override setting of a certificate");
  const [way, other] = ways.filter((name) => properties[name] !== undefined);
  if (way === undefined) {
    throw refusal(at, `needs ${kind === "bulk" ? `one of ${ways.join(", ")}` : "CertificateId"}`);
  }
  if (other !== undefined) throw refusal(`${at}.${other}`, `cannot be given together with ${way}`);
  if (kind !== "bulk" && way !== "CertificateId") {
    throw refusal(
      `${at}.${way}`,
      `cannot be given in a ${kind} template, which knows its certificate by CertificateId`,
    );
  }
  const ca = properties["CACertificatePem"];
  if (ca !== undefined && way !== "CertificatePem") {
    throw refusal(`${at}.CACertificatePem`, "belongs to a CertificatePem, which is not given");
  }
  const value = expressions.text(`${at}.${way}`, properties[way]);
  const status = properties["Status"];
  return {
    ...{ logicalName, path },
    source:
      way === "CertificateId"
        ? { type: "id", certificateId: value }
        : way === "CertificateSigningRequest"
          ? { type: "request", certificateSigningRequest: value }
          : {
              ...{ type: "pem", certificatePem: value },
              caCertificatePem: ca === undefined ? undefined : expressions.text(`${at}.CACertificatePem`, ca),
            },
    status: status === undefined ? undefined : expressions.text(`${at}.Status`, status),
    overrideStatus: settingAt(`${path}.OverrideSettings`, override, ["Status"], settings) ?? "REPLACE",
  };
}

function parsePolicy(
  { logicalName, path, properties, override }: Given,
  kind: ProvisioningTemplateKind,
  expressions: ExpressionParser,
): PolicyResource {
  const at = `${path}.Properties`;
  checkMembers(at, properties, ["PolicyName", "PolicyDocument"], "is not a property of a policy");
  const [setting] = Object.keys(override);
  if (setting !== undefined) {
    throw refusal(memberPath(`${path}.OverrideSettings`, setting), "policies have no override settings");
  }
  const { PolicyName: name, PolicyDocument: document } = properties;
  if (name !== undefined && document !== undefined) {
    throw refusal(`${at}.PolicyDocument`, "cannot be given together with PolicyName, which names a policy that exists");
  }
  if (name !== undefined) {
    const policyName = expressions.text(`${at}.PolicyName`, name);
    return { logicalName, path, policy: { type: "name", policyName } };
  }
  if (document === undefined) throw refusal(at, "needs PolicyName or PolicyDocument");
  const policyDocument = parsePolicyDocument(`${at}.PolicyDocument`, document, kind, expressions);
  return { logicalName, path, policy: { type: "document", policyDocument } };
}

function parsePolicyDocument(
  path: string,
  document: unknown,
  kind: ProvisioningTemplateKind,
  expressions: ExpressionParser,
) {
  if (typeof document === "string") return document;
  const parsed = expressions.document(path, document);
  if (parsed.type === "text") return parsed.text;
  if (parsed.type !== "object") throw refusal(path, `must be an object or a string, got ${show(document)}`);
  if (kind === "fleet") return parsed;
  throw refusal(
    path,
    `must be a JSON object written as a string in a ${kind} template; fleet templates take an object`,
  );
}

/** Of `Parameters` and `Mappings`: an object of objects. */
export function objectsAt(
  path: string,
  value: unknown,
): readonly (readonly [name: string, path: string, value: Members])[] {
  return Object.entries(objectAt(path, value)).map(([name, member]) => {
    const at = memberPath(path, name);
    return [name, at, objectAt(at, member)] as const;
  });
}

function refuseFunction(path: string, value: unknown, why: string): void {
  const call = functionAt(path, value);
  if (call !== undefined) throw refusal(memberPath(path, call.name), why);
}

/** Plain texts, in which no function may stand. */
export function plainTexts(path: string, members: Members): Map<string, string> {
  refuseFunction(path, members, "is a function, and none may stand in Mappings");
  return new Map(Object.entries(members).map(([name, value]) => [name, stringAt(memberPath(path, name), value)]));
}
