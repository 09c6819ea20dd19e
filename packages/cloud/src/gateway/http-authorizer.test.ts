import assert from "node:assert/strict";
import { test } from "node:test";
import { createFunctions } from "../functions/functions.js";
import { silentLog } from "../log.js";
import { createAuthorizersService } from "../services/authorizers/index.js";
import { createDomainConfigurationsService } from "../services/domain-configurations/index.js";
import { openServiceWorld, scope } from "../services/world.test.support.js";
import { cachedHttpAnswersMax, HttpAuthorizer, namesAuthorizer } from "./http-authorizer.js";

const policy = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "iot:Publish", Resource: "arn:aws:iot:us-east-1:123456789012:topic/a/*" }],
};

const signless = { signingDisabled: true, status: "ACTIVE" } as const;

async function openWorld(more: object = {}) {
  const world = await openServiceWorld();
  let calls = 0;
  const auth = () => (calls++, { isAuthenticated: true, principalId: "me", policyDocuments: [policy] });
  const functions = createFunctions({ auth }, { clock: world.clock, log: silentLog });
  const { operations } = createAuthorizersService({ functions, findDomainOfAuthorizer: async () => undefined });
  const domains = createDomainConfigurationsService({
    claimAuthorizer: async () => ({ result: {}, operations: [], effects: [] }),
    endpointHost: () => "localhost",
  });
  const authorizer = { authorizerName: "auth", authorizerFunctionArn: "auth", signingDisabled: true };
  await world.run(operations.createAuthorizer, { ...authorizer, status: "ACTIVE", ...more });
  const http = new HttpAuthorizer({ ...world, scope, functions });
  const mayPublish = async (topic: string, isRetained = false, presented: object = {}) => {
    const headers = { "x-amz-customauthorizer-name": "auth" };
    const decision = await http.mayPublish(
      { headers, queryString: "", serverName: "localhost", ...presented },
      topic,
      isRetained,
    );
    return decision.isAllowed ? "allowed" : decision.explanation;
  };
  return { ...world, mayPublish, operations, domains: domains.operations, callCount: () => calls };
}

test("whoever publishes over HTTP may do what the function allows, and is asked about each time", async () => {
  const { mayPublish, callCount } = await openWorld();
  assert.equal(await mayPublish("a/b"), "allowed");
  assert.match(await mayPublish("b"), /policyDocuments\[0\] of authorizer auth|no statement/);
  assert.notEqual(await mayPublish("a/b", true), "allowed", "to retain needs a right of its own");
  assert.equal(callCount(), 3);
  assert.match(await mayPublish("a/b", false, { headers: {} }), /names no authorizer/);
});

test("with enableCachingForHttp an answer holds until it has to be refreshed, for cachedHttpAnswersMax at the most", async () => {
  const { mayPublish, callCount, clock, run, operations, domains } = await openWorld({ enableCachingForHttp: true });
  for (let at = 0; at < 3; at++) assert.equal(await mayPublish("a/b"), "allowed");
  assert.equal(callCount(), 1);
  await clock.advance(86_400_000);
  await mayPublish("a/b");
  assert.equal(callCount(), 2);
  for (let at = 0; at < cachedHttpAnswersMax; at++) await mayPublish("a/b", false, { queryString: `?n=${at}` });
  assert.equal(callCount(), 2 + cachedHttpAnswersMax);
  await run(operations.createAuthorizer, { authorizerName: "no", authorizerFunctionArn: "no", ...signless });
  await run(operations.setDefaultAuthorizer, { authorizerName: "auth" });
  assert.equal(await mayPublish("a/b", false, { headers: {} }), "allowed");
  await run(operations.setDefaultAuthorizer, { authorizerName: "no" });
  assert.match(await mayPublish("a/b", false, { headers: {} }), /authorizer no:/, "it is the default one now");
  const config = { domainConfigurationName: "iot:Data-ATS", authorizerConfig: { defaultAuthorizerName: "no" } };
  await run(domains.updateDomainConfiguration, config);
  assert.match(await mayPublish("a/b"), /allows none but its own/);
  await run(domains.updateDomainConfiguration, {
    ...{ domainConfigurationName: "iot:Data-ATS", removeAuthorizerConfig: true },
  });
  assert.equal(await mayPublish("a/b"), "allowed");
  // In the millisecond in which it was made.
  await run(operations.updateAuthorizer, { authorizerName: "auth", status: "INACTIVE" });
  assert.match(await mayPublish("a/b"), /INACTIVE/);
});

test("a domain for something else has no authorizers over HTTP", async () => {
  const { mayPublish, domains, run } = await openWorld();
  const create = (name: string, applicationProtocol: "HTTPS" | "SECURE_MQTT") =>
    run(domains.createDomainConfiguration, {
      ...{ domainConfigurationName: name, domainName: `${name}.example.com`, applicationProtocol },
      ...{
        authenticationType: "CUSTOM_AUTH",
        serverCertificateArns: ["arn:aws:acm:us-east-1:123456789012:certificate/a"],
      },
      authorizerConfig: { defaultAuthorizerName: "auth" },
    });
  await create("https", "HTTPS");
  await create("mqtt", "SECURE_MQTT");
  assert.equal(await mayPublish("a/b", false, { serverName: "https.example.com", headers: {} }), "allowed");
  assert.match(await mayPublish("a/b", false, { serverName: "mqtt.example.com" }), /SECURE_MQTT alone/);
  await run(domains.updateDomainConfiguration, {
    domainConfigurationName: "https",
    domainConfigurationStatus: "DISABLED",
  });
  assert.match(await mayPublish("a/b", false, { serverName: "https.example.com" }), /DISABLED/);
});

test("a request names an authorizer in a header or in its query", () => {
  assert.equal(namesAuthorizer({ headers: { "x-amz-customauthorizer-name": "a" }, queryString: "" }), true);
  assert.equal(namesAuthorizer({ headers: {}, queryString: "?qos=1&X-Amz-CustomAuthorizer-Name=a" }), true);
  assert.equal(namesAuthorizer({ headers: {}, queryString: "?qos=1" }), false);
  assert.equal(namesAuthorizer({ headers: {}, queryString: "?a=x-amz-customauthorizer-name" }), false);
});
