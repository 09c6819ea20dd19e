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
  const arn = "arn:aws:iot:*:*";
  const policyDocument = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: `${arn}:client/\${iot:ClientId}` },
      { Effect: "Allow", Action: "iot:Publish", Resource: `${arn}:topic/\${iot:ClientId}/*` },
    ],
  };
  const { endpoint, clientId, tls } = await started.createThing("pump-7", { policyDocument });

  const client = await connectAsync(`mqtts://${endpoint}`, {
    clientId,
    protocolVersion: 5,
    ca: tls.ca,
    cert: tls.certificate,
    key: tls.privateKey,
  });
  try {
    await client.publishAsync("pump-7/pressure", "2.5", { qos: 1 });
    await assert.rejects(client.publishAsync("pump-8/pressure", "2.5", { qos: 1 }), /Not authorized/i);
    assert.match(denials.join("\n"), /pump-8\/pressure/);
  } finally {
    await client.endAsync();
  }
});
