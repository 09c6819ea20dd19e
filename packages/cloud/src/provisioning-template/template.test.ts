// The grammar case by case, and the examples of AWS's guide.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  certificateParameterNames,
  parseTemplate,
  resolvedCharactersMax,
  resolveTemplate,
  templateCharactersMax,
  templateDepthMax,
  templatePoliciesMax,
  type ProvisioningPlan,
  type ProvisioningTemplateKind,
} from "./index.js";

const certificateId = "a".repeat(64);
const certificate = { "AWS::IoT::Certificate::Id": certificateId };

interface Request {
  kind?: ProvisioningTemplateKind;
  parameters?: Readonly<Record<string, unknown>>;
}

function planOf(template: object | string, { kind = "fleet", parameters = {} }: Request = {}): ProvisioningPlan {
  const text = typeof template === "string" ? template : JSON.stringify(template);
  return resolveTemplate(parseTemplate(text, { kind }), { parameters, certificate });
}

/** `path: reason` of a refusal; the reason up to the first comma or semicolon. */
function refusalOf(template: object | string, request?: Request): string {
  try {
    planOf(template, request);
  } catch (error) {
    assert.ok(isThinglineError(error, "PROVISIONING_TEMPLATE_INVALID"), String(error));
    assert.equal(error.message, `${error.details["path"]}: ${error.details["reason"]}`);
    return error.message;
  }
  throw new Error("was not refused");
}

const certificateResource = {
  Type: "AWS::IoT::Certificate",
  Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" } },
};
const thingOf = (Properties: object, more: object = {}) => ({
  Type: "AWS::IoT::Thing",
  Properties: { ThingName: "t", ...Properties },
  ...more,
});
const fleet = (resources: object, more: object = {}) => ({
  Parameters: { A: { Type: "String", Default: "a,b" } },
  ...more,
  Resources: { certificate: certificateResource, ...resources },
});
const configured = (value: unknown) =>
  fleet({}, { Mappings: { M: { k: { n: "v" } } }, DeviceConfiguration: { value } });

test("AWS's guide: a template for bulk registration with a certificate signing request", () => {
  // AWS IoT developer guide, "Provisioning templates", template example for bulk registration.
  const PolicyDocument =
    '{ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action":["iot:Publish"], "Resource": ["arn:aws:iot:us-east-1:123456789012:topic/foo/bar"] }] }';
  const template = {
    Parameters: {
      ThingName: { Type: "String" },
      SerialNumber: { Type: "String" },
      Location: { Type: "String", Default: "WA" },
      CSR: { Type: "String" },
    },
    Resources: {
      thing: {
        Type: "AWS::IoT::Thing",
        Properties: {
          ThingName: { Ref: "ThingName" },
          AttributePayload: { version: "v1", serialNumber: { Ref: "SerialNumber" } },
          ThingTypeName: "lightBulb-versionA",
          ThingGroups: ["v1-lightbulbs", { Ref: "Location" }],
        },
        OverrideSettings: { AttributePayload: "MERGE", ThingTypeName: "REPLACE", ThingGroups: "DO_NOTHING" },
      },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateSigningRequest: { Ref: "CSR" }, Status: "ACTIVE" },
      },
      policy: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument } },
    },
  };
  const parameters = { ThingName: "bulb-1", SerialNumber: "123", CSR: "csr1" };
  assert.deepEqual(planOf(template, { kind: "bulk", parameters }), {
    kind: "bulk",
    thing: {
      ...{ logicalName: "thing", path: "Resources.thing", thingName: "bulb-1" },
      attributes: { version: "v1", serialNumber: "123" },
      ...{ thingTypeName: "lightBulb-versionA", thingGroups: ["v1-lightbulbs", "WA"], billingGroupName: undefined },
      override: { attributes: "MERGE", thingType: "REPLACE", thingGroups: "DO_NOTHING" },
    },
    certificate: {
      ...{ logicalName: "certificate", path: "Resources.certificate", status: "ACTIVE", overrideStatus: "REPLACE" },
      source: { type: "request", certificateSigningRequest: "csr1" },
    },
    policies: [
      {
        ...{ logicalName: "policy", path: "Resources.policy" },
        policy: { type: "document", policyDocument: PolicyDocument },
      },
    ],
    deviceConfiguration: {},
  });
  // As the guide has it in its section on resources, in which nothing says what the thing is called.
  const { ThingName: _name, ...nameless } = template.Resources.thing.Properties;
  const thing = { ...template.Resources.thing, Properties: nameless };
  assert.match(
    refusalOf({ ...template, Resources: { ...template.Resources, thing } }, { kind: "bulk", parameters }),
    /^Resources\.thing\.Properties\.ThingName: is missing$/,
  );
});

