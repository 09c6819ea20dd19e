// A device process for offline-queue-kill.test.ts: stores messages without end and says the number of each that is stored.
//   node offline-queue-process.test.support.js FOLDER DURABILITY FIRST
import { createDevice } from "@thingline/device";
import { createNodeClock, createNodeFiles, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const [folder = "", durability = "process", first = "0"] = process.argv.slice(2);
const device = createDevice({
  endpoint: "localhost:1",
  clientId: "pump-7",
  dialer: createNodeNetwork(),
  clock: createNodeClock(),
  random: createNodeRandom(),
  offlineQueue: {
    messagesMax: 1_000_000,
    storage: { files: createNodeFiles(), folder, durability: durability as "process" | "disk", segmentBytes: 4096 },
  },
});
// Several at a time, so that a write is under way whenever the process dies.
const lanes = 5;
let next = Number(first);
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (;;) {
      const number = next++;
      await device.publish(`pumps/7/${number}`, "x".repeat(100), { until: "stored" });
      process.stdout.write(`${number}\n`);
    }
  }),
);
