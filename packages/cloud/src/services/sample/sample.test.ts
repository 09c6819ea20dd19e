import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isThinglineError } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { openCloud } from "../../cloud.js";
import { createMemoryBlobStore } from "../../store/blob-memory.js";
import { createMemoryStore } from "../../store/memory.js";
import { createServices } from "../all.js";
import type { CloudService } from "../service.js";
import { createSampleService } from "./index.test.support.js";
import { sampleKeptMs, type Samples } from "./service.test.support.js";
import { mqttOver } from "../../mqtt-over.test.support.js";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const encode = (content: string) => new TextEncoder().encode(content);

/** Whose hook fails: the others hear all the same. */
const defect: CloudService = {
  name: "defect",
  operations: {},
  onLifecycle: () => {
    throw new Error("a defect");
  },
};

/** The cloud with one service more in its list, and a broken one before it. */
async function openWorld() {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const network = createVirtualNetwork({ clock, random });
  const keys = createVirtualKeys({ random });
  const lines: string[] = [];
  const write = (event: string) => void lines.push(event);
  const log = { debug: write, info: write, warn: write, error: write };
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const options = { folder: "/cloud", mqtts: address(8883), https: address(8443), mqtt: address(1883) };
  const blobs = createMemoryBlobStore({ sha256: (content) => keys.sha256(content) });
  const store = createMemoryStore();
  let sample: CloudService<Samples> | undefined;
  let closedCount = 0;
  const cloud = await wait(
    openCloud({ network, clock, random, keys, files: createVirtualFiles(), store, blobs, log }, options, (...args) => {
      const services = createServices(...args);
      sample = createSampleService(services.named.registry, () => void closedCount++);
      // The sample serves operations of packages in their place.
      const others = services.all.filter(({ name }) => name !== "packages");
      return { ...services, all: [...others, defect, sample] };
    }),
  );
  const rest = async (method: string, path: string, description?: string) => {
    const body = description === undefined ? undefined : encode(JSON.stringify({ description }));
    const request = { method, url: `http://localhost:4680${path}`, ...(body && { body }) };
    const answer = await wait(cloud.handleRest(request));
    return { status: answer.status, body: JSON.parse(text(answer.body)) as Record<string, unknown> };
  };
  const countOfBlobs = async () => (await blobs.list([], { limit: 99 })).length;
  const { operations } = sample!;
  return { clock, network, wait, lines, blobs, cloud, rest, countOfBlobs, operations, closed: () => closedCount };
}

