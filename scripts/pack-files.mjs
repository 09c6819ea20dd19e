// What npm runs around `npm pack`, in the package's folder. What is shipped has no source maps, so nothing may point at them (bundlers warn of
// each one), and with `small` its JavaScript has neither comments nor wide indentation: declarations keep the comments, which is where editors read them,
// and small machines keep the room. `strip` makes dist so, `restore` puts it back for work in this tree.
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

/** In the package's folder: what `strip` has replaced. */
const keptFolder = ".packing";
const pointer = /\n?\/\/# sourceMappingURL=.*\.map\n?$/;

/**
 * @param ts the compiler
 * @returns the same program in less room
 */
export function shippedScript(ts, text, path = "module.js") {
  const { outputText } = ts.transpileModule(text.replace(pointer, "\n"), {
    fileName: path,
    compilerOptions: {
      removeComments: true,
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  // A text over several lines may begin its lines with blanks that are its own.
  if (/`[^`]*\n {4}[^`]*`/.test(outputText) && hasIndentedText(ts, outputText)) return outputText;
  return outputText.replace(/^(?: {4})+/gm, (indent) => "\t".repeat(indent.length / 4));
}

/** What lies between two backticks may also be code. */
function hasIndentedText(ts, text) {
  let found = false;
  const visit = (node) => {
    const isText = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    found ||= isText && /\n {4}/.test(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("module.js", text, ts.ScriptTarget.ESNext, false, ts.ScriptKind.JS));
  return found;
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
  // Half a second to load, which putting back need not wait for.
  const ts = isSmall ? (await import("typescript")).default : undefined;
  for (const file of filesOf("dist").filter((each) => !/\.test\./.test(each))) {
    const path = join("dist", file);
    const text = readFileSync(path, "utf8");
    const shipped =
      ts !== undefined && file.endsWith(".js") ? shippedScript(ts, text, path) : text.replace(pointer, "\n");
    if (shipped === text) continue;
    const kept = join(keptFolder, file);
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(kept, text);
    replace(path, shipped);
  }
}

/** Also what a run that was ended has left. A file that was built meanwhile is newer than what was kept of it. */
function restore() {
  if (!existsSync(keptFolder)) return;
  for (const file of filesOf(keptFolder)) {
    const path = join("dist", file);
    if (existsSync(path) && !pointer.test(readFileSync(path, "utf8")))
      replace(path, readFileSync(join(keptFolder, file)));
  }
  rmSync(keptFolder, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [action, how] = process.argv.slice(2);
  if (action !== "strip" && action !== "restore") throw new Error("pack-files.mjs: say strip or restore");
  if (action === "strip") await strip(how === "small");
  else restore();
}
