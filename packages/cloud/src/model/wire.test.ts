// Decoding and encoding: where members travel, and in which form.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeBase64 } from "@thingline/protocol/x509";
import { decodeInput, type EncodedInput } from "./decode.js";
import { encodeOutput } from "./encode.js";
import { loadModel, modelOf } from "./model.js";
import type { MemberRow, ServiceTable, ShapeRow, StructureRow } from "./table.js";

type Members = Record<string, string | MemberRow>;

/** A model of one operation `Try`. */
function modelWith(
  { input = {}, output = {} }: { input?: Partial<StructureRow>; output?: Partial<StructureRow> },
  shapes: Record<string, ShapeRow> = {},
  status?: number,
) {
  const table: ServiceTable = {
    ...{ api: "iotdeviceadvisor", version: "2026-01-01", protocol: "rest-json", signingName: "try" },
    operations: {
      Try: {
        ...{ method: "POST", path: "/try/{label}", input: "In", output: "Out", errors: [] },
        ...(status !== undefined && { status }),
      },
    },
    shapes: {
      ...shapes,
      In: { type: "structure", members: {}, ...input },
      Out: { type: "structure", members: {}, ...output },
    },
  };
  return modelOf([table]).operation("iotdeviceadvisor", "Try");
}

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const nothing: EncodedInput = { labels: {}, rawQuery: "", headers: {}, body: new Uint8Array() };
function decoded(members: Members, request: Partial<EncodedInput>, shapes: Record<string, ShapeRow> = {}) {
  const found = decodeInput(modelWith({ input: { members } }, shapes), { ...nothing, ...request });
  return "input" in found ? found.input : found;
}

test("members come from where AWS has them, and from nowhere else", () => {
  const members: Members = {
    label: { shape: "string", in: "label" },
    max: { shape: "integer", in: "query", as: "maxResults" },
    flag: { shape: "boolean", in: "query" },
    principal: { shape: "string", in: "header", as: "x-amzn-principal" },
    inBody: "string",
    renamed: { shape: "integer", as: "otherName" },
  };
  const request = {
    labels: { label: "a/b" },
    rawQuery: "maxResults=7&flag=true&maxResults=8&inBody=no&unknown=1",
    headers: { "x-amzn-principal": "arn", inBody: "no" },
    body: bytes({ inBody: "yes", otherName: 3, label: "no", max: 1, maxResults: 1, principal: "no", unknown: 1 }),
  };
  assert.deepEqual(decoded(members, request), {
    ...{ inBody: "yes", renamed: 3, label: "a/b", max: 7, flag: true, principal: "arn" },
  });
  assert.deepEqual(decoded(members, {}), {});
});

test("lists and maps travel in the query, lists and prefixed names in headers", () => {
  const shapes: Record<string, ShapeRow> = {
    Names: { type: "list", of: "string" },
    Numbers: { type: "list", of: "integer" },
    Map: { type: "map", key: "string", of: "string" },
    ListMap: { type: "map", key: "string", of: "Names" },
  };
  const members: Members = {
    names: { shape: "Names", in: "query", as: "name" },
    rest: { shape: "Map", in: "query" },
    numbers: { shape: "Numbers", in: "header", as: "x-numbers" },
    meta: { shape: "Map", in: "prefix", as: "x-meta-" },
  };
  const request = {
    rawQuery: "name=a&name=b%2Cc&colour=red&colour=blue",
    headers: { "x-numbers": "1, 2,x", "x-meta-a": "1", "x-meta-b": "2", host: "h" },
  };
  assert.deepEqual(decoded(members, request, shapes), {
    ...{ names: ["a", "b,c"], rest: { colour: "red" }, numbers: [1, 2, "x"], meta: { a: "1", b: "2" } },
  });
  assert.deepEqual(decoded(members, {}, shapes), {});
  assert.deepEqual(decoded({ rest: { shape: "ListMap", in: "query" } }, { rawQuery: "a=1&a=2" }, shapes), {
    rest: { a: ["1", "2"] },
  });
});

