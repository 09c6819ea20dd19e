// The pure core of a write: what it asks for, and how often.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { agreeingAsksMax, attempt, effectAttemptsMax, type EffectResult, listTagSurely, type Story } from "./story.js";
import { isPassing } from "../failures.js";

/** Follows a story with results made up by number. */
function follow<Result>(story: Story<Result>, resultOf: (number: number) => EffectResult): [Result, effects: number] {
  let effects = 0;
  let turn = story.next();
  while (turn.done !== true) turn = story.next(resultOf(effects++));
  return [turn.value, effects];
}

const failed = (code: ConstructorParameters<typeof ThinglineError>[0], details = {}): EffectResult => ({
  error: new ThinglineError(code, "failed", { details }),
});

test("an effect that may pass is asked for again, and no further", () => {
  const lost = failed("TIMEOUT");
  assert.deepEqual(
    follow(attempt({ do: "offline" }), () => lost),
    [lost, effectAttemptsMax],
  );
  const [result, effects] = follow(attempt({ do: "offline" }), (number) =>
    number === 0 ? lost : { value: undefined },
  );
  assert.deepEqual([result, effects], [{ value: undefined }, 2]);
});

test("what has a reason is not asked for again", () => {
  for (const result of [
    failed("CREDENTIAL_REFUSED", { cme: 515 }),
    failed("CONNECTION_LOST"),
    failed("SERIAL_PORT_UNPLUGGED"),
    failed("ABORTED"),
  ]) {
    assert.deepEqual(
      follow(attempt({ do: "offline" }), () => result),
      [result, 1],
    );
  }
  for (const [code, details, isWanted] of [
    ["TIMEOUT", {}, true],
    ["MODEM_RESPONSE_INVALID", {}, true],
    ["CREDENTIAL_REFUSED", {}, true],
    ["MODEM_COMMAND_REJECTED", {}, true],
    ["MODEM_COMMAND_REJECTED", { cme: 50 }, false],
  ] as const) {
    assert.equal(isPassing(new ThinglineError(code, "failed", { details })), isWanted, code);
  }
});

test("a tag is listed until two answers in a row say the same", () => {
  const one = { value: [{ type: "ca", sha256: "aa" }] as const };
  const none = { value: [] };
  const answers = [none, one, one];
  assert.deepEqual(
    follow(listTagSurely(42), (number) => answers[number] ?? none),
    [{ entries: one.value }, 3],
  );
  const [restless, asks] = follow(listTagSurely(42), (number) => (number % 2 === 0 ? none : one));
  assert.ok("error" in restless && restless.error.code === "MODEM_RESPONSE_INVALID");
  assert.equal(asks, agreeingAsksMax);
});
