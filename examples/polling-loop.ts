// The loop that firmware without the library's poll thread writes (CONFIG_AWS_IOT_CONNECTION_POLL_THREAD=n): the application waits
// for the socket no longer than the keep alive allows, reads what came, pings in time, and connects again by itself.
import { startCloud } from "@thingline/cloud/node";
import { connectDevice, createDevice, type Device, type PollResult } from "@thingline/device";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const say = (text: string) => void process.stdout.write(`${text}\n`);
await using started = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });
const { registry } = started.cloud;
const issued = await started.cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
await started.cloud.run(registry.createPolicy, { policyName: "pump", policyDocument });
await started.cloud.run(registry.attachPolicy, { policyName: "pump", target: issued.certificateArn });

const clock = createNodeClock();
const connectionsWanted = 2;
let connections = 0;

const connection = {
  endpoint: started.addresses.mqtts,
  clientId: "pump-7",
  tls: { ca: started.caPem, certificate: issued.certificatePem, privateKey: issued.keyPair.PrivateKey },
  dialer: createNodeNetwork(),
  clock,
  random: createNodeRandom(),
};

await using device = createDevice({
  ...connection,
  driver: "application",
  applicationTopics: ["pump-7/orders"],
  keepAliveSeconds: 1,
  on: {
    ready: () => {
      connections += 1;
      say(`ready for the ${connections === 1 ? "first" : "second"} time`);
      // Nobody may wait for this here: its acknowledgement comes from input(), and that from the loop.
      device.publish("pump-7/orders", "start").catch((error: unknown) => say(`not published: ${String(error)}`));
    },
    data: ({ topic, payload }) => say(`${topic}: ${new TextDecoder().decode(payload)}`),
    pingresp: () => {
      say("the cloud answered a ping");
      if (connections === connectionsWanted) void device.disconnect();
      else void connectWithSameClientId();
    },
    disconnected: ({ reason }) => say(`disconnected: ${reason}`),
  },
});

while (connections < connectionsWanted) {
  say("connecting");
  await device.connect();
  say(`left the loop: ${await runLoop(device)}`);
  // AWS IoT takes one CONNECT a second for a client id.
  if (connections < connectionsWanted) await clock.sleep(1_000);
}

/** The cloud then closes the connection of the first: each client id has one. */
async function connectWithSameClientId(): Promise<void> {
  await using other = await connectDevice({ ...connection, isCleanSession: true });
  say(`another program connected as ${other.clientId}`);
}

async function runLoop(driven: Device): Promise<PollResult> {
  for (;;) {
    const result = await driven.poll({ timeoutMs: driven.keepAliveTimeLeftMs() });
    switch (result) {
      case "readable":
        driven.input();
        break;
      case "timeout":
        driven.ping();
        break;
      case "hungUp":
      case "error":
        // What is left of the connection; the `disconnected` event comes from here.
        await driven.disconnect();
        return result;
      case "invalid":
        return result;
    }
  }
}
