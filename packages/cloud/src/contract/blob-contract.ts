import type { ContractHarness } from "@thingline/transport/contract";
import { codeOf } from "@thingline/transport/contract";
import { blobKeyPartBytesMax, blobPutsMax, blobReadsMax, iterateBlobs } from "../store/blobs.js";
import type { BlobKey, BlobLimits, BlobStore } from "../store/blobs.js";

export interface BlobWorld {
  store: BlobStore;
  /** Closes the store and opens it again, as a process that starts; undefined where nothing is kept. */
  reopen?: () => Promise<BlobStore>;
  close: () => Promise<void>;
}

const key = (name: string): BlobKey => ["123456789012", "us-east-1", "service", name];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const bytesMax = 1_000_000;
/** Of "hello". */
const helloDigest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Larger than what is read at once, and different everywhere. */
const long = Uint8Array.from({ length: 150_000 }, (_, at) => (at * 7 + (at >> 8)) & 255);

async function readAll(store: BlobStore, of: BlobKey, range?: { start?: number; end?: number }): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of (await store.read(of, range))?.chunks ?? []) parts.push(chunk);
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function* inPieces(content: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
}

/** Gives one chunk and then nothing for ever. */
function stalled(): { chunks: AsyncIterable<Uint8Array>; begun: Promise<void> } {
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  async function* chunks() {
    yield bytes("half");
    begin();
    await new Promise<never>(() => undefined);
  }
  return { chunks: chunks(), begun };
}

