// The k-th operation on the disk fails, for every k, kind of failure and length of it: what was accepted is there after a restart, what was
// acknowledged or told failed is not, once the disk is well again, and an empty journal leaves nothing and takes the next message.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { createVirtualClock, createVirtualFiles, type VirtualFiles } from "@thingline/transport/virtual";
import { Journal, type JournalEntry, scrapsMax } from "./journal.js";
import { OfflineQueue, tidyFirstMs, tidyLastMs } from "./offline-queue.js";
import { checkOfflineQueue } from "./options.js";

/** Of the operations, when not all are tried. */
const sampleStep = 6;
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const folder = "/queue";

type Action = "append" | "flush" | "remove" | "replace";
/** What is on the disk of a write that failed. */
type Left = "nothing" | "half" | "all";

interface Fault {
  /** Counts operations of all kinds from 1. */
  from: number;
  count: number;
  left: Left;
  actions: readonly Action[];
}

class Disk {
  readonly files: Files;
  readonly inner: VirtualFiles;
  operations = 0;
  isWell = false;

  constructor(fault: Fault | undefined) {
    const inner = createVirtualFiles();
    const act = async (action: Action, left: (part: Left) => Promise<void>): Promise<void> => {
      if (!this.isWell) this.operations += 1;
      const at = this.operations;
      const isHit =
        fault !== undefined &&
        !this.isWell &&
        fault.actions.includes(action) &&
        at >= fault.from &&
        at < fault.from + fault.count;
      await left(isHit ? fault.left : "all");
      if (isHit) throw new ThinglineError("FILE_UNREADABLE", `${action}: ENOSPC`);
    };
    this.inner = inner;
    this.files = {
      read: (path, options) => inner.read(path, options),
      exists: (path) => inner.exists(path),
      list: (path, options) => inner.list(path, options),
      makeFolder: (path) => inner.makeFolder(path),
      lock: (path) => inner.lock(path),
      replace: (path, content) =>
        act("replace", async (left) => {
          if (left === "all") await inner.replace(path, content);
        }),
      append: (path, content) =>
        act("append", async (left) => {
          if (left !== "nothing")
            await inner.append(path, left === "all" ? content : content.subarray(0, content.length / 2));
        }),
      flush: (path) =>
        act("flush", async (left) => {
          if (left === "all") await inner.flush(path);
        }),
      remove: (path) =>
        act("remove", async (left) => {
          if (left === "all") await inner.remove(path);
        }),
    };
  }
}

const entryOf = (sequence: number): JournalEntry => ({
  sequence,
  expiresAtUnixMs: Infinity,
  message: { topic: `t/${sequence}`, payload: new Uint8Array(60).fill(sequence), isRetained: false },
});

