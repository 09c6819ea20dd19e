// A device follows the named shadow "settings": it applies what the application wants, reports it, and misses nothing
// that was wanted while it was away.
import { IoTDataPlaneClient, UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import { startCloud } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device/node";

type Settings = { intervalSeconds: number; color: string };

const say = (text: string) => void process.stdout.write(`${text}\n`);
await using started = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });
const { registry } = started.cloud;
const issued = await started.cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
await started.cloud.run(registry.createPolicy, { policyName: "pump", policyDocument });
await started.cloud.run(registry.attachPolicy, { policyName: "pump", target: issued.certificateArn });

// The application: any AWS SDK, here with the local cloud as its endpoint.
const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const application = new IoTDataPlaneClient({ endpoint: started.addresses.api, region: "us-east-1", credentials });
const want = async (desired: Partial<Settings>): Promise<void> => {
  const payload = new TextEncoder().encode(JSON.stringify({ state: { desired } }));
  await application.send(new UpdateThingShadowCommand({ thingName: "pump-7", shadowName: "settings", payload }));
  say(`application: wants ${JSON.stringify(desired)}`);
};
await want({ intervalSeconds: 60, color: "green" });

await using device = await connectDevice({
  endpoint: started.addresses.mqtts,
  clientId: "pump-7",
  tls: { ca: started.caPem, certificate: issued.certificatePem, privateKey: issued.keyPair.PrivateKey },
});
const settings = device.shadow<Settings>("settings");

for await (const { state, version } of settings.deltas()) {
  say(`device: version ${version} asks for ${JSON.stringify(state)}`);
  // Refused if somebody changed the document meanwhile: the next delta tells what is wanted then.
  await settings.report(state, { version }).catch((error: unknown) => say(`device: ${String(error)}`));
  if (state.color === "green") {
    await device.disconnect();
    say("device: away");
    await want({ intervalSeconds: 5 });
    await want({ color: "red" });
    await device.connect();
    say("device: back");
  }
  if (state.color === "red") break;
}

const { state } = await settings.get();
say(`reported in the end: ${JSON.stringify(state.reported)}`);
if (state.delta !== undefined) throw new Error(`a difference is left: ${JSON.stringify(state.delta)}`);
application.destroy();
