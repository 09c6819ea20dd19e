import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { policiesPerGroupMax } from "./model.js";
import { loadPrincipal } from "./principal.js";
import { recheckedThingsMax } from "./recheck.js";

const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }],
});
const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && message.test(error.message);
const arnOfGroup = (name: string) => `arn:aws:iot:us-east-1:123456789012:thinggroup/${name}`;

/** `fleet` above `north`, policies P to S, and things with a certificate of their own, none of them in a group. */
async function fleet(things = 1) {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await run(registry.createThingGroup, { thingGroupName: "fleet" });
  await run(registry.createThingGroup, { thingGroupName: "north", parentGroupName: "fleet" });
  for (const policyName of ["P", "Q", "R", "S"]) await run(registry.createPolicy, { policyName, policyDocument });
  const certificates: { certificateArn: string; certificateId: string }[] = [];
  for (let at = 0; at < things; at++) {
    const thingName = `t-${String(at).padStart(3, "0")}`;
    await run(registry.createThing, { thingName });
    const certificate = await run(registry.createKeysAndCertificate, { setAsActive: true });
    await run(registry.attachThingPrincipal, { thingName, principal: certificate.certificateArn });
    certificates.push(certificate);
  }
  await world.takeEffects();
  return { ...world, world, certificates, ...certificates[0]! };
}

const attach = ({ run, registry }: ServiceWorld, policyName: string, target: string) =>
  run(registry.attachPolicy, { policyName, target });

async function rechecked(world: ServiceWorld): Promise<string[]> {
  await world.clock.advance(1);
  return (await world.takeEffects()).flatMap((effect) =>
    effect.type === "recheckPrincipal" ? [effect.certificateId] : [],
  );
}

test("policies of a thing's groups and of all above them speak for its certificate", async () => {
  const { world, run, registry, store, certificateId, certificateArn } = await fleet();
  await attach(world, "P", certificateArn);
  await attach(world, "P", arnOfGroup("north"));
  await attach(world, "Q", arnOfGroup("north"));
  await attach(world, "R", arnOfGroup("fleet"));
  const policiesFor = async (clientId: string) => {
    const principal = await loadPrincipal(store, scope, { certificateId, clientId });
    return principal?.policies.map(({ policyName, thingGroupName }) => [policyName, thingGroupName]);
  };
  const own = [["P", undefined]];
  assert.deepEqual(await policiesFor("t-000"), own);
  const membership = { thingName: "t-000", thingGroupName: "north" };
  await run(registry.addThingToThingGroup, membership);
  assert.deepEqual(await policiesFor("t-000"), [...own, ["Q", "north"], ["R", "fleet"]]);
  assert.deepEqual(await policiesFor("other"), own, "the connection has no thing then");
  await run(registry.detachThingPrincipal, { thingName: "t-000", principal: certificateArn });
  const thingPrincipalType = "EXCLUSIVE_THING";
  await run(registry.attachThingPrincipal, { thingName: "t-000", principal: certificateArn, thingPrincipalType });
  assert.equal((await policiesFor("other"))?.length, 3, "an exclusive thing is associated whatever the client id");

  const effective = async (input: object) => {
    const { effectivePolicies } = await run(registry.getEffectivePolicies, input);
    return effectivePolicies.map(({ policyName }) => policyName);
  };
  const { effectivePolicies } = await run(registry.getEffectivePolicies, { principal: certificateArn });
  assert.deepEqual(effectivePolicies, [
    { policyName: "P", policyArn: "arn:aws:iot:us-east-1:123456789012:policy/P", policyDocument },
  ]);
  assert.deepEqual(await effective({ thingName: "t-000" }), ["P", "Q", "R"]);
  assert.deepEqual(await effective({ thingName: "t-000", principal: certificateArn }), ["P", "Q", "R"]);
  await assert.rejects(effective({}), fails("REQUEST_INVALID", /principal or thingName/));
  await assert.rejects(effective({ thingName: "none" }), fails("RESOURCE_NOT_FOUND", /none/));

  await run(registry.removeThingFromThingGroup, membership);
  assert.deepEqual(await policiesFor("t-000"), own);
});

