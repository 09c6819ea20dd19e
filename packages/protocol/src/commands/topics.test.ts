import assert from "node:assert/strict";
import { test } from "node:test";
import {
  commandIdCharactersMax,
  commandRequestFilters,
  commandTopic,
  isCommandExecutionId,
  parseCommandTopic,
} from "./index.js";
import type { CommandTopic } from "./index.js";

const target = { kind: "things", id: "pump-7" } as const;
const executionId = "07e4b780-7eca-4ffd-b772-b76358da5542";
const topics: readonly [string, CommandTopic][] = [
  ["request", { target, executionId, type: "request" }],
  ["request/json", { target, executionId, type: "request", format: "json" }],
  ["request/cbor", { target, executionId, type: "request", format: "cbor" }],
  ["response", { target, executionId, type: "response" }],
  ["response/json", { target, executionId, type: "response", format: "json" }],
  ["response/accepted", { target, executionId, type: "response", outcome: "accepted" }],
  ["response/rejected/cbor", { target, executionId, type: "response", outcome: "rejected", format: "cbor" }],
];

test("each topic of an execution is made and read", () => {
  for (const [tail, topic] of topics) {
    for (const kind of ["things", "clients"] as const) {
      const of = { ...topic, target: { ...target, kind } };
      assert.equal(commandTopic(of), `$aws/commands/${kind}/pump-7/executions/${executionId}/${tail}`);
      assert.deepEqual(parseCommandTopic(commandTopic(of)), of);
    }
  }
});

test("what is no topic of an execution is none", () => {
  const base = `$aws/commands/things/pump-7/executions/${executionId}`;
  for (const tail of ["", "/", "/request/xml", "/request/accepted", "/response/json/accepted", "/response/done"]) {
    assert.equal(parseCommandTopic(base + tail), undefined, tail);
  }
  for (const topic of [
    ...["$aws/commands/groups/a/executions/b/request", "aws/commands/things/a/executions/b/request"],
    ...["$aws/commands/things//executions/b/request", "$aws/commands/things/a/b/executions/c/request"],
  ]) {
    assert.equal(parseCommandTopic(topic), undefined, topic);
  }
});

test("a target subscribes to its commands of every format", () => {
  assert.deepEqual(commandRequestFilters({ kind: "clients", id: "c" }), [
    "$aws/commands/clients/c/executions/+/request",
    "$aws/commands/clients/c/executions/+/request/json",
    "$aws/commands/clients/c/executions/+/request/cbor",
  ]);
});

test("an execution id is 1 to 64 letters, digits, dashes and underscores", () => {
  for (const good of [executionId, "a", "_-", "x".repeat(commandIdCharactersMax)])
    assert.ok(isCommandExecutionId(good), good);
  for (const bad of ["", "a b", "a/b", "+", "x".repeat(commandIdCharactersMax + 1), "ä"])
    assert.ok(!isCommandExecutionId(bad), bad);
});