test("AWS's guide: certificates by id, by PEM, and by PEM with its CA", () => {
  const template = (Properties: object) => ({
    Parameters: { CertificateId: { Type: "String", Default: certificateId }, Pem: { Type: "String", Default: "pem" } },
    Resources: { certificate: { Type: "AWS::IoT::Certificate", Properties } },
  });
  const sourceOf = (properties: object) => planOf(template(properties), { kind: "bulk" }).certificate?.source;
  assert.deepEqual(sourceOf({ CertificateId: { Ref: "CertificateId" } }), { type: "id", certificateId });
  const pem = { type: "pem", certificatePem: "pem", caCertificatePem: undefined };
  assert.deepEqual(sourceOf({ CertificatePem: { Ref: "Pem" } }), pem);
  const withCa = { CACertificatePem: { Ref: "Pem" }, CertificatePem: { Ref: "Pem" } };
  assert.deepEqual(sourceOf(withCa), { ...pem, caCertificatePem: "pem" });
});

test("AWS's guide: a template of just-in-time provisioning, with what the certificate says", () => {
  // AWS IoT developer guide, "Just-in-time provisioning", example template body.
  const names = ["CommonName", "SerialNumber", "Country", "Id"].map((name) => `AWS::IoT::Certificate::${name}`);
  const template = parseTemplate(
    JSON.stringify({
      Parameters: Object.fromEntries(names.map((name) => [name, { Type: "String" }])),
      Resources: {
        thing: {
          Type: "AWS::IoT::Thing",
          Properties: {
            ThingName: { Ref: "AWS::IoT::Certificate::CommonName" },
            AttributePayload: { version: "v1", serialNumber: { Ref: "AWS::IoT::Certificate::SerialNumber" } },
            ThingGroups: ["v1-lightbulbs", { Ref: "AWS::IoT::Certificate::Country" }],
          },
        },
        certificate: { ...certificateResource, OverrideSettings: { Status: "DO_NOTHING" } },
      },
    }),
    { kind: "jitp" },
  );
  const given = {
    ...certificate,
    "AWS::IoT::Certificate::CommonName": "bulb",
    "AWS::IoT::Certificate::SerialNumber": "7",
  };
  const plan = resolveTemplate(template, {
    parameters: {},
    certificate: { ...given, "AWS::IoT::Certificate::Country": "SE" },
  });
  assert.deepEqual(plan.thing?.thingGroups, ["v1-lightbulbs", "SE"]);
  assert.deepEqual(plan.thing?.attributes, { version: "v1", serialNumber: "7" });
  assert.equal(plan.certificate?.overrideStatus, "DO_NOTHING");
  assert.throws(
    () => resolveTemplate(template, { parameters: {}, certificate: given }),
    (error) =>
      isThinglineError(error, "PROVISIONING_TEMPLATE_INVALID") &&
      error.details["reason"] === "Cannot resolve reference value: AWS::IoT::Certificate::Country",
  );
  // Nobody says of himself what his certificate says.
  for (const name of certificateParameterNames) {
    const spoof = () => resolveTemplate(template, { parameters: { [name]: "x" }, certificate: given });
    assert.throws(spoof, (error) => isThinglineError(error) && error.details["path"] === `Parameters.${name}`);
  }
});

