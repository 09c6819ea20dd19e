// The device library's shadow client against the local cloud over mutual TLS, with an outage in the middle.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connectDevice, type Device } from "@thingline/device";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { isThinglineError } from "@thingline/protocol";
import { createDevice, openWorld, portOf, type World } from "./cloud-world.test.support.js";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

async function connectPump({ started }: World, credentials: { certificatePem: string; privateKey: string }) {
  return connectDevice({
    endpoint: started.addresses.mqtts,
    clientId: "pump",
    tls: { ca: started.caPem, certificate: credentials.certificatePem, privateKey: credentials.privateKey },
    dialer: createNodeNetwork(),
    clock: createNodeClock(),
    random: createNodeRandom(),
    reconnect: { baseMs: 100, capMs: 200 },
  });
}

const backAgain = (device: Device) => new Promise<void>((resolve) => void device.on("ready", () => resolve()));

test("classic and named shadow of a device: requests, refusals, deltas of an outage", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-shadow-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "cloud");
  let world = await openWorld(context, { dataDir });
  const credentials = await createDevice(world.iot);
  const want = ({ started: { cloud } }: World, desired: object) =>
    cloud.run(cloud.shadows.updateThingShadow, { thingName: "pump", payload: encode({ state: { desired } }) });

  await using device = await connectPump(world, credentials);
  const shadow = device.shadow();
  assert.equal(device.shadow(), shadow);
  await assert.rejects(shadow.get(), (error) => isThinglineError(error, "SHADOW_NOT_FOUND"));
  assert.equal((await shadow.report({ on: false })).version, 1);
  await assert.rejects(shadow.report({ on: true }, { version: 7 }), (error) =>
    isThinglineError(error, "SHADOW_VERSION_CONFLICT"),
  );
  const named = device.shadow<{ count: number }>("counter");
  await named.modify(() => ({ reported: { count: 1 } }));
  await named.modify((document) => ({ reported: { count: (document?.state.reported?.count ?? 0) + 1 } }));
  assert.deepEqual((await named.get()).state, { reported: { count: 2 } });
  assert.equal((await named.delete()).version, 2);

  const deltas = shadow.deltas();
  await want(world, { on: true });
  assert.deepEqual((await deltas.next()).value?.state, { on: true });

  const ready = backAgain(device);
  const mqttsPort = portOf(world.started.addresses.mqtts);
  await world.started.close();
  // Sent when the cloud is back.
  const reporting = shadow.report({ while: "away" });
  world = await openWorld(context, { dataDir, mqttsPort });
  await want(world, { on: "maybe" });
  await ready;
  await reporting;
  assert.deepEqual((await deltas.next()).value?.state, { on: "maybe" });
  assert.deepEqual((await shadow.get()).state.reported, { on: false, while: "away" });

  // A device that can only clamp answers once, however often the cloud tells the difference that is left.
  shadow.decline({ on: "maybe" });
  await want(world, { interval: 99_999 });
  assert.deepEqual((await deltas.next()).value?.state, { interval: 99_999 });
  for (let round = 0; round < 3; round++) await shadow.report({ interval: 3600 });
  await want(world, { color: "red" });
  assert.deepEqual((await deltas.next()).value?.state, { color: "red" });

  const last = deltas.next();
  await device.close();
  assert.deepEqual(await last, { done: true, value: undefined });
});
