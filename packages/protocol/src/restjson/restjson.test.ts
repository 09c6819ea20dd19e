import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "../errors.js";
import { decodeRestJsonError, encodeRestJsonError } from "./error.js";
import { buildPath, matchPath, parsePathTemplate } from "./path.js";
import { bindTexts, buildQuery, parseQuery, queryParametersMax } from "./query.js";

const match = (template: string, path: string) => matchPath(parsePathTemplate(template), path);

test("labels are decoded after the path was split, so an encoded slash belongs to the value", () => {
  assert.deepEqual(match("/things/{thingName}", "/things/pump-7"), { thingName: "pump-7" });
  assert.deepEqual(match("/things/{thingName}", "/things/a%2Fb%24c%3Ad"), { thingName: "a/b$c:d" });
  assert.deepEqual(match("/things/{thingName}/shadow", "/things/t/shadow"), { thingName: "t" });
  const target = "arn:aws:iot:us-east-1:123456789012:cert/abc";
  assert.deepEqual(match("/attached-policies/{target}", `/attached-policies/${encodeURIComponent(target)}`), {
    target,
  });
});

test("a greedy label takes slashes and leaves what stands behind it", () => {
  assert.deepEqual(match("/topics/{topic+}", "/topics/a/b%2Fc/%24d"), { topic: "a/b/c/$d" });
  assert.deepEqual(match("/a/{x+}/end/{y}", "/a/1/2/3/end/4"), { x: "1/2/3", y: "4" });
  assert.equal(match("/topics/{topic+}", "/topics"), undefined);
});

test("what does not fit is no match", () => {
  for (const path of [
    "",
    "things/t",
    "/things",
    "/things/",
    "/things/t/",
    "/things/t/x",
    "/other/t",
    "/things/%zz",
    "/things/%ff",
  ]) {
    assert.equal(match("/things/{thingName}", path), undefined, path);
  }
  assert.deepEqual(match("/things", "/%74hings"), {});
});

test("a template with a fault is refused", () => {
  for (const template of ["things", "/{a", "/a%2F", "/{a+}/{b+}", "/x{a}"]) {
    assert.throws(
      () => parsePathTemplate(template),
      (error) => isThinglineError(error, "OPTION_INVALID"),
      template,
    );
  }
});

test("a path that was built matches its template and gives the labels back", () => {
  const label = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !/\p{Cs}/u.test(text));
  const template = parsePathTemplate("/things/{thingName}/named/{shadow}");
  fc.assert(
    fc.property(label, label, (thingName, shadow) => {
      const path = buildPath(template, { thingName, shadow });
      assert.match(path, /^[A-Za-z0-9/%._~-]+$/);
      assert.deepEqual(matchPath(template, path), { thingName, shadow });
    }),
  );
  assert.equal(buildPath(parsePathTemplate("/topics/{topic+}"), { topic: "a b/$c" }), "/topics/a%20b/%24c");
  assert.throws(() => buildPath(template, { thingName: "t" }));
});

test("a query is decoded pair by pair", () => {
  assert.deepEqual(parseQuery("a=1&b=%2F+x&c&=&d=1=2"), [
    ["a", "1"],
    ["b", "/ x"],
    ["c", ""],
    ["", ""],
    ["d", "1=2"],
  ]);
  assert.deepEqual(parseQuery(""), []);
  assert.equal(parseQuery("a=%f"), undefined);
  const query = Array.from({ length: queryParametersMax }, () => "a").join("&");
  assert.equal(parseQuery(query)?.length, queryParametersMax);
  assert.equal(parseQuery(`${query}&a`), undefined);
  assert.deepEqual(parseQuery(buildQuery([["a b", "ä&="]])), [["a b", "ä&="]]);
});

test("bound texts become values of their type, or stay texts for the check to name", () => {
  const texts: Record<string, string> = { n: "12", f: "1.5", t: "true", u: "yes", when: "2026-01-02T03:04:05.5Z" };
  const bindings = {
    count: { name: "n", type: "integer" },
    broken: { name: "f", type: "integer" },
    flag: { name: "t", type: "boolean" },
    noFlag: { name: "u", type: "boolean" },
    at: { name: "when", type: "timestamp" },
    missing: { name: "x" },
  } as const;
  assert.deepEqual(
    bindTexts(bindings, (name) => texts[name]),
    { count: 12, broken: "1.5", flag: true, noFlag: "yes", at: Date.UTC(2026, 0, 2, 3, 4, 5) / 1000 + 0.5 },
  );
});

test("an error is read wherever its code stands, without what AWS adds around it", () => {
  const { headers, body } = encodeRestJsonError(
    { code: "ResourceNotFoundException", message: "no", members: { resourceId: "r" } },
    "id",
  );
  const parsed: unknown = JSON.parse(new TextDecoder().decode(body));
  assert.deepEqual(parsed, { resourceId: "r", message: "no" });
  assert.equal(headers["x-amzn-requestid"], "id");
  assert.deepEqual(decodeRestJsonError(headers, parsed), { code: "ResourceNotFoundException", message: "no" });
  const cases: [Record<string, string>, unknown, string][] = [
    [{ "x-amzn-errortype": "Foo:http://internal/" }, {}, "Foo"],
    [{}, { code: "Bar" }, "Bar"],
    [{}, { __type: "aws.protocols#Baz" }, "Baz"],
    [{}, null, "UnknownError"],
    [{}, "text", "UnknownError"],
  ];
  for (const [given, content, code] of cases) assert.equal(decodeRestJsonError(given, content).code, code);
});

test("half a character is refused by name, not with an error of the runtime", () => {
  const template = parsePathTemplate("/things/{thingName}");
  for (const run of [() => buildPath(template, { thingName: "a\ud800" }), () => buildQuery([["a", "\udc00"]])]) {
    assert.throws(run, (error) => isThinglineError(error, "OPTION_INVALID"));
  }
});
