// The local cloud with its plain TCP port, quotas off, on the store that BENCH_STORE names, for `npm run bench -- shadow`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCloud } from "@thingline/cloud/node";

const quiet = (): void => undefined;
const say = (event: string, facts?: unknown): void => {
  process.stderr.write(`thingline: ${event} ${JSON.stringify(facts ?? {})}\n`);
};
const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
const started = await startCloud({
  ...(process.env["BENCH_STORE"] === "lmdb" ? { dataDir: folder } : { memory: true }),
  mqttsPort: 0,
  httpsPort: 0,
  apiPort: 0,
  mqttPort: 0,
  keyPoolSize: 0,
  limits: "none",
  log: { debug: quiet, info: quiet, warn: say, error: say },
});
process.send!({ port: started.cloud.addresses.mqtt!.port });
process.once("SIGTERM", () => {
  void started.close().then(() => {
    rmSync(folder, { recursive: true });
    process.exit(0);
  });
});
