import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError, type ErrorCode, type JsonObject } from "@thingline/protocol";
import { republishDepthMax } from "./actions/republish.js";
import type { StoreKey, StoreValue } from "../../store/store.js";
import { externalCallsMax } from "./host.js";
import { destinationsMax, ruleActionsMax, ruleKeys, rulesMax } from "./model.js";
import { openRulesWorld, republishTo, roleArn } from "./rules-world.test.support.js";

const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

test("a rule selects messages and republishes what it makes of them", async () => {
  const { createRule, publish, heard, close, clock } = await openRulesWorld();
  await createRule("warm", "SELECT temp, clientid() AS device FROM 'room/+/temp' WHERE temp > 20", [
    republishTo("warm/${topic(2)}", {
      qos: 1,
      headers: { contentType: "application/json", userProperties: [{ key: "t", value: "${temp}" }] },
    }),
    republishTo("also/warm"),
  ]);
  publish("room/a/temp", { temp: 21 });
  publish("room/b/temp", { temp: 19 });
  publish("other/a/temp", { temp: 30 });
  const messages = await heard();
  const made = messages.filter(({ topic }) => topic.includes("warm"));
  assert.deepEqual(
    made.map(({ topic, payload }) => [topic, payload]),
    [
      ["warm/a", '{"temp":21,"device":"client-1"}'],
      ["also/warm", '{"temp":21,"device":"client-1"}'],
    ],
  );
  assert.deepEqual(made[0]?.properties?.userProperties, [["t", "21"]]);
  assert.equal(made[0]?.properties?.contentType, "application/json");
  await close();
  assert.equal(clock.timerCount, 0);
});

test("a rule counts from its creation, and no more when it is disabled, replaced or deleted", async () => {
  const { cloud, run, createRule, publish, heard, close } = await openRulesWorld();
  const { rules } = cloud;
  const made = async () => {
    publish("in", { n: 1 });
    return (await heard()).filter(({ topic }) => topic !== "in").map(({ topic }) => topic);
  };
  assert.deepEqual(await made(), []);
  await createRule("r", "SELECT * FROM 'in'", [republishTo("one")]);
  assert.deepEqual(await made(), ["one"]);
  await run(rules.disableTopicRule, { ruleName: "r" });
  assert.deepEqual(await made(), []);
  await run(rules.enableTopicRule, { ruleName: "r" });
  const two = { sql: "SELECT * FROM '+'", actions: [republishTo("out/two")] };
  await run(rules.replaceTopicRule, { ruleName: "r", topicRulePayload: two as never });
  assert.deepEqual(await made(), ["out/two"]);
  await run(rules.deleteTopicRule, { ruleName: "r" });
  assert.deepEqual(await made(), []);
  await close();
});

test("rules are got and listed as they were given, and one that is not there is told as AWS does", async () => {
  const { cloud, run, createRule, close, clock } = await openRulesWorld();
  const { rules } = cloud;
  const at = clock.unixMs() / 1000;
  const lambda = { lambda: { functionArn: "arn:aws:lambda:us-east-1:123456789012:function:f" } };
  await createRule("a", "SELECT * FROM 'x'", [lambda], { description: "d", errorAction: republishTo("errors") });
  await createRule("b", "SELECT * FROM 'y'", [], { ruleDisabled: true });
  const { ruleArn, rule } = await run(rules.getTopicRule, { ruleName: "a" });
  assert.equal(ruleArn, "arn:aws:iot:us-east-1:123456789012:rule/a");
  assert.deepEqual(rule, {
    ...{
      ruleName: "a",
      sql: "SELECT * FROM 'x'",
      awsIotSqlVersion: "2016-03-23",
      description: "d",
      ruleDisabled: false,
    },
    ...{ actions: [lambda], errorAction: republishTo("errors"), createdAt: (rule as { createdAt: number }).createdAt },
  });
  assert.ok((rule as { createdAt: number }).createdAt >= at);
  const names = async (input: object) =>
    (await run(rules.listTopicRules, input)).rules?.map(({ ruleName, topicPattern }) => [ruleName, topicPattern]);
  assert.deepEqual(await names({}), [
    ["a", "x"],
    ["b", "y"],
  ]);
  assert.deepEqual(await names({ topic: "y" }), [["b", "y"]]);
  assert.deepEqual(await names({ ruleDisabled: false }), [["a", "x"]]);
  await assert.rejects(createRule("a", "SELECT * FROM 'x'", []), fails("RESOURCE_EXISTS"));
  for (const operation of [rules.getTopicRule, rules.deleteTopicRule, rules.enableTopicRule, rules.disableTopicRule]) {
    const denied = fails("REQUEST_UNAUTHORIZED", /^Access to topic rule 'none' was denied$/);
    await assert.rejects(run(operation as typeof rules.deleteTopicRule, { ruleName: "none" }), denied);
  }
  await close();
});