test("AWS's guide: a fleet template with mappings, a policy as an object and device configuration", () => {
  // AWS IoT developer guide, "Provisioning templates", fleet provisioning template example.
  const document = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["iot:Publish"], Resource: ["arn:aws:iot:us-east-1:123456789012:topic/foo/bar"] },
    ],
  };
  const template = {
    Parameters: { ThingName: { Type: "String" }, SerialNumber: { Type: "String" }, DeviceLocation: { Type: "String" } },
    Mappings: { LocationTable: { Seattle: { LocationUrl: "https://example.aws" } } },
    Resources: {
      thing: {
        Type: "AWS::IoT::Thing",
        Properties: {
          AttributePayload: { version: "v1", serialNumber: "serialNumber" },
          ThingName: { Ref: "ThingName" },
          ThingTypeName: { "Fn::Join": ["", ["ThingPrefix_", { Ref: "SerialNumber" }]] },
          ThingGroups: ["v1-lightbulbs", "WA"],
          BillingGroup: "LightBulbBillingGroup",
        },
        OverrideSettings: { AttributePayload: "MERGE", ThingTypeName: "REPLACE", ThingGroups: "DO_NOTHING" },
      },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
      },
      policy: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: document } },
    },
    DeviceConfiguration: {
      FallbackUrl: "https://www.example.com/test-site",
      LocationUrl: { "Fn::FindInMap": ["LocationTable", { Ref: "DeviceLocation" }, "LocationUrl"] },
    },
  };
  const parameters = { ThingName: "bulb-1", SerialNumber: "9", DeviceLocation: "Seattle", Unknown: "is ignored" };
  const plan = planOf(template, { parameters });
  assert.equal(plan.thing?.thingTypeName, "ThingPrefix_9");
  assert.equal(plan.thing?.billingGroupName, "LightBulbBillingGroup");
  assert.equal(plan.certificate?.status, "ACTIVE");
  assert.deepEqual(plan.policies[0]?.policy, { type: "document", policyDocument: JSON.stringify(document) });
  assert.deepEqual(plan.deviceConfiguration, {
    FallbackUrl: "https://www.example.com/test-site",
    LocationUrl: "https://example.aws",
  });
  assert.match(
    refusalOf(template, { parameters: { ...parameters, DeviceLocation: "Berlin" } }),
    /^DeviceConfiguration\.LocationUrl\.Fn::FindInMap: map LocationTable has no key "Berlin"$/,
  );
});

test("each function gives what it promises, nested in any place", () => {
  const ref = { Ref: "A" };
  const cases: [value: unknown, expected: string][] = [
    ["plain ${A}", "plain ${A}"],
    [ref, "a,b"],
    [{ "Fn::Join": ["-", ["x", ref, "y"]] }, "x-a,b-y"],
    [{ "Fn::Join": ["", []] }, ""],
    [{ "Fn::Join": [ref, ["x", "y"]] }, "xa,by"],
    [{ "Fn::Join": ["+", { "Fn::Split": [",", ref] }] }, "a+b"],
    [{ "Fn::Select": [1, { "Fn::Split": [",", ref] }] }, "b"],
    [{ "Fn::Select": ["1", ["x", "y", null]] }, "y"],
    [{ "Fn::Select": [11, { "Fn::Split": ["-", "0-1-2-3-4-5-6-7-8-9-10-11-12"] }] }, "11"],
    [{ "Fn::Select": [{ "Fn::Join": ["", ["0"]] }, ["x"]] }, "x"],
    [{ "Fn::FindInMap": ["M", "k", "n"] }, "v"],
    [{ "Fn::FindInMap": [{ "Fn::Join": ["", ["M"]] }, { "Fn::Sub": "k" }, { "Fn::Select": [0, ["n"]] }] }, "v"],
    [{ "Fn::Sub": "<${A}|${ A }|${!A}|$|$A>" }, "<a,b|a,b|${A}|$|$A>"],
    [{ "Fn::Sub": ["${x}${A}", { x: { "Fn::Join": ["", ["1", ref]] } }] }, "1a,ba,b"],
    // What is given with the text comes before the parameter of that name, and is known in the text alone.
    [{ "Fn::Sub": ["${A}", { A: "mine" }] }, "mine"],
  ];
  for (const [value, expected] of cases) {
    assert.equal(planOf(configured(value)).deviceConfiguration["value"], expected, JSON.stringify(value));
  }
  const groups = (ThingGroups: unknown) => planOf(fleet({ thing: thingOf({ ThingGroups }) })).thing?.thingGroups;
  assert.deepEqual(groups({ "Fn::Split": [",", ref] }), ["a", "b"]);
  assert.deepEqual(groups(["a", { "Fn::Select": [0, { "Fn::Split": [",", ref] }] }, "c"]), ["a", "c"]);
});

