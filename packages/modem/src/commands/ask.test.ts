// Every command of the table through a session, with a modem at the other end of the wire that says what the test made up.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "@thingline/protocol";
import { CommandLineReader, parseFinalResult } from "@thingline/protocol/at";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { arbitraryOf } from "../at/domain.test.support.js";
import type { CommandEntry } from "../at/entry.js";
import { commandForms, type CommandFormKey, formatAnswer, parseCommand } from "../at/table.js";
import { openModemSession } from "../session.js";
import { askModem } from "./ask.js";

const entries = Object.entries(commandForms) as [CommandFormKey, CommandEntry<unknown, unknown>][];
const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 30 : 1;

/** A modem that answers each command by the function, with URCs in front of each line, in pieces of a few bytes. */
function openWire(answer: (line: string) => string[], chunkBytes = 4_096) {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  const reader = new CommandLineReader({ terminator: "CR+LF" });
  far.start({
    data: (bytes) => {
      for (const { text = "" } of reader.push(bytes)) {
        const lines = [...answer(text).flatMap((line) => ["+CSCON: 1", line]), "OK"];
        const said = new TextEncoder().encode(lines.map((line) => `${line}\r\n`).join(""));
        for (let at = 0; at < said.length; at += chunkBytes) far.write(said.slice(at, at + chunkBytes));
      }
    },
    closed: () => undefined,
  });
  return { clock, session: openModemSession(near, { clock }) };
}

test("whatever a command is given the modem gets, and whatever it answers the caller gets", async () => {
  for (const [key, { values, answer }] of entries) {
    const given = values === undefined ? fc.constant(undefined) : arbitraryOf(values.domain);
    // A line that is a final result ends the answer: no modem has such a name.
    const answered = arbitraryOf(answer.domain).filter((value) =>
      formatAnswer(key, value as never).every((line) => parseFinalResult(line) === undefined && line.trim() !== ""),
    );
    const property = fc.asyncProperty(given, answered, fc.integer({ min: 1, max: 40 }), async (set, value, bytes) => {
      let got: unknown = undefined;
      const { clock, session } = openWire((line) => {
        got = parseCommand(line);
        return formatAnswer(key, value as never);
      }, bytes);
      const asking = askModem(session, key as "+CEREG=", set as { level: number });
      assert.deepEqual(await clock.until(asking), value);
      assert.deepEqual(got, { key, values: set });
      await clock.until(session.close());
    });
    await fc.assert(property, { numRuns });
  }
});

test("an answer of another shape names the command, and what came unless it may be a token", async () => {
  const { clock, session } = openWire((line) => (line === "AT+CFUN?" ? [] : ['%ATTESTTOKEN: "secret"']));
  const failure = async (asking: Promise<unknown>) => {
    const error = await clock.until(asking.catch((reason: unknown) => reason));
    assert.ok(isThinglineError(error, "MODEM_RESPONSE_INVALID"));
    return error.message;
  };
  assert.match(await failure(askModem(session, "+CFUN?")), /^AT\+CFUN\?: another answer was expected than OK alone$/);
  assert.match(await failure(askModem(session, "+CMEE?")), /than %ATTESTTOKEN: "secret"$/);
  assert.doesNotMatch(await failure(askModem(session, "%ATTESTTOKEN")), /secret/);
});

test("values that a command does not take are not sent", async () => {
  const sent: string[] = [];
  const { clock, session } = openWire((line) => {
    sent.push(line);
    return [];
  });
  await assert.rejects(clock.until(askModem(session, "+CEREG=", { level: 6 })), { code: "AT_MALFORMED" });
  assert.deepEqual(sent, []);
});
