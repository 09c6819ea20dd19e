// Why the sample splits its answer, and why the split survives: one packet is one TLS record, whatever else is sent in that turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { originalClaimPolicyDocument as claimPolicyDocument } from "@thingline/cloud";
import { startCloud } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device";
import {
  encodeCreateCertificateFromCsrAnswer,
  encodeCreateKeysAndCertificateAnswer,
  fleetProvisioningTopics,
} from "@thingline/protocol/fleet-provisioning";
import { createCertificateRequest } from "@thingline/protocol/x509";
import type { TlsRecord } from "@thingline/transport";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

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

/** Of a token that AWS IoT gave (public device code); Thingline's has 256. */
const awsTokenCharacters = 464;
/** Head of the packet, and QoS 1. */
const packetBytes = 7;

test("an answer to a certificate request fits into a modem's record, for EC and for RSA keys; one with a key of the cloud never does", async () => {
  const keys = createNodeKeys();
  await using started = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, keyPoolSize: 0 });
  const { cloud } = started;
  const certificateOwnershipToken = "t".repeat(awsTokenCharacters);
  const sizes: Record<string, number> = {};
  for (const kind of ["ec-p256", "rsa-2048"] as const) {
    const { privateKeyPem } = await keys.generate(kind);
    const sign = (data: Uint8Array): Promise<Uint8Array> => keys.sign(privateKeyPem, data);
    const publicKey = keys.publicKeyOf(privateKeyPem);
    const { pem } = await createCertificateRequest({ subject: [["CN", "pump-7"]], publicKey, sign });
    const made = await cloud.run(cloud.registry.createCertificateFromCsr, { certificateSigningRequest: pem });
    const { certificateId = "", certificatePem = "" } = made;
    for (const format of ["json", "cbor"] as const) {
      const { accepted } = fleetProvisioningTopics({ templateName: "t", format }).createCertificateFromCsr;
      const answer = { certificateId, certificatePem, certificateOwnershipToken };
      const payload = encodeCreateCertificateFromCsrAnswer(answer, format);
      sizes[`${kind} ${format}`] = payload.length + accepted.length + packetBytes;
      const whole = { ...answer, privateKey: privateKeyPem };
      const withKey = encodeCreateKeysAndCertificateAnswer(whole, format).length;
      if (kind === "rsa-2048") assert.ok(withKey > 2_800, `${withKey} bytes with a key of the cloud's kind`);
    }
  }
  for (const [what, bytes] of Object.entries(sizes)) assert.ok(bytes <= modemRecordBytesMax, `${what}: ${bytes} bytes`);
  assert.ok((sizes["ec-p256 json"] ?? 0) < 1_650, `${sizes["ec-p256 json"]} bytes`);
  assert.ok((sizes["rsa-2048 json"] ?? 0) > 1_800, "RSA leaves little room");
});
