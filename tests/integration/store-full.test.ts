import assert from "node:assert/strict";
import { test } from "node:test";
import { openLmdbStore } from "@thingline/cloud";
import { runProgram, temporaryFolder } from "./cli-process.test.support.js";

/** Commits until the store refuses, reads and deletes, and says what was acknowledged. */
const program = `
const [folder, durability] = process.argv.slice(1);
const { openLmdbStore } = await import("@thingline/cloud");
const store = await openLmdbStore({ folder, durability });
const acknowledged = [];
const codes = [];
for (let at = 0; codes.length < 3 && at < 1_000; at++) {
  await store.commit([{ key: ["k", at], value: new Uint8Array(50_000).fill(at) }]).then(
    () => acknowledged.push(at),
    (error) => codes.push(error.code),
  );
}
const together = await Promise.allSettled([1, 2].map((at) => store.commit([{ key: ["t", at], value: "x".repeat(200_000) }])));
codes.push(...together.map(({ reason }) => reason?.code));
// A deletion needs little, and the room that it makes can be used again.
await store.commit([{ key: ["k", 0], delete: true }]);
await store.commit([{ key: ["k", "small"], value: 1 }]);
await store.close();
console.log(JSON.stringify({ acknowledged, codes }));
`;

// A limit on the size of files stands for the full disk; exceeding it is a signal unless that is ignored.
const limited = 'trap "" XFSZ; ulimit -f 4096; exec "$@"';

for (const durability of ["process", "disk"]) {
  test(`a full disk refuses commits and loses none that was acknowledged, durability ${durability}`, async (t) => {
    const folder = await temporaryFolder(t);
    const node = [process.execPath, "--input-type=module", "--eval", program, folder, durability];
    const { code, stdout, stderr } = await runProgram(t, "sh", ["-c", limited, "sh", ...node]);
    // lmdb writes the reason to stderr by itself; an unhandled rejection would end the process with code 1.
    assert.equal(code, 0, stderr);
    const { acknowledged, codes } = JSON.parse(stdout) as { acknowledged: number[]; codes: string[] };
    assert.deepEqual(codes, new Array(5).fill("STORE_UNWRITABLE"));
    assert.ok(acknowledged.length > 5, String(acknowledged.length));
    const store = await openLmdbStore({ folder });
    for (const at of acknowledged.slice(1)) {
      const entry = await store.get<Uint8Array>(["k", at]);
      assert.deepEqual([entry?.value.length, entry?.value[0]], [50_000, at % 256]);
    }
    assert.equal(await store.get(["k", 0]), undefined);
    assert.equal((await store.get(["k", "small"]))?.value, 1);
    await store.close();
  });
}
