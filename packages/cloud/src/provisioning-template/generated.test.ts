// Templates and parameters from chance against a plain reference, and spoiled ones: a plan or a refusal with a path, nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { Generator, mappings, parameterValues, type Json } from "./generated.test.support.js";
import { parseTemplate, resolveTemplate, type ProvisioningPlan, type ProvisioningTemplateKind } from "./index.js";
import { referenceDocument, referenceText, type ReferenceInput } from "./reference.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const templates = isLong ? 10_000 : 300;

const certificateId = "c".repeat(64);
const kinds: readonly ProvisioningTemplateKind[] = ["fleet", "jitp", "bulk"];

type Outcome = { plan: ProvisioningPlan } | { path: string };

/** Anything but a plan or a refusal that names its path fails. */
function outcomeOf(
  text: string,
  kind: ProvisioningTemplateKind,
  parameters: Readonly<Record<string, unknown>>,
): Outcome {
  try {
    const certificate = { "AWS::IoT::Certificate::Id": certificateId };
    return { plan: resolveTemplate(parseTemplate(text, { kind }), { parameters, certificate }) };
  } catch (error) {
    assert.ok(isThinglineError(error, "PROVISIONING_TEMPLATE_INVALID"), `${String(error)}\n${text}`);
    const { path = "", reason = "" } = error.details;
    assert.equal(error.message, `${path}: ${reason}`);
    assert.match(String(path), /^(?:template|[\w:$-]+|\[".*"\])(?:\.{3})?(?:$|[.[])/, text);
    assert.ok(String(reason).length > 4 && String(path).length < 2_000);
    return { path: String(path) };
  }
}

const values = new Map([...Object.entries(parameterValues), ["AWS::IoT::Certificate::Id", certificateId]]);
const input: ReferenceInput = { values, mappings };

/** What the reference makes of the template: undefined when some text cannot be resolved. */
function referencePlan(template: { [name: string]: Json }) {
  const resources = template["Resources"] as Record<string, { Properties: Record<string, Json> }>;
  const text = (resource: string, name: string) => referenceText(resources[resource]?.Properties[name] as Json, input);
  const attributes = Object.entries(resources["thing"]?.Properties["AttributePayload"] as object).map(
    ([name, value]) => [name, referenceText(value as Json, input)] as const,
  );
  const groups = referenceDocument(resources["thing"]?.Properties["ThingGroups"] as Json, input);
  const policy = resources["policy"]?.Properties ?? {};
  const document = policy["PolicyDocument"] === undefined ? "" : referenceDocument(policy["PolicyDocument"], input);
  const policyName = policy["PolicyName"] === undefined ? "p" : text("policy", "PolicyName");
  const value = referenceText((template["DeviceConfiguration"] as Record<string, Json>)["value"] as Json, input);
  const thingName = text("thing", "ThingName");
  const isResolved = [thingName, groups, document, policyName, value, ...attributes.map(([, one]) => one)].every(
    (one) => one !== undefined,
  );
  if (!isResolved || (groups as Json[]).includes(null)) return undefined;
  const isName = (name: unknown) => /^[a-zA-Z0-9:_-]{1,128}$/.test(name as string);
  const isLegal =
    isName(thingName) &&
    (groups as Json[]).every(isName) &&
    attributes.every(([, one]) => /^[a-zA-Z0-9_.,@/:#=[\]-]{0,800}$/.test(one ?? "")) &&
    /^[\w+=,.@-]{1,128}$/.test(policyName ?? "");
  return isLegal
    ? { thingName, groups: [...new Set(groups as string[])], attributes, policyName, document, value }
    : undefined;
}

test("generated templates resolve as the plain reference says", (t) => {
  const generator = new Generator(createVirtualRandom("templates"));
  let resolved = 0;
  for (let at = 0; at < templates; at++) {
    const template = generator.template();
    const text = JSON.stringify(template);
    const outcome = outcomeOf(text, "fleet", parameterValues);
    const expected = text.length > 10_240 ? undefined : referencePlan(template);
    assert.equal("plan" in outcome, expected !== undefined, text);
    if (!("plan" in outcome) || expected === undefined) continue;
    resolved++;
    const { thing, policies, deviceConfiguration } = outcome.plan;
    assert.equal(thing?.thingName, expected.thingName, text);
    assert.deepEqual(thing?.thingGroups, expected.groups);
    assert.deepEqual(Object.entries(thing?.attributes ?? {}), expected.attributes);
    assert.equal(deviceConfiguration["value"], expected.value);
    const policy = policies[0]?.policy;
    if (policy?.type === "name") assert.equal(policy.policyName, expected.policyName);
    else assert.equal(policy?.policyDocument, JSON.stringify(expected.document));
  }
  assert.ok(resolved > templates / 50, `${resolved} of ${templates} resolved`);
  t.diagnostic(`${resolved} of ${templates} resolved`);
});

test("a text of the grammar gives what the plain reference gives", () => {
  const generator = new Generator(createVirtualRandom("texts"));
  let resolved = 0;
  for (let at = 0; at < templates; at++) {
    const value = generator.text();
    const template = { ...generator.template(), DeviceConfiguration: { value } };
    const resources = { certificate: (template as { Resources?: Record<string, Json> }).Resources?.["certificate"] };
    const text = JSON.stringify({ ...template, Resources: resources });
    if (text.length > 10_240) continue;
    const expected = referenceText(value, input);
    const outcome = outcomeOf(text, "fleet", parameterValues);
    assert.equal("plan" in outcome ? outcome.plan.deviceConfiguration["value"] : undefined, expected, text);
    if (expected !== undefined) resolved++;
  }
  assert.ok(resolved > templates / 4, `${resolved} of ${templates} resolved`);
});

test("spoiled templates and parameters give a plan or a refusal with a path, and nothing else", () => {
  const generator = new Generator(createVirtualRandom("spoiled"));
  const counts = { plans: 0, refusals: 0 };
  for (let at = 0; at < templates; at++) {
    let template: Json = generator.template();
    while (generator.chance(0.6)) template = generator.spoil(template);
    const parameters = generator.chance(0.8)
      ? parameterValues
      : { SerialNumber: 7, [generator.pick(["a", "__proto__"])]: "x" };
    const outcome = outcomeOf(JSON.stringify(template), generator.pick(kinds), parameters);
    counts["plan" in outcome ? "plans" : "refusals"]++;
  }
  assert.ok(counts.plans > 0 && counts.refusals > templates / 2, JSON.stringify(counts));
});