/** The virtual disk works in microtasks alone: they are all done before the next turn. */
function quiet(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

async function recovered(files: Files): Promise<number[]> {
  const silent = {
    stored: () => undefined,
    failed: () => undefined,
    troubled: () => undefined,
    untidy: () => undefined,
  };
  const { entries } = await Journal.open(
    { files, folder, durability: "process", segmentBytes: 1024, filesBytesMax: 1e6 },
    silent,
    1,
  );
  return entries.map(({ sequence }) => sequence);
}

/** Writes and settles, in an order that leaves old messages behind for a while, and empties it twice. */
async function run(
  disk: Disk,
  check: (where: string, is: { accepted: Set<number>; settled: Set<number> }) => Promise<void>,
) {
  const accepted = new Set<number>();
  const failed = new Set<number>();
  const settled = new Set<number>();
  let isUntidy = false;
  const { journal } = await Journal.open(
    { files: disk.files, folder, durability: "disk", segmentBytes: 300, filesBytesMax: 900 },
    {
      stored: (entries) => entries.forEach(({ sequence }) => accepted.add(sequence)),
      failed: (entries) => entries.forEach(({ sequence }) => failed.add(sequence)),
      troubled: () => undefined,
      untidy: (is) => (isUntidy = is),
    },
    1,
  );
  const script: (["write" | "settle", ...number[]] | ["quiet"])[] = [
    ["write", 1, 2],
    ["write", 3, 4, 5],
    ["settle", 2, 3],
    ["write", 6, 7, 8, 9],
    ["settle", 1],
    ["settle", 5, 6, 7],
    ["write", 10, 11, 12, 13, 14, 15],
    ["settle", 4, 8, 9, 10, 11, 12, 13, 14, 15],
    ["write", 16, 17],
    ["settle", 16, 17],
  ];
  for (const [action, ...sequences] of script) {
    for (const sequence of sequences as number[]) {
      if (action === "write") journal.write(entryOf(sequence));
      else if (accepted.has(sequence)) {
        journal.settle(sequence);
        settled.add(sequence);
      }
    }
    await quiet();
    await check(`after ${action} ${sequences.join(",")}`, { accepted, settled });
  }
  return { journal, accepted, failed, settled, isUntidy: () => isUntidy };
}

const kinds: Omit<Fault, "from" | "count">[] = [
  { left: "nothing", actions: ["append", "replace"] },
  { left: "half", actions: ["append", "replace"] },
  { left: "all", actions: ["append", "flush", "replace"] },
  { left: "nothing", actions: ["flush"] },
  { left: "nothing", actions: ["remove"] },
  { left: "nothing", actions: ["append", "flush", "remove", "replace"] },
  { left: "half", actions: ["append", "flush", "remove", "replace"] },
];

describe("a disk that fails and recovers", () => {
  kinds.forEach((kind, index) => {
    for (const count of [1, 4, 1000]) {
      test(`${kind.actions.join(", ")} fail ${count} times and leave ${kind.left}, from any operation on`, async () => {
        const sound = new Disk(undefined);
        await run(sound, () => Promise.resolve());
        for (
          let from = isLong ? 1 : 1 + ((index + count) % sampleStep);
          from <= sound.operations;
          from += isLong ? 1 : sampleStep
        ) {
          const disk = new Disk({ ...kind, from, count });
          const world = await run(disk, async (where, { accepted, settled }) => {
            const there = new Set(await recovered(copyOf(disk)));
            for (const sequence of accepted) {
              assert.ok(settled.has(sequence) || there.has(sequence), `${sequence} is lost ${where}, from ${from}`);
            }
          });
          // The disk is well again, and nobody publishes: the timer of the queue.
          disk.isWell = true;
          world.journal.tidy();
          await quiet();
          assert.ok(!world.isUntidy(), `untidy, from ${from}`);
          assert.deepEqual(await disk.inner.list(folder), [], `from ${from}`);
          world.journal.write(entryOf(20));
          await quiet();
          assert.ok(world.accepted.has(20), `not writable again, from ${from}`);
          assert.deepEqual(await recovered(copyOf(disk)), [20], `from ${from}`);
          await world.journal.close();
        }
      });
    }
  });
});

/** As another process would find it, the lock gone. */
function copyOf(disk: Disk): VirtualFiles {
  return createVirtualFiles({ content: disk.inner.snapshot() });
}

/** A disk of so many bytes: a write takes what fits. */
function diskOf(capacityBytes: () => number): { files: Files; inner: VirtualFiles } {
  const inner = createVirtualFiles();
  const used = (): number => Object.values(inner.snapshot()).reduce((sum, { length }) => sum + length, 0);
  const files: Files = {
    read: (path, options) => inner.read(path, options),
    exists: (path) => inner.exists(path),
    list: (path, options) => inner.list(path, options),
    makeFolder: (path) => inner.makeFolder(path),
    lock: (path) => inner.lock(path),
    flush: (path) => inner.flush(path),
    remove: (path) => inner.remove(path),
    async replace(path, content) {
      if (used() + content.length > capacityBytes()) throw new ThinglineError("FILE_UNREADABLE", "ENOSPC");
      await inner.replace(path, content);
    },
    async append(path, content) {
      const free = Math.max(0, capacityBytes() - used());
      await inner.append(path, content.subarray(0, free));
      if (content.length > free) throw new ThinglineError("FILE_UNREADABLE", "ENOSPC");
    },
  };
  return { files, inner };
}

test("a disk that fills up while messages wait: they are delivered, the folder is empty, and it takes messages again", async () => {
  for (let ticks = 0; ticks < 16; ticks++) {
    const overheadBytes = [0, 10, 40, 100, 400][ticks % 5] as number;
    let capacityBytes = 1e9;
    const { files, inner } = diskOf(() => capacityBytes);
    const clock = createVirtualClock();
    let room = 0;
    const sent: (() => void)[] = [];
    const queue = new OfflineQueue(
      checkOfflineQueue({ messagesPerSecondMax: Infinity, storage: { files, folder, segmentBytes: 1024 } }),
      clock,
      {
        hasRoom: () => room > 0,
        send: (_, settle) => {
          room -= 1;
          sent.push(() => settle(undefined));
          return { abandon: () => undefined, takeBack: () => undefined };
        },
        holdsOnly: () => true,
        emit: () => undefined,
        report: () => undefined,
        guard: (handle) => handle(),
      },
    );
    const publish = (topic: string): Promise<void> =>
      queue.publish({ topic, payload: new Uint8Array(50), isRetained: false }, { until: "stored" });
    for (let number = 0; number < 30; number++) await publish(`t/${number}`);
    capacityBytes = Object.values(inner.snapshot()).reduce((sum, { length }) => sum + length, overheadBytes);
    // Some are refused now, and nothing else than the disk is at fault.
    await Promise.allSettled([publish("full/1"), publish("full/2"), publish("full/3"), publish("full/4")]);
    // The acknowledgements of the last ones come while the word of the first cannot be written.
    room = 100;
    queue.pump();
    const settles = sent.splice(0);
    for (const settle of settles.splice(0, 3)) settle();
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    for (const settle of settles) settle();
    await clock.advance(0);
    assert.equal(queue.stats.messageCount, 0);
    assert.deepEqual(await inner.list(folder), [], `${overheadBytes} bytes were free, ${ticks} microtasks in between`);
    capacityBytes = 4096;
    await publish("again");
    await queue.close();
    await clock.advance(0);
    assert.equal(clock.timerCount, 0);
    assert.equal((await recovered(createVirtualFiles({ content: inner.snapshot() }))).length, 1);
  }
});

test("failed writes leave scrapsMax files; the next is refused without one, until they can be removed", async () => {
  const disk = new Disk({ from: 1, count: 1_000_000, left: "half", actions: ["append", "remove"] });
  const appended: string[] = [];
  const append: Files["append"] = (path, content) => {
    appended.push(path);
    return disk.files.append(path, content);
  };
  const failed: number[] = [];
  const { journal } = await Journal.open(
    { files: { ...disk.files, append }, folder, durability: "disk", segmentBytes: 300, filesBytesMax: 900 },
    {
      stored: () => assert.fail("nothing can be stored"),
      failed: (entries) => failed.push(...entries.map(({ sequence }) => sequence)),
      troubled: () => undefined,
      untidy: () => undefined,
    },
    1,
  );
  const sequences = Array.from({ length: 3 * scrapsMax }, (_, index) => index + 1);
  const counts: number[] = [];
  for (const sequence of sequences) {
    journal.write(entryOf(sequence));
    await quiet();
    counts.push((await disk.inner.list(folder)).length);
  }
  assert.deepEqual(failed, sequences);
  assert.equal(Math.max(...counts), scrapsMax);
  assert.equal(counts.at(-1), scrapsMax);
  assert.equal(new Set(appended).size, scrapsMax, "nothing more is begun");
  disk.isWell = true;
  journal.tidy();
  await quiet();
  assert.deepEqual(await disk.inner.list(folder), []);
  await journal.close();
});

test("what could not be written down is tried again by itself, and never in a hurry", async () => {
  const disk = new Disk({ from: 1, count: 1_000_000, left: "nothing", actions: ["remove"] });
  const clock = createVirtualClock();
  const delays: number[] = [];
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (delayMs, callback) => {
    delays.push(delayMs);
    return setTimer(delayMs, callback);
  };
  const reports: unknown[] = [];
  const queue = new OfflineQueue(checkOfflineQueue({ storage: { files: disk.files, folder } }), clock, {
    hasRoom: () => true,
    send: (_, settle) => {
      queueMicrotask(() => settle(undefined));
      return { abandon: () => undefined, takeBack: () => undefined };
    },
    holdsOnly: () => true,
    emit: () => undefined,
    report: (error) => void reports.push(error),
    guard: (handle) => handle(),
  });
  await queue.publish({ topic: "a", payload: new Uint8Array(5), isRetained: false }, { until: "acknowledged" });
  await clock.advance(0);
  assert.notDeepEqual(await disk.inner.list(folder), []);
  assert.deepEqual(await recovered(copyOf(disk)), [], "the file stays, with the word that nothing in it counts");
  const before = disk.operations;
  await clock.advance(600_000);
  assert.ok(disk.operations - before < 100, `${disk.operations - before} operations in ten minutes`);
  const rising: number[] = [];
  for (let delayMs = tidyFirstMs; delayMs < tidyLastMs; delayMs *= 2) rising.push(delayMs);
  assert.deepEqual(delays.slice(0, rising.length), rising);
  assert.ok(delays.length > rising.length && delays.slice(rising.length).every((delayMs) => delayMs === tidyLastMs));
  assert.ok(reports.length <= 2, "told once for the removal, and once more after a write went well");
  disk.isWell = true;
  await clock.advance(60_000);
  assert.deepEqual(await disk.inner.list(folder), []);
  assert.equal(clock.timerCount, 0);
  await queue.close();
});
