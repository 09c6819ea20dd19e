// npm run size: what the device library takes on disk once it is installed, with all that comes along. Fails over the limit,
// and on what small machines cannot have: native code, install scripts, a dependency that nobody decided on.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root } from "./workspace.mjs";

/** Installed bytes of @thingline/device with everything it needs. */
export const installedBytesMax = 2_000_000;
/** Runtime dependencies outside the project, each with a line in docs/dependencies.md. */
export const allowedDependencies = [];

ensureInstalled();
ensureBuilt();

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

function* files(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield { path, bytes: statSync(path).size };
  }
}

/** What npm would publish of a package of ours. */
function packed(folder) {
  const npm = process.env.npm_execpath;
  // With what npm runs around it: it is measured as it ships.
  const args = ["pack", "--dry-run", "--json", "--loglevel=error"];
  const [command, words] = npm ? [process.execPath, [npm, ...args]] : ["npm", args];
  const done = spawnSync(command, words, { cwd: folder, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`npm pack failed in ${folder}: ${done.stderr}`);
  const [{ unpackedSize, size, files: list }] = JSON.parse(done.stdout);
  return { installedBytes: unpackedSize, packedBytes: size, paths: list.map(({ path }) => path) };
}

const rows = [];
const faults = [];
const seen = new Set();

function visit(name) {
  if (seen.has(name)) return;
  seen.add(name);
  const isOurs = name.startsWith("@thingline/");
  const folder = isOurs ? join(root, "packages", name.split("/")[1]) : join(root, "node_modules", name);
  const manifest = manifestOf(folder);
  const found = isOurs ? packed(folder) : outsider(folder);
  rows.push({ name, version: manifest.version, ...found });
  if (!isOurs && !allowedDependencies.includes(name)) faults.push(`${name} is a dependency that nobody decided on`);
  for (const script of ["preinstall", "install", "postinstall"]) {
    if (manifest.scripts?.[script] !== undefined) faults.push(`${name} has the script ${script}`);
  }
  const native = found.paths.find((path) => /\.(node|gyp|so|dylib|dll)$/.test(path));
  if (native !== undefined) faults.push(`${name} has native code: ${native}`);
  for (const dependency of Object.keys(manifest.dependencies ?? {})) visit(dependency);
}

function outsider(folder) {
  const list = [...files(folder)];
  const installedBytes = list.reduce((sum, { bytes }) => sum + bytes, 0);
  return { installedBytes, packedBytes: undefined, paths: list.map(({ path }) => path) };
}

if (!existsSync(join(root, "packages/device/dist"))) throw new Error("packages/device is not built");
visit("@thingline/device");

const kilobytes = (bytes) => (bytes === undefined ? "" : `${(bytes / 1000).toFixed(0)} kB`);
const total = rows.reduce((sum, { installedBytes }) => sum + installedBytes, 0);
console.log("package".padEnd(24) + "version".padEnd(10) + "installed".padStart(12) + "packed".padStart(12));
for (const { name, version, installedBytes, packedBytes } of rows) {
  const sizes = kilobytes(installedBytes).padStart(12) + kilobytes(packedBytes).padStart(12);
  console.log(name.padEnd(24) + version.padEnd(10) + sizes);
}
console.log("in all".padEnd(34) + kilobytes(total).padStart(12));
if (total > installedBytesMax)
  faults.push(`${kilobytes(total)} are installed, at most ${kilobytes(installedBytesMax)} may be`);
for (const fault of faults) console.error(`size: ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);
