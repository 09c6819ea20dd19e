// The first connection with a certificate of a registered CA, over real TLS: it is registered, or its device is provisioned.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import {
  CreatePolicyCommand,
  DescribeCertificateCommand,
  DescribeThingCommand,
  GetRegistrationCodeCommand,
  ListCertificatesByCACommand,
  RegisterCACertificateCommand,
  UpdateCACertificateCommand,
  UpdateCertificateCommand,
  type RegisterCACertificateCommandInput,
} from "@aws-sdk/client-iot";
import {
  createCertificate,
  parseCertificates,
  readCertificateSignature,
  type DistinguishedName,
} from "@thingline/protocol/x509";
import { createNodeKeys } from "@thingline/transport/node";
import {
  allowAll,
  connectClient,
  createDevice,
  nextEvent,
  openWorld,
  portOf,
  type World,
} from "./cloud-world.test.support.js";

const keys = createNodeKeys();

interface Certificate {
  certificatePem: string;
  privateKey: string;
  der: Uint8Array;
}

let serial = 1;

async function makeCertificate(
  subject: DistinguishedName,
  { issuer, isCa = false }: { issuer?: Certificate; isCa?: boolean } = {},
): Promise<Certificate> {
  const { privateKeyPem: privateKey } = await keys.generate("ec-p256");
  const { der, pem } = await createCertificate({
    ...{ subject, isCa, publicKey: keys.publicKeyOf(privateKey), serialNumber: Uint8Array.of(1, serial++) },
    ...{ notBefore: Math.floor(Date.now() / 1000) - 60, notAfter: Math.floor(Date.now() / 1000) + 86_400 },
    ...(issuer !== undefined && {
      issuer: {
        name: readCertificateSignature(issuer.der).subjectName,
        publicKey: parseCertificates(issuer.certificatePem)[0].publicKey,
      },
    }),
    sha256: (data) => keys.sha256(data),
    sign: (data) => keys.sign(issuer?.privateKey ?? privateKey, data),
  });
  return { certificatePem: pem, privateKey, der };
}

const makeDevice = (issuer: Certificate, name: string) => makeCertificate([["CN", name]], { issuer });

async function registerCa({ iot }: World, input: Partial<RegisterCACertificateCommandInput> = {}) {
  const ca = await makeCertificate([["CN", "Factory"]], { isCa: true });
  const { registrationCode = "" } = await iot.send(new GetRegistrationCodeCommand({}));
  const { certificatePem: verificationCertificate } = await makeDevice(ca, registrationCode);
  const caCertificate = ca.certificatePem;
  const { certificateId = "" } = await iot.send(
    new RegisterCACertificateCommand({
      ...{ caCertificate, verificationCertificate, setAsActive: true, allowAutoRegistration: true, ...input },
    }),
  );
  return { ca, caCertificateId: certificateId };
}

async function hearEvents(context: TestContext, world: World, caCertificateId: string) {
  const client = await connectClient(context, world.started, await createDevice(world.iot), { clientId: "operator" });
  await client.subscribeAsync(`$aws/events/certificates/registered/${caCertificateId}`);
  return async () => {
    const [, payload] = await nextEvent(client, "message");
    return JSON.parse(String(payload)) as Record<string, unknown>;
  };
}

const idOf = ({ der }: Certificate) => Buffer.from(keys.sha256(der)).toString("hex");
const refusedBeforeConnack = /connection closed before CONNACK/;

test("a certificate of a registered CA is registered by its first CONNECT, and told of at each until it is ACTIVE", async (context) => {
  const world = await openWorld(context);
  const { iot, started } = world;
  const { ca, caCertificateId } = await registerCa(world);
  const nextRegistered = await hearEvents(context, world, caCertificateId);
  const device = await makeDevice(ca, "pump-7");
  const certificateId = idOf(device);
  const listed = async () => (await iot.send(new ListCertificatesByCACommand({ caCertificateId }))).certificates ?? [];

  // A handshake is no CONNECT.
  const { certificatePem: cert, privateKey: key } = device;
  const options = {
    host: "localhost",
    servername: "localhost",
    port: portOf(started.addresses.mqtts),
    ca: started.caPem,
  };
  const socket = connectTls({ ...options, cert, key });
  await once(socket, "secureConnect");
  socket.end();
  await once(socket, "close");
  assert.deepEqual(await listed(), []);

  // The CA behind the certificate is not needed, and does no harm. Neither version of MQTT is answered.
  for (const [version, chain] of [
    [4, cert],
    [5, cert + ca.certificatePem],
    [4, cert + ca.certificatePem],
  ] as const) {
    const event = nextRegistered();
    const attempt = connectClient(
      context,
      started,
      { ...device, certificatePem: chain },
      { clientId: "pump-7", version },
    );
    await assert.rejects(
      attempt,
      (error: Error) => refusedBeforeConnack.test(error.message) && !/refused/.test(error.message),
    );
    const { timestamp, ...rest } = await event;
    assert.equal(typeof timestamp, "number");
    assert.deepEqual(rest, {
      ...{ certificateId, caCertificateId, certificateStatus: "PENDING_ACTIVATION", awsAccountId: "123456789012" },
      certificateRegistrationTimestamp: null,
    });
    assert.deepEqual(
      (await listed()).map(({ status }) => status),
      ["PENDING_ACTIVATION"],
    );
  }
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  assert.equal(certificateDescription?.caCertificateId, caCertificateId);
  await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "ACTIVE" }));
  const denied = connectClient(context, started, device, { clientId: "pump-7" });
  await assert.rejects(denied, refusedBeforeConnack, "ACTIVE, and without a policy");
  const { facts } = await world.log.line(({ event }) => event === "connectDenied");
  assert.match(String(facts["explanation"]), /no policy|polic/);
});

