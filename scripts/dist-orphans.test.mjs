import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { removeOrphans } from "./dist-orphans.mjs";

test("what was made of sources that are gone goes as well, and nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "thingline-orphans-"));
  try {
    const kept = ["src/a.ts", "src/b/c.test.support.ts", "dist/a.js", "dist/a.d.ts.map", "dist/b/c.test.support.js"];
    const others = ["dist/tsconfig.tsbuildinfo", "dist/table.json"];
    const orphans = ["dist/old.js", "dist/old.js.map", "dist/old.d.ts", "dist/old.d.ts.map", "dist/moved/a.js"];
    for (const file of [...kept, ...others, ...orphans]) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), "");
    }
    assert.equal(removeOrphans(folder).length, orphans.length);
    for (const file of [...kept, ...others]) assert.ok(existsSync(join(folder, file)), file);
    for (const file of [...orphans, "dist/moved"]) assert.ok(!existsSync(join(folder, file)), file);
    assert.deepEqual(removeOrphans(folder), []);
    assert.deepEqual(removeOrphans(join(folder, "src")), [], "there is no dist");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
