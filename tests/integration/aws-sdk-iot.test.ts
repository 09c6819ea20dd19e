// The unmodified AWS SDK for JavaScript against the local REST API, over a real socket.
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import {
  AcceptCertificateTransferCommand,
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CancelCertificateTransferCommand,
  CreateCertificateFromCsrCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateThingCommand,
  DeleteCertificateCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteThingCommand,
  DescribeCertificateCommand,
  DescribeEndpointCommand,
  DescribeThingCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  IoTClient,
  ListAttachedPoliciesCommand,
  ListCertificatesCommand,
  ListOutgoingCertificatesCommand,
  ListPoliciesCommand,
  ListPolicyPrincipalsCommand,
  ListPolicyVersionsCommand,
  ListPrincipalPoliciesCommand,
  ListPrincipalThingsCommand,
  ListPrincipalThingsV2Command,
  ListTargetsForPolicyCommand,
  ListThingPrincipalsCommand,
  ListThingPrincipalsV2Command,
  ListThingsCommand,
  paginateListThings,
  RegisterCertificateWithoutCACommand,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  SetDefaultPolicyVersionCommand,
  TestAuthorizationCommand,
  TransferAlreadyCompletedException,
  TransferCertificateCommand,
  UpdateCertificateCommand,
  UpdateThingCommand,
} from "@aws-sdk/client-iot";
import {
  createCertificateIssuer,
  createMemoryStore,
  createRegistry,
  createRestApi,
  defaultAccessKey,
  openDeviceAuthority,
  openOperationRunner,
  startRestServer,
  type EffectRunner,
  type Log,
  type RestServer,
} from "@thingline/cloud";
import { createCertificateRequest } from "@thingline/protocol/x509";
import { createNodeClock, createNodeKeys, createNodeRandom } from "@thingline/transport/node";

const keys = createNodeKeys();
const random = createNodeRandom();
const clock = createNodeClock();
const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: { Effect: "Allow", Action: "iot:*", Resource: "*" },
});

let server: RestServer;
let runner: EffectRunner;
let iot: IoTClient;
const clientFor = (options: { accessKeyId?: string; secretAccessKey?: string; region?: string } = {}) => {
  const { accessKeyId = "test", secretAccessKey = "test", region = "us-east-1" } = options;
  const endpoint = `http://${server.address.host}:${server.address.port}`;
  return new IoTClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
};

before(async () => {
  const store = createMemoryStore();
  const authority = openDeviceAuthority({ keys, random, nowMs: () => clock.unixMs() });
  const issuer = createCertificateIssuer({ keys, random, authority });
  const registry = createRegistry({
    issuer,
    parsePolicyDocument: (text) => JSON.parse(text) as unknown,
    endpointAddress: () => "localhost:8883",
  });
  runner = await openOperationRunner({ store, clock, random, keys, log });
  await runner.start({
    performer: { publish: async () => {}, disconnect: async () => {}, recheckPrincipal: async () => {} },
  });
  const api = createRestApi(
    {
      operations: Object.values(registry),
      run: (scope, operation, input) => runner.run(scope, operation, input),
      ...{ clock, random, keys, log },
    },
    {
      scope: { account: "123456789012", region: "us-east-1" },
      accessKeys: [defaultAccessKey, { accessKeyId: "buyer", secretAccessKey: "b", account: "210987654321" }],
    },
  );
  server = await startRestServer({ port: 0, handle: (request) => api.handle(request), log });
  iot = clientFor();
});

after(async () => {
  iot.destroy();
  await server.close();
  await runner.close();
});

