import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makePrivateFolder } from "@thingline/transport";
import { createNodeFiles } from "@thingline/transport/node";
import { assertOutIsFree } from "./thing.js";

test("a folder in which a command that failed has left nothing is free, and one with anything in it is not", async (t) => {
  const above = await mkdtemp(join(tmpdir(), "thingline-out-"));
  t.after(() => rm(above, { recursive: true, force: true }));
  const out = join(above, "pump-7");
  await assertOutIsFree({ dataDir: above, out }, "pump-7");
  await makePrivateFolder(createNodeFiles(), out);
  await assertOutIsFree({ dataDir: above, out }, "pump-7");
  await writeFile(join(out, "board.json"), "{}");
  await assert.rejects(assertOutIsFree({ dataDir: above, out }, "pump-7"), { code: "FILE_EXISTS" });
  await assertOutIsFree({ dataDir: above, out, force: true }, "pump-7");
});
