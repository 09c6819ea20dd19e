import assert from "node:assert/strict";
import { test } from "node:test";
import ts from "typescript";
import { shippedScript } from "./pack-files.mjs";

test("what is shipped has no comment and no pointer to a map, and is the same program", () => {
  const text = [
    "/** What it is for. */",
    "export function add(a, b) {",
    "    // Why.",
    "    if (a < b) {",
    '        return "// no comment" + (a + b);',
    "    }",
    "    return a + b; /* done */",
    "}",
    "//# sourceMappingURL=add.js.map",
  ].join("\n");
  assert.equal(
    shippedScript(ts, text),
    'export function add(a, b) {\n\tif (a < b) {\n\t\treturn "// no comment" + (a + b);\n\t}\n\treturn a + b;\n}\n',
  );
});

test("a text over several lines keeps the blanks at the beginning of its lines", () => {
  const text = "export const help = `usage:\n        word ${1}\n    end`;\n";
  assert.equal(shippedScript(ts, text), text);
});
