import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { ModemSession } from "../session.js";
import { readPacketContexts } from "./packet-data.js";
import { readNetworkTime, readSupplyVoltage, readTemperature } from "./readings.js";

/** Answers as Nordic's AT reference shows them. */
const answers: Readonly<Record<string, string[]>> = {
  "AT%XVBAT": ["%XVBAT: 4464"],
  "AT%XTEMP?": ["%XTEMP: 25"],
  "AT+CCLK?": ['+CCLK: "22/10/10,19:59:21+08"'],
  "AT+CGDCONT?": ['+CGDCONT: 0,"IP","internet","10.0.1.1",0,0'],
};
const sessionWith = (given: typeof answers) =>
  ({ command: (line: string) => Promise.resolve(given[line] ?? ["?"]) }) as unknown as ModemSession;

test("voltage, temperature, network time and packet contexts are read", async () => {
  const session = sessionWith(answers);
  assert.equal(await readSupplyVoltage(session), 4_464);
  assert.equal(await readTemperature(session), 25);
  assert.deepEqual(await readNetworkTime(session), {
    unixSeconds: Date.UTC(2022, 9, 10, 17, 59, 21) / 1000,
    timeZoneQuarterHours: 8,
  });
  assert.deepEqual(await readPacketContexts(session), [
    { contextId: 0, type: "IP", accessPoint: "internet", address: "10.0.1.1" },
  ]);
});

test("an answer of another shape is told", async () => {
  for (const read of [readSupplyVoltage, readTemperature, readNetworkTime, readPacketContexts]) {
    await assert.rejects(read(sessionWith({})), (error) => isThinglineError(error, "MODEM_RESPONSE_INVALID"));
  }
});
