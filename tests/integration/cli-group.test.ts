// `thingline group`, `thing-type`, `billing-group`, `tag`, `policy` and `cloud logs`, as people and programs run them, against a running local
// cloud.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  AttachPolicyCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  DescribeThingCommand,
  IoTClient,
} from "@aws-sdk/client-iot";
import { GetRetainedMessageCommand, IoTDataPlaneClient } from "@aws-sdk/client-iot-data-plane";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { eventsOf, runProgram, runCommandLine, temporaryFolder, thinglineBin } from "./cli-process.test.support.js";

let cloud: StartedCloud;
let iot: IoTClient;
let dataDir: string;

const policyDocuments = ['{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}'];
const functions = {
  auth: (event: { protocolData?: { mqtt?: { username?: string } } }) =>
    event.protocolData?.mqtt?.username === "me"
      ? { isAuthenticated: true, principalId: "me", policyDocuments }
      : { isAuthenticated: false },
};

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  cloud = await startCloud({
    dataDir,
    mqttsPort: 0,
    httpsPort: 0,
    apiPort: 0,
    limits: "none",
    keyPoolSize: 0,
    functions,
  });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  iot = new IoTClient({ endpoint: cloud.addresses.api, region: "us-east-1", credentials });
});

after(async () => {
  iot?.destroy();
  await cloud?.close();
  await rm(dataDir, { recursive: true, force: true });
});

const group = (...args: string[]) => runCommandLine({ words: ["group", ...args, "--data-dir", dataDir] });
const arnOfGroup = (name: string) => `arn:aws:iot:us-east-1:123456789012:thinggroup/${name}`;
const makeThings = (...names: string[]) =>
  Promise.all(names.map((thingName) => iot.send(new CreateThingCommand({ thingName }))));

async function json(...args: string[]) {
  const finished = await group(...args, "--json");
  return { ...finished, events: eventsOf(finished) };
}

test("things are indexed, found, and in the dynamic groups whose query finds them", async () => {
  const run = (...words: string[]) => runCommandLine({ words: [...words, "--data-dir", dataDir] });
  const early = await run("search", "*");
  assert.equal(early.code, 1);
  assert.match(early.stderr, /index on/);
  const on = await run("index", "on", "--connectivity", "--groups");
  assert.match(on.stdout, /^indexed things of the local cloud.*: REGISTRY_AND_CONNECTIVITY_STATUS, ACTIVE\n$/);
  const attributePayload = { attributes: { site: "bergen" } };
  await iot.send(new CreateThingCommand({ thingName: "searched-1", attributePayload }));
  const created = await run("group", "create", "bergen", "--query", "attributes.site:bergen");
  assert.equal(created.code, 0, created.stderr);
  assert.match(created.stdout, /It has the things that its query finds/);
  assert.match(
    (await run("group", "show", "bergen")).stdout,
    /query +attributes\.site:bergen \(ACTIVE\)(.|\n)*searched-1/,
  );
  const found = await run("search", "attributes.site:bergen");
  assert.equal(found.stdout, "searched-1                away  in bergen  site=bergen\n");
  const [{ thingName, connectivity } = {}] = eventsOf(await run("search", "thingGroupNames:bergen", "--json")) as {
    thingName?: string;
    connectivity?: object;
  }[];
  assert.deepEqual(
    [thingName, connectivity],
    ["searched-1", { connected: false, timestamp: 0, clientId: "searched-1" }],
  );
  assert.equal((await run("search", "thingGroupName:bergen", "--groups")).stdout, "bergen\n");
  assert.match((await run("search", "thingName:nothing")).stdout, /nothing is found/);
  assert.match((await run("search", "thingName:")).stderr, /Unable to parse query, invalid syntax/);
  assert.equal((await run("group", "create", "x", "--query", "*", "--parent", "bergen")).code, 2);
  assert.equal((await run("group", "delete", "bergen")).code, 0);
  assert.match((await run("index", "off")).stdout, /nothing is indexed any more/);
});

