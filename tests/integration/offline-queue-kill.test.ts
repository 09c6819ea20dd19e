// What the offline queue said is stored arrives in the cloud, in order, although its process was killed again and again.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startCloud } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device";
import { createNodeClock, createNodeFiles, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { temporaryFolder } from "./cli-process.test.support.js";

const program = fileURLToPath(new URL("offline-queue-process.test.support.js", import.meta.url));
const roundsOf = process.env["THINGLINE_TEST_LONG"] === "1" ? [1, 10, 100, 1000, 3000] : [1, 60];

/** Runs the process until it said so many numbers, kills it, and gives back those that it said. */
async function storeAndKill(folder: string, durability: string, first: number, count: number): Promise<number[]> {
  const args = [program, folder, durability, String(first)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const numbers: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    numbers.push(Number(line));
    if (numbers.length === count) child.kill("SIGKILL");
  }
  assert.deepEqual(await exited, [null, "SIGKILL"]);
  // The last line may have been cut off.
  return numbers.slice(0, count);
}

for (const durability of ["process", "disk"] as const) {
  test(`what was stored before kill -9 arrives, in order (${durability})`, async (t) => {
    const folder = join(await temporaryFolder(t), "queue");
    const stored: number[] = [];
    for (const [round, count] of roundsOf.entries()) {
      stored.push(...(await storeAndKill(folder, durability, round * 100_000, count)));
    }
    const files = createNodeFiles();
    for (const name of await files.list(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);

    await using cloud = await startCloud({
      ...{ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, mqttPort: 0, limits: "none", keyPoolSize: 0 },
    });
    const common = {
      endpoint: cloud.addresses.mqtt ?? "",
      dialer: createNodeNetwork(),
      clock: createNodeClock(),
      random: createNodeRandom(),
    };
    await using office = await connectDevice({ ...common, clientId: "office" });
    const arrived: number[] = [];
    let ended = (): void => undefined;
    const end = new Promise<void>((resolve) => (ended = resolve));
    await office.subscribe("pumps/7/+", ({ topic }) => {
      if (topic === "pumps/7/end") ended();
      else arrived.push(Number(topic.split("/").at(-1)));
    });
    await using pump = await connectDevice({
      ...common,
      clientId: "pump-7",
      offlineQueue: {
        messagesMax: 1_000_000,
        messagesPerSecondMax: Infinity,
        storage: { files, folder, durability, segmentBytes: 4096 },
      },
    });
    await pump.publish("pumps/7/end", "");
    await end;
    const missing = stored.filter((number) => !arrived.includes(number));
    assert.deepEqual(missing, []);
    assert.deepEqual(
      arrived,
      [...arrived].sort((a, b) => a - b),
    );
    assert.ok(arrived.length >= stored.length);
    await pump.close();
    assert.deepEqual(await files.list(folder), [], "nothing is left when all was acknowledged");
  });
}
