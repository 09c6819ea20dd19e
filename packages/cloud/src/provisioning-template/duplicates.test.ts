import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { findDuplicate } from "./duplicates.js";
import { Generator, type Json } from "./generated.test.support.js";

test("a member that stands twice is found, however it is spelled and wherever it is", () => {
  const cases: [text: string, path: string | undefined][] = [
    ["{}", undefined],
    ["[]", undefined],
    ['"a"', undefined],
    ['{"a":1,"b":{"a":2},"c":["a","a",{"a":1}]}', undefined],
    ['{"a":"a","b":"a,\\"a\\":{"}', undefined],
    ['{"a":1,"a":2}', "a"],
    ['{"a":{"b":[0,[{"c":1}],{"c":{"x":1},"\\u0063":2}]}}', "a.b[2].c"],
    ['[{"a":1},{"a":1,"a":1}]', "[1].a"],
    ['{ "a" : { } , "" : 1 , "" : 1 }', '[""]'],
    ['{"\\"":1,"\\"":1}', '["\\""]'],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
  ];
  for (const [text, path] of cases) {
    JSON.parse(text);
    assert.equal(findDuplicate(text), path, text);
  }
});

test("nothing is found in what JSON.stringify() writes", () => {
  const generator = new Generator(createVirtualRandom("duplicates"));
  for (let at = 0; at < 100; at++) {
    const template: Json = generator.spoil(generator.template());
    assert.equal(findDuplicate(JSON.stringify(template, undefined, at % 3)), undefined);
  }
});
