import assert from "node:assert/strict";
import { test } from "node:test";
import { DetachPolicyCommand, UpdateCertificateCommand } from "@aws-sdk/client-iot";
import { makeTestCertificate } from "@thingline/transport/contract";
import { createNodeKeys, createNodeNetwork } from "@thingline/transport/node";
import {
  allowAll,
  connectClient,
  createDevice,
  nextEvent,
  openWorld,
  portOf,
  type World,
} from "./cloud-world.test.support.js";

/** The line about a refused connection, with its reason and what it says about it. */
async function refusal({ log }: World, reason: string) {
  const { level, facts } = await log.line(
    ({ event, facts }) => event === "connectionRefused" && facts["reason"] === reason,
  );
  assert.equal(level, "warn");
  return facts;
}

for (const version of [4, 5] as const) {
  test(`an active certificate connects and publishes to itself, MQTT ${version === 4 ? "3.1.1" : "5"}`, async (context) => {
    const world = await openWorld(context);
    const client = await connectClient(context, world.started, await createDevice(world.iot), {
      clientId: "a",
      version,
    });
    await client.subscribeAsync("hello/#", { qos: 1 });
    const received = nextEvent(client, "message");
    await client.publishAsync("hello/world", "hi", { qos: 1 });
    const [topic, payload] = (await received) as [string, Uint8Array];
    assert.deepEqual([topic, new TextDecoder().decode(payload)], ["hello/world", "hi"]);
    const { gateway } = world.started.cloud.stats();
    assert.equal(gateway.connectionsAccepted, 1);
  });
}

test("a certificate that is not registered is refused, and the log says so", async (context) => {
  const world = await openWorld(context);
  const stranger = await makeTestCertificate(createNodeKeys(), { commonName: "stranger" });
  const credentials = { certificatePem: stranger.certificatePem, privateKey: stranger.privateKeyPem };
  await assert.rejects(connectClient(context, world.started, credentials, { clientId: "a" }), /closed before CONNACK/);
  const { explanation, certificateId } = await refusal(world, "certificateUnknown");
  assert.match(String(explanation), /no such certificate is registered here/);
  assert.match(String(certificateId), /^[0-9a-f]{64}$/);
  assert.equal(world.started.cloud.stats().gateway.connectionsRefused.certificateUnknown, 1);
});

test("a client without a certificate is refused, and the log says so", async (context) => {
  const world = await openWorld(context);
  await assert.rejects(connectClient(context, world.started, undefined, { clientId: "a" }), /closed before CONNACK/);
  await refusal(world, "noCertificate");
});

