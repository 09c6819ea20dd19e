import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { accessKeysMax, checkAccessKeys } from "./access-keys.js";

test("accessKeysMax keys are taken, one more is refused without a word of any secret", () => {
  const keysOf = (length: number) =>
    Array.from({ length }, (_none, at) => ({ accessKeyId: `key-${at}`, secretAccessKey: "do not tell" }));
  assert.equal(checkAccessKeys(keysOf(accessKeysMax)).length, accessKeysMax);
  assert.throws(
    () => checkAccessKeys(keysOf(accessKeysMax + 1)),
    (error) =>
      isThinglineError(error, "OPTION_INVALID") &&
      error.message === `accessKeys must be a list of 1 to ${accessKeysMax} access keys`,
  );
});
