// The fidelity data: what a record may hold, and what is wrong with one. A file an area in docs/fidelity/data.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export const states = {
  faithful: "exactly as AWS or Nordic",
  simplified: "as AWS or Nordic in what matters, with a difference that the remark tells",
  differs: "differently on purpose, or something that the original does not have",
  storedOnly: "taken, kept and given back, and without effect",
  absent: "not there: refused, or not reachable",
};

/** The longest text of each kind, in characters: a record that needs more is two records. */
export const textLimits = { id: 64, title: 60, text: 300, behaviour: 240, source: 120, remark: 320 };

const areaMembers = { area: "required", title: "required", text: "optional", layout: "optional", records: "required" };
const recordMembers = {
  id: "required",
  behaviour: "required",
  state: "required",
  unconfirmed: "optional",
  source: "required",
  remark: "optional",
  tests: "required",
};

const areaPattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const idPattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*$/;
const testPattern = /^(packages|apps|tests|scripts)\/([\w-][\w.-]*\/)*[\w-][\w.-]*\.test\.(ts|mjs)$/;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const shown = (value) => JSON.stringify(value) ?? "nothing";

function* memberProblems(value, members) {
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(members, name)) {
      yield `unknown member ${shown(name)}; there are ${Object.keys(members).join(", ")}`;
    }
  }
  for (const [name, need] of Object.entries(members)) {
    if (need === "required" && value[name] === undefined) yield `${name} is missing`;
  }
}

function* textProblems(value, names) {
  for (const name of names) {
    const text = value[name];
    if (text === undefined) continue;
    if (typeof text !== "string") yield `${name} is to be a text, got ${shown(text)}`;
    else if (text === "" || text !== text.trim()) yield `${name} is empty, or has blanks around it`;
    else if (/\p{Cc}/u.test(text)) yield `${name} has a line break or another control character`;
    else if ([...text].length > textLimits[name]) {
      yield `${name} has ${[...text].length} characters, at most ${textLimits[name]} are allowed`;
    }
  }
}

function* testProblems(record, isTestFile) {
  const { tests } = record;
  if (tests === undefined) return;
  if (!Array.isArray(tests)) return yield `tests is to be a list of files, got ${shown(tests)}`;
  for (const path of tests) {
    if (typeof path !== "string" || !testPattern.test(path)) {
      yield `test ${shown(path)} is to be a path from the root that ends in .test.ts or .test.mjs`;
    } else if (!isTestFile(path)) yield `test ${shown(path)} does not exist`;
  }
  if (new Set(tests).size !== tests.length) yield "a test is named twice";
  if (record.state === "faithful" && tests.length === 0) yield "a faithful behaviour names at least one test";
}

function* recordProblems(record, area, isTestFile) {
  yield* memberProblems(record, recordMembers);
  yield* textProblems(record, ["id", "behaviour", "source", "remark"]);
  if (typeof record.id === "string" && (!idPattern.test(record.id) || !record.id.startsWith(`${area}.`))) {
    yield `the id is to be "${area}." and lower-case words with hyphens`;
  }
  if (record.state !== undefined && !Object.hasOwn(states, record.state)) {
    yield `unknown state ${shown(record.state)}; there are ${Object.keys(states).join(", ")}`;
  }
  if (record.unconfirmed !== undefined && record.unconfirmed !== true) yield "unconfirmed is true, or left out";
  yield* testProblems(record, isTestFile);
}

function* areaProblems(name, data, isTestFile, idOwners) {
  const file = `docs/fidelity/data/${name}.json`;
  if (!isObject(data)) return yield `${file}: an object is wanted`;
  for (const problem of memberProblems(data, areaMembers)) yield `${file}: ${problem}`;
  for (const problem of textProblems(data, ["title", "text"])) yield `${file}: ${problem}`;
  if (!areaPattern.test(name)) yield `${file}: the name is to be lower-case words with hyphens`;
  if (data.layout !== undefined && data.layout !== "list") yield `${file}: layout is "list", or left out`;
  if (data.area !== name) yield `${file}: area is to be ${shown(name)}, as the file is called, got ${shown(data.area)}`;
  if (!Array.isArray(data.records) || data.records.length === 0) return yield `${file}: records is to be a list`;
  for (const [index, record] of data.records.entries()) {
    const place = `${file}, record ${isObject(record) && record.id !== undefined ? shown(record.id) : index + 1}`;
    if (!isObject(record)) {
      yield `${place}: an object is wanted`;
      continue;
    }
    for (const problem of recordProblems(record, name, isTestFile)) yield `${place}: ${problem}`;
    if (typeof record.id !== "string") continue;
    if (idOwners.has(record.id)) yield `${place}: the id is used twice, also in ${idOwners.get(record.id)}`;
    idOwners.set(record.id, file);
  }
}

/**
 * All that is wrong, each a line that names file and record.
 *
 * @param areas what the files hold, by name of the area
 * @param isTestFile tells whether a path from the root is a file
 */
export function findProblems(areas, isTestFile) {
  const idOwners = new Map();
  return Object.entries(areas).flatMap(([name, data]) => [...areaProblems(name, data, isTestFile, idOwners)]);
}

const byId = (one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0);
const inOrder = (value, members) =>
  Object.fromEntries(Object.keys(members).flatMap((name) => (value[name] === undefined ? [] : [[name, value[name]]])));

/** The records of an area sorted by id, their members in one order. */
export function sortArea(data) {
  const records = data.records.map((record) => inOrder(record, recordMembers)).sort(byId);
  return inOrder({ ...data, records }, areaMembers);
}

/** The text of a data file, as Prettier leaves it: one member a line, so that additions of two branches seldom meet. */
export function writeArea(data) {
  const text = JSON.stringify(sortArea(data), undefined, 2);
  const short = text.replace(/^( +"tests": )\[([^[\]]*)\](,?)$/gm, (whole, head, list, comma) => {
    const line = `${head}[${list.trim().replace(/\n +/g, " ")}]${comma}`;
    return line.length <= 120 ? line : whole;
  });
  return `${short}\n`;
}

/** The data files of a folder by area. @throws {Error} for a file that is not JSON, by name */
export function readAreas(root) {
  const folder = join(root, "docs/fidelity/data");
  const areas = {};
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith(".json")) throw new Error(`docs/fidelity/data/${name} is not a .json file`);
    const text = readFileSync(join(folder, name), "utf8");
    try {
      areas[name.slice(0, -".json".length)] = JSON.parse(text);
    } catch (error) {
      throw new Error(`docs/fidelity/data/${name} is not JSON: ${error.message}`, { cause: error });
    }
  }
  return areas;
}

export const isTestFileIn = (root) => (path) =>
  statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true;

/** Every record with its area: what a program that walks the behaviours wants. */
export function allRecords(areas) {
  return Object.values(areas).flatMap(({ area, records }) => records.map((record) => ({ area, ...record })));
}
