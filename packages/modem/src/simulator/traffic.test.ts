import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createSimulatedModem } from "./modem.js";
import { trafficBetween, TrafficMeter, trafficSocketsMax } from "./traffic.js";

const certificates = await makeTestCertificates(createVirtualKeys({ random: createVirtualRandom(1) }));
const place = { host: "localhost", port: 8883 };
const noRadio = () => ({ offMs: 0, searchingMs: 0, connectedMs: 0, idleMs: 0, sleepMs: 0 });

/** A registered modem that counts, and a server that answers each packet with a CONNACK. */
async function openWorld(listens: "tls" | "plain" = "tls") {
  const clock = createVirtualClock();
  const random = createVirtualRandom("traffic");
  const keys = createVirtualKeys({ random });
  const network = createVirtualNetwork({ clock, random });
  const { ca, client, server } = certificates;
  const { certificatePem: certificate, privateKeyPem: privateKey } = server;
  const tls = { certificate, privateKey, requestsClientCertificate: true };
  await network.listen({ ...place, ...(listens === "tls" && { tls }) }, (peer) => {
    peer.start({ data: () => void peer.write(Uint8Array.of(0x20, 2, 0, 0)), closed: () => undefined });
  });
  const modem = await createSimulatedModem({ network, clock, random, keys, countsTraffic: true });
  const contents = [ca.certificatePem, client.certificatePem, client.privateKeyPem];
  for (const [type, content] of contents.entries()) await clock.until(modem.at(`AT%CMNG=0,43,${type},"${content}"`));
  await clock.until(modem.at("AT+CFUN=1"));
  await clock.advance(1_000);
  const { traffic } = modem;
  assert.ok(traffic);
  const use = async (connection: Connection, bytes: number): Promise<void> => {
    connection.start({ data: () => undefined, closed: () => undefined });
    connection.write(new Uint8Array(bytes));
    await clock.advance(100);
  };
  return { clock, modem, traffic, use };
}

test("a socket with TLS in the modem is counted by layer, from the handshake to the end", async () => {
  const { clock, modem, traffic, use } = await openWorld();
  const before = traffic.snapshot();
  const connection = await clock.until(modem.secTagDialer.dial({ ...place, secTag: 43 }));
  const [dialled] = traffic.sockets;
  assert.equal(dialled?.state, "open");
  assert.deepEqual(dialled.application, { sent: 0, received: 0 });
  assert.deepEqual(dialled.tls, dialled.handshake);
  await use(connection, 100);
  const [used] = traffic.sockets;
  assert.deepEqual(used?.application, { sent: 100, received: 4 });
  // Five bytes of header, and what AES-GCM adds.
  assert.deepEqual(used?.tls, {
    sent: dialled.tls.sent + 100 + 29,
    received: dialled.tls.received + 4 + 29,
  });
  await clock.until(connection.close());
  const [closed] = traffic.sockets;
  assert.deepEqual(
    [closed?.state, closed?.protocol, closed?.tlsBy, closed?.isResumed],
    ["closed", "mqtt", "modem", false],
  );
  assert.ok(closed && closed.ip.sent === used.ip.sent + 80);
  const { counts, socketCount, radio } = trafficBetween(before, traffic.snapshot());
  assert.deepEqual([counts.ip, socketCount], [closed.ip, 1]);
  assert.ok(radio.connectedMs > 0);
});

test("TLS of the application above the modem's socket is counted as well, and so is a socket without TLS", async () => {
  const native = await openWorld();
  const { ca, client } = certificates;
  const tls = {
    ca: ca.certificatePem,
    certificate: client.certificatePem,
    privateKey: client.privateKeyPem,
  };
  await native.use(await native.clock.until(native.modem.dialer.dial({ ...place, tls })), 100);
  const [inApplication] = native.traffic.sockets;
  assert.equal(inApplication?.tlsBy, "application");
  assert.ok(inApplication.handshake.received > 500);
  assert.equal(inApplication.tls.sent, inApplication.handshake.sent + 100 + 22);

  const plain = await openWorld("plain");
  await plain.use(await plain.clock.until(plain.modem.dialer.dial(place)), 100);
  const [bare] = plain.traffic.sockets;
  assert.deepEqual(
    [bare?.tlsBy, bare?.application, bare?.tls],
    ["nobody", { sent: 100, received: 4 }, { sent: 0, received: 0 }],
  );
  assert.deepEqual(bare?.ip, { sent: 44 + 40 + 140 + 40, received: 44 + 40 + 44 });
});

test("the radio stays connected for as long as a socket without the modem's TLS is used", async () => {
  const { clock, modem, traffic, use } = await openWorld("plain");
  const connection = await clock.until(modem.dialer.dial(place));
  await use(connection, 10);
  await clock.advance(4_900);
  connection.write(new Uint8Array(10));
  await clock.advance(4_900);
  assert.equal(traffic.snapshot().radio.idleMs, 0);
});

test("a dial that fails costs what it cost", async () => {
  const { clock, modem, traffic } = await openWorld();
  await assert.rejects(clock.until(modem.dialer.dial({ ...place, port: 1 })));
  const [refused] = traffic.sockets;
  assert.deepEqual([refused?.state, refused?.ip], ["failed", { sent: 44, received: 0 }]);
});

test(`of more than ${trafficSocketsMax} sockets the oldest that are over are kept as sums`, () => {
  const meter = new TrafficMeter(noRadio);
  for (let count = 0; count <= trafficSocketsMax; count++) {
    const socket = meter.dialling({ ...place, tlsBy: "modem" });
    if (count > 0) socket.failed();
  }
  const { counts, socketCount } = meter.snapshot();
  assert.deepEqual(
    [meter.sockets.length, socketCount, counts.packets.sent],
    [trafficSocketsMax, trafficSocketsMax + 1, trafficSocketsMax + 1],
  );
  assert.equal(meter.sockets[0]?.number, 1, "the one that is not over is still there");
});
