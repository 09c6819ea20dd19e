// npm run model: writes packages/cloud/src/model/tables, packages/cloud/src/model/types and the records of new operations in
// docs/fidelity/data. Never part of a build. How an operation is added: docs/operations.md.
//   --models DIR   reads AWS's models from DIR: `botocore/data` of the repository and commit that scripts/model-sources.mjs names;
//                  without it the tables stay as they are, and only the types are written
//   --update       DIR holds another release: its digests are printed, for scripts/model-sources.mjs, and taken
//   --check        writes nothing, and fails when a file is not as it would be written
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readAreas, writeArea } from "./fidelity-data.mjs";
import { modelFiles, modelSource } from "./model-sources.mjs";
import { moduleOfTable, tableOf } from "./model-tables.mjs";
import { areaOf, areaWithRecords } from "./model-records.mjs";
import { builtOperations, readTable, typesFiles } from "./model-types.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = "packages/cloud/src/model";

function optionsOf(words) {
  const options = { models: undefined, isUpdate: false, isCheck: false };
  for (let at = 0; at < words.length; at++) {
    if (words[at] === "--models" && words[at + 1] !== undefined) options.models = words[++at];
    else if (words[at] === "--update") options.isUpdate = true;
    else if (words[at] === "--check") options.isCheck = true;
    else return undefined;
  }
  return options.isUpdate && options.models === undefined ? undefined : options;
}

const options = optionsOf(process.argv.slice(2));
if (options === undefined) {
  console.error("model: there are --models DIR, --update (with --models) and --check");
  process.exit(2);
}

const modelNames = ["service-2.json", "paginators-1.json"];

function readModel(api, { path, sha256 }) {
  const texts = modelNames.map((name) => {
    const file = join(options.models, path, name);
    if (!existsSync(file)) throw new Error(`${file} is missing: is ${options.models} the folder botocore/data?`);
    return readFileSync(file, "utf8");
  });
  const found = createHash("sha256").update(texts.join("")).digest("hex");
  if (options.isUpdate) console.error(`model: ${api} ${found}`);
  else if (found !== sha256) {
    throw new Error(`${path} is not of ${modelSource.release}: its digest is ${found}, wanted ${sha256}`);
  }
  return tableOf(api, ...texts.map((text, at) => parseModel(text, join(options.models, path, modelNames[at]))));
}

function parseModel(text, file) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not JSON: ${error.message}`, { cause: error });
  }
}

/** Every file by its path from the root. */
function wantedFiles() {
  const files = {};
  const tables = Object.entries(modelFiles).map(([api, file]) => {
    const path = `${folder}/tables/${api}.ts`;
    if (options.models === undefined) return readTable(readFileSync(join(root, path), "utf8"));
    const table = readModel(api, file);
    files[path] = moduleOfTable(table, modelSource, file.path);
    return table;
  });
  const areas = readAreas(root);
  for (const table of tables) {
    const name = areaOf(table.api);
    areas[name] = areaWithRecords(areas[name], table);
    files[`docs/fidelity/data/${name}.json`] = writeArea(areas[name]);
  }
  return { ...files, ...typesFiles(tables, builtOperations(areas), folder) };
}

try {
  const files = wantedFiles();
  const stale = Object.entries(files).filter(([path, text]) => {
    return !existsSync(join(root, path)) || readFileSync(join(root, path), "utf8") !== text;
  });
  if (options.isCheck && stale.length > 0) {
    throw new Error(`not up to date: ${stale.map(([path]) => path).join(", ")}. Run \`npm run model\``);
  }
  for (const [path, text] of stale) writeFileSync(join(root, path), text);
  console.error(`model: ${Object.keys(files).length} files, ${stale.length} of them changed`);
} catch (error) {
  console.error(`model: ${error.message}`);
  process.exit(1);
}