test("a number in a text is taken when it is exactly that number", () => {
  const members: Members = { long: { shape: "long", in: "query" } };
  const taken = (text: string) => decoded(members, { rawQuery: `long=${text}` }) as unknown;
  for (const number of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 7])
    assert.deepEqual(taken(String(number)), { long: number });
  for (const text of [
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "1e3",
    " 7",
    "7 ",
    "0x7",
    "NaN",
    "",
  ])
    assert.deepEqual(taken(encodeURIComponent(text)), { long: text });
});

test("times are Unix seconds inside, whatever their form on the wire", () => {
  const seconds = 1_785_000_000.5;
  const iso = new Date(seconds * 1000).toISOString();
  const members: Members = {
    query: { shape: "timestamp", in: "query" },
    header: { shape: "timestamp", in: "header" },
    unix: { shape: "timestamp", in: "query", format: "unixTimestamp" },
    body: "timestamp",
    text: "timestamp",
    wrong: "timestamp",
  };
  const request = {
    rawQuery: `query=${iso}&unix=${seconds}`,
    headers: { header: new Date(1_785_000_000_000).toUTCString() },
    body: bytes({ body: seconds, text: iso, wrong: "noon" }),
  };
  assert.deepEqual(decoded(members, request), {
    ...{ query: seconds, header: 1_785_000_000, unix: seconds, body: seconds, text: seconds, wrong: "noon" },
  });
  const output = {
    members: {
      ...{ plain: "timestamp", iso: { shape: "timestamp", format: "iso8601" } as MemberRow },
      header: { shape: "timestamp", in: "header", as: "x-at" } as MemberRow,
    },
  };
  const answer = encodeOutput(modelWith({ output }), { plain: seconds, iso: seconds, header: seconds });
  assert.deepEqual(JSON.parse(new TextDecoder().decode(answer.body)), { plain: seconds, iso });
  assert.deepEqual(answer.headers, { "x-at": new Date(seconds * 1000).toUTCString() });
});

test("blobs are bytes inside and base64 in JSON, as deep as they are", () => {
  const shapes: Record<string, ShapeRow> = {
    Inner: { type: "structure", members: { data: "blob" } },
    Inners: { type: "list", of: "Inner" },
    Map: { type: "map", key: "string", of: "Inners" },
  };
  const data = Uint8Array.of(0, 255, 7);
  const wire = { data: encodeBase64(data) };
  const members = { data: "blob", map: "Map" };
  const value = { data, map: { k: [{ data }] } };
  assert.deepEqual(decoded(members, { body: bytes({ ...wire, map: { k: [wire] } }) }, shapes), value);
  assert.deepEqual(decoded(members, { body: bytes({ data: "no base64!", map: 7 }) }, shapes), {
    data: "no base64!",
    map: 7,
  });
  const { body } = encodeOutput(modelWith({ output: { members } }, shapes), value);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(body)), { ...wire, map: { k: [wire] } });
});

test("a payload is the whole body: bytes, text or a structure", () => {
  const shapes: Record<string, ShapeRow> = { Inner: { type: "structure", members: { at: "timestamp", a: "string" } } };
  const payloadOf = (shape: string, body: Uint8Array) => {
    const found = decodeInput(modelWith({ input: { payload: "p", members: { p: shape } } }, shapes), {
      ...nothing,
      body,
    });
    return "input" in found ? found.input["p"] : found.code;
  };
  assert.deepEqual(payloadOf("blob", Uint8Array.of(255)), Uint8Array.of(255));
  assert.deepEqual(payloadOf("blob", new Uint8Array()), new Uint8Array());
  assert.equal(payloadOf("string", bytes("text")), "text");
  assert.equal(payloadOf("string", Uint8Array.of(255)), "SerializationException");
  assert.deepEqual(payloadOf("Inner", bytes({ at: 1.5, a: "x", unknown: 1 })), { at: 1.5, a: "x" });
  assert.equal(payloadOf("Inner", new Uint8Array()), undefined);
  assert.equal(payloadOf("Inner", bytes("{")), "SerializationException");
  const answered = (shape: string, p: unknown) =>
    new TextDecoder().decode(
      encodeOutput(modelWith({ output: { payload: "p", members: { p: shape } } }, shapes), { p }).body,
    );
  assert.equal(answered("blob", bytes("raw")), "raw");
  assert.equal(answered("string", "text"), "text");
  assert.equal(answered("Inner", { a: "x" }), '{"a":"x"}');
  assert.equal(answered("Inner", undefined), "");
});

