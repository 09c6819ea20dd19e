import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createConnectionPair, type Connection, type Dialer, type DialTarget } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualClock } from "@thingline/transport/virtual";
import { makeModemWorld, type ModemWorldOptions } from "../world.test.support.js";
import { modemCipherSuites, socketsMax, tlsSessionsMax, tlsSocketsMax } from "./sockets.js";

const certificates = await makeTestCertificates(createNodeKeys());
const target = { host: "localhost", port: 8883, secTag: 43 };

/** A network that connects at once and remembers what it was asked for. */
function fakeNetwork() {
  const clock = createVirtualClock();
  const targets: DialTarget[] = [];
  const network: Dialer = {
    dial: async (dialled, { signal } = {}) => {
      signal?.throwIfAborted();
      targets.push(dialled);
      const { near, far } = createConnectionPair({ clock, near: { host: "modem", port: 1 }, far: dialled });
      far.start({ data: () => undefined, closed: () => undefined });
      return near;
    },
  };
  return { network, targets, clock };
}

async function openRegistered(options: ModemWorldOptions = {}) {
  const { network, targets, clock } = fakeNetwork();
  const world = await makeModemWorld({ network, clock, ...options });
  await world.at(`AT%CMNG=0,43,0,"${certificates.ca.certificatePem}"`);
  await world.at(`AT%CMNG=0,43,1,"${certificates.client.certificatePem}"`);
  await world.at(`AT%CMNG=0,43,2,"${certificates.client.privateKeyPem}"`);
  await world.at("AT+CEREG=1");
  await world.at("AT+CFUN=1");
  await world.clock.advance(1000);
  return { ...world, targets };
}

test("a dial takes the tag's credentials, TLS 1.2, the modem's cipher suites and its record limit", async () => {
  const { modem, targets } = await openRegistered();
  await modem.secTagDialer.dial({ ...target, alpnProtocols: ["x-amzn-mqtt-ca"], connectTimeoutMs: 5, family: 4 });
  const [dialled] = targets;
  assert.ok(dialled?.tls);
  const { onRecord, ...tls } = dialled.tls;
  assert.equal(typeof onRecord, "function");
  assert.deepEqual(tls, {
    ca: certificates.ca.certificatePem,
    certificate: certificates.client.certificatePem,
    privateKey: certificates.client.privateKeyPem,
    serverName: "localhost",
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    ciphers: modemCipherSuites,
    receivedRecordBytesMax: 2048,
    alpnProtocols: ["x-amzn-mqtt-ca"],
  });
  assert.equal(dialled.connectTimeoutMs, 5);
  assert.equal(dialled.family, 4);
});

test("a modem that is not registered refuses to dial and says where it stands", async () => {
  const { network } = fakeNetwork();
  const { modem, at, clock } = await makeModemWorld({ network, lte: { conditions: { isDenied: true } } });
  await assert.rejects(modem.secTagDialer.dial(target), (error) => isThinglineError(error, "LINK_FAILED"));
  await at("AT+CFUN=1");
  await clock.advance(1000);
  await assert.rejects(
    modem.secTagDialer.dial(target),
    (error) => isThinglineError(error, "LINK_FAILED") && error.message.includes("+CEREG: 3, denied"),
  );
  await assert.rejects(modem.dialer.dial(target), (error) => isThinglineError(error, "LINK_FAILED"));
});

test("what a tag lacks is named", async () => {
  const { modem } = await openRegistered();
  await assert.rejects(
    modem.secTagDialer.dial({ ...target, secTag: 50 }),
    (error) =>
      isThinglineError(error, "CREDENTIAL_MISSING") &&
      error.message === "security tag 50 of the modem has no ca (type 0), certificate (type 1), privateKey (type 2)" &&
      error.details["missing"] === "ca,certificate,privateKey",
  );
});

test("a key that does not belong to the certificate is refused before the network", async () => {
  const { modem, at, targets, clock } = await openRegistered();
  await at("AT+CFUN=4");
  await at(`AT%CMNG=0,43,2,"${certificates.otherClient.privateKeyPem}"`);
  await at("AT+CFUN=1");
  await clock.advance(1000);
  await assert.rejects(
    modem.secTagDialer.dial(target),
    (error) => isThinglineError(error, "KEY_MISMATCH") && error.details["errno"] === "EINVAL",
  );
  assert.equal(targets.length, 0);
});

test("texts that are no key and no certificate are named by their tag, not shown", async () => {
  const { modem, at, clock } = await openRegistered();
  await at("AT+CFUN=4");
  await at('AT%CMNG=0,43,2,"SECRET"');
  await at("AT+CFUN=1");
  await clock.advance(1000);
  await assert.rejects(
    modem.secTagDialer.dial(target),
    (error) =>
      isThinglineError(error, "KEY_INVALID") && error.message.includes("tag 43") && !error.message.includes("SECRET"),
  );
});

