import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isThinglineError, ThinglineError } from "@thingline/protocol";
import { createVirtualClock, createVirtualFiles, type VirtualFiles } from "@thingline/transport/virtual";
import { OfflineQueue, type OfflinePublishOptions, type OfflineQueuePort } from "./offline-queue.js";
import { checkOfflineQueue } from "./options.js";
import type { OfflineMessage, OfflineQueueEvent, OfflineQueueOptions } from "./types.js";

const folder = "/queue";
const messageOf = (topic: string, more: Partial<OfflineMessage> = {}): OfflineMessage => ({
  topic,
  payload: new TextEncoder().encode(topic),
  isRetained: false,
  ...more,
});

/** A session that takes what the test lets it take. */
class World {
  readonly clock = createVirtualClock();
  readonly files: VirtualFiles;
  readonly events: OfflineQueueEvent[] = [];
  readonly errors: Error[] = [];
  readonly sent: { message: OfflineMessage; settle: (error?: ThinglineError) => void }[] = [];
  readonly outcomes: string[] = [];
  readonly queue: OfflineQueue;
  room = 0;
  abandoned = 0;
  hasOthers = false;

  constructor(options: OfflineQueueOptions = {}, files = createVirtualFiles()) {
    this.files = files;
    const port: OfflineQueuePort = {
      hasRoom: () => this.room > 0,
      send: (message, settle) => {
        if (message.topic === "refused") throw new ThinglineError("MQTT_PACKET_TOO_LARGE", "too large");
        this.room -= 1;
        this.sent.push({ message, settle: (error) => settle(error) });
        const entry = this.sent.at(-1);
        const takeBack = (): void =>
          void this.sent.splice(
            this.sent.findIndex((other) => other === entry),
            1,
          );
        return { abandon: () => (this.abandoned += 1), takeBack };
      },
      holdsOnly: (count) => !this.hasOthers && this.sent.length === count,
      emit: (event) => void this.events.push(event),
      report: (error) => void this.errors.push(error),
      guard: (handle) => handle(),
    };
    this.queue = new OfflineQueue(checkOfflineQueue({ messagesPerSecondMax: Infinity, ...options }), this.clock, port);
  }

  /** Publishes; how it ends is written down. */
  publish(topic: string, options: Partial<OfflinePublishOptions> = {}, more: Partial<OfflineMessage> = {}): void {
    this.queue.publish(messageOf(topic, more), { until: "acknowledged", ...options }).then(
      () => this.outcomes.push(`${topic} done`),
      (error: unknown) => this.outcomes.push(`${topic} ${isThinglineError(error) ? error.code : String(error)}`),
    );
  }

  async give(room: number): Promise<string[]> {
    this.room += room;
    this.queue.pump();
    await this.clock.advance(0);
    return this.sent.map(({ message }) => message.topic);
  }

  async acknowledge(count = this.sent.length): Promise<void> {
    for (const { settle } of this.sent.splice(0, count)) settle();
    await this.clock.advance(0);
  }

  async close(): Promise<void> {
    await this.queue.close();
    await this.clock.advance(0);
    assert.equal(this.clock.timerCount, 0, "a timer is left");
  }
}

const onDisk = (files: VirtualFiles, more: Partial<OfflineQueueOptions> = {}): World =>
  new World({ storage: { files, folder, durability: "disk" }, ...more }, files);

test("in memory: messages wait, are sent in order when there is room, and resolve with their PUBACK", async () => {
  const world = new World();
  for (const topic of ["a", "b", "c"]) world.publish(topic);
  assert.deepEqual(await world.give(0), []);
  assert.equal(world.queue.isPassable, false);
  assert.deepEqual(await world.give(2), ["a", "b"]);
  await world.acknowledge(1);
  assert.deepEqual(world.outcomes, ["a done"]);
  assert.deepEqual(await world.give(5), ["b", "c"]);
  assert.equal(world.queue.isPassable, true);
  await world.acknowledge();
  assert.deepEqual(world.outcomes, ["a done", "b done", "c done"]);
  assert.deepEqual(
    world.events.map((event) => event.type === "acknowledged" && [event.topic, event.isRestored]),
    [
      ["a", false],
      ["b", false],
      ["c", false],
    ],
  );
  await world.close();
});

