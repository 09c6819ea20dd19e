import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./failure.js";
import { assertBatchOptions } from "./provisioning-plan.js";

test("options of a batch are refused where there is none", () => {
  const batch = { resume: true, report: ["a.html"], rate: 3, atOnce: 2, batchDir: "b" };
  const words: Record<string, string> = { atOnce: "--at-once", batchDir: "--batch-dir" };
  assertBatchOptions({ ...batch, count: 2 });
  assertBatchOptions({});
  for (const [name, value] of Object.entries(batch)) {
    assert.throws(
      () => assertBatchOptions({ [name]: value }),
      (error) => error instanceof UsageError && error.message.startsWith(`${words[name] ?? `--${name}`} `),
    );
  }
});
