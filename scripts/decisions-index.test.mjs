import assert from "node:assert/strict";
import { test } from "node:test";
import { decisionFaults, readDecisions } from "./decisions-index.mjs";

test("the list of decisions is the records, both ways", () => {
  const { index, records } = readDecisions();
  assert.deepEqual(decisionFaults(index, records), []);
  assert.ok(records.size > 40);
});

const records = () =>
  new Map([
    ["0001-one.md", "# 1. One\n\n**Context.** Amended by nobody."],
    ["0002-two.md", "# 0002: Two\n\nSuperseded by 3.\n"],
    ["0003-three.md", "# 3. Three\n\nAmended by 1 and 2: a little.\n"],
  ]);
const lines = [
  "- [1](0001-one.md) One · holds · The first.",
  "- [2](0002-two.md) Two · superseded by 3 · The second.",
  "- [3](0003-three.md) Three · amended by 1, 2 · The third.",
];

test("records that amend and supersede each other are told from those that hold", () => {
  assert.deepEqual(decisionFaults(lines.join("\n"), records()), []);
});

// What is changed in the list, and what must be said of it.
const cases = [
  ["a line is missing", lines.slice(1), ["0001-one.md is not in README.md"]],
  [
    "a record is missing",
    [...lines, "- [4](0004-four.md) Four · holds · The fourth."],
    ["4: there is no 0004-four.md"],
  ],
  ["a title differs", [lines[0].replace("One", "Won"), ...lines.slice(1)], ['1: 0001-one.md is called "One"']],
  [
    "a state differs",
    [lines[0], lines[1].replace("superseded by 3", "holds"), lines[2]],
    ['2: the list says "holds", 0002-two.md says "superseded by 3"'],
  ],
  ["the order differs", [lines[1], lines[0], lines[2]], ["1 comes after 2"]],
  [
    "a line has no gist",
    [...lines, "- [4](0004-four.md) Four · holds"],
    ['not "- [NUMBER](FILE) Title · state · gist": - [4](0004-four.md) Four · holds'],
  ],
  ["a gist is long", [lines[0] + "x".repeat(200), ...lines.slice(1)], ["1: its gist has 210 characters"]],
];
for (const [what, changed, faults] of cases) {
  test(`it is a fault when ${what}`, () => assert.deepEqual(decisionFaults(changed.join("\n"), records()), faults));
}

test("it is a fault when a record names a decision that is not there, has no title, or another's number", () => {
  const list = lines.join("\n");
  const gone = records().set("0002-two.md", "# 2. Two\n\nSuperseded by 9.\n");
  assert.deepEqual(decisionFaults(list.replace("by 3 ·", "by 9 ·"), gone), ["2: there is no decision 9"]);
  const other = records().set("0002-two.md", "# 3. Two\n\nSuperseded by 3.\n");
  assert.ok(decisionFaults(list, other).includes("0002-two.md: its title has the number 3"));
  assert.ok(decisionFaults(list, other).includes("0003-three.md: 0002-two.md has the same number"));
  const bare = records().set("0002-two.md", "Superseded by 3.\n");
  assert.ok(decisionFaults(list, bare).includes('0002-two.md: its first line is not "# NUMBER. Title"'));
});
