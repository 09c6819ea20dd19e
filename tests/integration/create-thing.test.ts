// `cloud.createThing()`: what a test file needs to connect a device, in one line.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device/node";

let cloud: StartedCloud;
const logged: string[] = [];

before(async () => {
  const line = (event: string, facts?: object) => void logged.push(`${event} ${JSON.stringify(facts)}`);
  const log = { debug: line, info: line, warn: line, error: line };
  cloud = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none", log });
});

after(() => cloud.close());

test("a thing in one line connects, under its own name and topics only", async () => {
  const thing = await cloud.createThing("pump-7");
  assert.deepEqual(Object.keys(thing), ["endpoint", "clientId", "tls"]);
  assert.equal(thing.policyName, "thingline-thing-narrow");
  const { registry } = cloud.cloud;
  const { principals } = await cloud.cloud.run(registry.listThingPrincipals, { thingName: thing.thingName });
  assert.deepEqual(principals, [thing.certificateArn]);

  await using device = await connectDevice({ ...thing });
  const messages = await device.subscribe("pump-7/#");
  await device.publish("pump-7/pressure", "2.5", { qos: 1 });
  for await (const { topic } of messages) {
    assert.equal(topic, "pump-7/pressure");
    break;
  }
  await assert.rejects(device.subscribe("pump-8/#"), { code: "MQTT_SUBSCRIPTION_REFUSED" });
});

test("a policy and a P-256 key of one's own; names that no policy could have", async () => {
  const policyDocument = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
  };
  const thing = await cloud.createThing("valve:1", { policyDocument, keyType: "ec-p256" });
  assert.equal(thing.policyName, "valve.1");
  assert.match(thing.tls.privateKey, /BEGIN EC PRIVATE KEY/);
  await using device = await connectDevice(thing);
  await device.publish("anything/at/all", "x", { qos: 1 });

  const again = await cloud.createThing("valve-2", { policyName: "valve.1", keyType: "ec-p256" });
  assert.equal(again.policyName, "valve.1");
});

test("a thing gets the type and the billing group that it is made with", async () => {
  const local = cloud.cloud;
  const { registry } = local;
  await local.run(registry.createThingType, { thingTypeName: "pump" });
  await local.run(registry.createBillingGroup, { billingGroupName: "north" });
  const place = { thingTypeName: "pump", billingGroupName: "north" };
  await cloud.createThing("typed", { ...place, keyType: "ec-p256" });
  const { thingTypeName, billingGroupName } = await local.run(registry.describeThing, { thingName: "typed" });
  assert.deepEqual({ thingTypeName, billingGroupName }, place);
});

test("neither the log nor what Node prints of a thing holds its key", async () => {
  const thing = await cloud.createThing("secret");
  assert.doesNotMatch(inspect(thing, { depth: 9, showHidden: true }), /BEGIN|PRIVATE KEY/);
  assert.doesNotMatch(logged.join("\n"), /BEGIN [A-Z ]*PRIVATE KEY/);
});

test("what cannot be made is an error with its reason, and leaves nothing", async () => {
  const all = JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] });
  await cloud.createThing("taken", { keyType: "ec-p256" });
  const { registry } = cloud.cloud;
  const counted = async () => [
    (await cloud.cloud.run(registry.listThings, {})).things.length,
    (await cloud.cloud.run(registry.listCertificates, {})).certificates.length,
    (await cloud.cloud.run(registry.listPolicies, {})).policies.length,
  ];
  const before = await counted();
  const cases: [name: unknown, options: object, code: string, message: RegExp][] = [
    ["taken", {}, "RESOURCE_EXISTS", /there is a thing "taken" already/],
    ["bad name", {}, "REQUEST_INVALID", /thingName/],
    ["", {}, "REQUEST_INVALID", /thingName/],
    ["x".repeat(129), {}, "REQUEST_INVALID", /thingName/],
    [undefined, {}, "REQUEST_INVALID", /thingName/],
    [7, { policyDocument: all }, "REQUEST_INVALID", /thingName/],
    ["new", { thingTypeName: "no-type" }, "RESOURCE_NOT_FOUND", /Thing type no-type not found/],
    ["new", { billingGroupName: "no-group" }, "RESOURCE_NOT_FOUND", /Billing group no-group not found/],
    ["new", { thingTypeName: 7 }, "OPTION_INVALID", /thingTypeName/],
    ["new", { policyName: "nobody-made-it" }, "RESOURCE_NOT_FOUND", /nobody-made-it/],
    ["new", { policyDocument: "{" }, "POLICY_MALFORMED", /./],
    ["new", { policyDocument: 7 }, "OPTION_INVALID", /policyDocument/],
    ["new", { policyDocument: { Version: 1n } }, "OPTION_INVALID", /policyDocument\.Version/],
    ["new", { policyDocument: new Map() }, "OPTION_INVALID", /policyDocument: .* got a Map/],
    ["new", { policyDocument: { Statement: [{ Condition: undefined }] } }, "OPTION_INVALID", /Condition/],
    ["new", { policyDocument: all, policyName: "thingline-thing-narrow" }, "OPTION_INVALID", /not both/],
    ["new", { keyType: "rsa-512" }, "OPTION_INVALID", /keyType must be rsa-2048 or ec-p256/],
    ["new", { keytype: "ec-p256" }, "OPTION_INVALID", /keytype/],
  ];
  for (const [name, options, code, message] of cases) {
    await assert.rejects(cloud.createThing(name as string, options), { code, message });
  }
  await assert.rejects(cloud.createThing("new", { signal: AbortSignal.abort(new Error("no longer")) }), /no longer/);
  assert.deepEqual(await counted(), before);
});
