import assert from "node:assert/strict";
import { test } from "node:test";
import { makePrivateFolder } from "./private-folder.js";
import { createVirtualFiles } from "./virtual/index.js";

test("a folder that was made is not taken along by git; one that was there stays as it is", async () => {
  const files = createVirtualFiles({ content: { "/home/mine/notes.txt": "x", "/home/kept/.gitignore": "mine" } });
  for (const folder of [
    "/home/mine",
    "/home/kept",
    "/home/new/claim",
    "/home/.thingline/modem",
    "out",
    ".thingline/a/b/",
  ]) {
    await makePrivateFolder(files, folder);
    await makePrivateFolder(files, folder);
    assert.equal(await files.exists(folder), true, folder);
  }
  const ignoring = Object.entries(files.snapshot()).filter(([path]) => path.endsWith(".gitignore"));
  assert.deepEqual(
    ignoring.map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]),
    [
      [".thingline/.gitignore", "*\n"],
      [".thingline/a/b/.gitignore", "*\n"],
      ["/home/.thingline/.gitignore", "*\n"],
      ["/home/.thingline/modem/.gitignore", "*\n"],
      ["/home/kept/.gitignore", "mine"],
      ["/home/new/claim/.gitignore", "*\n"],
      ["out/.gitignore", "*\n"],
    ],
  );
  assert.equal(files.modeOf("out/.gitignore"), 0o600);
});
