import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runProgram } from "./cli-process.js";

const folder = fileURLToPath(new URL("../../../examples", import.meta.url));

for (const name of readdirSync(folder).filter((file) => file.endsWith(".ts"))) {
  test(`examples/${name} runs to its end`, async (t) => {
    const built = join(folder, "dist", name.replace(/\.ts$/, ".js"));
    const { code, stdout, stderr } = await runProgram(t, process.execPath, [built]);
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.notEqual(stdout, "");
  });
}
