// npm run bench -- NAME --against COMMIT [--pairs N] [--rows WORDS] [--json] [the bench's own options]
// Builds this tree and COMMIT, measures them in turns with this tree's bench, and tells which rows are slower (exit status 1).
// The statistics stand in bench-statistics.mjs.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare, slowerRows, writeReport } from "./bench-compare.mjs";
import { pairsMin } from "./bench-statistics.mjs";
import {
  BenchError,
  commitOf,
  hasFile,
  isTreeClean,
  placeBench,
  removeUnfinished,
  treeOfChanges,
  treeOfCommit,
} from "./bench-trees.mjs";

/** One measurement takes seconds; one that takes this long hangs. */
const measurementMaxMs = 300_000;
const progressEveryMs = 10_000;

/** Takes our own options out of the bench's. */
export function readOptions(args) {
  const options = { against: undefined, pairs: pairsMin, rows: [], isJson: false, own: [] };
  for (let at = 0; at < args.length; at++) {
    const [, name, inline] = /^--(against|pairs|rows|json)(?:=(.*))?$/s.exec(args[at]) ?? [];
    if (name === undefined) {
      options.own.push(args[at]);
      continue;
    }
    if (name === "json") {
      options.isJson = true;
      continue;
    }
    const value = inline ?? args[++at];
    if (value === undefined || value === "") throw new BenchError(`--${name} wants a value`);
    if (name === "against") options.against = value;
    else if (name === "rows") options.rows = value.toLowerCase().split(/[\s,]+/);
    else options.pairs = pairsOf(value);
  }
  return options;
}

function pairsOf(text) {
  const pairs = Number(text);
  if (Number.isInteger(pairs) && pairs >= pairsMin && pairs <= 1001) return pairs;
  throw new BenchError(`--pairs must be a whole number from ${pairsMin} to 1001, got ${text}`);
}

/** Only measurements with a row that holds all the words. */
export function chooseRows(measurements, words) {
  const chosen = measurements.filter(({ rows }) =>
    rows.some(({ name }) => words.every((word) => name.toLowerCase().includes(word))),
  );
  if (chosen.length > 0) return chosen;
  const names = measurements.flatMap(({ rows }) => rows.map(({ name }) => name));
  throw new BenchError(`--rows ${words.join(" ")}: no such row; there are ${names.join("; ")}`);
}

/** Processes of one measurement: a group of their own, so that its servers end with it, by the group's id. */
class Runner {
  #group;
  #scratch;

  constructor(scratch) {
    this.#scratch = scratch;
  }

  stop() {
    if (this.#group === undefined) return;
    try {
      process.kill(-this.#group, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
    this.#group = undefined;
  }

  /** What one start of the bench prints, read as JSON. */
  async ask(file, args) {
    // A folder a measurement: what a server that is ended leaves in its temporary folder goes with it.
    const folder = mkdtempSync(join(this.#scratch, "run-"));
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
    this.#group = child.pid;
    const printed = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) child[name].on("data", (chunk) => (printed[name] += chunk));
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.stop();
    }, measurementMaxMs);
    const status = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(signal ?? code));
    });
    clearTimeout(timer);
    this.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    if (isLate) throw new Error(`no answer within ${measurementMaxMs / 1000} s`);
    if (status !== 0) throw new Error(`ended with ${status}: ${lastWords(printed.stderr)}`);
    try {
      return JSON.parse(printed.stdout);
    } catch (error) {
      throw new Error(`printed no JSON: ${lastWords(printed.stdout)}`, { cause: error });
    }
  }
}

/** Of a stack trace the line that says what happened. */
function lastWords(text) {
  const lines = text.trim().split("\n");
  const error = lines.find((line) => /^\w*Error\b|^bench: /.test(line.trim()));
  return (error ?? lines.at(-1) ?? "").trim().slice(0, 300);
}

function progress() {
  const startMs = performance.now();
  let toldMs = -Infinity;
  let stageBegan;
  return ({ stage, pair, pairs, done, all }) => {
    const nowMs = performance.now();
    if (stageBegan?.stage !== stage) stageBegan = { stage, nowMs };
    if (nowMs - toldMs < progressEveryMs) return;
    toldMs = nowMs;
    const left = done === 0 ? "" : `, ${shownTime(((nowMs - stageBegan.nowMs) / done) * (all - done))} left`;
    console.error(`bench: ${stage} ${pair} of ${pairs}, ${shownTime(nowMs - startMs)} so far${left}`);
  };
}

function shownTime(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${(seconds / 60).toFixed(1)} min`;
}

function makeTrees(against) {
  const commit = commitOf(against);
  const head = commitOf("HEAD");
  const isClean = isTreeClean();
  const labels = { old: commit.slice(0, 7), new: `${head.slice(0, 7)}${isClean ? "" : " and changes"}` };
  console.error(`bench: building ${labels.old} and ${labels.new} ...`);
  const old = treeOfCommit(commit);
  // The very same folder on both sides when a commit is compared with itself.
  return { commit, labels, old, new: isClean ? treeOfCommit(head, [old]) : treeOfChanges([old]) };
}

async function measureAll(name, options, runner) {
  const trees = makeTrees(options.against);
  if (!hasFile(trees.commit, `bench/${name}.bench.ts`)) {
    console.error(`bench: ${trees.labels.old} has no bench ${name}; it is measured with this tree's`);
  }
  const files = {};
  for (const side of ["old", "new"]) files[side] = placeBench(name, trees[side], trees.labels[side]);
  const listed = await runner.ask(files.new, ["--list", ...options.own]);
  const measurements = chooseRows(
    listed.map((rows, index) => ({ index, rows })),
    options.rows,
  );
  const count = measurements.flatMap(({ rows }) => rows).length;
  console.error(`bench: ${count} rows, ${options.pairs} pairs; Ctrl-C ends it and leaves nothing behind`);
  const measure = (side, { index }) => runner.ask(files[side], ["--measure", String(index), ...options.own]);
  const result = await compare(measurements, options.pairs, { measure, tell: progress() });
  return { name, ...trees, pairs: options.pairs, ...result };
}

/** Compares, prints, and resolves to the exit status: 0, 1 when a row is slower, 2 when it could not be measured. */
export async function benchAgainst(name, args) {
  const parent = process.env.TMPDIR ?? tmpdir();
  mkdirSync(parent, { recursive: true });
  const scratch = mkdtempSync(join(parent, "thingline-against-"));
  const runner = new Runner(scratch);
  const tidy = () => {
    runner.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
    removeUnfinished();
  };
  for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
    process.once(signal, () => {
      tidy();
      process.exit(status);
    });
  }
  try {
    const options = readOptions(args);
    const result = await measureAll(name, options, runner);
    const { rows, left, labels, pairs } = result;
    const slower = slowerRows(result);
    const facts = { name, against: labels.old, tree: labels.new, pairs, slower, rows, left };
    process.stdout.write(
      options.isJson
        ? `${JSON.stringify({ ...facts, falseAlarmsExpected: result.falseAlarmsExpected }, undefined, 2)}\n`
        : `\n${writeReport(result, { labels })}`,
    );
    // A comparison that compared nothing has not passed.
    return rows.length === 0 ? 2 : slower.length > 0 ? 1 : 0;
  } catch (error) {
    console.error(`bench: ${error.message}`);
    return 2;
  } finally {
    tidy();
  }
}