test("functions stand anywhere in a policy that is an object, and the variables of policies stay", () => {
  const Statement = {
    Effect: "Allow",
    Action: { "Fn::Split": [",", { Ref: "A" }] },
    Resource: { "Fn::Sub": "arn:${A}:${!iot:ClientId}" },
    Condition: { Bool: { "iot:Connection.Thing.IsAttached": [true] }, "${iot:ClientId}": null },
  };
  const policy = { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: { Statement } } };
  const [planned] = planOf(fleet({ policy })).policies;
  assert.ok(planned?.policy.type === "document");
  assert.deepEqual(JSON.parse(planned.policy.policyDocument), {
    Statement: { ...Statement, Action: ["a", "b"], Resource: "arn:a,b:${iot:ClientId}" },
  });
});

test("both spellings of override settings are one", () => {
  const override = (OverrideSettings: object) =>
    planOf(fleet({ thing: thingOf({}, { OverrideSettings }) })).thing?.override;
  const wanted = { attributes: "MERGE", thingType: "REPLACE", thingGroups: "DO_NOTHING" };
  assert.deepEqual(
    override({ AttributePayload: "MERGE", ThingTypeName: "REPLACE", ThingGroups: "DO_NOTHING" }),
    wanted,
  );
  assert.deepEqual(
    override({ ATTRIBUTE_PAYLOAD: "MERGE", THING_TYPE_NAME: "REPLACE", THING_GROUPS: "DO_NOTHING" }),
    wanted,
  );
  assert.deepEqual(override({}), { attributes: "FAIL", thingType: "FAIL", thingGroups: "FAIL" });
});