test("things through the SDK", async () => {
  const thingName = "pump:7";
  const created = await iot.send(
    new CreateThingCommand({ thingName, attributePayload: { attributes: { site: "a/b:c@d" } } }),
  );
  assert.equal(created.thingArn, "arn:aws:iot:us-east-1:123456789012:thing/pump:7");
  assert.match(created.$metadata.requestId ?? "", /^[0-9a-f-]{36}$/);
  const payload = { attributes: { site: "north" }, merge: true };
  await iot.send(new UpdateThingCommand({ thingName, attributePayload: payload, expectedVersion: 1 }));
  const described = await iot.send(new DescribeThingCommand({ thingName }));
  assert.deepEqual([described.version, described.attributes], [2, { site: "north" }]);
  await assert.rejects(iot.send(new CreateThingCommand({ thingName })), (error) => {
    assert.ok(error instanceof ResourceAlreadyExistsException);
    assert.equal(error.resourceArn, created.thingArn);
    assert.equal(error.$metadata.httpStatusCode, 409);
    return true;
  });
  for (let index = 0; index < 7; index++) await iot.send(new CreateThingCommand({ thingName: `t${index}` }));
  const names: (string | undefined)[] = [];
  for await (const page of paginateListThings({ client: iot, pageSize: 3 }, {})) {
    names.push(...(page.things ?? []).map((thing) => thing.thingName));
  }
  assert.deepEqual(names, ["pump:7", "t0", "t1", "t2", "t3", "t4", "t5", "t6"]);
  const filtered = await iot.send(new ListThingsCommand({ attributeName: "site", attributeValue: "north" }));
  assert.equal(filtered.things?.length, 1);
  for (const name of names)
    await iot.send(new DeleteThingCommand({ thingName: name, expectedVersion: name === thingName ? 2 : 1 }));
  await assert.rejects(iot.send(new DescribeThingCommand({ thingName })), ResourceNotFoundException);
});

test("certificates through the SDK", async () => {
  const made = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const certificate = new X509Certificate(made.certificatePem ?? "");
  assert.ok(certificate.checkPrivateKey(createPrivateKey(made.keyPair?.PrivateKey ?? "")));
  assert.equal(certificate.fingerprint256.replaceAll(":", "").toLowerCase(), made.certificateId);
  const { certificateId } = made;
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  assert.equal(certificateDescription?.status, "ACTIVE");
  assert.ok(certificateDescription.creationDate instanceof Date);
  assert.ok(Math.abs(certificateDescription.creationDate.getTime() - clock.unixMs()) < 60_000);
  assert.equal(certificateDescription.validity?.notAfter?.getTime(), Date.UTC(2049, 11, 31, 23, 59, 59));

  const { privateKeyPem } = await keys.generate("ec-p256");
  const { pem } = await createCertificateRequest({
    subject: [["CN", "from-csr"]],
    publicKey: keys.publicKeyOf(privateKeyPem),
    sign: (data) => keys.sign(privateKeyPem, data),
  });
  const fromCsr = await iot.send(new CreateCertificateFromCsrCommand({ certificateSigningRequest: pem }));
  assert.equal(new X509Certificate(fromCsr.certificatePem ?? "").subject, "CN=from-csr");
  const listed = await iot.send(new ListCertificatesCommand({ pageSize: 1, ascendingOrder: true }));
  assert.equal(listed.certificates?.[0]?.certificateId, certificateId);
  assert.match(listed.nextMarker ?? "", /^[A-Za-z0-9+/]+={0,2}$/);
  const next = await iot.send(new ListCertificatesCommand({ marker: listed.nextMarker, ascendingOrder: true }));
  assert.equal(next.certificates?.[0]?.certificateId, fromCsr.certificateId);

  await assert.rejects(iot.send(new DeleteCertificateCommand({ certificateId })), {
    name: "CertificateStateException",
  });
  await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "REVOKED" }));
  await iot.send(new DeleteCertificateCommand({ certificateId }));
  await iot.send(new DeleteCertificateCommand({ certificateId: fromCsr.certificateId, forceDelete: true }));
  const { certificatePem } = made;
  await iot.send(new RegisterCertificateWithoutCACommand({ certificatePem, status: "INACTIVE" }));
  await assert.rejects(
    iot.send(new RegisterCertificateWithoutCACommand({ certificatePem, status: "INACTIVE" })),
    ResourceAlreadyExistsException,
  );
  await iot.send(new DeleteCertificateCommand({ certificateId }));
});

