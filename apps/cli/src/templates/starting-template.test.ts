import assert from "node:assert/strict";
import { test } from "node:test";
import { thingPolicyDocument } from "@thingline/cloud/issue";
import { isThinglineError } from "@thingline/protocol";
import { exampleCertificateId, parametersOf, tryTemplate } from "./check.js";
import { planRows } from "./plan-lines.js";
import { startingTemplate } from "./starting-template.js";

const file = "t.json";

test("a template to begin with names things by serial number, and has one policy for all", async () => {
  const text = startingTemplate({ kind: "fleet", prefix: "pump-", groups: ["north", "oslo"], thingType: "pump" });
  const parameters = { SerialNumber: "SN-1" };
  const { plan } = await tryTemplate(text, { kind: "fleet", file, parameters });
  assert.equal(plan.thing?.thingName, "pump-SN-1");
  assert.deepEqual(plan.thing?.thingGroups, ["north", "oslo"]);
  assert.equal(plan.thing?.thingTypeName, "pump");
  assert.deepEqual(plan.thing?.attributes, { serialNumber: "SN-1" });
  assert.deepEqual(plan.certificate?.source, { type: "id", certificateId: exampleCertificateId });
  assert.deepEqual(plan.policies[0]?.policy, { type: "document", policyDocument: thingPolicyDocument });
  assert.deepEqual(await parametersOf(text, "fleet"), [{ name: "SerialNumber", defaultValue: undefined }]);
});

test("with JITP the certificate says who a device is", async () => {
  const text = startingTemplate({ kind: "jitp", prefix: "", groups: [], policy: "pumps" });
  const parameters = { "AWS::IoT::Certificate::CommonName": "SN-1" };
  const { plan } = await tryTemplate(text, { kind: "jitp", file, parameters });
  assert.equal(plan.thing?.thingName, "SN-1");
  assert.deepEqual(plan.policies[0]?.policy, { type: "name", policyName: "pumps" });
  assert.deepEqual(await parametersOf(text, "jitp"), []);
  assert.ok(planRows(plan).some(([title, words]) => title === "policy" && words === "pumps, which must exist"));
});

test("what is wrong is said with file and path", async () => {
  const text = startingTemplate({ kind: "fleet", prefix: "", groups: [] });
  await assert.rejects(tryTemplate(text, { kind: "fleet", file, parameters: {} }), {
    code: "PROVISIONING_TEMPLATE_INVALID",
    message: /^t\.json: Parameters\.SerialNumber: /,
  });
  await assert.rejects(tryTemplate("{", { kind: "fleet", file, parameters: {} }), {
    message: /^t\.json: template: is not JSON/,
  });
  assert.equal(await parametersOf("{", "fleet"), undefined);
});

test("a policy document within a template is read as the registry will read it", async () => {
  const written = JSON.parse(startingTemplate({ kind: "fleet", prefix: "", groups: [] })) as {
    Resources: { policy: { Properties: object } };
  };
  const tryWith = (PolicyDocument: unknown) => {
    const Resources = { ...written.Resources, policy: { ...written.Resources.policy, Properties: { PolicyDocument } } };
    return tryTemplate(JSON.stringify({ ...written, Resources }), {
      ...{ kind: "fleet", file, parameters: { SerialNumber: "SN-1" } },
    });
  };
  const statement = { Effect: "Allow", Action: "iot:Connect", Resource: "*" };
  const within = "Resources.policy.Properties.PolicyDocument";
  for (const [document, path] of [
    [{ Version: "2012-10-17", Statement: [statement, { ...statement, Effect: "Maybe" }] }, ".Statement[1].Effect"],
    ['{"Version":"2012-10-17"}', ".Statement"],
    ["no JSON", ""],
  ] as const) {
    await assert.rejects(tryWith(document), (error) => {
      assert.ok(isThinglineError(error, "PROVISIONING_TEMPLATE_INVALID"), String(error));
      assert.equal(error.details["path"], `${within}${path}`);
      assert.ok(error.message.startsWith(`${file}: ${within}${path}: `), error.message);
      return true;
    });
  }
  await tryWith({ Version: "2012-10-17", Statement: [statement] });
});
