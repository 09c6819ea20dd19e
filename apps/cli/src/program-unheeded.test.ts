import assert from "node:assert/strict";
import { test } from "node:test";
import { CommanderError } from "commander";
import { createProgram } from "./program.js";

/** The error of words that are refused before their command is loaded; undefined when they are not. */
async function refusalOf(line: string): Promise<string | undefined> {
  const program = createProgram({ onFailure() {} }, () => undefined);
  const all = [program];
  for (const command of all) {
    all.push(...command.commands);
    command.configureOutput({ writeErr: () => undefined });
    if (command.commands.length === 0 || command.name() === "firmware") command.action(() => undefined);
  }
  try {
    await program.parseAsync(line.split(" "), { from: "user" });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof CommanderError, String(error));
    assert.equal(error.exitCode, 1);
    return error.message;
  }
}

const folder = "option '--modem-dir <dir>' cannot be used with option";
for (const [line, message] of [
  ["modem at --port P --modem-dir d AT", `error: ${folder} '--port <path>'`],
  ["modem write --modem-dir d --tcp h:1 --ca f", `error: ${folder} '--tcp <host:port>'`],
  ["modem write --modem-dir d --ports all --from f", `error: ${folder} '--ports <list>'`],
  ["modem firmware --modem-dir d --port P", `error: ${folder} '--port <path>'`],
  ["modem at --modem-dir d AT", undefined],
  ["modem at --port P AT", undefined],
  // Progress of the device is kept there.
  ["provision --conf f --modem-dir d --port P", undefined],
  ["device run --conf f --modem-dir d --port P", undefined],
  ["modem firmware --port P program f.zip", "error: option '--port <path>' has to stand behind 'program'"],
  ["modem firmware --json program f.zip", "error: option '--json' has to stand behind 'program'"],
  ["modem firmware program f.zip --port P --json", undefined],
  ["modem firmware --port P", undefined],
] as const) {
  test(`${line}: ${message === undefined ? "is taken" : "an option that nothing would heed is refused"}`, async () => {
    assert.equal(await refusalOf(line), message);
  });
}

test("the variable of the environment for the folder is no reason to refuse a port", async (t) => {
  process.env["THINGLINE_MODEM_DIR"] = "elsewhere";
  t.after(() => void delete process.env["THINGLINE_MODEM_DIR"]);
  assert.equal(await refusalOf("modem at --port P AT"), undefined);
});