test("policies, attachments and principals through the SDK", async () => {
  const policyName = "p+=,.@-1";
  await iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  const version = await iot.send(new CreatePolicyVersionCommand({ policyName, policyDocument, setAsDefault: false }));
  assert.equal(version.policyVersionId, "2");
  await iot.send(new SetDefaultPolicyVersionCommand({ policyName, policyVersionId: "2" }));
  assert.equal((await iot.send(new GetPolicyCommand({ policyName }))).defaultVersionId, "2");
  const first = await iot.send(new GetPolicyVersionCommand({ policyName, policyVersionId: "1" }));
  assert.deepEqual([first.isDefaultVersion, first.policyDocument], [false, policyDocument]);
  assert.equal((await iot.send(new ListPolicyVersionsCommand({ policyName }))).policyVersions?.length, 2);
  await iot.send(new DeletePolicyVersionCommand({ policyName, policyVersionId: "1" }));
  assert.equal((await iot.send(new ListPoliciesCommand({}))).policies?.[0]?.policyName, policyName);

  const made = await iot.send(new CreateKeysAndCertificateCommand({}));
  const target = made.certificateArn;
  const principal = made.certificateArn;
  await iot.send(new AttachPolicyCommand({ policyName, target }));
  assert.equal((await iot.send(new ListAttachedPoliciesCommand({ target }))).policies?.[0]?.policyName, policyName);
  assert.deepEqual((await iot.send(new ListTargetsForPolicyCommand({ policyName }))).targets, [target]);
  assert.equal((await iot.send(new ListPrincipalPoliciesCommand({ principal }))).policies?.length, 1);
  assert.deepEqual((await iot.send(new ListPolicyPrincipalsCommand({ policyName }))).principals, [principal]);
  await assert.rejects(iot.send(new DeletePolicyCommand({ policyName })), { name: "DeleteConflictException" });

  const thingName = "attached";
  await iot.send(new CreateThingCommand({ thingName }));
  await iot.send(new AttachThingPrincipalCommand({ thingName, principal, thingPrincipalType: "EXCLUSIVE_THING" }));
  assert.deepEqual((await iot.send(new ListThingPrincipalsCommand({ thingName }))).principals, [principal]);
  assert.deepEqual((await iot.send(new ListPrincipalThingsCommand({ principal }))).things, [thingName]);
  const v2 = await iot.send(new ListThingPrincipalsV2Command({ thingName }));
  assert.deepEqual(v2.thingPrincipalObjects, [{ principal, thingPrincipalType: "EXCLUSIVE_THING" }]);
  const things = await iot.send(new ListPrincipalThingsV2Command({ principal }));
  assert.deepEqual(things.principalThingObjects, [{ thingName, thingPrincipalType: "EXCLUSIVE_THING" }]);

  await iot.send(new DetachThingPrincipalCommand({ thingName, principal }));
  await iot.send(new DetachPolicyCommand({ policyName, target }));
  await iot.send(new DeletePolicyCommand({ policyName }));
  await iot.send(new DeleteCertificateCommand({ certificateId: made.certificateId }));
  await iot.send(new DeleteThingCommand({ thingName }));
});

test("a certificate goes from one account to another through the SDK, by the key of each", async () => {
  const buyer = clientFor({ accessKeyId: "buyer", secretAccessKey: "b" });
  const { certificateId } = await iot.send(new CreateKeysAndCertificateCommand({}));
  const target = { certificateId, targetAwsAccount: "210987654321", transferMessage: "for you" };
  const { transferredCertificateArn } = await iot.send(new TransferCertificateCommand(target));
  assert.equal(transferredCertificateArn, `arn:aws:iot:us-east-1:210987654321:cert/${certificateId}`);
  const { outgoingCertificates } = await iot.send(new ListOutgoingCertificatesCommand({}));
  const [outgoing] = outgoingCertificates ?? [];
  assert.deepEqual([outgoing?.transferredTo, outgoing?.transferMessage], ["210987654321", "for you"]);
  assert.ok(outgoing?.transferDate instanceof Date);
  const { certificates } = await buyer.send(new ListCertificatesCommand({}));
  assert.deepEqual(
    certificates?.map(({ status }) => status),
    ["PENDING_TRANSFER"],
  );
  await buyer.send(new AcceptCertificateTransferCommand({ certificateId, setAsActive: true }));
  const { certificateDescription: got } = await buyer.send(new DescribeCertificateCommand({ certificateId }));
  assert.deepEqual([got?.status, got?.ownedBy, got?.previousOwnedBy], ["ACTIVE", "210987654321", "123456789012"]);
  assert.ok(got?.transferData?.acceptDate instanceof Date);
  await assert.rejects(iot.send(new CancelCertificateTransferCommand({ certificateId })), (error) => {
    assert.ok(error instanceof TransferAlreadyCompletedException);
    assert.equal(error.$metadata.httpStatusCode, 410);
    return true;
  });
  buyer.destroy();
});

