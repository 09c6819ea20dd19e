import assert from "node:assert/strict";
import { test } from "node:test";
import { transformSync } from "esbuild";
import { shippedManifest, shippedScript } from "./pack-files.mjs";

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
  assert.equal(shippedScript(transformSync, text), 'export function add(a,b){return a<b?"// no comment"+(a+b):a+b}\n');
});

test("a text over several lines keeps the blanks at the beginning of its lines", () => {
  const text = "export const help = `usage:\n        word ${word}\n    end`;\n";
  assert.match(shippedScript(transformSync, text), /`usage:\n {8}word \$\{word\}\n {4}end`/);
});

test("lines stay short, so that a stack trace still says where", () => {
  const text = Array.from({ length: 200 }, (_none, at) => `export const value${at} = ${at};`).join("\n");
  for (const line of shippedScript(transformSync, text).split("\n")) assert.ok(line.length < 200, line);
});

test("a manifest is shipped without the doors of test runs, and otherwise as it is", () => {
  const doors = (bundle) => ({ "./node": { types: "./dist/node.d.ts", ...bundle, default: "./dist/node.js" } });
  const manifest = (bundle) => ({ name: "x", exports: doors(bundle), imports: doors(bundle), files: ["dist"] });
  const shipped = shippedManifest(JSON.stringify(manifest({ "thingline-bundle": "./.bundle/node.js" })));
  assert.equal(shipped, `${JSON.stringify(manifest({}), undefined, 2)}\n`);
});
