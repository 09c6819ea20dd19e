import assert from "node:assert/strict";
import { test } from "node:test";
import { durationWord, optionValues } from "./option-values.js";

test("functions are names or ARNs with a URL each, and may be repeated", () => {
  const arn = "arn:aws:lambda:us-east-1:123456789012:function:sign";
  const first = optionValues.functions("hook=http://localhost:9000/run?x=1", undefined);
  assert.deepEqual(optionValues.functions(`${arn}=https://[::1]:9/`, first), {
    hook: { url: "http://localhost:9000/run?x=1" },
    [arn]: { url: "https://[::1]:9/" },
  });
  for (const text of [
    "",
    "hook",
    "=http://x/",
    "hook=",
    "hook=ftp://x/",
    "hook=http://user@x/",
    "hook=http://x/#a",
    "hook=http://a b/",
  ])
    assert.throws(() => optionValues.functions(text, undefined), /A function is NAME=URL/, text);
  assert.throws(() => optionValues.functions("hook=http://x/", first), /"hook" is given twice/);
});

test("a time is written as options take it", () => {
  for (const word of ["2d", "36h", "90m", "90s", "0.001s"])
    assert.equal(durationWord(optionValues.duration(word)), word);
});
