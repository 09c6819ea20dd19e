import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode, type JsonObject } from "@thingline/protocol";
import {
  createCertificate,
  createCertificateRequest,
  parseCertificates,
  parseCertificateRequest,
} from "@thingline/protocol/x509";
import { createVirtualHttp } from "@thingline/transport/virtual";
import { createFunctions } from "../../functions/functions.js";
import type { CloudFunction } from "../../functions/index.js";
import { saga } from "../saga.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { certificateProvidersMax } from "./certificate-providers.js";
import { findCertificate } from "./model.js";
import { createRegistry } from "./service.js";
import { certificateProviderTimeoutMs, createRequestSigner, providedCharactersMax } from "./sign-request.js";

const lambdaFunctionArn = "arn:aws:lambda:us-east-1:123456789012:function:signer";
const accountDefaultForOperations = ["CreateCertificateFromCsr"] as const;
const has = (code: ErrorCode, says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));

async function openWorld(signer: CloudFunction) {
  const world = await openServiceWorld();
  const { keys, clock, log, issuer } = world;
  const functions = createFunctions({ signer }, { clock, log, http: createVirtualHttp({ clock }) });
  const signRequest = createRequestSigner({ issuer, functions });
  const registry = createRegistry({
    issuer,
    signRequest,
    parsePolicyDocument: JSON.parse,
    endpointAddress: () => undefined,
  });
  const pair = await keys.generate("ec-p256");
  const publicKey = keys.publicKeyOf(pair.privateKeyPem);
  const sign = (data: Uint8Array) => keys.sign(pair.privateKeyPem, data);
  const { pem: certificateSigningRequest } = await createCertificateRequest({
    subject: [["CN", "pump"]],
    publicKey,
    sign,
  });
  const create = (name = "signer") =>
    world.run(registry.createCertificateProvider, {
      ...{ certificateProviderName: name, lambdaFunctionArn, accountDefaultForOperations },
    });
  const fromCsr = (request = certificateSigningRequest) =>
    world.run(registry.createCertificateFromCsr, { certificateSigningRequest: request, setAsActive: true });
  return Object.assign(world, { registry, signRequest, create, fromCsr, certificateSigningRequest });
}

/** What a provider of one's own does. */
async function openSigner() {
  const { keys, random } = await openServiceWorld();
  // The first key of a world is the device's.
  await keys.generate("ec-p256");
  const pair = await keys.generate("ec-p256");
  const publicKey = keys.publicKeyOf(pair.privateKeyPem);
  const sign = (data: Uint8Array) => keys.sign(pair.privateKeyPem, data);
  const certify = async (requested: Uint8Array, notAfter = Date.UTC(2040, 0, 1) / 1000) => {
    const serialNumber = Uint8Array.of(1, ...random.bytes(8));
    const common = {
      serialNumber,
      notBefore: Date.UTC(2025, 0, 1) / 1000,
      notAfter,
      sign,
      sha256: (data: Uint8Array) => keys.sha256(data),
    };
    return createCertificate({ ...common, subject: [["CN", "mine"]], publicKey: requested });
  };
  return { publicKey, certify };
}

const requestOf = (event: JsonObject) => parseCertificateRequest(event["certificateSigningRequest"] as string);

