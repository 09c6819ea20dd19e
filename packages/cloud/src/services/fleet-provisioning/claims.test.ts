import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { parsePolicyDocument } from "../../policy/document.js";
import { findCertificate } from "../registry/model.js";
import { loadPrincipal } from "../registry/principal.js";
import { scope } from "../world.test.support.js";
import { provisioningClaimLifetimeMs } from "./claims.js";
import { addTemplate, openFleetWorld, templateName } from "./fleet-world.test.support.js";

test("a claim of a trusted user may provision by its template, stands in no list, and ends after five minutes, also after a kill", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const { run, registry, clock, store } = world;
  const claim = await run(world.service.operations.createProvisioningClaim, { templateName });
  const { certificateId, expiration, keyPair } = claim;
  const certificate = new X509Certificate(claim.certificatePem);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(keyPair.PrivateKey)));
  assert.equal(Date.parse(certificate.validTo), expiration * 1_000);
  assert.equal(expiration * 1_000, clock.unixMs() + provisioningClaimLifetimeMs);
  assert.deepEqual((await run(registry.listCertificates, {})).certificates, []);
  assert.deepEqual(
    (await run(registry.listPolicies, {})).policies.map((each) => each.policyName),
    ["device"],
  );

  const principal = await loadPrincipal(store, scope, { certificateId, clientId: "any" });
  assert.equal(principal?.certificate.status, "ACTIVE");
  const [policy, ...others] = principal?.policies ?? [];
  assert.deepEqual(others, []);
  parsePolicyDocument(policy?.document ?? "");
  const { Statement } = JSON.parse(policy?.document ?? "") as { Statement: { Action: string; Resource: string[] }[] };
  // The requests, and no answer that another would take for the service's.
  const requests = ["certificates/create", "certificates/create-from-csr", "provisioning-templates/line/provision"];
  assert.deepEqual(
    Statement.find(({ Action }) => Action === "iot:Publish")?.Resource.map((arn) => arn.split(":topic/$aws/")[1]),
    requests.flatMap((request) => [`${request}/json`, `${request}/cbor`]),
  );

  const created = await world.createKeys({ certificateId });
  await world.restart();
  assert.equal(
    (await world.register(created.certificateOwnershipToken, undefined, { certificateId })).thingName,
    "pump-7",
  );
  await clock.advance(provisioningClaimLifetimeMs - 1);
  assert.ok(await findCertificate(store, scope, certificateId));
  await clock.advance(1);
  const effects = await world.takeEffects();
  assert.deepEqual(
    effects.filter((effect) => effect.type === "recheckPrincipal").map((effect) => effect.certificateId),
    [certificateId],
  );
  assert.equal(await findCertificate(store, scope, certificateId), undefined);
  assert.ok(!JSON.stringify(await store.list([], { limit: 999 })).includes("provisioningClaim"));
  assert.ok(world.logged.includes("provisioningClaimEnded"));
});

test("a claim needs a template of fleet provisioning", async () => {
  const world = await openFleetWorld();
  const { createProvisioningClaim } = world.service.operations;
  await assert.rejects(world.run(createProvisioningClaim, { templateName }), { code: "RESOURCE_NOT_FOUND" });
  const body = JSON.stringify({
    Resources: {
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" } },
      },
    },
  });
  await addTemplate(world, { type: "JITP", body });
  await assert.rejects(world.run(createProvisioningClaim, { templateName }), { code: "REQUEST_INVALID" });
});
