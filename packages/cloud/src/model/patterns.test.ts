import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePattern, patternCharactersMax, translatePattern } from "./patterns.js";
import { readTables } from "./tables.test.support.js";

/** Every pattern of AWS by the shapes that have it. */
async function patternsOfAws(): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { api, shapes } of await readTables()) {
    for (const [name, shape] of Object.entries(shapes)) {
      if (!("pattern" in shape) || shape.pattern === undefined) continue;
      found.set(shape.pattern, [...(found.get(shape.pattern) ?? []), `${api}:${name}`]);
    }
  }
  return found;
}

function compiles(pattern: string): boolean {
  try {
    new RegExp(pattern, "u");
    return true;
  } catch {
    return false;
  }
}

const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

test("every pattern of AWS compiles, those of Java's own classes too", async () => {
  const patterns = await patternsOfAws();
  const shapes = [...patterns.values()].flat();
  assert.ok(patterns.size >= 50 && shapes.length >= 136, `${patterns.size} patterns of ${shapes.length} shapes`);
  const untranslated = [...patterns].filter(([pattern]) => !compiles(pattern));
  // So many do not compile as they are: the translation is needed.
  assert.equal(untranslated.flatMap(([, names]) => names).length, 10);
  for (const pattern of patterns.keys()) assert.ok(translatePattern(pattern).unicode, pattern);
});

test("a pattern that says nothing about Java's classes is translated into itself", async () => {
  for (const pattern of (await patternsOfAws()).keys()) {
    if (/\\p\{(?:Graph|Upper|Digit|Cntrl)\}|\\s|\\S|\./.test(pattern)) continue;
    assert.equal(translatePattern(pattern).source, new RegExp(`^(?:${pattern})$`, "u").source);
  }
});

const translated: [pattern: string, fits: (character: string) => boolean][] = [
  ["[\\p{Graph}\\x20]*", (character) => character >= " " && character <= "~"],
  ["[\\p{Upper}\\p{Digit}_]+", (character) => /^[A-Z0-9_]$/.test(character)],
  ["[^\\p{Cntrl}]*", (character) => character >= " " && character !== "\x7f"],
  ["\\p{Graph}", (character) => character > " " && character <= "~"],
  ["\\P{Graph}", (character) => character <= " " || character === "\x7f"],
  ["\\p{Punct}", (character) => /^[!-/:-@[-`{-~]$/.test(character)],
  ["[\\p{Alpha}\\p{Space}]", (character) => /^[A-Za-z \t\n\v\f\r]$/.test(character)],
  ["\\p{XDigit}|\\p{Blank}", (character) => /^[0-9A-Fa-f \t]$/.test(character)],
  ["\\S", (character) => !/^[ \t\n\v\f\r]$/.test(character)],
  ["[\\s\\S]*", () => true],
  ["[\\s]", (character) => /^[ \t\n\v\f\r]$/.test(character)],
  [".", (character) => character !== "\n" && character !== "\r"],
  ["[.]", (character) => character === "."],
];
for (const [pattern, fits] of translated) {
  test(`${pattern} takes what Java's takes, character by character`, () => {
    for (const character of ascii) {
      assert.equal(translatePattern(pattern).test(character), fits(character), JSON.stringify(character));
    }
  });
}

test("Java's classes are of ASCII, and a pattern is for the whole value", () => {
  const cases: [pattern: string, value: string, fits: boolean][] = [
    ["[\\p{Graph}\\x20]*", "é", false],
    ["[\\p{Upper}\\p{Digit}_]+", "É", false],
    ["[^\\p{Cntrl}]*", "é\u0085", true],
    ["\\S{2}", "\u00a0\u2003", true],
    ["[\\s\\S]*", "\u00a0\u2028😀", true],
    [".", "\u2028", false],
    [".", "\u0085", false],
    [".", "😀", true],
    ["[^\\p{C}]*", "a\u200bb", false],
    ["[\\p{L}\\p{Z}\\p{N}]*", "Größe 7", true],
    ["a|bc", "bc", true],
    ["a|bc", "ac", false],
    ["a", "a\n", false],
    ["([\\n\\t])|(\\r\\n)|(,)", "\r\n", true],
    ["^[a-zA-Z0-9-_]+$", "a-b_c", true],
    ["(0x)?[a-fA-F0-9]+", "0x0f", true],
  ];
  for (const [pattern, value, fits] of cases) assert.equal(compilePattern(pattern).test(value), fits, pattern);
});

test("a pattern that could run for ever is not tried on a long value, one that cannot is", async () => {
  // Each digit could be the one that the dot takes: a million of them would be tried a million times.
  const quadratic = compilePattern("^[1-9]+.[0-9]+");
  assert.equal(quadratic.test("1".repeat(patternCharactersMax)), true);
  assert.equal(quadratic.test("1".repeat(patternCharactersMax + 1)), false);
  assert.equal(quadratic.test(`${"1".repeat(1_000_000)}x`), false);
  assert.equal(compilePattern("[\\s\\S]*").test("x".repeat(1_000_000)), true);
  assert.equal(compilePattern("[A-Za-z0-9+/]+={0,2}").test("x".repeat(1_024)), true);
  // No value of AWS that fits a pattern is refused for its length.
  for (const { api, shapes } of await readTables()) {
    for (const [name, shape] of Object.entries(shapes)) {
      if (!("pattern" in shape) || shape.pattern === undefined || (shape.max ?? 0) <= patternCharactersMax) continue;
      assert.ok(compilePattern(shape.pattern).test("a".repeat(shape.max ?? 0)), `${api}:${name}`);
    }
  }
});
