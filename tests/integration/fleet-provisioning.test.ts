// Fleet provisioning over real sockets: MQTT.js with mutual TLS, hooks over HTTP, AWS's SDK at the control plane.
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import {
  CreatePolicyCommand,
  CreateProvisioningClaimCommand,
  CreateProvisioningTemplateCommand,
  CreateProvisioningTemplateVersionCommand,
  DeleteProvisioningTemplateCommand,
  DeleteProvisioningTemplateVersionCommand,
  DescribeCertificateCommand,
  DescribeProvisioningTemplateCommand,
  InvalidRequestException,
  ListCertificatesCommand,
  paginateListProvisioningTemplateVersions,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  UpdateProvisioningTemplateCommand,
  VersionsLimitExceededException,
} from "@aws-sdk/client-iot";
import type { StartCloudOptions } from "@thingline/cloud/node";
import {
  decodeCreateKeysAndCertificateAnswer,
  decodeFleetProvisioningRejection,
  decodeRegisterThingAnswer,
  encodeCreateKeysAndCertificateRequest,
  encodeRegisterThingRequest,
  fleetProvisioningTopics,
} from "@thingline/protocol/fleet-provisioning";
import type mqtt from "mqtt";
import { connectClient, openWorld, nextEvent, type World } from "./cloud-world.test.support.js";
import { createJumpingClock } from "./jumping-clock.test.support.js";

/** Longer than the time that a claim has. */
const keepAliveSeconds = 1_200;
const templateName = "line";
const provisioningRoleArn = "arn:aws:iam::123456789012:role/provisioning";
const hookArn = "arn:aws:lambda:us-east-1:123456789012:function:hook";
const templateBody = JSON.stringify({
  Parameters: { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } },
  Resources: {
    thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "SerialNumber" } } },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
  },
});

async function openLine(context: TestContext, options: StartCloudOptions = {}) {
  const world = await openWorld(context, { memory: true, ...options });
  const Statement = [{ Effect: "Allow", Action: "iot:*", Resource: "*" }];
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  await world.iot.send(new CreatePolicyCommand({ policyName: "device", policyDocument }));
  const hook = options.functions === undefined ? {} : { preProvisioningHook: { targetArn: hookArn } };
  const template = { templateName, templateBody, provisioningRoleArn, enabled: true, ...hook };
  await world.iot.send(new CreateProvisioningTemplateCommand(template));
  return world;
}

async function createClaim({ iot }: World) {
  const claim = await iot.send(new CreateProvisioningClaimCommand({ templateName }));
  const { certificateId = "", certificatePem = "", keyPair, expiration } = claim;
  return { certificateId, certificatePem, privateKey: keyPair?.PrivateKey ?? "", expiration };
}

const topics = fleetProvisioningTopics({ templateName, format: "cbor" });
const allAnswers = Object.values(topics).flatMap(({ accepted, rejected }) => [accepted, rejected]);

/** Asks, and waits for the one message that comes of it. */
async function ask(client: mqtt.MqttClient, topic: string, payload: Uint8Array): Promise<[string, Uint8Array]> {
  const [[answered, bytes]] = await Promise.all([
    nextEvent(client, "message") as Promise<[string, Buffer]>,
    client.publishAsync(topic, Buffer.from(payload), { qos: 1 }),
  ]);
  return [answered, Uint8Array.from(bytes)];
}

async function register(client: mqtt.MqttClient, SerialNumber: string) {
  const request = topics.createKeysAndCertificate.request;
  const [, created] = await ask(client, request, encodeCreateKeysAndCertificateRequest("cbor"));
  const credentials = decodeCreateKeysAndCertificateAnswer(created, "cbor");
  const { certificateOwnershipToken } = credentials;
  const asked = encodeRegisterThingRequest({ certificateOwnershipToken, parameters: { SerialNumber } }, "cbor");
  return { credentials, answer: await ask(client, topics.registerThing.request, asked) };
}

test("a claim provisions in CBOR, nobody else who has the claim hears of it, and it ends with whoever is connected", async (context) => {
  const clock = createJumpingClock();
  const world = await openLine(context, { clock });
  const claim = await createClaim(world);
  assert.deepEqual((await world.iot.send(new ListCertificatesCommand({}))).certificates, []);
  const device = await connectClient(context, world.started, claim, { clientId: "factory-7", keepAliveSeconds });
  const other = await connectClient(context, world.started, claim, {
    clientId: "bystander",
    version: 5,
    keepAliveSeconds,
  });
  const overheard: string[] = [];
  other.on("message", (topic) => overheard.push(topic));
  for (const filter of [
    "$aws/certificates/create/#",
    "$aws/provisioning-templates/line/provision/#",
    "$aws/certificates/create/+/+",
    ...allAnswers,
  ])
    await other.subscribeAsync(filter, { qos: 1 });
  for (const filter of ["#", "$aws/#", "$aws/provisioning-templates/+/provision/cbor/accepted", "pump-7/#"])
    await assert.rejects(other.subscribeAsync(filter, { qos: 1 }), filter);

  await device.subscribeAsync(allAnswers, { qos: 1 });
  const { credentials, answer } = await register(device, "pump-7");
  assert.deepEqual(decodeRegisterThingAnswer(answer[1], "cbor"), { thingName: "pump-7", deviceConfiguration: {} });
  const { certificatePem, privateKey, certificateId } = credentials;
  assert.ok(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKey)));
  const provisioned = await connectClient(context, world.started, credentials, {
    clientId: "pump-7",
    keepAliveSeconds,
  });
  await provisioned.subscribeAsync("any/topic", { qos: 1 });
  const { certificateDescription } = await world.iot.send(new DescribeCertificateCommand({ certificateId }));
  assert.equal(certificateDescription?.status, "ACTIVE");
  // Its own answer shows that nothing was on its way to it before.
  await ask(other, topics.registerThing.request, Uint8Array.of(1));
  assert.deepEqual(overheard, [topics.registerThing.rejected]);

  const ended = Promise.all([nextEvent(device, "close"), nextEvent(other, "close")]);
  clock.jump((claim.expiration?.getTime() ?? 0) - clock.unixMs());
  await ended;
  assert.ok(provisioned.connected);
  await assert.rejects(connectClient(context, world.started, claim, { clientId: "late" }), /closed before CONNACK/);
});

