import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { createVirtualFiles, createVirtualRandom, type VirtualFiles } from "@thingline/transport/virtual";
import { Journal, type JournalEntry, type OpenedJournal } from "./journal.js";
import { journalFileBytesMax, segmentPath } from "./journal-segments.js";
import type { OfflineDurability } from "./types.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const folder = "/queue";
const startUnixMs = 1_700_000_000_000;

function entryOf(sequence: number, payloadBytes = 20): JournalEntry {
  const payload = new Uint8Array(payloadBytes).fill(sequence);
  return { sequence, expiresAtUnixMs: Infinity, message: { topic: `t/${sequence}`, payload, isRetained: false } };
}

interface Opened extends OpenedJournal {
  stored: Set<number>;
  failed: Map<number, unknown>;
  troubles: unknown[];
}

async function open(
  files: Files,
  options: Partial<{ durability: OfflineDurability; segmentBytes: number; filesBytesMax: number }> = {},
): Promise<Opened> {
  const stored = new Set<number>();
  const failed = new Map<number, unknown>();
  const troubles: unknown[] = [];
  const opened = await Journal.open(
    { files, folder, durability: "disk", segmentBytes: 300, filesBytesMax: 100_000, ...options },
    {
      stored: (entries) => entries.forEach(({ sequence }) => stored.add(sequence)),
      failed: (entries, error) => entries.forEach(({ sequence }) => failed.set(sequence, error)),
      troubled: (error) => void troubles.push(error),
      untidy: () => undefined,
    },
    startUnixMs,
  );
  return { ...opened, stored, failed, troubles };
}

/** Every write of the virtual disk takes a few microtasks; nothing else is waited for. */
async function quiet(): Promise<void> {
  for (let tick = 0; tick < 100; tick++) await Promise.resolve();
}

const sequencesOf = ({ entries }: OpenedJournal): number[] => entries.map(({ sequence }) => sequence);

test("what was written is there after a restart, in order and byte for byte, in files of mode 0600", async () => {
  const files = createVirtualFiles();
  const { journal, stored } = await open(files);
  for (let sequence = 1; sequence <= 20; sequence++) journal.write(entryOf(sequence));
  await quiet();
  assert.equal(stored.size, 20);
  const paths = Object.keys(files.snapshot());
  assert.ok(paths.length > 3, "files have a bounded size");
  for (const path of paths) assert.equal(files.modeOf(path), 0o600);
  const again = await open(files.restartProcess());
  assert.deepEqual(
    again.entries,
    Array.from({ length: 20 }, (_, index) => entryOf(index + 1)),
  );
  assert.deepEqual([again.nextSequence, again.damages], [21, []]);
});

test("a file goes when all its messages are settled and no older one is left; at the end none is", async () => {
  const files = createVirtualFiles();
  const { journal } = await open(files);
  for (let sequence = 1; sequence <= 20; sequence++) journal.write(entryOf(sequence));
  await quiet();
  const before = (await files.list(folder)).length;
  for (let sequence = 2; sequence <= 10; sequence++) journal.settle(sequence);
  await quiet();
  assert.ok((await files.list(folder)).length >= before, "the first message keeps its file, and those behind it");
  const cut = await open(files.restartProcess());
  assert.deepEqual(sequencesOf(cut), [1, ...Array.from({ length: 10 }, (_, index) => index + 11)]);

  const next = cut.journal;
  for (const sequence of sequencesOf(cut)) next.settle(sequence);
  await next.close();
});

test("when everything is settled the folder is empty, and the next message begins a new file", async () => {
  const files = createVirtualFiles();
  const { journal, stored } = await open(files);
  journal.write(entryOf(1));
  journal.write(entryOf(2));
  await quiet();
  journal.settle(1);
  journal.settle(2);
  await quiet();
  assert.deepEqual(await files.list(folder), []);
  journal.write(entryOf(3));
  await quiet();
  assert.deepEqual([...stored], [1, 2, 3]);
  assert.deepEqual(sequencesOf(await open(files.restartProcess())), [3]);
});

test("a message settled before it was written is not written, and one settled meanwhile does not come back", async () => {
  const files = createVirtualFiles();
  const { journal, stored } = await open(files);
  journal.write(entryOf(1));
  journal.settle(1);
  await quiet();
  assert.deepEqual([files.writeCount, stored.size], [0, 0]);

  for (let ticks = 1; ticks < 12; ticks++) {
    const disk = createVirtualFiles();
    const { journal: busy } = await open(disk);
    busy.write(entryOf(1));
    busy.write(entryOf(2));
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    busy.settle(1);
    await quiet();
    assert.deepEqual(sequencesOf(await open(disk.restartProcess())), [2], `after ${ticks} microtasks`);
    busy.settle(2);
    await quiet();
  }
});

