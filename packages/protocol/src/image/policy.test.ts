import assert from "node:assert/strict";
import { test } from "node:test";
import { downgradeRefusal, type Generation } from "./policy.js";
import { parseVersion } from "./version.js";

const of = (version: string, securityCounter?: number): Generation => ({
  version: parseVersion(version) ?? assert.fail(version),
  securityCounter,
});

// check_downgrade_prevention() of MCUboot 2.4.
const cases: readonly [
  running: Generation,
  candidate: Generation,
  by: "version" | "counter",
  code: string | undefined,
][] = [
  [of("1.2.3"), of("1.2.3"), "version", undefined],
  [of("1.2.3"), of("1.2.4"), "version", undefined],
  [of("1.2.3"), of("1.2.2"), "version", "VERSION_LOWER"],
  [of("1.2.3+9"), of("1.2.3+1"), "version", undefined],
  [of("1.2.3", 9), of("1.2.3", 1), "version", undefined],
  [of("1.2.3", 5), of("1.0.0", 5), "counter", undefined],
  [of("1.2.3", 5), of("9.0.0", 4), "counter", "SECURITY_COUNTER_LOWER"],
  [of("1.2.3", 5), of("9.0.0"), "counter", "SECURITY_COUNTER_MISSING"],
  [of("1.2.3"), of("1.0.0"), "counter", undefined],
  [of("1.2.3", 0), of("1.0.0"), "counter", "SECURITY_COUNTER_MISSING"],
];

for (const [running, candidate, by, code] of cases) {
  test(`downgrade by ${by}: ${JSON.stringify([running, candidate])}: ${code ?? "allowed"}`, () => {
    assert.equal(downgradeRefusal(running, candidate, { by })?.code, code);
  });
}

test("the build counts when MCUboot was built so", () => {
  const refusal = downgradeRefusal(of("1.2.3+9"), of("1.2.3+1"), { by: "version", comparesBuild: true });
  assert.equal(refusal?.code, "VERSION_LOWER");
});