test("whatever is wrong is refused with its path and a reason", () => {
  const policyOf = (Properties: object, more: object = {}) =>
    fleet({ policy: { Type: "AWS::IoT::Policy", Properties, ...more } });
  const certificateOf = (Properties: object, more: object = {}) => ({
    Resources: { certificate: { Type: "AWS::IoT::Certificate", Properties, ...more } },
  });
  const at = "Resources.thing.Properties";
  const cases: [template: object | string, refusal: RegExp, request?: Request][] = [
    ["{", /^template: is not JSON: /],
    ["[]", /^template: must be an object, got an array$/],
    [{}, /^Resources: is missing$/],
    [{ Resources: {} }, /^Resources: a fleet template needs a resource of type AWS::IoT::Certificate$/],
    [{ Resources: {} }, /^Resources: is empty$/, { kind: "bulk" }],
    [{ ...fleet({}), Description: "x" }, /^Description: is not a section of a template; there are Parameters/],
    [{ ...fleet({}), "": 1 }, /^\[""\]: is not a section/],
    [
      { ...fleet({}), DeviceConfiguration: {} },
      /^DeviceConfiguration: cannot be given in a jitp template/,
      { kind: "jitp" },
    ],
    [
      '{"Resources":{"policy":{"Type":"AWS::IoT::Policy","x":[1,{"a b":"}","\\u0061 b":2}]}}}',
      /^Resources\.policy\.x\[1\]\["a b"\]: stands twice in its object$/,
    ],
    [
      '{"Resources":{"policy":{"Type":"policy"},"other":["policy"],"policy":{}}}',
      /^Resources\.policy: stands twice in its object$/,
    ],
    [fleet({}, { Parameters: null }), /^Parameters: must be an object, got null$/],
    [fleet({}, { DeviceConfiguration: null }), /^DeviceConfiguration: must be an object, got null$/],
    [
      fleet({ thing: thingOf({}, { OverrideSettings: null }) }),
      /^Resources\.thing\.OverrideSettings: must be an object, got null$/,
    ],
    [fleet({}, { Parameters: { A: { Type: "Number" } } }), /^Parameters\.A\.Type: must be "String", got "Number"$/],
    [fleet({}, { Parameters: { A: {} } }), /^Parameters\.A\.Type: must be "String", got nothing$/],
    [
      fleet({}, { Parameters: { A: { Type: "String", AllowedValues: [] } } }),
      /^Parameters\.A\.AllowedValues: is not a member of a parameter; there are Type, Default$/,
    ],
    [
      fleet({}, { Parameters: { A: { Type: "String", Default: 1 } } }),
      /^Parameters\.A\.Default: must be a string, got 1$/,
    ],
    [fleet({}, { Parameters: { A: { Type: "String" } } }), /^Parameters\.A: Cannot resolve reference value: A$/],
    [fleet({}), /^Parameters\.A: must be a string, got 7$/, { parameters: { A: 7 } }],
    [
      fleet({}, { Mappings: { M: { k: { Ref: "A" } } } }),
      /^Mappings\.M\.k\.Ref: is a function, and none may stand in Mappings$/,
    ],
    [fleet({}, { Mappings: { M: { k: { n: ["v"] } } } }), /^Mappings\.M\.k\.n: must be a string, got an array$/],
    [fleet({ x: { Type: "AWS::IoT::Lamp", Properties: {} } }), /^Resources\.x\.Type: must be one of AWS::IoT::Thing/],
    [fleet({ x: { Type: "AWS::IoT::Thing" } }), /^Resources\.x\.Properties: is missing$/],
    [fleet({ x: { ...thingOf({}), DependsOn: "y" } }), /^Resources\.x\.DependsOn: is not a member of a resource/],
    [fleet({ a: thingOf({}), b: thingOf({}) }), /^Resources\.b: is a second thing: Resources\.a is one/],
    [fleet({ other: certificateResource }), /^Resources\.other: is a second certificate/],
    [
      fleet({ thing: thingOf({ Colour: "red" }) }),
      /^Resources\.thing\.Properties\.Colour: is not a property of a thing/,
    ],
    [
      fleet({ thing: thingOf({ ThingName: { Ref: "B" } }) }),
      /^Resources\.thing\.Properties\.ThingName\.Ref: "B" is not a declared parameter$/,
    ],
    [
      fleet({ thing: thingOf({ ThingName: 7 }) }),
      new RegExp(`^${at}\\.ThingName: must be a string or a function, got 7$`),
    ],
    [fleet({ thing: thingOf({ ThingName: "" }) }), new RegExp(`^${at}\\.ThingName: must match `)],
    [fleet({ thing: thingOf({ ThingName: "a b" }) }), new RegExp(`^${at}\\.ThingName: must match .*, got "a b"$`)],
    [fleet({ thing: thingOf({ ThingName: "a".repeat(129) }) }), new RegExp(`^${at}\\.ThingName: has 129 characters`)],
    [fleet({ thing: thingOf({ ThingGroups: ["a", "b c"] }) }), new RegExp(`^${at}\\.ThingGroups\\[1\\]: must match`)],
    [fleet({ thing: thingOf({ ThingGroups: ["a", null] }) }), new RegExp(`^${at}\\.ThingGroups\\[1\\]: is null$`)],
    [
      fleet({ thing: thingOf({ ThingGroups: "a" }) }),
      new RegExp(`^${at}\\.ThingGroups: must be an array or Fn::Split, got "a"$`),
    ],
    [
      fleet({ thing: thingOf({ ThingGroups: { Ref: "A" } }) }),
      new RegExp(`^${at}\\.ThingGroups\\.Ref: gives a string where a list is needed`),
    ],
    [
      fleet({ thing: thingOf({ AttributePayload: { a: { b: "c" } } }) }),
      new RegExp(`^${at}\\.AttributePayload\\.a: must be a string or a function, got an object$`),
    ],
    [
      fleet({ thing: thingOf({ AttributePayload: { Ref: "A" } }) }),
      new RegExp(`^${at}\\.AttributePayload\\.Ref: gives a string where an object is needed$`),
    ],
    [
      fleet({ thing: thingOf({ AttributePayload: { a: "b c" } }) }),
      new RegExp(`^${at}\\.AttributePayload\\.a: must match`),
    ],
    [
      fleet({ thing: thingOf({ AttributePayload: { "a b": "c" } }) }),
      new RegExp(`^${at}\\.AttributePayload\\["a b"\\]: must match`),
    ],
    [
      fleet({ thing: thingOf({}, { OverrideSettings: { ThingTypeName: "MERGE" } }) }),
      /^Resources\.thing\.OverrideSettings\.ThingTypeName: must be one of DO_NOTHING, REPLACE, FAIL, got "MERGE"$/,
    ],
    [
      fleet({ thing: thingOf({}, { OverrideSettings: { BillingGroup: "FAIL" } }) }),
      /^Resources\.thing\.OverrideSettings\.BillingGroup: is not an override setting of a thing/,
    ],
    [
      fleet({ thing: thingOf({}, { OverrideSettings: { ThingGroups: "FAIL", THING_GROUPS: "FAIL" } }) }),
      /^Resources\.thing\.OverrideSettings\.THING_GROUPS: is ThingGroups in another spelling/,
    ],
    [certificateOf({}), /^Resources\.certificate\.Properties: needs CertificateId$/],
    [
      certificateOf({}),
      /^Resources\.certificate\.Properties: needs one of CertificateId, CertificateSigningRequest, CertificatePem$/,
      { kind: "bulk" },
    ],
    [
      certificateOf({ CertificateSigningRequest: "x" }),
      /^Resources\.certificate\.Properties\.CertificateSigningRequest: cannot be given in a fleet template/,
    ],
    [
      certificateOf({ CertificatePem: "x" }),
      /^Resources\.certificate\.Properties\.CertificatePem: cannot be given in a jitp template/,
      { kind: "jitp" },
    ],
    [
      certificateOf({ CertificateId: "x", CertificatePem: "y" }),
      /^Resources\.certificate\.Properties\.CertificatePem: cannot be given together with CertificateId$/,
      { kind: "bulk" },
    ],
    [
      certificateOf({ CertificateId: certificateId, CACertificatePem: "y" }),
      /^Resources\.certificate\.Properties\.CACertificatePem: belongs to a CertificatePem/,
      { kind: "bulk" },
    ],
    [certificateOf({ CertificateId: "x" }), /^Resources\.certificate\.Properties\.CertificateId: must match/],
    [
      certificateOf({ CertificateID: certificateId }),
      /^Resources\.certificate\.Properties\.CertificateID: is not a property of a certificate/,
    ],
    [
      certificateOf({ CertificateId: certificateId, Status: "REVOKED" }),
      /^Resources\.certificate\.Properties\.Status: must be ACTIVE or INACTIVE, got "REVOKED"$/,
    ],
    [
      certificateOf({ CertificateId: certificateId }, { OverrideSettings: { Status: "MERGE" } }),
      /^Resources\.certificate\.OverrideSettings\.Status: must be one of/,
    ],
    [policyOf({}), /^Resources\.policy\.Properties: needs PolicyName or PolicyDocument$/],
    [
      policyOf({ PolicyName: "p", PolicyDocument: "{}" }),
      /^Resources\.policy\.Properties\.PolicyDocument: cannot be given together with PolicyName/,
    ],
    [policyOf({ PolicyName: "p q" }), /^Resources\.policy\.Properties\.PolicyName: must match/],
    [
      policyOf({ PolicyDocument: [] }),
      /^Resources\.policy\.Properties\.PolicyDocument: must be an object or a string, got an array$/,
    ],
    [
      policyOf({ PolicyName: "p" }, { OverrideSettings: { PolicyName: "REPLACE" } }),
      /^Resources\.policy\.OverrideSettings\.PolicyName: policies have no override settings$/,
    ],
    [
      policyOf({ PolicyDocument: {} }),
      /^Resources\.policy\.Properties\.PolicyDocument: must be a JSON object written as a string in a jitp template/,
      { kind: "jitp" },
    ],
    [
      { Resources: { policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "p" } } } },
      /^Resources\.policy: needs a certificate among the resources/,
      { kind: "bulk" },
    ],
    [configured({ Ref: "B" }), /^DeviceConfiguration\.value\.Ref: "B" is not a declared parameter$/],
    [configured({ Ref: "A", x: 1 }), /^DeviceConfiguration\.value\.x: cannot stand beside a function/],
    [
      configured({ "Fn:Join": ["", []] }),
      /^DeviceConfiguration\.value\.Fn:Join: is not a function; there are Ref, Fn::Join/,
    ],
    [configured({ nested: { a: "b" } }), /^DeviceConfiguration\.value: must be a string or a function, got an object$/],
    [
      configured({ "Fn::Join": ["-"] }),
      /^DeviceConfiguration\.value\.Fn::Join: must be an array of 2: \[delimiter, list\], got an array of 1$/,
    ],
    [
      configured({ "Fn::Split": [",", "a"] }),
      /^DeviceConfiguration\.value\.Fn::Split: gives a list where a string is needed/,
    ],
    [
      configured({ "Fn::Join": ["-", { "Fn::Split": ["", "a"] }] }),
      /^DeviceConfiguration\.value\.Fn::Join\[1\]\.Fn::Split\[0\]: must not be empty$/,
    ],
    [configured({ "Fn::Join": ["-", ["a", null]] }), /^DeviceConfiguration\.value\.Fn::Join\[1\]\[1\]: is null$/],
    [
      configured({ "Fn::Select": [2, ["a", "b"]] }),
      /^DeviceConfiguration\.value\.Fn::Select: index 2 is out of range: the list has 2$/,
    ],
    [configured({ "Fn::Select": [0, [null]] }), /^DeviceConfiguration\.value\.Fn::Select: element 0 is null$/],
    [
      configured({ "Fn::Select": [-1, []] }),
      /^DeviceConfiguration\.value\.Fn::Select\[0\]: must be an index from 0, got -1$/,
    ],
    [
      configured({ "Fn::Select": ["x", []] }),
      /^DeviceConfiguration\.value\.Fn::Select: the index must be a number from 0, got "x"$/,
    ],
    [
      configured({ "Fn::FindInMap": ["N", "k", "n"] }),
      /^DeviceConfiguration\.value\.Fn::FindInMap\[0\]: "N" is not a map of Mappings$/,
    ],
    [
      configured({ "Fn::FindInMap": [{ Ref: "A" }, "k", "n"] }),
      /^DeviceConfiguration\.value\.Fn::FindInMap: "a,b" is not a map of Mappings$/,
    ],
    [
      configured({ "Fn::FindInMap": ["M", "k", "m"] }),
      /^DeviceConfiguration\.value\.Fn::FindInMap: key k of map M has no name "m"$/,
    ],
    [
      configured({ "Fn::Sub": "${B}" }),
      /^DeviceConfiguration\.value\.Fn::Sub: "B" is not a declared parameter; write \$\{!\.\.\.\}/,
    ],
    [configured({ "Fn::Sub": "${A" }), /^DeviceConfiguration\.value\.Fn::Sub: "\$\{" at character 0 is not closed$/],
    [configured({ "Fn::Sub": "a${}" }), /^DeviceConfiguration\.value\.Fn::Sub: "\$\{\}" at character 1 names nothing$/],
    [
      configured({ "Fn::Sub": ["${b}", { b: 1 }] }),
      /^DeviceConfiguration\.value\.Fn::Sub\[1\]\.b: must be a string or a function, got 1$/,
    ],
  ];
  for (const [template, expected, request] of cases) assert.match(refusalOf(template, request), expected);
});

