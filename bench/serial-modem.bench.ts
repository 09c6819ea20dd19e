// npm run bench -- serial-modem [--seconds N] [--rate BYTES] [--dialect NAME] [--real] [--json]
// What the device library publishes through a serial modem, as a share of what its line carries, and how soon it publishes again after its
// link was lost: simulated nRF91 and application, TLS, and a whole local cloud. On the virtual clock, where nothing depends on the machine;
// with --real in real time, over real sockets, where timers of a millisecond cost the line some of its time.
import { createCloud, createMemoryStore, silentLog } from "@thingline/cloud";
import { createDevice, type Device } from "@thingline/device";
import {
  createLinkControl,
  createModemCredentialStore,
  openModemSession,
  openSerialModemSockets,
  type SerialModemDialect,
} from "@thingline/modem";
import { createSerialModemApplication, createSimulatedModem } from "@thingline/modem/simulator";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import type { Clock, Files, Keys, Network, Random } from "@thingline/transport";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answerOwnRows, ownRowsOptions, type OwnMeasurement } from "./own-rows.js";
import { fail, median, positive, readOptions, row, say } from "./tools.js";

const values = readOptions({
  seconds: { type: "string", default: "3" },
  rate: { type: "string", default: "100000" },
  dialect: { type: "string" },
  real: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const seconds = positive("seconds", values.seconds);
const bytesPerSecond = positive("rate", values.rate);
const known: readonly SerialModemDialect[] = ["slm-1.x", "slm-2.x", "serialModem"];
const dialects = known.filter((name) => values.dialect === undefined || name === values.dialect);
if (dialects.length === 0) fail(`--dialect ${values.dialect}: there are ${known.join(", ")}`);
const sizes = [256, 2_048] as const;
/** Unacknowledged messages: AWS IoT takes no more of one client. */
const windowMessages = 100;
const reconnects = 5;
const secTag = 42;
const widths = [14, 16] as const;

/** Where it is measured. */
interface World {
  clock: Clock;
  network: Network;
  keys: Keys;
  random: Random;
  files: Files;
  wait: <T>(promise: Promise<T>) => Promise<T>;
  /** The same for what makes keys. */
  waitLong: <T>(promise: Promise<T>) => Promise<T>;
}

function realWorld(): World {
  const clock = createNodeClock();
  const adapters = { clock, random: createNodeRandom(), files: createNodeFiles(), keys: createNodeKeys() };
  const wait = <T>(promise: Promise<T>) => promise;
  return { ...adapters, network: createNodeNetwork({ clock }), wait, waitLong: wait };
}

function virtualWorld(): World {
  const clock = createVirtualClock();
  const random = createVirtualRandom("bench");
  const network = createVirtualNetwork({ clock, random: random.fork("network"), latencyMs: 5 });
  return {
    ...{ clock, random, network, files: createVirtualFiles(), keys: createVirtualKeys({ random }) },
    wait: (promise) => clock.until(promise),
    waitLong: (promise) => clock.untilSettled(promise, { stepMs: 1 }),
  };
}

/** Short: the network's share of a reconnection is its own affair. */
const lte = { searchMs: 5, attachMs: 5, detachMs: 5 };

const own: OwnMeasurement[] = dialects.map((dialect) => ({
  rows: sizes.map((size) => ({ name: `${dialect}, ${size} bytes, share of the line`, unit: "%", isMore: true })),
  measure: async () => (await measure(dialect)).shares.map((share) => 100 * share),
}));
if (!(await answerOwnRows(values, own))) await compare();

async function compare(): Promise<void> {
  if (!values.json) {
    const where = values.real ? "in real time" : "on the virtual clock";
    say(
      `QoS 1, ${windowMessages} in flight, over a line of ${bytesPerSecond} bytes a second, ${seconds} s each, ${where}.`,
    );
    say(
      "Share of the line: payload a second, by what the line carries. Reconnection: from the loss of the link to the next PUBACK,",
    );
    say(`with a network that registers within ${lte.searchMs + lte.attachMs} ms; median of ${reconnects}.\n`);
    say(row(["dialect", ...sizes.map((size) => `${size} bytes`), "reconnection", "of it dialing"], widths));
  }
  for (const dialect of dialects) {
    const { shares, reconnectMs, dialMs } = await measure(dialect);
    if (values.json) say(JSON.stringify({ dialect, sizes, shares, reconnectMs, dialMs }));
    else {
      const cells = shares.map((share) => `${(100 * share).toFixed(1)}%`);
      say(row([dialect, ...cells, `${reconnectMs.toFixed(0)} ms`, `${dialMs.toFixed(0)} ms`], widths));
    }
  }
}

async function measure(dialect: SerialModemDialect) {
  const world = values.real ? realWorld() : virtualWorld();
  const { clock, network, keys, random, files, wait, waitLong } = world;
  const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
  const listen = { host: "127.0.0.1", port: 0, optionName: "port" };
  const cloud = await waitLong(
    createCloud(
      { network, clock, random, files, keys, store: createMemoryStore(), log: silentLog },
      { folder, mqtts: listen, https: listen, limits: "none" },
    ),
  );
  const modem = await wait(createSimulatedModem({ network, clock, random, keys, lte }));
  const application = await wait(createSerialModemApplication(modem, { clock, random, dialect, baudRate: 1_000_000 }));
  const session = openModemSession(application.openPort({ bytesPerSecond }), { clock });
  const sockets = await wait(openSerialModemSockets(session, { clock }));
  const link = createLinkControl(session, { clock });
  await waitLong(writeCredentials(cloud, createModemCredentialStore(session, { keys })));
  await wait(link.connect());
  const device = createDevice({
    ...{ host: "localhost", port: cloud.addresses.mqtts.port, family: 4, clientId: "bench", clock, random, secTag },
    ...{ secTagDialer: sockets.secTagDialer, offlineQueue: {}, reconnect: { baseMs: 1, capMs: 1 } },
  });
  await wait(device.connect());
  const shares = [];
  for (const size of sizes) shares.push((await wait(publish(device, size, clock))) / bytesPerSecond);
  const times = [];
  for (let count = 0; count < reconnects; count++) times.push(await wait(reconnect(device, link, clock)));
  await wait(device.close());
  await wait(sockets.close());
  link.close();
  await wait(session.close());
  await wait(application.close());
  await wait(modem.close());
  await wait(cloud.close());
  rmSync(folder, { recursive: true, force: true });
  return {
    shares,
    reconnectMs: median(times.map(({ totalMs }) => totalMs)),
    dialMs: median(times.map(({ dialMs }) => dialMs)),
  };
}

async function writeCredentials(
  cloud: Awaited<ReturnType<typeof createCloud>>,
  store: ReturnType<typeof createModemCredentialStore>,
): Promise<void> {
  const { registry } = cloud;
  const made = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
  const everything = { Effect: "Allow", Action: "iot:*", Resource: "*" };
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [everything] });
  await cloud.run(registry.createPolicy, { policyName: "everything", policyDocument });
  await cloud.run(registry.attachPolicy, { policyName: "everything", target: made.certificateArn });
  await store.write(secTag, "ca", cloud.caPem);
  await store.write(secTag, "certificate", made.certificatePem);
  await store.write(secTag, "privateKey", made.keyPair.PrivateKey);
}

/** @returns bytes of payload a second */
async function publish(device: Device, size: number, clock: Clock): Promise<number> {
  const payload = new Uint8Array(size).fill(0x61);
  const startMs = clock.monotonicMs();
  const endMs = startMs + seconds * 1_000;
  let count = 0;
  const worker = async () => {
    while (clock.monotonicMs() < endMs) {
      await device.publish("p/data", payload, { qos: 1 });
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: windowMessages }, worker));
  return (count * size * 1_000) / (clock.monotonicMs() - startMs);
}

async function reconnect(device: Device, link: ReturnType<typeof createLinkControl>, clock: Clock) {
  const startMs = clock.monotonicMs();
  const disconnected = new Promise<void>((resolve) => device.on("disconnected", () => resolve()));
  await link.offline();
  await disconnected;
  const publishing = device.publish("p/data", "back", { qos: 1 });
  await link.connect();
  const onlineMs = clock.monotonicMs();
  await publishing;
  return { totalMs: clock.monotonicMs() - startMs, dialMs: clock.monotonicMs() - onlineMs };
}
