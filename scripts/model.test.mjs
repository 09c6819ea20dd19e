import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readAreas } from "./fidelity-data.mjs";
import { areaOf, areaWithRecords, idOf } from "./model-records.mjs";
import { modelFiles, modelSource } from "./model-sources.mjs";
import { moduleOfTable, tableOf, textOfTable } from "./model-tables.mjs";
import { builtOperations, readTable, typesFiles } from "./model-types.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = "packages/cloud/src/model";
const read = (path) => readFileSync(join(root, path), "utf8");
const committedTables = () => Object.keys(modelFiles).map((api) => readTable(read(`${folder}/tables/${api}.ts`)));

const model = (members, shapes = {}, http = { method: "GET", requestUri: "/a" }) => ({
  metadata: { apiVersion: "2026-01-01", protocol: "rest-json", signingName: "try" },
  operations: {
    Try: {
      name: "Try",
      http,
      input: { shape: "In" },
      output: { shape: "Out" },
      errors: [{ shape: "Gone" }],
      documentation: "d",
    },
  },
  shapes: {
    In: { type: "structure", required: [], members },
    Out: { type: "structure", members: {} },
    Gone: {
      type: "structure",
      members: { message: { shape: "Text" } },
      error: { httpStatusCode: 410 },
      exception: true,
    },
    Text: { type: "string", documentation: "words" },
    ...shapes,
  },
});

test("a table has the facts of a model, and none of its descriptions", () => {
  const given = model(
    {
      label: { shape: "Name", location: "uri", locationName: "label", documentation: "words" },
      max: { shape: "Count", location: "querystring", locationName: "maxResults" },
      arn: { shape: "Text", location: "header", locationName: "X-Amzn-Arn" },
      meta: { shape: "Map", location: "headers", locationName: "X-Meta-" },
      names: { shape: "Names" },
      token: { shape: "Text", idempotencyToken: true },
    },
    {
      Name: { type: "string", min: 1, max: 4, pattern: "[a-z]+", documentation: "words" },
      Colour: { type: "string", enum: ["RED"], sensitive: true },
      Count: { type: "integer", max: 250, box: true },
      Names: { type: "list", member: { shape: "Name" }, min: 1 },
      Map: { type: "map", key: { shape: "Text" }, value: { shape: "Colour" } },
      Unused: { type: "string", min: 1 },
    },
    { method: "GET", requestUri: "/a/{label}" },
  );
  const paginators = {
    pagination: { Try: { input_token: "token", output_token: "next", limit_key: "max", result_key: "names" } },
  };
  assert.deepEqual(tableOf("iot", given, paginators), {
    api: "iot",
    version: "2026-01-01",
    protocol: "rest-json",
    signingName: "try",
    operations: {
      Try: {
        ...{ method: "GET", path: "/a/{label}", input: "In", output: "Out", errors: ["Gone"] },
        page: { in: "token", out: "next", size: "max", of: "names" },
      },
    },
    shapes: {
      Colour: { type: "string", enum: ["RED"], sensitive: true },
      Count: { type: "integer", max: 250 },
      Gone: { type: "structure", error: 410, members: { message: "string" } },
      In: {
        type: "structure",
        members: {
          label: { shape: "Name", in: "label" },
          max: { shape: "Count", in: "query", as: "maxResults" },
          arn: { shape: "string", in: "header", as: "x-amzn-arn" },
          meta: { shape: "Map", in: "prefix", as: "x-meta-" },
          names: "Names",
          token: { shape: "string", token: true },
        },
      },
      Map: { type: "map", key: "string", of: "Colour" },
      Name: { type: "string", min: 1, max: 4, pattern: "[a-z]+" },
      Names: { type: "list", of: "Name", min: 1 },
      Out: { type: "structure", members: {} },
    },
  });
});

