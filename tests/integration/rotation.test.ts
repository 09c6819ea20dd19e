// Rotation over real TLS, ordered by the command line: the device stays one device, and nothing that waits for it is lost.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  DescribeCertificateCommand,
  IoTClient,
} from "@aws-sdk/client-iot";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { createDevice, createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import { runJobs } from "@thingline/device/jobs";
import { openRotation } from "@thingline/device/rotation";
import { rotateCertificateOperation } from "@thingline/protocol/jobs";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";
import { eventsOf, runCommandLine } from "./cli-process.test.support.js";

let cloud: StartedCloud;
let iot: IoTClient;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
  const dataDir = join(folder, "cloud");
  cloud = await startCloud({ dataDir, ...ports, limits: "none", keyPoolSize: 0, rotationOverlapMs: 0 });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  iot = new IoTClient({ endpoint: cloud.addresses.api, region: "us-east-1", credentials });
});

after(async () => {
  iot?.destroy();
  await cloud?.close();
  await rm(folder, { recursive: true, force: true });
});

const cert = (...words: string[]) =>
  runCommandLine({ words: ["cert", ...words, "--json", "--data-dir", join(folder, "cloud")] });

test("a connected device rotates because a job says so, and gets every message that came meanwhile", async () => {
  const thingName = "pump-7";
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}" },
      {
        Effect: "Allow",
        Action: ["iot:Publish", "iot:Receive"],
        Resource: [
          "arn:aws:iot:*:*:topic/app/*",
          "arn:aws:iot:*:*:topic/$aws/things/${iot:Connection.Thing.ThingName}/*",
        ],
      },
      {
        Effect: "Allow",
        Action: "iot:Subscribe",
        Resource: [
          "arn:aws:iot:*:*:topicfilter/app/*",
          "arn:aws:iot:*:*:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/*",
        ],
      },
    ],
  });
  await iot.send(new CreatePolicyCommand({ policyName: "pumps", policyDocument }));
  const made = await cert("template", "rotate", "--policy", "pumps");
  assert.equal(made.code, 0, made.stderr);
  await iot.send(new CreateThingCommand({ thingName }));
  const issued = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateArn: principal = "", certificateId: old = "", certificatePem = "", keyPair } = issued;
  for (const policyName of ["pumps", "rotate-rotation"]) {
    await iot.send(new AttachPolicyCommand({ policyName, target: principal }));
  }
  await iot.send(new AttachThingPrincipalCommand({ thingName, principal }));
  const [keys, clock, random, files] = [createNodeKeys(), createNodeClock(), createNodeRandom(), createNodeFiles()];
  const store = createNativeCredentialStore({ keys, files, folder: join(folder, "credentials") });
  await store.write(50, "ca", cloud.caPem);
  await store.write(50, "certificate", certificatePem);
  await store.write(50, "privateKey", keyPair?.PrivateKey ?? "");
  const [host = "", port = ""] = cloud.addresses.mqtts.split(/:(?=\d+$)/u);
  const received = new Set<string>();
  let whenReceived = (): void => undefined;
  await using device = createDevice({
    ...{ host, port: Number(port), clientId: thingName, clock, random, isCleanSession: false },
    ...{ secTagDialer: createNativeTlsDialer({ dialer: createNodeNetwork(), store }), secTag: 50, handshake: "resume" },
    applicationTopics: [`app/${thingName}`],
    on: {
      data({ payload }) {
        received.add(new TextDecoder().decode(payload));
        whenReceived();
      },
    },
  });
  const isResumed: (boolean | undefined)[] = [];
  device.on("ready", () => void isResumed.push(device.connection?.secure?.isResumed));
  await using rotation = await openRotation(device, {
    ...{ tags: [50, 51], store, files, folder: join(folder, "rotation"), keys, clock, random },
    method: { kind: "fleet", template: "rotate", keys: "csr" },
  });
  await rotation.connect();
  await using _jobs = await runJobs(device, {
    ...{ clock, random, handlers: { [rotateCertificateOperation]: rotation.jobHandler } },
  });
  let count = 0;
  const publish = async () => {
    const payload = new TextEncoder().encode(String(count++));
    const { cloud: inside } = cloud;
    await inside.run(inside.messages.publish, { topic: `app/${thingName}`, qos: 1, payload });
  };
  const ordered = cert("rotate", thingName, "--wait", "--interval", "0.05", "--overlap", "0");
  let isOver = false;
  const over = ordered.finally(() => (isOver = true));
  while (!isOver) {
    await publish();
    await clock.sleep(5);
  }
  const events = eventsOf(await over);
  assert.deepEqual(events.find(({ event }) => event === "rotationEnded")?.["counts"], { SUCCEEDED: 1 });
  assert.equal(rotation.secTag, 51);
  assert.equal(device.state, "ready");
  assert.equal(isResumed.at(-1), false, "a resumed session proves nothing");
  const fresh = rotation.certificate?.certificateId ?? "";
  const statusOf = async (certificateId: string) =>
    (await iot.send(new DescribeCertificateCommand({ certificateId }))).certificateDescription?.status;
  assert.deepEqual([await statusOf(old), await statusOf(fresh)], ["INACTIVE", "ACTIVE"]);
  // They come in order.
  await publish();
  while (!received.has(String(count - 1))) await new Promise<void>((resolve) => (whenReceived = resolve));
  const missing = Array.from({ length: count }, (_, at) => String(at)).filter((number) => !received.has(number));
  assert.deepEqual(missing, [], `of ${count} messages`);
  const [facts] = eventsOf(await cert("show", fresh));
  assert.equal(facts?.["source"], "fleet-provisioning");
  assert.deepEqual(eventsOf(await cert("orphans", "--older-than", "0.001s")), []);
});
