// Provisioning by a trusted user: an installer's app asks AWS for a claim of five minutes and hands it to the one device in front of it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateProvisioningClaimCommand, CreateProvisioningTemplateCommand, IoTClient } from "@aws-sdk/client-iot";
import { thingPolicyDocument } from "@thingline/cloud/issue";
import { startCloud } from "@thingline/cloud/node";
import { createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import { type ClaimMaterial, provisionDevice } from "@thingline/device/provisioning";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

await using cloud = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });
const iot = new IoTClient({
  endpoint: cloud.addresses.api,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
});
const templateName = "meters";
const templateBody = JSON.stringify({
  Parameters: { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } },
  Resources: {
    thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "SerialNumber" } } },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: JSON.parse(thingPolicyDocument) as object } },
  },
});
const provisioningRoleArn = "arn:aws:iam::123456789012:role/provisioning";
const template = { templateName, templateBody, provisioningRoleArn, enabled: true };
await iot.send(new CreateProvisioningTemplateCommand(template));

// The installer's part, signed in to AWS.
const {
  certificatePem = "",
  keyPair,
  expiration,
} = await iot.send(new CreateProvisioningClaimCommand({ templateName }));
const claim: ClaimMaterial = {
  certificatePem,
  privateKeyPem: keyPair?.PrivateKey ?? "",
  caPem: cloud.caPem,
  ...(expiration !== undefined && { expiresAtUnixMs: expiration.getTime() }),
};

// The device's part: whatever way the claim came, over Bluetooth for example.
const adapters = {
  clock: createNodeClock(),
  random: createNodeRandom(),
  files: createNodeFiles(),
  keys: createNodeKeys(),
};
const { files, keys } = adapters;
const folder = await mkdtemp(join(tmpdir(), "thingline-example-"));
const store = createNativeCredentialStore({ files, keys, folder: join(folder, "credentials") });
const { device, thingName } = await provisionDevice({
  ...adapters,
  host: "localhost",
  port: Number(cloud.addresses.mqtts.split(":").at(-1)),
  clientId: "SN-1",
  claim,
  store,
  dialer: createNativeTlsDialer({ dialer: createNodeNetwork(), store }),
  progressPath: join(folder, "provisioning.json"),
  method: { kind: "fleet", template: templateName, keys: "csr", parameters: { SerialNumber: "SN-1" } },
});
process.stdout.write(`connected as thing ${thingName}; the claim is gone from the device\n`);
await device.close();
iot.destroy();
await rm(folder, { recursive: true });
