import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runModule, runProgram } from "./cli-process.test.support.js";

const folder = fileURLToPath(new URL("../../../examples", import.meta.url));
const names = readdirSync(folder).filter((file) => file.endsWith(".ts"));

describe("examples", { concurrency: 2 }, () => {
  for (const name of names) {
    test(`examples/${name} runs to its end`, async (t) => {
      const built = join(folder, "dist", name.replace(/\.ts$/, ".js"));
      // One has a process of its own, and so has a test file, which begins when it is loaded; the others share some, where nothing may be left.
      const isAlone = name === names[0] || readFileSync(join(folder, name), "utf8").includes("node:test");
      const { code, stdout, stderr } = await (isAlone ? runProgram(t, process.execPath, [built]) : runModule(built));
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      assert.notEqual(stdout, "");
    });
  }

  test("examples/README.md says what each of them shows, and names no other", () => {
    const text = readFileSync(join(folder, "README.md"), "utf8");
    const named = [...text.matchAll(/node examples\/dist\/([\w-]+)\.js/g)].map(([, name]) => `${name}.ts`);
    assert.deepEqual([...new Set(named)].sort(), names.sort());
  });
});
