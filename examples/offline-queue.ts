// Readings made without a connection wait on disk, survive a restart of the device, and arrive in order when the cloud is back.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCloud, type StartCloudOptions } from "@thingline/cloud/node";
import { connectDevice, createDevice, type Device, type DeviceOptions } from "@thingline/device";
import { createNodeClock, createNodeFiles, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const say = (text: string) => void process.stdout.write(`${text}\n`);
const folder = await mkdtemp(join(tmpdir(), "thingline-example-"));
const portOf = (address: string) => Number(address.split(":").at(-1));

// A cloud that keeps its state, so that it can go away and come back on the same port.
const cloudOptions: StartCloudOptions = { dataDir: join(folder, "cloud"), mqttsPort: 0, httpsPort: 0, apiPort: 0 };
let started = await startCloud(cloudOptions);
const { registry } = started.cloud;
const issued = await started.cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
await started.cloud.run(registry.createPolicy, { policyName: "pump", policyDocument });
await started.cloud.run(registry.attachPolicy, { policyName: "pump", target: issued.certificateArn });
cloudOptions.mqttsPort = portOf(started.addresses.mqtts);

const adapters = { dialer: createNodeNetwork(), clock: createNodeClock(), random: createNodeRandom() };
const common = {
  ...adapters,
  endpoint: started.addresses.mqtts,
  tls: { ca: started.caPem, certificate: issued.certificatePem, privateKey: issued.keyPair.PrivateKey },
  reconnect: { baseMs: 200, firstAttempt: "retry" },
} satisfies Partial<DeviceOptions>;
const pumpOptions: DeviceOptions = {
  ...common,
  clientId: "pump-7",
  offlineQueue: {
    messagesMax: 1_000,
    overflow: "refuseNewest",
    storage: { files: createNodeFiles(), folder: join(folder, "queue"), durability: "disk" },
  },
  on: {
    disconnected: ({ reason }) => say(`pump: disconnected, ${reason}`),
    ready: () => say("pump: ready"),
    offlineQueue: (event) => {
      if (event.type === "restored") say(`pump: ${event.messageCount} messages were left by the process before`);
      if (event.type === "acknowledged" && event.isRestored) say(`pump: ${event.topic} of the process before arrived`);
    },
  },
};

// Somebody in the office listens.
const office = await connectDevice({ ...common, clientId: "office" });
const arrived: string[] = [];
let end = (): void => undefined;
const ended = new Promise<void>((resolve) => (end = resolve));
await office.subscribe("pumps/7/+", ({ topic, payload }) => {
  say(`office: ${topic} ${new TextDecoder().decode(payload)}`);
  arrived.push(topic);
  if (topic === "pumps/7/4") end();
});

const pump = await connectDevice(pumpOptions);
await pump.publish("pumps/7/0", "while connected");

say("the cloud goes away");
const gone = new Promise<void>((resolve) => void pump.on("disconnected", () => resolve()));
await started.close();
await gone;
await store(pump, 1);
await store(pump, 2);

say("the device restarts, and the cloud is still away");
await pump.close();
const again = createDevice(pumpOptions);
await store(again, 3);
const ready = again.connect();

say("the cloud comes back");
started = await startCloud(cloudOptions);
await ready;
await again.publish("pumps/7/4", "connected again");

await ended;
// At least once, in order: a repeated message may follow a lost connection, a missing one may not.
const missing = [0, 1, 2, 3, 4].filter((number) => !arrived.includes(`pumps/7/${number}`));
if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}`);
say(`stored now: ${again.offlineQueue?.messageCount} messages`);
await again.close();
await office.close();
await started.close();
await rm(folder, { recursive: true });

/** Resolves when the message is on disk, whether there is a connection or not. */
async function store(device: Device, number: number): Promise<void> {
  await device.publish(`pumps/7/${number}`, "while away", { until: "stored" });
  say(`pump: reading ${number} is stored, ${device.offlineQueue?.messageCount} wait`);
}