/** Holds a {@link BlobStore} to the interface. */
export function blobContract(
  { test, assert }: ContractHarness,
  name: string,
  open: (limits?: BlobLimits) => Promise<BlobWorld>,
): void {
  const testIn = (sentence: string, body: (world: BlobWorld) => Promise<void>, limits?: BlobLimits): unknown =>
    test(`${name}: ${sentence}`, async () => {
      const world = await open(limits);
      try {
        await body(world);
      } finally {
        await world.close();
      }
    });

  testIn("what was put is read back, with its length and digest", async ({ store }) => {
    const facts = await store.put(key("hello"), [bytes("hel"), bytes(""), bytes("lo")], { bytesMax });
    assert.deepEqual(facts, { bytes: 5, sha256: helloDigest });
    assert.deepEqual(await store.stat(key("hello")), facts);
    assert.deepEqual(await readAll(store, key("hello")), bytes("hello"));
    assert.deepEqual(await store.put(key("empty"), [], { bytesMax: 0 }), { bytes: 0, sha256: emptyDigest });
    assert.deepEqual(await readAll(store, key("empty")), bytes(""));
    await store.put(key("long"), inPieces(long, 9_999), { bytesMax });
    assert.deepEqual(await readAll(store, key("long")), long);
    assert.equal(store.bytesTotal, 5 + long.length);
    assert.equal(await store.stat(key("none")), undefined);
    assert.equal(await store.read(key("none")), undefined);
  });

  testIn("any part can be read, and what it says of itself is true", async ({ store }) => {
    await store.put(key("long"), [long], { bytesMax });
    const ranges = [
      {},
      { start: 0, end: 0 },
      { start: 1 },
      { end: 1 },
      { start: 65_535, end: 65_537 },
      { start: 149_999 },
    ];
    for (const range of [
      ...ranges,
      { start: 70_000, end: 140_000 },
      { start: 150_000 },
      { start: 9e9 },
      { end: 9e9 },
    ]) {
      const { start, end, bytes: whole } = (await store.read(key("long"), range))!;
      const expected = long.slice(range.start ?? 0, range.end ?? long.length);
      assert.deepEqual(await readAll(store, key("long"), range), expected, JSON.stringify(range));
      assert.deepEqual([end - start, whole], [expected.length, long.length]);
    }
    for (const range of [{ start: -1 }, { start: 2, end: 1 }, { start: 0.5 }, { end: NaN }]) {
      assert.equal(await codeOf(store.read(key("long"), range)), "OPTION_INVALID", JSON.stringify(range));
    }
  });

  testIn("what the caller or the reader changes afterwards changes no blob", async ({ store }) => {
    const content = bytes("hello");
    const putting = store.put(key("hello"), [content], { bytesMax });
    await putting;
    content.fill(0);
    for await (const chunk of (await store.read(key("hello")))!.chunks) chunk.fill(1);
    assert.deepEqual(await readAll(store, key("hello")), bytes("hello"));
  });

  testIn("a name is used once", async ({ store }) => {
    await store.put(key("hello"), [bytes("one")], { bytesMax });
    assert.equal(await codeOf(store.put(key("hello"), [bytes("two")], { bytesMax })), "STORE_CONFLICT");
    assert.deepEqual(await readAll(store, key("hello")), bytes("one"));
    const both = [bytes("a"), bytes("b")].map((content) => codeOf(store.put(key("x"), [content], { bytesMax })));
    assert.deepEqual(await Promise.all(both), ["none", "STORE_CONFLICT"]);
    await store.delete(key("hello"));
    await store.put(key("hello"), [bytes("three")], { bytesMax });
    assert.deepEqual(await readAll(store, key("hello")), bytes("three"));
  });

  testIn(
    "a put that does not come to its end leaves nothing, and gives its name and its room back",
    async ({ store }) => {
      const names = ["too large", "source failed", "aborted", "aborted before"];
      assert.equal(
        await codeOf(store.put(key(names[0]!), [bytes("12345"), bytes("6")], { bytesMax: 5 })),
        "LIMIT_EXCEEDED",
      );
      async function* failing() {
        yield bytes("half");
        throw new Error("the source failed");
      }
      const failure = await store.put(key(names[1]!), failing(), { bytesMax }).catch((error: unknown) => String(error));
      assert.equal(failure, "Error: the source failed");
      const abort = new AbortController();
      const { chunks, begun } = stalled();
      const aborted = codeOf(store.put(key(names[2]!), chunks, { bytesMax, signal: abort.signal }));
      await begun;
      assert.equal(await store.stat(key(names[2]!)), undefined, "what is being put cannot be seen");
      assert.deepEqual(await store.list([], { limit: 9 }), []);
      abort.abort();
      assert.equal(await aborted, "ABORTED");
      assert.equal(await codeOf(store.put(key(names[3]!), [], { bytesMax, signal: abort.signal })), "ABORTED");
      assert.equal(store.bytesTotal, 0);
      for (const one of names) await store.put(key(one), [bytes(one)], { bytesMax });
      assert.equal((await store.list([], { limit: 9 })).length, names.length);
    },
  );

  testIn("empty chunks are nothing, and many small ones are put as few large ones", async ({ store }) => {
    const [empty, content] = [new Uint8Array(0), long.subarray(0, 2_000)];
    async function* chunks() {
      for await (const one of inPieces(content, 1)) yield* [empty, one];
      yield long;
      yield empty;
    }
    const { bytes: total } = await store.put(key("small"), chunks(), { bytesMax });
    assert.equal(total, content.length + long.length);
    assert.deepEqual(await readAll(store, key("small")), Uint8Array.from([...content, ...long]));
  });

  testIn("a deleted blob is gone, and whoever had begun to read it reads on", async ({ store }) => {
    await store.put(key("long"), [long], { bytesMax });
    const parts: Uint8Array[] = [];
    for await (const chunk of (await store.read(key("long")))!.chunks) {
      if (parts.length === 0) await store.delete(key("long"));
      parts.push(chunk);
    }
    assert.equal(
      parts.reduce((sum, { length }) => sum + length, 0),
      long.length,
    );
    assert.equal(await store.stat(key("long")), undefined);
    assert.equal(store.bytesTotal, 0);
    await store.delete(key("long"));
  });

  testIn("a blob that is deleted while it is looked for is not there, and is not called damaged", async ({ store }) => {
    for (let round = 0; round < 20; round++) {
      const one = key(String(round));
      await store.put(one, [bytes("hello")], { bytesMax });
      const reading = await store.read(one);
      const deleting = [store.delete(one), store.delete(one)];
      const seen = await Promise.all([store.stat(one), store.stat(one), store.stat(one)]);
      assert.ok(seen.every((facts) => facts === undefined || facts.sha256 === helloDigest));
      await Promise.all(deleting);
      assert.equal(await codeOf(reading!.chunks[Symbol.asyncIterator]().next()), "RESOURCE_NOT_FOUND");
    }
    assert.equal(store.bytesTotal, 0);
  });

  testIn(
    "blobs are listed below a prefix, in order, page by page; no name of one is in another's way",
    async ({ store }) => {
      const names = [
        "a",
        "A",
        "a/b",
        "..",
        "../../etc/passwd",
        "con",
        ".put",
        "b-a",
        "_61",
        "ä",
        "名",
        " ",
        "a\n",
        "%41",
        "x".repeat(80),
      ];
      for (const one of names) await store.put(key(one), [bytes(one)], { bytesMax });
      await store.put(["123456789012", "us-east-1", "servic", "e"], [bytes("1")], { bytesMax });
      await store.put(["123456789012", "us-east-12", "service", "e"], [bytes("2")], { bytesMax });
      await store.put(["000000000000", "..", "/", "\\"], [bytes("3")], { bytesMax });
      for (const one of names) assert.deepEqual(await readAll(store, key(one)), bytes(one), one);
      const found = await store.list(key("").slice(0, 3), { limit: 99 });
      assert.deepEqual(found.map((entry) => entry.key[3]).sort(), [...names].sort());
      assert.ok(found.every((entry) => entry.bytes === bytes(entry.key[3]).length));
      const paged: string[] = [];
      for (let after: BlobKey | undefined; ;) {
        const page = await store.list(key("").slice(0, 3), { limit: 4, ...(after && { after }) });
        paged.push(...page.map((entry) => entry.key[3]));
        after = page.at(-1)?.key;
        if (after === undefined) break;
      }
      assert.deepEqual(
        paged,
        found.map((entry) => entry.key[3]),
      );
      assert.equal((await store.list(["123456789012", "us-east-1"], { limit: 99 })).length, names.length + 1);
      const all: BlobKey[] = [];
      for await (const entry of iterateBlobs(store)) all.push(entry.key);
      assert.equal(all.length, names.length + 3);
      assert.deepEqual(all[0], ["000000000000", "..", "/", "\\"]);
    },
  );

  testIn("keys that cannot be are refused", async ({ store }) => {
    const account = "123456789012";
    const bad = [
      [account, "r", "s"],
      [account, "r", "s", ""],
      [account, "r", "s", "\ud800"],
      [account, "r", "s", "\0"],
    ];
    for (const one of [
      ...bad,
      [account, "r", "s", "ä".repeat(41)],
      [account, "r", "x".repeat(blobKeyPartBytesMax + 1), "n"],
    ]) {
      const of = one as unknown as BlobKey;
      assert.equal(await codeOf(store.put(of, [], { bytesMax })), "OPTION_INVALID", JSON.stringify(one));
      assert.equal(await codeOf(store.stat(of)), "OPTION_INVALID", JSON.stringify(one));
      assert.equal(await codeOf(store.delete(of)), "OPTION_INVALID", JSON.stringify(one));
    }
    for (const one of [-1, NaN, 1e12]) {
      assert.equal(await codeOf(store.put(key("x"), [], { bytesMax: one })), "OPTION_INVALID");
    }
  });

  testIn(
    "the sum of all blobs is bounded, of those too that are being put",
    async ({ store }) => {
      await store.put(key("six"), [bytes("123456")], { bytesMax });
      assert.equal(await codeOf(store.put(key("five"), [bytes("12345")], { bytesMax })), "LIMIT_EXCEEDED");
      const { chunks, begun } = stalled();
      const abort = new AbortController();
      const waiting = codeOf(store.put(key("four"), chunks, { bytesMax, signal: abort.signal }));
      await begun;
      assert.equal(await codeOf(store.put(key("one"), [bytes("1")], { bytesMax })), "LIMIT_EXCEEDED");
      abort.abort();
      await waiting;
      await store.put(key("one"), [bytes("1")], { bytesMax });
      assert.equal(await codeOf(store.put(key("third"), [], { bytesMax })), "LIMIT_EXCEEDED", "and their number");
      await store.delete(key("six"));
      await store.put(key("nine"), [bytes("123456789")], { bytesMax });
      assert.equal(store.bytesTotal, 10);
    },
    { bytesTotalMax: 10, blobsMax: 2 },
  );

  testIn("so many are put and read at one time, and not one more", async ({ store }) => {
    const abort = new AbortController();
    const { signal } = abort;
    const many = Array.from({ length: blobPutsMax }, (_, at) => {
      const { chunks, begun } = stalled();
      return { begun, ended: codeOf(store.put(key(`put ${at}`), chunks, { bytesMax, signal })) };
    });
    await Promise.all(many.map(({ begun }) => begun));
    assert.equal(await codeOf(store.put(key("one more"), [], { bytesMax })), "LIMIT_EXCEEDED");
    abort.abort();
    await Promise.all(many.map(({ ended }) => ended));
    await store.put(key("long"), [long], { bytesMax });
    const readers: AsyncIterator<Uint8Array>[] = [];
    for (let count = 0; count < blobReadsMax; count++) {
      const reader = (await store.read(key("long")))!.chunks[Symbol.asyncIterator]();
      await reader.next();
      readers.push(reader);
    }
    assert.equal(await codeOf(readAll(store, key("long"))), "LIMIT_EXCEEDED");
    for (const reader of readers) await reader.return?.();
    assert.equal((await readAll(store, key("long"))).length, long.length);
  });

  testIn("close ends what is being put, and refuses what comes later", async ({ store }) => {
    const { chunks, begun } = stalled();
    const putting = codeOf(store.put(key("half"), chunks, { bytesMax }));
    await begun;
    await Promise.all([store.close(), store.close()]);
    assert.equal(await putting, "CLOSED");
    assert.equal(await codeOf(store.put(key("x"), [], { bytesMax })), "CLOSED");
    assert.equal(await codeOf(store.stat(key("x"))), "CLOSED");
    assert.equal(await codeOf(store.read(key("x"))), "CLOSED");
    assert.equal(await codeOf(store.delete(key("x"))), "CLOSED");
    assert.equal(await codeOf(store.list([], { limit: 1 })), "CLOSED");
  });

  testIn("the next process finds what was put, and nothing of what was not", async ({ store, reopen }) => {
    if (reopen === undefined) return;
    await store.put(key("hello"), [bytes("hello")], { bytesMax });
    await store.put(key("deleted"), [bytes("deleted")], { bytesMax });
    await store.delete(key("deleted"));
    const { chunks, begun } = stalled();
    const putting = codeOf(store.put(key("half"), chunks, { bytesMax }));
    await begun;
    const next = await reopen();
    await putting;
    assert.deepEqual(await next.list([], { limit: 9 }), [{ key: key("hello"), bytes: 5 }]);
    assert.deepEqual(await next.stat(key("hello")), { bytes: 5, sha256: helloDigest });
    assert.deepEqual(await readAll(next, key("hello")), bytes("hello"));
    assert.equal(next.bytesTotal, 5);
    assert.equal(await codeOf(next.put(key("hello"), [], { bytesMax })), "STORE_CONFLICT");
  });
}
