// Runs test processes with node:test and says which files were slowest. Started by test.mjs with the Node.js that is to run the tests.
// Argument: a JSON file with { processes: [{ name, files, entry }], folder, concurrency, processMaxMs, aloneMaxMs, childEnv }.
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { processes, folder, concurrency, processMaxMs, aloneMaxMs } = task;
Object.assign(process.env, task.childEnv);
const slowestMax = 10;

/** Seconds of the tests of a file, by its source: all that is known of one that shares its process. */
const testSeconds = new Map();

/** Runs files, each in a process of its own. Resolves to those whose process failed as a whole. */
function runFiles(files, maxMs) {
  const broken = new Set();
  process.env.THINGLINE_TEST_MAX_MS = String(maxMs);
  const stream = run({ files, concurrency, timeout: maxMs });
  const count = ({ file, nesting, details }) => {
    if (nesting !== 0 || file === undefined) return;
    testSeconds.set(file, (testSeconds.get(file) ?? 0) + details.duration_ms / 1000);
  };
  stream.on("test:pass", count);
  stream.on("test:fail", (event) => {
    count(event);
    if (event.todo !== undefined && event.todo !== false) return;
    process.exitCode = 1;
    // The test that stands for a file has the file's name.
    if (files.includes(event.name)) broken.add(event.name);
  });
  return new Promise((resolve) => {
    const report = stream.compose(new spec());
    report.once("end", () => resolve(broken));
    report.pipe(process.stdout, { end: false });
  });
}

/** Node names the source of a test where there is a source map. */
const sourceOf = (file) => file.replace(/([\\/](?:packages|apps)[\\/][\w-]+[\\/])dist([\\/].*)\.js$/, "$1src$2.ts");

/** By process and for shared ones by file; the processor's time counts all that a file started. */
function slowestFiles() {
  const found = new Map();
  const add = (file, seconds, cpuSeconds) => {
    const entry = found.get(file) ?? { file, seconds: 0, cpuSeconds: 0 };
    entry.seconds += seconds;
    entry.cpuSeconds += cpuSeconds;
    found.set(file, entry);
  };
  const times = existsSync(`${folder}/times`) ? readFileSync(`${folder}/times`, "utf8") : "";
  for (const line of times.split("\n").filter(Boolean)) {
    const { file, seconds, cpuSeconds } = JSON.parse(line);
    add(file, seconds, cpuSeconds);
  }
  for (const { entry, files } of processes.filter(({ files }) => files.length > 1)) {
    found.delete(entry);
    for (const file of files) add(file, testSeconds.get(sourceOf(file)) ?? testSeconds.get(file) ?? 0, NaN);
  }
  return [...found.values()].sort((one, other) => other.seconds - one.seconds).slice(0, slowestMax);
}

const broken = await runFiles(
  processes.map(({ entry }) => entry),
  processMaxMs,
);
for (const { name, files } of processes.filter(({ entry, files }) => broken.has(entry) && files.length > 1)) {
  console.log(`\nThe process of ${name} failed as a whole; its files, each alone:`);
  await runFiles(files, aloneMaxMs);
}
console.log("\nThe slowest files, in seconds, and seconds of processor time with all that they started:");
for (const { file, seconds, cpuSeconds } of slowestFiles()) {
  const cpu = Number.isNaN(cpuSeconds) ? "(shared)" : cpuSeconds.toFixed(1);
  console.log(`${seconds.toFixed(1).padStart(6)} ${cpu.padStart(8)}  ${relative(root, file)}`);
}