for (const newStatus of ["INACTIVE", "REVOKED"] as const) {
  test(`a certificate that is ${newStatus} is refused, and the log says so`, async (context) => {
    const world = await openWorld(context);
    const device = await createDevice(world.iot);
    await world.iot.send(new UpdateCertificateCommand({ certificateId: device.certificateId, newStatus }));
    await assert.rejects(connectClient(context, world.started, device, { clientId: "a" }), /closed before CONNACK/);
    const { explanation, certificateId } = await refusal(world, "certificateNotActive");
    assert.match(String(explanation), new RegExp(`the certificate is ${newStatus}`));
    assert.equal(certificateId, device.certificateId);
  });
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a resumed ${version} session of a certificate that was deactivated in between is refused`, async (context) => {
    const world = await openWorld(context);
    const device = await createDevice(world.iot);
    const network = createNodeNetwork();
    const dial = async (session: Uint8Array | undefined, onSession: (session: Uint8Array) => void) => {
      const connection = await network.dial({
        host: "localhost",
        port: portOf(world.started.addresses.mqtts),
        tls: {
          ca: world.started.caPem,
          certificate: device.certificatePem,
          privateKey: device.privateKey,
          minVersion: version,
          maxVersion: version,
          ...(session && { session }),
          onSession,
        },
      });
      context.after(() => connection.destroy());
      return connection;
    };
    const session = await new Promise<Uint8Array>((resolve, reject) => {
      dial(undefined, resolve).then((connection) => {
        connection.start({ data: () => undefined, closed: () => undefined });
      }, reject);
    });
    const again = await dial(session, () => undefined);
    assert.equal(again.secure?.isResumed, true, "or the test shows nothing");
    again.destroy();

    const { certificateId } = device;
    await world.iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" }));
    const late = await dial(session, () => undefined);
    assert.equal(late.secure?.isResumed, true, "or the test shows nothing");
    const closed = new Promise<void>((resolve) => late.start({ data: () => undefined, closed: () => resolve() }));
    await closed;
    await refusal(world, "certificateNotActive");
  });
}

const changes: [
  name: string,
  change: (world: World, device: Awaited<ReturnType<typeof createDevice>>) => Promise<unknown>,
][] = [
  [
    "deactivating its certificate",
    ({ iot }, { certificateId }) => iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" })),
  ],
  [
    "detaching its policy",
    ({ iot }, { policyName, certificateArn }) =>
      iot.send(new DetachPolicyCommand({ policyName, target: certificateArn })),
  ],
];
for (const [name, change] of changes) {
  test(`${name} disconnects the live connection with 0x87`, async (context) => {
    const world = await openWorld(context);
    const device = await createDevice(world.iot);
    const client = await connectClient(context, world.started, device, { clientId: "a", version: 5 });
    const disconnected = nextEvent(client, "disconnect");
    const closed = nextEvent(client, "close");
    await change(world, device);
    const [packet] = (await disconnected) as [{ reasonCode: number }];
    assert.equal(packet.reasonCode, 0x87);
    await closed;
  });
}

const claim = [
  { Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:ClientId}" },
  { Effect: "Allow", Action: "iot:Receive", Resource: "*" },
  {
    Effect: "Allow",
    Action: "iot:Subscribe",
    Resource: "arn:aws:iot:*:*:topicfilter/certificate/${iot:ClientId}/create/*",
  },
  { Effect: "Allow", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/certificate/${iot:ClientId}/create" },
];

test("the claim policy denies another client's topic, and the log names the nearest statement", async (context) => {
  const world = await openWorld(context);
  const device = await createDevice(world.iot, { statements: claim });
  const client = await connectClient(context, world.started, device, { clientId: "dev-1" });
  const granted = await client.subscribeAsync("certificate/dev-1/create/accepted/+", { qos: 1 });
  assert.equal(granted[0]?.qos, 1);
  const closed = nextEvent(client, "close");
  client.publish("certificate/dev-2/create", "", { qos: 1 });
  await closed;
  const { facts } = await world.log.line(({ facts }) =>
    String(facts["explanation"]).includes("topic/certificate/dev-2"),
  );
  assert.match(
    String(facts["explanation"]),
    /statement 4 of policy policy-\d+ version 1 allows iot:Publish on .*\(here arn:aws:iot:\*:\*:topic\/certificate\/dev-1\/create\), which does not match/,
  );
});

test("a policy that wants an attached thing refuses any other client id, and the log names the condition", async (context) => {
  const world = await openWorld(context);
  const Condition = { Bool: { "iot:Connection.Thing.IsAttached": [true] } };
  const device = await createDevice(world.iot, { statements: [{ ...allowAll, Condition }], thingName: "dev-1" });
  await connectClient(context, world.started, device, { clientId: "dev-1" });
  await assert.rejects(connectClient(context, world.started, device, { clientId: "dev-2" }), /closed before CONNACK/);
  const { facts } = await world.log.line(({ facts }) => String(facts["explanation"]).includes("client/dev-2"));
  assert.match(String(facts["explanation"]), /IsAttached true was not met.*other things only \(dev-1\)/);
});

test("a last will on a topic that the policy denies refuses the CONNECT", async (context) => {
  const world = await openWorld(context);
  const statements = [
    { ...allowAll, Action: ["iot:Connect", "iot:Subscribe", "iot:Receive"] },
    { ...allowAll, Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/will/a" },
  ];
  const device = await createDevice(world.iot, { statements });
  const will = (topic: string) => ({ topic, payload: Buffer.from("gone"), qos: 1 as const, retain: false });
  await connectClient(context, world.started, device, { clientId: "a", will: will("will/a") });
  await assert.rejects(
    connectClient(context, world.started, device, { clientId: "b", will: will("will/b") }),
    /closed before CONNACK/,
  );
  await world.log.line(({ facts }) => String(facts["explanation"]).startsWith("the last will is refused"));
});
