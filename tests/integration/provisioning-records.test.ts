// Why the sample splits its answer, and why the split survives: one packet is one TLS record, whatever else is sent in that turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { originalClaimPolicyDocument as claimPolicyDocument } from "@thingline/cloud";
import { startCloud } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device";
import type { TlsRecord } from "@thingline/transport";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const modemRecordBytesMax = 2048;
/** AES-GCM under TLS 1.2: eight bytes of nonce and sixteen of tag. */
const gcmOverheadBytes = 24;

test("key and certificate, published in one turn, arrive as two records that a modem can take", async () => {
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
  await using started = await startCloud({ memory: true, ...ports, keyPoolSize: 0, vending: "builtin" });
  const { cloud } = started;
  const claim = await cloud.run(cloud.registry.createKeysAndCertificate, { setAsActive: true });
  await cloud.run(cloud.registry.createPolicy, { policyName: "claim", policyDocument: claimPolicyDocument });
  await cloud.run(cloud.registry.attachPolicy, { policyName: "claim", target: claim.certificateArn });

  const records: TlsRecord[] = [];
  await using device = await connectDevice({
    endpoint: started.addresses.mqtts,
    clientId: "recorded",
    clock: createNodeClock(),
    random: createNodeRandom(),
    dialer: createNodeNetwork(),
    tls: {
      ca: started.caPem,
      certificate: claim.certificatePem,
      privateKey: claim.keyPair.PrivateKey,
      maxVersion: "TLSv1.2",
      ciphers: ["ECDHE-ECDSA-AES128-GCM-SHA256"],
      onRecord: (record) => {
        if (record.direction === "received" && record.contentType === 23) records.push(record);
      },
    },
    isCleanSession: true,
  });
  const answers = await device.subscribe("certificate/recorded/create/accepted/+");
  records.length = 0;
  await device.publish("certificate/recorded/create", "", { qos: 0 });
  const payloadBytes: number[] = [];
  for await (const { payload } of answers) {
    payloadBytes.push(payload.length);
    if (payloadBytes.length === 2) break;
  }
  const large = records.map(({ lengthBytes }) => lengthBytes - gcmOverheadBytes).filter((bytes) => bytes > 1000);
  assert.equal(large.length, 2, `records of ${large.join(", ")} bytes`);
  assert.ok(Math.max(...large) <= modemRecordBytesMax);
  assert.ok((payloadBytes[0] ?? 0) + (payloadBytes[1] ?? 0) > modemRecordBytesMax, "joined they would not fit");
});
