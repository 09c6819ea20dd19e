import type { PlannedPolicy, ProvisioningPlan } from "@thingline/cloud/provisioning-template";
import { exampleCertificateId } from "./check.js";

/** What a template comes to, for people: a row for each resource, and what it has below it. */
export function planRows(plan: ProvisioningPlan): [title: string, text: string][] {
  const { thing, certificate, policies, deviceConfiguration } = plan;
  return [
    ...(thing === undefined ? [row("thing", "none")] : thingRows(thing)),
    ...(certificate === undefined ? [] : certificateRows(certificate)),
    ...policies.map(policyRow),
    ...pairs("device configuration", deviceConfiguration),
  ];
}

const row = (title: string, text: string): [string, string] => [title, text];

function thingRows(thing: NonNullable<ProvisioningPlan["thing"]>): [string, string][] {
  const { thingName, attributes, thingTypeName, thingGroups, billingGroupName, override } = thing;
  return [
    row("thing", thingName),
    ...(thingTypeName === undefined ? [] : [row("  thing type", `${thingTypeName}, which must exist`)]),
    ...(thingGroups === undefined || thingGroups.length === 0
      ? []
      : [row("  groups", `${thingGroups.join(", ")}, which must exist`)]),
    ...(billingGroupName === undefined ? [] : [row("  billing group", `${billingGroupName}, which must exist`)]),
    ...pairs("  attributes", attributes ?? {}),
    row(
      "  if it exists",
      `attributes ${override.attributes}, thing type ${override.thingType}, groups ${override.thingGroups}`,
    ),
  ];
}

function certificateRows({ source, status }: NonNullable<ProvisioningPlan["certificate"]>): [string, string][] {
  const texts = {
    id: () =>
      source.type === "id" && source.certificateId !== exampleCertificateId ? source.certificateId : "the device's own",
    request: () => "made from the request that the template is given",
    pem: () => "registered, as the template is given it",
  };
  return [row("certificate", `${texts[source.type]()}, ${status}`)];
}

function policyRow({ policy }: PlannedPolicy): [string, string] {
  if (policy.type === "name") return row("policy", `${policy.policyName}, which must exist`);
  return row("policy", `made of a document of ${policy.policyDocument.length} characters`);
}

function pairs(title: string, values: Readonly<Record<string, string>>): [string, string][] {
  const texts = Object.entries(values).map((pair) => pair.join("="));
  return texts.length === 0 ? [] : [row(title, texts.join(", "))];
}
