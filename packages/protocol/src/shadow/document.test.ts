import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import { deltaOf, shadowDocumentBytes, shadowDocumentBytesMax, updateShadow, type ShadowDocument } from "./document.js";
import type { JsonObject } from "../json.js";
import {
  composeDelta,
  composeDeleteAccepted,
  composeDocuments,
  composeGetAccepted,
  composeUpdateAccepted,
} from "./messages.js";
import { decodeShadowUpdate, type ShadowUpdate, type ShadowUpdateState } from "./request.js";

const at = (timestamp: number) => ({ timestamp });
const readUpdate = (value: unknown): ShadowUpdate =>
  decodeShadowUpdate(new TextEncoder().encode(JSON.stringify(value)));

/** The document after updates one second apart, the first at 1. */
function after(...states: (ShadowUpdateState | null)[]): ShadowDocument {
  let document: ShadowDocument | undefined;
  states.forEach((state, index) => {
    document = updateShadow(document, readUpdate({ state }), { nowSeconds: index + 1 });
  });
  assert.ok(document);
  return document;
}

const shown = (document: ShadowDocument) => composeGetAccepted(document, { nowSeconds: 9 }).state;

// Measured against AWS IoT: the cases that getmoto/moto runs against the live service (tests/test_iotdata).
const measured: [first: ShadowUpdateState, then: ShadowUpdateState, shadow: object][] = [
  [
    { desired: { online: true } },
    { reported: { online: false } },
    { desired: { online: true }, reported: { online: false }, delta: { online: true } },
  ],
  [
    { desired: { enabled: true } },
    { reported: { online: false, enabled: true } },
    { desired: { enabled: true }, reported: { online: false, enabled: true } },
  ],
  [{}, { reported: { online: false } }, { reported: { online: false } }],
  [{}, { reported: { online: null } }, {}],
  [{ desired: {} }, { reported: { online: false } }, { reported: { online: false } }],
  [{ desired: { enabled: true } }, { reported: {} }, { desired: { enabled: true }, delta: { enabled: true } }],
  [
    { desired: { enabled: true } },
    { reported: { online: true } },
    { desired: { enabled: true }, reported: { online: true }, delta: { enabled: true } },
  ],
  [
    { reported: { list: ["1", "2"] } },
    { desired: { list: ["1"] } },
    { desired: { list: ["1"] }, reported: { list: ["1", "2"] }, delta: { list: ["1"] } },
  ],
  [
    { reported: { list: [["1"], ["2"]] } },
    { desired: { list: [["1"]] } },
    { desired: { list: [["1"]] }, reported: { list: [["1"], ["2"]] }, delta: { list: [["1"]] } },
  ],
  [
    { reported: { a: { b: { c: "d", e: "f" } } } },
    { desired: { a: { b: { c: "d2" } } } },
    {
      desired: { a: { b: { c: "d2" } } },
      reported: { a: { b: { c: "d", e: "f" } } },
      delta: { a: { b: { c: "d2" } } },
    },
  ],
  [
    { reported: { a: { b1: { c: "d" } } } },
    { desired: { a: { b1: { c: "d" }, b2: "x" } } },
    { desired: { a: { b1: { c: "d" }, b2: "x" } }, reported: { a: { b1: { c: "d" } } }, delta: { a: { b2: "x" } } },
  ],
  [
    { desired: { a: 1, b: { c: 3 }, d: {} } },
    { desired: { a: 1, b: { c: {} }, d: {} } },
    { desired: { a: 1, b: { c: {} }, d: {} }, delta: { a: 1, b: { c: {} }, d: {} } },
  ],
  [
    { desired: { a: 1, b: { c: 3 } } },
    { desired: { b: { c: { d: 3 } } } },
    { desired: { a: 1, b: { c: { d: 3 } } }, delta: { a: 1, b: { c: { d: 3 } } } },
  ],
];

test("state and delta after two updates are what AWS was measured to answer", () => {
  for (const [first, then, shadow] of measured) {
    assert.deepEqual(shown(after(first, then)), shadow, JSON.stringify([first, then]));
  }
});