test("a template has at most templateCharactersMax characters", () => {
  const text = JSON.stringify(fleet({}));
  assert.ok(planOf(text.padEnd(templateCharactersMax)));
  assert.match(refusalOf(text.padEnd(templateCharactersMax + 1)), /^template: has 10241 characters; at most 10240/);
});

test("functions and policy documents go templateDepthMax levels deep", () => {
  const nested = (levels: number) => {
    let value: unknown = "x";
    // Two levels each: the function and its list.
    for (let level = 0; level < levels; level += 2) value = { "Fn::Join": ["", [value]] };
    return value;
  };
  assert.equal(planOf(configured(nested(templateDepthMax))).deviceConfiguration["value"], "x");
  assert.match(refusalOf(configured(nested(templateDepthMax + 2))), /is nested deeper than 32 levels$/);
  const deep = `${"[".repeat(4_000)}${"]".repeat(4_000)}`;
  const policy = JSON.stringify(fleet({ policy: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: {} } } }));
  assert.match(
    refusalOf(policy.replace('"PolicyDocument":{}', `"PolicyDocument":{"a":${deep}}`)),
    /is nested deeper than/,
  );
});

test("a certificate is given templatePoliciesMax policies", () => {
  const policies = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_none, at) => [
        `p${at}`,
        { Type: "AWS::IoT::Policy", Properties: { PolicyName: "p" } },
      ]),
    );
  assert.equal(planOf(fleet(policies(templatePoliciesMax))).policies.length, templatePoliciesMax);
  assert.match(refusalOf(fleet(policies(templatePoliciesMax + 1))), /^Resources: has 11 policies; /);
});

