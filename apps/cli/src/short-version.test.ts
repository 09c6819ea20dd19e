import assert from "node:assert/strict";
import { test } from "node:test";
import { shortVersion, shortVersions } from "./short-version.js";

test("a build of 0 is left out, any other is not", () => {
  for (const [version, shown] of [
    ["1.0.0+0", "1.0.0"],
    ["1.0.0+10", "1.0.0+10"],
    ["1.0.0", "1.0.0"],
    ["mfw_2.0.1", "mfw_2.0.1"],
  ] as const) {
    assert.equal(shortVersion(version), shown);
    assert.equal(shortVersions(`it runs ${version}, and ${version}.`), `it runs ${shown}, and ${shown}.`);
  }
  assert.equal(shortVersions("1.2.3+05 and 1.2.3+0.4"), "1.2.3+05 and 1.2.3+0.4");
});
