import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { openAuthoritiesWorld } from "../certificate-authorities/authorities-world.test.support.js";
import { explainCertificate } from "../registry/index.js";
import {
  arnOf,
  openObjects,
  openProvisioningWorld,
  policyDocument,
  signingRequest,
  templateOf,
} from "./provisioning-world.test.support.js";
import { createThingProvisioning } from "./service.js";

const is = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && message.test(error.message);

const certificateBy = (Properties: object, Parameters: object) => {
  const template = templateOf({}, { certificate: { Properties } });
  return JSON.stringify({ ...template, Parameters: { Name: { Type: "String" }, ...Parameters } });
};
const byRequest = certificateBy({ CertificateSigningRequest: { Ref: "CSR" } }, { CSR: { Type: "String" } });

test("a thing is registered with a certificate for its request, which says where it comes from", async () => {
  const { run, registry, provisioning } = await openProvisioningWorld();
  const parameters = { Name: "t", CSR: await signingRequest() };
  const answer = await run(provisioning.registerThing, { templateBody: byRequest, parameters });
  const arn = answer.resourceArns?.["certificate"] ?? "";
  assert.deepEqual(answer.resourceArns, { thing: arnOf("thing/t"), certificate: arn, policy: arnOf("policy/p") });
  const certificateId = arn.slice(arnOf("cert/").length);
  const { certificateDescription } = await run(registry.describeCertificate, { certificateId });
  assert.equal(certificateDescription?.certificatePem, answer.certificatePem);
  assert.equal(certificateDescription?.status, "ACTIVE");
  const { origin, thingNames, policyNames } = await run(explainCertificate, { certificateId });
  assert.deepEqual([origin.source, thingNames, policyNames], ["RegisterThing", ["t"], ["p"]]);
});

test("a thing without a certificate is registered as well", async () => {
  const { run, provisioning } = await openProvisioningWorld();
  const template = { Resources: { device: { Type: "AWS::IoT::Thing", Properties: { ThingName: "t" } } } };
  const answer = await run(provisioning.registerThing, { templateBody: JSON.stringify(template) });
  assert.deepEqual(answer, { resourceArns: { device: arnOf("thing/t") } });
});

test("a request that is refused leaves no certificate and no thing", async () => {
  const { run, registry, provisioning, store } = await openProvisioningWorld();
  const before = await store.list([], { limit: 1_000 });
  const register = (templateBody: string, parameters?: Record<string, string>) =>
    run(provisioning.registerThing, { templateBody, ...(parameters && { parameters }) });
  await assert.rejects(register("{"), is("PROVISIONING_TEMPLATE_INVALID", /^template: is not JSON/));
  const unresolved = /^Parameters\.CSR: Cannot resolve reference value: CSR$/;
  await assert.rejects(register(byRequest, { Name: "t" }), is("PROVISIONING_TEMPLATE_INVALID", unresolved));
  const noRequest =
    /^Resources\.certificate\.Properties\.CertificateSigningRequest: The certificate signing request is invalid/;
  await assert.rejects(register(byRequest, { Name: "t", CSR: "csr1" }), is("PROVISIONING_FAILED", noRequest));
  const noPolicy = byRequest.replace('"PolicyName":"p"', '"PolicyName":"q"');
  const parameters = { Name: "t", CSR: await signingRequest() };
  await assert.rejects(
    register(noPolicy, parameters),
    is("PROVISIONING_FAILED", /^Resources\.policy\.Properties\.PolicyName: Policy not found/),
  );
  assert.deepEqual(await store.list([], { limit: 1_000 }), before);
  assert.deepEqual((await run(registry.listCertificates, {})).certificates, []);
});

test("a certificate in PEM is registered against its CA, and is the same when it is there already", async () => {
  const world = await openAuthoritiesWorld();
  const { run, registry, issuer, log, keys, makeCa, makeDevice, register, idOf } = world;
  const provisioning = createThingProvisioning({ registry, issuer, log, objects: openObjects(keys) }).operations;
  await run(registry.createPolicy, { policyName: "p", policyDocument });
  const ca = await makeCa();
  const device = await makeDevice(ca);
  const certificateId = idOf(device);
  const properties = { CertificatePem: { Ref: "Pem" }, Status: { Ref: "Status" } };
  const declared = { Pem: { Type: "String" }, Status: { Type: "String", Default: "ACTIVE" } };
  const templateBody = certificateBy(properties, declared);
  const withCa = certificateBy(
    { ...properties, CACertificatePem: { Ref: "Ca" } },
    { ...declared, Ca: { Type: "String" } },
  );
  const by = (template: string, parameters: Record<string, string>) =>
    run(provisioning.registerThing, {
      templateBody: template,
      parameters: { Name: "t", Pem: device.pem, ...parameters },
    });
  const refused = (reason: RegExp) =>
    is("PROVISIONING_FAILED", new RegExp(`^Resources\\.certificate\\.Properties\\.CertificatePem: ${reason.source}`));
  await assert.rejects(by(templateBody, {}), refused(/The certificate was signed by .* no CA certificate/));

  const caCertificateId = await register(ca);
  const answer = await by(templateBody, {});
  assert.equal(answer.resourceArns?.["certificate"], arnOf(`cert/${certificateId}`));
  assert.equal(answer.certificatePem, device.pem);
  const described = async () => (await run(registry.describeCertificate, { certificateId })).certificateDescription;
  const { status, caCertificateId: signer } = (await described()) ?? {};
  assert.deepEqual([status, signer], ["ACTIVE", caCertificateId]);
  const { origin, thingNames } = await run(explainCertificate, { certificateId });
  assert.deepEqual([origin.source, thingNames], ["RegisterThing", ["t"]]);

  // Once more, with another status.
  assert.deepEqual(await by(templateBody, { Status: "INACTIVE" }), answer);
  assert.equal((await described())?.status, "INACTIVE");

  // Two CAs of one name: the template says which.
  const twin = await makeCa();
  await register(twin);
  const other = { Pem: (await makeDevice(ca)).pem, Name: "u" };
  await assert.rejects(by(templateBody, other), refused(/Several CA certificates/));
  await assert.rejects(by(withCa, { ...other, Ca: twin.pem }), refused(/The certificate was not signed by/));
  assert.equal((await by(withCa, { ...other, Ca: ca.pem })).resourceArns?.["thing"], arnOf("thing/u"));
});
