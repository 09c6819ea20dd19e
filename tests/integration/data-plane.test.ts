// Publish and retained messages of a whole local cloud, by the unmodified AWS SDK and by plain HTTP, on real sockets.
import assert from "node:assert/strict";
import { request as httpsRequest } from "node:https";
import { test } from "node:test";
import {
  DeleteConnectionCommand,
  GatewayTimeoutException,
  GetConnectionCommand,
  GetRetainedMessageCommand,
  InvalidRequestException,
  ListRetainedMessagesCommand,
  ListSubscriptionsCommand,
  PublishCommand,
  ResourceNotFoundException,
  SendDirectMessageCommand,
} from "@aws-sdk/client-iot-data-plane";
import type mqtt from "mqtt";
import {
  connectClient,
  createDevice,
  nextEvent,
  openDataPlane,
  openWorld,
  portOf,
  type Credentials,
  type World,
} from "./cloud-world.test.support.js";

type Arrival = [topic: string, payload: Buffer, packet: mqtt.IPublishPacket];
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

for (const version of [4, 5] as const) {
  test(`what the AWS SDK publishes reaches a device that speaks MQTT ${version}`, async (context) => {
    const world = await openWorld(context);
    const data = openDataPlane(context, world);
    const device = await connectClient(context, world.started, await createDevice(world.iot), {
      clientId: "pump",
      version,
    });
    const topic = "pump/$set/a+b%2F ü";
    await device.subscribeAsync("pump/#", { qos: 1 });
    const arrived = nextEvent(device, "message") as Promise<Arrival>;
    await data.send(
      new PublishCommand({
        topic: topic.replace("+", "-"),
        qos: 1,
        payload: encode("on"),
        contentType: "text/plain",
        responseTopic: "pump/answers",
        messageExpiry: 60,
        payloadFormatIndicator: "UTF8_DATA",
        correlationData: Buffer.from("c1").toString("base64"),
        userProperties: JSON.stringify([{ site: "a" }, { site: "b" }]),
      }),
    );
    const [name, payload, { qos, properties }] = await arrived;
    assert.deepEqual([name, decode(payload), qos], [topic.replace("+", "-"), "on", 1]);
    if (version === 4) return;
    const { contentType, responseTopic, messageExpiryInterval = 0, payloadFormatIndicator } = properties ?? {};
    assert.deepEqual([contentType, responseTopic, payloadFormatIndicator], ["text/plain", "pump/answers", true]);
    assert.ok(messageExpiryInterval >= 50 && messageExpiryInterval <= 60);
    assert.equal(properties?.correlationData?.toString(), "c1");
    assert.deepEqual({ ...properties?.userProperties }, { site: ["a", "b"] });
  });
}

test("a message over HTTP with QoS 1 is kept for a device that is away", async (context) => {
  const world = await openWorld(context);
  const data = openDataPlane(context, world);
  const credentials = await createDevice(world.iot);
  const options = { clientId: "pump", clean: false };
  const device = await connectClient(context, world.started, credentials, options);
  await device.subscribeAsync("pump/settings", { qos: 1 });
  await device.endAsync();
  await data.send(new PublishCommand({ topic: "pump/settings", qos: 1, payload: encode("kept") }));
  await data.send(new PublishCommand({ topic: "pump/settings", qos: 0, payload: encode("not kept") }));
  const arrived = new Promise<Arrival>((resolve) => {
    const prepare = (client: mqtt.MqttClient) => void client.once("message", (...arrival) => resolve(arrival));
    void connectClient(context, world.started, credentials, { ...options, prepare });
  });
  const [, payload] = await arrived;
  assert.equal(decode(payload), "kept");
});

