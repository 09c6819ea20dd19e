import assert from "node:assert/strict";
import { test } from "node:test";
import { makeModemWorld, type ModemWorldOptions } from "../../world.test.support.js";
import { otherNetworksMax } from "../surroundings.js";

async function start(options: ModemWorldOptions = {}, ...subscriptions: string[]) {
  const world = await makeModemWorld(options);
  for (const command of ["AT+CMEE=1", ...subscriptions, "AT+CFUN=1"]) await world.at(command);
  await world.clock.advance(1_000);
  return world;
}

const registrations: [name: string, options: ModemWorldOptions, expected: string][] = [
  ["home", {}, '5,1,"0901","02024720",7,,,"11100000","11100000"'],
  ["roaming", { lte: { conditions: { isRoaming: true } } }, '5,5,"0901","02024720",7,,,"11100000","11100000"'],
  ["denied", { lte: { conditions: { isDenied: true, rejectCause: 15 } } }, '5,3,"0901","02024720",7,0,15,,'],
  ["out of coverage", { lte: { conditions: { hasCoverage: false } } }, '5,4,"FFFF","FFFFFFFF",7,,,,'],
  ["emergency calls only", { lte: { conditions: { isEmergencyOnly: true } } }, '5,8,"0901","02024720",7,,,,'],
  ["no SIM card", { lte: { conditions: { sim: "absent" } } }, '5,90,,"FFFFFFFF",,,,,'],
  ["still searching", { lte: { searchMs: 5_000 } }, "5,2,,,,,,,"],
];
for (const [name, options, expected] of registrations) {
  test(`+CEREG tells ${name}`, async () => {
    const { at, modem } = await start(options, "AT+CEREG=5");
    assert.equal(await at("AT+CEREG?"), `+CEREG: ${expected}\r\nOK\r\n`);
    await modem.close();
  });
}

test("each level of +CEREG shows what it is for", async () => {
  const { at, modem } = await start();
  const cell = ',"0901","02024720",7';
  const timers = ',"11100000","11100000"';
  const shown = ["", "", cell, `${cell},,`, `${cell},,${timers}`, `${cell},,${timers}`];
  for (const [level, values] of shown.entries()) {
    await at(`AT+CEREG=${level}`);
    assert.equal(await at("AT+CEREG?"), `+CEREG: ${level},1${values}\r\nOK\r\n`);
  }
  await modem.close();
});

test("+CSCON tells mode, state and access by its level", async () => {
  const { at, modem, clock, notifications } = await start({}, "AT+CSCON=3");
  assert.equal(await at("AT+CSCON?"), "+CSCON: 3,1,7,4\r\nOK\r\n");
  await clock.advance(10_000);
  assert.deepEqual(notifications, ["+CSCON: 1,7,4", "+CSCON: 0,7,4"]);
  await at("AT+CSCON=2");
  assert.equal(await at("AT+CSCON?"), "+CSCON: 2,0,7\r\nOK\r\n");
  await at("AT+CSCON=");
  assert.equal(await at("AT+CSCON?"), "+CSCON: 0,0\r\nOK\r\n");
  await modem.close();
});

test("a denial is told to those who want to know, and stays as the last failure", async () => {
  const { at, modem, notifications } = await start(
    { lte: { conditions: { isDenied: true, rejectCause: 11 } } },
    "AT+CNEC=24",
  );
  assert.deepEqual(notifications, ["+CNEC_EMM: 11"]);
  assert.equal(await at("AT+CEER"), '+CEER: "EMM 11"\r\nOK\r\n');
  await modem.close();
});

test("indicators tell service and roaming, each when it is on", async () => {
  const { at, modem, notifications, clock } = await start({}, "AT+CIND=1,1,1");
  modem.setConditions({ isRoaming: true });
  await at("AT+CIND=,0");
  assert.equal(await at("AT+CIND?"), "+CIND: 1,0,1\r\nOK\r\n");
  modem.setConditions({ hasCoverage: false });
  await clock.advance(1_000);
  assert.deepEqual(notifications, ['+CIND: "service",1', '+CIND: "roam",1', '+CIND: "service",0']);
  await modem.close();
});

test("networks are searched for as long as it takes, not while the radio is connected", async () => {
  const otherNetworks = [
    { plmn: "26202", act: 9, isForbidden: false },
    { plmn: "26203", act: 7, isForbidden: true },
  ] as const;
  const { at, modem, clock } = await start({ lte: { operatorSearchMs: 90_000, conditions: { otherNetworks } } });
  assert.equal(await at("AT+COPS=?"), "+CME ERROR: 516\r\n");
  await clock.advance(10_000);
  const before = clock.monotonicMs();
  const found = '(2,"","","00101",7),(1,"","","26202",9),(3,"","","26203",7)';
  assert.equal(await at("AT+COPS=?"), `+COPS: ${found}\r\nOK\r\n`);
  assert.equal(clock.monotonicMs() - before, 90_000);
  assert.equal(await at("AT%COPS=?"), `%COPS: ${found}\r\nOK\r\n`);
  await at("AT+CFUN=4");
  assert.equal(await at("AT+COPS=?"), "ERROR\r\n");
  await modem.close();
});

test("there can be otherNetworksMax other networks", async () => {
  const { modem } = await makeModemWorld();
  const network = { plmn: "26202", act: 7, isForbidden: false } as const;
  modem.setConditions({ otherNetworks: Array.from({ length: otherNetworksMax }, () => network) });
  const more = Array.from({ length: otherNetworksMax + 1 }, () => network);
  assert.throws(() => modem.setConditions({ otherNetworks: more }), /otherNetworks: expected at most 32/);
  assert.throws(() => modem.setConditions({ otherNetworks: [{ plmn: "26202" } as never] }), /otherNetworks\[0\]\.act/);
  await modem.close();
});

test("an operator is chosen by number: another one than there is leaves the modem without network, and is remembered", async () => {
  const { at, modem, clock } = await start();
  await at("AT+COPS=3,0");
  assert.equal(await at("AT+COPS?"), '+COPS: 0,0,"Thingline test network",7\r\nOK\r\n');
  assert.equal(await at('AT+COPS=1,2,"26201"'), "OK\r\n");
  await clock.advance(1_000);
  assert.equal(await at("AT+COPS?"), "+COPS: 1\r\nOK\r\n");
  assert.equal(await at("AT+CEREG?"), "+CEREG: 0,4\r\nOK\r\n");
  await at('AT+COPS=1,2,"00101"');
  await clock.advance(1_000);
  assert.equal(await at("AT+COPS?"), '+COPS: 1,0,"Thingline test network",7\r\nOK\r\n');
  await at("AT+COPS=0");
  assert.equal(await at("AT+COPS?"), '+COPS: 0,0,"Thingline test network",7\r\nOK\r\n');
  await modem.close();
});

test("attach and detach by hand", async () => {
  const { at, modem, clock, notifications } = await start({}, "AT+CEREG=1");
  assert.equal(await at("AT+CGATT?"), "+CGATT: 1\r\nOK\r\n");
  assert.equal(await at("AT+CGATT=0"), "OK\r\n");
  assert.equal(await at("AT+CGATT?"), "+CGATT: 0\r\nOK\r\n");
  assert.equal(await at("AT+CGATT=1"), "OK\r\n");
  await clock.advance(1_000);
  assert.deepEqual(notifications, ["+CEREG: 2", "+CEREG: 1", "+CEREG: 0", "+CEREG: 2", "+CEREG: 1"]);
  await modem.close();
});
