import assert from "node:assert/strict";
import { test } from "node:test";
import { formatVersion, parseVersion, type ImageVersion } from "@thingline/protocol/image";
import { bootloaderRules, type BootloaderRule } from "../bootloader-rules.js";
import { generationAbove, whyRefused } from "./rollback-rules.js";

const version = (text: string): ImageVersion => parseVersion(text) ?? assert.fail(text);
const old = { version: version("1.2.2+5"), securityCounter: 3 };

const cases: [runs: string | undefined, counter: number | undefined, refusedBy: BootloaderRule[]][] = [
  ["1.2.3+0", 3, ["unknown", "version", "version-and-build"]],
  ["1.2.2+6", 3, ["unknown", "version-and-build"]],
  ["1.2.2+5", 4, ["unknown", "counter"]],
  ["1.2.2+5", 3, []],
  ["1.2.1+0", undefined, []],
  ["v1.2.3", 3, ["unknown", "version", "version-and-build"]],
  // What cannot be compared may be anything.
  ["factory", 3, ["unknown", "version", "version-and-build"]],
  [undefined, 4, ["unknown", "version", "version-and-build", "counter"]],
];

for (const [runs, securityCounter, refusedBy] of cases) {
  test(`what runs ${runs ?? "nobody knows what"} with counter ${securityCounter ?? "none"} goes back by every rule but [${refusedBy.join(", ")}]`, () => {
    const refused = bootloaderRules.filter(
      (rule) => whyRefused({ version: runs, securityCounter }, old, rule) !== undefined,
    );
    assert.deepEqual(refused, refusedBy);
  });
}

test("an image without a counter is refused where one is stored", () => {
  const running = { version: "1.0.0", securityCounter: 1 };
  const candidate = { version: version("1.0.0"), securityCounter: undefined };
  assert.match(whyRefused(running, candidate, "counter") ?? "", /no security counter/);
});

test("the version above is above all that run, and so is the counter", () => {
  const running = [
    { version: "1.2.3+9", securityCounter: 4 },
    { version: "2.0.0", securityCounter: undefined },
    { version: "factory", securityCounter: 7 },
  ];
  const above = generationAbove(running, old);
  assert.deepEqual(above && [formatVersion(above.version), above.securityCounter], ["2.0.1+0", 7]);
  const full = generationAbove([{ version: "1.2.65535", securityCounter: undefined }], old);
  assert.equal(full && formatVersion(full.version), "1.3.0+0");
  assert.equal(generationAbove([{ version: "255.255.65535", securityCounter: undefined }], old), undefined);
  for (const rule of bootloaderRules) {
    assert.ok(above);
    const candidate = { version: above.version, securityCounter: above.securityCounter };
    for (const one of running.slice(0, 2)) assert.equal(whyRefused(one, candidate, rule), undefined, rule);
  }
});
