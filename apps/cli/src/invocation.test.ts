import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { commandLine, unlessDefault } from "./invocation.js";

test("a printed command reaches the program word by word, whatever the words hold", () => {
  const words = ["modem", "write", "--from", "my things/it's", "--topic", "a/#", "$HOME", "`id`", "", "é", 'say "x"'];
  const line = commandLine(words, {}).replace(/^thingline /, "");
  // The shell itself is asked.
  assert.equal(execFileSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" }), `${words.join("\n")}\n`);
});

test("plain words stay plain, and npx stands before them where npm was called", () => {
  assert.equal(
    commandLine(["cloud", "start", "--data-dir", "./my-cloud"], {}),
    "thingline cloud start --data-dir ./my-cloud",
  );
  assert.equal(commandLine("cloud start", { npm_command: "exec" }), "npx thingline cloud start");
});

test("a folder that a command takes by itself is not named", () => {
  assert.deepEqual(unlessDefault("--data-dir", ".thingline", ".thingline"), []);
  assert.deepEqual(unlessDefault("--data-dir", undefined, ".thingline"), []);
  assert.deepEqual(unlessDefault("--data-dir", "my cloud", ".thingline"), ["--data-dir", "my cloud"]);
});
