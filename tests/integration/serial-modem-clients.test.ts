import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Cloud } from "@thingline/cloud";
import {
  createSerialModemApplication,
  createSimulatedModem,
  makeSimulatedModemDelta,
  type SerialModemOptions,
} from "@thingline/modem/simulator";
import type { Listener } from "@thingline/transport";
import { makeTestCertificates, type TestCertificates } from "@thingline/transport/contract";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { openRegisteredCloud } from "./registered-cloud.test.support.js";
import { openTextLine } from "./serial-modem-line.test.support.js";

const clock = createNodeClock();
const keys = createNodeKeys();
const network = createNodeNetwork({ clock });
const random = createNodeRandom();
const ok = "\r\nOK\r\n";
const brokerTag = 42;
const filesTag = 43;

const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "iot:*", Resource: "*" },
    { Effect: "Deny", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/banned" },
  ],
});

/** A registered serial modem with the credentials of a broker and of a file server, and its line. */
async function openModem(certificates: TestCertificates, cloudCa: string, options: Partial<SerialModemOptions>) {
  const lte = { searchMs: 1, attachMs: 1, detachMs: 1 };
  const modem = await createSimulatedModem({ network, clock, random, keys, lte });
  const application = await createSerialModemApplication(modem, { clock, random, baudRate: 1_000_000, ...options });
  const line = openTextLine(application.openPort(), application.dialect === "serialModem" ? "\r" : "\r\n");
  await line.until("Ready\r\n");
  const { certificatePem, privateKeyPem } = certificates.client;
  for (const [tag, ca] of [
    [brokerTag, cloudCa],
    [filesTag, certificates.ca.certificatePem],
  ] as const) {
    for (const [type, pem] of [ca, certificatePem, privateKeyPem].entries()) {
      assert.equal(await line.at(`AT%CMNG=0,${tag},${type},"${pem}"`), ok);
    }
  }
  await line.at("AT+CEREG=1");
  await line.at("AT+CFUN=1");
  await line.until("\r\n+CEREG: 1\r\n");
  return {
    ...line,
    close: async () => {
      await application.close();
      await modem.close();
    },
  };
}