test("what is wrong with a rule is refused with its place, and nothing is stored", async () => {
  const { cloud, run, createRule, close } = await openRulesWorld();
  const faults: [sql: string, actions: object[], code: ErrorCode, says: RegExp][] = [
    ["SELECT * FRM 'a'", [], "RULE_SQL_INVALID", /at character 10/],
    ["SELECT * FROM 'a'", [republishTo("${")], "RULE_SQL_INVALID", /^actions\.1\.republish\.topic: /],
    ["SELECT * FROM 'a'", [republishTo("${@x}")], "RULE_SQL_INVALID", /@x is not set/],
    [
      "SELECT * FROM 'a'",
      [{ http: { url: "https://x/", headers: [{ key: "Content-Length", value: "${n}" }] } }],
      "REQUEST_INVALID",
      /cannot set Content-Length/,
    ],
    ["SELECT * FROM 'a'", [{}], "REQUEST_INVALID", /^actions\.1: an action has one member/],
    ["SELECT * FROM 'a'", [{ ...republishTo("x"), lambda: { functionArn: "f" } }], "REQUEST_INVALID", /one thing/],
    ["SELECT * FROM 'a'", [republishTo("$aws/things/a/jobs/get")], "REQUEST_INVALID", /may not publish/],
    [
      "SELECT * FROM 'a'",
      [{ http: { url: "https://x/", auth: { sigv4: { signingRegion: "r", serviceName: "s", roleArn } } } }],
      "REQUEST_INVALID",
      /not supported by the local cloud/,
    ],
    [
      "SELECT * FROM 'a'",
      Array.from({ length: ruleActionsMax + 1 }, () => republishTo("x")),
      "REQUEST_INVALID",
      /actions/,
    ],
    [`SELECT '${"x".repeat(140_000)}' AS a FROM 'a'`, [], "REQUEST_INVALID", /bytes/],
  ];
  for (const [sql, actions, code, says] of faults)
    await assert.rejects(createRule("r", sql, actions), fails(code, says), sql.slice(0, 60));
  await assert.rejects(
    createRule("r", "SELECT * FROM 'a'", [], { awsIotSqlVersion: "2020" }),
    fails("REQUEST_INVALID"),
  );
  const external = { errorAction: republishTo("${get_secret('a', 'SecretString', 'r')}") };
  await assert.rejects(createRule("r", "SELECT * FROM 'a'", [], external), fails("RULE_SQL_INVALID", /error action/));
  const old = createRule("r", "SELECT * FROM 'a'", [republishTo("${length(a)}")], { awsIotSqlVersion: "2015-10-08" });
  await assert.rejects(old, fails("RULE_SQL_INVALID", /needs awsIotSqlVersion/));
  assert.deepEqual((await run(cloud.rules.listTopicRules, {})).rules, []);
  await close();
});

