import assert from "node:assert/strict";
import { test } from "node:test";
import { makeModemWorld } from "../../world.test.support.js";

test("the clock is set by hand until the network tells the time", async () => {
  const { at, modem, clock } = await makeModemWorld();
  assert.equal(await at("AT%CCLK?"), "ERROR\r\n");
  assert.equal(await at('AT+CCLK="18/12/06,22:10:00+08"'), "OK\r\n");
  assert.equal(await at("AT+CCLK?"), '+CCLK: "18/12/06,22:10:00+08"\r\nOK\r\n');
  await clock.advance(61_000);
  assert.equal(await at("AT+CCLK?"), '+CCLK: "18/12/06,22:11:01+08"\r\nOK\r\n');
  assert.equal(await at('AT%CCLK="24/02/29,23:30:00-04",1'), "OK\r\n");
  assert.equal(await at("AT%CCLK?"), '%CCLK: "24/02/29,23:30:00-04",1\r\nOK\r\n');
  for (const wrong of ["23/02/29,00:00:00+00", "24/01/01,00:60:00+00", "24/01/01,00:00:00+49"]) {
    assert.equal(await at(`AT+CCLK="${wrong}"`), "ERROR\r\n", wrong);
  }
  await at("AT+CFUN=1");
  await clock.advance(1_000);
  assert.match(await at("AT+CCLK?"), /^\+CCLK: "26\/01\/01,00:01:0[0-9]\+00"/);
  await modem.close();
});

test("supply and temperature are told at their levels", async () => {
  const { at, modem, notifications } = await makeModemWorld();
  for (const command of ["AT%XVBATLVL=1", "AT%XVBATLOWLVL=3500", "AT%XTEMP=1", "AT%XTEMPHIGHLVL=60"]) await at(command);
  for (const supplyMv of [3_600, 3_498]) modem.apply({ set: { supplyMv } });
  assert.equal(await at("AT%XVBAT"), "%XVBAT: 3496\r\nOK\r\n", "in steps of 4 mV");
  for (const temperatureC of [58, 61, 62, 95, 40]) modem.apply({ set: { temperatureC } });
  assert.equal(await at("AT%XTEMP?"), "%XTEMP: 40\r\nOK\r\n");
  assert.equal(await at("AT%XVBATLOWLVL?"), "%XVBATLOWLVL: 3500\r\nOK\r\n");
  assert.deepEqual(notifications, ["%XVBATLOWLVL: 3498", "%XTEMP: 2,61", "%XTEMP: 3,95", "%XTEMP: 1,40"]);
  await modem.close();
});

test("a power-off warning is sent once, and takes the modem offline", async () => {
  const { at, modem, clock, notifications } = await makeModemWorld();
  for (const command of ["AT%XPOFWARN=1,31", "AT%MDMEV=1", "AT+CGEREP=1", "AT+CEREG=1", "AT+CFUN=1"]) await at(command);
  await clock.advance(1_000);
  notifications.length = 0;
  modem.faults.setPowerFailing(true);
  modem.faults.setPowerFailing(true);
  assert.deepEqual(notifications, ["%XPOFWARN: 31", "%MDMEV: ME BATTERY LOW", "+CGEV: ME BATTERY LOW", "+CEREG: 0"]);
  assert.equal(await at("AT+CFUN?"), "+CFUN: 4\r\nOK\r\n");
  modem.faults.setPowerFailing(false);
  modem.faults.setPowerFailing(true);
  assert.equal(notifications.length, 4, "it has to be asked for again");
  await modem.close();
});

test("settings that change nothing are kept over a power off, and forgotten with a factory reset", async () => {
  const { at, modem } = await makeModemWorld();
  const settings = ["%XDATAPRFL=4", "%XNETTIME=0", "%XEPCO=0", "%XPDNCFG=1", "+CEMODE=2", "%XVBATLOWLVL=3400"];
  const defaults = ["2", "1", "1", "0", "0", "3300"];
  for (const setting of settings) assert.equal(await at(`AT${setting}`), "OK\r\n", setting);
  await at("AT+CFUN=0");
  await modem.restart();
  for (const setting of settings) {
    const [name = "", value = ""] = setting.split("=");
    assert.equal(await at(`AT${name}?`), `${name}: ${value}\r\nOK\r\n`);
  }
  await at("AT%XFACTORYRESET=1");
  for (const [index, setting] of settings.entries()) {
    const [name = ""] = setting.split("=");
    assert.equal(await at(`AT${name}?`), `${name}: ${defaults[index]}\r\nOK\r\n`);
  }
  await modem.close();
});
