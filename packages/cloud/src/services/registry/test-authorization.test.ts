import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { openServiceWorld } from "../world.test.support.js";
import { policiesPerTargetMax } from "./model.js";

const has = (code: ErrorCode, says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));
const arnOf = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`;

/** A certificate of the thing `pump`, which may connect as that, publish below its name, and never to `secret`. */
async function openWorld() {
  const { run, registry, ...world } = await openServiceWorld();
  const { certificateArn: principal } = await run(registry.createKeysAndCertificate, {});
  const policy = async (policyName: string, ...Statement: object[]) => {
    await run(registry.createPolicy, {
      ...{ policyName, policyDocument: JSON.stringify({ Version: "2012-10-17", Statement }) },
    });
  };
  const thingName = "${iot:Connection.Thing.ThingName}";
  await policy("own", { Effect: "Allow", Action: "iot:Publish", Resource: arnOf(`topic/${thingName}/*`) });
  await policy("named", { Effect: "Allow", Action: "iot:Connect", Resource: arnOf("client/${iot:ClientId}") });
  await policy(
    "careful",
    { Effect: "Deny", Action: "iot:*", Resource: arnOf("topic/*/secret") },
    {
      Effect: "Allow",
      Action: "iot:Receive",
      Resource: arnOf("topic/home"),
      Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } },
    },
  );
  for (const policyName of ["own", "named", "careful"])
    await run(registry.attachPolicy, { policyName, target: principal });
  await run(registry.createThing, { thingName: "pump" });
  await run(registry.attachThingPrincipal, { thingName: "pump", principal });
  type Input = Parameters<typeof registry.testAuthorization>[1];
  const ask = async (
    actionType: "CONNECT" | "PUBLISH" | "SUBSCRIBE" | "RECEIVE",
    resources: readonly string[],
    given: Partial<Input> = {},
  ) => {
    const authInfos = [{ actionType, resources: resources.map(arnOf) }];
    const { authResults } = await run(registry.testAuthorization, { principal, clientId: "pump", authInfos, ...given });
    const [result] = authResults ?? [];
    const names = (list: readonly { policyName?: string }[] | undefined) => list?.map(({ policyName }) => policyName);
    assert.deepEqual(result?.authInfo, authInfos[0]);
    return [
      result?.authDecision,
      names(result?.allowed?.policies),
      names(result?.denied?.explicitDeny?.policies),
      names(result?.denied?.implicitDeny?.policies),
      result?.missingContextValues,
    ];
  };
  return { ...world, run, registry, principal, policy, ask };
}

test("a principal is judged as its connection would be, and each policy is told by what it says", async () => {
  const { ask } = await openWorld();
  const [own, named, careful] = ["own", "named", "careful"];
  assert.deepEqual(await ask("PUBLISH", ["topic/pump/a"]), ["ALLOWED", [own], [], [careful, named], []]);
  assert.deepEqual(await ask("PUBLISH", ["topic/pump/secret"]), ["EXPLICIT_DENY", [own], [careful], [named], []]);
  assert.deepEqual(await ask("PUBLISH", ["topic/fan/a"]), ["IMPLICIT_DENY", [], [], [careful, named, own], []]);
  assert.deepEqual(await ask("CONNECT", ["client/pump"]), ["ALLOWED", [named], [], [careful, own], []]);
  assert.deepEqual(await ask("CONNECT", ["client/fan"]), ["IMPLICIT_DENY", [], [], [careful, named, own], []]);
  assert.deepEqual(await ask("SUBSCRIBE", ["topicfilter/pump/#"]), [
    "IMPLICIT_DENY",
    [],
    [],
    [careful, named, own],
    [],
  ]);
});

test("all resources of one question have to be allowed, and a denial counts for all", async () => {
  const { ask } = await openWorld();
  const decisionOf = async (...resources: string[]) => (await ask("PUBLISH", resources))[0];
  assert.equal(await decisionOf("topic/pump/a", "topic/pump/b"), "ALLOWED");
  assert.equal(await decisionOf("topic/pump/a", "topic/fan/b"), "IMPLICIT_DENY");
  assert.equal(await decisionOf("topic/fan/a", "topic/fan/secret", "topic/pump/b"), "EXPLICIT_DENY");
});