test("the AWS SDK reads, lists and deletes retained messages", async (context) => {
  const world = await openWorld(context);
  const data = openDataPlane(context, world);
  const beforeMs = Date.now();
  for (const topic of ["pump/a", "pump/b", "pump/c"]) {
    await data.send(new PublishCommand({ topic, qos: 1, retain: true, payload: encode(topic) }));
  }
  const userProperties = JSON.stringify([{ site: "a" }]);
  await data.send(
    new PublishCommand({ topic: "pump/b", retain: true, payload: new Uint8Array([0, 255]), userProperties }),
  );
  const got = await data.send(new GetRetainedMessageCommand({ topic: "pump/b" }));
  assert.deepEqual([got.topic, got.payload, got.qos], ["pump/b", new Uint8Array([0, 255]), 0]);
  assert.equal(decode(got.userProperties), userProperties);
  assert.ok((got.lastModifiedTime ?? 0) >= beforeMs && (got.lastModifiedTime ?? 0) <= Date.now());

  const device = await connectClient(context, world.started, await createDevice(world.iot), { clientId: "pump" });
  const arrived = nextEvent(device, "message") as Promise<Arrival>;
  await device.subscribeAsync("pump/a", { qos: 1 });
  const [, payload, { retain }] = await arrived;
  assert.deepEqual([decode(payload), retain], ["pump/a", true]);

  const first = await data.send(new ListRetainedMessagesCommand({ maxResults: 2 }));
  assert.deepEqual(
    first.retainedTopics?.map(({ topic, payloadSize, qos }) => [topic, payloadSize, qos]),
    [
      ["pump/a", 6, 1],
      ["pump/b", 2, 0],
    ],
  );
  const second = await data.send(new ListRetainedMessagesCommand({ nextToken: first.nextToken }));
  assert.deepEqual([second.retainedTopics?.map(({ topic }) => topic), second.nextToken], [["pump/c"], undefined]);

  await data.send(new PublishCommand({ topic: "pump/b", retain: true }));
  await assert.rejects(data.send(new GetRetainedMessageCommand({ topic: "pump/b" })), ResourceNotFoundException);
  await assert.rejects(data.send(new PublishCommand({ topic: "pump/+" })), InvalidRequestException);
});

test("plain HTTP: slashes as they are, AWS's answers, and the cause of a refusal in the log", async (context) => {
  const world = await openWorld(context, { memory: true, limits: "aws" });
  const device = await connectClient(context, world.started, await createDevice(world.iot), { clientId: "pump" });
  await device.subscribeAsync("pump/a/b", { qos: 1 });
  const arrived = nextEvent(device, "message") as Promise<Arrival>;
  const url = `${world.started.addresses.api}/topics`;
  const answer = await fetch(`${url}/pump/a%2Fb?qos=1`, { method: "POST", body: "raw" });
  const body = (await answer.json()) as Record<string, unknown>;
  assert.deepEqual([answer.status, body["message"]], [200, "OK"]);
  assert.equal(body["traceId"], answer.headers.get("x-amzn-requestid"));
  assert.equal(decode((await arrived)[1]), "raw");

  const refused = await fetch(`${url}/$aws/events/presence/connected/pump`, { method: "POST", body: "{}" });
  const { traceId, ...rest } = (await refused.json()) as Record<string, unknown>;
  assert.deepEqual(
    [refused.status, refused.headers.get("x-amzn-errortype"), rest],
    [403, "ForbiddenException", { message: "Forbidden" }],
  );
  const { facts } = await world.log.line(({ event }) => event === "forbidden");
  assert.equal(facts["requestId"], traceId);
  assert.match(String(facts["explanation"]), /reserved topic/);
  const large = await fetch(`${url}/pump`, { method: "POST", body: new Uint8Array(131_073) });
  assert.deepEqual([large.status, large.headers.get("x-amzn-errortype")], [413, "RequestEntityTooLargeException"]);
  await large.arrayBuffer();
});

