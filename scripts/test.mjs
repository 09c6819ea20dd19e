// npm test: install and build when needed, then node:test on the built output, files passed by name.
//   --unit | --integration | --conformance | --long   which ones (default: unit and integration)
//   --with-long-variants                              of those only the ones that do more with --long
//   --coverage                                        through c8
//   --node FILE                                       run the tests with this Node.js
//   --isolated                                        a process for each file, where unit tests else share some
//   any other word                                    only files whose path contains it
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBundles } from "./test-bundles.mjs";
import { groupModule, planProcesses } from "./test-groups.mjs";
import { bundleCondition, ensureBuilt, ensureInstalled, root, run } from "./workspace.mjs";

const words = process.argv.slice(2);
const nodeAt = words.indexOf("--node");
const node = nodeAt === -1 ? process.execPath : words.splice(nodeAt, 2)[1];
const flags = new Set(words.filter((word) => word.startsWith("--")));
const filters = words.filter((word) => !word.startsWith("--"));
const known = new Set([
  "--unit",
  "--integration",
  "--conformance",
  "--long",
  "--with-long-variants",
  "--coverage",
  "--isolated",
]);
for (const flag of flags) {
  if (known.has(flag)) continue;
  console.error(`test: no option ${flag}; there are ${[...known].join(", ")} and parts of file names.`);
  process.exit(2);
}

function* walk(folder, ending) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path, ending);
    else if (entry.name.endsWith(ending)) yield path;
  }
}

/** Built test files of one source folder; a source without its built file is an error, not a silent gap. */
function builtTests(sourceFolder, builtFolder) {
  const built = [];
  for (const source of walk(sourceFolder, ".test.ts")) {
    if (source.includes(`${sep}dist${sep}`)) continue;
    const target = join(builtFolder, relative(sourceFolder, source).replace(/\.ts$/, ".js"));
    if (!existsSync(target)) {
      console.error(`test: ${relative(root, source)} was not built to ${relative(root, target)}`);
      process.exit(1);
    }
    built.push(target);
  }
  return built;
}

function unitTests() {
  const files = [...walk(join(root, "scripts"), ".test.mjs")];
  for (const group of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, group))) {
      files.push(...builtTests(join(root, group, name, "src"), join(root, group, name, "dist")));
    }
  }
  return files;
}

const tests = (name) => builtTests(join(root, "tests", name), join(root, "tests/dist", name));

/** Whether a test, or what supports it, does more in the long run. */
function hasLongVariant(path, seen = new Set()) {
  seen.add(path);
  const text = readFileSync(path, "utf8");
  if (text.includes("THINGLINE_TEST_LONG")) return true;
  const supports = [...text.matchAll(/from "(\.{1,2}\/[^"]+\.test\.support\.js)"/g)].map(([, name]) =>
    join(dirname(path), name),
  );
  return supports.some((support) => !seen.has(support) && hasLongVariant(support, seen));
}

ensureInstalled();
ensureBuilt();

const chosen = ["--unit", "--integration", "--conformance"].filter((flag) => flags.has(flag));
const groups = chosen.length > 0 ? chosen : ["--unit", "--integration"];
let files = [];
if (groups.includes("--unit")) files.push(...unitTests());
if (groups.includes("--integration")) files.push(...tests("integration"), ...tests("simulation"));
if (groups.includes("--conformance")) files.push(...tests("conformance"));
if (flags.has("--with-long-variants")) files = files.filter((file) => hasLongVariant(file));
if (filters.length > 0) files = files.filter((file) => filters.some((filter) => file.includes(filter)));
if (files.length === 0) {
  console.error("test: no test file fits.");
  process.exit(1);
}
files = files.map((file) => relative(root, file));

// Node's own default leaves a core idle, which on a small machine is half of it; many tests wait for sockets anyway.
const concurrency = Math.max(3, availableParallelism());
const isLong = flags.has("--long");
/** A hang cannot stall a run: processes of tests are ended after this, and the file and what it was at are named. */
const processMaxMs = isLong ? 900_000 : 300_000;
/** Files of a shared process that failed as a whole, each in a process of its own. */
const aloneMaxMs = isLong ? 300_000 : 60_000;
/** What a file may take on a quiet machine: not a limit, but what the end of a run measures it by. See CONTRIBUTING.md. */
const fileBudgetSeconds = isLong ? 120 : 10;

const folder = join(root, ".cache/tests", String(process.pid));
rmSync(folder, { recursive: true, force: true });
for (const name of ["keys", "tests/dist"]) mkdirSync(join(folder, name), { recursive: true });
const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
process.on("exit", removeFolder);

/** What Node is to run for a process: the file itself, or a module that imports its files one after the other. */
function entryOf({ name, files }) {
  if (files.length === 1) return join(root, files[0]);
  // Where the path tells, as that of each file does, that these are no unit tests: see test-preload.mjs.
  const entry = join(folder, files[0].startsWith(`tests${sep}`) ? "tests/dist" : "", `${name}.mjs`);
  writeFileSync(entry, groupModule(files.map((file) => pathToFileURL(join(root, file)).href)));
  return entry;
}

// A single file, or a few that somebody asked for, need no help to start quickly.
const isIsolated = flags.has("--isolated") || files.length <= 3;
const processes = planProcesses(files, {
  isIsolated,
  ...(isLong && { isLong: (file) => hasLongVariant(join(root, file)) }),
}).map((one) => ({
  ...one,
  files: one.files.map((file) => join(root, file)),
  entry: entryOf(one),
}));
// All else runs the modules as they were built: the long run, outside clients, unit tests by themselves, and files that somebody asked for.
const isBundled = groups.includes("--integration") && !isLong && !isIsolated && !flags.has("--coverage");
if (isBundled) await ensureBundles();
const nodeOptions = [
  process.env.NODE_OPTIONS ?? "",
  `--import ${pathToFileURL(join(root, "scripts/test-preload.mjs")).href}`,
  isBundled ? `--conditions ${bundleCondition}` : "",
];
// Of the processes of tests, not of the one that runs them.
const childEnv = {
  THINGLINE_TEST_RUN: folder,
  ...(!isIsolated && { THINGLINE_TEST_PROMISES: "untold" }),
  NODE_OPTIONS: nodeOptions.join(" ").trim(),
  ...(isLong
    ? { THINGLINE_TEST_LONG: "1" }
    : groups.includes("--conformance")
      ? {}
      : { THINGLINE_TEST_KEYS: "pooled" }),
};
const task = join(folder, "task.json");
const limits = { concurrency, processMaxMs, aloneMaxMs, fileBudgetSeconds };
writeFileSync(task, JSON.stringify({ processes, folder, childEnv, ...limits }));
// Results come in the order in which processes begin, the longest first: until that one ends there are none.
if (!isIsolated)
  console.error(`Running ${files.length} test files; the longest come first, and nothing is told before their end ...`);
const nodeArgs = ["--enable-source-maps", join(root, "scripts/test-run.mjs"), task];
const status = flags.has("--coverage")
  ? run(process.execPath, [join(root, "node_modules/c8/bin/c8.js"), process.execPath, ...nodeArgs], {
      stdio: "inherit",
    })
  : run(node, nodeArgs, { stdio: "inherit" });
process.exit(status);
