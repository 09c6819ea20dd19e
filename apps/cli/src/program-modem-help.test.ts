import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgram } from "./program.js";

test("the help of modem says where to begin, and lists its verbs as one comes to them", () => {
  const program = createProgram({ onFailure() {} }, () => undefined);
  const modem = program.commands.find((command) => command.name() === "modem");
  const help = modem?.helpInformation() ?? "";
  assert.match(
    help,
    /With a board, begin with +thingline modem ports\nWithout one, begin with +thingline modem simulate\n/,
  );
  const listed = [...help.slice(help.indexOf("Commands:")).matchAll(/^ {2}([a-z-]+)(?= )/gm)].map(([, name]) => name);
  const order = ["ports", "at", "write", "verify", "list", "delete", "generate-key", "firmware", "simulate", "help"];
  assert.deepEqual(listed, order);
  assert.equal(program.helpInformation().includes("With a board, begin"), false);
  for (const line of help.split("\n")) assert.ok(line.length <= 80, line);
});
