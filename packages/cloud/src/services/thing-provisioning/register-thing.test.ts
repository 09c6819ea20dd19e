import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError, type ErrorCode } from "@thingline/protocol";
import { explainCertificate } from "../registry/index.js";
import { arnOf, openProvisioningWorld, signingRequest, templateOf } from "./provisioning-world.test.support.js";
import type { RegisterCaCertificate } from "./register-plan.js";

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

test("a certificate in PEM is registered against its CA", async () => {
  const registered: unknown[] = [];
  const { run, provisioning, createCertificate } = await openProvisioningWorld({
    registerCaCertificate: (async (_context, input) => {
      registered.push(input);
      if (input.caCertificatePem !== "ca") throw new ThinglineError("REQUEST_INVALID", "no CA of that name");
      return { result: { certificateId }, operations: [], effects: [] };
    }) satisfies RegisterCaCertificate,
  });
  const certificateId = await createCertificate();
  const properties = { CertificatePem: { Ref: "Pem" }, CACertificatePem: { Ref: "Ca" }, Status: "ACTIVE" };
  const templateBody = certificateBy(properties, { Pem: { Type: "String" }, Ca: { Type: "String" } });
  const parameters = { Name: "t", Pem: "pem", Ca: "ca" };
  const { resourceArns } = await run(provisioning.registerThing, { templateBody, parameters });
  assert.equal(resourceArns?.["certificate"], arnOf(`cert/${certificateId}`));
  const origin = { source: "RegisterThing" };
  assert.deepEqual(registered[0], { certificatePem: "pem", caCertificatePem: "ca", status: "ACTIVE", origin });
  const refused = /^Resources\.certificate\.Properties\.CertificatePem: no CA of that name$/;
  const other = { ...parameters, Ca: "other" };
  await assert.rejects(
    run(provisioning.registerThing, { templateBody, parameters: other }),
    is("PROVISIONING_FAILED", refused),
  );
});
