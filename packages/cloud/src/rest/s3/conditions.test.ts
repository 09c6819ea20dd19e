import assert from "node:assert/strict";
import { test } from "node:test";
import { failedCondition, httpDate, rangeOf } from "./conditions.js";

const modifiedAtMs = Date.UTC(2026, 10, 29, 12, 0, 0, 500);
const object = { etag: '"abc"', modifiedAtMs };
const at = (offsetMs: number) => httpDate(modifiedAtMs + offsetMs);

test("a Range header means what RFC 9110 says, and nothing when it is not understood", () => {
  const cases: readonly [range: string, expected: unknown][] = [
    ["bytes=0-", { start: 0, end: 100 }],
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=10-19", { start: 10, end: 20 }],
    ["bytes=90-1000", { start: 90, end: 100 }],
    ["Bytes= 99-", { start: 99, end: 100 }],
    ["bytes=-1", { start: 99, end: 100 }],
    ["bytes=-1000", { start: 0, end: 100 }],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=100-200", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=99999999999999999999-", "unsatisfiable"],
    ["bytes=5-4", "all"],
    ["bytes=-", "all"],
    ["bytes=0-1,5-6", "all"],
    ["items=0-1", "all"],
    ["", "all"],
  ];
  for (const [range, expected] of cases) assert.deepEqual(rangeOf({ range }, 100, object), expected, range);
  assert.deepEqual(rangeOf({}, 100, object), "all");
  assert.deepEqual(rangeOf({ range: "bytes=0-" }, 0, object), "unsatisfiable");
  assert.deepEqual(rangeOf({ range: "bytes=-5" }, 0, object), "unsatisfiable");
});

test("If-Range holds by a strong ETag or exactly the date", () => {
  const range = (ifRange: string) => rangeOf({ range: "bytes=1-1", "if-range": ifRange }, 100, object);
  assert.deepEqual(range('"abc"'), { start: 1, end: 2 });
  assert.deepEqual(range(at(0)), { start: 1, end: 2 });
  for (const other of ['"abd"', 'W/"abc"', at(-1_000), at(1_000), "nonsense"]) assert.equal(range(other), "all", other);
});

test("conditions are weighed in the order of RFC 9110", () => {
  const cases: readonly [headers: Record<string, string>, expected: 304 | 412 | undefined][] = [
    [{}, undefined],
    [{ "if-match": '"abc"' }, undefined],
    [{ "if-match": '"x", "abc"' }, undefined],
    [{ "if-match": "abc" }, undefined],
    [{ "if-match": "*" }, undefined],
    [{ "if-match": '"x"' }, 412],
    [{ "if-unmodified-since": at(0) }, undefined],
    [{ "if-unmodified-since": at(-1_000) }, 412],
    [{ "if-match": '"abc"', "if-unmodified-since": at(-1_000) }, undefined],
    [{ "if-none-match": '"abc"' }, 304],
    [{ "if-none-match": 'W/"abc"' }, 304],
    [{ "if-none-match": "*" }, 304],
    [{ "if-none-match": '"x"' }, undefined],
    [{ "if-modified-since": at(0) }, 304],
    [{ "if-modified-since": at(-1_000) }, undefined],
    [{ "if-none-match": '"x"', "if-modified-since": at(0) }, undefined],
    [{ "if-match": '"x"', "if-none-match": '"abc"' }, 412],
    [{ "if-modified-since": "5" }, undefined],
  ];
  for (const [headers, expected] of cases)
    assert.equal(failedCondition(headers, object), expected, JSON.stringify(headers));
});
