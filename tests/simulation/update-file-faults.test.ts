// Updates while the server of files fails, refuses, repeats itself and changes its file: for the
// long run, an ordinary one has its sample in update-faults.test.ts, which replays these as well.
import { test } from "node:test";

if (process.env["THINGLINE_TEST_LONG"] === "1" && process.env["THINGLINE_SEED"] === undefined) {
  // Loaded here, since a cloud takes a while to load.
  const { prepareUpdates } = await import("./update-world.test.support.js");
  const { testUpdateWorlds } = await import("./update-worlds.test.support.js");
  testUpdateWorlds(await prepareUpdates(), "files", 1_650, "update-faults");
} else {
  test("random worlds of files are for the long run", { skip: true }, () => undefined);
}
