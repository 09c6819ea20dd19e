import assert from "node:assert/strict";
import { test } from "node:test";
import { hookTimeoutMs } from "./hook.js";
import { requestTimeoutMs } from "./aws-cloud.js";
import { backwardMs, forwardMaxMs } from "./handler.js";

/** Of the function in the template. */
const lambdaTimeoutMs = 60_000;

test("the longest call ends within the function's time: a step that was begun last, what it takes to go back, the rejection", () => {
  assert.ok(hookTimeoutMs < forwardMaxMs);
  assert.ok(forwardMaxMs + backwardMs <= lambdaTimeoutMs);
  // Five steps back and the rejection, each with one slow attempt, beside the step that was under way.
  assert.ok(7 * requestTimeoutMs < backwardMs);
});
