// Runs test processes with node:test and says which files were slowest. Started by test.mjs with the Node.js that is to run the tests.
// Argument: a JSON file with { processes: [{ name, files, entry }], folder, concurrency, processMaxMs, aloneMaxMs, fileBudgetSeconds, childEnv }.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { processes, folder, concurrency, processMaxMs, aloneMaxMs, fileBudgetSeconds } = task;
Object.assign(process.env, task.childEnv);
const slowestMax = 10;
/** So long a process has to end itself, which it does with the names of its tests; one in an endless loop cannot. */
const graceMs = (maxMs) => Math.min(5_000, maxMs);

/** Seconds of the tests of a file, by its source: all that is known of one that shares its process. */
const testSeconds = new Map();

/** Runs files, each in a process of its own. Resolves to those whose process failed as a whole. */
function runFiles(files, maxMs) {
  const broken = new Set();
  process.env.THINGLINE_TEST_MAX_MS = String(maxMs);
  const stream = run({ files, concurrency, timeout: maxMs + graceMs(maxMs) });
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
    if (!files.includes(event.name)) return;
    broken.add(event.name);
    if (event.details.error?.failureType === "testTimeoutFailure") tellLate({ file: event.name, tests: [] });
  });
  const endLoops = setInterval(() => endLateChildren(files, maxMs + 2 * graceMs(maxMs)), 1_000);
  return new Promise((resolve) => {
    const report = stream.compose(new spec());
    report.once("end", () => {
      clearInterval(endLoops);
      resolve(broken);
    });
    report.pipe(process.stdout, { end: false });
  });
}

/** Not every version of Node ends a process whose time is over, and one in an endless loop does not end itself. Where the system tells (Linux). */
function endLateChildren(files, maxMs) {
  const field = (path, number) => Number(readFileSync(path, "utf8").split(") ").at(-1).split(" ")[number]);
  try {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
    for (const child of children.split(" ").filter(Boolean)) {
      // proc(5): field 22 is when it started, in hundredths of a second after the machine did.
      const ageMs = field("/proc/uptime", 0) * 1000 - field(`/proc/${child}/stat`, 19) * 10;
      if (ageMs <= maxMs) continue;
      const words = readFileSync(`/proc/${child}/cmdline`, "utf8").split("\0");
      process.kill(Number(child), "SIGKILL");
      tellLate({ file: files.find((file) => words.includes(file)) ?? words.join(" "), tests: [] });
    }
  } catch {
    // Elsewhere, or it has just ended.
  }
}

function tellLate(late) {
  appendFileSync(`${folder}/late`, `${JSON.stringify(late)}\n`);
}

/** Files that took longer than they may, each with the tests that had not ended, where it could still tell. */
function lateFiles() {
  const late = new Map();
  for (const { file, tests } of linesOf("late")) late.set(file, new Set([...(late.get(file) ?? []), ...tests]));
  return late;
}

/** @returns what the processes of tests wrote into a file of the run, an object a line */
function linesOf(name) {
  const text = existsSync(`${folder}/${name}`) ? readFileSync(`${folder}/${name}`, "utf8") : "";
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Node names the source of a test where there is a source map. */
const sourceOf = (file) =>
  file
    .replace(/([\\/](?:packages|apps)[\\/][\w-]+[\\/])dist([\\/].*)\.js$/, "$1src$2.ts")
    .replace(/([\\/]tests[\\/])dist[\\/](.*)\.js$/, "$1$2.ts");

/** By process and for shared ones by file; the processor's time counts all that a file started. */
function slowestFiles() {
  const found = new Map();
  const add = (file, seconds, cpuSeconds) => {
    const entry = found.get(file) ?? { file, seconds: 0, cpuSeconds: 0 };
    entry.seconds += seconds;
    entry.cpuSeconds += cpuSeconds;
    found.set(file, entry);
  };
  for (const { file, seconds, cpuSeconds } of linesOf("times")) add(file, seconds, cpuSeconds);
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
// Slower, and an error that nobody catches is told as one of its test.
delete process.env.THINGLINE_TEST_PROMISES;
for (const { name, files } of processes.filter(({ entry, files }) => broken.has(entry) && files.length > 1)) {
  console.log(`\nThe process of ${name} failed as a whole; its files, each alone:`);
  await runFiles(files, aloneMaxMs);
}
for (const [file, tests] of lateFiles()) {
  const at = [...tests].map((name) => `"${name}"`).join(", ");
  console.log(`\n${relative(root, file)} did not end in time and was ended${at && `, in ${at}`}`);
}
console.log("\nThe slowest files, in seconds, and seconds of processor time with all that they started:");
for (const { file, seconds, cpuSeconds } of slowestFiles()) {
  const isShared = Number.isNaN(cpuSeconds);
  const cpu = isShared ? "(shared)" : cpuSeconds.toFixed(1);
  const over = (isShared ? seconds : cpuSeconds) > fileBudgetSeconds ? `  over its ${fileBudgetSeconds} s` : "";
  console.log(`${seconds.toFixed(1).padStart(6)} ${cpu.padStart(8)}  ${relative(root, file)}${over}`);
}