test("three TLS sockets at a time, eight sockets in all, and a closed one makes room", async () => {
  const { modem, clock } = await openRegistered();
  const open: Connection[] = [];
  for (let index = 0; index < tlsSocketsMax; index++) open.push(await modem.secTagDialer.dial(target));
  await assert.rejects(modem.secTagDialer.dial(target), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  while (open.length < socketsMax) open.push(await modem.dialer.dial({ host: "localhost", port: 1 }));
  await assert.rejects(modem.dialer.dial(target), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  open[0]?.destroy();
  await clock.until(open[0]!.closed);
  await Promise.resolve();
  await modem.secTagDialer.dial(target);
});

for (const [how, command] of [
  ["AT+CFUN=4", "AT+CFUN=4"],
  ["AT+CFUN=20", "AT+CFUN=20"],
  ["AT+CFUN=0", "AT+CFUN=0"],
  ["loss of coverage", undefined],
] as const) {
  test(`sockets die with ${how}, and those being dialled fail with the link`, async () => {
    const waiting: Dialer = {
      dial: (_target, { signal } = {}) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
        }),
    };
    const { network, clock } = fakeNetwork();
    let isSlow = false;
    const { modem, at } = await openRegistered({
      clock,
      network: { dial: (dialled, options) => (isSlow ? waiting : network).dial(dialled, options) },
    });
    const connection = await modem.secTagDialer.dial(target);
    isSlow = true;
    const dialling = modem.secTagDialer.dial(target);
    dialling.catch(() => undefined);
    if (command === undefined) modem.setConditions({ hasCoverage: false });
    else await at(command);
    await clock.until(connection.closed);
    await assert.rejects(clock.until(dialling), (error) => isThinglineError(error, "LINK_FAILED"));
  });
}

test("without data the dial times out although the modem is registered", async () => {
  const { modem, clock } = await openRegistered();
  modem.setConditions({ hasData: false });
  const before = clock.monotonicMs();
  await assert.rejects(clock.until(modem.secTagDialer.dial({ ...target, connectTimeoutMs: 60_000 })), (error) =>
    isThinglineError(error, "TIMEOUT"),
  );
  assert.equal(clock.monotonicMs() - before, 60_000);
});

test("sessions are kept and offered only when asked for, by endpoint and credentials", async () => {
  const { modem, targets, at, clock } = await openRegistered();
  const dial = async (handshake: "full" | "resume", port = 8883) => {
    const connection = await modem.secTagDialer.dial({ ...target, port, handshake });
    connection.destroy();
    await clock.until(connection.closed);
    await Promise.resolve();
    return targets.at(-1)?.tls;
  };
  assert.equal((await dial("full"))?.onSession, undefined);
  const first = await dial("resume");
  assert.equal(first?.session, undefined);
  first?.onSession?.(Uint8Array.of(1));
  assert.deepEqual((await dial("resume"))?.session, Uint8Array.of(1));
  assert.equal((await dial("full"))?.session, undefined);
  assert.equal((await dial("resume", 8884))?.session, undefined);

  await at("AT+CFUN=4");
  await at(`AT%CMNG=0,43,1,"${certificates.otherClient.certificatePem}"`);
  await at(`AT%CMNG=0,43,2,"${certificates.otherClient.privateKeyPem}"`);
  await at("AT+CFUN=1");
  await clock.advance(1000);
  assert.equal((await dial("resume"))?.session, undefined);

  for (let port = 1; port <= tlsSessionsMax; port++) (await dial("resume", port))?.onSession?.(Uint8Array.of(port));
  assert.deepEqual((await dial("resume", 1))?.session, Uint8Array.of(1));
  (await dial("resume", 9))?.onSession?.(Uint8Array.of(9));
  assert.equal((await dial("resume", 1))?.session, undefined);
});

test("traffic wakes the radio, silence lets it rest", async () => {
  const { modem, at, clock, notifications, targets } = await openRegistered();
  await at("AT+CSCON=1");
  await clock.advance(10_000);
  await modem.secTagDialer.dial(target);
  targets[0]?.tls?.onRecord?.({ direction: "received", contentType: 23, lengthBytes: 10 });
  await clock.advance(10_000);
  assert.deepEqual(notifications.slice(-3), ["+CSCON: 0", "+CSCON: 1", "+CSCON: 0"]);
});

test("the modem's close leaves no socket and no timer", async () => {
  const { modem, clock } = await openRegistered();
  const connection = await modem.secTagDialer.dial(target);
  await modem.close();
  await clock.until(connection.closed);
  assert.equal(clock.timerCount, 0);
  await assert.rejects(modem.secTagDialer.dial(target), (error) => isThinglineError(error, "CLOSED"));
});

test("firmware before 1.3.1 offers no AES-GCM", async () => {
  const { modem, targets } = await openRegistered({ firmware: "mfw_nrf9160_1.3.0" });
  await modem.secTagDialer.dial(target);
  const [dialled] = targets;
  assert.deepEqual(
    dialled?.tls?.ciphers,
    modemCipherSuites.filter((suite) => !suite.includes("GCM")),
  );
  await modem.close();
});

test("%XCONNSTAT counts the payload of sockets between start and stop", async () => {
  const { modem, at, clock, targets } = await openRegistered();
  const early = await modem.dialer.dial({ host: "localhost", port: 80 });
  early.start({ data: () => undefined, closed: () => undefined });
  assert.equal(await at("AT%XCONNSTAT=1"), "OK\r\n");
  const plain = await modem.dialer.dial({ host: "localhost", port: 80 });
  plain.start({ data: () => undefined, closed: () => undefined });
  plain.write(new Uint8Array(3000));
  early.write(new Uint8Array(9000));
  await modem.secTagDialer.dial(target);
  const onRecord = targets.at(-1)?.tls?.onRecord;
  onRecord?.({ direction: "sent", contentType: 23, lengthBytes: 1000 });
  onRecord?.({ direction: "received", contentType: 23, lengthBytes: 2048 });
  await clock.advance(10);
  assert.equal(await at("AT%XCONNSTAT?"), "%XCONNSTAT: 0,0,4,2,3000,2016\r\nOK\r\n");
  assert.equal(await at("AT%XCONNSTAT=0"), "OK\r\n");
  onRecord?.({ direction: "received", contentType: 23, lengthBytes: 2048 });
  assert.equal(await at("AT%XCONNSTAT?"), "%XCONNSTAT: 0,0,4,2,3000,2016\r\nOK\r\n");
  await modem.close();
});
