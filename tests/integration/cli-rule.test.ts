// `thingline rule`, as people and programs run it, against a running local cloud; and rules as the AWS SDK makes them.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CreateTopicRuleCommand,
  GetTopicRuleCommand,
  IoTClient,
  ListTagsForResourceCommand,
} from "@aws-sdk/client-iot";
import { IoTDataPlaneClient, PublishCommand } from "@aws-sdk/client-iot-data-plane";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { eventsOf, runCommandLine } from "./cli-process.test.support.js";

let cloud: StartedCloud;
let iot: IoTClient;
let data: IoTDataPlaneClient;
let dataDir: string;
const heard: unknown[] = [];
let hear: () => void = () => undefined;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  const sink = (event: unknown) => {
    heard.push(event);
    hear();
  };
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
  cloud = await startCloud({ dataDir, ...ports, keyPoolSize: 0, functions: { sink } });
  const settings = {
    ...{ endpoint: cloud.addresses.api, region: "us-east-1" },
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  iot = new IoTClient(settings);
  data = new IoTDataPlaneClient(settings);
});

after(async () => {
  iot?.destroy();
  data?.destroy();
  await cloud?.close();
  await rm(dataDir, { recursive: true, force: true });
});

const rule = (...words: string[]) => runCommandLine({ words: ["rule", ...words] });
const here = () => ["--data-dir", dataDir];
const json = async (...words: string[]) => {
  const finished = await rule(...words, ...here(), "--json");
  return { ...finished, events: eventsOf(finished) };
};

/** Publishes by the SDK, and waits until the function was called. */
async function publish(topic: string, message: object): Promise<unknown> {
  const called = new Promise<void>((resolve) => (hear = resolve));
  await data.send(new PublishCommand({ topic, payload: JSON.stringify(message), qos: 1 }));
  await called;
  return heard.at(-1);
}

test("a rule is made, listed, shown, disabled, enabled and deleted, and does its work", async () => {
  const sql = "SELECT temp, topic(2) AS room FROM 'room/+/temp' WHERE temp > 30";
  const created = await json("create", "warm", "--sql", sql, "--function", "sink", "--republish", "warm/${topic(2)}");
  assert.equal(created.code, 0, created.stderr);
  const facts = { ruleName: "warm", topic: "room/+/temp" };
  assert.deepEqual(created.events, [{ event: "ruleCreated", ...facts, actions: ["republish", "lambda"] }]);
  assert.deepEqual(await publish("room/a/temp", { temp: 31 }), { temp: 31, room: "a" });

  const disabled = await json("disable", "warm");
  assert.deepEqual(disabled.events, [{ event: "ruleSwitched", ruleName: "warm", ruleDisabled: true }]);
  assert.deepEqual((await json("list")).events, [{ event: "rule", ...facts, ruleDisabled: true }]);
  await rule("enable", "warm", ...here());
  const shown = await rule("show", "warm", ...here());
  assert.match(shown.stdout, /^warm\n {2}statement +SELECT temp/);
  assert.match(shown.stdout, /action +lambda .*function:sink/);
  const replaced = await rule("create", "warm", "--sql", sql, "--replace", ...here());
  assert.match(replaced.stderr, /the rule has no action/);
  assert.match(replaced.stdout, /thingline publish room\/example\/temp '\{\}'/);
  assert.deepEqual((await json("delete", "warm")).events, [{ event: "ruleDeleted", ruleName: "warm" }]);
  const gone = await rule("show", "warm", ...here());
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /Access to topic rule 'warm' was denied/);
  assert.match(gone.stderr, /The rules that there are:\n +thingline rule list/);
});

test("a rule of a file is taken whole, and what is wrong is shown with its place", async () => {
  const file = join(dataDir, "rule.json");
  await writeFile(file, JSON.stringify({ sql: "SELECT * FROM 'a'", actions: [{ lambda: { functionArn: "sink" } }] }));
  assert.equal((await rule("create", "filed", "--payload", file, ...here())).code, 0);
  const beside = await rule("create", "filed", "--payload", file, "--republish", "x", ...here());
  assert.equal(beside.code, 2);
  assert.match(beside.stderr, /an action cannot stand beside it/);
  await writeFile(file, "{}");
  assert.match((await rule("create", "no", "--payload", file, ...here())).stderr, /RULE_FILE_INVALID/);
  const wrong = await rule("create", "no", "--sql", "SELECT a FROM 'x' WHERE b == 1", ...here());
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /at character 28\n +SELECT a FROM 'x' WHERE b == 1\n +\^/);
  const without = await rule("create", "no", ...here());
  assert.equal(without.code, 2);
});

test("a statement is tried without any cloud", async () => {
  const tried = async (...words: string[]) => eventsOf(await rule("test", ...words, "--json"))[0];
  const sql = "SELECT temp * 9 / 5 + 32 AS f FROM 'room/+' WHERE temp > 1";
  assert.deepEqual(await tried(sql, "--message", '{"temp":21.5}', "--template", "out/${topic(2)}"), {
    ...{ event: "ruleTested", topic: "room/level", isSelected: true, payload: '{"f":70.7}', templates: ["out/level"] },
  });
  assert.deepEqual(await tried(sql, "--message", '{"temp":1}'), {
    ...{ event: "ruleTested", topic: "room/level", isSelected: false, why: "where" },
  });
  assert.equal((await tried(sql, "--topic", "other"))?.["why"], "topic");
  const external = "SELECT get_thing_shadow('a', 'r').state.x AS x FROM 'a'";
  const asked = await rule("test", external);
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /--answer get_thing_shadow=JSON/);
  assert.equal((await tried(external, "--answer", 'get_thing_shadow={"state":{"x":5}}'))?.["payload"], '{"x":5}');
});

test("the AWS SDK makes a rule with tags, and gets it as it gave it", async () => {
  const topicRulePayload = {
    ...{
      sql: "SELECT *, get_user_properties('k') AS k FROM 'sdk'",
      awsIotSqlVersion: "2016-03-23",
      ruleDisabled: false,
    },
    actions: [{ lambda: { functionArn: "arn:aws:lambda:us-east-1:123456789012:function:sink" } }],
  };
  await iot.send(new CreateTopicRuleCommand({ ruleName: "sdk", topicRulePayload, tags: "team=a%20b&empty=" }));
  const { rule: got, ruleArn } = await iot.send(new GetTopicRuleCommand({ ruleName: "sdk" }));
  const { createdAt, ...rest } = got ?? {};
  assert.ok(createdAt instanceof Date);
  assert.deepEqual(rest, { ruleName: "sdk", ...topicRulePayload });
  const { tags } = await iot.send(new ListTagsForResourceCommand({ resourceArn: ruleArn }));
  assert.deepEqual(tags, [
    { Key: "empty", Value: "" },
    { Key: "team", Value: "a b" },
  ]);
  assert.deepEqual(await publish("sdk", { n: 1 }), { n: 1 });
  await assert.rejects(
    iot.send(new CreateTopicRuleCommand({ ruleName: "bad", topicRulePayload: { ...topicRulePayload, sql: "SELECT" } })),
    { name: "SqlParseException" },
  );
  await assert.rejects(iot.send(new GetTopicRuleCommand({ ruleName: "bad" })), { name: "UnauthorizedException" });
});