test("a statement and templates with regular expressions work under the guard, and others without it", async () => {
  let isSlow = false;
  const statementGuard = <T>(work: () => T): T => {
    if (isSlow) throw new ThinglineError("RULE_SQL_FAILED", "too long");
    return work();
  };
  const { createRule, publish, heard, events, close } = await openRulesWorld({ statementGuard });
  await createRule("plain", "SELECT * FROM 'plain'", [republishTo("out/plain")]);
  await createRule("statement", "SELECT regexp_matches(a, '^(a+)+$') AS m FROM 's'", [republishTo("out/s")]);
  await createRule("template", "SELECT * FROM 't'", [republishTo("out/${regexp_substr(a, 'a+')}")]);
  const made = async () => {
    for (const topic of ["plain", "s", "t"]) publish(topic, { a: "aa" });
    return (await heard()).flatMap(({ topic }) => (topic.startsWith("out") ? [topic] : [])).sort();
  };
  assert.deepEqual(await made(), ["out/aa", "out/plain", "out/s"]);
  isSlow = true;
  assert.deepEqual(await made(), ["out/plain"]);
  assert.match(String(events("ruleSqlFailed")[0]?.["error"]), /too long/);
  await close();
});

test("an account has so many rules, and destinations", async () => {
  const { cloud, run, createRule, store, close } = await openRulesWorld();
  const scope = { account: "123456789012", region: "us-east-1" };
  const record = {
    sql: "SELECT * FROM 'a'",
    awsIotSqlVersion: "2016-03-23",
    actions: [],
    ruleDisabled: true,
    createdAtMs: 1,
  };
  const fill = (count: number, keyOf: (name: string) => StoreKey, value: (name: string) => StoreValue) =>
    store.commit(Array.from({ length: count }, (_, at) => ({ key: keyOf(`n${at}`), value: value(`n${at}`) })));
  await fill(
    rulesMax - 1,
    (name) => ruleKeys.one(scope, name),
    (ruleName) => ({ ...record, ruleName }),
  );
  await createRule("last", "SELECT * FROM 'a'", []);
  await assert.rejects(createRule("more", "SELECT * FROM 'a'", []), fails("QUOTA_EXCEEDED"));
  await fill(
    destinationsMax - 1,
    (name) => ruleKeys.destination(scope, name),
    (id) => ({ id }),
  );
  const destinationConfiguration = { httpUrlConfiguration: { confirmationUrl: "http://endpoint:9000/" } };
  const made = await Promise.allSettled(
    ["http://one:9000/", "http://two:9000/"].map((confirmationUrl) =>
      run(cloud.rules.createTopicRuleDestination, {
        destinationConfiguration: { httpUrlConfiguration: { confirmationUrl } },
      }),
    ),
  );
  assert.deepEqual(made.map(({ status }) => status).sort(), ["fulfilled", "rejected"], "two at once");
  await assert.rejects(
    run(cloud.rules.createTopicRuleDestination, { destinationConfiguration }),
    fails("QUOTA_EXCEEDED"),
  );
  await close();
});

test("a rule calls out so often for a message", async () => {
  let calls = 0;
  const { createRule, publish, heard, events, close } = await openRulesWorld({ functions: { f: () => ++calls } });
  const items = Array.from({ length: externalCallsMax + 1 }, (_, at) => `aws_lambda('f', {'n': ${at}}) AS v${at}`);
  await createRule("r", `SELECT ${items.join(", ")} FROM 'in'`, [republishTo("out")]);
  publish("in", {});
  assert.ok(!(await heard()).some(({ topic }) => topic === "out"));
  assert.equal(calls, externalCallsMax);
  assert.match(String(events("ruleSqlFailed")[0]?.["error"]), /at most 16 calls/);
  await close();
});

