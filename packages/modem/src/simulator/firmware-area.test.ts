import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { makeModemWorld } from "../world.test.support.js";
import { makeSimulatedModemDelta } from "./delta-image.js";
import { firmwareAreaBytes, firmwareEraseMs } from "./firmware-area.js";
import { createSimulatedModem } from "./modem.js";
import type { SimulatedModemOptions } from "./simulated-modem.js";

const from = "mfw_nrf9160_1.3.2";
const to = "mfw_nrf9160_1.3.7";
const delta = makeSimulatedModemDelta({ from, to, sizeBytes: 3_000 });
const { signal } = new AbortController();

function benchOf() {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const common = {
    network: createVirtualNetwork({ clock, random }),
    clock,
    random,
    keys: createVirtualKeys({ random }),
  };
  const files = createVirtualFiles();
  const start = (more: Partial<SimulatedModemOptions> = {}) =>
    createSimulatedModem({ ...common, files, folder: "/modem", ...more });
  return { clock, start };
}

test("a delta image is applied when the modem starts, and AT+CGMR tells", async () => {
  const { start } = benchOf();
  const modem = await start();
  await modem.firmware.write(0, delta.subarray(0, 1_000));
  await assert.rejects(modem.firmware.schedule(), { details: { modemError: "incompleteData", modemErrorCode: 19 } });
  await modem.firmware.write(1_000, delta.subarray(1_000));
  await modem.firmware.schedule();
  assert.deepEqual(await modem.firmware.state(), {
    version: from,
    writtenBytes: 3_000,
    isScheduled: true,
    result: undefined,
  });
  await assert.rejects(modem.firmware.write(3_000, delta), {
    details: { modemError: "notAllowed", modemErrorCode: 18 },
  });
  assert.equal(await modem.at("AT+CGMR"), `${from}\r\nOK\r\n`);
  await modem.close();
  const after = await start();
  assert.equal(await after.at("AT+CGMR"), `${to}\r\nOK\r\n`);
  assert.equal(await after.at("AT%SHORTSWVER"), "%SHORTSWVER: nrf9160_1.3.7\r\nOK\r\n");
  assert.deepEqual(await after.firmware.state(), {
    version: to,
    writtenBytes: "dirty",
    isScheduled: false,
    result: "ok",
  });
  await assert.rejects(after.firmware.write(0, delta), { details: { modemError: "areaNotBlank", modemErrorCode: 11 } });
  await after.close();
});

test("what is no image of this modem is refused while it is written", async () => {
  const { start } = benchOf();
  const { firmware } = await start();
  const other = makeSimulatedModemDelta({ from: "mfw_nrf9160_1.3.0", to });
  await assert.rejects(firmware.write(0, other), { details: { modemError: "invalidUuid", modemErrorCode: 9 } });
  await assert.rejects(firmware.write(0, new Uint8Array(64)), {
    details: { modemError: "invalidHeader", modemErrorCode: 3 },
  });
  await assert.rejects(firmware.write(7, delta), { details: { modemError: "invalidOffset", modemErrorCode: 14 } });
  await assert.rejects(firmware.schedule(), { details: { modemError: "invalidHeader", modemErrorCode: 3 } });
  const large = makeSimulatedModemDelta({ from, to, sizeBytes: firmwareAreaBytes + 1 });
  await assert.rejects(firmware.write(0, large), { details: { modemError: "writeError", modemErrorCode: 12 } });
  assert.equal((await firmware.state()).writtenBytes, 0);
});

// The area was once copied for each piece: this took half a minute.
test("an image may fill the area to its last byte, in pieces of any size", { timeout: 20_000 }, async () => {
  const { at, modem } = await makeModemWorld();
  const full = makeSimulatedModemDelta({ from, to, sizeBytes: firmwareAreaBytes });
  let offset = 0;
  while (offset < full.length) {
    const piece = full.subarray(offset, offset + 1 + ((offset * 7) % 255));
    await modem.firmware.write(offset, piece);
    offset += piece.length;
  }
  await assert.rejects(modem.firmware.write(full.length, Uint8Array.of(0)), {
    details: { modemError: "writeError", modemErrorCode: 12 },
  });
  await modem.firmware.schedule();
  await modem.restart();
  assert.match(await at("AT+CGMR"), /1\.3\.7/);
});