test("a payload is taken when it is published: what the caller does with it afterwards changes nothing", async () => {
  const world = new World();
  const payload = Uint8Array.of(1, 2);
  const properties = { userProperties: [["k", "v"]] as [string, string][] };
  void world.queue.publish(messageOf("a", { payload, properties }), { until: "acknowledged" });
  payload.fill(9);
  properties.userProperties[0]![1] = "x";
  await world.give(1);
  const [sent] = world.sent;
  assert.deepEqual(
    [sent?.message.payload, sent?.message.properties],
    [Uint8Array.of(1, 2), { userProperties: [["k", "v"]] }],
  );
  await world.acknowledge();
  await world.close();
});

test("until stored: resolves when the disk has it, long before it is sent", async () => {
  const world = onDisk(createVirtualFiles());
  world.publish("a", { until: "stored" });
  world.publish("b");
  await world.clock.advance(0);
  assert.deepEqual(world.outcomes, ["a done"]);
  const after = onDisk(world.files.restart());
  await after.queue.open();
  assert.equal(after.queue.stats.restoredCount, 2);
});

test("after a restart what was stored is sent in order, before what is published then, and told by events", async () => {
  const first = onDisk(createVirtualFiles());
  for (const topic of ["a", "b", "c"]) first.publish(topic, { until: "stored" });
  assert.deepEqual(await first.give(1), ["a"]);
  await first.acknowledge();
  const second = onDisk(first.files.restartProcess());
  second.room = 10;
  second.publish("d");
  await second.clock.advance(0);
  assert.deepEqual(
    second.sent.map(({ message }) => message.topic),
    ["b", "c", "d"],
  );
  await second.acknowledge();
  assert.deepEqual(second.outcomes, ["d done"]);
  assert.deepEqual(
    second.events.map((event) => ("topic" in event ? `${event.type} ${event.topic} ${event.isRestored}` : event.type)),
    ["restored", "acknowledged b true", "acknowledged c true", "acknowledged d false"],
  );
  await second.close();
  assert.deepEqual(await second.files.list(folder), []);
});

test("close() waits for the disk, rejects who waits for PUBACK, and keeps their messages for the next process", async () => {
  const world = onDisk(createVirtualFiles());
  world.publish("a");
  world.publish("b", { until: "stored" });
  const closing = world.close();
  world.publish("c");
  await closing;
  assert.deepEqual(world.outcomes.sort(), ["a CLOSED", "b done", "c CLOSED"]);
  const next = onDisk(world.files);
  await next.queue.open();
  assert.deepEqual(await next.give(5), ["a", "b"]);
  await next.close();
});

test("in memory close() says that the message is lost", async () => {
  const world = new World();
  const publishing = world.queue.publish(messageOf("a"), { until: "acknowledged" });
  const refused = assert.rejects(publishing, /closed before the message was acknowledged: it is lost/);
  await world.close();
  await refused;
  await assert.rejects(world.queue.open(), (error) => isThinglineError(error, "CLOSED"));
});

test("a message that expires is dropped at its time, connected or not, with an event", async () => {
  const world = new World({ expiresAfterMs: 5_000 });
  world.publish("default");
  world.publish("own", { expiresAfterMs: 60_000 });
  await world.clock.advance(4_999);
  assert.deepEqual(world.outcomes, []);
  await world.clock.advance(1);
  assert.deepEqual(world.outcomes, ["default TIMEOUT"]);
  assert.deepEqual(
    world.events.map((event) => event.type === "dropped" && [event.reason, event.message.topic]),
    [["expired", "default"]],
  );
  await world.clock.advance(55_000);
  assert.deepEqual(world.outcomes, ["default TIMEOUT", "own TIMEOUT"]);
  assert.equal(world.queue.stats.expiredCount, 2);
  assert.equal(world.clock.timerCount, 0);
});

test("what expired while the device was off is dropped after the restart", async () => {
  const world = onDisk(createVirtualFiles());
  world.clock.setUnixMs(1_000_000);
  world.publish("a", { until: "stored", expiresAfterMs: 1_000 });
  world.publish("b", { until: "stored" });
  await world.clock.advance(0);
  const next = onDisk(world.files.restartProcess());
  next.clock.setUnixMs(1_001_000);
  await next.queue.open();
  assert.deepEqual(await next.give(5), ["b"]);
  assert.deepEqual(next.queue.stats.expiredCount, 1);
});

