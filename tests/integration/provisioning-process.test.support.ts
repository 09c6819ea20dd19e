// Provisions devices for ever and prints each answer that left the outbox, for tests that kill it.
// Arguments: folder; `withhold` to print who was provisioned instead, and to hand over nothing.
import {
  answered,
  createCertificateIssuer,
  createKeyPool,
  createRegistry,
  createSplitProvisioningService,
  openDeviceAuthority,
  openLmdbStore,
  openOperationRunner,
  type Log,
} from "@thingline/cloud";
import { createNodeClock, createNodeFiles, createNodeKeys, createNodeRandom } from "@thingline/transport/node";

const [folder = "", mode = "publish"] = process.argv.slice(2);
const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const [clock, random, files] = [createNodeClock(), createNodeRandom(), createNodeFiles()];
// A key that is made once serves here: what is at stake is what survives, not the keys.
const made = await createNodeKeys().generate("rsa-2048");
const keys = createKeyPool({ ...createNodeKeys(), generate: async () => made }, { size: 0 });
const storage = { files, folder: `${folder}/ca` };
const authority = openDeviceAuthority({ storage, keys, random, nowMs: () => clock.unixMs() });
const issuer = createCertificateIssuer({ keys, random, authority });
const store = await openLmdbStore({ folder: `${folder}/store` });
const runner = await openOperationRunner({ store, clock, random, keys, log });
await runner.start({
  performer: {
    publish: async (_scope, { topic, payload }) => {
      if (mode === "withhold") return new Promise(nothing);
      process.stdout.write(`${JSON.stringify({ topic, text: new TextDecoder().decode(payload) })}\n`);
    },
    disconnect: async () => undefined,
    recheckPrincipal: async () => undefined,
  },
});
const parsePolicyDocument = (text: string): unknown => JSON.parse(text);
const registry = createRegistry({ issuer, parsePolicyDocument, endpointAddress: () => undefined });
const { topics } = createSplitProvisioningService({ issuer, keys, clock, log, registry }, { vending: "builtin" });
if (topics === undefined) throw new Error("split provisioning is asked over MQTT");
const scope = { account: "123456789012", region: "us-east-1" };
for (let count = 0; ; count++) {
  const clientId = `device-${process.pid}-${count}`;
  const payload = new Uint8Array();
  const message = { scope, topic: `certificate/${clientId}/create`, clientId, certificateId: "c".repeat(64), payload };
  await answered(topics, { ...message, source: "client" }, runner);
  if (mode === "withhold") process.stdout.write(`${clientId}\n`);
}
