import assert from "node:assert/strict";
import { test } from "node:test";
import type { ThinglineError } from "@thingline/protocol";
import { isThinglineError } from "@thingline/protocol";
import type { Connection } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createSimulatedModem } from "./modem.js";

/** A modem with credentials under tag 43, registered, in a world that a seed decides. */
async function openWorld() {
  const clock = createVirtualClock();
  const random = createVirtualRandom("modem world");
  const keys = createVirtualKeys({ random: random.fork("keys") });
  const network = createVirtualNetwork({ clock, random: random.fork("network") });
  const { ca, server, client } = await makeTestCertificates(keys);
  const accepted: Connection[] = [];
  const listener = await network.listen(
    {
      host: "localhost",
      port: 8883,
      tls: {
        certificate: server.certificatePem,
        privateKey: server.privateKeyPem,
        requestsClientCertificate: true,
      },
    },
    (connection) => {
      connection.start({ data: () => undefined, closed: () => undefined });
      accepted.push(connection);
    },
  );
  const modem = await createSimulatedModem({ network, clock, random: random.fork("modem"), keys });
  const contents = [ca.certificatePem, client.certificatePem, client.privateKeyPem];
  for (const [type, content] of contents.entries()) await clock.until(modem.at(`AT%CMNG=0,43,${type},"${content}"`));
  await clock.until(modem.at("AT+CFUN=1"));
  await clock.advance(1000);
  const connection = await clock.until(modem.secTagDialer.dial({ host: "localhost", port: 8883, secTag: 43 }));
  let receivedBytes = 0;
  let end: ThinglineError | undefined;
  connection.start({
    data: (bytes) => (receivedBytes += bytes.length),
    closed: (error) => (end = error),
  });
  // The server sees the connection when the last flight of the handshake arrives.
  await clock.advance(1000);
  return { clock, modem, network, listener, accepted, connection, received: () => receivedBytes, end: () => end };
}

test("in the virtual world, too, a record over 2 KB kills the modem's socket", async () => {
  const world = await openWorld();
  assert.equal(world.connection.secure?.protocol, "TLSv1.2");
  const [peer] = world.accepted;
  peer?.write(new Uint8Array(1700));
  peer?.write(new Uint8Array(1300));
  await world.clock.advance(1000);
  assert.equal(world.received(), 3000);
  peer?.write(new Uint8Array(4500));
  await world.clock.advance(1000);
  assert.ok(isThinglineError(world.end(), "TLS_RECORD_TOO_LARGE"), String(world.end()));
});

test("in the virtual world nothing is left after close", async () => {
  const world = await openWorld();
  await world.clock.until(world.modem.close());
  await world.clock.advance(1000);
  assert.ok(isThinglineError(world.end(), "CONNECTION_LOST"));
  await world.clock.until(world.listener.close());
  await world.clock.advance(1000);
  assert.equal(world.network.links.length, 0);
  assert.equal(world.clock.timerCount, 0);
});
