import assert from "node:assert/strict";
import { test } from "node:test";
import { commandPayloadBytesMax } from "@thingline/protocol/commands";
import { decodeCbor } from "@thingline/protocol/cbor";
import type { PlainValue } from "./parameters.js";
import { checkTemplate, commandTemplateDepthMax, filledPayloadBytesMax, fillTemplate } from "./template.js";

const $ = (name: string) => `\${aws:iot:commandexecution::parameter:${name}}`;
const timeout = "${aws:iot:commandexecution::executionTimeoutSec}";
const values = (parameters: Record<string, PlainValue>) => ({
  parameters: new Map(Object.entries(parameters)),
  timeoutSeconds: 60,
});
const text = (template: string, parameters: Record<string, PlainValue>) =>
  new TextDecoder().decode(fillTemplate(template, values(parameters), "JSON"));

test("a placeholder that is a whole text becomes the value with its type; within text it is text", () => {
  const all = {
    s: 'a"b\\',
    i: 7,
    d: 1.5,
    l: 2 ** 53 - 1,
    ul: 18446744073709551615n,
    b: true,
    bin: Uint8Array.of(1, 2),
  };
  const template = JSON.stringify({
    ...Object.fromEntries(Object.keys(all).map((name) => [name, $(name)])),
    t: timeout,
  });
  assert.equal(
    text(template, all),
    '{"s":"a\\"b\\\\","i":7,"d":1.5,"l":9007199254740991,"ul":18446744073709551615,"b":true,"bin":"AQI=","t":60}',
  );
  assert.equal(
    text(`["<${$("s")}|${$("i")}|${$("b")}|${$("bin")}|${timeout}>"]`, all),
    '["<a\\"b\\\\|7|true|AQI=|60>"]',
  );
});

test("what is no placeholder stays as it was written", () => {
  const written = '{ "n": 1.0e2,\t"big": 12345678901234567890, "x": "\\u0024{y}", "c": "a:b\\"", "p": "X" }';
  assert.equal(text(written.replace('"X"', `"${$("p")}"`), { p: "X" }), written);
  const key = `{"k-${$("p")}" : 1, "${$("p")}": 2}`;
  assert.equal(text(key, { p: "v" }), '{"k-v" : 1, "v": 2}');
  const other = "${aws:iot:commandexecution::parameter:}${aws:iot:commandExecution::parameter:p}";
  assert.equal(text(`["${other}","${$("p")}"]`, { p: 1 }), `["${other}",1]`);
});

test("an escaped placeholder is one", () => {
  assert.equal(text(JSON.stringify([$("p")]).replace("$", "\\u0024"), { p: 3 }), "[3]");
});

test("in CBOR values keep their types, bytes and numbers of 64 bits among them", () => {
  const template = JSON.stringify({ a: [$("bin"), $("i"), $("d"), `x${$("i")}`], [`k${$("i")}`]: null });
  const all = { bin: Uint8Array.of(1, 2), i: -7, d: 1.5, ul: 18446744073709551615n, l: -9007199254740993n };
  const filled = decodeCbor(fillTemplate(template, values(all), "CBOR"), { hasFloats: true });
  assert.deepEqual(
    filled,
    new Map<string, unknown>([
      ["a", [Uint8Array.of(1, 2), -7, 1.5, "x-7"]],
      ["k-7", null],
    ]),
  );
  const bytesOf = (name: string) => Buffer.from(fillTemplate(`["${$(name)}"]`, values(all), "CBOR")).toString("hex");
  assert.equal(bytesOf("ul"), "811bffffffffffffffff");
  assert.equal(bytesOf("l"), "813b0020000000000000");
});

test("a template tells the names in it, and is refused when it cannot be one", () => {
  assert.deepEqual(checkTemplate(`{"${$("a")}":["${$("b.c")}${$("a")}", "${timeout}"]}`), new Set(["a", "b.c"]));
  const nested = (depth: number) => `${"[".repeat(depth)}"${timeout}"${"]".repeat(depth)}`;
  checkTemplate(nested(commandTemplateDepthMax));
  const long = (bytes: number) => {
    const rest = `["${timeout}",""]`;
    return rest.replace('""', `"${"x".repeat(bytes - rest.length)}"`);
  };
  checkTemplate(long(commandPayloadBytesMax));
  const cases: [string, RegExp][] = [
    [long(commandPayloadBytesMax + 1), /has 32769 bytes/],
    [nested(commandTemplateDepthMax + 1), /more than 100/],
    [`{"a":${$("a")}}`, /valid JSON/],
    ["{}", /at least one placeholder/],
    ['{"a":"${aws:iot:commandexecution::other}"}', /at least one placeholder/],
  ];
  for (const [template, message] of cases) {
    assert.throws(() => checkTemplate(template), { code: "REQUEST_INVALID", message });
  }
});

test("a payload that no message could hold is refused before it is made", () => {
  const big = "x".repeat(filledPayloadBytesMax / 2);
  const refused = { code: "REQUEST_INVALID", message: /more than 131072 bytes/ };
  for (const format of ["JSON", "CBOR"] as const) {
    const fill = (template: string) => fillTemplate(template, values({ p: big }), format);
    fill(`["${$("p")}"]`);
    assert.throws(() => fill(JSON.stringify(Array.from({ length: 500 }, () => $("p")))), refused);
    assert.throws(() => fill(`["${$("p").repeat(3)}"]`), refused);
    assert.throws(() => fill(`["${$("p")}", "${$("p")}"]`), refused);
  }
});
