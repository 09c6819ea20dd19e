import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { makeModemWorld, type ModemWorldOptions } from "../../world.test.support.js";
import { pinAttemptsMax, pukAttemptsMax } from "../sim-card.js";

const locked: ModemWorldOptions = { lte: { conditions: { sim: "pinRequired" } } };

/** A modem with its radio on, errors in numbers, and `%XSIM` subscribed. */
async function start(options: ModemWorldOptions) {
  const world = await makeModemWorld(options);
  for (const command of ["AT+CMEE=1", "AT%XSIM=1", "AT+CEREG=1", "AT+CFUN=1"]) await world.at(command);
  await world.clock.advance(1_000);
  return world;
}

test("wrong PINs are counted, after the last the card wants its PUK, and the PUK sets another PIN", async () => {
  const { at, notifications, clock } = await start({ ...locked, puk: "87654321" });
  for (let left = pinAttemptsMax - 1; left >= 0; left--) {
    assert.equal(await at('AT+CPIN="9999"'), "+CME ERROR: 16\r\n");
    assert.equal(await at('AT+CPINR="SIM PIN"'), `+CPINR: "SIM PIN",${left}\r\nOK\r\n`);
  }
  assert.equal(await at("AT+CPIN?"), "+CPIN: SIM PUK\r\nOK\r\n");
  assert.equal(await at("AT%XSIM?"), "%XSIM: 0,2\r\nOK\r\n");
  assert.equal(await at('AT+CPIN="1234"'), "ERROR\r\n", "the right PIN is of no use any more");
  assert.equal(await at('AT+CPIN="11111111","5678"'), "+CME ERROR: 16\r\n");
  assert.equal(await at('AT+CPINR="SIM PUK"'), `+CPINR: "SIM PUK",${pukAttemptsMax - 1}\r\nOK\r\n`);
  assert.equal(await at('AT+CPIN="87654321","5678"'), "OK\r\n");
  await clock.advance(1_000);
  assert.deepEqual(notifications, ["%XSIM: 0,1", "%XSIM: 0,2", "%XSIM: 1", "+CEREG: 2", "+CEREG: 1"]);
  assert.equal(await at('AT+CPINR="SIM PIN"'), `+CPINR: "SIM PIN",${pinAttemptsMax}\r\nOK\r\n`);
});

test("wrong PUKs in a row end the card", async () => {
  const { at } = await start({ lte: { conditions: { sim: "pukRequired" } } });
  for (let count = 0; count < pukAttemptsMax; count++) assert.match(await at('AT+CPIN="11111111","1234"'), /16/);
  assert.equal(await at("AT+CPIN?"), "ERROR\r\n");
  assert.equal(await at("AT+CEREG?"), "+CEREG: 1,90\r\nOK\r\n");
});

test("a card that was switched off wants its PIN again; counters and a changed PIN outlive a power cut", async () => {
  const files = createVirtualFiles();
  const first = await start({ ...locked, files, folder: "modem" });
  assert.equal(await first.at('AT+CPIN="9999"'), "+CME ERROR: 16\r\n");
  first.modem.cutPower();
  await first.modem.closed;
  const second = await start({ ...locked, files, folder: "modem" });
  assert.equal(await second.at('AT+CPINR="SIM PIN"'), `+CPINR: "SIM PIN",${pinAttemptsMax - 1}\r\nOK\r\n`);
  assert.equal(await second.at('AT+CPIN="1234"'), "OK\r\n");
  assert.equal(await second.at('AT+CPWD="SC","1234","4711"'), "OK\r\n");
  assert.equal(await second.at('AT+CPWD="SC","1234","4712"'), "+CME ERROR: 16\r\n");
  await second.at("AT+CFUN=4");
  await second.at("AT+CFUN=1");
  assert.equal(await second.at("AT+CPIN?"), "+CPIN: SIM PIN\r\nOK\r\n");
  await second.modem.close();
  const third = await start({ ...locked, files, folder: "modem" });
  assert.equal(await third.at('AT+CPIN="4711"'), "OK\r\n");
  await third.modem.close();
});

test("the PIN can be switched off and on", async () => {
  const files = createVirtualFiles();
  const first = await start({ ...locked, files, folder: "modem" });
  assert.equal(await first.at('AT+CLCK="SC",0,"1234"'), "ERROR\r\n", "not before it was entered");
  await first.at('AT+CPIN="1234"');
  assert.equal(await first.at('AT+CLCK="SC",0,"4321"'), "+CME ERROR: 16\r\n");
  assert.equal(await first.at('AT+CLCK="SC",0,"1234"'), "OK\r\n");
  assert.equal(await first.at('AT+CLCK="PN",2'), "+CLCK: 0\r\nOK\r\n");
  await first.modem.close();
  const second = await start({ ...locked, files, folder: "modem" });
  assert.equal(await second.at("AT+CPIN?"), "+CPIN: READY\r\nOK\r\n");
  assert.equal(await second.at('AT+CLCK="SC",1,"1234"'), "OK\r\n");
  await second.at("AT+CFUN=0");
  await second.at("AT+CFUN=41");
  assert.equal(await second.at("AT+CPIN?"), "+CPIN: SIM PIN\r\nOK\r\n");
  await second.modem.close();
});

test("without a card, or with the card off, nothing of it is told", async () => {
  const asks = ["AT+CPIN?", 'AT+CPINR="SIM PIN"', "AT+CIMI", "AT%XICCID", "AT%XOPERID", "AT+CNUM"];
  const { at } = await start({ lte: { conditions: { sim: "absent" } } });
  for (const ask of asks) assert.equal(await at(ask), "ERROR\r\n", ask);
  const ready = await start({});
  for (const ask of asks.slice(0, -1)) assert.match(await ready.at(ask), /OK\r\n$/, ask);
  await ready.at("AT+CFUN=40");
  for (const ask of asks) assert.equal(await ready.at(ask), "ERROR\r\n", ask);
  await ready.at("AT+CFUN=4");
  await ready.at("AT+CFUN=44");
  for (const ask of asks.slice(0, -1)) assert.match(await ready.at(ask), /OK\r\n$/, ask);
  await ready.modem.close();
});

test("a damaged card record names its file", async () => {
  const files = createVirtualFiles({ content: { "modem/sim-card.json": '{"pinAttempts":4,"pukAttempts":10}' } });
  await assert.rejects(
    makeModemWorld({ files, folder: "modem" }),
    (error) => isThinglineError(error, "STORE_CORRUPT") && error.message.includes("modem/sim-card.json"),
  );
});
