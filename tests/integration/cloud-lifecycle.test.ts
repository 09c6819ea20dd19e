import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { findRunningCloud, startCloud, type StartCloudOptions } from "@thingline/cloud/node";
import mqtt from "mqtt";
import { nextEvent, openWorld, portOf } from "./cloud-world.test.support.js";

const freePorts: StartCloudOptions = { mqttsPort: 0, httpsPort: 0, apiPort: 0, keyPoolSize: 0 };

async function makeFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-lifecycle-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Connects to the plain port. */
async function connectPlain(context: TestContext, address: string | undefined, version: 4 | 5 = 5) {
  const port = portOf(address ?? "");
  const client = mqtt.connect({ host: "localhost", port, protocolVersion: version, reconnectPeriod: 0 });
  context.after(() => client.end(true));
  await nextEvent(client, "connect");
  return client;
}

async function retainedText(context: TestContext, address: string | undefined): Promise<string | undefined> {
  const client = await connectPlain(context, address);
  let text: string | undefined;
  client.on("message", (_topic, payload) => (text = payload.toString()));
  // The retained message comes right behind the SUBACK, and before the answer to what is asked after it.
  await client.subscribeAsync("state", { qos: 1 });
  await client.publishAsync("other", "", { qos: 1 });
  await client.endAsync();
  return text;
}

test("the data folder is locked, described and tidied up", async (context) => {
  const dataDir = await makeFolder(context);
  await assert.rejects(findRunningCloud(dataDir), (error) => isThinglineError(error, "CLOUD_NOT_RUNNING"));
  const started = await startCloud({ dataDir, ...freePorts });
  context.after(() => started.close());
  const running = await findRunningCloud(dataDir);
  const { mqtts, https, api, objects } = started.addresses;
  const { processId, ...rest } = running;
  assert.equal(processId, process.pid);
  const ca = join(dataDir, "ca.pem");
  assert.deepEqual(rest, { mqtts, https, api, objects, mqtt: null, ca, account: "123456789012", region: "us-east-1" });
  assert.equal(await readFile(ca, "utf8"), started.caPem);
  await assert.rejects(startCloud({ dataDir, ...freePorts }), (error) => isThinglineError(error, "LOCKED"));
  await started.close();
  await assert.rejects(findRunningCloud(dataDir), (error) => isThinglineError(error, "CLOUD_NOT_RUNNING"));
  const again = await startCloud({ dataDir, ...freePorts });
  assert.equal(again.caPem, started.caPem, "devices trust it: it is made once");
  await again.close();
});

test("the file of a cloud that was killed is not taken for a running one, and the next start replaces it", async (context) => {
  const dataDir = await makeFolder(context);
  const child = spawn(process.execPath, [new URL("cloud-child.test.support.js", import.meta.url).pathname, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  assert.equal((await findRunningCloud(dataDir)).processId, child.pid);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  await assert.rejects(
    findRunningCloud(dataDir),
    (error) => isThinglineError(error, "CLOUD_NOT_RUNNING") && /has died/.test(error.message),
  );
  // Another process got the dead one's id.
  for (const name of ["cloud.json", ".thingline-lock"]) {
    const text = await readFile(join(dataDir, name), "utf8");
    await writeFile(join(dataDir, name), text.replaceAll(String(child.pid), String(process.pid)));
  }
  await assert.rejects(findRunningCloud(dataDir), (error) => isThinglineError(error, "CLOUD_NOT_RUNNING"));
  const started = await startCloud({ dataDir, ...freePorts });
  context.after(() => started.close());
  assert.equal((await findRunningCloud(dataDir)).processId, process.pid);
});

for (const option of ["mqttsPort", "httpsPort", "apiPort", "objectsPort", "credentialsPort", "mqttPort"] as const) {
  test(`when the port of ${option} is taken, the error names both and nothing stays open`, async (context) => {
    const dataDir = await makeFolder(context);
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    context.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    await assert.rejects(
      startCloud({ dataDir, ...freePorts, [option]: port }),
      (error) =>
        error instanceof ThinglineError &&
        error.code === "PORT_IN_USE" &&
        error.details["port"] === port &&
        error.details["option"] === option,
    );
    const started = await startCloud({ dataDir, ...freePorts });
    await started.close();
  });
}

test("the port of objects is the one behind that of the API, and a free one when that is taken", async (context) => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  // The port before it may be anybody's: then there is nothing to see.
  const started = await startCloud({ memory: true, ...freePorts, apiPort: port - 1 }).catch((error: unknown) => {
    if (!isThinglineError(error, "PORT_IN_USE")) throw error;
    return undefined;
  });
  context.after(() => started?.close());
  if (started === undefined) return context.skip("the port is taken");
  assert.notEqual(new URL(started.addresses.objects).port, String(port));
});

const invalid: [option: string, options: StartCloudOptions][] = [
  ["dataDir", {}],
  ["mqttsPort", { memory: true, mqttsPort: 65_536 }],
  ["apiPort", { memory: true, apiPort: 1.5 }],
  ["account", { memory: true, account: "12" }],
  ["region", { memory: true, region: "Mars East" }],
];
for (const [option, options] of invalid) {
  test(`a wrong ${option} is refused by name`, async () => {
    await assert.rejects(
      startCloud(options),
      (error) =>
        error instanceof ThinglineError && error.code === "OPTION_INVALID" && error.details["option"] === option,
    );
  });
}

test("retained messages survive a restart, not a reset, and come back with a snapshot", async (context) => {
  const dataDir = await makeFolder(context);
  const first = await startCloud({ dataDir, ...freePorts, mqttPort: 0 });
  context.after(() => first.close());
  const client = await connectPlain(context, first.addresses.mqtt);
  await client.publishAsync("state", "on", { qos: 1, retain: true });
  await first.close();

  const second = await startCloud({ dataDir, ...freePorts, mqttPort: 0 });
  context.after(() => second.close());
  assert.equal(await retainedText(context, second.addresses.mqtt), "on");
  const snapshot = await second.cloud.snapshot();

  const guest = await connectPlain(context, second.addresses.mqtt);
  const told = nextEvent(guest, "disconnect");
  await second.cloud.reset();
  const [packet] = (await told) as [{ reasonCode: number }];
  assert.equal(packet.reasonCode, 0x8b);
  assert.equal(await retainedText(context, second.addresses.mqtt), undefined);

  await second.cloud.restore(JSON.parse(JSON.stringify(snapshot)));
  assert.equal(await retainedText(context, second.addresses.mqtt), "on");
  await assert.rejects(second.cloud.restore({}), (error) => isThinglineError(error, "REQUEST_INVALID"));
  assert.equal(await retainedText(context, second.addresses.mqtt), "on", "a bad snapshot changes nothing");
});

test("close() tells MQTT 5 clients, leaves no file behind in memory mode, and is safe to call twice", async (context) => {
  const { started } = await openWorld(context, { memory: true, mqttPort: 0 });
  const client = await connectPlain(context, started.addresses.mqtt);
  const told = nextEvent(client, "disconnect");
  const closed = nextEvent(client, "close");
  const closing = started.close();
  assert.equal(started.close(), closing);
  await closing;
  await started.closed;
  const [packet] = (await told) as [{ reasonCode: number }];
  assert.equal(packet.reasonCode, 0x8b);
  await closed;
  await assert.rejects(stat(started.caFile));
});
