// Updates while the way between device and cloud fails again and again, and the cloud is killed up to four times.
import { prepareUpdates } from "./update-world.test.support.js";
import { testUpdateWorlds } from "./update-worlds.test.support.js";

testUpdateWorlds(await prepareUpdates(), { kind: "cloud", file: "update-cloud-faults", short: 6, long: 1_650 });
