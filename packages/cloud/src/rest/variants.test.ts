// Wrong requests to every operation that is built, made from AWS's model: each breaks one rule of one member, and each is refused by that
// member's name, before anything is stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import type { ModelOperation } from "../model/model.js";
import { encodeRequest, sampleStructure } from "../model/samples.test.support.js";
import { variantsOf, type Variant } from "../model/variants.test.support.js";
import { createTemplateOperations } from "../services/fleet-provisioning/templates.js";
import { versionOperations } from "../services/fleet-provisioning/versions.js";
import { createLogging } from "../services/logging/service.js";
import { startThingRegistrationTask } from "../services/thing-provisioning/registration-tasks.js";
import { claimFor, openRestWorld, type RestWorld } from "./rest-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const sampleSize = 600;
const seed = 20;

/** Called as a managed job template is, as lists of both take a `templateName`. */
const knownTemplate = {
  templateName: "AWS-Reboot",
  templateBody:
    '{"Resources":{"c":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"}}}}}',
  provisioningRoleArn: "arn:aws:iam::123456789012:role/provisioning",
};

async function openKnownWorld() {
  const world = await openRestWorld({ signatures: "any" });
  const { registry, run } = world;
  const billingGroupName = "known";
  for (const name of ["known", "other"]) {
    await run(registry.createBillingGroup, { billingGroupName: name });
    await run(registry.createThingType, { thingTypeName: name });
    await run(registry.createThing, { thingName: name, billingGroupName });
  }
  const policyDocument = '{"Version":"2012-10-17","Statement":[]}';
  for (const policyName of ["known", "other"]) await run(registry.createPolicy, { policyName, policyDocument });
  const { certificateArn: principal, certificateId } = await run(registry.createKeysAndCertificate, {});
  for (const policyName of ["known", "other"]) await run(registry.attachPolicy, { policyName, target: principal });
  for (const thingName of ["known", "other"]) await run(registry.attachThingPrincipal, { thingName, principal });
  for (const thingGroupName of ["known", "other"]) {
    await run(registry.createThingGroup, { thingGroupName });
    for (const thingName of ["known", "other"]) await run(registry.addThingToThingGroup, { thingName, thingGroupName });
  }
  await run(createTemplateOperations({ isLimited: true }).createProvisioningTemplate, knownTemplate);
  for (let version = 2; version <= 3; version++)
    await run(versionOperations.createProvisioningTemplateVersion, {
      templateName: knownTemplate.templateName,
      templateBody: knownTemplate.templateBody,
    });
  const { setV2LoggingOptions } = createLogging({ applied: async () => undefined });
  await run(setV2LoggingOptions, { roleArn: "arn:aws:iam::123456789012:role/logging" });
  const input = { inputFileBucket: "factory", inputFileKey: "things.json" };
  const templateBody =
    '{"Parameters":{"N":{"Type":"String"}},"Resources":{"t":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"N"}}}}}';
  const role = { templateBody, roleArn: knownTemplate.provisioningRoleArn };
  const { taskId } = await run(startThingRegistrationTask, { ...input, ...role });
  // What the commits so far have left to do is done.
  await world.takeEffects();
  let commits = 0;
  const commit = world.store.commit.bind(world.store);
  world.store.commit = (operations) => {
    commits++;
    return commit(operations);
  };
  const known = {
    thingName: "known",
    thingGroupName: "known",
    billingGroupName,
    policyName: "known",
    principal,
    target: principal,
    targetArn: "arn:aws:iot:us-east-1:123456789012:thing/known",
    certificateId,
    taskId,
    resourceArn: "arn:aws:iot:us-east-1:123456789012:thinggroup/known",
    templateName: knownTemplate.templateName,
  };
  return { ...world, known, commitCount: () => commits };
}

/** There is nothing to list: no client is connected, and logging is not configured. */
const unlisted = ["ListSubscriptions", "ListV2LoggingLevels"];

/** Tokens that no answer of this list gave: made up, of another list, cut, changed. */
async function* tokenVariants(
  { operations, model, send }: RestWorld,
  known: Readonly<Record<string, string>>,
): AsyncGenerator<Variant> {
  const paged = operations
    .map(({ aws }) => model.operation(aws.api, aws.name))
    .filter(({ page, name }) => page?.size !== undefined && !unlisted.includes(name));
  const tokens = new Map<ModelOperation, string>();
  /** Of a client that is not connected, or of what is not configured, there is no list whatever the token. */
  const lists = new Set<ModelOperation>();
  const inputOf = (operation: ModelOperation) => ({
    ...sampleStructure(operation.input, false),
    ...pick(known, operation),
  });
  for (const operation of paged) {
    const { in: tokenIn, out, size = "" } = operation.page!;
    const first = signed(operation, { ...inputOf(operation), [size]: 1 });
    const { status, body } = await send(operation.method, target(first), first);
    if (typeof body[out] === "string") tokens.set(operation, body[out]);
    if (status === 200) lists.add(operation);
    assert.ok(operation.input.members.has(tokenIn));
  }
  assert.ok(tokens.size >= 6, String(tokens.size));
  for (const operation of lists) {
    const own = tokens.get(operation);
    const others = [...tokens].filter(([other]) => !isSameList(other, operation));
    const made: [violation: string, token: string][] = [
      ["no key", "AAAA"],
      ["text", btoa("a token")],
      ["empty list", btoa("[]")],
      ...others.map(([{ name }, token]): [string, string] => [`of ${name}`, token]),
      ...(own === undefined
        ? []
        : ([
            ["cut", own.slice(0, 8)],
            ["twice", own + own],
            ["in lower case", own.toLowerCase()],
          ] as [string, string][])),
    ];
    for (const [what, token] of made) {
      if (token === own) continue;
      const path = operation.page!.in;
      yield { operation, path, violation: `bad token: ${what}`, input: { ...inputOf(operation), [path]: token } };
    }
  }
}

