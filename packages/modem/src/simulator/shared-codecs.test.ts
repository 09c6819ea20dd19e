// The simulated modem against the table that the host goes by: what one answers the other reads.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { arbitraryOf } from "../at/domain.test.support.js";
import type { CommandEntry } from "../at/entry.js";
import { commandForms, type CommandFormKey, formatCommand, parseAnswer } from "../at/table.js";
import { parseAtCommand } from "@thingline/protocol/at";
import { makeModemWorld } from "../world.test.support.js";
import { areAllowed } from "./commands/parameter-rules.js";
import { commandTable } from "./commands/table.js";

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });
const entries = Object.entries(commandForms) as [CommandFormKey, CommandEntry<unknown, unknown>][];
const isSet = (key: string) => key.endsWith("=");

/** Of the AT host, not of the modem. */
const elsewhere = new Set<string>(["E0", "E1"]);

function linesOf(answer: string): string[] {
  return answer.split("\r\n").slice(0, -2);
}

test("every form of the table that takes no values is answered, and the answer is read", async () => {
  for (const firmware of ["mfw_nrf9160_1.3.2", "mfw_nrf91x1_2.0.2"] as const) {
    const { at, modem, clock } = await makeModemWorld({ keys, firmware });
    for (const command of ['AT+CEDRXS=2,4,"1001"', 'AT%XPTW=4,"0011"', "AT+CFUN=1"]) await at(command);
    await clock.advance(10_000);
    const unanswered: string[] = [];
    for (const [key] of entries) {
      if (isSet(key) || elsewhere.has(key)) continue;
      const answer = await at(`AT${key}`);
      if (!answer.endsWith("OK\r\n")) unanswered.push(key);
      else assert.notEqual(parseAnswer(key, linesOf(answer)), undefined, `${key}: ${answer}`);
    }
    const isNewer = firmware.includes("nrf91x1");
    assert.deepEqual(unanswered.sort(), (isNewer ? notOnNewer : notOnOlder).sort(), firmware);
    await modem.close();
  }
});

/** What each part has no form for, or does not do while LTE is on. */
const notOnNewer: string[] = ["%XPRODDONE", "%XTEMP?"];
const notOnOlder: string[] = ["%XPRODDONE", "%XTEMP", "%DEVICEUUID"];
/** Where the table of the host allows more: what other firmware takes, or what depends on another value. */
const widerForHosts = new Set(["+CMEE=", "+CNEC=", "+CGACT=", "+CPINR=", "%CLAIMTOKEN=", "%CERTEXPIRY="]);

test("whatever the table writes, the rules of the simulated modem take", () => {
  const refused = new Set<string>();
  for (const [key, { values }] of entries) {
    if (values === undefined) continue;
    const rules = commandTable.get(key.slice(0, -1))?.set?.rules;
    assert.ok(rules !== undefined, `the simulated modem has no ${key}`);
    fc.assert(
      fc.property(arbitraryOf(values.domain), (made) => {
        let line: string;
        try {
          line = formatCommand(key, made as never);
        } catch {
          return;
        }
        if (!areAllowed(parseAtCommand(line).parameters, rules)) refused.add(key);
      }),
      { numRuns: 20, seed: 7 },
    );
  }
  assert.deepEqual(refused, widerForHosts);
});
