// Whatever is set on a simulated modem, by the host or by its surroundings, the host reads back.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { decodeEdrxCycle } from "../at/timers.js";
import { makeModemWorld } from "../world.test.support.js";
import { readBand, readRegistration, readSystemMode, setSystemMode } from "./network.js";
import { readOperator } from "./operator.js";
import { readPacketContexts, setPacketContext } from "./packet-data.js";
import { readEdrx, readPowerSaving, requestEdrx, requestPowerSaving } from "./power-saving.js";
import { readErrorLevel, setErrorLevel } from "./production.js";
import { readNetworkTime, setModemClock } from "./readings.js";
import { readNetworkMonitor, readSignalQuality } from "./signal.js";
import { subscribeModem } from "./subscriptions.js";

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });
const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 200 : 8;

const hex = (digits: number) => fc.stringMatching(new RegExp(`^[0-9A-E]{${digits}}$`));
const cell = fc.record({
  ...{ plmn: fc.stringMatching(/^[0-9]{5,6}$/), tac: hex(4), cellId: hex(8), act: fc.constant(7 as const) },
  ...{ fullName: fc.stringMatching(/^[A-Z][a-z]{2,12}$/), shortName: fc.stringMatching(/^[A-Z]{1,5}$/) },
  ...{ band: fc.constantFrom(1, 3, 20, 28), physicalCellId: fc.nat(503), earfcn: fc.nat(65_535) },
  ...{ rsrpDbm: fc.integer({ min: -130, max: -50 }), rsrqDb: fc.integer({ min: -19, max: -3 }) },
  snrDb: fc.integer({ min: -20, max: 20 }),
});

test("whatever cell there is, the host reads it", async () => {
  const property = fc.asyncProperty(cell, fc.boolean(), async (there, isRoaming) => {
    const { modem, at, clock, openSession } = await makeModemWorld({
      keys,
      lte: { conditions: { cell: there, isRoaming } },
    });
    const session = openSession();
    const wait = <Value>(promise: Promise<Value>) => clock.until(promise);
    await wait(subscribeModem(session, { registration: 5 }));
    await at("AT+CFUN=1");
    await clock.advance(2_000);
    const { registration } = await wait(readRegistration(session));
    assert.equal(registration.status, isRoaming ? "roaming" : "home");
    assert.deepEqual([registration.tac, registration.cellId, registration.act], [there.tac, there.cellId, 7]);
    assert.equal(await wait(readBand(session)), there.band);
    assert.equal((await wait(readOperator(session))).operator, there.plmn);
    const { rsrpDbm, rsrqDb } = there;
    assert.deepEqual(await wait(readSignalQuality(session)), { rsrqDb, rsrpDbm });
    const monitor = await wait(readNetworkMonitor(session));
    const { fullName, shortName, plmn, tac, cellId, band, physicalCellId, earfcn, snrDb } = there;
    const { edrx: _, activeTime: __, periodicTau: ___, periodicTauExtended: ____, ...shown } = monitor ?? {};
    assert.deepEqual(shown, {
      ...{ fullName, shortName, plmn, tac, act: 7, band, cellId, physicalCellId, earfcn },
      ...{ rsrp: rsrpDbm + 140, snr: snrDb + 24 },
    });
    await wait(session.close());
    await modem.close();
  });
  await fc.assert(property, { numRuns });
});

const settings = fc.record({
  systemMode: fc
    .record({ lteM: fc.boolean(), nbIot: fc.boolean(), gnss: fc.boolean(), preference: fc.nat(4) })
    .filter(({ lteM, nbIot, gnss }) => lteM || nbIot || gnss),
  context: fc.record({
    type: fc.constantFrom("IP", "IPV6", "IPV4V6", "Non-IP"),
    accessPoint: fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,30}$/),
  }),
  periodicTauSeconds: fc.constantFrom(...[2, 62, 90, 600, 3_600, 36_000, 1_152_000]),
  activeTimeSeconds: fc.constantFrom(0, 2, 62, 120, 360, 11_160),
  cycle: fc.constantFrom(...["0000", "0001", "0010", "0011", "0101", "1001", "1101"]),
  errorLevel: fc.constantFrom(0, 1),
  clock: fc.record({
    unixSeconds: fc.integer({ min: Date.UTC(2020, 0, 1) / 1000, max: Date.UTC(2080, 0, 1) / 1000 }),
    timeZoneQuarterHours: fc.integer({ min: -48, max: 48 }),
  }),
});

test("whatever the host sets, it reads back", async () => {
  const property = fc.asyncProperty(settings, async (wanted) => {
    const { modem, clock, openSession } = await makeModemWorld({ keys });
    const session = openSession();
    const wait = <Value>(promise: Promise<Value>) => clock.until(promise);
    const { systemMode, context, periodicTauSeconds, activeTimeSeconds, cycle } = wanted;
    await wait(setSystemMode(session, systemMode));
    assert.deepEqual(await wait(readSystemMode(session)), { ...systemMode });
    await wait(setPacketContext(session, { contextId: 0, ...context }));
    const [first] = await wait(readPacketContexts(session));
    assert.deepEqual(first, { contextId: 0, address: "", ...context });
    await wait(requestPowerSaving(session, { periodicTauSeconds, activeTimeSeconds }));
    assert.deepEqual(await wait(readPowerSaving(session)), { isOn: true, periodicTauSeconds, activeTimeSeconds });
    const cycleSeconds = decodeEdrxCycle(cycle) ?? 0;
    await wait(requestEdrx(session, [{ technology: "lteM", cycleSeconds }]));
    assert.deepEqual(await wait(readEdrx(session)), [{ technology: "lteM", cycleSeconds }]);
    await wait(setErrorLevel(session, wanted.errorLevel === 1 ? 1 : 0));
    assert.equal(await wait(readErrorLevel(session)), wanted.errorLevel);
    await wait(setModemClock(session, wanted.clock));
    assert.deepEqual(await wait(readNetworkTime(session)), { ...wanted.clock });
    await wait(session.close());
    await modem.close();
  });
  await fc.assert(property, { numRuns });
});
