import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVersion, type ImageFacts } from "@thingline/protocol/image";
import type { BootloaderRule } from "../bootloader-rules.js";
import { obstacleOf, type Previous } from "./rollback-plan.js";

const running = { version: "1.2.3+0", securityCounter: undefined };
const bytes = new Uint8Array(1);
const job = { jobId: "j" } as never;
const image = { header: { version: parseVersion("1.2.2+0") }, securityCounter: undefined } as unknown as ImageFacts;
const application = { job, kind: "application" as const, image, bytes };

type Given = Pick<Previous, "job" | "kind" | "image" | "bytes"> | undefined;
const cases: [what: string, previous: Given, rule: BootloaderRule, expected: string | undefined][] = [
  ["nothing that is known", undefined, "none", "skipped"],
  ["an image that is gone", { ...application, image: undefined, bytes: undefined }, "none", "skipped"],
  ["an older image, by version", application, "version", "refused"],
  ["an older image, by nothing", application, "none", undefined],
  ["an older image, by a counter that nobody has", application, "counter", undefined],
  ["a modem's delta that a job brought", { ...application, kind: "modemDelta", image: undefined }, "none", "skipped"],
  [
    "a modem's delta that is given",
    { ...application, job: undefined, kind: "modemDelta", image: undefined },
    "unknown",
    undefined,
  ],
  ["something else", { ...application, kind: "unknown", image: undefined }, "unknown", "refused"],
  ["something else that may be taken", { ...application, kind: "unknown", image: undefined }, "none", undefined],
];

for (const [what, previous, rule, expected] of cases) {
  test(`back to ${what}: ${expected ?? "goes back"}`, () => {
    assert.equal(obstacleOf(running, previous, rule)?.kind, expected);
  });
}
