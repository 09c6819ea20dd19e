// Commits for ever and prints what was acknowledged, for tests that kill it. Arguments: folder, durability.
import { openLmdbStore, type Durability } from "@thingline/cloud";

const [folder = "", durability = "process"] = process.argv.slice(2);
const store = await openLmdbStore({ folder, durability: durability as Durability });

/** Each commit moves a counter and writes a record of its own: both or none. */
async function commitForEver(worker: number): Promise<void> {
  for (let count = 1; ; count++) {
    await store.commit([
      { key: ["123456789012", "us-east-1", "counter", worker], value: count },
      { key: ["123456789012", "us-east-1", "record", worker, count], value: { text: "x".repeat(100), count } },
    ]);
    process.stdout.write(`${worker} ${count}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, worker) => commitForEver(worker)));