describe("clients of the serial modem application over real TLS inside the modem", () => {
  let cloud: Cloud;
  let close: () => Promise<void>;
  let certificates: TestCertificates;

  before(async () => {
    certificates = await makeTestCertificates(keys);
    ({ cloud, close } = await openRegisteredCloud({
      ...{ clock, keys, network, random, policyDocument },
      certificates: [[certificates.client, "ACTIVE"]],
    }));
  });

  after(() => close());

  const connects = {
    "slm-1.x": (id: string, port: number) => [`AT#XMQTTCON=1,"${id}","","","localhost",${port},${brokerTag}`],
    serialModem: (id: string, port: number) => [
      `AT#XMQTTCFG="${id}",60,1`,
      `AT#XMQTTCON=1,"","","localhost",${port},${brokerTag}`,
    ],
  };

  for (const dialect of ["slm-1.x", "serialModem"] as const) {
    test(`${dialect}: messages go to the local cloud and come back, by command and by data mode`, async () => {
      const { at, send, until, close } = await openModem(certificates, cloud.caPem, {
        dialect,
        hasDataModeUrc: true,
      });
      const { port } = cloud.addresses.mqtts;
      for (const command of connects[dialect](`modem-${dialect}`, port)) assert.equal(await at(command), ok);
      await until("\r\n#XMQTTEVT: 0,0\r\n");
      const state = `\r\n#XMQTTCON: 1,"modem-${dialect}","localhost",${port},${brokerTag}\r\n`;
      assert.equal(await at("AT#XMQTTCON?"), `${state}${ok}`);
      const topic = `round/${dialect}`;
      assert.equal(await at(`AT#XMQTTSUB="${topic}",1`), ok);
      await until("\r\n#XMQTTEVT: 7,0\r\n");
      const message = (payload: string) =>
        `\r\n#XMQTTMSG: ${topic.length},${payload.length}\r\n${topic}\r\n${payload}\r\n`;
      assert.equal(await at(`AT#XMQTTPUB="${topic}","by command",1,0`), ok);
      // The acknowledgement and the message come in either order.
      const both = await until(/#XMQTTEVT: (?:2,0[^]*#XMQTTEVT: 3,0|3,0[^]*#XMQTTEVT: 2,0)\r\n/);
      assert.ok(both.includes(message("by command")), both);
      assert.equal(await at(`AT#XMQTTPUB="${topic}","",0,0`), ok);
      const payload = "line\r\nOK\r\nover the TLS record ".repeat(60);
      send(payload);
      // The silence behind the burst has passed when the modem tells that it was sent.
      let came = await until(`\r\n#XDATAMODE: ${payload.length}\r\n`);
      send("+++");
      // SLM hands a message on in data mode as well, the Serial Modem when the line is free.
      came += await until("\r\n#XDATAMODE: 0\r\n");
      if (!came.includes("#XMQTTEVT: 2,0\r\n")) came += await until("#XMQTTEVT: 2,0\r\n");
      assert.ok(came.includes(message(payload)), came);
      await close();
    });
  }

  test("a client that may not connect is cut off, and told so", async () => {
    const { at, until, close } = await openModem(certificates, cloud.caPem, { dialect: "slm-1.x" });
    const [command = ""] = connects["slm-1.x"]("banned", cloud.addresses.mqtts.port);
    assert.equal(await at(command), ok);
    assert.match(await until(/#XMQTTEVT: 1,-\d+\r\n/), /^\r\n#XMQTTEVT: /);
    assert.match(await at("AT#XMQTTCON?"), /#XMQTTCON: 0\r\n/);
    const [wrong = ""] = connects["slm-1.x"]("any", cloud.addresses.mqtts.port);
    assert.equal(await at(wrong.replace(/42$/, String(filesTag))), "\r\nERROR\r\n", "another authority's server");
    await close();
  });

  test("the modem's firmware is downloaded over HTTPS in ranges, and asked for by the HTTP client as well", async () => {
    const delta = makeSimulatedModemDelta({ from: "mfw_nrf9160_1.3.2", to: "mfw_nrf9160_1.3.7", sizeBytes: 20_000 });
    const ranges: string[] = [];
    const listener = await serveRanges(certificates, delta, ranges);
    const { port } = listener.address;
    const { at, send, until, close } = await openModem(certificates, cloud.caPem, { dialect: "serialModem" });
    assert.equal(await at(`AT#XFOTA=2,"https://localhost:${port}/delta.bin",${filesTag}`), ok);
    await until("\r\n#XFOTA: 4,0\r\n");
    assert.equal(ranges.length, Math.ceil(delta.length / 1024));
    assert.equal(await at(`AT#XSSOCKET=1,1,0,${filesTag}`), `\r\n#XSSOCKET: 0,1,258\r\n${ok}`);
    assert.equal(await at(`AT#XCONNECT=0,"localhost",${port}`), `\r\n#XCONNECT: 0,1\r\n${ok}`);
    const request = `AT#XHTTPCREQ=0,"https://localhost:${port}/delta.bin",0,1,1,0,"Range: bytes=4-7"`;
    assert.equal(await at(request), `\r\n#XHTTPCREQ: 0\r\n${ok}`);
    const told = await until("#XHTTPCSTAT: 0,206,4,0\r\n");
    assert.match(told, /#XHTTPCHEAD: 0,206,4\r\n[^]*#XHTTPCDATA: 0,0,4\r\n6d654475\r\n/);
    await at("AT#XCLOSE=0");
    send("AT#XMODEMRESET\r");
    assert.match(await until("\r\n#XFOTA: 5,0\r\n"), /#XMODEMRESET: 0\r\n\r\nOK/);
    assert.match(`${await at("AT+CGMR")}`, /mfw_nrf9160_1\.3\.7/);
    await close();
    await listener.close();
  });
});

/** A file in ranges, each answer in one write: with its head it fits into a record that the modem takes. */
async function serveRanges(certificates: TestCertificates, file: Uint8Array, ranges: string[]): Promise<Listener> {
  const { certificatePem: certificate, privateKeyPem: privateKey } = certificates.server;
  const tls = { certificate, privateKey, requestsClientCertificate: true };
  return network.listen({ host: "127.0.0.1", port: 0, tls }, (connection) => {
    connection.start({
      data: (bytes) => {
        const [, first = "", last = ""] = /Range: bytes=(\d+)-(\d+)/.exec(Buffer.from(bytes).toString("latin1")) ?? [];
        const part = file.subarray(Number(first), Number(last) + 1);
        ranges.push(`${first}-${last}`);
        const range = `bytes ${first}-${Number(first) + part.length - 1}/${file.length}`;
        const head = `HTTP/1.1 206 Partial\r\nContent-Length: ${part.length}\r\nContent-Range: ${range}\r\n\r\n`;
        connection.write(Buffer.concat([Buffer.from(head), part]));
      },
      closed: () => undefined,
    });
  });
}
