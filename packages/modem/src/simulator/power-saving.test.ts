import assert from "node:assert/strict";
import { test } from "node:test";
import { makeModemWorld, type ModemWorldOptions } from "../world.test.support.js";

const hour = 3_600_000;

async function start(options: ModemWorldOptions, ...commands: string[]) {
  const world = await makeModemWorld(options);
  for (const command of [...commands, "AT+CFUN=1"]) assert.match(await world.at(command), /OK\r\n$/, command);
  await world.clock.advance(1_000);
  return world;
}

test("in PSM the modem sleeps after the active time, warns before it wakes, and updates its tracking area", async () => {
  const { at, modem, clock, notifications } = await start(
    {},
    'AT+CPSMS=1,"","","00000110","00100001"',
    "AT+CSCON=1",
    "AT%XMODEMSLEEP=1,5000,60000",
    "AT%XT3412=1,10000,60000",
  );
  notifications.length = 0;
  assert.equal(await at("AT+CEREG?"), "+CEREG: 0,1\r\nOK\r\n");
  // An hour of T3412, of which one minute is active.
  await clock.advance(hour + 20_000);
  assert.deepEqual(notifications, [
    "+CSCON: 0",
    "%XMODEMSLEEP: 1,3540000",
    "%XT3412: 10000",
    "%XMODEMSLEEP: 1,5000",
    "+CSCON: 1",
    "%XMODEMSLEEP: 1,0",
    "+CSCON: 0",
  ]);
  await modem.close();
  assert.equal(clock.timerCount, 0);
});

test("a period of nothing is the network's own, so that updates do not follow each other for ever", async () => {
  const ask = ['AT+CPSMS=1,"","","00000000","00100001"', "AT%XT3412=1,10000,0", "AT+CSCON=1"];
  const { modem, clock, notifications } = await start({ lte: { rrcInactivityMs: 0 } }, ...ask);
  notifications.length = 0;
  await clock.advance(hour);
  assert.deepEqual(notifications, ["%XT3412: 10000", "+CSCON: 1", "+CSCON: 0"]);
  await modem.close();
});

test("sleeps shorter than the threshold are not told, and flight mode at once", async () => {
  const { at, modem, clock, notifications } = await start({}, 'AT+CPSMS=1,"","","00000110","00100001"');
  await at("AT%XMODEMSLEEP=1,5000,7200000");
  await clock.advance(2 * hour);
  assert.deepEqual(notifications, []);
  await at("AT+CFUN=4");
  assert.deepEqual(notifications, ["%XMODEMSLEEP: 4"]);
  await at("AT%XMODEMSLEEP=1,5000,7200000");
  assert.deepEqual(notifications, ["%XMODEMSLEEP: 4", "%XMODEMSLEEP: 4"]);
  await modem.close();
});

test("the network may give other timers of PSM than were asked for, or none", async () => {
  const ask = ['AT+CPSMS=1,"","","00000110","00100001"', "AT+CEREG=5"];
  const conditions = { grantedActiveTime: "00000101", grantedPeriodicTau: "10100010" };
  const other = await start({ lte: { conditions } }, ...ask);
  assert.equal(await other.at("AT+CEREG?"), '+CEREG: 5,1,"0901","02024720",7,,,"00000101","10100010"\r\nOK\r\n');
  assert.match(await other.at("AT%XMONITOR"), /,"00000101","10100010","01001001"\r\n/);
  await other.modem.close();
  const none = await start({ lte: { conditions: { isPsmGranted: false } } }, ...ask);
  assert.match(await none.at("AT+CEREG?"), /"11100000","11100000"\r\n/);
  assert.equal(none.clock.timerCount, 1, "the end of the radio connection is all that is waited for");
  await none.modem.close();
});

test("eDRX is asked for and told as the network gives it", async () => {
  const { at, modem, notifications } = await start({}, 'AT+CEDRXS=2,4,"1110"', 'AT%XPTW=4,"1011"');
  assert.deepEqual(notifications, ['+CEDRXP: 4,"1110","1101","1011"'], "LTE-M has no cycle that long");
  assert.equal(await at("AT+CEDRXRDP"), '+CEDRXRDP: 4,"1110","1101","1011"\r\nOK\r\n');
  assert.equal(await at("AT%XPTW?"), '%XPTW: 4,"1011"\r\nOK\r\n');
  assert.equal(await at('AT+CEDRXS=2,4,"1001"'), "OK\r\n");
  assert.equal(notifications.at(-1), '+CEDRXP: 4,"1001","1001","0011"', "with the usual window");
  modem.setConditions({ isEdrxGranted: false });
  assert.equal(await at("AT+CEDRXRDP"), "+CEDRXRDP: 0\r\nOK\r\n");
  assert.equal(await at("AT+CEDRXS?"), '+CEDRXS: 4,"1001"\r\nOK\r\n');
  assert.equal(await at("AT+CEDRXS=3"), "OK\r\n");
  assert.equal(await at("AT+CEDRXS?"), "OK\r\n");
  await modem.close();
});

test("NB-IoT has its own cycles", async () => {
  const conditions = { cell: { act: 9 } } as const;
  const ask = (cycle: string) => start({ lte: { conditions } }, "AT%XSYSTEMMODE=0,1,0,0", `AT+CEDRXS=2,5,"${cycle}"`);
  const substituted = await ask("0110");
  assert.deepEqual(substituted.notifications, ['+CEDRXP: 5,"0110","0010","0011"']);
  const none = await ask("0001");
  assert.deepEqual(none.notifications, ["+CEDRXP: 5"]);
  await substituted.modem.close();
  await none.modem.close();
});

test("with eDRX the modem listens once a cycle, and tells of the time between", async () => {
  const { modem, clock, notifications } = await start({}, 'AT+CEDRXS=1,4,"1001"', "AT%XMODEMSLEEP=1,1000,60000");
  notifications.length = 0;
  await clock.advance(332_000);
  assert.deepEqual(notifications, [
    "%XMODEMSLEEP: 2,163840",
    "%XMODEMSLEEP: 2,1000",
    "%XMODEMSLEEP: 2,0",
    "%XMODEMSLEEP: 2,163840",
    "%XMODEMSLEEP: 2,1000",
  ]);
  await modem.close();
  assert.equal(clock.timerCount, 0);
});
