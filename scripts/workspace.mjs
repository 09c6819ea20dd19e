// What the other scripts share: install and build when needed, and only then. Runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeOrphans } from "./dist-orphans.mjs";

/**
 * In `exports` and `imports` of a package.json: where a run of tests finds the package's files joined (see test-bundles.mjs). It is not shipped.
 */
export const bundleCondition = "thingline-bundle";

export const root = fileURLToPath(new URL("..", import.meta.url));

const installStamp = join(root, "node_modules/.thingline-installed");
const buildStamp = join(root, "node_modules/.thingline-built");

/** Runs a command with its output on our standard error, so that `--json` owns standard output. */
export function run(command, args, { env, stdio = ["ignore", 2, 2] } = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio, env: { ...process.env, ...env } });
  if (done.error) throw done.error;
  return done.status ?? 1;
}

export function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Thingline needs Node.js 20.19 or newer, this is ${process.versions.node}.`);
  process.exit(1);
}

/** `npm ci`, unless the installed tree already is the lock file's. */
export function ensureInstalled() {
  requireNode();
  const digest = createHash("sha256");
  for (const file of ["package-lock.json", "package.json"]) digest.update(readFileSync(join(root, file)));
  const wanted = `${digest.digest("hex")} ${process.platform}-${process.arch}`;
  if (existsSync(installStamp) && readFileSync(installStamp, "utf8") === wanted) return;
  console.error("Installing dependencies (npm ci) ...");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const status = npm ? run(process.execPath, [npm, ...args]) : run("npm", args);
  if (status !== 0) {
    console.error("npm ci failed; see above. Without a network, an npm cache of the same lock file is needed.");
    process.exit(status);
  }
  writeFileSync(installStamp, wanted);
}

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "dist" || entry.name === "node_modules" || entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|mts)$|^(package|tsconfig.*)\.json$/.test(entry.name)) yield path;
  }
}

/** Names, sizes and times of all that the compiler reads, as one digest. */
function sourceDigest() {
  const digest = createHash("sha256");
  const folders = ["packages", "apps", "tests", "bench", "examples"].filter((folder) => existsSync(join(root, folder)));
  for (const folder of folders) {
    for (const path of [...sources(join(root, folder))].sort()) {
      const { mtimeMs, size } = statSync(path);
      digest.update(`${path} ${mtimeMs} ${size}\n`);
    }
  }
  digest.update(readFileSync(join(root, "tsconfig.base.json")));
  digest.update(existsSync(installStamp) ? readFileSync(installStamp) : "");
  return digest.digest("hex");
}

export const compiler = join(root, "node_modules/typescript-native/bin/tsc");

/** `tsc -b`, unless nothing changed since the last good build. */
export function ensureBuilt({ isForced = false } = {}) {
  const wanted = sourceDigest();
  const built = existsSync(join(root, "apps/cli/dist/main.js")) && existsSync(buildStamp);
  if (!isForced && built && readFileSync(buildStamp, "utf8") === wanted) return;
  if (!isForced) console.error("Building (tsc -b) ...");
  const status = run(process.execPath, [compiler, "-b", "--pretty", "false"]);
  if (status !== 0) {
    console.error("The build failed; see above.");
    process.exit(status);
  }
  for (const group of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, group))) removeOrphans(join(root, group, name));
  }
  mkdirSync(join(root, "node_modules"), { recursive: true });
  writeFileSync(buildStamp, wanted);
}