test("null removes at any depth, objects merge, arrays and scalars replace", () => {
  const start: JsonObject = { a: 1, list: [1, 2, { x: 1 }], o: { p: 1, q: { r: 1, s: 2 } } };
  const cases: [patch: JsonObject | null, state: object][] = [
    [{ a: null }, { desired: { list: [1, 2, { x: 1 }], o: { p: 1, q: { r: 1, s: 2 } } } }],
    [{ o: { q: { r: null } } }, { desired: { ...start, o: { p: 1, q: { s: 2 } } } }],
    // Emptied by nulls, an object that was there stays.
    [{ o: { p: null, q: { r: null, s: null } } }, { desired: { ...start, o: { q: {} } } }],
    [{ list: [3] }, { desired: { ...start, list: [3] } }],
    [{ list: { x: 1 } }, { desired: { ...start, list: { x: 1 } } }],
    [{ o: 5 }, { desired: { ...start, o: 5 } }],
    [{ o: {} }, { desired: start }],
    [{ a: {} }, { desired: { ...start, a: {} } }],
    // Nothing but nulls adds nothing where nothing was, and takes the place of a scalar with nothing.
    [{ n: { m: null } }, { desired: start }],
    [{ n: { m: { k: null }, l: 1 } }, { desired: { ...start, n: { l: 1 } } }],
    [{ a: { m: null } }, { desired: { list: [1, 2, { x: 1 }], o: { p: 1, q: { r: 1, s: 2 } } } }],
    [{ unknown: null }, { desired: start }],
    [{}, { desired: start }],
    [null, {}],
    [{ a: null, list: null, o: null }, {}],
  ];
  for (const [patch, state] of cases) {
    const document = after({ desired: start }, { desired: patch });
    assert.deepEqual(document.state, state, JSON.stringify(patch));
    assert.equal(document.version, 2);
    assert.deepEqual(Object.keys(document.metadata), Object.keys(document.state));
  }
  assert.deepEqual(after({ desired: start, reported: start }, null), { version: 2, state: {}, metadata: {} });
  assert.deepEqual(after(null), { version: 1, state: {}, metadata: {} });
  assert.deepEqual(after({ desired: start }, {}).state, { desired: start });
});

test("metadata tells when each leaf was last written, changed or not", () => {
  const document = after(
    { desired: { a: 1, o: { p: 1, q: 2 }, list: [1, { x: [2] }], e: {} }, reported: { a: 1 } },
    { desired: { a: 1, o: { q: 3 } } },
    { desired: { o: { p: null }, list: [[4], "x"] }, reported: { b: { timestamp: 5 } } },
    { reported: { b: { c: 1 } } },
  );
  assert.deepEqual(document.metadata, {
    desired: { a: at(2), o: { q: at(2) }, list: [[at(3)], at(3)], e: {} },
    reported: { a: at(1), b: { timestamp: at(3), c: at(4) } },
  });
});

test("an accepted update tells what was asked for, with a time for every leaf and null", () => {
  const facts = { nowSeconds: 7, clientToken: "t" };
  const accept = (state: ShadowUpdateState | null) => {
    const update = readUpdate({ state });
    return composeUpdateAccepted(updateShadow(after({ desired: { z: 1 } }), update, facts), update, facts);
  };
  assert.deepEqual(accept({ desired: { a: null, b: { c: 1 }, l: [1, [2]], e: {} }, reported: null }), {
    state: { desired: { a: null, b: { c: 1 }, l: [1, [2]], e: {} }, reported: null },
    metadata: { desired: { a: at(7), b: { c: at(7) }, l: [at(7), [at(7)]], e: {} }, reported: at(7) },
    version: 2,
    timestamp: 7,
    clientToken: "t",
  });
  assert.deepEqual(accept(null), { state: null, metadata: at(7), version: 2, timestamp: 7, clientToken: "t" });
  assert.deepEqual(accept({}), { state: {}, metadata: {}, version: 2, timestamp: 7, clientToken: "t" });
  assert.deepEqual(Object.keys(accept({})), ["state", "metadata", "version", "timestamp", "clientToken"]);
});

test("the delta holds all differences, with the times of desired, and no other level", () => {
  const document = after(
    { desired: { color: "red", o: { a: 1, b: 2 }, l: [1, { k: 2 }], same: [1, { x: 1, y: 2 }], n: 1 } },
    { reported: { o: { b: 2, c: 3 }, l: [1], same: [1, { y: 2, x: 1 }], n: 1.0, only: 1 } },
    { desired: { o: { b: 2 } } },
  );
  assert.deepEqual(composeDelta(document, { nowSeconds: 3, clientToken: "t" }), {
    version: 3,
    timestamp: 3,
    state: { color: "red", o: { a: 1 }, l: [1, { k: 2 }] },
    metadata: { color: at(1), o: { a: at(1) }, l: [at(1), { k: at(1) }] },
    clientToken: "t",
  });
  const equal = after({ desired: { a: { b: 1 } }, reported: { a: { b: 1, c: 2 } } });
  assert.equal(composeDelta(equal, { nowSeconds: 3 }), undefined);
  assert.equal(deltaOf(after({ reported: { a: 1 } })), undefined);
  // Of different kinds: desired wins, an empty object as well.
  assert.deepEqual(deltaOf(after({ desired: { a: {}, b: [] }, reported: { a: 1, b: {} } }))?.state, { a: {}, b: [] });
  assert.equal(deltaOf(after({ desired: { a: {} }, reported: { a: { x: 1 } } })), undefined);
});