test("groups are made, filled, shown, emptied and deleted", async () => {
  const created = await json("create", "fleet");
  assert.equal(created.code, 0, created.stderr);
  const [{ thingGroupId, ...facts } = { thingGroupId: "" }] = created.events;
  assert.match(String(thingGroupId), /^[0-9a-f-]{36}$/);
  assert.deepEqual(facts, {
    event: "groupCreated",
    thingGroupName: "fleet",
    thingGroupArn: arnOfGroup("fleet"),
    parentGroupName: null,
  });
  const north = await group(
    ...["create", "north", "--parent", "fleet", "--description", "where it is cold"],
    ...["--attribute", "site=oslo", "--attribute", "owner=a=b"],
  );
  assert.equal(north.code, 0, north.stderr);
  assert.match(north.stdout, /^created thing group north below fleet in the local cloud at http/);
  assert.match(north.stdout, /thingline group add north THING/);
  await makeThings("pump-7", "pump-8", "pump-9");
  const policyDocument =
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}';
  await iot.send(new CreatePolicyCommand({ policyName: "fleet-policy", policyDocument }));
  await iot.send(new AttachPolicyCommand({ policyName: "fleet-policy", target: arnOfGroup("fleet") }));

  const added = await json("add", "north", "pump-7", "pump-8");
  assert.deepEqual(added.events, [
    { event: "groupChanged", thingGroupName: "north", what: "added", things: 2, refused: 0 },
  ]);
  const shown = await group("show", "north");
  assert.equal(
    shown.stdout,
    [
      "fleet / north",
      "  description  where it is cold",
      "  attributes   site=oslo, owner=a=b",
      "  policies     fleet-policy (from above)",
      "things",
      "  pump-7",
      "  pump-8",
      "",
    ].join("\n"),
  );
  const above = await json("show", "fleet", "--recursive");
  assert.deepEqual(above.events, [
    {
      event: "group",
      thingGroupName: "fleet",
      thingGroupArn: arnOfGroup("fleet"),
      thingGroupId,
      version: 1,
      description: null,
      ancestors: [],
      attributes: {},
      policies: ["fleet-policy"],
      inheritedPolicies: [],
    },
    { event: "groupThing", thingGroupName: "fleet", thingName: "pump-7" },
    { event: "groupThing", thingGroupName: "fleet", thingName: "pump-8" },
  ]);
  assert.match((await group("show", "fleet")).stdout, /no things of its own/);

  const names = async (...args: string[]) => (await json("list", ...args)).events.map((one) => one["thingGroupName"]);
  await group("create", "oslo", "--parent", "north");
  assert.deepEqual(await names(), ["fleet", "north", "oslo"]);
  assert.deepEqual(await names("--parent", "fleet"), ["north"]);
  assert.deepEqual(await names("--parent", "fleet", "--recursive"), ["north", "oslo"]);
  assert.deepEqual(await names("--prefix", "no"), ["north"]);
  assert.equal((await group("list")).stdout, "fleet\nnorth\noslo\n");

  const removed = await group("remove", "north", "pump-7");
  assert.match(removed.stdout, /^removed 1 thing from north in the local cloud/);
  const refused = await json("delete", "fleet");
  assert.equal(refused.code, 1);
  assert.equal(refused.events.at(-1)?.["code"], "InvalidRequestException");
  const deleted = await json("delete", "fleet", "--recursive");
  assert.deepEqual(
    deleted.events.map((one) => one["thingGroupName"]),
    ["oslo", "north", "fleet"],
  );
  assert.match((await group("list")).stdout, /^no thing groups in the local cloud/);
});

test("names come from a file as well, and one that is refused does not stop the others", async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "names.txt");
  await group("create", "many");
  const names = Array.from({ length: 30 }, (_, at) => `many-${at}`);
  await makeThings(...names);
  await writeFile(file, `# of the second line\r\n${names.join("\r\n")}\n\nunknown-1\n`);
  const added = await json("add", "many", "unknown-2", "--from", file);
  assert.equal(added.code, 1);
  assert.deepEqual(added.events.at(-1), {
    event: "groupChanged",
    thingGroupName: "many",
    what: "added",
    things: 30,
    refused: 2,
  });
  const refusals = added.events.filter(({ event }) => event === "groupRefused");
  assert.deepEqual(refusals.map(({ thingName, code }) => [thingName, code]).sort(), [
    ["unknown-1", "ResourceNotFoundException"],
    ["unknown-2", "ResourceNotFoundException"],
  ]);
  assert.match(added.stderr, /warning: unknown-2: Thing unknown-2 not found/);

  const words = [thinglineBin, "group", "remove", "many", "--from", "-", "--data-dir", dataDir, "--json"];
  const removed = await runProgram(t, process.execPath, words, names.join("\n"));
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal(eventsOf(removed).at(-1)?.["things"], 30);
});

