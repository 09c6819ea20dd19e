import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "../errors.js";
import { InboundTopicAliases } from "./server-session-topic-alias.js";

const codeOf = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return error instanceof ThinglineError ? error.details["reasonCode"] : error;
  }
  return undefined;
};

test("an alias stands for the topic that it was given last", () => {
  const aliases = new InboundTopicAliases(8);
  assert.equal(aliases.resolve("a/b", 8), "a/b");
  assert.equal(aliases.resolve("", 8), "a/b");
  assert.equal(aliases.resolve("c", 8), "c");
  assert.equal(aliases.resolve("", 8), "c");
});

test("an alias beyond the maximum is 0x94, one without topic 0x82", () => {
  const aliases = new InboundTopicAliases(8);
  assert.equal(
    codeOf(() => aliases.resolve("a", 9)),
    0x94,
  );
  assert.equal(
    codeOf(() => aliases.resolve("a", 0)),
    0x94,
  );
  assert.equal(
    codeOf(() => aliases.resolve("", 1)),
    0x82,
  );
});
