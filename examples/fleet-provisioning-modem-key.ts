// An nRF91 whose key is made inside the modem by AT%KEYGEN: nobody can read it, not even its own application. All through the modem's TLS.
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
import { provisionDevice } from "@thingline/device/provisioning";
import { createLinkControl, createModemCredentialStore, createModemKeyMaker, openModemSession } from "@thingline/modem";
import { createSimulatedModem } from "@thingline/modem/simulator";
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
const templateName = "trackers";
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
const { keys } = adapters;
const folder = await mkdtemp(join(tmpdir(), "thingline-example-"));
// A real board instead: openSerialPort() of @thingline/modem/serial.
const lte = { searchMs: 20, attachMs: 10, detachMs: 5 };
const modemOptions = { ...adapters, network: createNodeNetwork(), lte };
await using modem = await createSimulatedModem({ ...modemOptions, folder: join(folder, "modem") });
await using session = openModemSession(modem.openPort(), { clock: adapters.clock });
const store = createModemCredentialStore(session, { keys });
await store.write(43, "ca", cloud.caPem);
await store.write(43, "certificate", claim.certificatePem ?? "");
await store.write(43, "privateKey", claim.keyPair?.PrivateKey ?? "");

const { imei } = modem.identity;
const link = createLinkControl(session, { clock: adapters.clock });
const { device, thingName, secTag } = await provisionDevice({
  ...adapters,
  host: "localhost",
  port: Number(cloud.addresses.mqtts.split(":").at(-1)),
  clientId: imei,
  store,
  link,
  dialer: modem.secTagDialer,
  keyMaker: createModemKeyMaker(session, { keys }),
  progressPath: join(folder, "provisioning.json"),
  method: { kind: "fleet", template: templateName, keys: "modem", parameters: { SerialNumber: imei } },
});
process.stdout.write(`connected as thing ${thingName}, with the key that was made in security tag ${secTag}\n`);
link.close();
await device.close();
iot.destroy();
await rm(folder, { recursive: true });