test("a certificate provider is made, described, changed, listed and deleted, and an account has one", async () => {
  const world = await openWorld(() => null);
  const { registry } = world;
  const made = await world.create();
  const certificateProviderArn = "arn:aws:iot:us-east-1:123456789012:certificateprovider:signer";
  assert.deepEqual(made, { certificateProviderName: "signer", certificateProviderArn });
  await assert.rejects(world.create(), has("RESOURCE_EXISTS"));
  assert.equal(certificateProvidersMax, 1);
  await assert.rejects(world.create("other"), has("QUOTA_EXCEEDED"));
  const name = { certificateProviderName: "signer" };
  await world.clock.advance(1_000);
  const other = lambdaFunctionArn.replace("signer", "other");
  await world.run(registry.updateCertificateProvider, { ...name, lambdaFunctionArn: other });
  const now = world.clock.unixMs() / 1000;
  assert.deepEqual(await world.run(registry.describeCertificateProvider, name), {
    ...{ ...made, lambdaFunctionArn: other, accountDefaultForOperations, creationDate: now - 1, lastModifiedDate: now },
  });
  assert.deepEqual(await world.run(registry.listCertificateProviders, {}), { certificateProviders: [made] });
  await world.run(registry.deleteCertificateProvider, name);
  await assert.rejects(world.run(registry.describeCertificateProvider, name), has("RESOURCE_NOT_FOUND"));
  const both = await Promise.allSettled([world.create("one"), world.create("two")]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("a request that is sent twice with one client token makes one provider", async () => {
  const world = await openWorld(() => null);
  const input = { certificateProviderName: "signer", lambdaFunctionArn, accountDefaultForOperations };
  const clientToken = "t".repeat(36);
  const create = (more: object) =>
    world.run(world.registry.createCertificateProvider, { ...input, clientToken, ...more });
  assert.deepEqual(await create({}), await create({}));
  await assert.rejects(create({ lambdaFunctionArn: `${lambdaFunctionArn}-2` }), has("RESOURCE_EXISTS"));
});

test("the provider signs requests until it is deleted, and the record says so", async () => {
  const signer = await openSigner();
  const events: JsonObject[] = [];
  const world = await openWorld(async (event) => {
    events.push(event);
    const { publicKey } = requestOf(event);
    return { certificatePem: (await signer.certify(publicKey)).pem };
  });
  const own = await world.fromCsr();
  assert.deepEqual(events, [], "without a provider nobody is asked");
  await world.create();
  const { certificateId, certificatePem } = await world.fromCsr();
  assert.deepEqual(events, [
    { certificateSigningRequest: world.certificateSigningRequest, principalId: "123456789012" },
  ]);
  assert.equal(parseCertificates(certificatePem)[0].subject, "CN=mine");
  const record = await findCertificate(world.store, scope, certificateId);
  assert.deepEqual([record?.status, record?.origin.certificateProviderName], ["ACTIVE", "signer"]);
  // A device's request over MQTT says who it is.
  const sign = saga("registry", (context, request: Parameters<typeof world.signRequest>[1]) =>
    world.signRequest(context, request),
  );
  const { certificateSigningRequest } = world;
  await world.run(sign, { certificateSigningRequest, clientId: "pump-7", claimCertificateId: "c".repeat(64) });
  assert.deepEqual(events.at(-1), { certificateSigningRequest, clientId: "pump-7", principalId: "c".repeat(64) });
  await world.run(world.registry.deleteCertificateProvider, { certificateProviderName: "signer" });
  const issuerOf = (pem: string) => parseCertificates(pem)[0].issuer;
  assert.equal(issuerOf((await world.fromCsr()).certificatePem), issuerOf(own.certificatePem));
  assert.equal(events.length, 2);
});

test("what a provider does wrong has a name, and no certificate comes of it", async () => {
  const signer = await openSigner();
  const other = (await signer.certify(signer.publicKey)).pem;
  const answers: [name: string, answer: CloudFunction, says: RegExp][] = [
    ["throws", () => Promise.reject(new Error("no")), /"signer" failed: it threw Error: no/],
    ["answers nothing", () => null, /without certificatePem/],
    ["answers a list", () => [other], /without certificatePem/],
    ["answers no PEM", () => ({ certificatePem: "x" }), /its certificate is not a PEM/],
    [
      "answers a key",
      () => ({ certificatePem: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }),
      /got "PRIVATE KEY"/,
    ],
    [
      "answers too much",
      () => ({ certificatePem: other + " ".repeat(providedCharactersMax) }),
      /more than 65536 characters/,
    ],
    ["certifies another key", () => ({ certificatePem: other }), /for another key than the request/],
    [
      "certifies for the past",
      async (event) => ({
        certificatePem: (await signer.certify(requestOf(event).publicKey, Date.UTC(2025, 5, 1) / 1000)).pem,
      }),
      /has expired/,
    ],
  ];
  for (const [name, answer, says] of answers) {
    const world = await openWorld(answer);
    await world.create();
    await assert.rejects(world.fromCsr(), has("CERTIFICATE_PROVIDER_FAILED", says), name);
    assert.deepEqual((await world.run(world.registry.listCertificates, {})).certificates, [], name);
  }
});

test("a provider that is late, or is not there, fails the request", async () => {
  const world = await openWorld(() => new Promise(() => undefined));
  await world.create();
  const late = assert.rejects(world.fromCsr(), has("CERTIFICATE_PROVIDER_FAILED", /within 5000 ms/));
  await world.clock.advance(certificateProviderTimeoutMs);
  await late;
  const update = { certificateProviderName: "signer", lambdaFunctionArn: "arn:aws:lambda:us-east-1:1:function:gone" };
  await world.run(world.registry.updateCertificateProvider, update);
  await assert.rejects(world.fromCsr(), has("CERTIFICATE_PROVIDER_FAILED", /given no function/));
});

test("a request that AWS refuses reaches no provider", async () => {
  let calls = 0;
  const world = await openWorld(() => void calls++);
  await world.create();
  const pem = world.certificateSigningRequest;
  const body = pem.split("\n");
  const line = body[2] ?? "";
  const flipped = [
    ...body.slice(0, 2),
    line.startsWith("A") ? `B${line.slice(1)}` : `A${line.slice(1)}`,
    ...body.slice(3),
  ].join("\n");
  for (const request of ["x", flipped, pem + pem, "x".repeat(5_000)]) {
    await assert.rejects(world.fromCsr(request), has("REQUEST_INVALID"));
  }
  assert.equal(calls, 0);
});
