import assert from "node:assert/strict";
import { test } from "node:test";
import { select } from "./rules-sql.test.support.js";

const readings = {
  e: [
    { n: "temperature", u: "Cel", t: 1234, v: 22.5 },
    { n: "light", u: "lm", t: 1235, v: 135 },
    { n: "acidity", u: "pH", t: 1235, v: 7 },
  ],
};
const colored = { color: "red", temperature: 50 };
const nested = { color: { red: 255, green: 0, blue: 0 }, temperature: 50 };

/** Examples of AWS IoT developer guide, "SELECT clause", "WHERE clause", "JSON extensions", "Nested object queries", "Literals", "Case statements". */
const examples: readonly [sql: string, payload: unknown, result: unknown][] = [
  ["SELECT * FROM 'topic/subtopic'", colored, colored],
  ["SELECT color FROM 'topic/subtopic'", colored, { color: "red" }],
  [
    "SELECT color AS my_color, temperature as fahrenheit FROM 'topic/subtopic'",
    colored,
    { my_color: "red", fahrenheit: 50 },
  ],
  ["SELECT *, 15 as speed FROM 'topic/subtopic'", colored, { ...colored, speed: 15 }],
  ["SELECT VALUE color FROM 'topic/subtopic'", colored, "red"],
  ["SELECT color.red as red_value FROM 'topic/subtopic'", nested, { red_value: 255 }],
  ["SELECT color.red FROM 'topic/subtopic'", nested, { red: 255 }],
  ["SELECT color.red AS a.b, temperature AS a.c FROM 'x'", nested, { a: { b: 255, c: 50 } }],
  ["SELECT VALUE temperature FROM 'topic/subtopic'", colored, 50],
  [
    "SELECT (SELECT v FROM e WHERE n = 'temperature') as temperature FROM 'my/topic'",
    readings,
    { temperature: [{ v: 22.5 }] },
  ],
  [
    "SELECT (SELECT VALUE n FROM e) as sensors FROM 'my/topic'",
    readings,
    { sensors: ["temperature", "light", "acidity"] },
  ],
  [
    "SELECT get((SELECT v FROM e WHERE n = 'temperature'),0).v as temperature FROM 'my/topic'",
    readings,
    { temperature: 22.5 },
  ],
  ["SELECT VALUE (SELECT * FROM e WHERE t = 1235) FROM 'my/topic'", readings, readings.e.slice(1)],
  [
    'SELECT get(get(get(mydata,"item2"),"0"),"my-key") AS k FROM \'x\'',
    { mydata: { item2: { "0": { "my-key": 1 } } } },
    { k: 1 },
  ],
  [
    "SELECT {'latitude': get(lat_long, 0),'longitude':get(lat_long, 1)} as lat_long FROM 'a/b'",
    { lat_long: [47.606, -122.332] },
    { lat_long: { latitude: 47.606, longitude: -122.332 } },
  ],
  ["SELECT [lat,long] as lat_long FROM 'a/b'", { lat: 47.696, long: -122.332 }, { lat_long: [47.696, -122.332] }],
  [
    "SELECT CASE color WHEN 'green' THEN 'go' WHEN 'yellow' THEN 'caution' WHEN 'red' THEN 'stop' ELSE 'you are not at a stop light' END as instructions FROM 'topic/subtopic'",
    { color: "yellow" },
    { instructions: "caution" },
  ],
  ["SELECT CASE color WHEN 'green' THEN 'go' END as instructions FROM 'x'", { color: "yellow" }, {}],
  [
    "SELECT temp, md5(deviceid) AS hashed_id FROM topic/#",
    { deviceid: "iot123", temp: 54.98 },
    { temp: 54.98, hashed_id: "e37f81fb397e595c4aeb5645b8cbbbd1" },
  ],
  ["SET @c = (temp - 32) / 2 SELECT @c, @c > 5 AS warm FROM 'x' WHERE @c > 0", { temp: 50 }, { c: 9, warm: true }],
  [
    "SELECT decode(encode(*, 'base64'), 'base64') AS value FROM 'topic/subtopic' WHERE decode(encode(*, 'base64'), 'base64') > 50",
    80,
    { value: 80 },
  ],
];

const transformed = {
  data1: "example",
  data2: {
    a: "first",
    b: "second",
    c: [
      { x: { n: 5 }, y: true },
      { x: { n: 10 }, y: false },
    ],
  },
};

