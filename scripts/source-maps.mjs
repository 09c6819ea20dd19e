// What npm runs around `npm pack`, in the package's folder. Source maps are not shipped, so the packed files must not point at them
// (bundlers warn of each one). `strip` takes the comments out of dist, `restore` puts them back for work in this tree.
import { existsSync, readdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const pointer = /\n?\/\/# sourceMappingURL=.*\.map\n?$/;

/** The same text with its pointer to a map, or without. */
function changed(text, path, action) {
  const bare = text.replace(pointer, "\n");
  if (action === "strip") return bare;
  return existsSync(`${path}.map`) ? `${bare}//# sourceMappingURL=${basename(path)}.map` : text;
}

function rewrite(path, action) {
  const text = readFileSync(path, "utf8");
  const next = changed(text, path, action);
  if (next === text) return;
  // Programs may be reading dist, and the compiler goes by its times: the file is replaced at once, as old as it was.
  const { atime, mtime } = statSync(path);
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, next);
  utimesSync(fresh, atime, mtime);
  renameSync(fresh, path);
}

const [action] = process.argv.slice(2);
if (action !== "strip" && action !== "restore") throw new Error("source-maps.mjs: say strip or restore");
for (const file of readdirSync("dist", { recursive: true })) {
  if (/\.(js|d\.ts)$/.test(file) && !/\.test\./.test(file)) rewrite(join("dist", file), action);
}
