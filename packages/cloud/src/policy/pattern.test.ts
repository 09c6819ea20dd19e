import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { bindTemplate, parseTemplate } from "./pattern.js";

const values: Record<string, string> = { "iot:ClientId": "dev-1", wild: "*", plus: "+", question: "?" };

function matches(source: string, candidate: string, hasVariables = true): boolean | string {
  const bound = bindTemplate(parseTemplate(source, { hasWildcards: true, hasVariables }), (name) => values[name]);
  return "pattern" in bound ? bound.pattern.matches(candidate) : bound.unresolvedVariable;
}

const table: [source: string, candidate: string, expected: boolean | string][] = [
  ["topic/a", "topic/a", true],
  ["topic/a", "topic/A", false],
  ["topic/a", "topic/a/b", false],
  ["topic/*", "topic/a/b/c", true],
  ["*", "", true],
  ["**", "x", true],
  ["topic/*/end", "topic/a/b/end", true],
  ["topic/*/end", "topic/end", false],
  ["a*a", "a", false],
  ["a*a", "aa", true],
  ["*b*c*", "abxcy", true],
  ["*b*c*", "acxby", false],
  ["topic/a?c", "topic/abc", true],
  ["topic/a?c", "topic/ac", false],
  ["topic/a?c", "topic/a/c", true],
  ["x?", "x\u{1F600}", true],
  ["*?z", "abz", true],
  ["*?z", "z", false],
  ["a*b?d*e?", "a--bcd--ef", true],
  ["topicfilter/a/#", "topicfilter/a/#", true],
  ["topicfilter/a/#", "topicfilter/a/b", false],
  ["topicfilter/a/+", "topicfilter/a/b", false],
  ["topicfilter/a/*", "topicfilter/a/b/+/c", true],
  ["topic/${iot:ClientId}/x", "topic/dev-1/x", true],
  ["topic/${wild}/x", "topic/anything/x", false],
  ["topic/${wild}/x", "topic/*/x", true],
  ["topic/${question}", "topic/a", false],
  ["topicfilter/my/${plus}/topic", "topicfilter/my/+/topic", true],
  ["topic/${*}", "topic/*", true],
  ["topic/${*}", "topic/a", false],
  ["topic/${?}${$}", "topic/?$", true],
  ["topic/${nothing}", "topic/a", "nothing"],
  ["topic/${nothing, 'none'}", "topic/none", true],
  ["topic/$aws/things/x", "topic/$aws/things/x", true],
];
for (const [source, candidate, expected] of table) {
  test(`"${source}" against "${candidate}" gives ${expected}`, () =>
    assert.equal(matches(source, candidate), expected));
}

test("without variables in the language version, a variable is plain text", () => {
  assert.equal(matches("topic/${iot:ClientId}", "topic/dev-1", false), false);
  assert.equal(matches("topic/${iot:ClientId}", "topic/${iot:ClientId}", false), true);
});

for (const source of ["a${", "a${iot:ClientId", "a${}", "a${ , 'x'}", "a${x, y}"]) {
  test(`"${source}" is malformed`, () => {
    assert.throws(
      () => parseTemplate(source, { hasWildcards: true, hasVariables: true }),
      (error) => isThinglineError(error, "POLICY_MALFORMED"),
    );
  });
}

test("a hostile pattern is answered without going back over the text", () => {
  const source = `${"*a".repeat(900)}*b`;
  assert.equal(matches(source, "a".repeat(60_000)), false);
  assert.equal(matches(`${"*a?".repeat(500)}b`, "a".repeat(20_000)), false);
});
