// Fleet provisioning with a key of the device's own: only a certificate request is sent, so no private key ever travels.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AttachPolicyCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateProvisioningTemplateCommand,
  IoTClient,
} from "@aws-sdk/client-iot";
import { fleetClaimPolicyDocument } from "@thingline/cloud";
import { thingPolicyDocument } from "@thingline/cloud/issue";
import { startCloud } from "@thingline/cloud/node";
import { createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import { provisionDevice } from "@thingline/device/provisioning";
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
const templateName = "gateways";
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
const claim = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
const policyDocument = fleetClaimPolicyDocument(templateName);
await iot.send(new CreatePolicyCommand({ policyName: "claim", policyDocument }));
await iot.send(new AttachPolicyCommand({ policyName: "claim", target: claim.certificateArn }));

const adapters = {
  clock: createNodeClock(),
  random: createNodeRandom(),
  files: createNodeFiles(),
  keys: createNodeKeys(),
};
const { files, keys } = adapters;
const folder = await mkdtemp(join(tmpdir(), "thingline-example-"));
const store = createNativeCredentialStore({ files, keys, folder: join(folder, "credentials") });
await store.write(43, "ca", cloud.caPem);
await store.write(43, "certificate", claim.certificatePem ?? "");
await store.write(43, "privateKey", claim.keyPair?.PrivateKey ?? "");

const { device, thingName, certificateId } = await provisionDevice({
  ...adapters,
  host: "localhost",
  port: Number(cloud.addresses.mqtts.split(":").at(-1)),
  clientId: "SN-1",
  store,
  dialer: createNativeTlsDialer({ dialer: createNodeNetwork(), store }),
  progressPath: join(folder, "provisioning.json"),
  method: {
    kind: "fleet",
    template: templateName,
    keys: "csr",
    subject: [
      ["O", "Acme"],
      ["CN", "SN-1"],
    ],
    parameters: { SerialNumber: "SN-1" },
  },
});
process.stdout.write(`connected as thing ${thingName}, with certificate ${certificateId.slice(0, 12)}\n`);
await device.close();
iot.destroy();
await rm(folder, { recursive: true });