test("an image that was changed is found at the start, and one without power for it waits", async () => {
  for (const [isDamaged, isVoltageLow, result] of [
    [true, false, "authenticationError"],
    [false, true, "voltageLow"],
  ] as const) {
    const { start } = benchOf();
    const modem = await start();
    const bytes = delta.slice();
    if (isDamaged) bytes[2_000] = (bytes[2_000] ?? 0) ^ 1;
    await modem.firmware.write(0, bytes);
    await modem.firmware.schedule();
    await modem.close();
    const after = await start({ isVoltageLow });
    const { version, result: said, isScheduled } = await after.firmware.state();
    assert.deepEqual([version, said, isScheduled], [from, result, isVoltageLow]);
    await after.close();
    const last = await start();
    assert.equal((await last.firmware.state()).version, isVoltageLow ? to : from);
    await last.close();
  }
});

test("erasing takes its time, and a power cut in it leaves an area that has to be erased", async () => {
  const { clock, start } = benchOf();
  const modem = await start();
  await modem.firmware.write(0, delta);
  const before = clock.monotonicMs();
  const erasing = modem.firmware.erase({ signal });
  await assert.rejects(modem.firmware.erase({ signal }), {
    details: { modemError: "erasePending", modemErrorCode: 17 },
  });
  await clock.until(erasing);
  assert.equal(clock.monotonicMs() - before, firmwareEraseMs);
  assert.equal((await modem.firmware.state()).writtenBytes, 0);
  await modem.firmware.write(0, delta);
  const cut = modem.firmware.erase({ signal });
  cut.catch(() => undefined);
  await clock.advance(10);
  modem.cutPower();
  await assert.rejects(clock.until(cut), { code: "CLOSED" });
  const after = await start();
  assert.equal((await after.firmware.state()).writtenBytes, "dirty");
  await after.close();
});

test("a modem that is restarted applies what is scheduled, and forgets what was not stored", async () => {
  const { start } = benchOf();
  const modem = await start();
  await modem.at("AT+CMEE=1");
  await modem.at("AT+CFUN=4");
  await modem.firmware.write(0, delta);
  await modem.firmware.schedule();
  await modem.restart();
  assert.equal(await modem.at("AT+CGMR"), `${to}\r\nOK\r\n`);
  assert.equal(await modem.at("AT+CFUN?"), "+CFUN: 0\r\nOK\r\n");
  assert.equal(await modem.at("AT+CMEE?"), "+CMEE: 0\r\nOK\r\n");
  assert.equal((await modem.firmware.state()).result, "ok");
  await modem.restart();
  assert.equal((await modem.firmware.state()).version, to, "nothing is scheduled any more");
  await modem.close();
  await assert.rejects(modem.restart(), { code: "CLOSED" });
  const after = await start();
  assert.equal(await after.at("AT+CGMR"), `${to}\r\nOK\r\n`);
  await after.close();
});

test("an erasure that a restart interrupts leaves the area dirty, and another one can begin", async () => {
  const { clock, start } = benchOf();
  const modem = await start();
  await modem.firmware.write(0, delta);
  const erasing = assert.rejects(modem.firmware.erase({ signal }), {
    details: { modemError: "eraseError", modemErrorCode: 13 },
  });
  await clock.advance(firmwareEraseMs / 2);
  await modem.restart();
  assert.equal((await modem.firmware.state()).writtenBytes, "dirty");
  const again = modem.firmware.erase({ signal });
  await clock.advance(firmwareEraseMs + 1);
  await erasing;
  await again;
  assert.equal((await modem.firmware.state()).writtenBytes, 0);
  await modem.close();
});

test("a firmware that was programmed whole runs after the next start", async () => {
  const { start } = benchOf();
  const modem = await start();
  await modem.firmware.write(0, delta);
  const wrong = modem.firmware.program("mfw nrf9160\r\n");
  await assert.rejects(wrong, (error) => isThinglineError(error, "OPTION_INVALID"));
  await modem.firmware.program("mfw_nrf9160_1.3.9");
  assert.equal(await modem.at("AT+CGMR"), `${from}\r\nOK\r\n`);
  await modem.restart();
  assert.equal(await modem.at("AT+CGMR"), "mfw_nrf9160_1.3.9\r\nOK\r\n");
  assert.deepEqual(await modem.firmware.state(), {
    version: "mfw_nrf9160_1.3.9",
    writtenBytes: "dirty",
    isScheduled: false,
    result: undefined,
  });
  await modem.close();
});
