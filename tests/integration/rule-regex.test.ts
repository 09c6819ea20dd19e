// A regular expression that backtracks without end, over a text that a device chooses, does not hold up the cloud.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startCloud } from "@thingline/cloud/node";

const skip = process.env["THINGLINE_TEST_LONG"] === undefined ? "takes a second of the processor" : false;

// `statementTimeMsMax` of the cloud.
test("a statement ends whose regular expression takes longer than its time", { skip, timeout: 60_000 }, async (t) => {
  const failures: string[] = [];
  let tell: () => void = () => undefined;
  const told = new Promise<void>((resolve) => (tell = resolve));
  const log = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (event: string, facts: { error?: unknown } = {}) => {
      if (event !== "ruleSqlFailed") return;
      failures.push(String(facts.error));
      tell();
    },
  };
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
  const started = await startCloud({ memory: true, keyPoolSize: 0, ...ports, log });
  t.after(() => started.close());
  const { cloud } = started;
  const sql = "SELECT regexp_matches(a, '^(a+)+$') AS m FROM 'in'";
  const topicRulePayload = { sql, awsIotSqlVersion: "2016-03-23", actions: [] };
  await cloud.run(cloud.rules.createTopicRule, { ruleName: "r", topicRulePayload });
  const payload = new TextEncoder().encode(JSON.stringify({ a: `${"a".repeat(60)}b` }));
  await cloud.run(cloud.messages.publish, { topic: "in", payload });
  await told;
  assert.match(failures[0] ?? "", /longer than 1000 ms/);
});
