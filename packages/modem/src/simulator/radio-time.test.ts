import assert from "node:assert/strict";
import { test } from "node:test";
import { makeModemWorld } from "../world.test.support.js";
import type { RadioTime } from "./radio-time.js";

const timing = { searchMs: 3_000, attachMs: 700, detachMs: 40, rrcInactivityMs: 5_000 };

async function openCounting(options: Parameters<typeof makeModemWorld>[0] = {}) {
  const world = await makeModemWorld({ countsTraffic: true, lte: timing, ...options });
  const read = (): RadioTime => {
    assert.ok(world.modem.traffic);
    return world.modem.traffic.snapshot().radio;
  };
  // Time stands still while it is answered.
  const at = (command: string) => world.clock.untilSettled(world.modem.at(command));
  return { ...world, at, read };
}

const time = (ms: Partial<RadioTime>): RadioTime => ({
  ...{ offMs: 0, searchingMs: 0, connectedMs: 0, idleMs: 0, sleepMs: 0 },
  ...ms,
});

test("time is counted by what the radio does: off, searching, attaching and connected, idle", async () => {
  const { at, clock, read } = await openCounting();
  await clock.advance(1_000);
  await at("AT+CFUN=1");
  await clock.advance(2_000);
  assert.deepEqual(read(), time({ offMs: 1_000, searchingMs: 2_000 }));
  await clock.advance(1_000 + 700 + 5_000 + 60_000);
  assert.deepEqual(read(), time({ offMs: 1_000, searchingMs: 3_000, connectedMs: 5_700, idleMs: 60_000 }));
});

test("with PSM what is idle beyond the active time is sleep; it starts anew after each connection", async () => {
  const { at, clock, read } = await openCounting();
  // Periodic TAU 30 minutes, active time 10 seconds.
  await at('AT+CPSMS=1,"","","00000011","00000101"');
  await at("AT+CFUN=1");
  await clock.advance(3_000 + 700 + 5_000 + 4_000);
  assert.deepEqual(read(), time({ searchingMs: 3_000, connectedMs: 5_700, idleMs: 4_000 }));
  await clock.advance(10_000);
  assert.deepEqual(read(), time({ searchingMs: 3_000, connectedMs: 5_700, idleMs: 10_000, sleepMs: 4_000 }));
});

test("without a SIM card there is nothing to search; out of coverage the radio searches on", async () => {
  const without = await openCounting({ lte: { ...timing, conditions: { sim: "absent" } } });
  await without.at("AT+CFUN=1");
  await without.clock.advance(10_000);
  assert.deepEqual(without.read(), time({ offMs: 10_000 }));
  const far = await openCounting({ lte: { ...timing, conditions: { hasCoverage: false } } });
  await far.at("AT+CFUN=1");
  await far.clock.advance(10_000);
  assert.deepEqual(far.read(), time({ searchingMs: 10_000 }));
});

test("a modem that was not asked counts nothing", async () => {
  const { modem } = await makeModemWorld();
  assert.equal(modem.traffic, undefined);
});