test("a shadow request that is published over HTTP is answered on MQTT before HTTP answers", async (context) => {
  const world = await openWorld(context);
  const data = openDataPlane(context, world);
  const device = await connectClient(context, world.started, await createDevice(world.iot), { clientId: "pump" });
  const came: string[] = [];
  const bothCame = new Promise<void>((resolve) => {
    device.on("message", (topic) => {
      came.push(topic.split("/").slice(-2).join("/"));
      if (came.length === 2) resolve();
    });
  });
  await device.subscribeAsync("$aws/things/pump/shadow/update/+", { qos: 1 });
  const topic = "$aws/things/pump/shadow/update";
  await data.send(new PublishCommand({ topic, qos: 1, payload: encode('{"state":{"reported":{"on":true}}}') }));
  const shadow = await world.started.cloud.run(world.started.cloud.shadows.getThingShadow, { thingName: "pump" });
  assert.deepEqual(shadow.state, { reported: { on: true } });
  await bothCame;
  assert.deepEqual(came.sort(), ["update/accepted", "update/documents"]);
});

test("the AWS SDK describes connections, lists subscriptions, sends to one client and disconnects it", async (context) => {
  const world = await openWorld(context);
  const data = openDataPlane(context, world);
  const clientId = "pump/1";
  const credentials = await createDevice(world.iot, { thingName: "pump" });
  const device = await connectClient(context, world.started, credentials, { clientId, version: 5, clean: false });
  await device.subscribeAsync(["pump/a", "pump/b"], { qos: 1 });
  const got = await data.send(new GetConnectionCommand({ clientId, includeSocketInformation: true }));
  const { connected, cleanSession, targetPort, connectedSince = 0, sessionExpiry, disconnectReason } = got;
  const { mqtts } = world.started.addresses;
  assert.deepEqual(
    [got.clientId, connected, cleanSession, `localhost:${targetPort}`, sessionExpiry, disconnectReason],
    [clientId, true, true, mqtts, 0, undefined],
  );
  assert.ok(Math.abs(Date.now() - connectedSince) < 60_000);
  const first = await data.send(new ListSubscriptionsCommand({ clientId, maxResults: 1 }));
  const { nextToken } = first;
  const second = await data.send(new ListSubscriptionsCommand({ clientId, maxResults: 1, nextToken }));
  assert.deepEqual(
    [first.subscriptions, second.subscriptions, second.nextToken],
    [[{ topicFilter: "pump/a", qos: 1 }], [{ topicFilter: "pump/b", qos: 1 }], undefined],
  );
  const arrived = nextEvent(device, "message") as Promise<Arrival>;
  const answer = await data.send(
    new SendDirectMessageCommand({
      ...{ clientId, topic: "anything/else", payload: encode("now"), confirmation: true, timeout: 15 },
      ...{ contentType: "text/plain", userProperties: JSON.stringify([{ site: "a" }]) },
    }),
  );
  assert.deepEqual([answer.message, typeof answer.traceId], ["OK", "string"]);
  const [topic, payload, { qos, properties }] = await arrived;
  assert.deepEqual([topic, decode(payload), qos, properties?.contentType], ["anything/else", "now", 1, "text/plain"]);
  const ended = nextEvent(device, "disconnect") as Promise<[{ reasonCode: number }]>;
  await data.send(new DeleteConnectionCommand({ clientId, cleanSession: true, preventWillMessage: true }));
  assert.equal((await ended)[0].reasonCode, 0x98);
  const after = await data.send(new GetConnectionCommand({ clientId }));
  assert.deepEqual([after.connected, after.disconnectReason], [false, "API_INITIATED_DISCONNECT"]);
  const api = `${world.started.addresses.api}/connections/pump%2F1`;
  const again = await fetch(`${api}?cleanSession=TRUE`, { method: "DELETE" });
  assert.deepEqual([again.status, again.headers.get("x-amzn-errortype")], [404, "ResourceNotFoundException"]);
  await again.arrayBuffer();
  const silent = await connectClient(context, world.started, credentials, { clientId });
  silent.handleMessage = () => undefined;
  const confirmed = { clientId, topic: "t", confirmation: true, timeout: 1 };
  await assert.rejects(data.send(new SendDirectMessageCommand(confirmed)), GatewayTimeoutException);
});