test("a body that is no JSON object and a query that is not well encoded are refused", () => {
  for (const body of ["[]", "null", "1", "{", '"a"']) {
    assert.deepEqual(decoded({ a: "string" }, { body: bytes(body) }), {
      ...{ code: "SerializationException", message: "The body is not a JSON object" },
    });
  }
  assert.deepEqual(decoded({}, { body: Uint8Array.of(0x7b, 0xff, 0x7d) }), {
    ...{ code: "SerializationException", message: "The body is not a JSON object" },
  });
  assert.deepEqual(decoded({}, { rawQuery: "a=%zz" }), {
    ...{
      code: "InvalidRequestException",
      message: "The query string is not well encoded, or has more than 200 parameters",
    },
  });
});

test("an answer has its status and its headers where AWS has them", () => {
  const shapes: Record<string, ShapeRow> = {
    Map: { type: "map", key: "string", of: "string" },
    Names: { type: "list", of: "string" },
  };
  const members: Members = {
    statusCode: { shape: "integer", in: "status" },
    etag: { shape: "string", in: "header", as: "etag" },
    names: { shape: "Names", in: "header", as: "x-names" },
    meta: { shape: "Map", in: "prefix", as: "x-meta-" },
    a: { shape: "string", as: "b" },
  };
  const operation = modelWith({ output: { members } }, shapes, 202);
  const answer = encodeOutput(operation, { statusCode: 204, etag: "7", names: ["x", "y"], meta: { K: "v" }, a: "z" });
  assert.deepEqual([answer.status, answer.headers], [204, { etag: "7", "x-names": "x,y", "x-meta-k": "v" }]);
  assert.equal(new TextDecoder().decode(answer.body), '{"b":"z"}');
  assert.deepEqual(encodeOutput(operation, { a: undefined }), { status: 202, headers: {}, body: bytes("{}") });
});

test("an answer that AWS does not have is a defect", async () => {
  const model = await loadModel();
  const describe = model.operation("iot", "DescribeThing");
  const list = model.operation("iot", "ListThings");
  const wrong: [result: object, message: RegExp][] = [
    [
      { thingNames: "t" },
      /^DescribeThing answers what AWS does not: thingNames is not a member of DescribeThingResponse$/,
    ],
    [{ thingName: 7 }, /thingName is to be a string, and is number/],
    [{ version: "1" }, /version is to be a long, and is string/],
    [{ version: 1.5 }, /version is to be a long/],
    [{ attributes: { a: null } }, /attributes\.a is to be a string, and is null/],
    [{ attributes: [] }, /attributes is to be a map/],
  ];
  for (const [result, message] of wrong) assert.throws(() => encodeOutput(describe, result), { message });
  assert.throws(
    () => encodeOutput(list, { things: [{ thingName: "t", colour: 1 }] }),
    /things\[0\]\.colour is not a member of ThingAttribute/,
  );
  assert.throws(() => encodeOutput(list, { things: {} }), /things is to be a list/);
  const good = { things: [{ thingName: "t", version: 1, attributes: { a: "b" } }], nextToken: undefined };
  assert.deepEqual(
    JSON.parse(new TextDecoder().decode(encodeOutput(list, good).body)),
    JSON.parse(JSON.stringify(good)),
  );
  const certificate = model.operation("iot", "ListCertificates");
  assert.throws(() => encodeOutput(certificate, { certificates: [{ status: "GONE" }] }), /status is to be a string/);
});
