// npm run fidelity: checks docs/fidelity/data, sorts its files, and writes docs/fidelity.md and docs/fidelity/*.md.
//   --json   prints all records, each with its area, and writes nothing
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { allRecords, findProblems, isTestFileIn, readAreas, writeArea } from "./fidelity-data.mjs";
import { writePages } from "./fidelity-pages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const words = process.argv.slice(2);
if (words.some((word) => word !== "--json")) {
  console.error(`fidelity: there is only --json, got ${words.join(" ")}`);
  process.exit(2);
}

function readOrExit() {
  try {
    const areas = readAreas(root);
    const problems = findProblems(areas, isTestFileIn(root));
    if (problems.length === 0) return areas;
    for (const problem of problems) console.error(`fidelity: ${problem}`);
  } catch (error) {
    console.error(`fidelity: ${error.message}`);
  }
  process.exit(1);
}

const areas = readOrExit();
if (words.includes("--json")) {
  process.stdout.write(`${JSON.stringify(allRecords(areas), undefined, 2)}\n`);
} else {
  for (const [name, data] of Object.entries(areas)) {
    writeFileSync(join(root, `docs/fidelity/data/${name}.json`), writeArea(data));
  }
  const pages = writePages(areas);
  for (const name of readdirSync(join(root, "docs/fidelity"))) {
    if (name.endsWith(".md") && !(`docs/fidelity/${name}` in pages)) rmSync(join(root, "docs/fidelity", name));
  }
  for (const [path, text] of Object.entries(pages)) writeFileSync(join(root, path), text);
  console.error(`fidelity: ${allRecords(areas).length} records, ${Object.keys(pages).length} pages`);
}
