import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { isThinglineError } from "../errors.js";
import { copyJson } from "./plain-json.js";

const limits = { depthMax: 8, valuesMax: 1000 };
const copy = (value: unknown): unknown => copyJson(value, "reported", limits);

const cyclic: Record<string, unknown> = { a: [] };
(cyclic["a"] as unknown[]).push({ b: cyclic });
// oxlint-disable-next-line no-sparse-arrays
const holes = [1, , 3];
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
let doubled: unknown = { x: 1 };
for (let round = 0; round < 7; round++) doubled = [doubled, doubled, doubled, doubled, doubled, doubled];

describe("what an application hands in as JSON", () => {
  const refused: [name: string, value: unknown, path: string, message: RegExp][] = [
    ["NaN", { temp: NaN }, "reported.temp", /a finite number, as JSON has no other, got NaN$/],
    ["Infinity", { sensors: [0, 1, { temp: Infinity }] }, "reported.sensors[2].temp", /got Infinity$/],
    ["-Infinity", { a: { b: [-Infinity] } }, "reported.a.b[0]", /got -Infinity$/],
    ["undefined", { a: { b: undefined } }, "reported.a.b", /null to remove the member, got undefined$/],
    ["undefined in an array", { a: [undefined] }, "reported.a[0]", /got undefined$/],
    ["a hole", { a: holes }, "reported.a", /an array without holes/],
    ["a member of an array", { a: Object.assign([1], { index: 0 }) }, "reported.a", /one with the member "index"$/],
    ["a function", { a: () => 1 }, "reported.a", /got a function$/],
    ["a symbol", { a: Symbol("x") }, "reported.a", /got a symbol$/],
    ["a symbol as name", { a: { [Symbol("x")]: 1 } }, "reported.a", /one with a symbol$/],
    ["a BigInt", { a: 1n }, "reported.a", /got a bigint$/],
    ["a cycle", cyclic, "reported.a[0].b", /an object that holds itself$/],
    ["a Date", { a: new Date(0) }, "reported.a", /a Date that writes itself/],
    ["toJSON", { a: { toJSON: () => 1 } }, "reported.a", /writes itself/],
    ["a Map", { a: new Map() }, "reported.a", /got a Map$/],
    ["a Set", { a: new Set([1]) }, "reported.a", /got a Set$/],
    ["bytes", { a: new Uint8Array(2) }, "reported.a", /got a Uint8Array$/],
    ["a Buffer", { a: Buffer.from("x") }, "reported.a", /a Buffer that writes itself/],
    ["a boxed number", { a: Object(1) as unknown }, "reported.a", /got a Number$/],
    ["a boxed string", { a: Object("x") as unknown }, "reported.a", /got a String$/],
    ["a regular expression", { a: /x/ }, "reported.a", /got a RegExp$/],
    ["an error", { a: new Error("x") }, "reported.a", /got a Error$/],
    ["an object of a class", { a: new (class Pump {})() }, "reported.a", /got a Pump$/],
    ["a promise", { a: Promise.resolve(1) }, "reported.a", /got a Promise$/],
    ["an inherited object", { a: Object.create({ b: 1 }) as unknown }, "reported.a", /a plain object/],
    ["a lone surrogate", { a: "x\ud800" }, "reported.a", /half of a surrogate pair$/],
    ["a lone surrogate as name", { "\udc00": 1 }, 'reported["\\udc00"]', /half of a surrogate pair$/],
    ["a hidden member", Object.defineProperty({}, "a", { value: 1 }), "reported.a", /hidden/],
    [
      "a getter that throws",
      Object.defineProperty({}, "a", { enumerable: true, get: () => assert.fail() }),
      "reported.a",
      /threw when it was read$/,
    ],
    [
      "a proxy that throws",
      { a: new Proxy({}, { ownKeys: () => assert.fail() }) },
      "reported.a",
      /threw when it was read$/,
    ],
    ["a revoked proxy", { a: revoked() }, "reported.a", /threw when it was read$/],
    ["nine levels", deep(10), "reported.a.a.a.a.a.a.a.a.a", /at most 8 levels/],
    ["the same object many times", doubled, "reported[0][0][0][0][4][3][2]", /at most 1000 members and items/],
    ["an odd name", { "a b": { '"': NaN } }, 'reported["a b"]["\\""]', /got NaN$/],
  ];
  for (const [name, value, path, message] of refused) {
    test(`${name} is refused at ${path}`, () => {
      assert.throws(
        () => copy(value),
        (error) => {
          assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
          if (name !== "the same object many times") assert.equal(error.details["option"], path);
          assert.ok(error.message.startsWith("reported"), error.message);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  test("JSON is taken as it is, and -0 as 0", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        assert.equal(JSON.stringify(copy(JSON.parse(text))), text);
      }),
    );
    assert.ok(Object.is(copy(-0), 0));
    const own = JSON.parse('{"__proto__":{"a":1},"toString":1}') as unknown;
    assert.equal(JSON.stringify(copy(own)), '{"__proto__":{"a":1},"toString":1}');
    assert.deepEqual(copy(runInNewContext('({ a: [{ b: "😀" }] })')), { a: [{ b: "😀" }] });
    assert.deepEqual(copy(Object.assign(Object.create(null), { a: null })), { a: null });
    const twice = { x: 1 };
    assert.deepEqual(copy([twice, twice]), [{ x: 1 }, { x: 1 }], "one object in two places is no cycle");
    assert.deepEqual(copy(deep(9)), deep(9));
  });

  test("a getter is read once, so that what was checked is what is sent", () => {
    let reads = 0;
    const value = {
      get temp() {
        return reads++ === 0 ? 1 : NaN;
      },
    };
    assert.deepEqual(copy(value), { temp: 1 });
    assert.deepEqual(copy(new Proxy({ a: 1 }, {})), { a: 1 });
  });
});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