test("writes of one turn go together: one append and one flush", async () => {
  const files = createVirtualFiles();
  const { journal } = await open(files, { segmentBytes: 100_000 });
  for (let sequence = 1; sequence <= 100; sequence++) journal.write(entryOf(sequence));
  await quiet();
  assert.equal(files.writeCount, 2);
  const inProcess = createVirtualFiles();
  const { journal: unflushed } = await open(inProcess, { segmentBytes: 100_000, durability: "process" });
  for (let sequence = 1; sequence <= 100; sequence++) unflushed.write(entryOf(sequence));
  await quiet();
  assert.equal(inProcess.writeCount, 1);
});

/** Publishes and settles until the power goes; returns what was promised. */
async function runUntilCut(files: VirtualFiles, durability: OfflineDurability) {
  const { journal, stored, failed } = await open(files, { durability, segmentBytes: 200, filesBytesMax: 700 });
  const settled = new Set<number>();
  for (let round = 0; round < 6; round++) {
    for (let index = 1; index <= 4; index++) journal.write(entryOf(round * 4 + index));
    await quiet();
    // One of each round stays, so that files pile up and the journal is written anew.
    for (let index = 2; index <= 4; index++) {
      const sequence = round * 4 + index;
      if (!stored.has(sequence)) continue;
      settled.add(sequence);
      journal.settle(sequence);
    }
    await quiet();
  }
  return { stored, settled, failed };
}

for (const durability of ["disk", "process"] as const) {
  test(`${durability}: cut at any write, what was stored is there, and nothing else that was not published`, async () => {
    const counting = createVirtualFiles();
    await runUntilCut(counting, durability);
    const writes = counting.writeCount;
    assert.ok(writes > 30);
    for (let cut = 1; cut <= writes; cut++) {
      for (let seed = cut; seed < cut + (isLong ? 20 : 1); seed++) {
        const files = createVirtualFiles({ random: createVirtualRandom(seed), powerLossBeforeWrite: cut });
        const { stored, settled } = await runUntilCut(files, durability);
        // Only a flush survives the power; what was written survives the process.
        const disk = durability === "disk" ? files.restart() : files.restartProcess();
        const found = await open(disk);
        const sequences = sequencesOf(found);
        const where = `seed ${seed}, cut before write ${cut}`;
        for (const sequence of stored) {
          if (!settled.has(sequence)) assert.ok(sequences.includes(sequence), `${sequence} is lost: ${where}`);
        }
        assert.deepEqual(
          sequences,
          [...sequences].sort((a, b) => a - b),
          where,
        );
        for (const entry of found.entries) assert.deepEqual(entry, entryOf(entry.sequence), where);
        for (const { damage } of found.damages) assert.equal(damage, "tornTail", where);
        // The journal works on, and its damage is told once.
        found.journal.write(entryOf(found.nextSequence));
        await quiet();
        const again = await open(durability === "disk" ? disk.restart() : disk.restartProcess());
        assert.deepEqual(sequencesOf(again), [...sequences, found.nextSequence], where);
        assert.deepEqual(again.damages, [], where);
      }
    }
  });
}

test("a journal whose oldest message is never settled is written anew, and stays bounded", async () => {
  const files = createVirtualFiles();
  const { journal } = await open(files, { segmentBytes: 300, filesBytesMax: 2_000 });
  journal.write(entryOf(1));
  for (let sequence = 2; sequence <= 200; sequence++) {
    journal.write(entryOf(sequence));
    await quiet();
    journal.settle(sequence);
    await quiet();
    assert.ok(journal.filesBytes < 3_000, `${journal.filesBytes} bytes for one message`);
  }
  assert.deepEqual(sequencesOf(await open(files.restartProcess())), [1]);
});

test("a corrupt middle costs its message; the rest is there, and the damage is told once", async () => {
  const files = createVirtualFiles();
  const { journal } = await open(files, { segmentBytes: 100_000 });
  for (let sequence = 1; sequence <= 5; sequence++) journal.write(entryOf(sequence));
  await journal.close();
  const [path = ""] = Object.keys(files.snapshot());
  const bytes = await files.read(path, { bytesMax: journalFileBytesMax });
  // A byte of the third message's payload.
  const at = bytes.findIndex((byte, index) => byte === 3 && bytes[index + 1] === 3 && bytes[index + 2] === 3);
  bytes[at] = 7;
  await files.replace(path, bytes);
  const found = await open(files);
  assert.deepEqual(sequencesOf(found), [1, 2, 4, 5]);
  assert.deepEqual(
    found.damages.map(({ damage }) => damage),
    ["corrupt"],
  );
  await found.journal.close();
  assert.deepEqual((await open(files)).damages, []);
});

