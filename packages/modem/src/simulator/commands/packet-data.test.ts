import assert from "node:assert/strict";
import { test } from "node:test";
import { makeModemWorld } from "../../world.test.support.js";
import { contextIdMax } from "../packet-contexts.js";

async function start(...commands: string[]) {
  const world = await makeModemWorld();
  for (const command of [...commands, "AT+CFUN=1"]) assert.match(await world.at(command), /OK\r\n$/, command);
  await world.clock.advance(1_000);
  return world;
}

test("contexts are defined, come up with their addresses, go down, and are forgotten", async () => {
  const { at, modem, notifications } = await start(
    "AT+CGEREP=1",
    'AT+CGDCONT=0,"IPV4V6"',
    'AT+CGDCONT=1,"IP","iot"',
    'AT+CGDCONT=3,"IPV6","iot6"',
  );
  assert.equal(await at("AT+CGACT=1,1"), "OK\r\n");
  assert.equal(await at("AT+CGACT=1,3"), "OK\r\n");
  assert.equal(await at("AT+CGACT?"), "+CGACT: 0,1\r\n+CGACT: 1,1\r\n+CGACT: 3,1\r\nOK\r\n");
  assert.equal(
    await at("AT+CGDCONT?"),
    '+CGDCONT: 0,"IPV4V6","internet","192.0.2.16",0,0\r\n+CGDCONT: 1,"IP","iot","192.0.2.17",0,0\r\n' +
      '+CGDCONT: 3,"IPV6","iot6","2001:0db8:0000:0000:0000:0000:0000:0013",0,0\r\nOK\r\n',
  );
  assert.equal(
    await at("AT+CGPADDR=0"),
    '+CGPADDR: 0,"192.0.2.16","2001:0db8:0000:0000:0000:0000:0000:0010"\r\nOK\r\n',
  );
  assert.equal(await at("AT+CGCONTRDP=1"), '+CGCONTRDP: 1,,"iot","","","192.0.2.1","192.0.2.2",,,,,1500\r\nOK\r\n');
  assert.equal(await at("AT%XGETPDNID=3"), "%XGETPDNID: 3\r\nOK\r\n");
  assert.equal(await at("AT+CGACT=0,1"), "OK\r\n");
  assert.equal(await at("AT+CGPADDR=1"), "+CGPADDR: 1\r\nOK\r\n");
  assert.equal(await at("AT+CGDCONT=1"), "OK\r\n");
  assert.equal(await at("AT+CGPADDR=?"), "+CGPADDR: (0,3)\r\nOK\r\n");
  await at("AT+CFUN=4");
  assert.deepEqual(
    notifications,
    ["ME PDN ACT 0", "ME PDN ACT 1", "ME PDN ACT 3", "ME PDN DEACT 1", "ME DETACH"].map((event) => `+CGEV: ${event}`),
  );
  assert.equal(await at("AT+CGACT?"), "+CGACT: 0,0\r\n+CGACT: 3,0\r\nOK\r\n");
  await at("AT+CFUN=0");
  assert.equal(await at("AT+CGACT?"), "+CGACT: 0,0\r\nOK\r\n");
  await modem.close();
});

test("a context is not activated without a registration, and the first one by nobody", async () => {
  const { at, modem } = await makeModemWorld();
  await at('AT+CGDCONT=1,"IP"');
  assert.equal(await at("AT+CGACT=1,1"), "ERROR\r\n");
  assert.equal(await at("AT+CGACT=1,0"), "ERROR\r\n");
  await modem.close();
});

test("identifiers are given out until contextIdMax, and credentials go with a context", async () => {
  const { at, modem } = await start();
  for (let id = 1; id <= contextIdMax; id++) assert.equal(await at("AT%XNEWCID?"), `%XNEWCID: ${id}\r\nOK\r\n`);
  assert.equal(await at("AT%XNEWCID?"), "ERROR\r\n");
  assert.equal(await at(`AT+CGDCONT=${contextIdMax + 1},"IP"`), "ERROR\r\n");
  assert.equal(await at('AT+CGAUTH=1,1,"user","secret"'), "OK\r\n");
  assert.equal(await at("AT+CGAUTH=1,0"), "OK\r\n");
  assert.equal(await at('AT+CGAUTH=1,2,"user"'), "ERROR\r\n");
  await modem.close();
});