const line = (...words: string[]) => runCommandLine({ words: [...words, "--data-dir", dataDir] });
const lineEvents = async (...words: string[]) => eventsOf(await line(...words, "--json"));

test("thing types are made, changed, shown with their things, and deprecated before they are deleted", async (t) => {
  const created = await line(
    ...["thing-type", "create", "pump", "--description", "of the plant", "--searchable", "site"],
    ...["--propagate", "site", "--propagate", "id=iot:ClientId"],
  );
  assert.equal(created.code, 0, created.stderr);
  assert.match(created.stdout, /^created thing type pump in the local cloud at http/);
  assert.match(created.stdout, /thingline thing create THING --type pump/);
  await line("billing-group", "create", "north");
  const out = await temporaryFolder(t);
  const place = ["--type", "pump", "--billing-group", "north", "--out", join(out, "typed")];
  const made = await line("thing", "create", "typed-1", ...place);
  assert.equal(made.code, 0, made.stderr);
  const { thingTypeName, billingGroupName } = await iot.send(new DescribeThingCommand({ thingName: "typed-1" }));
  assert.deepEqual([thingTypeName, billingGroupName], ["pump", "north"]);
  const shown = await line("thing-type", "show", "pump");
  assert.equal(
    shown.stdout,
    [
      "pump",
      "  description  of the plant",
      "  searchable   site",
      "  propagates   site=site, id=iot:ClientId",
      "things",
      "  typed-1",
      "",
    ].join("\n"),
  );
  // A thing of another type is not the one that is wanted, and nothing is made for it.
  await line("thing-type", "create", "lamp");
  const [other] = await lineEvents("thing", "create", "typed-1", "--type", "lamp", "--out", join(out, "other"));
  assert.deepEqual([other?.["event"], other?.["code"]], ["error", "RESOURCE_EXISTS"]);
  assert.match(String(other?.["message"]), /there is a thing "typed-1" already of type pump/);

  const updated = await lineEvents("thing-type", "update", "pump", "--propagate", "where=site");
  assert.deepEqual(updated, [
    {
      event: "thingTypeUpdated",
      thingTypeName: "pump",
      propagatingAttributes: [{ userPropertyKey: "where", thingAttribute: "site" }],
    },
  ]);
  await line("thing-type", "update", "lamp", "--no-propagate");
  const deprecated = await line("thing-type", "deprecate", "lamp");
  assert.match(deprecated.stdout, /^deprecated thing type lamp[^]*thingline thing-type delete lamp/);
  assert.equal((await line("thing-type", "list")).stdout, "lamp  deprecated\npump\n");
  const listed = await lineEvents("thing-type", "list", "--prefix", "la");
  assert.deepEqual(
    listed.map(({ event, thingTypeName: name, deprecated: isDeprecated }) => [event, name, isDeprecated]),
    [["thingType", "lamp", true]],
  );
  const [early] = await lineEvents("thing-type", "delete", "lamp");
  assert.equal(early?.["code"], "InvalidRequestException");
  assert.match(String(early?.["message"]), /Please wait for 5 minutes after deprecation and then retry/);
  assert.match((await line("thing-type", "deprecate", "lamp", "--undo")).stdout, /^valid again: thing type lamp/);
});

test("billing groups are made, filled, shown, emptied and deleted", async () => {
  const [created] = await lineEvents("billing-group", "create", "plant", "--description", "who pays");
  assert.equal(created?.["billingGroupArn"], "arn:aws:iot:us-east-1:123456789012:billinggroup/plant");
  await makeThings("billed-1", "billed-2");
  const added = await line("billing-group", "add", "plant", "billed-1", "billed-2", "unknown", "--json");
  assert.equal(added.code, 1);
  const [refused, changed] = eventsOf(added);
  assert.deepEqual([refused?.["event"], refused?.["thingName"]], ["billingGroupRefused", "unknown"]);
  assert.deepEqual(changed, {
    event: "billingGroupChanged",
    ...{ billingGroupName: "plant", what: "added", things: 2, refused: 1 },
  });
  await line("billing-group", "remove", "plant", "billed-2");
  const shown = await line("billing-group", "show", "plant");
  assert.equal(shown.stdout, "plant\n  description  who pays\nthings\n  billed-1\n");
  assert.equal((await line("billing-group", "list", "--prefix", "pl")).stdout, "plant\n");
  assert.match((await line("billing-group", "delete", "plant")).stdout, /^deleted billing group plant in the local/);
  assert.match((await line("billing-group", "list", "--prefix", "pl")).stdout, /^no billing groups in the local cloud/);
});

