import assert from "node:assert/strict";
import { test } from "node:test";
import { doorsOf } from "./test-bundles.mjs";

const door = (...entries) => ({ name: "x", exports: { "./node": Object.fromEntries(entries) } });
const types = ["types", "./dist/node.d.ts"];
const built = ["default", "./dist/node.js"];
const joined = ["thingline-bundle", "./.bundle/node.js"];

test("every door of a package names its joined file, before the built one", () => {
  assert.deepEqual(doorsOf(door(types, joined, built)), { node: "./dist/node.js" });
  assert.deepEqual(doorsOf({ name: "x", imports: { "#main": Object.fromEntries([joined, built]) } }), {
    node: "./dist/node.js",
  });
  assert.deepEqual(doorsOf({ name: "x" }), {});
  const wanted = /^x: "\.\/node" needs "thingline-bundle": "\.\/\.bundle\/node\.js"/;
  for (const wrong of [
    door(types, built),
    door(types, built, joined),
    door(types, ["thingline-bundle", "./.bundle/other.js"], built),
  ]) {
    assert.throws(
      () => doorsOf(wrong),
      ({ message }) => wanted.test(message),
    );
  }
});
