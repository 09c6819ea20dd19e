// Nordic's aws_iot sample: a device with a simulated nRF91 modem connects by the options of sample.conf, reports to its shadow
// every so often, prints what comes on two topics of its own, and applies what the cloud wants changed.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IoTDataPlaneClient, PublishCommand, UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import { startCloud } from "@thingline/cloud/node";
import { connectResultOf } from "@thingline/device";
import { type AwsIot, type AwsIotEvent, awsIotEventTypes, createAwsIot } from "@thingline/device/aws-iot";
import { createLinkControl, createModemCredentialStore, openModemSession } from "@thingline/modem";
import { createSimulatedModem } from "@thingline/modem/simulator";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const customTopics = ["my-custom-topic/example", "my-custom-topic/example_2"];
const publicationIntervalMs = 200;
const retryMs = 1_000;
const publicationsWanted = 3;

const say = (text: string) => void process.stdout.write(`${text}\n`);
const adapters = {
  network: createNodeNetwork(),
  clock: createNodeClock(),
  random: createNodeRandom(),
  files: createNodeFiles(),
  keys: createNodeKeys(),
};

// ---- A cloud, and a modem with credentials in the security tag of the configuration ------------------------------------

await using started = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });
const { registry } = started.cloud;
const issued = await started.cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
await started.cloud.run(registry.createPolicy, { policyName: "sample", policyDocument });
await started.cloud.run(registry.attachPolicy, { policyName: "sample", target: issued.certificateArn });
const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const application = new IoTDataPlaneClient({ endpoint: started.addresses.api, region: "us-east-1", credentials });

// What a build takes from an overlay: where this cloud is.
const [host, port] = started.addresses.mqtts.split(":");
const overlay = `CONFIG_AWS_IOT_BROKER_HOST_NAME="${host}"\nCONFIG_AWS_IOT_PORT=${port}\n`;
const { config } = loadKconfig([
  { file: "sample.conf", text: await readFile(new URL("../sample.conf", import.meta.url), "utf8") },
  { file: "overlay.conf", text: overlay },
]);
const settings = awsIotSettings(config);

const folder = await mkdtemp(join(tmpdir(), "thingline-example-"));
await using modem = await createSimulatedModem({ ...adapters, folder: join(folder, "modem") });
await using session = openModemSession(modem.openPort(), { clock: adapters.clock });
const store = createModemCredentialStore(session, { keys: adapters.keys });
await store.write(settings.secTag, "ca", started.caPem);
await store.write(settings.secTag, "certificate", issued.certificatePem);
await store.write(settings.secTag, "privateKey", issued.keyPair.PrivateKey);
const link = createLinkControl(session, { clock: adapters.clock });
await link.connect();

// ---- The sample --------------------------------------------------------------------------------------------------------

await using awsIot = createAwsIot(settings, {
  clock: adapters.clock,
  random: adapters.random,
  secTagDialer: modem.secTagDialer,
});
let finish = (): void => undefined;
const finished = new Promise<void>((resolve) => (finish = resolve));
let publications = 0;
let isMessageSeen = false;

awsIot.init(undefined, (event) => {
  say(`AWS_IOT_EVT ${awsIotEventTypes[event.type]} ${event.type}`);
  return handle(event);
});
awsIot.subscriptionTopicsAdd(customTopics);
await connect();
await finished;
await awsIot.disconnect();
link.close();
application.destroy();
await rm(folder, { recursive: true });

async function connect(): Promise<void> {
  for (;;) {
    try {
      return await awsIot.connect();
    } catch (error) {
      say(`connect result ${connectResultOf(error)}, next attempt in ${retryMs} ms`);
      await adapters.clock.sleep(retryMs);
    }
  }
}

async function handle(event: AwsIotEvent): Promise<void> {
  switch (event.type) {
    case "ready":
      schedulePublication();
      await application.send(
        new PublishCommand({ topic: customTopics[0], payload: new TextEncoder().encode("hello") }),
      );
      break;
    case "dataReceived":
      return received(event.message.topic, new TextDecoder().decode(event.message.payload));
    case "disconnected":
      if (event.reason !== "userRequest") await connect();
      break;
    case "error":
      say(String(event.error));
      break;
    default:
  }
}

function schedulePublication(): void {
  adapters.clock.setTimer(publicationIntervalMs, () => {
    publications += 1;
    const reported = { app_version: "v1.0.0", batv: 3_700 + publications, ts: adapters.clock.unixMs() };
    report(awsIot, reported).then(next, (error: unknown) => say(`not published: ${String(error)}`));
  });
}

async function next(): Promise<void> {
  if (publications < publicationsWanted) schedulePublication();
  else await wish({ batv_limit: 3_300 });
}

/** An application changes the shadow: the device gets the difference. */
async function wish(desired: Record<string, number>): Promise<void> {
  const payload = new TextEncoder().encode(JSON.stringify({ state: { desired } }));
  await application.send(new UpdateThingShadowCommand({ thingName: settings.clientId, payload }));
}

async function report(library: AwsIot, reported: Record<string, string | number>): Promise<void> {
  await library.send({ type: "update", qos: 1, payload: JSON.stringify({ state: { reported } }) });
  say(`reported ${Object.keys(reported).join(", ")}`);
}

async function received(topic: string, payload: string): Promise<void> {
  say(`${topic}: ${payload}`);
  if (customTopics.includes(topic)) isMessageSeen = true;
  if (!topic.endsWith("/shadow/update/delta")) return;
  const { state } = JSON.parse(payload) as { state: Record<string, number> };
  await report(awsIot, state);
  if (!isMessageSeen) throw new Error("no message came on the custom topic");
  finish();
}
