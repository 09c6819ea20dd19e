import assert from "node:assert/strict";
import { test } from "node:test";
import { downloadChunkBytesMax } from "../downloader.js";
import { RangeAssembly } from "./assembly.js";

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value);

test("ranges follow each other as far as the window, which moves with what is taken", () => {
  const assembly = new RangeAssembly({ offset: 10, sizeBytes: 100, windowBytes: 40 });
  assert.deepEqual(
    [assembly.next(20), assembly.next(20)],
    [
      { first: 10, last: 29 },
      { first: 30, last: 49 },
    ],
  );
  assert.equal(assembly.next(20), undefined);
  assembly.push(10, bytes(20));
  assert.equal(assembly.next(20), undefined, "what is held counts until it is taken");
  assert.equal(assembly.take()?.length, 20);
  assert.deepEqual(assembly.next(20), { first: 50, last: 69 });
});

test("bytes are handed out in order, whatever order they came in", () => {
  const assembly = new RangeAssembly({ offset: 0, sizeBytes: 6, windowBytes: 100 });
  assembly.next(3);
  assembly.next(3);
  assembly.push(3, bytes(3, 2));
  assert.equal(assembly.take(), undefined);
  assembly.push(0, bytes(1, 1));
  assert.deepEqual([assembly.take(), assembly.take()], [bytes(1), undefined]);
  assembly.push(1, bytes(2, 1));
  assert.deepEqual([assembly.take(), assembly.take(), assembly.take()], [bytes(2), bytes(3, 2), undefined]);
  assert.ok(assembly.isTaken && assembly.isAsked);
  assert.equal(assembly.heldBytes, 0);
});

test("what did not come is asked for again, first", () => {
  const assembly = new RangeAssembly({ offset: 0, sizeBytes: 100, windowBytes: 100 });
  for (let at = 0; at < 100; at += 25) assembly.next(25);
  assert.ok(assembly.isAsked);
  assembly.giveBack({ first: 60, last: 74 });
  assembly.giveBack({ first: 10, last: 24 });
  assembly.giveBack({ first: 25, last: 24 });
  assert.ok(!assembly.isAsked);
  assert.deepEqual(assembly.next(10), { first: 10, last: 19 });
  assert.deepEqual(assembly.next(10), { first: 20, last: 24 });
  assert.deepEqual(assembly.next(25), { first: 60, last: 74 });
  assert.equal(assembly.next(25), undefined);
});

test("a chunk is bounded, and a small one does not keep a large buffer", () => {
  const sizeBytes = 2 * downloadChunkBytesMax + 1;
  const assembly = new RangeAssembly({ offset: 0, sizeBytes, windowBytes: sizeBytes });
  assembly.push(0, bytes(sizeBytes - 1));
  assembly.push(sizeBytes - 1, bytes(1000).subarray(0, 1));
  const lengths: number[] = [];
  for (let piece = assembly.take(); piece; piece = assembly.take()) {
    lengths.push(piece.length);
    if (piece.length === 1) assert.equal(piece.buffer.byteLength, 1);
  }
  assert.deepEqual(lengths, [downloadChunkBytesMax, downloadChunkBytesMax, 1]);
});
