// Who has the claim of a production line and nothing else: what there is to get under the original's policies, and that ours leave nothing.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { decodeSplitProvisioningRejection } from "@thingline/protocol/provisioning";
import {
  decodeCreateKeysAndCertificateAnswer,
  encodeCreateKeysAndCertificateRequest,
  encodeRegisterThingRequest,
  fleetProvisioningTopics,
} from "@thingline/protocol/fleet-provisioning";
import { CreatePolicyCommand, CreateProvisioningTemplateCommand } from "@aws-sdk/client-iot";
import {
  claimPolicyDocument,
  fleetClaimPolicyDocument,
  originalClaimPolicyDocument,
  provisionedPolicyDocument,
  type SessionOwnerRule,
} from "@thingline/cloud";
import type mqtt from "mqtt";
import { connectClient, nextEvent, openWorld, type Credentials, type World } from "./cloud-world.test.support.js";

type Keys = Pick<Credentials, "certificatePem" | "privateKey">;

/** A client that keeps what it got, by topic. */
interface Heard {
  client: mqtt.MqttClient;
  got: Map<string, string>;
  hasSession: boolean;
}

async function come(t: TestContext, { started }: World, keys: Keys, clientId: string, clean = true): Promise<Heard> {
  const got = new Map<string, string>();
  let hasSession = false;
  const client = await connectClient(t, started, keys, {
    ...{ clientId, clean },
    prepare(opening) {
      opening.on("message", (topic, payload) => void got.set(topic, payload.toString()));
      opening.on("connect", ({ sessionPresent }) => (hasSession = sessionPresent));
    },
  });
  client.setMaxListeners(0);
  return { client, got, hasSession };
}

/** Whoever is not let in gets nothing. */
const tryToCome = (...args: Parameters<typeof come>): Promise<Heard | undefined> =>
  come(...args).catch(() => undefined);

/** What MQTT.js promises never comes once the connection is closed. */
async function whileOpen<Result>(client: mqtt.MqttClient, run: () => Promise<Result>): Promise<Result | undefined> {
  if (!client.connected) return undefined;
  const closed = nextEvent(client, "close").then(() => undefined);
  return Promise.race([run().catch(() => undefined), closed]);
}

/** Also a way to know that all that was on its way has come: the SUBACK comes after it. */
async function subscribes({ client }: Heard, filter: string): Promise<boolean> {
  const granted = (await whileOpen(client, () => client.subscribeAsync(filter, { qos: 1 }))) ?? [];
  return granted.some(({ qos }) => (qos as number) < 128);
}

async function leave({ client }: Heard): Promise<void> {
  await whileOpen(client, () => client.endAsync());
}

async function issueClaim({ started: { cloud } }: World, policyDocument: string, policyName: string): Promise<Keys> {
  const { registry } = cloud;
  const {
    keyPair,
    certificatePem = "",
    certificateArn = "",
  } = await cloud.run(registry.createKeysAndCertificate, {
    setAsActive: true,
  });
  await cloud.run(registry.createPolicy, { policyName, policyDocument });
  await cloud.run(registry.attachPolicy, { policyName, target: certificateArn });
  return { certificatePem, privateKey: keyPair.PrivateKey };
}

const create = (clientId: string) => `certificate/${clientId}/create`;

/** Asks as a device would. @returns its credentials, or what it was told instead */
async function ask(device: Heard, clientId: string): Promise<Keys | string> {
  const topic = create(clientId);
  await subscribes(device, `${topic}/accepted/+`);
  await subscribes(device, `${topic}/rejected`);
  await whileOpen(device.client, () => device.client.publishAsync(topic, "", { qos: 1 }));
  await subscribes(device, `${topic}/rejected`);
  const [privateKey, certificatePem] = ["key", "cert"].map((name) => device.got.get(`${topic}/accepted/${name}`));
  if (privateKey !== undefined && certificatePem !== undefined) return { certificatePem, privateKey };
  const rejection = device.got.get(`${topic}/rejected`);
  return rejection === undefined
    ? "no answer"
    : decodeSplitProvisioningRejection(new TextEncoder().encode(rejection)).errorCode;
}

