import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { errorCodes } from "@thingline/protocol";
import { imageRefusals } from "@thingline/protocol/image";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test("docs/errors.md explains every error code and every reason to refuse an image, and no other", () => {
  const text = readFileSync(join(root, "docs/errors.md"), "utf8");
  const documented = [...text.matchAll(/^\| `([A-Z0-9_]+)` +\|/gm)].map((match) => match[1]);
  const explained = [...Object.keys(errorCodes), ...Object.keys(imageRefusals)];
  assert.deepEqual([...documented].sort(), explained.sort());
});

test("docs/events.md has every event of --json and of the cloud's log, and no other", () => {
  const [ofCommands = "", ofLog = ""] = readFileSync(join(root, "docs/events.md"), "utf8").split("## Of the local");
  const documented = (text: string) => [...text.matchAll(/^\| `([a-z]\w*)` +\|/gm)].map(([, name]) => name).sort();
  const found = (folder: string, pattern: RegExp) => {
    const names = new Set<string>();
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts") || file.includes(".test.")) continue;
      for (const [, name = ""] of readFileSync(join(root, folder, file), "utf8").matchAll(pattern)) names.add(name);
    }
    return [...names];
  };
  // `stepFinished` is passed on by the name that the library gives it.
  const events = [...found("apps/cli/src", /\{\s*event: "(\w+)"/g), "stepFinished"];
  assert.deepEqual(documented(ofCommands), events.sort());
  const logged = found("packages/cloud/src", /\b(?:log|logger)(?:\?)?\.(?:debug|info|warn|error)\(\s*"(\w+)"/g);
  assert.deepEqual(documented(ofLog), logged.sort());
});

test("every runtime dependency has a line in docs/dependencies.md", () => {
  const text = readFileSync(join(root, "docs/dependencies.md"), "utf8");
  for (const group of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, group))) {
      const manifest = JSON.parse(readFileSync(join(root, group, name, "package.json"), "utf8")) as {
        dependencies?: Record<string, string>;
      };
      for (const dependency of Object.keys(manifest.dependencies ?? {})) {
        if (dependency.startsWith("@thingline/")) continue;
        assert.ok(text.includes(`\`${dependency}\``), `${group}/${name} depends on ${dependency}, which has no line`);
      }
    }
  }
});

test("the device library has no runtime dependency outside the project", () => {
  for (const name of ["device", "protocol"]) {
    const text = readFileSync(join(root, "packages", name, "package.json"), "utf8");
    const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
    const foreign = Object.keys(dependencies).filter((dependency) => !dependency.startsWith("@thingline/"));
    assert.deepEqual(foreign, []);
  }
});

test("links between documents lead somewhere", () => {
  const documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map((name) => join(root, name));
  for (const folder of ["docs", "docs/decisions", "docs/fidelity"]) {
    for (const name of readdirSync(join(root, folder))) {
      if (name.endsWith(".md")) documents.push(join(root, folder, name));
    }
  }
  for (const document of documents) {
    for (const [, target = ""] of readFileSync(document, "utf8").matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      assert.ok(existsSync(join(dirname(document), target)), `${relative(root, document)} links to ${target}`);
    }
  }
});

test("the lock file names no registry", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string }>;
  };
  const resolved = Object.values(lock.packages).flatMap((entry) => entry.resolved ?? []);
  assert.deepEqual(
    resolved.filter((address) => address.includes(":")),
    [],
  );
});
