// What the host's calls say of a simulated modem is what was set there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld, type ModemWorldOptions } from "../world.test.support.js";
import { listCommands, readModemIdentification } from "./identity.js";
import {
  readBand,
  readRadioConnection,
  readRegistration,
  readSupportedBands,
  readSystemMode,
  setSystemMode,
} from "./network.js";
import { readOperator, searchOperators, selectOperator } from "./operator.js";
import {
  activateContext,
  readActiveContexts,
  readContextAddresses,
  readPacketContexts,
  setPacketContext,
} from "./packet-data.js";
import { readEdrx, readPowerSaving, requestEdrx, requestPowerSaving } from "./power-saving.js";
import { readErrorLevel, resetToFactory, setErrorLevel } from "./production.js";
import { readNetworkTime, readSupplyVoltage, readTemperature } from "./readings.js";
import { enterPin, readSim } from "./sim.js";
import { subscribeModem } from "./subscriptions.js";

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });

async function open(options: ModemWorldOptions = {}) {
  const world = await makeModemWorld({ keys, ...options });
  const wait = <Value>(promise: Promise<Value>) => world.clock.until(promise);
  return { ...world, wait, session: world.openSession() };
}

async function registered(options?: ModemWorldOptions) {
  const world = await open(options);
  await world.at("AT+CFUN=1");
  await world.clock.advance(2_000);
  return world;
}

const failure = async (promise: Promise<unknown>): Promise<ThinglineError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isThinglineError(error), String(error));
  return error;
};

test("a modem is identified by everything that it tells", async () => {
  for (const firmware of ["mfw_nrf9160_1.3.2", "mfw_nrf91x1_2.0.2"] as const) {
    const { session, modem, wait } = await open({ firmware });
    const { imei, serialNumber, softwareVersionNumber, modemUuid, deviceUuid } = modem.identity;
    const identification = await wait(readModemIdentification(session));
    assert.deepEqual(
      { ...identification, hardware: "", model: "" },
      {
        ...{ manufacturer: "Nordic Semiconductor ASA", model: "", hardware: "", firmware, imei },
        ...{ serialNumber, softwareVersionNumber, shortVersion: firmware.slice("mfw_".length) },
        ...{ imeiAndSoftwareVersion: `${imei.slice(0, 14)}${softwareVersionNumber}`, firmwareUuid: modemUuid },
        deviceUuid: firmware === "mfw_nrf9160_1.3.2" ? undefined : deviceUuid,
      },
    );
    assert.match(identification.model, /^nRF91/);
    assert.match(identification.hardware, /^nRF91/);
    assert.ok((await wait(listCommands(session))).includes("AT+CFUN"));
    await modem.close();
  }
});

test("a SIM card is read in each of its states, and unlocked by its PIN", async () => {
  const { session, modem, wait, at } = await open({ lte: { conditions: { sim: "pinRequired" } }, pin: "4321" });
  assert.deepEqual(await wait(readSim(session)), {
    ...{ isInitialized: false, cause: undefined, lock: undefined, pinAttempts: undefined },
    ...{ imsi: undefined, iccid: undefined },
  });
  await at("AT+CFUN=41");
  const locked = await wait(readSim(session));
  assert.deepEqual([locked.isInitialized, locked.cause, locked.lock], [false, 1, "pinRequired"]);
  assert.deepEqual([locked.pinAttempts, locked.imsi, locked.iccid], [3, undefined, modem.identity.iccid]);
  assert.equal((await failure(wait(enterPin(session, "1111")))).code, "MODEM_COMMAND_REJECTED");
  const refused = await failure(wait(enterPin(session, "12345x")));
  assert.equal(refused.code, "OPTION_INVALID");
  assert.doesNotMatch(refused.message, /12345/);
  assert.equal((await failure(wait(enterPin(session, "4321", { newPin: "1" })))).code, "OPTION_INVALID");
  await wait(enterPin(session, "4321"));
  const ready = await wait(readSim(session));
  assert.deepEqual([ready.isInitialized, ready.lock, ready.imsi], [true, "ready", modem.identity.imsi]);
});

test("registration, radio, band, operator and packet data are those of the simulated network", async () => {
  const { session, modem, wait, at, clock } = await registered();
  const refusals = await wait(subscribeModem(session, { registration: 5, radioConnection: 1, signal: true }));
  assert.deepEqual(refusals, []);
  const { level, registration } = await wait(readRegistration(session));
  assert.deepEqual([level, registration.status, registration.act, registration.tac], [5, "home", 7, "0901"]);
  const { isConnected } = await wait(readRadioConnection(session));
  assert.equal(await at("AT+CSCON?"), `+CSCON: 1,${Number(isConnected)}\r\nOK\r\n`);
  assert.equal(await wait(readBand(session)), 20);
  assert.ok((await wait(readSupportedBands(session))).includes(20));
  assert.deepEqual(await wait(readOperator(session)), {
    ...{ mode: "automatic", format: "numeric", operator: "00101", act: 7 },
  });
  await wait(selectOperator(session, { plmn: "00101", act: 7 }));
  assert.equal((await wait(readOperator(session))).mode, "manual");
  await wait(selectOperator(session, "automatic"));
  const [found] = await wait(searchOperators(session));
  assert.deepEqual([found?.availability, found?.plmn, found?.act], ["current", "00101", 7]);
  modem.setConditions({ hasCoverage: false });
  assert.deepEqual(await wait(searchOperators(session)), []);
  modem.setConditions({ hasCoverage: true });
  await clock.advance(5_000);
  const [context] = await wait(readPacketContexts(session));
  assert.deepEqual([context?.contextId, context?.type, context?.accessPoint], [0, "IP", "internet"]);
  assert.deepEqual(await wait(readActiveContexts(session)), [{ contextId: 0, isActive: true }]);
  assert.equal((await wait(readContextAddresses(session, 0)))?.address, context?.address);
  assert.equal((await failure(wait(activateContext(session, 11)))).code, "AT_MALFORMED");
  await modem.close();
});