test("what is missing or wrong about a type is said", async () => {
  const [nothing] = await lineEvents("thing-type", "update", "x");
  assert.match(String(nothing?.["message"]), /say what it propagates with --propagate, or --no-propagate/);
  const [half] = await lineEvents("thing-type", "create", "x", "--propagate", "=site");
  assert.match(String(half?.["message"]), /--propagate takes KEY=ATTRIBUTE/);
});

const mistakes: [why: string, args: string[], code: string, message: RegExp][] = [
  ["no names at all", ["add", "mistakes"], "USAGE", /name things, or a file of names with --from/],
  ["a word that is no name", ["add", "mistakes", "a b"], "USAGE", /"a b" is not the name of a thing/],
  ["a file that is not there", ["add", "mistakes", "--from", "/none"], "FILE_NOT_FOUND", /\/none/],
  ["an unknown group", ["add", "none", "t"], "ResourceNotFoundException", /Thing group none not found/],
  ["half an attribute", ["create", "x", "--attribute", "site"], "USAGE", /--attribute takes name=value, got "site"/],
  ["recursion from nowhere", ["list", "--recursive"], "USAGE", /--recursive needs --parent/],
  ["an unknown parent", ["create", "x", "--parent", "none"], "ResourceNotFoundException", /none not found/],
];

for (const [why, args, code, message] of mistakes) {
  test(`${why} is said`, async () => {
    await group("create", "mistakes");
    const { events, code: exitCode } = await json(...args);
    assert.equal(events.at(-1)?.["code"], code);
    assert.match(String(events.at(-1)?.["message"]), message);
    assert.equal(exitCode, code === "USAGE" ? 2 : 1);
  });
}

const run = (...words: string[]) => runCommandLine({ words: [...words, "--data-dir", dataDir] });
async function inJson(...words: string[]) {
  const finished = await run(...words, "--json");
  return { ...finished, events: eventsOf(finished) };
}

test("authorizers are made, listed and tried, and domain configurations with them", async () => {
  const create = ["authorizer", "create", "passwords", "--function", "auth"];
  const refused = await line(...create);
  assert.deepEqual([refused.code, /--token-key/.test(refused.stderr)], [2, true]);
  const created = await line(...create, "--no-signing", "--default");
  assert.match(created.stdout, /^created authorizer passwords .*the default/, created.stderr);
  const [listed] = await lineEvents("authorizer", "list");
  assert.deepEqual([listed?.["authorizerName"], listed?.["status"]], ["passwords", "ACTIVE"]);
  const tried = await line("authorizer", "test", "passwords", "--username", "me");
  assert.match(tried.stdout, /^let in as me\n/);
  const other = await line("authorizer", "test", "passwords", "--username", "you");
  assert.deepEqual([other.code, /turned away/.test(other.stdout)], [1, true]);

  const options = ["--authentication", "CUSTOM_AUTH", "--protocol", "SECURE_MQTT", "--authorizer", "passwords"];
  const made = await line("domain", "create", "own", "--domain", "iot.example.com", ...options);
  assert.match(made.stdout, /^created domain configuration own for iot\.example\.com in the local/);
  const domains = await lineEvents("domain", "list");
  assert.deepEqual(
    domains.map(({ domainConfigurationName, domainName }) => [domainConfigurationName, domainName]),
    [
      ["iot:Data-ATS", "localhost"],
      ["own", "iot.example.com"],
    ],
  );
});

