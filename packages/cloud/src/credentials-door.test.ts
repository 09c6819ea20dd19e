// The credentials provider in a world without a network: who gets credentials, and what they are good for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCertificates } from "@thingline/protocol/x509";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createCloud } from "./cloud.js";
import type { CloudOptions } from "./cloud-options.js";
import type { Log } from "./log.js";
import { algorithm, basicDate, canonicalRequest, signatureOf } from "./signature.js";
import { createMemoryStore } from "./store/memory.js";

const roleArn = "arn:aws:iam::123456789012:role/device";
const aliasArn = "arn:aws:iot:us-east-1:123456789012:rolealias/door";
const path = "/role-aliases/door/credentials";

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

/** A cloud with thing, certificate and role alias; the certificate's policy allows the role. */
async function openWorld(options: Partial<CloudOptions> = {}) {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const keys = createVirtualKeys({ random });
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const logged: string[] = [];
  const note = (event: string, facts?: object) => void logged.push(`${event} ${JSON.stringify(facts)}`);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const cloud = await wait(
    createCloud(
      {
        ...{ clock, random, keys, log, network: createVirtualNetwork({ clock, random }) },
        ...{ files: createVirtualFiles(), store: createMemoryStore() },
      },
      { folder: "/cloud", mqtts: address(8883), https: address(8443), ...options },
    ),
  );
  const run: typeof cloud.run = (operation, input) => wait(cloud.run(operation, input));
  const { registry, roleAliases } = cloud;
  await run(roleAliases.createRoleAlias, { roleAlias: "door", roleArn, credentialDurationSeconds: 900 });
  await run(registry.createThing, { thingName: "pump-7", attributePayload: { attributes: { site: "north" } } });
  const made = await run(registry.createKeysAndCertificate, { setAsActive: true });
  const { certificateArn: principal = "", certificateId = "", certificatePem = "" } = made;
  await run(registry.attachThingPrincipal, { thingName: "pump-7", principal });
  const allow = async (policyName: string, statement: object) => {
    const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
    await run(registry.createPolicy, { policyName, policyDocument });
    await run(registry.attachPolicy, { policyName, target: principal });
  };
  const der = parseCertificates(certificatePem, "the certificate")[0]?.der;
  const ask = async ({
    url = `https://localhost:4682${path}`,
    method = "GET",
    certificate = der,
    headers = {},
    serverName,
  }: {
    url?: string;
    method?: string;
    certificate?: Uint8Array | undefined;
    headers?: Record<string, string>;
    serverName?: string;
  } = {}) => {
    const request = { method, url, headers: { host: "localhost:4682", ...headers } };
    const peer = {
      certificate: certificate?.length === 0 ? undefined : certificate,
      serverName,
      sourceIp: "127.0.0.1",
    };
    const { status, headers: told, body } = await wait(cloud.handleCredentials(request, peer));
    const text = new TextDecoder().decode(body);
    return { status, type: told["x-amzn-errortype"], text, headers: told };
  };
  const credentials = async (thingName?: string): Promise<Credentials> => {
    const { status, text } = await ask(
      thingName === undefined ? {} : { headers: { "x-amzn-iot-thingname": thingName } },
    );
    assert.equal(status, 200, text);
    return (JSON.parse(text) as { credentials: Credentials }).credentials;
  };
  /** Asks the REST APIs, signed as an AWS SDK does. */
  const sendSigned = async (
    { accessKeyId, secretAccessKey, sessionToken }: Credentials,
    { service = "iot", rawPath = "/things", date = basicDate(clock.unixMs()), method = "GET" } = {},
  ) => {
    const day = date.slice(0, 8);
    const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const host = service === "s3" ? "s3.localhost" : "localhost";
    const headers: Record<string, string> = {
      ...{ host, "x-amz-content-sha256": emptyHash, "x-amz-date": date, "x-amz-security-token": sessionToken },
    };
    const signedHeaders = Object.keys(headers).sort();
    const pathStyle = service === "s3" ? "encodedOnce" : "encodedTwice";
    const parts = { method, rawPath, rawQuery: "", headers, signedHeaders, bodyHash: emptyHash, pathStyle } as const;
    const where = { day, region: "us-east-1", service };
    const signature = signatureOf(canonicalRequest(parts), { ...where, date, secretAccessKey }, keys);
    const credential = `${accessKeyId}/${day}/us-east-1/${service}/aws4_request`;
    const authorization = `${algorithm} Credential=${credential}, SignedHeaders=${signedHeaders.join(";")}, Signature=${signature}`;
    const head = { method, url: `http://${host}${rawPath}`, headers: { ...headers, authorization } };
    const verdict = await wait(Promise.resolve(cloud.judgeRest(head)));
    const { status, headers: told, body } = await wait(cloud.handleRest(head));
    const text = new TextDecoder().decode(body);
    return { status, type: told["x-amzn-errortype"], text, isJudgedGood: !("refusal" in verdict) };
  };
  return { cloud, clock, wait, run, registry, certificateId, principal, allow, ask, credentials, sendSigned, logged };
}