test("what actions of one rule draw by chance is each one's own, also when one of them calls out", async () => {
  const { createRule, publish, heard, close } = await openRulesWorld({ functions: { f: () => "x" } });
  const topics = ["a/${newuuid()}/${aws_lambda('f', {'n': 1})}/${newuuid()}", "b/${newuuid()}/${newuuid()}"];
  await createRule(
    "r",
    "SELECT newuuid() AS id FROM 'in'",
    topics.map((topic) => republishTo(topic)),
  );
  publish("in", {});
  const made = (await heard()).filter(({ topic }) => topic !== "in");
  const drawn = made.flatMap(({ topic, payload }) => [...topic.split("/"), payload].filter((text) => text.length > 30));
  assert.equal(made.length, 2);
  // Both have the same payload, and four of their own.
  assert.equal(new Set(drawn).size, 5);
  await close();
});

test("Basic Ingest goes to the rule that the topic names, and to no subscriber", async () => {
  const { createRule, publish, heard, events, close } = await openRulesWorld();
  await createRule("ingest", "SELECT *, topic() AS t, topic(1) AS first", [republishTo("out")]);
  publish("$aws/rules/ingest/a/b", { n: 1 });
  publish("$aws/rules/none/a/b", { n: 1 });
  const messages = await heard();
  assert.deepEqual(
    messages.map(({ topic, payload }) => [topic, payload]),
    [["out", '{"n":1,"t":"a/b","first":"a"}']],
  );
  assert.deepEqual(
    events("ruleNotFound").map(({ rule }) => rule),
    ["none"],
  );
  await close();
});

test("rules hear shadows, wills and events of clients, and may ask a shadow for something", async () => {
  const { cloud, run, createRule, publish, heard, connect, close } = await openRulesWorld();
  await run(cloud.registry.createThing, { thingName: "lamp" });
  await createRule("toShadow", "SELECT on AS state.reported.on FROM 'lamp/on'", [
    republishTo("$$aws/things/lamp/shadow/update"),
  ]);
  await createRule("fromShadow", "SELECT state.reported.on AS on FROM '$aws/things/+/shadow/update/accepted'", [
    republishTo("shadow/${topic(3)}"),
  ]);
  await createRule("presence", "SELECT clientId FROM '$aws/events/presence/connected/#'", [republishTo("presence")]);
  publish("lamp/on", { on: true });
  await connect("new-client");
  const messages = await heard();
  assert.deepEqual(
    messages
      .filter(({ topic }) => topic !== "lamp/on")
      .map(({ topic, payload }) => [topic, payload])
      .sort(),
    [
      ["presence", '{"clientId":"new-client"}'],
      ["shadow/lamp", '{"on":true}'],
    ],
  );
  await close();
});

test("functions are called with what the rule made, and what leaves a statement is answered", async () => {
  const calls: JsonObject[] = [];
  const { cloud, run, createRule, publish, heard, events, close } = await openRulesWorld({
    functions: {
      sink: (event: JsonObject) => void calls.push(event),
      double: ({ n }: JsonObject) => ({ doubled: 2 * Number(n) }),
      "rules:sqs": (event: JsonObject) => void calls.push(event),
      "rules:get_secret": () => "hush",
    },
  });
  await run(cloud.registry.createThing, { thingName: "pump", attributePayload: { attributes: { site: "north" } } });
  const sql = `SELECT aws_lambda('double', {'n': n}).doubled AS d, get_registry_data('DescribeThing', 'pump', '${roleArn}').attributes.site AS site,
    get_secret('s', 'SecretString', '${roleArn}') AS s, get_or_default(get_thing_shadow('pump', '${roleArn}'), 'none') AS shadow FROM 'in'`;
  await createRule("calls", sql, [
    { lambda: { functionArn: "arn:aws:lambda:us-east-1:123456789012:function:sink" } },
    { sqs: { roleArn, queueUrl: "https://sqs/1/${n}", useBase64: false } },
  ]);
  publish("in", { n: 4 });
  await heard();
  const made = { d: 8, site: "north", s: "hush", shadow: "none" };
  assert.deepEqual(calls, [
    made,
    {
      ruleName: "calls",
      action: "sqs",
      parameters: { roleArn, queueUrl: "https://sqs/1/4", useBase64: false },
      topic: "in",
      payload: made,
    },
  ]);
  await createRule("failing", `SELECT get_thing_shadow('none', '${roleArn}') AS s FROM 'in'`, [republishTo("never")]);
  publish("in", { n: 4 });
  assert.ok(!(await heard()).some(({ topic }) => topic === "never"));
  assert.match(String(events("ruleSqlFailed")[0]?.["error"]), /get_thing_shadow\(\) failed/);
  await close();
});

