import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseRows, readOptions } from "./bench-against.mjs";
import { compare, slowerRows, writeReport } from "./bench-compare.mjs";

const measurementOf = (name, isMore = true) => ({ rows: [{ name, unit: "1/s", isMore }] });

/** A machine that gets slower by the minute and has hiccups, the same ones every time. */
function machine(speeds) {
  let turn = 0;
  const calls = [];
  const measure = async (side, { rows: [{ name, isMore }] }) => {
    turn++;
    calls.push(`${name} ${side}`);
    const drift = 1 - turn * 0.002;
    const hiccup = turn % 13 === 0 ? 0.5 : 1 + ((turn * 7919) % 17) / 1000;
    const speed = (speeds[name]?.[side] ?? 1) * drift * hiccup;
    return [isMore ? 1000 * speed : 1000 / speed];
  };
  return { measure, calls };
}

test("a commit against itself passes on a machine that drifts and has hiccups", async () => {
  const measurements = Array.from({ length: 16 }, (_none, at) => measurementOf(`row ${at}`, at % 2 === 0));
  const result = await compare(measurements, 11, machine({}));
  assert.deepEqual(slowerRows(result), []);
});

for (const isMore of [true, false]) {
  test(`what is 6 % slower is found, and measured twice, where ${isMore ? "more" : "less"} is better`, async () => {
    const { measure, calls } = machine({ slow: { new: 0.94 }, fast: { new: 1.1 } });
    const rows = ["slow", "same", "fast"].map((name) => measurementOf(name, isMore));
    const result = await compare(rows, 11, { measure });
    assert.deepEqual(slowerRows(result), ["slow"]);
    assert.deepEqual(
      result.rows.map(({ pairs }) => pairs),
      [23, 11, 11],
    );
    assert.equal(calls.filter((call) => call.startsWith("slow")).length, 2 * (11 + 23));
    assert.equal(result.rows[0].first.pairs, 11);
    assert.deepEqual(
      result.rows.map(({ verdict }) => verdict),
      ["slower", "", "faster"],
    );
  });
}

test("what looked slower by chance is not slower when measured again", async () => {
  let turn = 0;
  const measure = async (side) => [side === "new" && turn++ < 11 ? 800 : 1000];
  const result = await compare([measurementOf("row")], 11, { measure });
  assert.deepEqual(slowerRows(result), []);
  assert.equal(result.rows[0].verdict, "not slower when measured again");
  assert.equal(result.rows[0].first.ratio, 0.8);
});

test("sides take turns in going first", async () => {
  const { measure, calls } = machine({});
  await compare([measurementOf("row")], 11, { measure });
  assert.deepEqual(calls.slice(0, 6), ["row old", "row new", "row new", "row old", "row old", "row new"]);
});

test("a row that the old side cannot measure is left out by name and reason", async () => {
  const measure = async (side, { rows: [{ name }] }) => {
    if (side === "old" && name === "young") throw new Error("connectDevice is not a function");
    return [1];
  };
  const result = await compare([measurementOf("young"), measurementOf("old")], 11, { measure });
  assert.deepEqual(result.left, [{ name: "young", reason: "connectDevice is not a function" }]);
  assert.deepEqual(
    result.rows.map(({ name }) => name),
    ["old"],
  );
  assert.match(writeReport(result, { labels: { old: "abc", new: "def" } }), /abc cannot measure it: young: connectD/);
});

for (const [name, side, fromTurn] of [
  ["the new side", "new", 0],
  ["the old side in a later pair", "old", 5],
]) {
  test(`a failure of ${name} is an error that names row and side`, async () => {
    let turn = 0;
    const measure = async (asked) => {
      if (asked === side && turn++ >= fromTurn) throw new Error("port in use");
      return [1];
    };
    await assert.rejects(compare([measurementOf("row")], 11, { measure }), {
      message: `row: ${side} side: port in use`,
    });
  });
}

test("one failure is measured again, with both sides", async () => {
  let hasFailed = false;
  const calls = [];
  const measure = async (side) => {
    calls.push(side);
    if (calls.length === 4) {
      hasFailed = true;
      throw new Error("hiccup");
    }
    return [1];
  };
  const result = await compare([measurementOf("row")], 11, { measure });
  assert.ok(hasFailed);
  assert.equal(result.rows[0].pairs, 11);
  assert.deepEqual(calls.slice(2, 6), ["new", "old", "new", "old"]);
});

for (const wrong of [[0], [NaN], [null], [1, 2], [], "1", [Infinity * 0]]) {
  test(`${JSON.stringify(wrong)} is no measurement of one row`, async () => {
    const measure = async (side) => (side === "new" ? wrong : [1]);
    await assert.rejects(compare([measurementOf("row")], 11, { measure }), /expected 1 positive numbers, got/);
  });
}

test("several rows of one measurement are judged each by itself", async () => {
  const both = { rows: ["heap", "resident"].map((name) => ({ name, unit: "bytes", isMore: false })) };
  const measure = async (side) => [side === "new" ? 120 : 100, 100];
  const result = await compare([both], 11, { measure });
  assert.deepEqual(slowerRows(result), ["heap"]);
  assert.deepEqual(
    result.rows.map(({ pairs }) => pairs),
    [23, 11],
  );
});

test("a row that jumps about is told as too noisy, not as the same", async () => {
  let turn = 0;
  const measure = async (side) => [side === "new" ? [500, 1000, 2000][turn++ % 3] : 1000];
  const result = await compare([measurementOf("row")], 11, { measure });
  assert.equal(result.rows[0].verdict, "too noisy to tell");
  assert.match(writeReport(result, { labels: { old: "a", new: "b" } }), /No row is slower\.\n$/);
});

test("what is done and left is told before each measurement", async () => {
  const told = [];
  await compare([measurementOf("a"), measurementOf("b")], 11, {
    measure: async () => [1],
    tell: (step) => told.push(step),
  });
  assert.equal(told.length, 22);
  assert.deepEqual(told[3], { stage: "pair", pair: 2, pairs: 11, done: 3, all: 22 });
});

test("the bench's own options are passed on, ours are taken out", () => {
  const words = ["--seconds", "1", "--against=HEAD~1", "--pairs", "15", "--rows", "QoS 1, mqtt", "--json", "--quick"];
  assert.deepEqual(readOptions(words), {
    against: "HEAD~1",
    pairs: 15,
    rows: ["qos", "1", "mqtt"],
    isJson: true,
    own: ["--seconds", "1", "--quick"],
  });
});

for (const [words, message] of [
  [["--against"], /--against wants a value/],
  [["--against", "x", "--pairs", "10"], /--pairs must be a whole number from 11/],
  [["--against", "x", "--pairs", "1e9"], /--pairs must be/],
  [["--against", "x", "--pairs", "many"], /got many/],
]) {
  test(`${words.join(" ")} is refused`, () => assert.throws(() => readOptions(words), message));
}

test("--rows takes the rows that hold all words, and names those there are when none does", () => {
  const all = ["encode MQTT 5", "decode MQTT 5", "decode MQTT 4"].map((name) => measurementOf(name));
  const names = chooseRows(all, ["decode", "5"]).flatMap(({ rows }) => rows.map(({ name }) => name));
  assert.deepEqual(names, ["decode MQTT 5"]);
  assert.equal(chooseRows(all, []).length, 3);
  assert.throws(() => chooseRows(all, ["fly"]), /no such row; there are encode MQTT 5; decode MQTT 5; decode MQTT 4/);
});