for (const overflow of ["refuseNewest", "dropOldest"] as const) {
  test(`${overflow}: one gives way, with its promise and, when it was taken already, an event`, async () => {
    const world = new World({ messagesMax: 2, overflow });
    for (const topic of ["a", "b", "c"]) world.publish(topic);
    const sent = await world.give(5);
    const isOldest = overflow === "dropOldest";
    assert.deepEqual(sent, isOldest ? ["b", "c"] : ["a", "b"]);
    assert.deepEqual(world.outcomes, [isOldest ? "a LIMIT_EXCEEDED" : "c LIMIT_EXCEEDED"]);
    assert.deepEqual(
      world.events.map(({ type }) => type),
      isOldest ? ["dropped"] : [],
    );
    assert.equal(world.queue.stats.overflowCount, isOldest ? 1 : 0);
    await world.close();
  });
}

test("what dropOldest gave up does not come back after a restart", async () => {
  const world = onDisk(createVirtualFiles(), { messagesMax: 2, overflow: "dropOldest" });
  await world.queue.open();
  for (const topic of ["a", "b", "c", "d"]) world.publish(topic, { until: "stored" });
  await world.clock.advance(0);
  const next = onDisk(world.files.restartProcess());
  await next.queue.open();
  assert.deepEqual(await next.give(5), ["c", "d"]);
});

test("a message that the session refuses is dropped and told; those behind it go on", async () => {
  const world = new World();
  world.publish("refused");
  world.publish("b");
  assert.deepEqual(await world.give(2), ["b"]);
  assert.deepEqual(world.outcomes, ["refused MQTT_PACKET_TOO_LARGE"]);
  assert.equal(world.queue.stats.refusedCount, 1);
  await world.close();
});

test("the signal takes a message out of the queue, or gives up one that was sent", async () => {
  const world = onDisk(createVirtualFiles());
  const [before, waiting, sent] = [new AbortController(), new AbortController(), new AbortController()];
  before.abort();
  world.publish("before", { signal: before.signal });
  world.publish("sent", { signal: sent.signal });
  world.publish("waiting", { signal: waiting.signal });
  await world.clock.advance(0);
  assert.deepEqual(await world.give(1), ["sent"]);
  sent.abort();
  waiting.abort();
  await world.clock.advance(0);
  assert.deepEqual(world.outcomes, ["before ABORTED", "sent ABORTED", "waiting ABORTED"]);
  assert.equal(world.abandoned, 1);
  assert.deepEqual(await world.give(5), ["sent"]);
  assert.deepEqual(await world.files.list(folder), []);
  await world.close();
});

test("a lost connection brings messages back; they go again in order and resolve once", async () => {
  const world = new World();
  for (const topic of ["a", "b", "c"]) world.publish(topic);
  await world.give(2);
  const [first, second] = world.sent.splice(0);
  first?.settle(new ThinglineError("CONNECTION_LOST", "cut"));
  second?.settle(new ThinglineError("CONNECTION_LOST", "cut"));
  assert.deepEqual(await world.give(3), ["a", "b", "c"]);
  await world.acknowledge();
  assert.deepEqual(world.outcomes, ["a done", "b done", "c done"]);
  await world.close();
});

test("a connection that the server ended: messages are taken back and go one by one, unless others are with them", async () => {
  const world = new World();
  for (const topic of ["a", "b", "c"]) world.publish(topic);
  assert.deepEqual(await world.give(3), ["a", "b", "c"]);
  world.hasOthers = true;
  world.queue.connectionEnded(true);
  assert.equal(world.sent.length, 3);
  world.hasOthers = false;
  world.queue.connectionEnded(true);
  assert.deepEqual(await world.give(3), ["a"]);
  await world.acknowledge();
  assert.deepEqual(await world.give(3), ["b", "c"]);
  await world.acknowledge();
  assert.deepEqual(world.outcomes, ["a done", "b done", "c done"]);
  await world.close();
});

test("the pace is kept by a timer, which is gone at the end", async () => {
  const world = new World({ messagesPerSecondMax: 10 });
  for (let count = 0; count < 30; count++) world.publish("t");
  assert.equal((await world.give(100)).length, 1);
  await world.clock.advance(1_000);
  assert.equal(world.sent.length, 11);
  await world.acknowledge();
  await world.close();
});

