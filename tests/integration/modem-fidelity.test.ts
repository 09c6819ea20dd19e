// Every command of the simulated modem has its record in the fidelity data, and every record its command.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { commandsNotSimulated, createSimulatedModem } from "@thingline/modem/simulator";
import { createVirtualClock, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";

const path = new URL("../../../docs/fidelity/data/modem-commands.json", import.meta.url);
const { records } = JSON.parse(readFileSync(path, "utf8")) as {
  records: { behaviour: string; state: string; tests: string[] }[];
};

test("the fidelity data has each command of the simulated modem once, and names those that it does not have", async () => {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const keys = createVirtualKeys({ random });
  const network = { dial: () => Promise.reject(new Error("nobody dials")) };
  const modem = await createSimulatedModem({ network, clock, random, keys, firmware: "mfw_nrf91x1_2.0.4" });
  const list = await clock.until(modem.at("AT+CLAC"));
  await modem.close();
  const commands = list.split("\r\n").flatMap((line) => (line.startsWith("AT") ? [line.slice(2)] : []));
  const nameOf = (behaviour: string): string => behaviour.split(":")[0] ?? "";
  assert.deepEqual(
    records.map(({ behaviour }) => nameOf(behaviour)).sort(),
    [...commands, ...commandsNotSimulated].sort(),
  );
  for (const { behaviour, state } of records) {
    if (commandsNotSimulated.includes(nameOf(behaviour))) assert.equal(state, "absent", behaviour);
  }
});
