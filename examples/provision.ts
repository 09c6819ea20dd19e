// A simulated nRF91 with a claim certificate in security tag 43 gets credentials of its own from a local cloud.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimPolicyDocument } from "@thingline/cloud";
import { startCloud } from "@thingline/cloud/node";
import { provisionDevice } from "@thingline/device/provisioning";
import { createLinkControl, createModemCredentialStore, openModemSession } from "@thingline/modem";
import { createSimulatedModem } from "@thingline/modem/simulator";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const adapters = {
  network: createNodeNetwork(),
  clock: createNodeClock(),
  random: createNodeRandom(),
  files: createNodeFiles(),
  keys: createNodeKeys(),
};
const folder = await mkdtemp(join(tmpdir(), "thingline-example-"));

// The built-in vending service answers devices with a claim; it is off unless one asks for it.
const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
await using started = await startCloud({ memory: true, ...ports, vending: "builtin" });
const { cloud } = started;
const { registry } = cloud;
const claim = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
await cloud.run(registry.createPolicy, { policyName: "claim", policyDocument: claimPolicyDocument });
await cloud.run(registry.attachPolicy, { policyName: "claim", target: claim.certificateArn });

await using modem = await createSimulatedModem({ ...adapters, folder: join(folder, "modem") });
await using session = openModemSession(modem.openPort(), { clock: adapters.clock });
const store = createModemCredentialStore(session, { keys: adapters.keys });
await store.write(43, "ca", started.caPem);
await store.write(43, "certificate", claim.certificatePem);
await store.write(43, "privateKey", claim.keyPair.PrivateKey);

const link = createLinkControl(session, { clock: adapters.clock });
const { clock, random, files, keys } = adapters;
const { device, secTag, certificateId } = await provisionDevice({
  clock,
  random,
  files,
  keys,
  host: "localhost",
  port: Number(started.addresses.mqtts.split(":").at(-1)),
  clientId: "my-thing",
  claimTag: 43,
  store,
  link,
  dialer: modem.secTagDialer,
  progressPath: join(folder, "provisioning.json"),
  onEvent: (event) => {
    if (event.type === "stepFinished") process.stdout.write(`${event.step} ${event.name}: ${event.result}\n`);
  },
});
process.stdout.write(`connected with certificate ${certificateId.slice(0, 12)} in security tag ${secTag}\n`);
await device.close();
link.close();
await rm(folder, { recursive: true });
