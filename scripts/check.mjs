// npm run check: what CI runs, in under three minutes. Stops at the first step that fails.
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root, run } from "./workspace.mjs";

ensureInstalled();
const bin = (path) => join(root, "node_modules", path);
const steps = [
  ["types", () => ensureBuilt({ isForced: true })],
  [
    "format",
    () =>
      run(process.execPath, [
        bin("prettier/bin/prettier.cjs"),
        "--check",
        "--log-level=warn",
        ".",
        "--cache",
        "--cache-location=.cache/prettier",
      ]),
  ],
  ["arrows", () => run(process.execPath, [join(root, "scripts/check-arrows.mjs")])],
  [
    "lint",
    () =>
      run(process.execPath, [
        bin("eslint/bin/eslint.js"),
        ".",
        "--max-warnings",
        "0",
        "--cache",
        "--cache-location",
        ".cache/eslint",
      ]),
  ],
  !process.argv.includes("--without-tests") && [
    "tests",
    () => run(process.execPath, [join(root, "scripts/test.mjs")], { stdio: "inherit" }),
  ],
].filter(Boolean);
for (const [name, step] of steps) {
  const started = process.hrtime.bigint();
  const status = step() ?? 0;
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  console.error(`${status === 0 ? "ok  " : "FAIL"} ${name} ${seconds.toFixed(1)} s`);
  if (status !== 0) process.exit(status);
}
