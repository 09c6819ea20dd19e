import assert from "node:assert/strict";
import { test } from "node:test";
import { makeModemWorld, type ModemWorldOptions } from "../../world.test.support.js";

async function start(options: ModemWorldOptions = {}, ...subscriptions: string[]) {
  const world = await makeModemWorld(options);
  for (const command of ["AT+CMEE=1", ...subscriptions, "AT+CFUN=1"]) await world.at(command);
  await world.clock.advance(1_000);
  return world;
}

test("signal is told when it comes over a threshold or under one, not for every decibel", async () => {
  const { modem, at, notifications } = await start({}, "AT%CESQ=1", "AT%XSNRSQ=1");
  assert.equal(await at("AT+CESQ"), "+CESQ: 99,99,255,255,23,53\r\nOK\r\n");
  for (const rsrpDbm of [-88, -90, -99, -101, -125]) modem.setConditions({ cell: { rsrpDbm } });
  modem.setConditions({ cell: { rsrqDb: -18 } });
  modem.setConditions({ cell: { snrDb: 10 } });
  assert.deepEqual(notifications, [
    "%CESQ: 53,2,23,3",
    "%XSNRSQ: 22,1,180,0",
    "%CESQ: 39,1,23,3",
    "%CESQ: 15,0,23,3",
    "%CESQ: 15,0,3,0",
    "%XSNRSQ: 34,3,142,0",
  ]);
  await modem.close();
});

test("a modem that is off has no signal, and is in no cell", async () => {
  const { at, modem } = await makeModemWorld();
  const answers: [command: string, answer: string][] = [
    ["AT+CESQ", "+CESQ: 99,99,255,255,255,255"],
    ["AT%XSNRSQ?", "%XSNRSQ: 127,32767,0"],
    ["AT+CSQ", "+CSQ: 99,99"],
    ["AT%XCBAND", "%XCBAND: 0"],
    ["AT%XMONITOR", "%XMONITOR: 0"],
  ];
  for (const [command, answer] of answers) assert.equal(await at(command), `${answer}\r\nOK\r\n`);
  for (const command of ["AT%CONEVAL", "AT%NCELLMEAS", "AT%NBRGRSRP"]) assert.equal(await at(command), "ERROR\r\n");
  await modem.close();
});

test("a lock on other bands hides the cell; locks on all bands are refused", async () => {
  const { at, modem, clock } = await makeModemWorld();
  await at("AT+CMEE=1");
  // The cell is on band 20.
  assert.equal(await at('AT%XBANDLOCK=1,"1000000001000"'), "OK\r\n");
  assert.equal(await at('AT%XBANDLOCK=2,"1"'), "ERROR\r\n", "no band would be left");
  assert.equal(await at('AT%XBANDLOCK=2,"1000"'), "OK\r\n");
  assert.match(await at("AT%XBANDLOCK?"), /^%XBANDLOCK: "0{75}1000000001000","0{84}1000"\r\nOK/);
  assert.equal(await at("AT%XCBAND=?"), "%XCBAND: (4)\r\nOK\r\n");
  await at("AT+CFUN=1");
  await clock.advance(1_000);
  assert.equal(await at("AT+CEREG?"), "+CEREG: 0,4\r\nOK\r\n");
  assert.equal(await at("AT%XBANDLOCK=0"), "+CME ERROR: 518\r\n");
  await at("AT+CFUN=0");
  assert.equal(await at("AT%XBANDLOCK=0"), "OK\r\n");
  await at("AT+CFUN=1");
  await clock.advance(1_000);
  assert.equal(await at("AT%XCBAND"), "%XCBAND: 20\r\nOK\r\n");
  await modem.close();
});

test("the connection is evaluated before it is used, and cells are measured", async () => {
  const { at, modem, notifications } = await start();
  assert.equal(
    await at("AT%CONEVAL"),
    '%CONEVAL: 0,1,8,53,23,22,"02024720","00101",428,6300,20,0,0,23,1,1,110\r\nOK\r\n',
  );
  await at("AT%NCELLMEAS");
  await at("AT%NCELLMEAS=3,5");
  assert.match(notifications[0] ?? "", /^%NCELLMEAS: 0,"02024720","00101","0901",65535,6300,428,53,23,\d+$/);
  assert.match(notifications[1] ?? "", /^%NCELLMEAS: 0,"02024720","00101","0901",65535,0,6300,428,53,23,\d+,1,0$/);
  modem.setConditions({ isDenied: true });
  assert.equal(await at("AT%CONEVAL"), "%CONEVAL: 6\r\nOK\r\n");
  modem.setConditions({ sim: "failed" });
  assert.equal(await at("AT%CONEVAL"), "%CONEVAL: 2\r\nOK\r\n");
  await modem.close();
});
