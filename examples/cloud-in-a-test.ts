// A device flow in CI without an account: a cloud for one test file, MQTT.js as the device, the log as the judge.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { connectAsync } from "mqtt";

let started: StartedCloud;
const denials: string[] = [];
const ignore = () => undefined;

before(async () => {
  const warn = (event: string, facts?: object) => denials.push(`${event} ${JSON.stringify(facts)}`);
  const log = { debug: ignore, info: ignore, warn, error: warn };
  started = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, log });
});

after(() => started.close());

test("a device may publish under its own name only", async () => {
  const { cloud } = started;
  const { registry } = cloud;
  const issued = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
  const arn = "arn:aws:iot:*:*";
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: `${arn}:client/\${iot:ClientId}` },
      { Effect: "Allow", Action: "iot:Publish", Resource: `${arn}:topic/\${iot:ClientId}/*` },
    ],
  });
  await cloud.run(registry.createPolicy, { policyName: "own-topics", policyDocument });
  await cloud.run(registry.attachPolicy, { policyName: "own-topics", target: issued.certificateArn });

  const client = await connectAsync(`mqtts://${started.addresses.mqtts}`, {
    clientId: "pump-7",
    protocolVersion: 5,
    ca: started.caPem,
    cert: issued.certificatePem,
    key: issued.keyPair.PrivateKey,
  });
  try {
    await client.publishAsync("pump-7/pressure", "2.5", { qos: 1 });
    await assert.rejects(client.publishAsync("pump-8/pressure", "2.5", { qos: 1 }), /Not authorized/i);
    assert.match(denials.join("\n"), /pump-8\/pressure/);
  } finally {
    await client.endAsync();
  }
});
