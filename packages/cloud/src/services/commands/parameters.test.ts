import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandParameter, CommandParameterValue } from "../../model/types/iot.js";
import { checkParameters, commandConditionsMax, commandParametersMax, resolveParameters } from "./parameters.js";

type Condition = NonNullable<CommandParameter["valueConditions"]>[number];
const condition = (comparisonOperator: Condition["comparisonOperator"], operand: Condition["operand"]): Condition => ({
  comparisonOperator,
  operand,
});

const isTaken = (valueConditions: readonly Condition[], value: CommandParameterValue): boolean => {
  try {
    resolveParameters([{ name: "p", valueConditions }], { p: value });
    return true;
  } catch (error) {
    assert.match(String(error), /does not satisfy its condition/);
    return false;
  }
};

test("each comparison is that of AWS's table, whatever the type of the number", () => {
  const range = { numberRange: { min: "60", max: "80" } };
  const cases: [Condition, taken: number[], refused: number[]][] = [
    [condition("EQUALS", { number: "7" }), [7], [6, 8]],
    [condition("NOT_EQUALS", { number: "7" }), [6, 8], [7]],
    [condition("LESS_THAN", { number: "7" }), [6], [7, 8]],
    [condition("LESS_THAN_EQUALS", { number: "7" }), [6, 7], [8]],
    [condition("GREATER_THAN", { number: "7" }), [8], [6, 7]],
    [condition("GREATER_THAN_EQUALS", { number: "7" }), [7, 8], [6]],
    [condition("IN_RANGE", range), [60, 70, 80], [59, 81]],
    [condition("NOT_IN_RANGE", range), [59, 81], [60, 70, 80]],
    [condition("IN_SET", { numbers: ["1", "3"] }), [1, 3], [2]],
    [condition("NOT_IN_SET", { numbers: ["1", "3"] }), [2], [1, 3]],
  ];
  for (const [one, taken, refused] of cases) {
    for (const value of [...taken, ...refused]) {
      const isWanted = taken.includes(value);
      for (const given of [{ I: value }, { L: value }, { D: value }, { UL: String(value) }]) {
        assert.equal(isTaken([one], given), isWanted, `${one.comparisonOperator} ${JSON.stringify(given)}`);
      }
    }
  }
  const texts = { strings: ["ON", "OFF"] };
  assert.deepEqual(
    ["ON", "on"].map((S) => [
      isTaken([condition("EQUALS", { string: "ON" })], { S }),
      isTaken([condition("NOT_EQUALS", { string: "ON" })], { S }),
      isTaken([condition("IN_SET", texts)], { S }),
      isTaken([condition("NOT_IN_SET", texts)], { S }),
    ]),
    [
      [true, false, true, false],
      [false, true, false, true],
    ],
  );
});

test("numbers of 64 bits and fractions are compared exactly, and all conditions have to hold", () => {
  const most = "18446744073709551615";
  assert.equal(isTaken([condition("LESS_THAN", { number: most })], { UL: "18446744073709551614" }), true);
  assert.equal(isTaken([condition("LESS_THAN", { number: most })], { UL: most }), false);
  assert.equal(isTaken([condition("GREATER_THAN", { number: "0.5" })], { I: 1 }), true);
  assert.equal(isTaken([condition("EQUALS", { number: "-2.5e1" })], { D: -25 }), true);
  const both = [condition("GREATER_THAN", { number: "1" }), condition("LESS_THAN", { number: "3" })];
  assert.deepEqual(
    [1, 2, 3].map((I) => isTaken(both, { I })),
    [false, true, false],
  );
});

test("parameters that no execution could be made with are refused when the command is made", () => {
  const many = (length: number) => Array.from({ length }, (_, at) => ({ name: `p${at}` }));
  const conditions = (length: number) => Array.from({ length }, () => condition("EQUALS", { number: "1" }));
  const cases: [readonly CommandParameter[], RegExp][] = [
    [many(commandParametersMax + 1), /at most 100/],
    [[{ name: "a" }, { name: "a" }], /'a' is given twice/],
    [[{ name: "a", valueConditions: conditions(commandConditionsMax + 1) }], /at most 20/],
    [[{ name: "a", defaultValue: {} }], /exactly one of/],
    [[{ name: "a", defaultValue: { I: 1, S: "1" } }], /exactly one of/],
    [[{ name: "a", type: "STRING", defaultValue: { I: 1 } }], /INTEGER, and has to be STRING/],
    [[{ name: "a", defaultValue: { UL: "18446744073709551616" } }], /64 bits/],
    [[{ name: "a", type: "BOOLEAN", valueConditions: conditions(1) }], /takes no valueConditions/],
    [[{ name: "a", defaultValue: { BIN: Uint8Array.of(1) }, valueConditions: conditions(1) }], /BINARY/],
    [[{ name: "a", type: "STRING", valueConditions: conditions(1) }], /exactly one: string/],
    [[{ name: "a", type: "STRING", valueConditions: [condition("LESS_THAN", { string: "b" })] }], /cannot be compared/],
    [[{ name: "a", type: "LONG", valueConditions: [condition("IN_SET", { strings: ["b"] })] }], /exactly one: numbers/],
    [[{ name: "a", valueConditions: [condition("EQUALS", { number: "1", string: "1" })] }], /number or string/],
    [[{ name: "a", valueConditions: [condition("EQUALS", { number: "one" })] }], /'one'.*not a number/],
    [[{ name: "a", valueConditions: [condition("IN_RANGE", { numberRange: { min: "1", max: "" } })] }], /not a number/],
    [[{ name: "a", defaultValue: { I: 2 }, valueConditions: conditions(1) }], /does not satisfy/],
  ];
  for (const [parameters, message] of cases) {
    assert.throws(() => checkParameters(parameters), { code: "REQUEST_INVALID", message });
  }
  checkParameters(many(commandParametersMax));
  checkParameters([{ name: "a", valueConditions: conditions(commandConditionsMax), value: { D: 1 } }]);
});

test("a value is the request's, else the overriding one, else the default", () => {
  const parameters: CommandParameter[] = [
    { name: "asked", defaultValue: { I: 1 }, value: { I: 2 } },
    { name: "set", defaultValue: { I: 1 }, value: { I: 2 } },
    { name: "plain", type: "STRING", defaultValue: { S: "d" } },
  ];
  const { plain, values } = resolveParameters(parameters, { asked: { I: 3 } });
  assert.deepEqual(
    [...plain],
    [
      ["asked", 3],
      ["set", 2],
      ["plain", "d"],
    ],
  );
  assert.deepEqual(values, [
    ["asked", { I: 3 }],
    ["set", { I: 2 }],
    ["plain", { S: "d" }],
  ]);
  const refused: [Record<string, CommandParameterValue>, RegExp][] = [
    [{ other: { I: 1 } }, /no parameter 'other'/],
    [{ plain: { I: 1 } }, /has to be STRING/],
  ];
  for (const [given, message] of refused) {
    assert.throws(() => resolveParameters(parameters, given), { code: "REQUEST_INVALID", message });
  }
  assert.throws(() => resolveParameters([{ name: "toString" }], {}), { message: /'toString' has no value/ });
});
