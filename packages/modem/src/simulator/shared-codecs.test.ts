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

test("every form of the table that the simulated modem has is answered, and the answer is read; others are refused", async () => {
  for (const firmware of ["mfw_nrf9160_1.3.2", "mfw_nrf91x1_2.0.2"] as const) {
    const { at, modem, clock } = await makeModemWorld({ keys, firmware });
    for (const command of ['AT+CEDRXS=2,4,"1001"', 'AT%XPTW=4,"0011"', "AT+CFUN=1"]) await at(command);
    await clock.advance(10_000);
    let read = 0;
    for (const [key] of entries) {
      if (isSet(key) || elsewhere.has(key)) continue;
      const { name, form } = parseAtCommand(`AT${key}`);
      const forms = commandTable.get(name);
      const isThere = form !== "set" && forms?.[form] !== undefined && refusedForms[firmware]?.includes(key) !== true;
      const answer = await at(`AT${key}`);
      if (!isThere) assert.match(answer, /ERROR/, key);
      else {
        assert.match(answer, /OK\r\n$/, key);
        assert.notEqual(parseAnswer(key, linesOf(answer)), undefined, `${key}: ${answer}`);
        read++;
      }
    }
    assert.ok(read > 50, String(read));
    await modem.close();
  }
});

/** Forms that a part does not have, or that are refused while LTE is on. */
const refusedForms: Readonly<Record<string, readonly string[]>> = {
  "mfw_nrf9160_1.3.2": ["%XPRODDONE", "%XTEMP", "%DEVICEUUID"],
  "mfw_nrf91x1_2.0.2": ["%XPRODDONE", "%XTEMP?"],
};

/** Where the table of the host allows more: what other firmware takes, or what depends on another value. */
const widerForHosts = [
  ...["+CMEE=", "+CNEC=", "+CGACT=", "+CPINR=", "+CPWD=", "+CLCK=", "%CCLK=", "%CLAIMTOKEN=", "%CERTEXPIRY="],
];

test("whatever the table writes, the rules of the simulated modem take", () => {
  const refused = new Set<string>();
  for (const [key, { values }] of entries) {
    if (values === undefined) continue;
    const rules = commandTable.get(key.slice(0, -1))?.set?.rules;
    assert.ok(rules !== undefined, `the simulated modem has no ${key}`);
    fc.assert(
      fc.property(arbitraryOf(values.domain), (made) => {
        const { parameters } = parseAtCommand(formatCommand(key, made as never));
        if (!areAllowed(parameters, rules)) refused.add(key);
      }),
      { numRuns: 20, seed: 7 },
    );
  }
  assert.deepEqual([...refused].sort(), [...widerForHosts].sort());
});