test("whatever changes the policies of a thing by its groups looks at its connections again", async () => {
  const { world, run, registry, certificateId } = await fleet();
  const membership = { thingName: "t-000", thingGroupName: "north" };
  await run(registry.addThingToThingGroup, membership);
  assert.deepEqual(await rechecked(world), [certificateId], "it joins");
  await attach(world, "P", arnOfGroup("fleet"));
  assert.deepEqual(await rechecked(world), [certificateId], "a policy is attached above");
  await run(registry.createPolicyVersion, { policyName: "P", policyDocument });
  assert.deepEqual(await rechecked(world), []);
  await run(registry.setDefaultPolicyVersion, { policyName: "P", policyVersionId: "2" });
  assert.deepEqual(await rechecked(world), [certificateId], "another version counts");
  await run(registry.detachPolicy, { policyName: "P", target: arnOfGroup("fleet") });
  assert.deepEqual(await rechecked(world), [certificateId], "the policy is detached");
  await run(registry.removeThingFromThingGroup, membership);
  assert.deepEqual(await rechecked(world), [certificateId], "it leaves");
  await run(registry.addThingToThingGroup, membership);
  await rechecked(world);
  await attach(world, "P", arnOfGroup("north"));
  await rechecked(world);
  await run(registry.deleteThingGroup, { thingGroupName: "north" });
  assert.deepEqual([...new Set(await rechecked(world))], [certificateId], "the group is deleted");
  await run(registry.deletePolicy, { policyName: "Q" });
  const { targets } = await run(registry.listTargetsForPolicy, { policyName: "P" });
  assert.deepEqual(targets, [], "a policy is not attached to what is gone");
});

test("a policy of a large group reaches every connection, part by part", async () => {
  const { world, run, registry, certificates } = await fleet(recheckedThingsMax + 5);
  for (let at = 0; at < certificates.length; at++) {
    const thingName = `t-${String(at).padStart(3, "0")}`;
    await run(registry.addThingToThingGroup, { thingName, thingGroupName: "north" });
  }
  await rechecked(world);
  await attach(world, "P", arnOfGroup("fleet"));
  const first = await world.takeEffects();
  assert.equal(first.filter(({ type }) => type === "recheckPrincipal").length, recheckedThingsMax);
  const others = await rechecked(world);
  assert.equal(others.length, 5);
  const ids = first.flatMap((effect) => (effect.type === "recheckPrincipal" ? [effect.certificateId] : []));
  assert.deepEqual(new Set([...ids, ...others]), new Set(certificates.map(({ certificateId }) => certificateId)));
});

test("a group has two policies, listed with those above it when that is asked for", async () => {
  const { world, run, registry } = await fleet();
  const [north, above] = [arnOfGroup("north"), arnOfGroup("fleet")];
  await attach(world, "Q", north);
  await attach(world, "Q", north);
  await attach(world, "S", north);
  await assert.rejects(attach(world, "R", north), fails("QUOTA_EXCEEDED", /maximum number of policies \(2\)/));
  await attach(world, "P", above);
  await attach(world, "S", above);
  const list = async (target: string, recursive: boolean) => {
    const names: string[] = [];
    let marker: string | undefined;
    do {
      const page = { target, recursive, pageSize: 2, ...(marker !== undefined && { marker }) };
      const answer: { policies: { policyName: string }[]; nextMarker?: string } = await run(
        registry.listAttachedPolicies,
        page,
      );
      names.push(...answer.policies.map(({ policyName }) => policyName));
      marker = answer.nextMarker;
    } while (marker !== undefined);
    return names;
  };
  assert.deepEqual(await list(north, false), ["Q", "S"]);
  assert.deepEqual(await list(north, true), ["P", "Q", "S"]);
  assert.deepEqual(await list(above, true), ["P", "S"]);
  const { targets } = await run(registry.listTargetsForPolicy, { policyName: "S" });
  assert.deepEqual(targets, [above, north]);
  await assert.rejects(run(registry.deletePolicy, { policyName: "S" }), fails("DELETE_CONFLICT", /attached/));
  await assert.rejects(attach(world, "P", arnOfGroup("none")), fails("RESOURCE_NOT_FOUND", /none/));
});

test("two that attach policies to a group at once do not exceed its maximum together", async () => {
  const { world, run, registry } = await fleet();
  const settled = await Promise.allSettled(
    ["P", "Q", "R", "S"].map((name) => attach(world, name, arnOfGroup("north"))),
  );
  assert.equal(settled.filter(({ status }) => status === "fulfilled").length, 2);
  const { policies } = await run(registry.listAttachedPolicies, { target: arnOfGroup("north") });
  assert.equal(policies.length, policiesPerGroupMax);
});