test("what functions make is bounded, however often each level takes the one before it", () => {
  const characters = (length: number) => configured({ "Fn::Join": ["", ["x".repeat(length)]] });
  // The id of the certificate counts as well.
  const most = resolvedCharactersMax - certificateId.length;
  const plan = planOf(configured({ Ref: "A" }), { parameters: { A: "y".repeat(most) } });
  assert.equal(plan.deviceConfiguration["value"]?.length, most);
  const tooLong = { parameters: { A: "y".repeat(most + 1) } };
  assert.match(
    refusalOf(configured({ Ref: "A" }), tooLong),
    /^DeviceConfiguration\.value\.Ref: the template resolves to more than 262144 characters$/,
  );
  assert.ok(planOf(characters(100)));
  let value: unknown = "0123456789";
  for (let level = 0; level < 12; level++) value = { "Fn::Sub": ["${a}".repeat(20), { a: value }] };
  assert.match(refusalOf(configured(value)), /: the template resolves to more than 262144 characters$/);
});

test("names of JavaScript's own objects are names like any other", () => {
  const template = fleet(
    { thing: thingOf({ AttributePayload: JSON.parse('{"__proto__":"p","constructor":"c"}') as object }) },
    { DeviceConfiguration: { value: { "Fn::Sub": ["${toString}", { toString: "x" }] } } },
  );
  const plan = planOf(template);
  assert.deepEqual(Object.entries(plan.thing?.attributes ?? {}), [
    ["__proto__", "p"],
    ["constructor", "c"],
  ]);
  assert.equal(plan.deviceConfiguration["value"], "x");
  const inherited = configured({ "Fn::FindInMap": [{ "Fn::Join": ["", ["toString"]] }, "a", "b"] });
  assert.match(refusalOf(inherited), /"toString" is not a map of Mappings$/);
  assert.match(refusalOf(configured({ Ref: "toString" })), /is not a declared parameter$/);
});
