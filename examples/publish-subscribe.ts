// A local AWS IoT Core in this process, a thing made with the AWS SDK, and a device that talks to it over mutual TLS.
// Against a real account only the endpoint and the credentials differ.
import {
  AttachPolicyCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  IoTClient,
} from "@aws-sdk/client-iot";
import { startCloud } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device/node";

await using cloud = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });

const iot = new IoTClient({
  endpoint: cloud.addresses.api,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
});
const {
  certificateArn,
  certificatePem = "",
  keyPair,
} = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: { Effect: "Allow", Action: "iot:*", Resource: "*" },
});
await iot.send(new CreatePolicyCommand({ policyName: "pump", policyDocument }));
await iot.send(new AttachPolicyCommand({ policyName: "pump", target: certificateArn }));

await using device = await connectDevice({
  endpoint: cloud.addresses.mqtts,
  clientId: "pump-7",
  tls: { ca: cloud.caPem, certificate: certificatePem, privateKey: keyPair?.PrivateKey ?? "" },
});

const messages = await device.subscribe("pumps/+/pressure");
await device.publish("pumps/7/pressure", JSON.stringify({ bar: 2.5 }), { qos: 1 });
for await (const { topic, payload } of messages) {
  process.stdout.write(`${topic}: ${new TextDecoder().decode(payload)}\n`);
  break;
}