test("a modem that is offline is on no band, and takes its system mode and its packet context", async () => {
  const { session, modem, wait } = await open();
  assert.equal(await wait(readBand(session)), undefined);
  assert.deepEqual(await wait(readOperator(session)), { mode: "automatic" });
  await wait(setSystemMode(session, { lteM: true, nbIot: true, gnss: false, preference: 2 }));
  assert.deepEqual(await wait(readSystemMode(session)), { lteM: true, nbIot: true, gnss: false, preference: 2 });
  await wait(setPacketContext(session, { contextId: 0, type: "IPV4V6", accessPoint: "iot.example" }));
  const [context] = await wait(readPacketContexts(session));
  assert.deepEqual([context?.type, context?.accessPoint, context?.address], ["IPV4V6", "iot.example", ""]);
  await modem.close();
});

test("power saving and eDRX are asked for in seconds", async () => {
  const { session, modem, wait, at, notifications } = await registered();
  assert.equal((await wait(readPowerSaving(session))).isOn, false);
  await wait(requestPowerSaving(session, { periodicTauSeconds: 1_700, activeTimeSeconds: 60 }));
  const asked = await wait(readPowerSaving(session));
  assert.deepEqual(asked, { isOn: true, periodicTauSeconds: 1_740, activeTimeSeconds: 60 });
  await wait(requestPowerSaving(session, "off"));
  assert.equal((await wait(readPowerSaving(session))).isOn, false);
  const tooLong = await failure(wait(requestPowerSaving(session, { activeTimeSeconds: 100_000 })));
  assert.deepEqual([tooLong.code, tooLong.details["option"]], ["OPTION_INVALID", "activeTimeSeconds"]);

  await wait(requestEdrx(session, [{ technology: "lteM", cycleSeconds: 160, pagingWindowSeconds: 7 }]));
  assert.deepEqual(await wait(readEdrx(session)), [{ technology: "lteM", cycleSeconds: 163.84 }]);
  assert.match(await at("AT%XPTW?"), /%XPTW: 4,"0101"/);
  assert.ok(
    notifications.some((line) => line.startsWith('+CEDRXP: 4,"1001"')),
    notifications.join("\n"),
  );
  await wait(requestEdrx(session, "off"));
  assert.deepEqual(await wait(readEdrx(session)), []);
  const never = failure(wait(requestEdrx(session, [{ technology: "lteM", cycleSeconds: 3_000 }])));
  assert.deepEqual([(await never).code, (await never).details["option"]], ["OPTION_INVALID", "cycleSeconds"]);
  await modem.close();
});

test("time, voltage and temperature are read in either way that a firmware has", async () => {
  for (const firmware of ["mfw_nrf9160_1.3.2", "mfw_nrf91x1_2.0.2"] as const) {
    const { session, modem, wait, clock } = await registered({ firmware });
    assert.equal(await wait(readSupplyVoltage(session)), 4_464);
    assert.equal(await wait(readTemperature(session)), 25);
    const time = await wait(readNetworkTime(session));
    assert.equal(time.unixSeconds, Math.floor(clock.unixMs() / 1000));
    await modem.close();
  }
});

test("subscriptions that a firmware lacks are told, and one with a wrong level sends nothing", async () => {
  const { session, at, wait } = await open();
  const refused = await wait(
    subscribeModem(session, {
      ...{ registration: 2, radioConnection: 1, signal: true, sim: true, modemEvents: true, networkTime: true },
      ...{ packetDomain: true, networkErrors: true, lowVoltage: true, powerOffWarningMv: 3_300 },
      ...{ sleep: { warningMs: 5_000, thresholdMs: 1_200_000 }, tauPreWarning: false },
    }),
  );
  assert.deepEqual(refused, []);
  assert.match(await at("AT+CEREG?"), /^\+CEREG: 2,0/);
  assert.match(await at("AT+CNEC?"), /^\+CNEC: 24/);
  const wrong = await failure(wait(subscribeModem(session, { modemEvents: false, registration: 7 })));
  assert.equal(wrong.code, "AT_MALFORMED");
  const unknown = await failure(wait(subscribeModem(session, { news: true } as never)));
  assert.deepEqual([unknown.code, unknown.details["option"]], ["OPTION_INVALID", "news"]);
  const noSuch = {
    sequence: <Result>(steps: (run: () => Promise<never>) => Promise<Result>) =>
      steps(() => Promise.reject(new ThinglineError("MODEM_COMMAND_REJECTED", "ERROR"))),
  };
  assert.deepEqual(await subscribeModem(noSuch as never, { temperature: true, sim: false }), ["temperature", "sim"]);
});

test("the error level is read and set, and a factory reset wants the modem switched off", async () => {
  const { session, at, wait } = await open();
  assert.equal(await wait(readErrorLevel(session)), 0);
  await wait(setErrorLevel(session, 1));
  assert.equal(await wait(readErrorLevel(session)), 1);
  await at('AT%CMNG=0,43,4,"identity"');
  await at("AT+CFUN=4");
  assert.equal((await failure(wait(resetToFactory(session, "all")))).code, "MODEM_COMMAND_REJECTED");
  await at("AT+CFUN=0");
  await wait(resetToFactory(session, "user"));
  assert.match(await at("AT%CMNG=1"), /^%CMNG: 43,4,/);
  await wait(resetToFactory(session, "all"));
  assert.doesNotMatch(await at("AT%CMNG=1"), /CMNG: 43,/);
});
