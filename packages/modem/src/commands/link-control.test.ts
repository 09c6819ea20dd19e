import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualClock } from "@thingline/transport/virtual";
import type { ModemSession } from "../session.js";
import { makeModemWorld, type ModemWorldOptions } from "../world.test.support.js";
import { readModemDescription } from "./identity.js";
import type { LinkControlOptions } from "./link-control.js";
import { createLinkControl } from "./link-control.js";
import { readNetworkMonitor, readSignalQuality } from "./signal.js";

async function openLink(modemOptions?: ModemWorldOptions, options?: Partial<LinkControlOptions>) {
  const world = await makeModemWorld(modemOptions);
  const session = world.openSession();
  const link = createLinkControl(session, { clock: world.clock, ...options });
  const events: string[] = [];
  const names = ["nwRegStatus", "cellUpdate", "lteModeUpdate", "psmUpdate", "rrcUpdate", "modemEvent"] as const;
  for (const name of names) link.on(name, (event) => events.push(`${name} ${Object.values(event).join(" ")}`));
  return { ...world, session, link, events, wait: <T>(promise: Promise<T>) => world.clock.until(promise) };
}

test("connect waits for the registration and tells it in lte_lc's order", async () => {
  const { link, events, clock, wait } = await openLink();
  await wait(link.connect());
  await clock.advance(10_000);
  assert.equal(link.status, "home");
  assert.deepEqual(events, [
    "modemEvent SEARCH STATUS 1",
    "nwRegStatus searching",
    "cellUpdate 0901 02024720",
    "rrcUpdate connected",
    "nwRegStatus home",
    "lteModeUpdate lteM",
    "psmUpdate  ",
    "rrcUpdate idle",
  ]);
});

test("connect of a registered modem returns at once and listens", async () => {
  const { link, at, clock, wait, modem, events } = await openLink();
  await at("AT+CFUN=1");
  await clock.advance(1000);
  await wait(link.connect());
  events.length = 0;
  modem.setConditions({ hasCoverage: false });
  await clock.advance(1000);
  assert.equal(link.status, "unknown");
  assert.deepEqual(
    events.filter((event) => event.startsWith("nwRegStatus")),
    ["nwRegStatus searching", "nwRegStatus unknown"],
  );
});

test("offline, normal and power off change the functional mode and tell the status", async () => {
  const { link, at, clock, wait } = await openLink();
  await wait(link.connect());
  await wait(link.offline());
  assert.equal(await at("AT+CFUN?"), "+CFUN: 4\r\nOK\r\n");
  assert.equal(link.status, "notRegistered");
  await wait(link.normal());
  await clock.advance(1000);
  assert.equal(link.status, "home");
  await wait(link.powerOff());
  assert.equal(await at("AT+CFUN?"), "+CFUN: 0\r\nOK\r\n");
  // Power off took the subscriptions along.
  await wait(link.connect());
  assert.equal(link.status, "home");
});

test("a modem that loses its last URC with power off counts as not registered all the same", async () => {
  const answers: Record<string, string[]> = {
    "AT+CEREG?": ['+CEREG: 5,1,"0901","02024720",7'],
    "AT+CFUN?": ["+CFUN: 1"],
  };
  const session = {
    sequence: (steps: (run: (line: string) => Promise<string[]>) => Promise<void>) =>
      steps(async (line) => answers[line] ?? []),
    onNotification: () => () => undefined,
    closed: new Promise<void>(() => undefined),
  } as unknown as ModemSession;
  const link = createLinkControl(session, { clock: createVirtualClock() });
  await link.connect();
  assert.equal(link.status, "home");
  await link.powerOff();
  assert.equal(link.status, "notRegistered");
});

test("a system mode is set before the radio is on, only when it differs", async () => {
  const { link, at, wait } = await openLink(undefined, {
    systemMode: { lteM: true, nbIot: true, gnss: false, preference: 1 },
  });
  await wait(link.connect());
  assert.equal(await at("AT%XSYSTEMMODE?"), "%XSYSTEMMODE: 1,1,0,1\r\nOK\r\n");
});

test("without coverage connect times out, and nothing stays stuck", async () => {
  const { link, modem, clock, wait } = await openLink(
    { lte: { conditions: { hasCoverage: false } } },
    { networkTimeoutMs: 30_000 },
  );
  await assert.rejects(
    wait(link.connect()),
    (error) => isThinglineError(error, "TIMEOUT") && error.details["status"] === "unknown",
  );
  assert.ok(clock.monotonicMs() >= 30_000);
  modem.setConditions({ hasCoverage: true });
  await wait(link.connect());
  assert.equal(link.status, "home");
});

for (const [conditions, words, status] of [
  [{ isDenied: true }, /denied/, "denied"],
  [{ sim: "failed" }, /SIM card failed/, "uiccFailure"],
] as const) {
  test(`connect fails at once when the status is ${status}, and the next one starts afresh`, async () => {
    const { link, modem, wait } = await openLink({ lte: { conditions } });
    await assert.rejects(
      wait(link.connect()),
      (error) =>
        isThinglineError(error, "LINK_FAILED") && words.test(error.message) && error.details["status"] === status,
    );
    modem.setConditions({ isDenied: false, sim: "ready" });
    await wait(link.connect());
    assert.equal(link.status, "home");
  });
}

test("an aborted connect leaves no timer and no waiter", async () => {
  const { link, session, modem, clock, wait } = await openLink({ lte: { conditions: { hasCoverage: false } } });
  const controller = new AbortController();
  const connecting = link.connect({ signal: controller.signal });
  connecting.catch(() => undefined);
  await clock.advance(5000);
  controller.abort();
  await assert.rejects(wait(connecting), (error) => isThinglineError(error, "ABORTED"));
  assert.equal(clock.timerCount, 0);
  await clock.until(session.close());
  await modem.close();
});

test("closing link control or its session ends a connect that waits", async () => {
  const first = await openLink({ lte: { conditions: { hasCoverage: false } } });
  const connecting = first.link.connect();
  connecting.catch(() => undefined);
  await first.clock.advance(5000);
  first.link.close();
  first.link.close();
  await assert.rejects(connecting, (error) => isThinglineError(error, "CLOSED"));
  await assert.rejects(first.link.offline(), (error) => isThinglineError(error, "CLOSED"));

  const second = await openLink({ lte: { conditions: { hasCoverage: false } } });
  const waiting = second.link.connect();
  waiting.catch(() => undefined);
  await second.clock.advance(5000);
  second.modem.cutPower();
  await assert.rejects(second.wait(waiting), (error) => isThinglineError(error, "CONNECTION_LOST"));
  assert.equal(second.clock.timerCount, 0);
});

test("identity, signal and monitor are read in words", async () => {
  const { session, link, wait, modem } = await openLink();
  assert.deepEqual(await wait(readModemDescription(session)), {
    manufacturer: "Nordic Semiconductor ASA",
    model: "nRF9160-SICA",
    firmware: "mfw_nrf9160_1.3.2",
    imei: modem.identity.imei,
  });
  assert.deepEqual(await wait(readSignalQuality(session)), { rsrpDbm: undefined, rsrqDb: undefined });
  assert.equal(await wait(readNetworkMonitor(session)), undefined);
  await wait(link.connect());
  assert.deepEqual(await wait(readSignalQuality(session)), { rsrpDbm: -87, rsrqDb: -8 });
  assert.equal((await wait(readNetworkMonitor(session)))?.plmn, "00101");
});