test("a hook over HTTP is asked with AWS's event, and one that does not answer refuses", async (context) => {
  const events: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (bytes: Buffer) => (body += bytes.toString()));
    request.on("end", () => {
      const event = JSON.parse(body) as Record<string, unknown>;
      events.push(event);
      const { SerialNumber } = event["parameters"] as Record<string, string>;
      const parameterOverrides = { SerialNumber: `pump-${SerialNumber}` };
      const answer = JSON.stringify({ allowProvisioning: SerialNumber !== "stolen", parameterOverrides });
      if (SerialNumber === "broken") response.writeHead(302, { location: "/elsewhere" });
      response.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const world = await openLine(context, { functions: { hook: { url: `http://127.0.0.1:${port}/run` } } });
  const claim = await createClaim(world);
  const device = await connectClient(context, world.started, claim, { clientId: "factory" });
  await device.subscribeAsync(allAnswers, { qos: 1 });
  const allowed = await register(device, "7");
  assert.equal(decodeRegisterThingAnswer(allowed.answer[1], "cbor").thingName, "pump-7");
  const { certificateId, certificatePem } = allowed.credentials;
  assert.deepEqual(events, [
    {
      ...{ claimCertificateId: claim.certificateId, certificateId, certificatePem, clientId: "factory" },
      templateArn: `arn:aws:iot:us-east-1:123456789012:provisioningtemplate/${templateName}`,
      parameters: { SerialNumber: "7" },
    },
  ]);
  for (const serial of ["stolen", "broken"]) {
    const [topic, payload] = (await register(device, serial)).answer;
    assert.equal(topic, topics.registerThing.rejected);
    assert.deepEqual(decodeFleetProvisioningRejection(payload, "cbor"), {
      ...{ statusCode: 403, errorCode: "AccessDenied", errorMessage: "Access denied" },
    });
  }
  assert.equal(events.length, 3, "a redirection is followed nowhere");
  const denied = world.log.lines.filter(({ event }) => event === "provisioningHookDenied");
  assert.match(String(denied[1]?.facts["reason"]), /status 302/);
});

test("AWS's client manages templates and their versions", async (context) => {
  const { iot } = await openLine(context);
  const again = { templateName, templateBody, provisioningRoleArn };
  await assert.rejects(iot.send(new CreateProvisioningTemplateCommand(again)), ResourceAlreadyExistsException);
  const invalid = new CreateProvisioningTemplateCommand({ ...again, templateName: "other", templateBody: "{}" });
  await assert.rejects(iot.send(invalid), InvalidRequestException);
  for (let version = 2; version <= 5; version++)
    await iot.send(new CreateProvisioningTemplateVersionCommand({ templateName, templateBody, setAsDefault: true }));
  const sixth = new CreateProvisioningTemplateVersionCommand({ templateName, templateBody });
  await assert.rejects(iot.send(sixth), VersionsLimitExceededException);
  await iot.send(new DeleteProvisioningTemplateVersionCommand({ templateName, versionId: 2 }));
  const versions: [number | undefined, boolean | undefined][] = [];
  for await (const page of paginateListProvisioningTemplateVersions({ client: iot, pageSize: 2 }, { templateName }))
    versions.push(
      ...(page.versions ?? []).map((each): (typeof versions)[0] => [each.versionId, each.isDefaultVersion]),
    );
  assert.deepEqual(versions, [
    [1, false],
    [3, false],
    [4, false],
    [5, true],
  ]);
  await iot.send(new UpdateProvisioningTemplateCommand({ templateName, enabled: false, description: "a line" }));
  const described = await iot.send(new DescribeProvisioningTemplateCommand({ templateName }));
  assert.deepEqual([described.enabled, described.description, described.defaultVersionId], [false, "a line", 5]);
  assert.ok(described.lastModifiedDate instanceof Date);
  await iot.send(new DeleteProvisioningTemplateCommand({ templateName }));
  const gone = new DescribeProvisioningTemplateCommand({ templateName });
  await assert.rejects(iot.send(gone), ResourceNotFoundException);
});