test("the SDK is told which policies decide", async () => {
  const { certificateArn: principal } = await iot.send(new CreateKeysAndCertificateCommand({}));
  await iot.send(new CreatePolicyCommand({ policyName: "tested", policyDocument }));
  await iot.send(new AttachPolicyCommand({ policyName: "tested", target: principal }));
  const resources = ["arn:aws:iot:us-east-1:123456789012:topic/a"];
  const authInfos = [{ actionType: "PUBLISH" as const, resources }];
  const { authResults } = await iot.send(new TestAuthorizationCommand({ principal, clientId: "c", authInfos }));
  assert.deepEqual(
    authResults?.map(({ authDecision, allowed }) => [authDecision, allowed?.policies?.map((each) => each.policyName)]),
    [["ALLOWED", ["tested"]]],
  );
});

test("the SDK is told the endpoint", async () => {
  const { endpointAddress } = await iot.send(new DescribeEndpointCommand({ endpointType: "iot:Data-ATS" }));
  assert.equal(endpointAddress, "localhost:8883");
});

test("signatures are verified, and the signing region is the region", async () => {
  const thief = clientFor({ secretAccessKey: "wrong" });
  await assert.rejects(thief.send(new ListThingsCommand({})), { name: "InvalidSignatureException" });
  const stranger = clientFor({ accessKeyId: "AKIDUNKNOWN" });
  await assert.rejects(stranger.send(new ListThingsCommand({})), { name: "UnrecognizedClientException" });
  const elsewhere = clientFor({ region: "eu-central-1" });
  const created = await elsewhere.send(new CreateThingCommand({ thingName: "t" }));
  assert.equal(created.thingArn, "arn:aws:iot:eu-central-1:123456789012:thing/t");
  assert.deepEqual((await iot.send(new ListThingsCommand({}))).things, []);
  for (const client of [thief, stranger, elsewhere]) client.destroy();
});

test("encoded slashes, unknown paths and large bodies arrive as they were sent", async () => {
  const base = `http://${server.address.host}:${server.address.port}`;
  const slash = await fetch(`${base}/things/a%2Fb`);
  assert.equal(slash.status, 400, "a slash is no character of a thing name, and no separator");
  assert.match(((await slash.json()) as { message: string }).message, /Value 'a\/b' at 'thingName'/);
  const unknown = await fetch(`${base}/%24nothing/%zz`);
  assert.deepEqual([unknown.status, unknown.headers.get("x-amzn-errortype")], [404, "UnknownOperationException"]);
  const large = await fetch(`${base}/things/t`, { method: "POST", body: "x".repeat(2 * 1024 * 1024) });
  assert.equal(large.status, 413);
});

test("a body over the server's limit is cut off", async () => {
  const small = await startRestServer({
    port: 0,
    handle: () => Promise.reject(new Error("never")),
    log,
    bodyBytesMax: 1_000,
  });
  const url = `http://${small.address.host}:${small.address.port}/`;
  const answer = await fetch(url, { method: "POST", body: "x".repeat(1_001) });
  assert.equal(answer.status, 413);
  await small.close();
  await small.close();
});

test("two servers on one port: the second says so", async () => {
  const { port } = server.address;
  await assert.rejects(startRestServer({ port, handle: () => Promise.reject(new Error("never")), log }), {
    code: "PORT_IN_USE",
  });
});