/** A key is in no message of a test. */
const whyNot = (got: Keys | string) => (typeof got === "string" ? got : "credentials");

interface Manner {
  claimPolicy: string;
  /** What a device with the claim is connected as. */
  clientIdOf: (device: string) => string;
  sessionOwner: SessionOwnerRule;
}

/** Every client id, filter and moment that could be of use to the holder of a stolen claim. @returns what it got */
async function attack(t: TestContext, { claimPolicy, clientIdOf, sessionOwner }: Manner) {
  const world = await openWorld(t, { memory: true, vending: "builtin", sessionOwner });
  const { cloud } = world.started;
  const claim = await issueClaim(world, claimPolicy, "claim");
  const delta = "$aws/things/pump-7/shadow/update/delta";

  // pump-7 is provisioned, connected, and subscribed with a persistent session.
  const beginning = await come(t, world, claim, clientIdOf("pump-7"));
  const own = await ask(beginning, clientIdOf("pump-7"));
  assert.ok(typeof own === "object", whyNot(own));
  beginning.client.end();
  const first = await come(t, world, own, "pump-7", false);
  assert.ok(await subscribes(first, delta));

  // Live: under the device's name, and under every other that could open something.
  const besides = await tryToCome(t, world, claim, "pump-7");
  const isThrownOff = await subscribes(first, delta).then((isThere) => !isThere);
  besides?.client.end(true);
  first.client.end(true);
  const device = await come(t, world, own, "pump-7", false);
  await subscribes(device, delta);
  await leave(device);

  // The device is away, and something is queued for it.
  const desired = JSON.stringify({ state: { desired: { secret: 42 } } });
  await cloud.run(cloud.shadows.updateThingShadow, {
    thingName: "pump-7",
    payload: new TextEncoder().encode(desired),
  });
  const thief = await tryToCome(t, world, claim, "pump-7", false);
  if (thief !== undefined) await subscribes(thief, "x");
  const queued = thief?.got.get(delta);
  if (thief !== undefined) await leave(thief);

  // pump-8 is being provisioned while others listen.
  const listeners: Heard[] = [];
  for (const clientId of ["+", "#", "claim-+", "claim-#", "claim-evil", "evil", ""]) {
    const listener = await tryToCome(t, world, claim, clientId);
    if (listener !== undefined) listeners.push(listener);
  }
  const filters = [
    "#",
    "+/#",
    "$aws/#",
    "$aws/events/#",
    "certificate/#",
    "certificate/+/create/accepted/+",
    "$share/g/#",
  ];
  const opened = new Set<string>();
  for (const listener of listeners) {
    for (const filter of [...filters, `${create(clientIdOf("pump-8"))}/accepted/+`, delta]) {
      if (await subscribes(listener, filter)) opened.add(filter);
    }
  }
  const eighth = await come(t, world, claim, clientIdOf("pump-8"));
  // A race: somebody else asks in the device's name, and is cut off for it.
  const rival = await tryToCome(t, world, claim, clientIdOf("rival"));
  rival?.client.publish(create(clientIdOf("pump-8")), "", { qos: 0 });
  const issued = await ask(eighth, clientIdOf("pump-8"));
  assert.ok(typeof issued === "object", whyNot(issued));
  for (const listener of listeners) await subscribes(listener, "x");
  const heard = listeners.flatMap(({ got }) => [...got.keys()]);
  // A device does not wait for long with its new credentials.
  await leave(await come(t, world, issued, "pump-8"));

  // It asks to be what others are: a device with a certificate, and a thing that was registered with one.
  const claims: string[] = [];
  for (const name of ["pump-7", "pump-8"]) {
    for (const clientId of [name, `claim-${name}`]) {
      const impostor = await tryToCome(t, world, claim, clientId);
      const got = impostor === undefined ? "not let in" : await ask(impostor, clientId);
      claims.push(typeof got === "string" ? got : "credentials");
      impostor?.client.end(true);
    }
  }

  // Whatever happened, the device has what was queued for it, unless somebody read it.
  const back = await tryToCome(t, world, own, "pump-7", false);
  if (back !== undefined) await subscribes(back, delta);
  return {
    isThrownOff,
    hasEndedSession: !device.hasSession,
    hasReadQueue: queued !== undefined,
    filters: [...opened].sort(),
    hasReadKeys: heard.some((topic) => topic.endsWith("/accepted/key")),
    claims,
    deviceHasQueue: back?.got.has(delta) ?? false,
  };
}

