// Whatever the simulated modem answers in order is an answer that the table of commands knows: host and simulator speak of the same things.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { arbitraryOf } from "../at/domain.test.support.js";
import type { CommandEntry } from "../at/entry.js";
import { commandForms, type CommandFormKey, formatAnswer, formatCommand, parseAnswer } from "../at/table.js";
import { makeModemWorld } from "../world.test.support.js";

const entries = Object.entries(commandForms) as [CommandFormKey, CommandEntry<unknown, unknown>][];
const keys = createVirtualKeys({ random: createVirtualRandom("keys") });
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

/** Information lines of a response; undefined for a refusal. */
function linesOf(response: string): string[] | undefined {
  return response.endsWith("OK\r\n") ? response.split(/\r\n(?=(?:[^"]*"[^"]*")*[^"]*$)/).slice(0, -2) : undefined;
}

const firmwares = ["mfw_nrf9160_1.3.2", "mfw_nrf91x1_2.0.2"] as const;
const setUps = [[], ["AT+CFUN=1"], ["AT+CFUN=41"]] as const;

for (const firmware of firmwares) {
  test(`answers of ${firmware} to everything that is read are those of the table`, async () => {
    for (const setUp of setUps) {
      const { modem, at, clock } = await makeModemWorld({ keys, firmware });
      for (const line of setUp) await at(line);
      await clock.advance(2_000);
      const known: string[] = [];
      for (const [key, { values }] of entries) {
        if (values !== undefined || key === "%XPRODDONE") continue;
        const lines = linesOf(await at(`AT${key}`));
        if (lines === undefined) continue;
        known.push(key);
        const answer = parseAnswer(key, lines);
        assert.ok(answer, `AT${key}: ${lines.join("|")}`);
        assert.deepEqual(formatAnswer(key, answer.value as never), lines, `AT${key}`);
      }
      assert.ok(known.length > 20, known.join(" "));
      await modem.close();
    }
  });

  test(`answers of ${firmware} to whatever is set are those of the table`, async () => {
    const { modem, at } = await makeModemWorld({ keys, firmware });
    let taken = 0;
    for (const [key, { values }] of entries) {
      // The first ends what can be tried, the second goes on for minutes, the third makes keys.
      if (values === undefined || ["%XPRODDONE=", "+COPS=", "%KEYGEN="].includes(key)) continue;
      const property = fc.asyncProperty(arbitraryOf(values.domain), async (given) => {
        const line = formatCommand(key, given as never);
        const lines = linesOf(await at(line));
        if (lines === undefined) return;
        taken++;
        assert.ok(parseAnswer(key, lines), `${line}: ${lines.join("|")}`);
      });
      await fc.assert(property, { numRuns: isLong ? 60 : 4 });
    }
    assert.ok(taken > 20, String(taken));
    await modem.close();
  });
}