test("tags are added, listed, changed and removed", async () => {
  await iot.send(new CreateThingGroupCommand({ thingGroupName: "tagged", tags: [{ Key: "site", Value: "oslo" }] }));
  const resourceArn = "arn:aws:iot:us-east-1:123456789012:thinggroup/tagged";
  const added = await inJson("tag", "add", "thinggroup/tagged", "team=water", "empty=");
  assert.deepEqual(added.events, [{ event: "tagsChanged", resourceArn, what: "added", tags: ["team", "empty"] }]);
  assert.equal((await run("tag", "list", resourceArn)).stdout, "empty=\nsite=oslo\nteam=water\n");
  const removed = await run("tag", "remove", "thinggroup/tagged", "team", "empty");
  assert.match(removed.stdout, /^removed team, empty from arn.*thinggroup\/tagged in the local cloud/);
  const listed = await inJson("tag", "list", "thinggroup/tagged");
  assert.deepEqual(listed.events, [{ event: "tags", resourceArn, tags: { site: "oslo" } }]);
  const missing = await inJson("tag", "list", "thinggroup/south");
  assert.equal(missing.code, 1);
  assert.equal(missing.events.at(-1)?.["code"], "ResourceNotFoundException");
  assert.equal((await run("tag", "add", "thinggroup/tagged", "team")).code, 2);
});

test("a policy is tested for a certificate, and the exit code says what came of it", async () => {
  const { certificateArn = "", certificateId = "" } = await iot.send(new CreateKeysAndCertificateCommand({}));
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:ClientId}" },
  });
  await iot.send(new CreatePolicyCommand({ policyName: "p", policyDocument }));
  await iot.send(new AttachPolicyCommand({ policyName: "p", target: certificateArn }));
  const allowed = await run("policy", "test", "connect", "pump-7", "--cert", certificateId);
  assert.deepEqual([allowed.code, allowed.stdout], [0, "connect pump-7 is allowed\n  allow it           p\n"]);
  const denied = await inJson("policy", "test", "publish", "a/b", "--cert", certificateArn, "--client-id", "pump-7");
  assert.equal(denied.code, 1);
  assert.deepEqual(denied.events, [
    {
      ...{ event: "policyTested", action: "PUBLISH", resource: "arn:aws:iot:us-east-1:123456789012:topic/a/b" },
      ...{ principal: certificateArn, clientId: "pump-7", decision: "IMPLICIT_DENY" },
      ...{ allowing: [], denying: [], silent: ["p"], missing: [] },
    },
  ]);
  assert.equal((await run("policy", "test", "connect", "x")).code, 2);
  const other = await run("policy", "test", "connect", "x", "--add", "p", "--client-id", "y");
  assert.match(other.stdout, /^connect x is not allowed\n {2}say nothing of it {2}p\n$/);
});

// The last one: it ends the cloud.
test("what devices do is shown once a level is set, the last entries first asked for", async () => {
  assert.match((await run("cloud", "logs")).stdout, /^nothing is logged\nLogging is off .*--level info --follow\n$/);
  const set = await run("cloud", "logs", "--level", "info");
  assert.match(set.stdout, /^set what is logged of devices to info in the local cloud .*\nnothing is logged\n$/);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const data = new IoTDataPlaneClient({ endpoint: cloud.addresses.api, region: "us-east-1", credentials });
  for (const topic of ["a", "b"]) {
    await assert.rejects(data.send(new GetRetainedMessageCommand({ topic })), { name: "ResourceNotFoundException" });
  }
  data.destroy();
  // What was logged is in its file then.
  await cloud.close();
  const { events } = await inJson("cloud", "logs", "--lines", "1");
  assert.equal(events.length, 1);
  const { timestamp, traceId, details, ...entry } = events[0]!;
  assert.deepEqual([typeof timestamp, typeof traceId, typeof details], ["string", "string", "string"]);
  assert.deepEqual(entry, {
    ...{ event: "iotLog", logLevel: "ERROR", accountId: "123456789012", status: "Failure" },
    ...{ eventType: "GetRetainedMessage", protocol: "HTTP", topicName: "b", reason: "ResourceNotFoundException" },
  });
  const { stdout } = await run("cloud", "logs");
  assert.match(
    stdout,
    /^\d\d:\d\d:\d\d\.\d{3} ERROR GetRetainedMessage failed +HTTP {2}a {2}ResourceNotFoundException {2}.*\n.* b /,
  );
  assert.match((await run("cloud", "logs", "--client", "x")).stdout, /^nothing is logged of the client x\n/);
});
