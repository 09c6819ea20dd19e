import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join, sep } from "node:path";
import { test } from "node:test";
import { commandLine, shellWord, unlessDefault } from "./invocation.js";

test("a printed command reaches the program word by word, whatever the words hold", () => {
  const words = ["modem", "write", "--from", "my things/it's", "--topic", "a/#", "$HOME", "`id`", "", "é", 'say "x"'];
  const line = commandLine(words, { env: {} }).replace(/^thingline /, "");
  // The shell itself is asked.
  assert.equal(execFileSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" }), `${words.join("\n")}\n`);
});

test("plain words stay plain, and npx stands before them where npm was called", () => {
  assert.equal(
    commandLine(["cloud", "start", "--data-dir", "./my-cloud"], { env: {} }),
    "thingline cloud start --data-dir ./my-cloud",
  );
  assert.equal(commandLine("cloud start", { env: { npm_command: "exec" } }), "npx thingline cloud start");
});

test("who runs the file with node is told to run it with node, from where it is", () => {
  const script = join(sep, "my code", "apps", "cli", "bin", "thingline.js");
  const told = (cwd: string, file = script) => commandLine("cloud start", { env: {}, script: file, cwd });
  const near = join("apps", "cli", "bin", "thingline.js");
  assert.equal(told(join(sep, "my code")), `node ${shellWord(near)} cloud start`);
  assert.equal(told(join(sep, "elsewhere")), `node ${shellWord(script)} cloud start`);
  assert.equal(
    told(sep, join(sep, "app", "node_modules", "thingline", "bin", "thingline.js")),
    "thingline cloud start",
  );
  assert.equal(told(sep, join(sep, "usr", "local", "bin", "thingline")), "thingline cloud start");
});

test("a folder that a command takes by itself is not named", () => {
  assert.deepEqual(unlessDefault("--data-dir", ".thingline", ".thingline"), []);
  assert.deepEqual(unlessDefault("--data-dir", undefined, ".thingline"), []);
  assert.deepEqual(unlessDefault("--data-dir", "my cloud", ".thingline"), ["--data-dir", "my cloud"]);
});
