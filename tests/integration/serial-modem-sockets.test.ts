import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createSerialModemApplication,
  createSimulatedModem,
  type SerialModemOptions,
  type SerialModemPortOptions,
} from "@thingline/modem/simulator";
import type { Connection, Listener, ListenOptions } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { openTextLine } from "./serial-modem-line.test.support.js";

const keys = createNodeKeys();
const clock = createNodeClock();
const random = createNodeRandom();
const network = createNodeNetwork();
const certificates = await makeTestCertificates(keys);
const secTag = 42;
const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";

const serverTls = {
  certificate: certificates.server.certificatePem,
  privateKey: certificates.server.privateKeyPem,
  requestsClientCertificate: true,
};

/** A server that sends back what comes, and a serial modem that is registered. */
async function openWorld(
  options: Partial<SerialModemOptions> & { tls?: ListenOptions["tls"]; port?: SerialModemPortOptions } = {},
) {
  const { tls, port: portOptions, ...applicationOptions } = options;
  const accepted: Connection[] = [];
  const listener: Listener = await network.listen(
    { host: "127.0.0.1", port: 0, ...(tls !== undefined && { tls }) },
    (connection) => {
      accepted.push(connection);
      connection.start({ data: (bytes) => void connection.write(bytes), closed: () => undefined });
    },
  );
  const lte = { searchMs: 1, attachMs: 1, detachMs: 1 };
  const modem = await createSimulatedModem({ network, clock, random, keys, lte });
  const application = await createSerialModemApplication(modem, { clock, random, ...applicationOptions });
  const line = openTextLine(application.openPort(portOptions), application.dialect === "serialModem" ? "\r" : "\r\n");
  await line.until("Ready\r\n");
  return {
    accepted,
    modem,
    application,
    ...line,
    serverPort: listener.address.port,
    register: async () => {
      await line.at("AT+CEREG=1");
      // The URCs may come with the OK.
      line.sendCommand("AT+CFUN=1");
      await line.until("\r\n+CEREG: 1\r\n");
    },
    close: async () => {
      await application.close();
      await modem.close();
      await listener.close();
    },
  };
}

const counted = Uint8Array.from({ length: 20_000 }, (_, index) => index & 0xff);
const countedText = Buffer.from(counted).toString("latin1");

