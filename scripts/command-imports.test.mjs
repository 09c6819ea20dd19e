// What a command of thingline loads before it does anything: a module costs half a millisecond, whoever starts it. Heavy parts are loaded
// where they are used (`await import()`), by those that use them.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { test } from "node:test";
import { root } from "./workspace.mjs";

const folderOf = (name) =>
  ["packages", "apps"].map((group) => join(root, group, name)).find((folder) => existsSync(folder));

/** The file behind what one imports, or the name of a package that is not ours. */
function resolveImport(specifier, from) {
  if (specifier.startsWith(".")) return resolve(dirname(from), specifier);
  const [, name, entry = ""] = /^@thingline\/([^/]+)(\/.*)?$/.exec(specifier) ?? [];
  if (name === undefined) return specifier;
  const folder = folderOf(name);
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, exports[`.${entry}`].default);
}

const seen = new Map();

/** Of a built file: what its first lines import, not what it imports later. */
function importsOf(file) {
  if (!file.startsWith(root)) return [];
  if (!seen.has(file)) {
    const lines = readFileSync(file, "utf8").matchAll(
      /^(?:import|export)\s(?:[^;"']*?\sfrom\s)?\s*["']([^"']+)["'];/gm,
    );
    seen.set(
      file,
      [...lines].map(([, specifier]) => resolveImport(specifier, file)),
    );
  }
  return seen.get(file);
}

function loadedWith(file) {
  const loaded = new Set([file]);
  for (const each of loaded) for (const next of importsOf(each)) loaded.add(next);
  return [...loaded].map((each) => (each.startsWith(root) ? relative(root, each).split(sep).join("/") : each));
}

/** Heavy parts by the beginnings of their names, and the commands that cannot do without. */
const heavy = {
  "packages/cloud/dist/index.js": [],
  "packages/cloud/dist/cloud.js": [],
  "@aws-sdk/": [],
  "@thingline/certificate-vending": [],
  "packages/modem/dist/simulator/": ["demo", "modem-simulate", "provision-batch"],
  "packages/modem/dist/index.js": [
    "demo",
    "modem-at",
    "modem-firmware",
    "modem-firmware-program",
    "modem-generate-key",
    "modem-list",
    "modem-ports",
    "modem-verify",
    "modem-write",
    "modem-write-line",
    "provision-batch",
    "thing-create-board",
  ],
};

const commands = join(root, "apps/cli/dist/commands");

for (const [part, users] of Object.entries(heavy)) {
  test(`only commands that cannot do without ${part} load it before they begin`, () => {
    const files = readdirSync(commands).filter((file) => file.endsWith(".js") && !file.includes(".test."));
    const found = files.filter((file) => loadedWith(join(commands, file)).some((name) => name.startsWith(part)));
    assert.deepEqual(found.map((file) => file.replace(/\.js$/, "")).sort(), users);
  });
}

test("the program itself loads no more than it needs to read a command line", () => {
  const loaded = loadedWith(join(root, "apps/cli/dist/main.js"));
  assert.ok(loaded.length > 30 && loaded.length <= 80, `${loaded.length} modules`);
  const names = loaded.filter((name) => /^packages\/(?!protocol\/)/.test(name));
  assert.deepEqual(names, []);
});
