import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { atCommandBytesMax } from "@thingline/protocol/at";
import { UsageError } from "../failure.js";
import { scriptCommands } from "./at-script.js";

const { signal } = new AbortController();

async function read(text: string): Promise<string[]> {
  const commands: string[] = [];
  for await (const command of scriptCommands(Readable.from([Buffer.from(text)]), signal)) commands.push(command);
  return commands;
}

test("a script has a command a line; comments and empty lines are passed over, and an open quote goes on", async () => {
  const pem = "-----BEGIN X-----\n# no comment here\n\nAA==\n-----END X-----\n";
  const text = `# first\r\nAT\r\n\n  # indented\nAT%CMNG=0,42,0,"${pem}"\nAT+CFUN?`;
  assert.deepEqual(await read(text), ["AT", `AT%CMNG=0,42,0,"${pem}"`, "AT+CFUN?"]);
  assert.deepEqual(await read("\n# nothing\n"), []);
});

for (const [what, text, message] of [
  ["a quote that is never closed", 'AT+X="a\nb\n', /a quote that is not closed/],
  [
    "a line that is too long",
    `AT+X=${"a".repeat(atCommandBytesMax)}\n`,
    /line 1 of standard input is longer than 4096/,
  ],
  ["a quote over more lines than a command has", `AT+X="${"a\n".repeat(atCommandBytesMax)}"\n`, /not closed within/],
] as const) {
  test(`${what} in a script is refused`, async () => {
    await assert.rejects(read(text), (error) => error instanceof UsageError && message.test(error.message));
  });
}
