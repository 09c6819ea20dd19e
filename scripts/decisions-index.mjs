// Compares docs/decisions/README.md with the records beside it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./workspace.mjs";

const linePattern = /^- \[(\d+)\]\((\S+)\) (.+?) · (holds|(?:amended|superseded) by \d+(?:(?:, | and )\d+)*) · (\S.+)$/;
const titlePattern = /^# 0*(\d+)[.:] (.+)$/m;
const statePattern = /^(Amended|Superseded) by ((?:decision )?\d+(?:(?:, | and )\d+)*)\b/m;

export const gistCharactersMax = 120;

const numbersIn = (text) => text.match(/\d+/g).map(Number);

/** What a record says of itself: its number, its title, and by which others it was amended or superseded. */
function readRecord(text) {
  const [, number, title] = titlePattern.exec(text) ?? [];
  const [, how, others] = statePattern.exec(text) ?? [];
  const state = how === undefined ? "holds" : `${how.toLowerCase()} by ${numbersIn(others).join(", ")}`;
  return { number: Number(number), title, state };
}

/**
 * @param index the text of README.md
 * @param records the text of each record by its file name
 * @returns {string[]} one line for each fault
 */
export function decisionFaults(index, records) {
  const faults = [];
  const byNumber = new Map();
  for (const [file, text] of records) {
    const record = readRecord(text);
    if (record.title === undefined) faults.push(`${file}: its first line is not "# NUMBER. Title"`);
    else if (Number(file.slice(0, 4)) !== record.number)
      faults.push(`${file}: its title has the number ${record.number}`);
    if (byNumber.has(record.number)) faults.push(`${file}: ${byNumber.get(record.number)} has the same number`);
    byNumber.set(record.number, file);
  }
  const listed = new Set();
  let last = 0;
  for (const line of index.split("\n").filter((each) => each.startsWith("- "))) {
    const [, digits, file, title, state, gist] = linePattern.exec(line) ?? [];
    if (digits === undefined) {
      faults.push(`not "- [NUMBER](FILE) Title · state · gist": ${line}`);
      continue;
    }
    const number = Number(digits);
    if (number <= last) faults.push(`${number} comes after ${last}`);
    last = number;
    listed.add(file);
    if (gist.length > gistCharactersMax) faults.push(`${number}: its gist has ${gist.length} characters`);
    if (!records.has(file)) {
      faults.push(`${number}: there is no ${file}`);
      continue;
    }
    const record = readRecord(records.get(file));
    if (record.number !== number) faults.push(`${number}: ${file} has the number ${record.number}`);
    if (record.title !== title) faults.push(`${number}: ${file} is called "${record.title}"`);
    const told = state === "holds" ? state : `${state.split(" ")[0]} by ${numbersIn(state).join(", ")}`;
    if (record.state !== told) faults.push(`${number}: the list says "${told}", ${file} says "${record.state}"`);
    for (const other of state === "holds" ? [] : numbersIn(state)) {
      if (!byNumber.has(other)) faults.push(`${number}: there is no decision ${other}`);
    }
  }
  for (const file of records.keys()) if (!listed.has(file)) faults.push(`${file} is not in README.md`);
  return faults;
}

export function readDecisions() {
  const folder = join(root, "docs/decisions");
  const files = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md");
  const read = (name) => readFileSync(join(folder, name), "utf8");
  return { index: read("README.md"), records: new Map(files.sort().map((name) => [name, read(name)])) };
}
