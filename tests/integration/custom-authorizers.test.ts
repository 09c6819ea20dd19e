// Clients without a certificate, at every door, and domains with rules of their own: MQTT.js against a cloud in this process.
import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { request as httpsRequest } from "node:https";
import { test, type TestContext } from "node:test";
import { connect as connectTcp } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { customAuthorizer } from "@thingline/device/credentials";
import { connectDevice } from "@thingline/device/node";
import mqtt from "mqtt";
import { createDevice, nextEvent, openWorld, portOf, type World } from "./cloud-world.test.support.js";

const functionArn = "arn:aws:lambda:us-east-1:123456789012:function:auth";
const callbackArn = "arn:aws:lambda:us-east-1:123456789012:function:callback";
const certificateArn = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555";
const statement = (action: string, resource: string) => ({
  ...{ Effect: "Allow", Action: action },
  Resource: `arn:aws:iot:us-east-1:123456789012:${resource}`,
});
const policy = {
  Version: "2012-10-17",
  Statement: [
    statement("iot:Connect", "client/${iot:ClientId}"),
    statement("iot:Publish", "topic/own/*"),
    statement("iot:Subscribe", "topicfilter/*"),
    statement("iot:Receive", "topic/*"),
    statement("iot:Publish", "topic/$aws/things/*"),
  ],
};
const pair = generateKeyPairSync("rsa", {
  modulusLength: 2_048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const sign = (token: string) => createSign("sha256").update(token).sign(pair.privateKey, "base64");

type Event = {
  token?: string;
  protocols: string[];
  protocolData: { mqtt?: { password?: string }; tls?: { principalId?: string; serverName?: string } };
};

async function openAuthorizers(context: TestContext) {
  const events: Event[] = [];
  const callbacks: Record<string, unknown>[] = [];
  let isWelcome = true;
  const world = await openWorld(context, {
    memory: true,
    functions: {
      auth: (event) => {
        const told = event as unknown as Event;
        events.push(told);
        const principalId = told.protocolData.tls?.principalId ?? "Principal1";
        return { isAuthenticated: told.token !== "bad", principalId, policyDocuments: [policy] };
      },
      callback: (event) => (callbacks.push(event), { isAuthenticated: isWelcome }),
    },
  });
  const { cloud } = world.started;
  await cloud.run(cloud.authorizers.createAuthorizer, {
    ...{ authorizerName: "auth", authorizerFunctionArn: functionArn, status: "ACTIVE", tokenKeyName: "token" },
    tokenSigningPublicKeys: { key: pair.publicKey },
  });
  const turnAway = () => void (isWelcome = false);
  return { ...world, cloud, events, callbacks, turnAway };
}

const credentials = (token: string, signature = sign(token)) =>
  `x-amz-customauthorizer-name=auth&x-amz-customauthorizer-signature=${encodeURIComponent(signature)}&token=${token}`;

function dial(context: TestContext, { started }: World, door: "mqtts" | "https", options: mqtt.IClientOptions) {
  const client = mqtt.connect({
    ...{ host: "localhost", port: portOf(started.addresses[door]), protocol: "mqtts", ca: started.caPem },
    ...{ clientId: "dev", reconnectPeriod: 0, ...options },
  });
  client.on("error", () => undefined);
  context.after(() => client.end(true));
  return client;
}

const outcomeOf = (client: mqtt.MqttClient) =>
  Promise.race([
    nextEvent(client, "connect").then(() => "connected" as const),
    nextEvent(client, "close").then(() => "closed" as const),
  ]);

test("a client without a certificate is let in by its token at every door, and may do what the function allows", async (context) => {
  const world = await openAuthorizers(context);
  const { events, log, cloud } = world;
  const raw = { ALPNProtocols: ["mqtt"], password: "secret" };
  const headers = {
    ...{ "x-amz-customauthorizer-name": "auth", "x-amz-customauthorizer-signature": sign("t"), token: "t" },
  };
  const wss = { protocol: "wss", path: "/mqtt", wsOptions: { ca: world.started.caPem } } as const;
  const doors: ["mqtts" | "https", mqtt.IClientOptions, string[]][] = [
    ["https", { ...raw, username: `me?${credentials("t")}` }, ["tls", "mqtt"]],
    ["mqtts", { ...raw, username: `?${credentials("t")}`, protocolVersion: 5 }, ["tls", "mqtt"]],
    ["https", { ...wss, wsOptions: { ...wss.wsOptions, headers } }, ["tls", "http", "mqtt"]],
    ["https", { ...wss, path: `/mqtt?${credentials("t")}` }, ["tls", "http", "mqtt"]],
    ["https", { ...wss, username: `me?${credentials("t")}` }, ["tls", "http", "mqtt"]],
  ];
  for (const [door, options, protocols] of doors) {
    const client = dial(context, world, door, options);
    assert.equal(await outcomeOf(client), "connected", JSON.stringify(options));
    const event = events.pop();
    assert.deepEqual([event?.token, event?.protocols], ["t", protocols]);
    if ("password" in options) assert.equal(event?.protocolData.mqtt?.password, btoa("secret"));
    await client.endAsync();
  }
  const client = dial(context, world, "https", { ...raw, username: `me?${credentials("t")}` });
  await outcomeOf(client);
  const watcher = dial(context, world, "https", { ...raw, clientId: "watcher", username: `?${credentials("t")}` });
  await outcomeOf(watcher);
  await watcher.subscribeAsync(["$aws/events/presence/disconnected/dev", "$aws/things/t/shadow/update/accepted"]);
  const told = nextEvent(watcher, "message");
  await client.publishAsync("$aws/things/t/shadow/update", '{"state":{"desired":{"a":1}}}', { qos: 1 });
  const [topic] = (await told) as [string];
  assert.equal(topic, "$aws/things/t/shadow/update/accepted");
  const gone = nextEvent(watcher, "message");
  // MQTT 3.1.1: what the policy does not allow ends the connection.
  client.publish("others", "x", { qos: 1 });
  const [, payload] = (await gone) as [string, Buffer];
  const { principalIdentifier, disconnectReason } = JSON.parse(payload.toString()) as Record<string, string>;
  assert.deepEqual([principalIdentifier, disconnectReason], ["Principal1", "AUTH_ERROR"]);
  const denied = await log.line(({ event }) => event === "denied");
  assert.match(String(denied.facts["explanation"]), /policyDocuments\[0\] of authorizer auth/);
  assert.equal(cloud.stats().gateway.connectionsRefused.noCertificate, 0);
});

test("who is not let in is told nothing, and the log says why", async (context) => {
  const world = await openAuthorizers(context);
  const { events, log, cloud } = world;
  const refused: [mqtt.IClientOptions, RegExp][] = [
    [{ username: `me?${credentials("t", sign("u"))}` }, /signature of the token is of none/],
    [{ username: "me" }, /names no authorizer/],
    [{ username: `me?${credentials("bad")}` }, /isAuthenticated is false/],
    [{ clientId: "", username: `me?${credentials("t").replace("auth&", "none&")}` }, /there is no authorizer none/],
  ];
  for (const [options, why] of refused) {
    const client = dial(context, world, "https", { ALPNProtocols: ["mqtt"], ...options });
    assert.equal(await outcomeOf(client), "closed");
    const line = await log.line(
      ({ event, facts }) => event === "connectDenied" && why.test(String(facts["explanation"])),
    );
    assert.ok(!JSON.stringify(line).includes(sign("t")));
  }
  assert.equal(events.length, 1);
  await cloud.run(cloud.authorizers.setDefaultAuthorizer, { authorizerName: "auth" });
  const token = encodeURIComponent(sign("t"));
  const username = `me?x-amz-customauthorizer-signature=${token}&token=t`;
  const byDefault = dial(context, world, "https", { ALPNProtocols: ["mqtt"], username });
  assert.equal(await outcomeOf(byDefault), "connected");
  // A certificate without that ALPN is a certificate, as before.
  const device = await createDevice(world.iot);
  const certified = dial(context, world, "mqtts", {
    clientId: "b",
    cert: device.certificatePem,
    key: device.privateKey,
  });
  assert.equal(await outcomeOf(certified), "connected");
});

test("the device library connects with a token, by ALPN and over WebSocket", async (context) => {
  const world = await openAuthorizers(context);
  const { caPem: ca, addresses } = world.started;
  const options = { authorizerName: "auth", username: "me", password: "secret" };
  const token = { tokenKeyName: "token", tokenValue: "t", authorizerSignature: sign("t") };
  for (const webSocketPath of [undefined, "/mqtt"]) {
    await using device = await connectDevice({
      ...{ endpoint: addresses.https, clientId: "dev", tls: { ca } },
      ...customAuthorizer({ ...options, ...token, ...(webSocketPath !== undefined && { webSocketPath }) }),
    });
    await device.publish("own/x", "x");
    assert.equal(world.events.at(-1)?.token, "t");
  }
});

test("whoever names an authorizer publishes over HTTP with its token, and does nothing else", async (context) => {
  const world = await openAuthorizers(context);
  const { events, log, started } = world;
  const send = async (path: string, headers: Record<string, string> = {}, method = "POST") => {
    const response = await fetch(`${started.addresses.api}${path}`, {
      method,
      headers,
      body: method === "GET" ? null : "x",
    });
    return { status: response.status, message: ((await response.json()) as { message?: string }).message };
  };
  const headers = {
    ...{ "x-amz-customauthorizer-name": "auth", "x-amz-customauthorizer-signature": sign("t"), token: "t" },
  };
  assert.deepEqual(await send("/topics/own/a?qos=1", headers), { status: 200, message: "OK" });
  assert.deepEqual([events.at(-1)?.token, events.at(-1)?.protocols], ["t", ["tls", "http"]]);
  assert.equal((await send(`/topics/own/a?${credentials("t")}`)).status, 200);
  const refused: [string, RegExp][] = [
    [`/topics/others?${credentials("t")}`, /authorizer auth|statement/],
    [`/topics/own/a?${credentials("t", sign("u"))}`, /none of the authorizer's keys/],
  ];
  for (const [path, why] of refused) {
    assert.deepEqual(await send(path), { status: 403, message: "Forbidden" });
    await log.line(({ event, facts }) => event === "forbidden" && why.test(String(facts["explanation"])));
  }
  // The port for devices, by TLS.
  const overTls = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = {
        ...{ host: "localhost", port: portOf(started.addresses.https), path },
        method: "POST",
        ca: started.caPem,
      };
      const request = httpsRequest(options, (response) => resolve((response.resume(), response.statusCode)));
      request.on("error", reject).end("x");
    });
  assert.equal(await overTls(`/topics/own/a?${credentials("t")}`), 200);
  assert.equal(await overTls(`/topics/others?${credentials("t")}`), 403);
  assert.equal(await overTls("/topics/own/a"), 403);
  assert.equal((await send(`/things?${credentials("t")}`, {}, "GET")).status, 403);
});

test("a domain asks for what it is configured for: certificate and token, another certificate, no client at all", async (context) => {
  const world = await openAuthorizers(context);
  const { cloud, events, callbacks, turnAway, log } = world;
  const { createDomainConfiguration, updateDomainConfiguration } = cloud.domainConfigurations;
  const domainConfigurationName = "both";
  const servername = "iot.example.com";
  await cloud.run(createDomainConfiguration, {
    ...{ domainConfigurationName, domainName: servername, serverCertificateArns: [certificateArn] },
    ...{ authenticationType: "CUSTOM_AUTH_X509", applicationProtocol: "SECURE_MQTT" },
    authorizerConfig: { defaultAuthorizerName: "auth" },
    clientCertificateConfig: { clientCertificateCallbackArn: callbackArn },
  });
  const device = await createDevice(world.iot, { statements: [statement("iot:Publish", "topic/of/certificate")] });
  const certified = { cert: device.certificatePem, key: device.privateKey, servername };
  const username = `me?${credentials("t").replace("x-amz-customauthorizer-name=auth&", "")}`;
  // Without ALPN, on the port of WebSockets: the domain decides.
  const client = dial(context, world, "https", { ...certified, username });
  assert.equal(await outcomeOf(client), "connected");
  assert.equal(events.at(-1)?.protocolData.tls?.principalId, device.certificateId);
  await client.publishAsync("of/certificate", "x", { qos: 1 });
  await client.publishAsync("own/x", "x", { qos: 1 });
  assert.deepEqual([callbacks[0]?.["principalId"], callbacks[0]?.["serverName"]], [device.certificateId, servername]);

  const refusal = async (reason: string, options: mqtt.IClientOptions) => {
    assert.equal(await outcomeOf(dial(context, world, "mqtts", { servername, ...options })), "closed");
    await log.line(({ event, facts }) => event === "connectionRefused" && facts["reason"] === reason);
  };
  await refusal("noCertificate", { username });
  turnAway();
  await refusal("callbackRefused", { ...certified, username });
  await cloud.run(updateDomainConfiguration, { domainConfigurationName, domainConfigurationStatus: "DISABLED" });
  await refusal("domainRefused", { ...certified, username });
  // Unknown names are the endpoint's.
  const other = dial(context, world, "mqtts", { ...certified, servername: "localhost", clientId: "c" });
  assert.equal(await outcomeOf(other), "closed");
  await log.line(({ event, facts }) => event === "connectDenied" && facts["clientId"] === "c");
});

/** To the cloud, with each byte of the client's first record in a record of its own. */
function spread(port: number): Duplex {
  const tcp = connectTcp({ port, host: "localhost" });
  let isFirst = true;
  const through = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      if (!isFirst) return void tcp.write(chunk, done);
      isFirst = false;
      const end = 5 + chunk.readUInt16BE(3);
      const records = Array.from(chunk.subarray(5, end), (byte) => [22, 3, 1, 0, 1, byte]);
      tcp.write(Buffer.concat([Buffer.from(records.flat()), chunk.subarray(end)]), done);
    },
    destroy: (error, done) => (tcp.destroy(), done(error)),
  });
  tcp.on("data", (data) => through.push(data)).on("end", () => through.push(null));
  tcp.on("error", (error) => through.destroy(error));
  return through;
}