/** Lists over the same records, whose tokens are good for each other. */
function isSameList(
  { output: one, page: left }: ModelOperation,
  { output: other, page: right }: ModelOperation,
): boolean {
  const listOf = (name = "") =>
    name
      .replace(/Objects|V2$/, "")
      .replace(/s$/, "")
      .replace(/^principalThing$/, "thing")
      .replace(/^thingPrincipal$/, "principal")
      .replace(/^target$/, "principal");
  return one === other || listOf(left?.of) === listOf(right?.of);
}

const pick = (known: Readonly<Record<string, string>>, { input }: ModelOperation) =>
  Object.fromEntries(Object.entries(known).filter(([name]) => input.members.has(name)));

function signed(operation: ModelOperation, input: Readonly<Record<string, unknown>>) {
  const request = encodeRequest(operation, input);
  return { ...request, headers: { ...request.headers, ...claimFor(operation) } };
}

const target = ({ rawPath, rawQuery }: { rawPath: string; rawQuery: string }) =>
  rawQuery === "" ? rawPath : `${rawPath}?${rawQuery}`;

test("every wrong member of every operation is refused by its name, and nothing is stored", async (t) => {
  const world = await openKnownWorld();
  const { operations, model, send, known, commitCount } = world;
  const variants: Variant[] = operations.flatMap(({ aws }) => [...variantsOf(model.operation(aws.api, aws.name))]);
  for await (const variant of tokenVariants(world, known)) variants.push(variant);
  const ids = new Set(
    variants.map(({ operation, path, violation }) => `${operation.api} ${operation.name} ${path} ${violation}`),
  );
  assert.equal(ids.size, variants.length, "two variants are the same");
  const untouched = operations.filter(({ aws }) => !variants.some(({ operation }) => operation.name === aws.name));
  const isAsked = ({ aws }: (typeof operations)[number]) => model.operation(aws.api, aws.name).input.members.size > 0;
  // Others take nothing; here a topic, or the ARN of a destination, is any text to AWS's model, and stands in the path.
  assert.deepEqual(
    untouched.filter(isAsked).map(({ aws }) => aws.name),
    ["GetRetainedMessage", "GetTopicRuleDestination", "DeleteTopicRuleDestination"],
  );
  assert.ok(variants.length >= 3_000, String(variants.length));
  const tried = isLong ? variants : sample(variants, sampleSize);
  t.diagnostic(
    `${variants.length} variants of ${operations.length} operations, ${tried.length} of them tried (seed ${seed})`,
  );
  for (const { operation, path, violation, input } of tried) {
    const request = signed(operation, input);
    const { status, headers, body } = await send(operation.method, target(request), request);
    const told = `${operation.name} ${path} ${violation}: ${status} ${JSON.stringify(body).slice(0, 200)}`;
    assert.equal(status, 400, told);
    // Newer operations have another name for it.
    const isNewer = operation.errors.has("ValidationException") && !operation.errors.has("InvalidRequestException");
    assert.equal(headers["x-amzn-errortype"], isNewer ? "ValidationException" : "InvalidRequestException", told);
    assert.ok(String(body["message"]).includes(path.split(".")[0] ?? path), told);
  }
  assert.equal(commitCount(), 0);
  assert.ok(!world.logged.includes("restOperationFailed"));
});

function sample<T>(all: readonly T[], count: number): T[] {
  const random = createVirtualRandom(seed);
  const left = all.slice();
  return Array.from({ length: count }, () => left.splice(random.integer(left.length), 1)[0]!);
}

test("what the variants are made from is taken by every operation", async () => {
  const { operations, model, send, known } = await openKnownWorld();
  for (const { aws } of operations) {
    const operation = model.operation(aws.api, aws.name);
    const input = { ...sampleStructure(operation.input, false), ...pick(known, operation) };
    const request = signed(operation, input);
    const { body } = await send(operation.method, target(request), request);
    assert.doesNotMatch(String(body["message"]), /validation error/, operation.name);
  }
});