test("what has no value is told where a statement for the action wants it, and nowhere else", async () => {
  const { ask, policy } = await openWorld();
  assert.deepEqual((await ask("RECEIVE", ["topic/home"]))[4], ["aws:SourceIp"]);
  assert.deepEqual((await ask("PUBLISH", ["topic/pump/a"]))[4], []);
  const missing = ["iot:Connection.Thing.ThingName"];
  assert.deepEqual(await ask("PUBLISH", ["topic/pump/a"], { clientId: "fan" }), [
    ...["IMPLICIT_DENY", [], [], ["careful", "named", "own"]],
    missing,
  ]);
  assert.deepEqual((await ask("CONNECT", ["client/pump"], { clientId: undefined }))[4], ["iot:ClientId"]);
  await policy("here", {
    Effect: "Allow",
    Action: "*",
    Resource: "*",
    Condition: { StringEquals: { "iot:DomainName": "x" } },
  });
  const here = await ask("SUBSCRIBE", ["topicfilter/a"], { principal: undefined, policyNamesToAdd: ["here"] });
  assert.deepEqual(here, ["IMPLICIT_DENY", [], [], ["here"], ["iot:DomainName"]]);
});

test("policies are added and skipped, up to policiesPerTargetMax of each, and have to be there", async () => {
  const { run, registry, principal, policy, ask } = await openWorld();
  await policy("all", { Effect: "Allow", Action: "iot:*", Resource: "*" });
  const added = await ask("PUBLISH", ["topic/fan/a"], { policyNamesToAdd: ["all", "own"] });
  assert.deepEqual(added, ["ALLOWED", ["all"], [], ["careful", "named", "own"], []]);
  const skipped = await ask("PUBLISH", ["topic/pump/secret"], { policyNamesToSkip: ["careful"] });
  assert.deepEqual(skipped, ["ALLOWED", ["own"], [], ["named"], []]);
  const authInfos = [{ actionType: "PUBLISH" as const, resources: [arnOf("topic/a")] }];
  const test = (given: object) => run(registry.testAuthorization, { principal, authInfos, ...given });
  const many = Array.from({ length: policiesPerTargetMax + 1 }, () => "all");
  for (const member of ["policyNamesToAdd", "policyNamesToSkip"]) {
    await assert.rejects(test({ [member]: ["none"] }), has("RESOURCE_NOT_FOUND", /none/));
    await assert.rejects(test({ [member]: many }), has("QUOTA_EXCEEDED"));
    await test({ [member]: many.slice(1) });
  }
  const unknown = principal.replace(/[0-9a-f]{64}$/, "a".repeat(64));
  await assert.rejects(test({ principal: unknown }), has("RESOURCE_NOT_FOUND"));
  await assert.rejects(test({ principal: "us-east-1:cognito" }), has("REQUEST_INVALID", /principal/));
  await assert.rejects(test({ cognitoIdentityPoolId: "pool" }), has("REQUEST_INVALID", /cognitoIdentityPoolId/));
  for (const authInfo of [
    { resources: [arnOf("topic/a")] },
    { actionType: "PUBLISH", resources: [] },
    { actionType: "PUBLISH", resources: ["topic/a"] },
  ]) {
    await assert.rejects(test({ authInfos: [authInfo] }), has("REQUEST_INVALID"));
  }
});

test("the policies of the groups of a thing count, as for its connection", async () => {
  const { run, registry, policy, ask } = await openWorld();
  await policy("fleet", { Effect: "Allow", Action: "iot:Subscribe", Resource: "*" });
  await run(registry.createThingGroup, { thingGroupName: "g" });
  await run(registry.attachPolicy, { policyName: "fleet", target: arnOf("thinggroup/g") });
  await run(registry.addThingToThingGroup, { thingName: "pump", thingGroupName: "g" });
  assert.deepEqual((await ask("SUBSCRIBE", ["topicfilter/a"])).slice(0, 2), ["ALLOWED", ["fleet"]]);
  assert.deepEqual((await ask("SUBSCRIBE", ["topicfilter/a"], { clientId: "fan" }))[0], "IMPLICIT_DENY");
});
