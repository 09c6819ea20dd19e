import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fits } from "./admission.js";

test("a pattern of names is as a regular expression would have it", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "-"), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "-", "*"), maxLength: 6 });
  fc.assert(
    fc.property(text, pattern, (name, words) => {
      const expression = new RegExp(`^${words.replaceAll("*", ".*")}$`);
      assert.equal(fits(name, words), expression.test(name), `${name} ${words}`);
    }),
    { numRuns: 2_000 },
  );
});

test("a pattern that is slow for a regular expression is not slow here", () => {
  assert.equal(fits("a".repeat(128), `${"a*".repeat(63)}b`), false);
});