test("under the original's policies whoever has the claim reads and becomes what it wants", async (t) => {
  const got = await attack(t, {
    claimPolicy: originalClaimPolicyDocument,
    clientIdOf: (device) => device,
    sessionOwner: "clientId",
  });
  assert.deepEqual(got, {
    isThrownOff: true,
    hasEndedSession: true,
    hasReadQueue: true,
    filters: ["certificate/+/create/accepted/+"],
    hasReadKeys: true,
    claims: ["credentials", "RESOURCE_EXISTS", "credentials", "RESOURCE_EXISTS"],
    deviceHasQueue: false,
  });
});

test("the original's policies with sessions of their own owners: the queue stays the device's, the rest is as before", async (t) => {
  const got = await attack(t, {
    claimPolicy: originalClaimPolicyDocument,
    clientIdOf: (device) => device,
    sessionOwner: "principal",
  });
  assert.deepEqual([got.hasReadQueue, got.deviceHasQueue, got.isThrownOff, got.hasReadKeys], [false, true, true, true]);
});

test("under our policies whoever has the claim gets nothing", async (t) => {
  const got = await attack(t, {
    claimPolicy: claimPolicyDocument,
    clientIdOf: (device) => `claim-${device}`,
    sessionOwner: "principal",
  });
  assert.deepEqual(got, {
    isThrownOff: false,
    hasEndedSession: false,
    hasReadQueue: false,
    filters: [],
    hasReadKeys: false,
    claims: ["not let in", "RESOURCE_EXISTS", "not let in", "RESOURCE_EXISTS"],
    deviceHasQueue: true,
  });
});

