// What makes processes of a test run start in half the time: the built files of each package, joined into a few by esbuild, which Node loads
// where the run tells it to (`--conditions thingline-bundle`). Node needs 0.7 ms of processor time for a module, a cloud has 450 of
// them, and a run of all tests starts 300 processes. See decision 287.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleCondition, root } from "./workspace.mjs";

const bundleFolder = ".bundle";

const packageFolders = () =>
  ["packages", "apps"].flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)));

/** @returns {string[]} what {@link doorsOf} would say */
export function doorFaults(manifest) {
  try {
    doorsOf(manifest);
    return [];
  } catch (error) {
    return [error.message];
  }
}

/**
 * The doors of a package, each with its built file.
 *
 * @param manifest a package.json
 * @returns {Record<string, string>} names of joined files without their ending, and built files
 * @throws where a door does not name its joined file, since a process would load both and have two of each class
 */
export function doorsOf({ name, exports = {}, imports = {} }) {
  const doors = {};
  for (const [door, targets] of [...Object.entries(exports), ...Object.entries(imports)]) {
    const built = targets.default;
    if (built === undefined || !/^\.\/dist\/.*\.js$/.test(built)) continue;
    const joined = built.replace("./dist/", `./${bundleFolder}/`);
    const keys = Object.keys(targets);
    if (targets[bundleCondition] !== joined || keys.indexOf(bundleCondition) > keys.indexOf("default"))
      throw new Error(
        `${name}: "${door}" needs "${bundleCondition}": "${joined}" before its default, as tests load it`,
      );
    doors[joined.slice(bundleFolder.length + 3, -".js".length)] = built;
  }
  return doors;
}

/** Names, sizes and times of all that is joined, and how, as one digest. */
function builtDigest() {
  const digest = createHash("sha256").update(readFileSync(fileURLToPath(import.meta.url)));
  for (const folder of packageFolders()) {
    digest.update(readFileSync(join(folder, "package.json")));
    for (const file of readdirSync(join(folder, "dist"), { recursive: true }).sort()) {
      if (!file.endsWith(".js") || file.includes(".test.")) continue;
      const { mtimeMs, size } = statSync(join(folder, "dist", file));
      digest.update(`${file} ${mtimeMs} ${size}\n`);
    }
  }
  return digest.digest("hex");
}

/** Another run may be reading: a file is there whole, or not at all. */
function write(path, contents) {
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, contents);
  renameSync(fresh, path);
}

async function joinPackage(folder) {
  const doors = doorsOf(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")));
  if (Object.keys(doors).length === 0) return;
  const outdir = join(folder, bundleFolder);
  const { build } = await import("esbuild");
  // Other packages, ours too, stay imports: what two packages use is there once.
  const { outputFiles } = await build({
    entryPoints: Object.fromEntries(Object.entries(doors).map(([name, built]) => [name, join(folder, built)])),
    outdir,
    ...{ bundle: true, splitting: true, packages: "external", format: "esm", platform: "node", target: "esnext" },
    // Names stay as they are: of classes and functions they are told in errors.
    ...{ keepNames: false, minify: false, sourcemap: "linked", sourcesContent: false },
    ...{ absWorkingDir: root, logLevel: "warning", write: false },
  });
  for (const { path, contents } of outputFiles) {
    mkdirSync(join(path, ".."), { recursive: true });
    write(path, contents);
  }
  const written = new Set(outputFiles.map(({ path }) => path));
  for (const file of readdirSync(outdir, { recursive: true })) {
    const path = join(outdir, file);
    if (/\.(js|map)$/.test(basename(path)) && !written.has(path)) rmSync(path, { force: true });
  }
}

/** Joins the built files of all packages, unless they are those of the last time. */
export async function ensureBundles() {
  const stamp = join(root, ".cache/test-bundles");
  const wanted = builtDigest();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  rmSync(stamp, { force: true });
  await Promise.all(packageFolders().map(joinPackage));
  mkdirSync(join(stamp, ".."), { recursive: true });
  writeFileSync(stamp, wanted);
}