test("with a template of its CA a device is closed once, and is in with its second connection", async (context) => {
  const world = await openWorld(context);
  const { iot, started } = world;
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [allowAll] });
  await iot.send(new CreatePolicyCommand({ policyName: "devices", policyDocument }));
  const template = {
    Resources: {
      thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "AWS::IoT::Certificate::CommonName" } } },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
      },
      policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "devices" } },
    },
  };
  const { ca } = await registerCa(world, {
    registrationConfig: { templateBody: JSON.stringify(template), roleArn: "arn:aws:iam::123456789012:role/jitp" },
  });
  const device = await makeDevice(ca, "pump-8");
  const attempts = await Promise.allSettled(
    Array.from({ length: 4 }, (_, index) => connectClient(context, started, device, { clientId: `pump-8-${index}` })),
  );
  assert.ok(attempts.some(({ status }) => status === "rejected"));
  const client = await connectClient(context, started, device, { clientId: "pump-8" });
  await client.publishAsync("a", "b", { qos: 1 });
  const { version } = await iot.send(new DescribeThingCommand({ thingName: "pump-8" }));
  assert.equal(version, 1);
  const provisioned = world.log.lines.filter(({ event }) => event === "deviceProvisionedJustInTime");
  assert.equal(provisioned.length, 1);

  const nameless = await makeCertificate([["O", "Acme"]], { issuer: ca });
  await assert.rejects(connectClient(context, started, nameless, { clientId: "x" }), refusedBeforeConnack);
  const { facts } = await world.log.line(({ event }) => event === "justInTimeProvisioningFailed");
  assert.match(String(facts["reason"]), /Cannot resolve reference value: AWS::IoT::Certificate::CommonName/);
});

test("whoever is not registered is told why before any MQTT", async (context) => {
  const world = await openWorld(context);
  const { iot, started } = world;
  const { ca, caCertificateId } = await registerCa(world);
  const refusal = async (device: Certificate, host = "localhost") => {
    const begun = world.log.lines.length;
    const { certificatePem: cert, privateKey: key } = device;
    const name = host === "localhost" ? { servername: host } : {};
    const socket = connectTls({ host, ...name, port: portOf(started.addresses.mqtts), ca: started.caPem, cert, key });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("close", resolve));
    const { facts } = await world.log.line(
      (line) => line.event === "connectionRefused" && world.log.lines.indexOf(line) >= begun,
    );
    return `${String(facts["reason"])}: ${String(facts["explanation"])}`;
  };
  const impostor = await makeDevice(await makeCertificate([["CN", "Factory"]], { isCa: true }), "pump-7");
  assert.match(await refusal(impostor), /^certificateUnknown: .*its signature is not by the key of that CA/);
  assert.match(await refusal(await makeDevice(ca, "by-address"), "127.0.0.1"), /^certificateUnknown: .*\(SNI\)/);
  await iot.send(new UpdateCACertificateCommand({ certificateId: caCertificateId, newStatus: "INACTIVE" }));
  assert.match(await refusal(await makeDevice(ca, "pump-9")), /^certificateUnknown: .*INACTIVE; activate it/);
  // OpenSSL itself reads no more than that of a client.
  const huge = await makeCertificate(
    Array.from({ length: 250 }, () => ["CN", "x".repeat(250)] as const),
    { isCa: true },
  );
  assert.match(await refusal(huge), /^handshakeFailed: /);
  assert.ok(!world.log.lines.some(({ facts }) => facts["reason"] === "registryFailed"));
});
