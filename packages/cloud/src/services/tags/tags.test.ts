import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { iterate } from "../../store/iterate.js";
import type { StoreEntry } from "../../store/store.js";
import { createReferenceCheck } from "../../store-references.js";
import { deprecationMs } from "../registry/thing-type-model.js";
import { createServices } from "../all.js";
import { createTestCas } from "../certificate-authorities/authorities-world.test.support.js";
import { templateBody } from "../fleet-provisioning/fleet-world.test.support.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { tagsPerResourceMax } from "./model.js";

const has = (code: ErrorCode, says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));
const arnOf = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`;
const roleArn = "arn:aws:iam::123456789012:role/r";
const messageLimits = {
  ...{ topicBytesMax: 256, topicSlashesMax: 7, payloadBytesMax: 131_072, contentTypeBytesMax: 256 },
  ...{ correlationDataBytesMax: 8_192, userPropertiesBytesMax: 8_192 },
  ...{ messageExpirySecondsMin: 1, messageExpirySecondsMax: 604_800 },
};

/** Every service of the cloud over one store. */
async function openWorld() {
  const world = await openServiceWorld({ keys: createNodeKeys() });
  const { named } = createServices(
    {
      ...{ ...world, files: createVirtualFiles(), folder: "/cloud" },
      functions: { has: () => false, invoke: () => Promise.reject(new Error("there are no functions")) },
      ...{ http: undefined, hash: (_name: string, data: Uint8Array) => data, apiUrl: () => undefined },
      mqttsEndpoint: () => ({ host: "localhost", port: 8883 }),
      objectsEndpoint: () => ({ scheme: "https", host: "localhost", port: 9_000 }),
      signingKey: () => ({ accessKeyId: "test", secretAccessKey: "test" }),
      clients: () => undefined,
    },
    { messageLimits, isLimited: true, shadowsOfUnknownThings: "accepted", vending: undefined },
  );
  const { tags } = named;
  const list = async (resourceArn: string) => (await world.run(tags.listTagsForResource, { resourceArn })).tags;
  return { ...world, named, tags, list };
}

type World = Awaited<ReturnType<typeof openWorld>>;
type Given = { tags?: readonly { Key: string; Value?: string }[] };

/** For each kind that can have tags: how one is made, under which ARN it is, and how it is deleted. */
async function kindsOf({ run, named, keys, random, clock }: World) {
  const { registry, jobs, jobTemplates, objects, streams, otaUpdates, fleetProvisioning, authorizers, rules } = named;
  const { certificateAuthorities: authorities } = named;
  const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
  await run(objects.createBucket, { bucket: "firmware" });
  await run(objects.putObject, { bucket: "firmware", key: "k", chunks: [new Uint8Array(4)] });
  await run(registry.createThing, { thingName: "pump" });
  const ca = await createTestCas({ keys, random }).makeCa();
  const s3Location = { bucket: "firmware", key: "k" };
  const targets = [arnOf("thing/pump")];
  const certificateProviderName = "signer";
  const lambdaFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:sign";
  type Kind = { create: (given: Given) => Promise<unknown>; arn: string; remove: () => Promise<unknown> };
  const { certificateId } = await run(authorities.registerCACertificate, {
    ...{ caCertificate: ca.pem, certificateMode: "SNI_ONLY" },
  });
  await run(authorities.deleteCACertificate, { certificateId });
  const kinds: Kind[] = [
    {
      create: (given) => run(registry.createThingGroup, { thingGroupName: "g", ...given }),
      arn: arnOf("thinggroup/g"),
      remove: () => run(registry.deleteThingGroup, { thingGroupName: "g" }),
    },
    {
      create: (given) =>
        run(authorizers.createAuthorizer, {
          ...{ authorizerName: "a=1", authorizerFunctionArn: lambdaFunctionArn, signingDisabled: true, ...given },
        }),
      arn: arnOf("authorizer/a=1"),
      remove: () => run(authorizers.deleteAuthorizer, { authorizerName: "a=1" }),
    },
    {
      // Its tags come in a header, as a query string.
      create: ({ tags }) => {
        const header = tags?.map(({ Key, Value = "" }) => `${encodeURIComponent(Key)}=${encodeURIComponent(Value)}`);
        const given = header === undefined ? {} : { tags: header.join("&") };
        return run(rules.createTopicRule, {
          ...{ ruleName: "r", topicRulePayload: { sql: "SELECT * FROM 'a'", actions: [] }, ...given },
        });
      },
      arn: arnOf("rule/r"),
      remove: () => run(rules.deleteTopicRule, { ruleName: "r" }),
    },
    {
      create: (given) => run(registry.createBillingGroup, { billingGroupName: "b", ...given }),
      arn: arnOf("billinggroup/b"),
      remove: () => run(registry.deleteBillingGroup, { billingGroupName: "b" }),
    },
    {
      create: (given) => run(registry.createThingType, { thingTypeName: "lamp", ...given }),
      arn: arnOf("thingtype/lamp"),
      remove: async () => {
        await run(registry.deprecateThingType, { thingTypeName: "lamp" });
        await clock.advance(deprecationMs);
        await run(registry.deleteThingType, { thingTypeName: "lamp" });
      },
    },
    {
      create: (given) => run(registry.createPolicy, { policyName: "p@1", policyDocument, ...given }),
      arn: arnOf("policy/p@1"),
      remove: () => run(registry.deletePolicy, { policyName: "p@1" }),
    },
    {
      create: (given) =>
        run(registry.createCertificateProvider, {
          ...{ certificateProviderName, lambdaFunctionArn, ...given },
          accountDefaultForOperations: ["CreateCertificateFromCsr"],
        }),
      arn: arnOf("certificateprovider:signer"),
      remove: () => run(registry.deleteCertificateProvider, { certificateProviderName }),
    },
    {
      create: (given) =>
        run(authorities.registerCACertificate, { caCertificate: ca.pem, certificateMode: "SNI_ONLY", ...given }),
      arn: arnOf(`cacert/${certificateId}`),
      remove: () => run(authorities.deleteCACertificate, { certificateId }),
    },
    {
      create: (given) => run(jobs.createJob, { jobId: "j", targets, document: "{}", ...given }),
      arn: arnOf("job/j"),
      remove: () => run(jobs.deleteJob, { jobId: "j", force: true }),
    },
    {
      create: (given) =>
        run(jobTemplates.createJobTemplate, { jobTemplateId: "t", document: "{}", description: "d", ...given }),
      arn: arnOf("jobtemplate/t"),
      remove: () => run(jobTemplates.deleteJobTemplate, { jobTemplateId: "t" }),
    },
    {
      create: (given) =>
        run(streams.createStream, { streamId: "s", roleArn, files: [{ fileId: 1, s3Location }], ...given }),
      arn: arnOf("stream/s"),
      remove: () => run(streams.deleteStream, { streamId: "s" }),
    },
    {
      create: (given) =>
        run(otaUpdates.createOTAUpdate, {
          ...{ otaUpdateId: "o", targets, roleArn, ...given },
          files: [{ fileName: "/a", fileLocation: { s3Location } }],
        }),
      arn: arnOf("otaupdate/o"),
      remove: () => run(otaUpdates.deleteOTAUpdate, { otaUpdateId: "o", deleteStream: true, forceDeleteAWSJob: true }),
    },
    {
      create: (given) =>
        run(fleetProvisioning.createProvisioningTemplate, {
          ...{ templateName: "line", templateBody, provisioningRoleArn: roleArn, ...given },
        }),
      arn: arnOf("provisioningtemplate/line"),
      remove: () => run(fleetProvisioning.deleteProvisioningTemplate, { templateName: "line" }),
    },
  ];
  return kinds;
}

test("every kind has the tags that it is made with, gets and loses others, and leaves none behind", async () => {
  const world = await openWorld();
  const { run, tags, list, store } = world;
  const tagRecords = async () => (await store.list([scope.account, scope.region, "tags"], { limit: 9 })).length;
  for (const { create, arn: resourceArn, remove } of await kindsOf(world)) {
    await assert.rejects(list(resourceArn), has("RESOURCE_NOT_FOUND"), resourceArn);
    for (const Key of ["aws:a", "AWS:a"]) {
      await assert.rejects(create({ tags: [{ Key, Value: "b" }] }), has("REQUEST_INVALID", /aws:/), resourceArn);
    }
    await assert.rejects(list(resourceArn), has("RESOURCE_NOT_FOUND"), resourceArn);
    await create({ tags: [{ Key: "team", Value: "water" }, { Key: "bare" }] });
    assert.deepEqual(
      await list(resourceArn),
      [
        { Key: "bare", Value: "" },
        { Key: "team", Value: "water" },
      ],
      resourceArn,
    );
    await run(tags.tagResource, { resourceArn, tags: [{ Key: "team", Value: "air" }] });
    await run(tags.untagResource, { resourceArn, tagKeys: ["bare", "never"] });
    assert.deepEqual(await list(resourceArn), [{ Key: "team", Value: "air" }]);
    await remove();
    await world.takeEffects();
    assert.equal(await tagRecords(), 0, resourceArn);
    await create({});
    assert.deepEqual(await list(resourceArn), [], resourceArn);
    await remove();
  }
});

test("what is no ARN of a resource with tags is refused, and what is not there is not found", async () => {
  const { run, tags, named, list } = await openWorld();
  await run(named.registry.createThing, { thingName: "pump" });
  await run(named.registry.createThingGroup, { thingGroupName: "g" });
  const group = arnOf("thinggroup/g");
  const refused = [
    ...["", "g", "thinggroup/g", "arn:aws:s3:::bucket", arnOf(""), arnOf("thinggroup/"), arnOf("thinggroup/g/h")],
    ...[arnOf("thing/pump"), arnOf(`cert/${"a".repeat(64)}`), arnOf("topic/x"), arnOf("thinggroup/g\n")],
    arnOf(`thinggroup/${"g".repeat(129)}`),
    group.replace("us-east-1", "eu-west-1"),
    group.replace("123456789012", "210987654321"),
    group.replace("us-east-1:123456789012", ":"),
  ];
  for (const resourceArn of refused) {
    await assert.rejects(list(resourceArn), has("REQUEST_INVALID"), resourceArn);
    await assert.rejects(
      run(tags.tagResource, { resourceArn, tags: [{ Key: "a" }] }),
      has("REQUEST_INVALID"),
      resourceArn,
    );
    await assert.rejects(run(tags.untagResource, { resourceArn, tagKeys: ["a"] }), has("REQUEST_INVALID"));
  }
  for (const resourceArn of [arnOf("thinggroup/h"), arnOf("policy/g"), arnOf("job/g")]) {
    await assert.rejects(list(resourceArn), has("RESOURCE_NOT_FOUND"), resourceArn);
    await assert.rejects(run(tags.tagResource, { resourceArn, tags: [{ Key: "a" }] }), has("RESOURCE_NOT_FOUND"));
    await assert.rejects(run(tags.untagResource, { resourceArn, tagKeys: ["a"] }), has("RESOURCE_NOT_FOUND"));
  }
  await assert.rejects(
    run(tags.listTagsForResource, { resourceArn: group, nextToken: "x" }),
    has("REQUEST_INVALID", /nextToken/),
  );
});

test("a resource has tagsPerResourceMax tags of AWS's characters, none twice, whether made with them or tagged", async () => {
  const { run, tags, named, list } = await openWorld();
  const many = (count: number, from = 0) =>
    Array.from({ length: count }, (_, at) => ({ Key: `k${from + at}`, Value: "v" }));
  const create = (thingGroupName: string, given: readonly { Key: string; Value: string }[]) =>
    run(named.registry.createThingGroup, { thingGroupName, tags: given });
  await assert.rejects(create("over", many(tagsPerResourceMax + 1)), has("REQUEST_INVALID", /at most 50 tags/));
  await create("full", many(tagsPerResourceMax));
  const resourceArn = arnOf("thinggroup/full");
  const tag = (given: readonly { Key: string; Value?: string }[]) =>
    run(tags.tagResource, { resourceArn, tags: given });
  await assert.rejects(tag(many(1, 99)), has("QUOTA_EXCEEDED"));
  // As many as before: it replaces one.
  await tag([{ Key: "k7", Value: "w" }]);
  assert.equal((await list(resourceArn))?.length, tagsPerResourceMax);
  await run(tags.untagResource, { resourceArn, tagKeys: ["k0"] });
  await tag(many(1, 99));
  const longest = [{ Key: "é".repeat(128), Value: "ü ".repeat(128) }];
  await create("longest", longest);
  assert.deepEqual(await list(arnOf("thinggroup/longest")), longest);
  const wrong: [given: { Key: string; Value?: string }[], says: RegExp][] = [
    [many(1).concat(many(1)), /'k0' is given twice/],
    [[{ Key: "aws:x" }], /reserved/],
    [[{ Key: "k", Value: "a\nb" }], /value of the tag 'k'/],
    [[{ Key: "k", Value: "a*" }], /value of the tag 'k'/],
    [[{ Key: "k*" }], /'tags.1.member.Key'/],
    [[{ Key: "" }], /'tags.1.member.Key'/],
    [[{ Key: "k".repeat(129) }], /'tags.1.member.Key'/],
    [[{ Key: "k", Value: "v".repeat(257) }], /'tags.1.member.Value'/],
  ];
  for (const [given, says] of wrong) await assert.rejects(tag(given), has("REQUEST_INVALID", says), String(says));
  await assert.rejects(run(tags.untagResource, { resourceArn, tagKeys: ["aws:x"] }), has("REQUEST_INVALID"));
});

test("tags in a header have the same bounds, of which AWS's model says nothing", async () => {
  const { run, named, list } = await openWorld();
  const make = (ruleName: string, tags: string) =>
    run(named.rules.createTopicRule, { ruleName, topicRulePayload: { sql: "SELECT * FROM 'a'", actions: [] }, tags });
  for (const wrong of [`${"k".repeat(129)}=v`, "=v", `k=${"v".repeat(257)}`, "k%00=v", "k=%3C", "k%3C=v"]) {
    await assert.rejects(make("wrong", wrong), has("REQUEST_INVALID", /tag/), wrong);
  }
  await make("right", `${"k".repeat(128)}=${"v".repeat(256)}`);
  assert.deepEqual(await list(arnOf("rule/right")), [{ Key: "k".repeat(128), Value: "v".repeat(256) }]);
});

test("a group that is made again with other tags is another one", async () => {
  const { run, named, list } = await openWorld();
  const create = (tags?: readonly { Key: string; Value: string }[]) =>
    run(named.registry.createThingGroup, { thingGroupName: "g", ...(tags && { tags }) });
  const made = await create([{ Key: "a", Value: "1" }]);
  assert.deepEqual(await create([{ Key: "a", Value: "1" }]), made);
  assert.deepEqual(await create(), made);
  for (const tags of [[{ Key: "a", Value: "2" }], [{ Key: "b", Value: "1" }]]) {
    await assert.rejects(create(tags), has("RESOURCE_EXISTS"));
  }
  assert.deepEqual(await list(arnOf("thinggroup/g")), [{ Key: "a", Value: "1" }]);
});

test("a resource that is deleted while it is tagged leaves no tags", async () => {
  const { run, named, tags, store } = await openWorld();
  await run(named.registry.createPolicy, {
    policyName: "p",
    policyDocument: '{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}',
  });
  const commit = store.commit.bind(store);
  store.commit = async (operations) => {
    // Between what tagging has read and its commit.
    if (operations.some(({ key }) => key[2] === "tags" && key[3] === "policy")) {
      store.commit = commit;
      await run(named.registry.deletePolicy, { policyName: "p" });
    }
    return commit(operations);
  };
  const tagging = run(tags.tagResource, { resourceArn: arnOf("policy/p"), tags: [{ Key: "a" }] });
  await assert.rejects(tagging, has("RESOURCE_NOT_FOUND"));
  assert.deepEqual(await store.list([scope.account, scope.region, "tags"], { limit: 9 }), []);
});

test("a check of the directory tells tags whose resource is not there", async () => {
  const { run, named, store } = await openWorld();
  await run(named.registry.createThingGroup, { thingGroupName: "g", tags: [{ Key: "a", Value: "1" }] });
  const entries: StoreEntry[] = [];
  for await (const entry of iterate(store, [])) entries.push(entry);
  const dangling = (without: string | undefined) => {
    const check = createReferenceCheck(() => "");
    for (const entry of entries) if (entry.key[2] !== without) check.see(entry);
    return [...check.dangling()].filter((line) => line.includes('"tags"'));
  };
  assert.deepEqual(dangling(undefined), []);
  assert.match(dangling("thingGroup").join(), /"tags","thingGroup","g".* refers to .*"thingGroup","g".*not there/);
});
