// The local cloud with its plain TCP port, quotas off, in a process of its own, for `npm run bench -- broker`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCloud, createMemoryStore, type Log } from "@thingline/cloud";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const quiet = (): void => undefined;
const say = (event: string, facts?: unknown): void => {
  process.stderr.write(`thingline: ${event} ${JSON.stringify(facts ?? {})}\n`);
};
const log: Log = { debug: quiet, info: quiet, warn: say, error: say };
const clock = createNodeClock();
const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
const anyPort = { host: "127.0.0.1", port: 0, optionName: "port" };
const cloud = await createCloud(
  {
    network: createNodeNetwork({ clock }),
    clock,
    random: createNodeRandom(),
    files: createNodeFiles(),
    keys: createNodeKeys(),
    store: createMemoryStore(),
    log,
  },
  { folder, mqtts: anyPort, https: anyPort, mqtt: anyPort, limits: "none" },
);
process.send!({ port: cloud.addresses.mqtt!.port });
process.once("SIGTERM", () => {
  const counts = Object.entries(cloud.stats().broker);
  const dropped = counts.filter(([name, count]) => name.startsWith("dropped") && count > 0);
  if (dropped.length > 0) say("dropped", Object.fromEntries(dropped));
  void cloud.close().then(() => {
    rmSync(folder, { recursive: true });
    process.exit(0);
  });
});
