// README.md's programs, compiled as they stand under the strictest options.
import assert from "node:assert/strict";
import { readFile, rm, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runProgram } from "./cli-process.test.support.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test("every program of README.md compiles as it stands; the one for tests runs", async (t) => {
  const text = await readFile(join(root, "README.md"), "utf8");
  const programs = [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, program = ""]) => program);
  assert.equal(programs.length, 4);
  // In the workspace, where the packages are, and out of the way of what builds and checks it.
  const place = await mkdtemp(join(root, "node_modules/.readme-"));
  t.after(() => rm(place, { recursive: true, force: true }));
  await writeFile(join(place, "package.json"), JSON.stringify({ type: "module" }));
  await Promise.all(programs.map((program, at) => writeFile(join(place, `program-${at}.ts`), program)));
  const compilerOptions = {
    ...{ module: "nodenext", target: "es2022", lib: ["es2022", "esnext.disposable"], types: ["node"] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true },
  };
  const files = programs.map((_, at) => `program-${at}.ts`);
  await writeFile(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const compiler = join(root, "node_modules/typescript-native/bin/tsc");
  const compiled = await runProgram(t, process.execPath, [compiler, "-p", place]);
  assert.equal(compiled.stdout, "");
  const { code, stderr } = await runProgram(t, process.execPath, [join(place, "program-3.js")]);
  assert.equal(code, 0, stderr);
});
