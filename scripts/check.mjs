// npm run check: what CI runs, in under three minutes. The static checks run beside the tests: each leaves cores idle.
//   --without-tests   only the static checks
//   --docs            the API reference as well
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root } from "./workspace.mjs";

ensureInstalled();
ensureBuilt({ isForced: true });

const bin = (path) => join(root, "node_modules", path);
const staticChecks = [
  ["arrows", [join(root, "scripts/check-arrows.mjs")]],
  ["format", [bin("oxfmt/bin/oxfmt"), "--check"]],
  ["lint", [bin("oxlint/bin/oxlint"), "--deny-warnings"]],
];
const docs = process.argv.includes("--docs") ? [["API reference", [bin("typedoc/bin/typedoc")]]] : [];
const testRun = process.argv.includes("--without-tests") ? [] : [["tests", [join(root, "scripts/test.mjs")]]];

/** Runs one check to its end; what it printed is shown in one piece, so that two do not mix. */
function runCheck([name, args]) {
  return new Promise((resolve) => {
    const started = process.hrtime.bigint();
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const printed = [];
    child.stdout.on("data", (chunk) => printed.push(chunk));
    child.stderr.on("data", (chunk) => printed.push(chunk));
    child.once("close", (status) => {
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      process.stdout.write(Buffer.concat(printed));
      console.error(`${status === 0 ? "ok  " : "FAIL"} ${name} ${seconds.toFixed(1)} s`);
      resolve(status === 0);
    });
  });
}

async function runInTurn(checks) {
  let isGood = true;
  for (const check of checks) isGood = (await runCheck(check)) && isGood;
  return isGood;
}

const results = await Promise.all([runInTurn(staticChecks), runInTurn(docs), runInTurn(testRun)]);
process.exit(results.every(Boolean) ? 0 : 1);
