import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgram } from "../program.js";
import { batchDevicesMax, devicesAtOnceMax } from "./result.js";

/** @returns what commander says; undefined when it took the words. */
async function parse(...words: string[]): Promise<string | undefined> {
  const program = createProgram({ onFailure() {} }, () => undefined);
  const provision = program.commands.find((command) => command.name() === "provision");
  let said = "";
  provision?.configureOutput({ writeErr: (text) => (said += text) }).exitOverride();
  // Nothing is run: only the words are looked at.
  provision?.action(() => undefined);
  await program.parseAsync(["provision", "--conf", "x", ...words], { from: "user" }).catch(() => undefined);
  return said === "" ? undefined : said;
}

test("a batch has a bound on its devices, and on those at once", async () => {
  assert.equal(await parse("--count", String(batchDevicesMax), "--at-once", String(devicesAtOnceMax)), undefined);
  assert.match((await parse("--count", String(batchDevicesMax + 1))) ?? "", /A number from 1 to 10000/);
  assert.match((await parse("--at-once", String(devicesAtOnceMax + 1))) ?? "", /A number from 1 to 200/);
});