test("a service with all that there is needs its folder and a line in the list", async () => {
  const world = await openWorld();
  const { cloud, wait, rest, clock, operations } = world;

  // REST, blob, and a thing of the registry in one commit.
  const created = await rest("PUT", "/packages/pump-7", "0123456789");
  assert.deepEqual([created.status, created.body["packageName"]], [200, "pump-7"]);
  assert.equal((await rest("GET", "/packages/pump-7")).body["description"], "10 bytes");
  const { things } = await wait(cloud.run(cloud.registry.listThings, {}));
  assert.deepEqual(
    things.map(({ thingName }) => thingName),
    ["pump-7"],
  );
  assert.equal(await world.countOfBlobs(), 1);

  // What the registry refuses leaves nothing: neither record nor blob.
  await wait(
    cloud.run(cloud.registry.createThing, { thingName: "taken", attributePayload: { attributes: { a: "1" } } }),
  );
  assert.equal((await rest("PUT", "/packages/taken", "x")).status, 409);
  assert.equal((await rest("GET", "/packages/taken")).status, 404);
  assert.equal((await rest("PUT", "/packages/large", "x".repeat(1_001))).status, 503);
  assert.equal(await world.countOfBlobs(), 1);

  // MQTT: a part of the blob, to who asked; and what happened to that client.
  const connection = await wait(world.network.dial({ host: "localhost", port: 1883 }));
  const { packets, send } = mqttOver(connection, "reader");
  while (packets.length === 0) await clock.advance(1);
  assert.equal(await wait(cloud.run(operations.wasSeen, { clientId: "reader" })), "connected");
  assert.ok(world.lines.includes("lifecycleFailed"));
  const flags = { qos: 1, packetId: 1, isDuplicate: false, isRetained: false } as const;
  send({ type: "publish", topic: "samples/pump-7/get", payload: encode("7"), ...flags });
  while (packets.length < 3) await clock.advance(1);
  const part = packets.find((packet) => packet.type === "publish");
  assert.deepEqual([part?.topic, text(part?.payload ?? new Uint8Array())], ["samples/pump-7/part", "789"]);
  connection.destroy();

  // A snapshot has the blob, and a restore brings it back.
  const snapshot: unknown = JSON.parse(JSON.stringify(await wait(cloud.snapshot())));
  await wait(cloud.reset());
  assert.equal(await world.countOfBlobs(), 0);
  assert.equal((await rest("GET", "/packages/pump-7")).status, 404);
  await wait(cloud.restore(snapshot));
  assert.equal(await world.countOfBlobs(), 1);
  assert.equal((await rest("GET", "/packages/pump-7")).status, 200);

  // The wake-up, which the snapshot had as well, forgets record and blob.
  await clock.advance(sampleKeptMs);
  await wait(cloud.run(cloud.registry.listThings, {}));
  while ((await world.countOfBlobs()) > 0) await wait(setImmediate());
  assert.equal((await rest("GET", "/packages/pump-7")).status, 404);

  await wait(cloud.close());
  assert.equal(world.closed(), 1);
  assert.equal(clock.timerCount, 0);
});

test("a restore that fails keeps the blobs of before, and what it brought is swept", async () => {
  const world = await openWorld();
  const { cloud, wait, rest, blobs } = world;
  await rest("PUT", "/packages/brought", "brought");
  const good = await wait(cloud.snapshot());
  await wait(cloud.reset());
  await rest("PUT", "/packages/before", "before");
  const [before] = await blobs.list([], { limit: 9 });
  // An effect without content: no runner opens with it.
  const { checksum: _, ...bad } = { ...good, entries: [...good.entries, [["", "", "outbox", 1], "AW51bGw="]] };
  await assert.rejects(wait(cloud.restore(bad)), (error) => isThinglineError(error, "REQUEST_INVALID"));
  assert.deepEqual(await blobs.list([], { limit: 9 }), [before]);
  assert.equal((await rest("GET", "/packages/before")).status, 200);

  // What a snapshot left out, and is still here, stays.
  const { blobs: leftOut = [], checksum: _own, ...own } = await wait(cloud.snapshot());
  await wait(cloud.restore({ ...own, blobsLeftOut: leftOut.map(([key]) => key) }));
  assert.deepEqual(await blobs.list([], { limit: 9 }), [before]);
  assert.ok(!world.lines.includes("blobMissing"));

  // A snapshot from which somebody took the blobs is restored, and what is missing is told by name.
  const { blobs: _blobs, checksum: _sum, ...without } = good;
  await wait(cloud.restore(without));
  assert.ok(world.lines.includes("blobMissing"));
  assert.deepEqual(await blobs.list([], { limit: 9 }), []);
  await wait(cloud.close());
});

test("what a process left between put and commit is swept when the next one opens", async () => {
  const world = await openWorld();
  const { cloud, wait, rest, blobs } = world;
  await rest("PUT", "/packages/kept", "kept");
  const { account, region } = cloud.scope;
  await blobs.put([account, region, "sample", "orphan"], [encode("nobody asks for it")], { bytesMax: 99 });
  await blobs.put(["000000000000", "eu-west-1", "sample", "orphan"], [encode("nor here")], { bytesMax: 99 });
  await wait(cloud.restore(await wait(cloud.snapshot())));
  assert.deepEqual(
    (await blobs.list([], { limit: 9 })).map(({ bytes }) => bytes),
    [4],
  );
  assert.ok(world.lines.includes("blobsSwept"));
  await wait(cloud.close());
});
