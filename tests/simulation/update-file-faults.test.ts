// Updates while the server of files fails, refuses, repeats itself and changes its file.
import { prepareUpdates } from "./update-world.test.support.js";
import { testUpdateWorlds } from "./update-worlds.test.support.js";

testUpdateWorlds(await prepareUpdates(), { kind: "files", file: "update-file-faults", short: 6, long: 1_650 });