test("get and documents show sections that exist, and delete the version that was deleted", () => {
  const facts = { nowSeconds: 9, clientToken: "t" };
  const document = after({ desired: { a: 1 } });
  assert.deepEqual(composeGetAccepted(document, facts), {
    state: { desired: { a: 1 }, delta: { a: 1 } },
    metadata: { desired: { a: at(1) }, delta: { a: at(1) } },
    version: 1,
    timestamp: 9,
    clientToken: "t",
  });
  const cleared = after(null);
  assert.deepEqual(composeGetAccepted(cleared, { nowSeconds: 9 }), {
    ...{ state: {}, metadata: {}, version: 1, timestamp: 9 },
  });
  const first = composeDocuments(undefined, document, facts);
  assert.equal(first.previous, null);
  assert.deepEqual(Object.keys(first), ["previous", "current", "timestamp", "clientToken"]);
  assert.deepEqual(composeDocuments(document, cleared, { nowSeconds: 9 }), {
    previous: { state: { desired: { a: 1 } }, metadata: { desired: { a: at(1) } }, version: 1 },
    current: { state: {}, metadata: {}, version: 1 },
    timestamp: 9,
  });
  assert.deepEqual(composeDeleteAccepted(11, facts), { version: 11, timestamp: 9, clientToken: "t" });
});

test("an update that names a version needs the current one", () => {
  const update = (document: ShadowDocument | undefined, version: number, deletedVersion = 0) =>
    updateShadow(document, readUpdate({ state: {}, version }), { nowSeconds: 1, deletedVersion }).version;
  const third = after({}, {}, {});
  assert.equal(update(third, 3), 4);
  for (const version of [0, 2, 4]) {
    assert.throws(
      () => update(third, version),
      (error) => isThinglineError(error, "SHADOW_VERSION_CONFLICT") && error.details["version"] === 3,
    );
  }
  // Deleted at 11: the deletion is 12, what comes next is 13.
  assert.equal(update(undefined, 12, 12), 13);
  assert.throws(() => update(undefined, 11, 12), /Version conflict/);
  assert.equal(update(undefined, 0), 1);
  assert.equal(update(undefined, 1), 1);
  assert.throws(() => update(undefined, 2), /Invalid version/);
});

test("desired and reported together have 8 KB, metadata not counted", () => {
  // {"a":"…"} twice
  const value = "x".repeat(shadowDocumentBytesMax / 2 - 8);
  const full = after({ desired: { a: value }, reported: { a: value } });
  assert.equal(shadowDocumentBytes(full.state), shadowDocumentBytesMax);
  const update = (state: ShadowUpdateState) => updateShadow(full, readUpdate({ state }), { nowSeconds: 2 });
  const isTooLarge = (error: unknown) => isThinglineError(error, "SHADOW_TOO_LARGE");
  assert.throws(() => update({ desired: { a: `${value}x` } }), isTooLarge);
  assert.throws(() => update({ desired: { b: 1 } }), isTooLarge, "it is the merged document that counts");
  assert.throws(() => update({ desired: { a: `${value.slice(1)}ü` } }), isTooLarge, "bytes count, not characters");
  update({ desired: { a: value.slice(10), b: 1 } });
  update({ desired: { b: null } });
});

test("member names that mean something to JavaScript are names like any other", () => {
  const text =
    '{"state":{"desired":{"__proto__":{"a":1},"constructor":{"name":"x"},"toString":1,"hasOwnProperty":[1]}}}';
  const update = decodeShadowUpdate(new TextEncoder().encode(text));
  const document = updateShadow(undefined, update, { nowSeconds: 1 });
  const message = composeUpdateAccepted(document, update, { nowSeconds: 1 });
  assert.equal(JSON.stringify({ state: message.state }), text);
  assert.equal(JSON.stringify({ state: document.state }), text);
  assert.match(JSON.stringify(document.metadata), /^\{"desired":\{"__proto__":\{"a":\{"timestamp":1\}\},"constructor"/);
  assert.equal(JSON.stringify({ desired: deltaOf(document)?.state }), JSON.stringify(document.state));
  assert.equal(({} as Record<string, unknown>)["a"], undefined);
  const merged = updateShadow(
    document,
    decodeShadowUpdate(
      new TextEncoder().encode('{"state":{"desired":{"__proto__":{"b":2,"a":null},"constructor":null}}}'),
    ),
    { nowSeconds: 2 },
  );
  const left = '{"desired":{"__proto__":{"b":2},"toString":1,"hasOwnProperty":[1]}}';
  assert.equal(JSON.stringify(merged.state), left);
  const removed = updateShadow(
    merged,
    decodeShadowUpdate(new TextEncoder().encode('{"state":{"desired":{"__proto__":null}}}')),
    { nowSeconds: 3 },
  );
  assert.equal(JSON.stringify(removed.state), '{"desired":{"toString":1,"hasOwnProperty":[1]}}');
});

test("an update leaves the documents before it as they were", () => {
  const document = after({ desired: { o: { a: 1 } }, reported: { l: [1] } });
  const before = structuredClone(document);
  updateShadow(document, readUpdate({ state: { desired: { o: { a: null, b: 2 } }, reported: null } }), {
    nowSeconds: 2,
  });
  assert.deepEqual(document, before);
});
