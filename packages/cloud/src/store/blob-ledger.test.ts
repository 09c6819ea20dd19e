import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isThinglineError } from "@thingline/protocol";
import { BlobBlocks } from "./blob-blocks.js";
import { BlobLedger } from "./blob-ledger.js";
import { createMemoryBlobStore, memoryBlobBytesTotalMax } from "./blob-memory.js";
import { snapshotBlobBytesMax, takeBlobs } from "./blob-snapshot.js";
import { blobBytesMax, blobBytesTotalMax, blobsMax, type BlobKey, type BlobStore } from "./blobs.js";

const bytesMax = 1_000;
const key = (name: string): BlobKey => ["123456789012", "us-east-1", "service", name];
/** Only its length is looked at. */
const ofLength = (length: number) => ({ length, slice: () => new Uint8Array(0) }) as unknown as Uint8Array;
const exceeds = (limit: string) => (error: unknown) =>
  isThinglineError(error, "LIMIT_EXCEEDED") && error.details["limit"] === limit;

async function take(ledger: BlobLedger, name: string, bytes: number): Promise<void> {
  const put = ledger.beginPut(key(name), { bytesMax: blobBytesMax });
  try {
    for await (const _ of put.take([ofLength(bytes)]));
    put.done();
  } finally {
    put.dropped();
  }
}

test("one blob has blobBytesMax bytes at most", async () => {
  const ledger = new BlobLedger();
  await take(ledger, "largest", blobBytesMax);
  await assert.rejects(take(ledger, "larger", blobBytesMax + 1), exceeds("bytesMax"));
  const more = { bytesMax: blobBytesMax + 1 };
  assert.throws(
    () => ledger.beginPut(key("more"), more),
    (error) => isThinglineError(error, "OPTION_INVALID"),
  );
});

test("all together have blobBytesTotalMax bytes at most", async () => {
  const ledger = new BlobLedger();
  ledger.add({ key: key("there"), bytes: blobBytesTotalMax - 2 });
  await assert.rejects(take(ledger, "too much", 3), exceeds("blobBytesTotalMax"));
  await take(ledger, "just right", 2);
  assert.equal(ledger.bytesTotal, blobBytesTotalMax);
  await take(ledger, "empty", 0);
  await assert.rejects(take(ledger, "one byte", 1), exceeds("blobBytesTotalMax"));
});

test("there are blobsMax blobs at most", async () => {
  const ledger = new BlobLedger();
  for (let count = 1; count < blobsMax; count++) ledger.add({ key: key(String(count)), bytes: 0 });
  await take(ledger, "last", 0);
  await assert.rejects(take(ledger, "one more", 0), exceeds("blobsMax"));
  ledger.remove(key("7"));
  await take(ledger, "in its place", 0);
});

test("in memory all together have memoryBlobBytesTotalMax bytes at most", async () => {
  const store = createMemoryBlobStore({ sha256: () => new Uint8Array(32) });
  const most = { bytesMax: blobBytesMax };
  await store.put(key("a"), [ofLength(memoryBlobBytesTotalMax - 1)], most);
  await store.put(key("b"), [ofLength(1)], most);
  await assert.rejects(store.put(key("c"), [ofLength(1)], most), exceeds("blobBytesTotalMax"));
});

test("a snapshot carries snapshotBlobBytesMax bytes of blobs, and names what has one more", async () => {
  const carried = async (bytes: number) => {
    const store: Pick<BlobStore, "list" | "read"> = {
      list: async (_prefix, { after }) => (after === undefined ? [{ key: key("one"), bytes }] : []),
      read: async () => ({ bytes, sha256: "", start: 0, end: 0, chunks: (async function* () {})() }),
    };
    return Object.keys(await takeBlobs(store as BlobStore));
  };
  assert.deepEqual(await carried(snapshotBlobBytesMax), ["blobs"]);
  assert.deepEqual(await carried(snapshotBlobBytesMax + 1), ["blobsLeftOut"]);
});

test("nothing is kept of a put that is over", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const ledger = new BlobLedger();
  const signals: WeakRef<AbortSignal>[] = [];
  for (let count = 0; count < 40; count++) {
    const { signal } = new AbortController();
    signals.push(new WeakRef(signal));
    const put = ledger.beginPut(key(String(count)), { bytesMax, signal });
    for await (const _ of put.take([new Uint8Array(1)]));
    put.done();
  }
  // A reference holds for the turn in which it was made.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const left = signals.filter((signal) => signal.deref() !== undefined).length;
  assert.ok(left <= 2, `${left} are kept`);
});

test("an empty chunk is nothing that anybody gets", async () => {
  const put = new BlobLedger().beginPut(key("x"), { bytesMax });
  const lengths: number[] = [];
  for await (const { length } of put.take([0, 2, 0, 0, 1, 0].map((length) => new Uint8Array(length))))
    lengths.push(length);
  assert.deepEqual(lengths, [2, 1]);
  put.dropped();
});

test("many small chunks are kept as few blocks, in their order, beside large ones", () => {
  const blocks = new BlobBlocks();
  const all: number[] = [];
  const add = (length: number): void => {
    const chunk = Uint8Array.from({ length }, () => all.length & 255);
    all.push(...chunk);
    blocks.add(chunk);
    chunk.fill(0);
  };
  for (let count = 0; count < 70_000; count++) add(1);
  assert.equal(blocks.count, 2);
  for (const length of [5_000, 3, 4_095, 0, 4_096, 1]) add(length);
  assert.deepEqual(blocks.whole(), Uint8Array.from(all));
});

test("a snapshot knows nothing of a blob that is deleted while it is taken", async () => {
  const store = createMemoryBlobStore({ sha256: () => new Uint8Array(32) });
  for (const name of ["before", "meanwhile", "stays"]) await store.put(key(name), [new Uint8Array(1)], { bytesMax });
  const read = store.read.bind(store);
  store.read = async (one) => {
    if (one[3] === "before") await store.delete(one);
    const reading = await read(one);
    if (one[3] === "meanwhile") await store.delete(one);
    return reading;
  };
  const { blobs = [], blobsLeftOut } = await takeBlobs(store);
  assert.deepEqual([blobs.map(([[, , , name]]) => name), blobsLeftOut], [["stays"], undefined]);
});
