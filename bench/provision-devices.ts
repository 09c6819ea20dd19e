// Many devices in one process that are provisioned, for `npm run bench -- provision`: each from its claim to a connection with credentials of
// its own, with TLS and keys of Node, and credentials and progress in memory.
import { performance } from "node:perf_hooks";
import { createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import { provisionDevice, type ProvisioningMethod } from "@thingline/device/provisioning";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { createVirtualFiles } from "@thingline/transport/virtual";
import type { DevicesFacts, DevicesTask } from "./provision-kinds.js";

const [clock, random, network, keys] = [createNodeClock(), createNodeRandom(), createNodeNetwork(), createNodeKeys()];
const [claimTag, deviceTag] = [43, 50];

interface Tally {
  notes: number;
  steps: Map<string, number>;
}

async function provision(clientId: string, { kind, cloud }: DevicesTask, tally: Tally): Promise<void> {
  const store = createNativeCredentialStore({ keys });
  await store.write(claimTag, "ca", cloud.claim.ca);
  await store.write(claimTag, "certificate", cloud.claim.certificate);
  await store.write(claimTag, "privateKey", cloud.claim.privateKey);
  const { device } = await provisionDevice({
    ...{
      host: "localhost",
      port: cloud.port,
      clientId,
      claimClientId: "prefix",
      claimTag,
      deviceTag,
      store,
      keys,
      clock,
      random,
    },
    method: withName(kind.method, clientId),
    dialer: createNativeTlsDialer({ dialer: network, store }),
    files: createVirtualFiles(),
    progressPath: "/progress.json",
    settings: { family: 4 },
    // A thousand RSA keys of the cloud take longer than a device would wait: what is measured is not how it asks again.
    limits: { answerTimeoutMs: 1_800_000, resendAfterMs: 1_800_000 },
    onEvent: (event) => {
      if (event.type === "note") tally.notes++;
      else if (event.type === "stepFinished")
        tally.steps.set(event.name, (tally.steps.get(event.name) ?? 0) + event.durationMs);
    },
  });
  await device.close();
}

/** A device's parameter for the template. */
function withName(method: ProvisioningMethod, clientId: string): ProvisioningMethod {
  return method.kind === "fleet" ? { ...method, parameters: { SerialNumber: clientId } } : method;
}

async function provisionAll(task: DevicesTask): Promise<DevicesFacts> {
  const tally: Tally = { notes: 0, steps: new Map() };
  const before = process.cpuUsage();
  const began = performance.now();
  let next = 0;
  const lanes = Array.from({ length: Math.min(task.lanes, task.count) }, async () => {
    while (next < task.count) await provision(`${task.prefix}-${next++}`, task, tally);
  });
  await Promise.all(lanes);
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(before);
  const steps = [...tally.steps].map(([name, ms]) => ({ name, ms: ms / task.count }));
  return { seconds, cpuSeconds: (user + system) / 1e6, notes: tally.notes, steps };
}

process.on("message", (task: DevicesTask) => {
  provisionAll(task).then(
    (answer) => process.send!(answer),
    (error: unknown) => {
      process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