test("all failures of a message are told to the error action together", async () => {
  const { createRule, publish, heard, close } = await openRulesWorld();
  await createRule(
    "r",
    "SELECT * FROM 'in'",
    [
      republishTo("ok"),
      republishTo("x/${missing}"),
      { lambda: { functionArn: "arn:aws:lambda:us-east-1:123456789012:function:none" } },
      { s3: { roleArn, bucketName: "none", key: "k" } },
      { sns: { roleArn, targetArn: "arn:aws:sns:us-east-1:123456789012:t" } },
    ],
    { errorAction: republishTo("errors/${id}") },
  );
  publish("in", { id: 7 });
  const messages = await heard();
  assert.ok(messages.some(({ topic }) => topic === "ok"));
  const [told] = messages
    .filter(({ topic }) => topic === "errors/7")
    .map(({ payload }) => JSON.parse(payload) as JsonObject);
  assert.deepEqual(
    [told?.["ruleName"], told?.["topic"], told?.["clientId"], told?.["base64OriginalPayload"]],
    ["r", "in", "client-1", btoa('{"id":7}')],
  );
  const failures = told?.["failures"] as { failedAction: string; failedResource: string; errorMessage: string }[];
  assert.deepEqual(
    failures.map(({ failedAction, failedResource }) => [failedAction, failedResource]),
    [
      ["RepublishAction", ""],
      ["LambdaAction", "arn:aws:lambda:us-east-1:123456789012:function:none"],
      ["S3Action", "none"],
      ["SnsAction", "arn:aws:sns:us-east-1:123456789012:t"],
    ],
  );
  assert.match(failures[3]?.errorMessage ?? "", /--function rules:sns=URL/);
  await close();
});

test("objects are put, and what is not JSON goes as bytes", async () => {
  const { cloud, run, createRule, publish, heard, close } = await openRulesWorld();
  await run(cloud.objects.createBucket, { bucket: "readings" });
  await createRule("store", "SELECT * FROM 'raw/+'", [
    { s3: { roleArn, bucketName: "readings", key: "${topic(2)}/${timestamp()}" } },
  ]);
  publish("raw/a", Uint8Array.of(0, 255, 1));
  await heard();
  const listed = await run(cloud.objects.listObjects, { bucket: "readings" });
  assert.match(JSON.stringify(listed), /"a\/\d+"/);
  await close();
});

test("rules that hear themselves end", async () => {
  const { createRule, publish, heard, events, close } = await openRulesWorld();
  await createRule("loop", "SELECT * FROM 'loop'", [republishTo("loop")]);
  publish("loop", { n: 1 });
  assert.equal((await heard()).length, republishDepthMax + 1);
  assert.match(String(events("ruleActionFailed")[0]?.["error"]), /do rules hear themselves/);
  await close();
});

test("properties of MQTT 5 are there for a rule", async () => {
  const { createRule, publish, heard, close } = await openRulesWorld();
  await createRule("p", "SELECT get_user_properties('k') AS k, get_mqtt_property('content_type') AS c FROM 'in'", [
    republishTo("out"),
  ]);
  publish("in", {}, { contentType: "text/x", userProperties: [["k", "1"]] });
  assert.deepEqual((await heard()).find(({ topic }) => topic === "out")?.payload, '{"k":["1"],"c":"text/x"}');
  await close();
});