interface DeviceAnswer {
  status: number;
  body: Record<string, unknown>;
}

/** A request by who shows a certificate, at the port of WebSockets. */
function ask(
  { started }: World,
  credentials: Pick<Credentials, "certificatePem" | "privateKey"> | undefined,
  path: string,
  { method = "GET", body = "", alpn = "x-amzn-http-ca" }: { method?: string; body?: string; alpn?: string } = {},
): Promise<DeviceAnswer> {
  const identity = credentials && { cert: credentials.certificatePem, key: credentials.privateKey };
  const target = { host: "localhost", port: portOf(started.addresses.https), path, method, agent: false };
  // The types of Node leave ALPN out here.
  const options = { ...target, ...identity, ca: started.caPem, ALPNProtocols: [alpn] };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(options, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

test("a device asks the data plane over HTTPS by its certificate, and its policies say what it may", async (context) => {
  const world = await openWorld(context);
  const arn = "arn:aws:iot:us-east-1:123456789012:";
  const credentials = await createDevice(world.iot, {
    statements: [
      { Effect: "Allow", Action: "iot:Publish", Resource: [`${arn}topic/pump/a`, `${arn}topic/no/retain`] },
      { Effect: "Allow", Action: ["iot:GetThingShadow", "iot:UpdateThingShadow"], Resource: `${arn}thing/pump/own` },
      {
        Effect: "Allow",
        Action: "iot:GetPendingJobExecutions",
        Resource: `${arn}thing/\${iot:Connection.Thing.ThingName}`,
      },
      {
        ...{ Effect: "Allow", Action: "iot:SendDirectMessage", Resource: `${arn}client/other` },
        Condition: { StringEquals: { "iot:Topic": "commands" } },
      },
      {
        ...{ Effect: "Allow", Action: "iot:GetConnection", Resource: "*" },
        Condition: { StringEquals: { "iot:IncludeSocketInformation": "false" } },
      },
    ],
    thingName: "pump",
  });
  const other = await connectClient(context, world.started, await createDevice(world.iot), { clientId: "other" });
  await other.subscribeAsync("pump/a", { qos: 1 });
  const arrived = nextEvent(other, "message") as Promise<Arrival>;
  const post = (path: string, body = "x") => ask(world, credentials, path, { method: "POST", body });
  const published = await post("/topics/pump%2Fa?qos=1", "by HTTPS");
  assert.deepEqual([published.status, published.body["message"]], [200, "OK"]);
  assert.equal(decode((await arrived)[1]), "by HTTPS");
  const update = await post("/things/pump/shadow?name=own", '{"state":{"reported":{"on":true}}}');
  assert.equal(update.status, 200);
  assert.equal((await ask(world, credentials, "/connections/other", { alpn: "http/1.1" })).body["connected"], true);
  assert.equal((await post("/connections/other/messages?topic=commands&confirmation=true")).status, 200);
  const denied: [path: string, method?: string][] = [
    ["/topics/pump%2Fb?qos=1", "POST"],
    ["/topics/no%2Fretain?qos=1&retain=true", "POST"],
    ["/things/pump/shadow"],
    ["/things/other/shadow?name=own"],
    ["/things/pump/jobs"],
    ["/connections/other?includeSocketInformation=true"],
    ["/connections/other", "DELETE"],
    ["/connections/other/messages?topic=no", "POST"],
    ["/retainedMessage"],
  ];
  for (const [path, method = "GET"] of denied) {
    const { status, body } = await ask(world, credentials, path, { method });
    assert.deepEqual([path, status, body["message"]], [path, 403, "Forbidden"]);
  }
  const { facts } = await world.log.line(({ event }) => event === "forbidden");
  assert.match(String(facts["explanation"]), /iot:Publish/);
  assert.equal((await ask(world, credentials, "/things")).status, 404, "the control plane is not there");
  const { status } = await ask(world, undefined, "/topics/pump%2Fa", { method: "POST" });
  assert.equal(status, 403);
});