const allowed = { Effect: "Allow", Action: "iot:AssumeRoleWithCertificate", Resource: aliasArn };

test("a device gets credentials in AWS's form, and the log says to whom and never which", async () => {
  const { ask, allow, clock, cloud, wait, logged, certificateId } = await openWorld();
  await allow("assume", allowed);
  const askedAtMs = clock.unixMs();
  const { status, text, headers } = await ask({ headers: { "x-amzn-iot-thingname": "pump-7" } });
  assert.deepEqual([status, headers["content-type"]], [200, "application/json"]);
  assert.match(headers["x-amzn-requestid"] ?? "", /^[0-9a-f-]{36}$/);
  const { credentials, ...rest } = JSON.parse(text) as { credentials: Credentials & { expiration: string } };
  assert.deepEqual(rest, {});
  assert.deepEqual(Object.keys(credentials), ["accessKeyId", "secretAccessKey", "sessionToken", "expiration"]);
  assert.match(credentials.expiration, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  // The clock goes on while the door is loaded: by how much, is the machine's affair.
  const endMs = Date.parse(credentials.expiration);
  assert.ok(endMs > askedAtMs + 899_000 && endMs <= clock.unixMs() + 900_000, credentials.expiration);
  const issued = logged.find((line) => line.startsWith("credentialsIssued")) ?? "";
  for (const fact of [certificateId, "door", roleArn, credentials.accessKeyId, "pump-7"])
    assert.ok(issued.includes(fact));
  for (const secret of [credentials.secretAccessKey, credentials.sessionToken]) {
    assert.ok(!logged.some((line) => line.includes(secret)));
  }
  await wait(cloud.close());
});

test("a refusal has AWS's text: the thing's name first, then the policy, then the alias", async () => {
  const { ask, allow, run, registry, certificateId, logged } = await openWorld();
  const thing = (thingName: string) => ({ headers: { "x-amzn-iot-thingname": thingName } });
  const told = async (question: Parameters<typeof ask>[0]) => {
    const { status, type, text } = await ask(question);
    return [status, type, text];
  };
  const wrongName = [403, "AccessDeniedException", '{"message":"Invalid thing name passed"}'];
  const denied = [403, "AccessDeniedException", '{"message":"Access Denied"}'];
  const invalid = [403, "AccessDeniedException", '{"message":"Certificate is invalid on this endpoint"}'];
  const noAlias = [404, "ResourceNotFoundException", '{"message":"Role alias does not exist"}'];
  const notFound = [404, "ResourceNotFoundException", '{"message":"Not Found"}'];
  await run(registry.createThing, { thingName: "other" });
  for (const name of ["other", "nobody", "", "x".repeat(129)])
    assert.deepEqual(await told(thing(name)), wrongName, name);
  assert.deepEqual(await told(thing("pump-7")), denied);
  assert.deepEqual(await told({}), denied);
  assert.match(logged.at(-1) ?? "", /credentialsRefused .*no statement allows iot:AssumeRoleWithCertificate/);
  const url = "https://localhost:4682/role-aliases/none/credentials";
  assert.deepEqual(await told({ url }), denied);
  await allow("assume", { ...allowed, Resource: "arn:aws:iot:us-east-1:123456789012:rolealias/*" });
  assert.deepEqual(await told({ url }), noAlias);
  assert.deepEqual(await told({ url: `https://localhost/role-aliases/${"x".repeat(2_000)}/credentials` }), noAlias);
  assert.equal((await ask(thing("pump-7"))).status, 200);
  for (const question of [
    { url: "https://localhost/role-aliases/door" },
    { url: "https://localhost/role-aliases//credentials" },
    { url: "https://localhost/role-aliases/%zz/credentials" },
    { url: "https://localhost/other" },
    { method: "POST" },
  ]) {
    assert.deepEqual(await told(question), notFound, JSON.stringify(question));
  }
  assert.deepEqual(await told({ headers: { host: "evil.example" } }), denied);
  assert.deepEqual(await told({ certificate: new Uint8Array() }), invalid);
  assert.deepEqual(await told({ certificate: Uint8Array.of(1, 2, 3) }), invalid);
  await run(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  assert.deepEqual(await told(thing("pump-7")), invalid);
  assert.match(logged.at(-1) ?? "", /INACTIVE/);
});

test("variables of the policy are of the thing that the request names", async () => {
  const { ask, allow } = await openWorld();
  const attribute = { StringEquals: { "iot:Connection.Thing.Attributes[site]": "north" } };
  await allow("named", { ...allowed, Condition: attribute });
  await allow("client", { ...allowed, Resource: `${aliasArn.slice(0, -4)}\${iot:ClientId}` });
  assert.equal((await ask()).status, 403);
  assert.equal((await ask({ headers: { "x-amzn-iot-thingname": "pump-7" } })).status, 200);
});

test("requests that are signed with them are served until they expire, and no others", async () => {
  const { allow, credentials, sendSigned, clock, logged } = await openWorld({ unsignedRequests: "refused" });
  await allow("assume", allowed);
  const one = await credentials("pump-7");
  const listed = await sendSigned(one);
  assert.deepEqual([listed.status, listed.isJudgedGood], [200, true], listed.text);
  assert.match(listed.text, /pump-7/);
  assert.ok(logged.some((line) => line.startsWith("sessionRequest") && line.includes(roleArn)));
  const two = await credentials();
  const wrong: [who: Credentials, type: string][] = [
    [{ ...one, sessionToken: two.sessionToken }, "UnrecognizedClientException"],
    [{ ...one, sessionToken: `AAAA${one.sessionToken}` }, "UnrecognizedClientException"],
    [{ ...one, sessionToken: "" }, "UnrecognizedClientException"],
    [{ ...one, accessKeyId: "ASIAAAAAAAAAAAAAAAAA" }, "UnrecognizedClientException"],
    [{ ...one, secretAccessKey: two.secretAccessKey }, "InvalidSignatureException"],
  ];
  for (const [who, type] of wrong) {
    const { status, type: told } = await sendSigned(who);
    assert.deepEqual([status, told], [403, type]);
  }
  await clock.advance(900_000);
  const late = await sendSigned(one);
  assert.deepEqual([late.status, late.type, late.isJudgedGood], [403, "ExpiredTokenException", false]);
});

test("objects take them as S3 does", async () => {
  const { allow, credentials, sendSigned, clock } = await openWorld({ unsignedRequests: "refused" });
  await allow("assume", allowed);
  const one = await credentials();
  const s3 = (who: Credentials, method = "GET") => sendSigned(who, { service: "s3", rawPath: "/firmware", method });
  assert.equal((await s3(one, "PUT")).status, 200);
  assert.equal((await s3(one)).status, 200);
  const forged = await s3({ ...one, sessionToken: "AAAA" });
  assert.equal(forged.status, 400);
  assert.match(forged.text, /<Code>InvalidToken<\/Code>/);
  await clock.advance(900_000);
  const late = await s3(one);
  assert.equal(late.status, 400);
  assert.match(late.text, /<Code>ExpiredToken<\/Code>/);
});

test("credentials are good after a restore, and not after a reset", async () => {
  const { cloud, wait, allow, credentials, sendSigned } = await openWorld({ unsignedRequests: "refused" });
  await allow("assume", allowed);
  const one = await credentials();
  const snapshot = await wait(cloud.snapshot());
  await wait(cloud.reset());
  assert.equal((await sendSigned(one)).type, "UnrecognizedClientException");
  await wait(cloud.restore(snapshot));
  assert.equal((await sendSigned(one)).status, 200);
  await wait(cloud.close());
  assert.equal((await sendSigned(one)).status, 503);
});

test("DescribeEndpoint says where they are, without AWS's own port", async () => {
  const { run, registry } = await openWorld({ credentialsEndpoint: () => ({ host: "localhost", port: 4682 }) });
  const endpointOf = async (of: typeof run, { describeEndpoint }: typeof registry) =>
    (await of(describeEndpoint, { endpointType: "iot:CredentialProvider" })).endpointAddress;
  assert.equal(await endpointOf(run, registry), "localhost:4682");
  const aws = await openWorld({ credentialsEndpoint: () => ({ host: "iot.local", port: 443 }) });
  assert.equal(await endpointOf(aws.run, aws.registry), "iot.local");
});