test("rules survive a snapshot and its restoring, and are gone after a reset", async () => {
  const heard: JsonObject[] = [];
  const functions = { sink: (event: JsonObject) => void heard.push(event) };
  const { cloud, run, createRule, wait, close, clock } = await openRulesWorld({ functions });
  await createRule("r", "SELECT * FROM 'in'", [{ lambda: { functionArn: "sink" } }]);
  const snapshot = await wait(cloud.snapshot());
  await wait(cloud.reset());
  const publish = async (n: number) => {
    await run(cloud.messages.publish, { topic: "in", payload: new TextEncoder().encode(`{"n":${n}}`) });
    await clock.advance(50);
  };
  await publish(1);
  assert.deepEqual((await run(cloud.rules.listTopicRules, {})).rules, []);
  await wait(cloud.restore(snapshot));
  await publish(2);
  assert.deepEqual(heard, [{ n: 2 }]);
  await close();
});

test("what cannot be sent is a failure of its action at once, and keeps no other waiting", async () => {
  const { createRule, publish, heard, events, close } = await openRulesWorld();
  const headers = { contentType: "${c}", userProperties: [{ key: "k", value: "${u}" }] };
  await createRule("r", "SELECT VALUE p FROM 'in'", [republishTo("${t}", { headers })], {
    errorAction: republishTo("errors"),
  });
  const sound = { t: "out", c: "x", u: "x", p: 1 };
  const faults: [given: object, says: RegExp][] = [
    [{ c: "x".repeat(70_000) }, /contentType|content type/],
    [{ c: "a\u0000b" }, /contentType/],
    [{ u: "\ud800" }, /user properties/],
    [{ u: "x".repeat(66_000) }, /user properties/],
    [{ t: "x".repeat(300) }, /topic/],
    [{ t: "a/b/c/d/e/f/g/h/i" }, /topic/],
    [{ t: "a/+" }, /topic/],
  ];
  for (const [given, says] of faults) {
    publish("in", { ...sound, ...given });
    publish("in", sound);
    const topics = (await heard()).map(({ topic }) => topic).filter((topic) => topic !== "in");
    assert.deepEqual(topics.sort(), ["errors", "out"], JSON.stringify(given).slice(0, 40));
    assert.match(String(events("ruleActionFailed").at(-1)?.["error"]), says);
  }
  await createRule("large", "SELECT q AS a, q AS b FROM 'large'", [republishTo("too/large")]);
  publish("large", { q: "x".repeat(66_000) });
  assert.deepEqual(
    (await heard()).map(({ topic }) => topic),
    ["large"],
  );
  assert.match(String(events("ruleActionFailed").at(-1)?.["error"]), /131072 bytes/);
  assert.deepEqual(events("effectFailed"), []);
  await close();
});

test("rules are in the log of devices, as AWS writes them, when somebody wants it", async () => {
  const { cloud, run, createRule, publish, heard, files, close } = await openRulesWorld();
  await createRule("r", "SELECT * FROM 'in'", [republishTo("out/${id}"), republishTo("x/${missing}")]);
  publish("in", { id: 1 });
  await heard();
  await run(cloud.logging.setV2LoggingOptions, { roleArn, defaultLogLevel: "INFO" });
  publish("in", { id: 2 });
  publish("$aws/rules/none/a", {});
  await heard();
  await close();
  const [file] = await files.list("/cloud/aws-iot-logs");
  const text = new TextDecoder().decode(await files.read(`/cloud/aws-iot-logs/${file}`, { bytesMax: 100_000 }));
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as JsonObject);
  const rules = lines.filter(({ eventType }) => /^Rule/.test(eventType as string));
  // Nobody waits for rules: entries come as their work is done.
  const told = rules.map((line) =>
    JSON.stringify([line["eventType"], line["status"], line["ruleName"], line["resources"]]),
  );
  assert.deepEqual(told.sort(), [
    '["RuleExecution","Failure","r",{"RepublishTopic":""}]',
    '["RuleExecution","Success","r",{"RepublishTopic":"out/2"}]',
    '["RuleMatch","Success","r",null]',
    '["RuleNotFound","Failure","none",null]',
  ]);
  assert.ok(rules.every(({ clientId }) => clientId === "client-1"));
});
