// What npm runs around `npm pack`, in the package's folder. What is shipped has no source maps, so nothing may point at them (bundlers warn of
// each one), and with `small` its JavaScript has no comments: declarations keep the comments, which is where editors read them,
// and small machines keep the room. Its package.json does not name what only a run of tests here asks for. `strip` makes dist so, `restore` puts it back for work in this tree.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleCondition } from "./workspace.mjs";

/** In the package's folder: what `strip` has replaced. */
const keptFolder = ".packing";
const keptManifest = join(keptFolder, "package.json");
const pointer = /\n?\/\/# sourceMappingURL=.*\.map\n?$/;

/**
 * @param transform esbuild's `transformSync`
 * @returns the same program in less room and shorter words, in lines of some 120 characters, so that a stack trace still says where; every
 * name is as it was
 */
export function shippedScript(transform, text, path = "module.js") {
  const options = {
    loader: "js",
    sourcefile: path,
    target: "esnext",
    legalComments: "none",
    charset: "utf8",
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 120,
  };
  return transform(text.replace(pointer, "\n"), options).code;
}

/** @returns a package.json without the doors that only a run of tests here asks for */
export function shippedManifest(text) {
  const manifest = JSON.parse(text);
  for (const doors of [manifest.exports ?? {}, manifest.imports ?? {}])
    for (const targets of Object.values(doors)) delete targets[bundleCondition];
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** Programs may be reading dist, and the compiler goes by its times: a file is replaced at once, as old as it was. */
function replace(path, content) {
  const { atime, mtime } = statSync(path);
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, content);
  utimesSync(fresh, atime, mtime);
  renameSync(fresh, path);
}

const filesOf = (folder) => readdirSync(folder, { recursive: true }).filter((file) => /\.(?:js|d\.ts)$/.test(file));

async function strip(isSmall) {
  restore();
  const transform = isSmall ? (await import("esbuild")).transformSync : undefined;
  for (const file of filesOf("dist").filter((each) => !/\.test\./.test(each))) {
    const path = join("dist", file);
    const text = readFileSync(path, "utf8");
    const shipped =
      transform !== undefined && file.endsWith(".js")
        ? shippedScript(transform, text, path)
        : text.replace(pointer, "\n");
    if (shipped === text) continue;
    const kept = join(keptFolder, file);
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(kept, text);
    replace(path, shipped);
  }
  const manifest = readFileSync("package.json", "utf8");
  mkdirSync(keptFolder, { recursive: true });
  writeFileSync(keptManifest, manifest);
  replace("package.json", shippedManifest(manifest));
}

/** Also what a run that was ended has left. A file that was built meanwhile is newer than what was kept of it. */
function restore() {
  if (!existsSync(keptFolder)) return;
  for (const file of filesOf(keptFolder)) {
    const path = join("dist", file);
    if (existsSync(path) && !pointer.test(readFileSync(path, "utf8")))
      replace(path, readFileSync(join(keptFolder, file)));
  }
  if (existsSync(keptManifest)) {
    const kept = readFileSync(keptManifest, "utf8");
    if (readFileSync("package.json", "utf8") === shippedManifest(kept)) replace("package.json", kept);
  }
  rmSync(keptFolder, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [action, how] = process.argv.slice(2);
  if (action !== "strip" && action !== "restore") throw new Error("pack-files.mjs: say strip or restore");
  if (action === "strip") await strip(how === "small");
  else restore();
}
