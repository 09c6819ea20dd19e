import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

interface Row {
  text: string;
  file: string;
  test: string;
  constants: [name: string, value: number][];
}

test("docs/limits.md names files, tests and constants that exist, with their values", () => {
  const rows = readRows(readFileSync(join(root, "docs/limits.md"), "utf8"));
  assert.ok(rows.length >= 25, `only ${rows.length} rows were found`);
  for (const row of rows) {
    assert.ok(existsSync(join(root, row.test)), `${row.text}\nthere is no ${row.test}`);
    assert.notEqual(row.constants.length, 0, `${row.text}\nnames no constant`);
    const source = readFileSync(join(root, row.file), "utf8");
    const tests = readFileSync(join(root, row.test), "utf8");
    for (const [name, value] of row.constants) {
      assert.equal(valueOf(source, name), value, `${row.file}: ${name}`);
      assert.ok(speaksOf(tests, name), `${row.test} does not speak of ${name}`);
    }
  }
});

function readRows(text: string): Row[] {
  return text.split(/^## /m).flatMap((section) => {
    const folder = /^`([^`]+)`/.exec(section)?.[1];
    if (folder === undefined) return [];
    const place = (path = "") => (path.startsWith("tests/") ? path : `${folder}/${path}`);
    const lines = section.split("\n").filter((line) => line.startsWith("|"));
    // The first two are the head.
    return lines.slice(2).map((line) => {
      const cells = line.split("|").map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1"));
      const constants = [...line.matchAll(/`(\w+)` = ([\d,]+)/g)].map(
        ([, name = "", digits = ""]): [string, number] => [name, Number(digits.replaceAll(",", ""))],
      );
      assert.equal(cells.length, 8, `six cells in: ${line}`);
      return { text: line, file: place(cells[5]), test: place(cells[6]), constants };
    });
  });
}

/** Of a default, a test may speak by the name of its option. */
function speaksOf(tests: string, name: string): boolean {
  const option = name.replace(/^default([A-Z])/, (_, first: string) => first.toLowerCase());
  return new RegExp(`\\b(?:${name}|${option})\\b`).test(tests);
}

/** The value that a source gives a name first: a constant or a member, of numbers and of other names of the same file. */
function valueOf(source: string, name: string): number | undefined {
  const expression = new RegExp(`\\b${name}(?:: number)?\\s*[=:]\\s*([\\w *+-]*\\d[\\w *+-]*)`).exec(source)?.[1];
  const member = new RegExp(`\\b${name} = (?:\\w+\\.)*(\\w+);`).exec(source)?.[1];
  if (expression === undefined) return member === undefined ? undefined : valueOf(source, member);
  return expression.split("+").reduce(
    (sum, terms) =>
      sum +
      terms.split("*").reduce((product, term) => {
        const word = term.trim().replaceAll("_", "");
        return product * (/^\d+$/.test(word) ? Number(word) : (valueOf(source, word) ?? NaN));
      }, 1),
    0,
  );
}
