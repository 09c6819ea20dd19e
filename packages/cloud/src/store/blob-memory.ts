import { toHex } from "@thingline/protocol";
import { BlobBlocks } from "./blob-blocks.js";
import { BlobLedger } from "./blob-ledger.js";
import {
  deletedMeanwhile,
  partOf,
  type BlobFacts,
  type BlobKey,
  type BlobLimits,
  type BlobPutOptions,
  type BlobStore,
} from "./blobs.js";
import { encodeKey } from "./key-encoding.js";

/** Of all blobs of a memory store together. */
export const memoryBlobBytesTotalMax = 268_435_456;
/** As from a file: no reader may count on getting it all at once. */
const chunkBytes = 65_536;

export interface MemoryBlobOptions extends BlobLimits {
  sha256: (content: Uint8Array) => Uint8Array;
}

/** Blobs that are gone with their process: beside a memory store. */
export function createMemoryBlobStore({ sha256, ...limits }: MemoryBlobOptions): BlobStore {
  const ledger = new BlobLedger({ bytesTotalMax: memoryBlobBytesTotalMax, ...limits });
  const contents = new Map<string, BlobFacts & { content: Uint8Array }>();
  const puts = new Set<Promise<unknown>>();

  const find = (key: BlobKey) => (ledger.find(key) === undefined ? undefined : contents.get(encodeKey(key)));

  const put = async (
    key: BlobKey,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: BlobPutOptions,
  ): Promise<BlobFacts> => {
    const pending = ledger.beginPut(key, options);
    try {
      const blocks = new BlobBlocks();
      for await (const chunk of pending.take(chunks)) blocks.add(chunk);
      const content = blocks.whole();
      const facts: BlobFacts = { bytes: content.length, sha256: toHex(sha256(content)) };
      contents.set(encodeKey(key), { ...facts, content });
      pending.done();
      return facts;
    } finally {
      pending.dropped();
    }
  };

  return {
    put(key, chunks, options) {
      const putting = put(key, chunks, options);
      puts.add(putting);
      const forget = () => void puts.delete(putting);
      putting.then(forget, forget);
      return putting;
    },

    async read(key, range) {
      const found = find(key);
      if (found === undefined) return undefined;
      const { content, ...facts } = found;
      const part = partOf(facts.bytes, range);
      const isThere = () => contents.get(encodeKey(key))?.content === content;
      return { ...facts, ...part, chunks: chunksOf(key, content.subarray(part.start, part.end), { ledger, isThere }) };
    },

    async stat(key) {
      const found = find(key);
      return found && { bytes: found.bytes, sha256: found.sha256 };
    },

    async delete(key) {
      if (ledger.find(key) === undefined) return;
      ledger.remove(key);
      contents.delete(encodeKey(key));
    },

    list: async (prefix, options) => ledger.list(prefix, options),

    get bytesTotal() {
      return ledger.bytesTotal;
    },

    async close() {
      ledger.close();
      await Promise.allSettled(puts);
    },
  };
}

async function* chunksOf(
  key: BlobKey,
  content: Uint8Array,
  { ledger, isThere }: { ledger: BlobLedger; isThere: () => boolean },
): AsyncGenerator<Uint8Array, void> {
  const end = ledger.beginRead();
  try {
    if (!isThere()) throw deletedMeanwhile(key);
    // A copy: whoever changes what it was given does not change the blob.
    for (let at = 0; at < content.length; at += chunkBytes) yield content.slice(at, at + chunkBytes);
  } finally {
    end();
  }
}