test("a folder has one owner, and is free after close()", async () => {
  const files = createVirtualFiles();
  const { journal } = await open(files);
  await assert.rejects(open(files), (error) => isThinglineError(error, "LOCKED"));
  journal.write(entryOf(1));
  await journal.close();
  assert.deepEqual(sequencesOf(await open(files)), [1]);
});

test("a folder that cannot be read is told, and not kept", async () => {
  const files = createVirtualFiles({ content: { [segmentPath(folder, 5)]: "x" } });
  let isBroken = true;
  const broken: Files = {
    ...faulty(files, () => undefined),
    read: async (path) => {
      if (isBroken) throw new ThinglineError("FILE_UNREADABLE", "EIO");
      return files.read(path, { bytesMax: journalFileBytesMax });
    },
  };
  await assert.rejects(open(broken), (error) => isThinglineError(error, "FILE_UNREADABLE"));
  isBroken = false;
  assert.equal((await open(broken)).damages.length, 1);
});

/** The disk fails at what `fault` throws for. */
function faulty(files: Files, fault: (action: string, path: string) => void): Files {
  return {
    read: (path, options) => files.read(path, options),
    exists: (path) => files.exists(path),
    list: (path, options) => files.list(path, options),
    makeFolder: (path) => files.makeFolder(path),
    lock: (path) => files.lock(path),
    async replace(path, content, options) {
      fault("replace", path);
      await files.replace(path, content, options);
    },
    async append(path, content, options) {
      // A full disk takes a part.
      try {
        fault("append", path);
      } catch (error) {
        await files.append(path, content.subarray(0, content.length / 2), options);
        throw error;
      }
      await files.append(path, content, options);
    },
    async flush(path) {
      fault("flush", path);
      await files.flush(path);
    },
    async remove(path) {
      fault("remove", path);
      await files.remove(path);
    },
  };
}

for (const broken of ["append", "flush"]) {
  test(`when ${broken} fails the message is told failed and does not come back; the next one is stored`, async () => {
    const files = createVirtualFiles();
    let isBroken = false;
    const disk = faulty(files, (action) => {
      if (isBroken && action === broken) throw new ThinglineError("FILE_UNREADABLE", "ENOSPC");
    });
    const { journal, stored, failed } = await open(disk);
    journal.write(entryOf(1));
    await quiet();
    isBroken = true;
    journal.write(entryOf(2));
    await quiet();
    journal.write(entryOf(3));
    await quiet();
    assert.deepEqual([[...stored], [...failed.keys()]], [[1], [2, 3]]);
    isBroken = false;
    journal.write(entryOf(4));
    await quiet();
    assert.deepEqual([...stored], [1, 4]);
    assert.deepEqual(sequencesOf(await open(files.restart())), [1, 4]);
  });
}

test("a disk that stays full leaves no file behind for each message", async () => {
  const files = createVirtualFiles();
  const disk = faulty(files, (action) => {
    if (action === "append") throw new ThinglineError("FILE_UNREADABLE", "ENOSPC");
  });
  const { journal, failed } = await open(disk);
  for (let sequence = 1; sequence <= 50; sequence++) {
    journal.write(entryOf(sequence));
    await quiet();
  }
  assert.equal(failed.size, 50);
  assert.ok((await files.list(folder)).length <= 1);
  await journal.close();
});

test("a file that cannot be removed is told once, and removed later", async () => {
  const files = createVirtualFiles();
  let isBroken = true;
  const disk = faulty(files, (action) => {
    if (isBroken && action === "remove") throw new ThinglineError("FILE_UNREADABLE", "EROFS");
  });
  const { journal, troubles } = await open(disk);
  for (let sequence = 1; sequence <= 3; sequence++) {
    journal.write(entryOf(sequence));
    await quiet();
    journal.settle(sequence);
    await quiet();
  }
  assert.ok(troubles.length >= 1);
  isBroken = false;
  journal.write(entryOf(4));
  await quiet();
  journal.settle(4);
  await quiet();
  assert.deepEqual(await files.list(folder), []);
});