test("a nested query over an object is what is selected of it, and over a list a list", () => {
  const of = (sql: string) => JSON.parse(select(sql, transformed) ?? "null") as unknown;
  assert.deepEqual(
    of("select value transform('enrichArray', (select a, b from data2), (select value c from data2)) from 'A/B'"),
    transformed.data2.c.map((each) => ({ ...each, a: "first", b: "second" })),
  );
  assert.deepEqual(of("SELECT (SELECT a FROM data2 WHERE a = 'second') AS v, (SELECT y FROM data2.c) AS l FROM 'x'"), {
    l: [{ y: true }, { y: false }],
  });
});

test("a function gets the whole message by its star", () => {
  const heard: unknown[] = [];
  const external = ({ args }: { args: readonly unknown[] }) => void heard.push(args[1]);
  for (const payload of ['{"a":1}', Uint8Array.of(255)]) {
    select("SELECT aws_lambda('arn:aws:lambda:us-east-1:1:function:f', *) AS out FROM 'x'", payload, {}, { external });
  }
  assert.equal(JSON.stringify(heard), '[{"a":1},"/w=="]');
});

test("examples of the developer guide give what it says", () => {
  for (const [sql, payload, expected] of examples) {
    assert.deepEqual(JSON.parse(select(sql, JSON.stringify(payload)) ?? "null"), expected, sql);
  }
});

test("WHERE has to be true: what is false, Undefined, Null or a text is no action", () => {
  for (const where of ["temperature > 50", "color", "missing = 1", "NULL", "missing", "1", "'yes'"]) {
    assert.equal(select(`SELECT * FROM 'x' WHERE ${where}`, colored), undefined, where);
  }
  for (const where of [
    "temperature >= 50",
    "true",
    "color = 'red' AND NOT temperature = 1",
    "EXISTS (SELECT * FROM l)",
  ]) {
    assert.notEqual(select(`SELECT * FROM 'x' WHERE ${where}`, { ...colored, l: [1] }), undefined, where);
  }
  // It sees the message, not what SELECT calls it.
  assert.equal(select("SELECT color AS hue FROM 'x' WHERE hue = 'red'", colored), undefined);
});

test("what is Undefined is left out, and Null stays", () => {
  assert.equal(select("SELECT a, b, c FROM 'x'", { a: null, c: [] }), '{"a":null,"c":[]}');
  assert.equal(select("SELECT VALUE missing FROM 'x'", {}), "{}");
});

test("a payload that is not JSON passes as it is, and is attached as base64 beside other items", () => {
  const bytes = Uint8Array.of(0xff, 0x00, 0x7b);
  assert.equal(select("SELECT *, topic() AS t FROM 'x'", bytes), '{"payload":"/wB7","t":"a/b"}');
  assert.equal(select("SELECT encode(*, 'base64') AS data, missing FROM 'x'", bytes), '{"data":"/wB7"}');
  assert.equal(select("SELECT * FROM 'x'", "plain text"), "plain text");
  assert.equal(select("SELECT *, clientid() AS c FROM 'x'", ""), '{"c":"client-1"}');
});

test("numbers keep their digits, also those that a JavaScript number does not hold", () => {
  const payload = '{"big":12345678901234567890,"small":0.1234567890123456789,"e":1e400,"name":"__proto__"}';
  assert.equal(
    select("SELECT *, big + 1 AS more, 0.1 + 0.2 AS sum FROM 'x'", payload),
    '{"big":12345678901234567890,"small":0.1234567890123456789,"e":1E+400,"name":"__proto__","more":12345678901234567891,"sum":0.3}',
  );
});

test("any name may be a member, and none is of a prototype", () => {
  assert.equal(select("SELECT constructor, toString FROM 'x'", {}), "{}");
  assert.equal(select("SELECT * FROM 'x'", '{"__proto__":{"a":1}}'), '{"__proto__":{"a":1}}');
  assert.equal(
    select("SELECT value, select AS s, case, timestamp FROM 'x'", { value: 1, select: 2, case: 3, timestamp: 4 }),
    '{"value":1,"s":2,"case":3,"timestamp":4}',
  );
});

test("a message that is nested too deep is bytes to a rule", () => {
  const deep = `${"[".repeat(5_000)}${"]".repeat(5_000)}`;
  assert.equal(select("SELECT * FROM 'x'", deep), deep);
  assert.equal(select("SELECT a FROM 'x'", `{"a":${deep}}`), "{}");
});

test("a number may have as many digits as a message holds, and no number ends a message's reading", () => {
  const digits = "1".repeat(60_000);
  assert.equal(
    select("SELECT * FROM 'x'", `{"a":0.${digits},"l":[1${"0".repeat(999)},2],"tiny":1e-99999,"huge":1e99999,"b":1}`),
    '{"a":0.1111111111111111111111111111111111,"l":[1E+999,2],"tiny":0,"b":1}',
  );
});