test("a domain's security policy is what is spoken under its name, and no other", async (context) => {
  const world = await openAuthorizers(context);
  const { cloud } = world;
  const configure = (domainConfigurationName: string, securityPolicy: string) =>
    cloud.run(cloud.domainConfigurations.createDomainConfiguration, {
      ...{ domainConfigurationName, domainName: `${domainConfigurationName}.example.com` },
      ...{ serverCertificateArns: [certificateArn], tlsConfig: { securityPolicy } },
      // Nobody is sent away for having no certificate.
      ...{ authenticationType: "CUSTOM_AUTH", applicationProtocol: "SECURE_MQTT" },
    });
  await configure("new", "IoTSecurityPolicy_TLS13_1_3_2022_10");
  await configure("old", "IoTSecurityPolicy_TLS12_1_2_2022_10");
  const port = portOf(world.started.addresses.mqtts);
  const speak = (servername: string, options: object = {}) =>
    new Promise<string>((resolve) => {
      const socket = connectTls({ port, ca: world.started.caPem, servername, ...options }, () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
        socket.destroy();
      });
      socket.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    });
  assert.match(await speak("new.example.com"), /^TLSv1\.3 /);
  assert.match(await speak("new.example.com", { maxVersion: "TLSv1.2" }), /PROTOCOL_VERSION/);
  assert.match(await speak("old.example.com"), /^TLSv1\.2 ECDHE-ECDSA-AES/);
  assert.match(await speak("old.example.com", { minVersion: "TLSv1.3" }), /PROTOCOL_VERSION/);
  assert.match(
    await speak("old.example.com", { ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305", maxVersion: "TLSv1.2" }),
    /HANDSHAKE/,
  );
  // A hello that is spread over records hides no name.
  assert.match(await speak("new.example.com", { maxVersion: "TLSv1.2", socket: spread(port) }), /PROTOCOL_VERSION/);
  assert.match(await speak("new.example.com", { socket: spread(port) }), /^TLSv1\.3 /);
  // The endpoint's own name is as it was.
  const own = await speak("localhost", { ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305", maxVersion: "TLSv1.2" });
  assert.doesNotMatch(own, /HANDSHAKE/);
});