const withOperation = (traits) => {
  const given = model({});
  return { ...given, operations: { Try: { ...given.operations.Try, ...traits } } };
};
const unknown = [
  [
    "a trait of a shape",
    model({}, { Text: { type: "string", newTrait: 1 } }),
    /the shape Text has the trait "newTrait"/,
  ],
  ["a trait of a member", model({ a: { shape: "Text", newTrait: 1 } }), /In\.a has the trait "newTrait"/],
  ["a place", model({ a: { shape: "Text", location: "moon" } }), /In\.a travels as moon/],
  ["a type", model({ a: { shape: "New" } }, { New: { type: "bignum" } }), /the shape New is a bignum/],
  ["a shape", model({ a: { shape: "Nothing" } }), /there is no shape Nothing/],
  ["a query in a path", model({}, {}, { method: "GET", requestUri: "/a?b" }), /Try has a query in its path/],
  ["a protocol", { ...model({}), metadata: { protocol: "query" } }, /iot speaks query/],
  ["a trait of an operation", withOperation({ authtype: "none" }), /^Try has the trait "authtype"/],
  [
    "a trait of the http of an operation",
    model({}, {}, { method: "GET", hostPrefix: "a" }),
    /http of Try .*"hostPrefix"/,
  ],
  ["a trait of an input", withOperation({ input: { shape: "In", flat: true } }), /the input of Try .*"flat"/],
  ["a trait of an error", withOperation({ errors: [{ shape: "Gone", retry: 1 }] }), /an error of Try .*"retry"/],
  [
    "a trait of an element",
    model({ a: { shape: "List" } }, { List: { type: "list", member: { shape: "Text", locationName: "item" } } }),
    /the member of List has the trait "locationName"/,
  ],
  [
    "a trait of a key",
    model({ a: { shape: "Map" } }, { Map: { type: "map", key: { shape: "Text", new: 1 }, value: { shape: "Text" } } }),
    /the key of Map has the trait "new"/,
  ],
  ["a trait of the API", { ...model({}), metadata: { protocol: "json", ripServiceName: 1 } }, /"ripServiceName"/],
  ["a part of a model", { ...model({}), clientContextParams: {} }, /the model of iot has the trait "clientContext/],
  ["a label in a part", model({}, {}, { method: "GET", requestUri: "/a/{b}:c" }), /has the segment "\{b\}:c"/],
  ["a label without a member", model({}, {}, { method: "GET", requestUri: "/a/{b}" }), /has the label b in/],
  ["a member without a label", model({ a: { shape: "Text", location: "uri", locationName: "b" } }), /the label b in/],
  ["a required member", model({}, { Out: { type: "structure", members: {}, required: ["x"] } }), /Out has no member x/],
  ["a payload", model({}, { Out: { type: "structure", members: {}, payload: "x" } }), /Out has no member x, and/],
  [
    "a member beside the payload",
    model({}, { Out: { type: "structure", members: { x: { shape: "Text" }, y: { shape: "Text" } }, payload: "x" } }),
    /Out\.y travels nowhere/,
  ],
  ["the name of a plain type", model({}, { string: { type: "blob" } }), /a shape is called string/],
];
for (const [name, given, message] of unknown) {
  test(`${name} that the tables do not know is refused, not dropped`, () => {
    assert.throws(() => tableOf("iot", given), { message });
  });
}

test("pages that the tables do not know are refused, not dropped", () => {
  const pages = { input_token: "a", output_token: "b", result_key: "c" };
  const cases = [
    [{ Try: { ...pages, more_results: "d" } }, /the pages of Try has the trait "more_results"/],
    [{ Try: { ...pages, result_key: ["c", "d"] } }, /the pages of Try have \["c","d"\] as "of"/],
    [{ Other: pages }, /iot has pages of Other, and no such operation/],
  ];
  for (const [pagination, message] of cases)
    assert.throws(() => tableOf("iot", model({}), { pagination }), { message });
});

test("what is no model is told as one", () => {
  const list = (member) => model({ a: { shape: "L" } }, { L: { type: "list", member } });
  const cases = [
    [null, /the model of iot is not there/],
    [[], /the model of iot is not there/],
    [{}, /the metadata of iot is not there/],
    [{ metadata: { protocol: "json" } }, /the model of iot has no shapes/],
    [{ metadata: { protocol: "json" }, shapes: {} }, /the model of iot has no operations/],
    [withOperation({ http: undefined }), /the http of Try is not there/],
    [list(undefined), /the member of L is not there/],
    [list("Text"), /the member of L is not there/],
  ];
  for (const [given, message] of cases) assert.throws(() => tableOf("iot", given), { message });
});

test("a module of a table reads back as the table, whatever its patterns hold", () => {
  const pattern = "`${x}\\\\`[\\w`$]{2}\\u0041";
  const table = tableOf("iot", model({ a: { shape: "Odd" } }, { Odd: { type: "string", pattern } }));
  const text = moduleOfTable(table, modelSource, "iot/1");
  assert.deepEqual(readTable(text), table);
  assert.equal(readTable(text).shapes.Odd.pattern, pattern);
  assert.equal(
    textOfTable(table)
      .split("\n")
      .filter((line) => line.startsWith('"Odd"')).length,
    1,
  );
});

test("the committed tables name source, commit and licence, and have all operations", () => {
  const counts = { iot: 272, "iot-data": 11, "iot-jobs-data": 5, iotdeviceadvisor: 14, iotsecuretunneling: 8 };
  for (const [api, { path }] of Object.entries(modelFiles)) {
    const text = read(`${folder}/tables/${api}.ts`);
    for (const words of [
      modelSource.repository,
      modelSource.commit,
      modelSource.licence,
      `botocore/data/${path}/service-2.json`,
    ]) {
      assert.ok(text.includes(words), `${api}: ${words}`);
    }
    const table = readTable(text);
    assert.equal(Object.keys(table.operations).length, counts[api], api);
    assert.ok(!/documentation|<p>/.test(text), `${api} has descriptions`);
    assert.equal(text, moduleOfTable(table, modelSource, path), `${api} is not as \`npm run model\` writes it`);
  }
});

test("types and records are as `npm run model` writes them", () => {
  const areas = readAreas(root);
  const tables = committedTables();
  for (const table of tables) {
    const area = areas[areaOf(table.api)];
    const wanted = areaWithRecords(area, table);
    const byId = (one, other) => (one.id < other.id ? -1 : 1);
    assert.deepEqual(area, { ...wanted, records: wanted.records.sort(byId) }, "run `npm run model`");
  }
  const files = typesFiles(tables, builtOperations(areas), folder);
  for (const [path, text] of Object.entries(files)) assert.equal(read(path), text, `${path}: run \`npm run model\``);
  const found = readdirSync(join(root, folder, "types")).map((name) => `${folder}/types/${name}`);
  assert.deepEqual(found.sort(), Object.keys(files).sort());
});

test("every operation of the tables has one record, named as it is, in the area of its API", () => {
  const areas = readAreas(root);
  for (const { api, operations } of committedTables()) {
    const { records } = areas[areaOf(api)];
    assert.deepEqual(records.map(({ behaviour }) => behaviour).sort(), Object.keys(operations));
    for (const { id, behaviour, state, remark } of records) {
      assert.equal(id, idOf(api, behaviour));
      assert.ok(["faithful", "simplified", "absent"].includes(state), id);
      if (state === "simplified") assert.match(remark ?? "", /`/, `${id} does not say which members`);
    }
  }
  assert.equal(idOf("iot", "DescribeCACertificate"), "operations-iot.describe-ca-certificate");
  assert.equal(idOf("iot", "ListThingPrincipalsV2"), "operations-iot.list-thing-principals-v2");
});

test("a new operation of AWS gets an absent record, and one that is gone must not be built", () => {
  const table = tableOf("iot", model({}));
  const record = (behaviour, state) => ({ id: idOf("iot", behaviour), behaviour, state, source: "s", tests: [] });
  const area = (...records) => ({ area: "operations-iot", title: "t", records });
  assert.deepEqual(
    areaWithRecords(undefined, table).records.map(({ behaviour, state }) => [behaviour, state]),
    [["Try", "absent"]],
  );
  const kept = areaWithRecords(area(record("Try", "faithful"), record("Gone", "absent")), table);
  assert.deepEqual(
    kept.records.map(({ behaviour, state }) => [behaviour, state]),
    [["Try", "faithful"]],
  );
  assert.throws(() => areaWithRecords(area(record("Gone", "faithful")), table), /AWS has no Gone any more/);
});
