import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { controlLineBytesMax, mayReadStandardInput, readControlLines } from "./control-input.js";

async function read(input: Readable, signal = new AbortController().signal) {
  const told: string[] = [];
  await readControlLines(input, {
    signal,
    line: (text) => told.push(text),
    tooLong: (number) => told.push(`${number} is too long`),
    failed: (error) => told.push(String(error)),
  });
  return told;
}

test("lines of control come one by one; empty ones and comments are passed over, longer ones refused", async () => {
  const longest = "x".repeat(controlLineBytesMax);
  const text = `noSim\r\n\n  # a comment\n  unplug 2\n${longest}\n${longest}x\nstatus`;
  assert.deepEqual(await read(Readable.from([text])), ["noSim", "unplug 2", longest, "6 is too long", "status"]);
});

test("an input that fails is told, and one that is given up is not", async () => {
  const failing = new Readable({ read: () => undefined });
  failing.destroy(Object.assign(new Error("EIO"), { code: "EIO" }));
  assert.match((await read(failing)).join(), /cannot read standard input: EIO/);
  const stop = new AbortController();
  const silent = new Readable({ read: () => undefined });
  const reading = read(silent, stop.signal);
  stop.abort();
  assert.deepEqual(await reading, []);
});

test("what is no terminal may be read", async () => assert.equal(await mayReadStandardInput(false), true));
