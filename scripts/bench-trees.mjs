// Built trees of two commits side by side, for `npm run bench -- NAME --against COMMIT`. A commit's tree stays in .cache/bench, by its id,
// for the next comparison; the eldest go. Foreign packages are shared with this checkout when the lock file is the same.
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { root } from "./workspace.mjs";

const cache = join(root, ".cache/bench");
const treesMax = 4;
const readyMark = ".thingline-bench-ready";

export class BenchError extends Error {}

function git(args, options = {}) {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });
  } catch (error) {
    throw new BenchError(`git ${args[0]}: ${String(error.stderr ?? error.message).trim()}`, { cause: error });
  }
}

/** The full id of a commit. */
export function commitOf(name) {
  if (name.startsWith("-")) throw new BenchError(`--against wants a commit, got ${name}`);
  return git(["rev-parse", "--verify", "--quiet", `${name}^{commit}`]).trim();
}

export const isTreeClean = () => git(["status", "--porcelain"]) === "";

/** Whether a commit has that file. */
export const hasFile = (commit, path) => git(["ls-tree", "--name-only", commit, "--", path]).trim() !== "";

function checkOut(commit, folder) {
  const env = { ...process.env, GIT_INDEX_FILE: join(folder, ".index") };
  git(["read-tree", commit], { env });
  git(["checkout-index", "--all", "--force", `--prefix=${folder}${sep}`], { env });
  rmSync(join(folder, ".index"));
}

/** What is in the working tree now, changes and new files too. */
function copyWorkingTree(folder) {
  for (const path of git(["ls-files", "-co", "--exclude-standard", "-z"]).split("\0")) {
    if (path === "" || !existsSync(join(root, path))) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(join(root, path), join(folder, path));
  }
}

function run(command, args, cwd) {
  const done = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new BenchError(`${relative(root, cwd)}: ${command} ${args.join(" ")} failed; see above`);
}

/** The workspaces of a tree by package name: folders of packages and apps. */
function workspacesOf(folder) {
  const found = [];
  for (const group of ["packages", "apps"]) {
    if (!existsSync(join(folder, group))) continue;
    for (const name of readdirSync(join(folder, group))) {
      const manifest = join(folder, group, name, "package.json");
      if (existsSync(manifest))
        found.push([JSON.parse(readFileSync(manifest, "utf8")).name, join(folder, group, name)]);
    }
  }
  return found;
}

/** A folder node_modules whose foreign packages are this checkout's, and ours those of the tree itself. */
function shareModules(folder) {
  const [from, to] = [join(root, "node_modules"), join(folder, "node_modules")];
  mkdirSync(join(to, "@thingline"), { recursive: true });
  for (const name of readdirSync(from)) {
    if (!name.startsWith(".") && name !== "@thingline") symlinkSync(join(from, name), join(to, name));
  }
  for (const [name, place] of workspacesOf(folder)) {
    if (!name.startsWith("@thingline/")) continue;
    symlinkSync(relative(join(to, "@thingline"), place), join(to, name));
  }
}

function install(folder) {
  const same = ["package-lock.json", "package.json"].every(
    (name) => foreignOf(join(root, name)) === foreignOf(join(folder, name)),
  );
  if (same) return shareModules(folder);
  console.error("The lock file is another one: npm ci ...");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  if (npm) run(process.execPath, [npm, ...args], folder);
  else run("npm", args, folder);
}

/** What a manifest or lock file says about packages of others. */
function foreignOf(path) {
  const { packages, dependencies, devDependencies, overrides } = JSON.parse(readFileSync(path, "utf8"));
  const foreign = Object.entries(packages ?? {}).filter(([place]) =>
    /(^|\/)node_modules\/(?!@thingline\/)/.test(place),
  );
  return JSON.stringify({ foreign: Object.fromEntries(foreign), dependencies, devDependencies, overrides });
}

function build(folder) {
  const own = join(folder, "node_modules/typescript-native/bin/tsc");
  const projects = workspacesOf(folder).map(([, place]) => place);
  run(
    process.execPath,
    [existsSync(own) ? own : join(root, "node_modules/typescript/bin/tsc"), "-b", ...projects],
    folder,
  );
}

function forgetEldest(kept) {
  const trees = readdirSync(cache)
    .map((name) => join(cache, name))
    .filter((folder) => existsSync(join(folder, readyMark)) && !kept.includes(folder))
    .sort((one, other) => statSync(join(other, readyMark)).mtimeMs - statSync(join(one, readyMark)).mtimeMs);
  for (const folder of trees.slice(Math.max(0, treesMax - kept.length))) rmSync(folder, { recursive: true });
}

/** Fills a folder under a name of its own, so that an interrupted build is never taken for a good one. */
export function makeTree(name, fill, kept) {
  const folder = join(cache, name);
  const mark = join(folder, readyMark);
  if (existsSync(mark)) {
    const now = new Date();
    utimesSync(mark, now, now);
    return folder;
  }
  const unfinished = `${folder}.${process.pid}.unfinished`;
  mkdirSync(unfinished, { recursive: true });
  try {
    fill(unfinished);
    install(unfinished);
    build(unfinished);
    writeFileSync(join(unfinished, readyMark), "");
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
  forgetEldest([...kept, folder]);
  return folder;
}

export const treeOfCommit = (commit, kept = []) =>
  makeTree(commit.slice(0, 12), (folder) => checkOut(commit, folder), kept);

/** The working tree with its changes: made anew each time. */
export function treeOfChanges(kept = []) {
  rmSync(join(cache, "changes"), { recursive: true, force: true });
  return makeTree("changes", copyWorkingTree, kept);
}

/** Folders of builds that were cut off. */
export function removeUnfinished() {
  if (!existsSync(cache)) return;
  for (const name of readdirSync(cache)) {
    if (name.endsWith(`.${process.pid}.unfinished`)) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

/** Built bench files that a bench consists of: what it imports or starts by name, and so on. */
function filesOf(name) {
  const files = new Set([`${name}.bench.js`]);
  for (const file of files) {
    const text = readFileSync(join(root, "bench/dist", file), "utf8");
    for (const [, other] of text.matchAll(/["'](?:\.\/)?([\w.-]+\.js)["']/g)) {
      if (existsSync(join(root, "bench/dist", other))) files.add(other);
    }
  }
  return [...files];
}

/**
 * Puts this checkout's bench into a tree, so that both sides are measured by the same program.
 *
 * @throws {BenchError} when the tree has no package that the bench needs: Node would find this checkout's above it
 */
export function placeBench(name, folder, label) {
  const target = join(folder, "bench/dist");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  if (!existsSync(join(folder, "bench/package.json")))
    writeFileSync(join(target, "package.json"), '{"type":"module"}\n');
  for (const file of filesOf(name)) {
    const text = readFileSync(join(root, "bench/dist", file), "utf8");
    for (const [, wanted] of text.matchAll(/["'](@thingline\/[\w-]+)/g)) {
      const place = join(folder, "node_modules", wanted);
      if (!existsSync(place) || !realpathSync(place).startsWith(realpathSync(folder) + sep)) {
        throw new BenchError(`${label} has no ${wanted}, which the bench ${name} needs`);
      }
    }
    copyFileSync(join(root, "bench/dist", file), join(target, file));
  }
  return join(target, `${name}.bench.js`);
}
