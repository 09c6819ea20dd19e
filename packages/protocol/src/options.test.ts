import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import { isThinglineError } from "./errors.js";
import { checkOptionTypes, methodsOf, type OptionTypes, readOptions, unreadableOption } from "./options.js";

interface Thing {
  name: string;
  isFast?: boolean;
  keepAliveSeconds?: number;
  payload?: Uint8Array | string;
  key?: Uint8Array;
  topics?: Iterable<string>;
  clock?: { nowMs(): number; sleep(): void };
  signal?: AbortSignal;
  onEvent?: () => void;
  nested?: { depth?: number; text: string };
}

const types = {
  name: "string",
  isFast: "boolean",
  keepAliveSeconds: "number",
  payload: "text",
  key: "bytes",
  topics: "strings",
  clock: methodsOf<NonNullable<Thing["clock"]>>("a Clock", { nowMs: true, sleep: true }, "makeClock() makes one"),
  signal: "signal",
  onEvent: "function",
  nested: { options: { depth: "number", text: "string" }, required: ["text"] },
} satisfies OptionTypes<Thing>;

const check = (options: unknown): void => checkOptionTypes(options, types, { of: "makeThing()", required: ["name"] });

describe("options held against a table", () => {
  const refused: [options: unknown, option: string, message: RegExp][] = [
    [undefined, "options", /^options: expected an object with the options of makeThing\(\), got nothing$/],
    [null, "options", /got null$/],
    ["x", "options", /got a string$/],
    [[], "options", /got an array$/],
    [{}, "name", /^name: expected a string, got nothing$/],
    [{ name: undefined }, "name", /got nothing/],
    [{ name: 7 }, "name", /^name: expected a string, got a number$/],
    [{ name: "a", isFast: "yes" }, "isFast", /expected true or false, got a string/],
    [{ name: "a", keepAliveSeconds: "60" }, "keepAliveSeconds", /expected a number, got a string/],
    [{ name: "a", payload: 1 }, "payload", /a string or a Uint8Array, got a number/],
    [{ name: "a", payload: new ArrayBuffer(1) }, "payload", /got a ArrayBuffer/],
    [{ name: "a", key: "secret" }, "key", /^key: expected a Uint8Array, got a string$/],
    [{ name: "a", key: new Uint16Array(1) }, "key", /got a Uint16Array/],
    [{ name: "a", topics: "a/b" }, "topics", /a list of strings, got a string/],
    [{ name: "a", topics: {} }, "topics", /got an object/],
    [{ name: "a", clock: Date }, "clock", /^clock: expected a Clock, got a function; makeClock\(\) makes one$/],
    [{ name: "a", clock: { nowMs: () => 1 } }, "clock", /got an object without sleep\(\)/],
    [{ name: "a", signal: new AbortController() }, "signal", /an AbortSignal, got a AbortController/],
    [{ name: "a", onEvent: {} }, "onEvent", /a function, got an object/],
    [{ name: "a", nested: { text: 1 } }, "nested.text", /^nested\.text: expected a string/],
    [{ name: "a", nested: {} }, "nested.text", /got nothing/],
    [{ name: "a", nested: true }, "nested", /^nested: expected an object .* got a boolean/],
    [{ name: "a", nested: { text: "", dept: 1 } }, "nested.dept", /did you mean nested\.depth\?$/],
    [
      { name: "a", keepaliveSeconds: 1 },
      "keepaliveSeconds",
      /makeThing\(\) has no such option; did you mean keepAliveSeconds\?$/,
    ],
    [{ name: "a", keepAlive: 1 }, "keepAlive", /did you mean keepAliveSeconds\?/],
    [{ name: "a", entirelyElse: 1 }, "entirelyElse", /no such option; there are name, isFast, /],
    [{ name: "a", constructor: 1 }, "constructor", /no such option/],
    [JSON.parse('{"name":"a","__proto__":1}'), "__proto__", /no such option/],
  ];
  for (const [options, option, message] of refused) {
    test(`${option} is refused: ${message.source}`, () => {
      assert.throws(
        () => check(options),
        (error) => {
          assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
          assert.equal(error.details["option"], option);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  test("what fits is taken, absent values and those of other realms included", () => {
    const bytes = runInNewContext("new Uint8Array(1)") as Uint8Array;
    for (const options of [
      { name: "a" },
      { name: "a", isFast: undefined, entirelyElse: undefined, nested: undefined },
      { name: "a", payload: Buffer.from("x"), key: bytes, topics: new Set(["a"]), signal: AbortSignal.abort() },
      Object.create({ name: "from a prototype" }),
      {
        name: "a",
        clock: new (class {
          nowMs(): number {
            return 1;
          }
          sleep(): void {}
        })(),
      },
    ]) {
      check(options);
    }
  });
});

test("what has no members of its own and is no plain object is not taken for empty options", () => {
  const check = (options: unknown) => () => checkOptionTypes(options, { name: "string" }, { of: "make()" });
  const others = [
    new Map([["name", "x"]]),
    new Set(),
    new Date(),
    Promise.resolve({ name: "x" }),
    /x/,
    new Uint8Array(),
  ];
  for (const options of [...others, new AbortController().signal, new Error("x"), () => undefined]) {
    assert.throws(check(options), (error) => isThinglineError(error, "OPTION_INVALID"));
  }
  class Settings {
    get name(): string {
      return "x";
    }
  }
  for (const options of [{}, Object.create(null), new Settings(), runInNewContext("({})")]) check(options)();
  assert.throws(
    check(new Map()),
    /^ThinglineError: options: expected an object with the options of make\(\), got a Map$/u,
  );
});

describe("options that throw when they are read", () => {
  const boom = (): never => {
    throw new TypeError("boom");
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const getter = {
    get name() {
      return boom();
    },
  };
  const cases: [name: string, options: object, option: string][] = [
    ["a getter", getter, "tls.name"],
    ["a getter of a prototype", Object.create(getter) as object, "tls.name"],
    ["a getter of an unknown name", Object.defineProperty({}, "nam", { enumerable: true, get: boom }), "tls"],
    ["a proxy without names", new Proxy({}, { ownKeys: boom }), "tls"],
    ["a proxy without values", new Proxy({}, { get: boom }), "tls"],
    ["a revoked proxy", revoked.proxy, "tls"],
    ["a method that cannot be looked for", { clock: new Proxy({}, { get: boom }) }, "tls.clock"],
    [
      "an option of a group",
      { nested: Object.defineProperty({}, "text", { enumerable: true, get: boom }) },
      "tls.nested.text",
    ],
  ];
  for (const [name, options, option] of cases) {
    for (const check of [checkOptionTypes, readOptions]) {
      test(`${name}: ${check.name}() names ${option}, with the cause`, () => {
        assert.throws(
          () => check(options, types, { of: "make()", prefix: "tls." }),
          (error) =>
            isThinglineError(error, "OPTION_INVALID") &&
            error.details["option"] === option &&
            error.cause instanceof TypeError,
        );
      });
    }
  }

  test("one that only throws the second time is not read a second time", () => {
    let reads = 0;
    const options = {
      get name(): string {
        reads += 1;
        return reads > 1 ? boom() : "a";
      },
    };
    const read = readOptions(options, types, { of: "make()", required: ["name"] });
    assert.equal(read.name + read.name, "aa");
  });

  test("one that throws later is found among all the others", () => {
    const thrown = new TypeError("boom");
    const options = { name: "a", nested: { depth: 1, text: "b" } };
    assert.equal(unreadableOption(options, types, thrown), thrown, "it was none of them");
    Object.defineProperty(options.nested, "text", { get: boom });
    const error = unreadableOption(options, types, thrown);
    assert.ok(isThinglineError(error, "OPTION_INVALID"));
    assert.equal(error.details["option"], "nested.text");
  });
});