test("a folder that another process owns: who published is told, and a later attempt goes well", async () => {
  const files = createVirtualFiles();
  const lock = await files.lock(folder);
  const world = onDisk(files);
  world.publish("a");
  await world.clock.advance(0);
  assert.deepEqual(world.outcomes, ["a LOCKED"]);
  await assert.rejects(world.queue.open(), (error) => isThinglineError(error, "LOCKED"));
  await lock.release();
  world.publish("b");
  await world.clock.advance(0);
  assert.deepEqual(await world.give(1), ["b"]);
  await world.acknowledge();
  await world.close();
  await (await files.lock(folder)).release();
});

for (const overflow of ["refuseNewest", "dropOldest"] as const) {
  test(`${overflow}: before the folder was read no more is taken than the queue may hold`, async () => {
    const world = onDisk(createVirtualFiles(), { messagesMax: 2, overflow });
    for (const topic of ["a", "b", "c"]) world.publish(topic);
    await world.clock.advance(0);
    assert.deepEqual(world.outcomes, [overflow === "refuseNewest" ? "c LIMIT_EXCEEDED" : "a LIMIT_EXCEEDED"]);
    assert.equal(world.queue.stats.messageCount, 2);
    await world.close();
  });
}

test("a disk that fails rejects what it could not keep, and tells nobody else", async () => {
  const world = onDisk(createVirtualFiles());
  await world.queue.open();
  world.files.powerLossBeforeWrite(1);
  world.publish("a", { until: "stored" });
  await world.clock.advance(0);
  assert.deepEqual(world.outcomes, ["a FILE_UNREADABLE"]);
  assert.equal(world.queue.stats.messageCount, 0);
});

test("a torn tail is an event, a corrupt middle an error as well", async () => {
  const world = onDisk(createVirtualFiles());
  for (const topic of ["aaaa", "bbbb", "cccc", "dddd"]) {
    world.publish(topic, { until: "stored" });
    await world.clock.advance(0);
  }
  await world.close();
  const [name = ""] = await world.files.list(folder);
  const path = `${folder}/${name}`;
  const bytes = await world.files.read(path, { bytesMax: 1024 * 1024 });
  const at = bytes.findIndex((byte, index) => byte === 0x62 && bytes[index + 3] === 0x62);
  bytes[at] = 0;
  await world.files.replace(path, bytes.subarray(0, bytes.length - 1));
  const next = onDisk(world.files);
  await next.queue.open();
  assert.deepEqual(
    next.events.map((event) => (event.type === "damaged" ? event.damage : event.type)),
    ["corrupt", "tornTail", "restored"],
  );
  assert.deepEqual(
    next.errors.map((error) => isThinglineError(error, "STORE_CORRUPT")),
    [true],
  );
  assert.deepEqual(await next.give(5), ["aaaa", "cccc"]);
  await next.close();
});

const files = createVirtualFiles();
const wrongOptions: [name: string, options: unknown][] = [
  ["messagesMax", { messagesMax: 0 }],
  ["bytesMax", { bytesMax: 1.5 }],
  ["overflow", { overflow: "dropNewest" }],
  ["expiresAfterMs", { expiresAfterMs: 0 }],
  ["messagesPerSecondMax", { messagesPerSecondMax: 0 }],
  ["storage.folder", { storage: { files, folder: "" } }],
  ["storage.durability", { storage: { files, folder, durability: "none" } }],
  ["storage.segmentBytes", { storage: { files, folder, segmentBytes: 1 } }],
];
for (const [name, options] of wrongOptions) {
  test(`a wrong offlineQueue.${name} is refused by its name`, () => {
    assert.throws(
      () => checkOfflineQueue(options as OfflineQueueOptions),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === `offlineQueue.${name}`,
    );
  });
}

const wrongMessages: [code: ErrorCode, message: OfflineMessage][] = [
  ["TOPIC_NAME_INVALID", messageOf("a/#")],
  ["OPTION_INVALID", messageOf("a", { properties: { topicAlias: 1 } })],
  ["LIMIT_EXCEEDED", messageOf("a", { payload: new Uint8Array(17 * 1024 * 1024) })],
];
for (const [code, message] of wrongMessages) {
  test(`a message that could never be sent is refused with ${code}`, async () => {
    const world = new World();
    await assert.rejects(world.queue.publish(message, { until: "acknowledged" }), (error) =>
      isThinglineError(error, code),
    );
    await world.close();
  });
}
