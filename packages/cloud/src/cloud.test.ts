import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createCloud } from "./cloud.js";
import { createMemoryStore } from "./store/memory.js";
import { mqttOver } from "./mqtt-over.test.support.js";

/** A cloud without sockets, disks or real time. */
async function openVirtualCloud() {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const network = createVirtualNetwork({ clock, random });
  const keys = createVirtualKeys({ random });
  const files = createVirtualFiles();
  const lines: string[] = [];
  const write = (event: string, facts = {}) => void lines.push(`${event} ${JSON.stringify(facts)}`);
  const log = { debug: write, info: write, warn: write, error: write };
  /** Lets virtual time pass while something that is not virtual, such as a signature, is under way. */
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const options = { folder: "/cloud", mqtts: address(8883), https: address(8443), mqtt: address(0) };
  const open = () =>
    wait(createCloud({ network, clock, random, keys, files, store: createMemoryStore(), log }, options));
  return { clock, network, wait, lines, open, cloud: await open() };
}

test("a cloud on virtual adapters: certificate, policy, mutual TLS, CONNECT, and no timer is left after close()", async () => {
  const { clock, cloud, network, wait } = await openVirtualCloud();
  const { registry } = cloud;
  const created = await wait(cloud.run(registry.createKeysAndCertificate, { setAsActive: true }));
  const policyDocument = '{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
  await wait(cloud.run(registry.createPolicy, { policyName: "all", policyDocument }));
  await wait(cloud.run(registry.attachPolicy, { policyName: "all", target: created.certificateArn }));
  const tls = {
    ca: cloud.caPem,
    certificate: created.certificatePem,
    privateKey: created.keyPair.PrivateKey,
  };
  const connection = await wait(network.dial({ host: "localhost", port: 8883, tls }));
  const { packets, closed } = mqttOver(connection, "a");
  while (packets.length === 0) await clock.advance(1);
  assert.equal(packets[0]?.type === "connack" && packets[0].reasonCode, 0);

  await wait(cloud.run(registry.updateCertificate, { certificateId: created.certificateId, newStatus: "INACTIVE" }));
  await wait(closed);
  assert.equal(packets[1]?.type === "disconnect" && packets[1].reasonCode, 0x87);
  const again = await wait(network.dial({ host: "localhost", port: 8883, tls }));
  await wait(mqttOver(again, "a").closed);
  assert.equal(cloud.stats().gateway.connectionsRefused.certificateNotActive, 1);

  await wait(cloud.close());
  await cloud.closed;
  assert.equal(clock.timerCount, 0);
});

test("after close() nothing can be asked any more", async () => {
  const { cloud, wait } = await openVirtualCloud();
  await wait(cloud.close());
  const isClosed = (error: unknown) => isThinglineError(error, "CLOSED");
  await assert.rejects(cloud.run(cloud.registry.listThings, {}), isClosed);
  await assert.rejects(cloud.reset(), isClosed);
  await assert.rejects(cloud.snapshot(), isClosed);
  assert.throws(() => cloud.stats(), isClosed);
});

test("the CA is there again after a restart on the same files", async () => {
  const { cloud, open, wait } = await openVirtualCloud();
  await wait(cloud.close());
  const again = await open();
  assert.equal(again.caPem, cloud.caPem);
  await wait(again.close());
});

test("operations go on after a reset, and find nothing", async () => {
  const { cloud, wait } = await openVirtualCloud();
  await wait(cloud.run(cloud.registry.createThing, { thingName: "pump" }));
  const resetting = cloud.reset();
  const listing = cloud.run(cloud.registry.listThings, {});
  await wait(resetting);
  assert.deepEqual((await wait(listing)).things, []);
  await wait(cloud.close());
});

test("a snapshot that no cloud can go on from is refused, and nothing is lost", async () => {
  const { cloud, wait } = await openVirtualCloud();
  await wait(cloud.run(cloud.registry.createThing, { thingName: "pump" }));
  const leftOverWithoutContent = [["", "", "outbox", 1], "AW51bGw="];
  const snapshot = { ...(await cloud.snapshot()), entries: [leftOverWithoutContent] };
  await assert.rejects(wait(cloud.restore(snapshot)), (error) => isThinglineError(error, "REQUEST_INVALID"));
  const { things } = await wait(cloud.run(cloud.registry.listThings, {}));
  assert.deepEqual(
    things.map(({ thingName }) => thingName),
    ["pump"],
  );
  await wait(cloud.close());
});

test("DescribeEndpoint names no port when it is AWS's own", async () => {
  const { cloud, wait } = await openVirtualCloud();
  const { endpointAddress } = await wait(cloud.run(cloud.registry.describeEndpoint, { endpointType: "iot:Data-ATS" }));
  assert.equal(endpointAddress, "localhost");
  await assert.rejects(wait(cloud.run(cloud.registry.describeEndpoint, { endpointType: "iot:Other" })));
  await wait(cloud.close());
});

const paths: [path: string, status: number][] = [
  ["/_thingline/stats", 200],
  ["/_thingline/nothing", 404],
  ["/things/none", 404],
  ["/%zz", 404],
];
for (const [path, status] of paths) {
  test(`GET ${path} is answered with ${status}`, async () => {
    const { cloud, wait } = await openVirtualCloud();
    const response = await wait(cloud.handleRest({ method: "GET", url: `http://localhost:4680${path}` }));
    assert.equal(response.status, status);
    await wait(cloud.close());
  });
}

test("clients cannot fill the log", async () => {
  const { clock, cloud, network, wait, lines } = await openVirtualCloud();
  const { port } = cloud.addresses.mqtt!;
  const dials = Array.from({ length: 150 }, () => network.dial({ host: "localhost", port }));
  for (const connection of await wait(Promise.all(dials))) {
    connection.start({ data: () => undefined, closed: () => undefined });
    connection.write(Uint8Array.of(0));
  }
  await clock.advance(100);
  assert.equal(cloud.stats().broker.protocolErrors, 150);
  assert.equal(lines.filter((line) => line.startsWith("protocolError ")).length, 100);
  await wait(cloud.close());
});