test("under our policy for fleet provisioning whoever has the claim hears nothing, answers nobody, and is no device", async (t) => {
  const world = await openWorld(t, { memory: true });
  const templateName = "line";
  const policy = { policyName: "device", policyDocument: provisionedPolicyDocument };
  await world.iot.send(new CreatePolicyCommand(policy));
  const certificate = {
    ...{ Type: "AWS::IoT::Certificate" },
    Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
  };
  const template = {
    Parameters: { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } },
    Resources: {
      thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "SerialNumber" } } },
      certificate,
      policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
    },
  };
  const provisioningRoleArn = "arn:aws:iam::123456789012:role/provisioning";
  const made = { templateName, templateBody: JSON.stringify(template), provisioningRoleArn, enabled: true };
  await world.iot.send(new CreateProvisioningTemplateCommand(made));
  const claim = await issueClaim(world, fleetClaimPolicyDocument(templateName), "claim");
  const { createKeysAndCertificate: keys, registerThing } = fleetProvisioningTopics({ templateName, format: "json" });

  for (const clientId of ["pump-7", "+", "#", "evil", ""]) {
    assert.equal(await tryToCome(t, world, claim, clientId), undefined, `connected as "${clientId}"`);
  }
  const thief = await come(t, world, claim, "claim-thief");
  const below = "$aws/certificates/create/#";
  for (const filter of [below, keys.accepted, registerThing.accepted]) assert.ok(await subscribes(thief, filter));
  for (const filter of ["#", "$aws/#", "$aws/things/#", "$aws/provisioning-templates/+/provision/json/accepted"]) {
    assert.ok(!(await subscribes(thief, filter)), filter);
  }

  const beginning = await come(t, world, claim, "claim-pump-7");
  const asked = async (topic: { request: string; accepted: string }, payload: Uint8Array) => {
    await subscribes(beginning, topic.accepted);
    const answer = nextEvent(beginning.client, "message") as Promise<[string, Buffer]>;
    await beginning.client.publishAsync(topic.request, Buffer.from(payload), { qos: 1 });
    const [answered, bytes] = await answer;
    assert.equal(answered, topic.accepted);
    return Uint8Array.from(bytes);
  };
  const created = await asked(keys, encodeCreateKeysAndCertificateRequest("json"));
  const credentials = decodeCreateKeysAndCertificateAnswer(created, "json");
  const { certificateOwnershipToken } = credentials;
  const request = { certificateOwnershipToken, parameters: { SerialNumber: "pump-7" } };
  await asked(registerThing, encodeRegisterThingRequest(request, "json"));
  assert.ok(await subscribes(thief, below));
  assert.deepEqual([...thief.got.keys()], []);

  // An answer of its own would have a device use a key that it has.
  await whileOpen(thief.client, () => thief.client.publishAsync(keys.accepted, "forged", { qos: 1 }));
  await subscribes(beginning, keys.rejected);
  assert.equal(beginning.got.get(keys.accepted), new TextDecoder().decode(created));

  const device = await come(t, world, credentials, "pump-7", false);
  assert.equal(await tryToCome(t, world, claim, "pump-7", false), undefined);
  assert.ok(await subscribes(device, "$aws/things/pump-7/shadow/update/delta"));
});

test("a flood with one claim keeps devices with another one waiting no longer than it has to", async (t) => {
  const world = await openWorld(t, { memory: true, vending: "builtin" });
  const stolen = await issueClaim(world, claimPolicyDocument, "stolen");
  const good = await issueClaim(world, claimPolicyDocument, "good");
  const thieves = await Promise.all(
    Array.from({ length: 4 }, (_, number) => come(t, world, stolen, `claim-thief-${number}`)),
  );
  for (const [number, thief] of thieves.entries()) {
    for (let count = 0; count < 50; count++) thief.client.publish(create(`claim-thief-${number}`), "", { qos: 0 });
  }
  const device = await come(t, world, good, "claim-pump-9");
  const got = await ask(device, "claim-pump-9");
  assert.equal(typeof got, "object", whyNot(got));
  const { things = [] } = await world.started.cloud.run(world.started.cloud.registry.listThings, {});
  assert.ok(things.length <= 1 + thieves.length, "one thing for each client, however often it asks");
});

test("a message that was queued before a rotation comes after it, to the new certificate", async (t) => {
  const world = await openWorld(t, { memory: true, vending: "builtin" });
  const { cloud } = world.started;
  const claim = await issueClaim(world, claimPolicyDocument, "claim");
  const beginning = await come(t, world, claim, "claim-pump-7");
  const old = await ask(beginning, "claim-pump-7");
  assert.ok(typeof old === "object", whyNot(old));
  const delta = "$aws/things/pump-7/shadow/update/delta";
  const device = await come(t, world, old, "pump-7", false);
  await subscribes(device, delta);
  // It asks for its next certificate itself, without the claim.
  const anew = await ask(device, "pump-7");
  assert.ok(typeof anew === "object", whyNot(anew));
  await leave(device);
  const desired = JSON.stringify({ state: { desired: { level: 3 } } });
  await cloud.run(cloud.shadows.updateThingShadow, { thingName: "pump-7", payload: new TextEncoder().encode(desired) });
  const rotated = await come(t, world, anew, "pump-7", false);
  await subscribes(rotated, delta);
  assert.ok(rotated.hasSession);
  assert.match(rotated.got.get(delta) ?? "", /"level":3/);
});
