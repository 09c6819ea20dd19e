import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import { decodeShadowRejected, describeShadowError, shadowError } from "./errors.js";
import { decodeShadowGet, decodeShadowUpdate, findClientToken, shadowRequestBytesMax } from "./request.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const nested = (levels: number, leaf: string) => '{"a":'.repeat(levels) + leaf + "}".repeat(levels);
const desired = (value: string) => `{"state":{"desired":${value}}}`;

test("a request is read with its version and client token; other members are ignored", () => {
  const text = '{"state":{"desired":{"a":1},"reported":null},"clientToken":"t","version":0,"timestamp":3,"x":[null]}';
  assert.deepEqual(decodeShadowUpdate(bytes(text)), {
    state: { desired: { a: 1 }, reported: null },
    version: 0,
    clientToken: "t",
  });
  for (const state of [null, {}, { desired: {} }, { reported: null }]) {
    assert.deepEqual(decodeShadowUpdate(bytes(JSON.stringify({ state }))), { state });
  }
});

test("what breaks a rule is refused in AWS's words", () => {
  const cases: [payload: string | Uint8Array, code: number, message: string][] = [
    ["", 400, "Missing update payload"],
    ["{", 400, "Invalid JSON"],
    ["\ufeff{}", 400, "Invalid JSON"],
    ["[]", 400, "Invalid JSON"],
    ["null", 400, "Invalid JSON"],
    ['"state"', 400, "Invalid JSON"],
    [desired('{"a":1e999}'), 400, "Invalid JSON"],
    ["{}", 400, "Missing required node: state"],
    ['{"State":{}}', 400, "Missing required node: state"],
    ['{"state":[]}', 400, "State node must be an object"],
    ['{"state":"on"}', 400, "State node must be an object"],
    [desired("1"), 400, "Desired node must be an object"],
    [desired("[]"), 400, "Desired node must be an object"],
    ['{"state":{"reported":"x"}}', 400, "Reported node must be an object"],
    ['{"state":{"delta":{}}}', 400, "State contains an invalid node: 'delta'"],
    ['{"state":{"desired":{},"foo":1,"bar":2}}', 400, "State contains an invalid node: 'foo'"],
    ['{"state":{"":{}}}', 400, "State contains an invalid node: ''"],
    ['{"state":{"Desired":null}}', 400, "State contains an invalid node: 'Desired'"],
    ['{"state":{"__proto__":{}}}', 400, "State contains an invalid node: '__proto__'"],
    [desired('{"a":[1,null]}'), 400, "State contains an invalid node: 'a'"],
    [desired('{"a":{"b":[[[null]]]}}'), 400, "State contains an invalid node: 'b'"],
    [desired('{"a":[{"b":[null]}]}'), 400, "State contains an invalid node: 'b'"],
    [`{"state":{"${"x".repeat(300)}":1}}`, 400, `State contains an invalid node: '${"x".repeat(200)}'`],
    ['{"state":{},"version":-1}', 400, "Invalid version"],
    ['{"state":{},"version":1.5}', 400, "Invalid version"],
    ['{"state":{},"version":"1"}', 400, "Invalid version"],
    ['{"state":{},"version":null}', 400, "Invalid version"],
    ['{"state":{},"clientToken":7}', 400, "Invalid clientToken"],
    [`{"state":{},"clientToken":"${"x".repeat(65)}"}`, 400, "Invalid clientToken"],
    [`{"state":{},"clientToken":"${"ü".repeat(33)}"}`, 400, "Invalid clientToken"],
    [desired(nested(9, '{"b":1}')), 400, "JSON contains too many levels of nesting; maximum is 6"],
    [desired(nested(8, "[[1]]")), 400, "JSON contains too many levels of nesting; maximum is 6"],
    [new Uint8Array([0x7b, 0xff, 0x7d]), 415, "Unsupported documented encoding; supported encoding is UTF-8"],
    [new Uint8Array(shadowRequestBytesMax + 1), 413, "The payload exceeds the maximum size allowed"],
  ];
  for (const [payload, code, message] of cases) {
    assert.throws(
      () => decodeShadowUpdate(typeof payload === "string" ? bytes(payload) : payload),
      (error) => {
        assert.deepEqual(describeShadowError(error), { code, message }, payload.slice(0, 60).toString());
        return true;
      },
    );
  }
});

test("limits are what is still allowed", () => {
  for (const text of [
    `{"state":{},"clientToken":"${"ü".repeat(32)}"}`,
    desired(nested(8, '{"b":1}')),
    desired(nested(7, "[[1]]")),
    // An empty object or array is no level.
    desired(nested(9, "{}")),
    desired(nested(9, "[]")),
    // null in an object inside of an array is a value like any other.
    desired('{"a":[{"b":null}]}'),
  ]) {
    decodeShadowUpdate(bytes(text));
  }
});

test("nesting without end is refused and overflows nothing", () => {
  const depth = 30_000;
  const text = desired(`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`);
  assert.throws(() => decodeShadowUpdate(bytes(text)), /too many levels/);
  const ignored = `{"state":{},"ignored":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  assert.deepEqual(decodeShadowUpdate(bytes(ignored)), { state: {} });
});

test("a get may be empty or hold a client token", () => {
  for (const text of ["", "{}", '{"state":1}', "[]", '""']) assert.deepEqual(decodeShadowGet(bytes(text)), {});
  assert.deepEqual(decodeShadowGet(bytes('{"clientToken":"t"}')), { clientToken: "t" });
  assert.throws(() => decodeShadowGet(bytes("get")), /^ThinglineError: Invalid JSON$/);
  assert.throws(() => decodeShadowGet(bytes('{"clientToken":1}')), /Invalid clientToken/);
});

test("the client token is found in whatever can be read, for the answer", () => {
  assert.equal(findClientToken(bytes('{"state":7,"clientToken":"t"}')), "t");
  for (const text of ["", "{", "[]", '{"clientToken":7}']) assert.equal(findClientToken(bytes(text)), undefined);
  assert.equal(findClientToken(new Uint8Array([0xff])), undefined);
});

test("a rejected message becomes an error by its code, whatever its text", () => {
  const codes = [
    [400, "SHADOW_DOCUMENT_INVALID"],
    [404, "SHADOW_NOT_FOUND"],
    [409, "SHADOW_VERSION_CONFLICT"],
    [413, "SHADOW_TOO_LARGE"],
    [415, "SHADOW_ENCODING_UNSUPPORTED"],
    [429, "THROTTLED"],
    [500, "INTERNAL_FAILURE"],
    [302, "INTERNAL_FAILURE"],
  ] as const;
  for (const [status, code] of codes) {
    const error = decodeShadowRejected({ code: status, message: "some text" });
    assert.deepEqual([error.code, error.message, error.details["status"]], [code, "some text", status]);
  }
  for (const value of [undefined, null, 7, [], {}, { code: "404" }]) {
    assert.ok(isThinglineError(decodeShadowRejected(value), "INTERNAL_FAILURE"));
  }
  assert.deepEqual(describeShadowError(new Error("secret")), { code: 500, message: "Internal service failure" });
  assert.deepEqual(describeShadowError(shadowError("versionConflict")), { code: 409, message: "Version conflict" });
});
