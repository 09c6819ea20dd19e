// One application on two clouds: it reports its state and does what it is told, first with AWS IoT and its Device Shadow service, then
// with a plain MQTT broker and topics of its own. The backend is chosen by name while the program runs.
import { IoTDataPlaneClient, UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import { startCloud } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device";
import {
  type CloudBackend,
  type CloudEvent,
  createAwsIotBackend,
  createBackendRegistry,
  createMqttBackend,
} from "@thingline/device/backends";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const say = (text: string) => void process.stdout.write(`${text}\n`);
const adapters = { dialer: createNodeNetwork(), clock: createNodeClock(), random: createNodeRandom() };

// The local cloud, whose second port is a broker without TLS and accounts. A broker such as Mosquitto does as well.
await using started = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, mqttPort: 0 });
const { registry } = started.cloud;
const issued = await started.cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
await started.cloud.run(registry.createPolicy, { policyName: "pump", policyDocument });
await started.cloud.run(registry.attachPolicy, { policyName: "pump", target: issued.certificateArn });

await using backends = createBackendRegistry([
  createAwsIotBackend({
    ...adapters,
    endpoint: started.addresses.mqtts,
    clientId: "pump-7",
    tls: { ca: started.caPem, certificate: issued.certificatePem, privateKey: issued.keyPair.PrivateKey },
    shadowTopics: ["update/delta"],
  }),
  createMqttBackend({
    ...adapters,
    endpoint: started.addresses.mqtt ?? "",
    clientId: "pump-7-mqtt",
    stateTopics: { state: "devices/{clientId}/state", subscribe: ["devices/{clientId}/wanted"] },
  }),
]);

// ---- The application, which knows no cloud -----------------------------------------------------------------------------

async function runOn(name: string, wish: () => Promise<void>): Promise<void> {
  let told = (_text: string): void => undefined;
  const order = new Promise<string>((resolve) => (told = resolve));
  const backend = await backends.use(name, (event: CloudEvent) => {
    if (event.type !== "dataReceived") return say(`${name}: ${event.type}`);
    told(`${event.message.endpoint.topic}: ${new TextDecoder().decode(event.message.payload)}`);
  });
  await backend.connect();
  await report(backend, { speed: 40 });
  await wish();
  say(`${name}: ${await order}`);
  await report(backend, { speed: 50 });
}

async function report(backend: CloudBackend, values: Record<string, number>): Promise<void> {
  const payload = JSON.stringify({ state: { reported: values } });
  await backend.send({ endpoint: { type: "state" }, payload, qos: 1 });
}

// ---- What tells it to change, on either side ---------------------------------------------------------------------------

const wanted = new TextEncoder().encode('{"state":{"desired":{"speed":50}}}');

await runOn("AWS_IOT", async () => {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const application = new IoTDataPlaneClient({ endpoint: started.addresses.api, region: "us-east-1", credentials });
  await application.send(new UpdateThingShadowCommand({ thingName: "pump-7", payload: wanted }));
  application.destroy();
});

await runOn("MQTT", async () => {
  const host = { endpoint: started.addresses.mqtt ?? "" };
  await using other = await connectDevice({ ...adapters, ...host, clientId: "control-room" });
  await other.publish("devices/pump-7-mqtt/wanted", wanted);
});
