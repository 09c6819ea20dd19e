import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { openLmdbStore } from "./lmdb.js";
import type { Store, StoreKey, StoreValue } from "./store.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const roundsPerRegion = isLong ? 400 : 10;

/** Repeatable: a failure names its seed and round. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
}

async function withStore(
  seed: number,
  body: (world: { folder: string; content: ReadonlyMap<string, StoreValue> }) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-damage-"));
  try {
    const random = createRandom(seed);
    const store = await openLmdbStore({ folder: join(folder, "sound") });
    const content = new Map<string, StoreValue>();
    for (let index = 0; index < 150; index++) {
      const key = ["1", "r", "k", random(80)];
      if (random(4) === 0) {
        content.delete(JSON.stringify(key));
        await store.commit([{ key, delete: true }]);
      } else {
        const value = { text: "x".repeat([5, 50, 500, 3_000, 9_000][random(5)] ?? 0), number: random(1e6) };
        content.set(JSON.stringify(key), value);
        await store.commit([{ key, value }]);
      }
    }
    await store.close();
    await body({ folder, content });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Opens, reads all and writes. Everything is as it was, or named as damaged. */
async function tryStore(
  folder: string,
  content: ReadonlyMap<string, StoreValue>,
): Promise<"sound" | "named" | "refused"> {
  let store: Store;
  try {
    store = await openLmdbStore({ folder });
  } catch (error) {
    assert.ok(isThinglineError(error) && /^STORE_(CORRUPT|VERSION_UNKNOWN)$/.test(error.code), String(error));
    return "refused";
  }
  let named = 0;
  for (const [key, value] of content) {
    try {
      assert.deepEqual((await store.get(JSON.parse(key) as StoreKey))?.value, value, key);
    } catch (error) {
      if (!isThinglineError(error, "STORE_CORRUPT")) throw error;
      assert.ok(error.message.includes(key), error.message);
      named++;
    }
  }
  assert.equal(store.corruptReads, named);
  assert.equal((await store.listKeys?.([], { limit: 1_000 }))?.length, content.size);
  await store.commit([
    { key: ["1", "r", "k", 1], value: "again" },
    { key: ["1", "r", "new"], value: "q".repeat(7_000) },
  ]);
  await store.close();
  return named > 0 ? "named" : "sound";
}

const pageBytes = 4_096;
type Harm = (bytes: Buffer, random: (below: number) => number) => Buffer;
const flipAt = (bytes: Buffer, at: number, bit: number) => {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  return bytes;
};

const regions: Readonly<Record<string, Harm>> = {
  "in what says where everything is": (bytes, random) =>
    flipAt(bytes, ([0, pageBytes, pageBytes / 2][random(3)] ?? 0) + random(168), random(8)),
  "in the head of a page": (bytes, random) =>
    flipAt(bytes, random(bytes.length / pageBytes) * pageBytes + random(40), random(8)),
  anywhere: (bytes, random) => flipAt(bytes, random(bytes.length), random(8)),
};
const others: Readonly<Record<string, Harm>> = {
  "a page of zeros": (bytes, random) => {
    const page = random(bytes.length / pageBytes) * pageBytes;
    return bytes.fill(0, page, page + pageBytes);
  },
  "two pages in each other's place": (bytes, random) => {
    const [a = 0, b = 0] = [0, 0].map(() => random(bytes.length / pageBytes) * pageBytes);
    const copy = Buffer.from(bytes.subarray(a, a + pageBytes));
    bytes.copy(bytes, a, b, b + pageBytes);
    copy.copy(bytes, b);
    return bytes;
  },
  "a page twice": (bytes, random) => {
    const [a = 0, b = 0] = [0, 0].map(() => random(bytes.length / pageBytes) * pageBytes);
    bytes.copy(bytes, a, b, b + pageBytes);
    return bytes;
  },
  "a cut": (bytes, random) => bytes.subarray(0, random(bytes.length)),
};
const harms = {
  ...Object.fromEntries(Object.entries(regions).map(([where, harm]) => [`one bit ${where}`, harm])),
  ...others,
};

for (const [seed, [what, harm]] of Object.entries(harms).entries()) {
  for (const howLeft of ["closed", "killed"]) {
    test(`a ${howLeft} store with ${what} is sound, refused, or names what is damaged`, () =>
      withStore(seed + 1, async ({ folder, content }) => {
        const random = createRandom(seed + 100);
        const bytes = await readFile(join(folder, "sound/data.mdb"));
        const outcomes: Record<string, number> = {};
        for (let round = 0; round < roundsPerRegion; round++) {
          const damaged = join(folder, "damaged");
          await rm(damaged, { recursive: true, force: true });
          await mkdir(damaged);
          await writeFile(join(damaged, "data.mdb"), harm(Buffer.from(bytes), random));
          if (howLeft === "closed") await cp(join(folder, "sound/closed.json"), join(damaged, "closed.json"));
          try {
            const outcome = await tryStore(damaged, content);
            outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
          } catch (cause) {
            throw new Error(`in round ${round}`, { cause });
          }
        }
        assert.ok((outcomes["refused"] ?? 0) + (outcomes["named"] ?? 0) > 0, JSON.stringify(outcomes));
      }));
  }
}

for (const name of ["closed.json", "closed.json.tmp"]) {
  test(`a named pipe or a link as ${name} neither holds up a store nor is written through`, () =>
    withStore(1, async ({ folder, content }) => {
      for (const what of ["pipe", "link"]) {
        const copy = join(folder, what);
        const path = join(copy, name);
        await cp(join(folder, "sound"), copy, { recursive: true });
        await rm(path, { force: true });
        await writeFile(join(folder, "elsewhere"), "mine");
        if (what === "pipe") execFileSync("mkfifo", [path]);
        else await symlink(join(folder, "elsewhere"), path);
        assert.equal(await tryStore(copy, content), "sound");
        assert.ok((await lstat(join(copy, "closed.json"))).isFile());
        assert.equal(await readFile(join(folder, "elsewhere"), "utf8"), "mine");
      }
    }));
}
