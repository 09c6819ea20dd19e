import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { allRecords, findProblems, isTestFileIn, readAreas, states, textLimits, writeArea } from "./fidelity-data.mjs";
import { escapeText, wrap, writeAreaPage, writePages } from "./fidelity-pages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path) => readFileSync(join(root, path), "utf8");

test("the fidelity data is sound", () => {
  assert.deepEqual(findProblems(readAreas(root), isTestFileIn(root)), []);
});

test("the fidelity data and its pages are as `npm run fidelity` writes them", () => {
  const areas = readAreas(root);
  const wanted = writePages(areas);
  for (const [name, data] of Object.entries(areas)) wanted[`docs/fidelity/data/${name}.json`] = writeArea(data);
  const stale = Object.keys(wanted).filter((path) => !existsSync(join(root, path)) || read(path) !== wanted[path]);
  assert.deepEqual(stale, [], "not up to date: run `npm run fidelity`");
  const pages = readdirSync(join(root, "docs/fidelity")).filter((name) => name.endsWith(".md"));
  assert.deepEqual(
    pages.filter((name) => !(`docs/fidelity/${name}` in wanted)),
    [],
    "pages without an area",
  );
});

const sound = {
  id: "broker.last-will",
  behaviour: "The last will",
  state: "faithful",
  source: "AWS",
  tests: ["packages/cloud/src/broker/x.test.ts"],
};
const long = (name) => "x".repeat(textLimits[name] + 1);
const problemsOf = (record, isTestFile = () => true) =>
  findProblems({ broker: { area: "broker", title: "Broker", records: [record] } }, isTestFile);

test("a sound record passes, with each state and each optional member", () => {
  for (const state of Object.keys(states)) {
    assert.deepEqual(problemsOf({ ...sound, state, unconfirmed: true, remark: "with a remark" }), []);
  }
  assert.deepEqual(problemsOf({ ...sound, state: "absent", tests: [] }), []);
});

const refused = [
  ["an unknown state", { state: "faithfull" }, /unknown state "faithfull"; there are faithful, /],
  ["a state that every object has", { state: "constructor" }, /unknown state/],
  ["no state", { state: undefined }, /state is missing/],
  ["no source", { source: undefined }, /source is missing/],
  ["an empty source", { source: "" }, /source is empty/],
  ["no behaviour", { behaviour: undefined }, /behaviour is missing/],
  ["no tests", { tests: undefined }, /tests is missing/],
  ["an unknown member", { tets: [] }, /unknown member "tets"; there are id, /],
  ["a behaviour that is too long", { behaviour: long("behaviour") }, /behaviour has 241 characters, at most 240/],
  ["a source that is too long", { source: long("source") }, /source has 121 characters/],
  ["a remark that is too long", { remark: long("remark") }, /remark has 321 characters/],
  ["an id that is too long", { id: `broker.${long("id")}` }, /id has 72 characters/],
  ["a remark of two lines", { remark: "one\ntwo" }, /remark has a line break/],
  ["a remark that is no text", { remark: 7 }, /remark is to be a text, got 7/],
  ["blanks around a text", { source: " AWS" }, /blanks around it/],
  ["an id in capitals", { id: "broker.Last" }, /the id is to be "broker\." and lower-case words/],
  ["an id of another area", { id: "device.last-will" }, /the id is to be "broker\."/],
  ["an id without a name", { id: "broker." }, /the id is to be/],
  ["an id that is a number", { id: 7 }, /id is to be a text, got 7/],
  ["unconfirmed that is false", { unconfirmed: false }, /unconfirmed is true, or left out/],
  ["tests that are a text", { tests: "x" }, /tests is to be a list/],
  ["a test named loosely", { tests: ["broker/x"] }, /test "broker\/x" is to be a path from the root/],
  ["a path that leaves the tree", { tests: ["packages/../x.test.ts"] }, /is to be a path/],
  ["an absolute path", { tests: ["/packages/x.test.ts"] }, /is to be a path/],
  ["a test that is a number", { tests: [7] }, /test 7 is to be a path/],
  ["a test twice", { tests: [sound.tests[0], sound.tests[0]] }, /named twice/],
  ["a faithful record without a test", { tests: [] }, /names at least one test/],
];
for (const [name, change, message] of refused) {
  test(`${name} is refused, and the message names file and record`, () => {
    const record = JSON.parse(JSON.stringify({ ...sound, ...change }));
    const problems = problemsOf(record);
    assert.ok(problems.length > 0);
    for (const problem of problems) {
      assert.ok(problem.startsWith(`docs/fidelity/data/broker.json, record ${JSON.stringify(record.id)}: `), problem);
    }
    assert.match(problems.join("\n"), message);
  });
}

test("a test file that does not exist is refused", () => {
  assert.match(problemsOf(sound, () => false)[0], /record "broker.last-will": test "packages\S+" does not exist/);
});

test("a folder is no test file", () => {
  assert.equal(isTestFileIn(root)("scripts"), false);
  assert.equal(isTestFileIn(root)("scripts/fidelity.test.mjs"), true);
});

test("an id that two records have is refused", () => {
  const area = { area: "broker", title: "Broker", records: [sound, sound] };
  assert.match(findProblems({ broker: area }, () => true).join(), /the id is used twice/);
});

test("a record without an id is named by its number", () => {
  assert.match(problemsOf({ ...sound, id: undefined }).join(), /broker.json, record 1: id is missing/);
  assert.match(problemsOf(null).join(), /broker.json, record 1: an object is wanted/);
});

const areaFaults = [
  ["no records", { area: "broker", title: "Broker" }, /broker.json: records is missing/],
  ["an empty list", { area: "broker", title: "Broker", records: [] }, /records is to be a list/],
  ["another area", { area: "device", title: "Broker", records: [sound] }, /area is to be "broker"/],
  ["an unknown member", { area: "broker", title: "Broker", intro: "", records: [sound] }, /unknown member "intro"/],
  ["a list", [], /an object is wanted/],
];
for (const [name, data, message] of areaFaults) {
  test(`a file with ${name} is refused by its name`, () => {
    assert.match(findProblems({ broker: data }, () => true).join("\n"), message);
  });
}

test("records keep one order, whoever added them where", () => {
  const other = { ...sound, id: "broker.a" };
  const area = (records) => ({ area: "broker", title: "Broker", records });
  assert.equal(
    writeArea(area([sound, other])),
    writeArea(area([other, Object.fromEntries(Object.entries(sound).reverse())])),
  );
});

test("each record comes with its area for programs", () => {
  const records = allRecords(readAreas(root));
  assert.ok(records.every(({ area, id }) => id.startsWith(`${area}.`)));
  assert.ok(records.length >= 241, "no record may get lost; one that is wrong is corrected");
});

test("a page has short lines, and shows markup as text", () => {
  const remark = "a * b, <T>, `a  b_c`, [x] | y";
  const page = writeAreaPage({ area: "broker", title: "Broker", records: [{ ...sound, remark }] });
  assert.ok(page.includes("a \\* b, \\<T\\>, `a  b_c`, \\[x\\] \\| y"));
  assert.equal(escapeText("`#` # _"), "`#` \\# \\_");
  for (const text of Object.values(writePages(readAreas(root)))) {
    for (const line of text.split("\n")) assert.ok(line.length <= 120, line);
  }
});

test("wrapping never begins a line with a mark that Markdown takes for its own", () => {
  const text = "word word - word + word 1. word";
  for (let width = 5; width < 30; width++) {
    for (const line of wrap(text, { width }).split("\n")) assert.doesNotMatch(line, /^(- |\+ |1\. )/);
  }
});
