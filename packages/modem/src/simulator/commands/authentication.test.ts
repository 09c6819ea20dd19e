import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { makeModemWorld } from "../../world.test.support.js";
import { makeSimulatedModemDelta } from "../delta-image.js";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .publicKey.export({ type: "spki", format: "pem" })
  .toString();

function signed(command: string, { length = command.length, slot = "", text = command } = {}): string {
  const signature = createSign("sha256").update(command).sign(privateKey).toString("base64");
  return `AT%XSUDO=${length},"${signature}"${slot};${text}`;
}

test("a command that its owner has signed is done, any other is not", async () => {
  const { at, modem } = await makeModemWorld();
  await at("AT+CMEE=1");
  const write = '%CMNG=0,1,4,"identity"';
  assert.equal(await at(signed(write)), "+CME ERROR: 513\r\n", "no key yet");
  assert.equal(await at("AT%XPMNG=2"), "+CME ERROR: 513\r\n");
  assert.equal(await at(`AT%XPMNG=0,"${pem}"`), "OK\r\n");
  assert.equal(await at(`AT%XPMNG=0,"${pem}"`), "+CME ERROR: 519\r\n");
  assert.equal(await at("AT%XPMNG=2"), `%XPMNG: "${pem}"\r\nOK\r\n`);
  assert.match(await at("AT%CMNG=1,0"), /^%CMNG: 0,5,"[0-9A-F]{64}"\r\nOK/);

  assert.equal(await at(signed(write)), "OK\r\n");
  assert.match(await at("AT%CMNG=2,1,4"), /"identity"/);
  assert.equal(await at(signed("+CGMI")), "Nordic Semiconductor ASA\r\nOK\r\n");
  // What stands behind the signed characters does not count.
  assert.equal(await at(signed("+CGMI", { text: "+CGMI and more" })), "Nordic Semiconductor ASA\r\nOK\r\n");
  const refusals: [command: string, answer: string][] = [
    [signed(write, { text: '%CMNG=0,1,4,"another!"', length: write.length }), "+CME ERROR: 520"],
    [signed(write, { text: write.replace("identity", "Identity") }), "+CME ERROR: 520"],
    [signed("+CGMI", { length: 4 }), "+CME ERROR: 520"],
    [signed("+CGMI", { length: 6 }), "ERROR"],
    [signed("+CGMI", { length: 0 }), "ERROR"],
    [signed("+CGMI", { slot: ",3" }), "+CME ERROR: 513"],
    [signed("+CGMI", { slot: ",10" }), "ERROR"],
    [signed("nonsense"), "ERROR"],
    [signed('%XSUDO=1,"abcd";+CGMI'), "ERROR"],
    ['AT%XSUDO=5,"AAAA";+CGMI', "+CME ERROR: 520"],
    ['AT%XSUDO=5,"AA";+CGMI', "+CME ERROR: 520"],
  ];
  for (const [command, answer] of refusals) assert.equal(await at(command), `${answer}\r\n`, command);
  assert.equal(await at("AT%CMNG=3,0,5"), "OK\r\n");
  assert.equal(await at(signed(write)), "+CME ERROR: 513\r\n");
  await modem.close();
});

test("each slot has its key, and a key is of P-256", async () => {
  const { at, modem } = await makeModemWorld();
  await at("AT+CMEE=1");
  assert.equal(await at(`AT%XPMNG=0,"${pem}",9`), "OK\r\n");
  assert.equal(await at(signed("+CGMI", { slot: ",9" })), "Nordic Semiconductor ASA\r\nOK\r\n");
  assert.equal(await at(`AT%XPMNG=2,,9`), `%XPMNG: "${pem}"\r\nOK\r\n`);
  for (const wrong of [rsa, "key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]) {
    assert.equal(await at(`AT%XPMNG=0,"${wrong}",1`), "+CME ERROR: 50\r\n");
  }
  await at("AT+CFUN=1");
  assert.equal(await at(`AT%XPMNG=0,"${pem}",1`), "+CME ERROR: 518\r\n");
  await at("AT+CFUN=4");
  modem.apply({ set: { storageBytesMax: 200 } });
  assert.equal(await at(`AT%XPMNG=0,"${pem}",1`), "+CME ERROR: 515\r\n");
  modem.faults.setPowerFailing(true);
  assert.equal(await at(`AT%XPMNG=0,"${pem}",1`), "+CME ERROR: 528\r\n");
  await modem.close();
});

test("the end of production refuses older firmware from then on", async () => {
  const files = createVirtualFiles();
  const delta = (to: string) => makeSimulatedModemDelta({ from: "mfw_nrf9160_1.3.2", to });
  const first = await makeModemWorld({ files, folder: "modem" });
  await first.at("AT+CFUN=1");
  await first.at("AT+CMEE=1");
  assert.equal(await first.at("AT%XPRODDONE"), "+CME ERROR: 518\r\n");
  await first.at("AT+CFUN=0");
  assert.equal(await first.at("AT%XPRODDONE=1"), "OK\r\n");
  await first.modem.close();
  const { modem } = await makeModemWorld({ files, folder: "modem" });
  await modem.firmware.program("mfw_nrf9160_1.3.2");
  await assert.rejects(modem.firmware.write(0, delta("mfw_nrf9160_1.3.1")), /notAllowed/);
  await modem.firmware.write(0, delta("mfw_nrf9160_1.3.4"));
  await modem.close();
});