test("SLM over real TCP: bytes of every value go out in data mode and come back counted", async () => {
  const world = await openWorld({ dialect: "slm-1.x", baudRate: 1_000_000, hasDataModeUrc: true });
  const { at, send, until, serverPort } = world;
  assert.equal(await at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
  assert.equal(await at(`AT#XCONNECT="localhost",${serverPort}`), error, "the modem is not registered");
  await world.register();
  assert.equal(await at(`AT#XCONNECT="localhost",${serverPort}`), `\r\n#XCONNECT: 1\r\n${ok}`);
  assert.equal(await at("AT#XSEND"), ok);
  send(countedText);
  // The silence behind the last burst has passed when the modem tells that all was sent.
  for (let sent = 0; sent < counted.length;) {
    const told = await until(/#XDATAMODE: [0-9]+\r\n/);
    sent += Number(/[0-9]+(?=\r\n$)/.exec(told)?.[0]);
  }
  send("+++");
  await until("\r\n#XDATAMODE: 0\r\n");
  let back = "";
  while (back.length < counted.length) {
    assert.equal(await at("AT#XPOLL=5000"), `\r\n#XPOLL: 0,"0x0001"\r\n${ok}`);
    send("AT#XRECV=1\r\n");
    const answer = await until(new RegExp(`^\r\n#XRECV: [0-9]+\r\n[^]*${ok}$`));
    const [head = "", length = "0"] = /^\r\n#XRECV: ([0-9]+)\r\n/.exec(answer) ?? [];
    assert.ok(Number(length) <= 1240);
    const data = answer.slice(head.length, head.length + Number(length));
    assert.equal(answer.length, head.length + Number(length) + ok.length);
    back += data;
  }
  assert.equal(back, countedText);
  void world.accepted[0]?.close();
  assert.equal(await at("AT#XRECV=5"), ok, "the peer has ended its stream");
  await world.close();
});

test("the Serial Modem over real TLS: credentials of a tag, host name, cipher, and a stream both ways in data mode", async () => {
  const world = await openWorld({ tls: serverTls });
  const { at, send, until, serverPort } = world;
  const { ca, client } = certificates;
  for (const [type, pem] of [ca.certificatePem, client.certificatePem, client.privateKeyPem].entries()) {
    assert.equal(await at(`AT%CMNG=0,${secTag},${type},"${pem}"`), ok);
  }
  await world.register();
  await at(`AT#XSSOCKET=1,1,0,${secTag}`);
  await at('AT#XSSOCKETOPT=0,1,2,"wrong.test"');
  assert.equal(await at(`AT#XCONNECT=0,"localhost",${serverPort}`), error, "the certificate is another host's");
  await at('AT#XSSOCKETOPT=0,1,2,"localhost"');
  assert.equal(await at(`AT#XCONNECT=0,"127.0.0.1",${serverPort}`), `\r\n#XCONNECT: 0,1\r\n${ok}`);
  assert.match(await at("AT#XSSOCKETOPT=0,0,4"), /^\r\n#XSSOCKETOPT: 0,0xc0(?:2b|23|09|0a|24)\r\n/);
  assert.deepEqual(world.accepted[0]?.secure?.peerCertificate, client.certificateDer);
  await at("AT#XRECVCFG=0,2");
  assert.equal(await at("AT#XSEND=0,2,0"), ok);
  const payload = countedText.replaceAll("+", "-");
  send(payload);
  assert.equal(await until(payload.length), payload);
  send("+++");
  await until("\r\n#XDATAMODE: 0\r\n");
  assert.equal(await at('AT#XSEND=0,0,512,"acknowledged"'), `\r\n#XSEND: 0,0,12\r\n${ok}`);
  assert.equal(await at("AT#XRECV=0,0,256,5,12"), `\r\n#XRECV: 0,0,12\r\nacknowledged${ok}`);
  await world.close();
});

test("a record over 2 KB ends the modem's TLS socket, and a fourth one is refused", async () => {
  const world = await openWorld({ tls: serverTls });
  const { at, until, serverPort } = world;
  const { ca, client } = certificates;
  for (const [type, pem] of [ca.certificatePem, client.certificatePem, client.privateKeyPem].entries()) {
    await at(`AT%CMNG=0,${secTag},${type},"${pem}"`);
  }
  await world.register();
  await at("AT#XAPOLL=,1,0");
  for (let handle = 0; handle < 4; handle++) {
    await at(`AT#XSSOCKET=1,1,0,${secTag}`);
    const answer = await at(`AT#XCONNECT=${handle},"localhost",${serverPort}`);
    assert.equal(answer, handle < 3 ? `\r\n#XCONNECT: ${handle},1\r\n${ok}` : error);
  }
  world.accepted[1]?.write(new Uint8Array(4500));
  assert.equal(await until("\r\n#XAPOLL: 1,24\r\n"), "\r\n#XAPOLL: 1,24\r\n");
  assert.equal(await at("AT#XRECV=1,0,0,1"), error);
  assert.equal(await at("AT#XCLOSE=1"), `\r\n#XCLOSE: 1,0\r\n${ok}`);
  assert.equal(await at(`AT#XCONNECT=3,"localhost",${serverPort}`), `\r\n#XCONNECT: 3,1\r\n${ok}`);
  await world.close();
});

test("the build with TLS outside of the modem takes credentials by its own command, and no record is too large", async () => {
  const world = await openWorld({ dialect: "slm-2.x", hasNativeTls: true, tls: serverTls });
  const { at, until, serverPort } = world;
  const { ca, client } = certificates;
  for (const [type, pem] of [ca.certificatePem, client.certificatePem, client.privateKeyPem].entries()) {
    assert.equal(await at(`AT#XCMNG=0,${secTag},${type},"${pem}"`), ok);
  }
  assert.equal(await at("AT#XCMNG=1"), error);
  assert.equal(await at(`AT#XCMNG=2,${secTag},0`), `\r\n#XCMNG: ${secTag},0,"","${ca.certificatePem}"\r\n${ok}`);
  assert.equal(await at(`AT#XCMNG=2,${secTag},2`), error);
  assert.match(await at("AT%CMNG=1,420,0"), /^\r\n%CMNG: 420,0,"[0-9A-F]{64}"\r\n/);
  await world.register();
  assert.equal(await at(`AT#XCMNG=3,${secTag},2`), error, "the modem is online");
  assert.equal(await at(`AT#XTCPCLI=1,"localhost",${serverPort},${secTag}`), `\r\n#XTCPCLI: 0,"connected"\r\n${ok}`);
  world.accepted[0]?.write(new Uint8Array(4500).fill(0x61));
  let data = 0;
  while (data < 4500) {
    const urcs = await until(/a$/);
    assert.match(urcs, /^\r\n#XTCPDATA: [0-9]+\r\na/);
    data += urcs.replaceAll(/[^a]/g, "").length;
  }
  assert.equal(await at(`AT#XTCPCLI=1,"localhost",${serverPort},43`), error, "one at a time");
  await at("AT#XTCPCLI=0");
  const answer = await at(`AT#XTCPCLI=1,"localhost",${serverPort},43`);
  assert.equal(answer, `\r\n#XTCPCLI: -2,"not connected"\r\n${error}`, "a tag without credentials");
  await world.close();
});

test("a real client calls the modem, whose TCP server answers it", async () => {
  const world = await openWorld({
    dialect: "slm-2.x",
    listen: (options, onConnection) => network.listen(options, onConnection),
  });
  const { at, until } = world;
  await world.register();
  // A port that was free a moment ago.
  const probe = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) => connection.destroy());
  const { port } = probe.address;
  await probe.close();
  assert.equal(await at(`AT#XTCPSVR=1,${port}`), `\r\n#XTCPSVR: 0,"started"\r\n${ok}`);
  const client = await network.dial({ host: "127.0.0.1", port });
  let received = "";
  const ended = new Promise<void>((resolve) => {
    client.start({ data: (bytes) => (received += Buffer.from(bytes).toString()), closed: () => resolve() });
  });
  assert.equal(await until('"connected"\r\n'), '\r\n#XTCPSVR: "127.0.0.1","connected"\r\n');
  client.write(Buffer.from("Hello"));
  assert.equal(await until("Hello"), "\r\n#XTCPDATA: 5\r\nHello");
  assert.equal(await at('AT#XTCPSEND="Goodbye"'), `\r\n#XTCPSEND: 7\r\n${ok}`);
  assert.equal(await at("AT#XTCPSVR=0"), `\r\n#XTCPSVR: 0,"stopped"\r\n${ok}`);
  await ended;
  assert.equal(received, "Goodbye");
  await world.close();
});
