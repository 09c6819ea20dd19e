import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { answer } from "../operation.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { createDomainConfigurationsService, findDomain, findDomainOfAuthorizer } from "./index.js";
import { domainConfigurationsMax, managedDomainDisabledMs } from "./model.js";

const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

const certificateArn = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555";
const callback = "arn:aws:lambda:us-east-1:123456789012:function:callback";

async function openWorld() {
  const world = await openServiceWorld();
  const { operations } = createDomainConfigurationsService({
    claimAuthorizer: async (_context, { authorizerName }) => answer(authorizerName === "auth" ? {} : undefined),
    endpointHost: () => "localhost",
  });
  const { run } = world;
  const create = (domainConfigurationName: string, more: object = {}) =>
    run(operations.createDomainConfiguration, { domainConfigurationName, ...more });
  const custom = (name: string, domainName: string, more: object = {}) =>
    create(name, { domainName, serverCertificateArns: [certificateArn], ...more });
  const describe = (domainConfigurationName: string) =>
    run(operations.describeDomainConfiguration, { domainConfigurationName });
  const update = (domainConfigurationName: string, more: object) =>
    run(operations.updateDomainConfiguration, { domainConfigurationName, ...more });
  const remove = (domainConfigurationName: string) =>
    run(operations.deleteDomainConfiguration, { domainConfigurationName });
  const find = (serverName?: string) => findDomain({ store: world.store, scope }, serverName);
  return { ...world, operations, create, custom, describe, update, remove, find };
}

test("the endpoint's own configuration is there from the start, can be changed, and stays", async () => {
  const { describe, update, remove, run, operations, find } = await openWorld();
  const domainConfigurationArn = "arn:aws:iot:us-east-1:123456789012:domainconfiguration/iot:Data-ATS";
  const untouched = {
    ...{ domainConfigurationName: "iot:Data-ATS", domainConfigurationArn, domainName: "localhost" },
    ...{ serverCertificates: [], domainConfigurationStatus: "ENABLED", serviceType: "DATA", domainType: "ENDPOINT" },
    tlsConfig: { securityPolicy: "IoTSecurityPolicy_TLS13_1_2_2022_10" },
    ...{ authenticationType: "DEFAULT", applicationProtocol: "DEFAULT" },
  };
  assert.deepEqual(await describe("iot:Data-ATS"), untouched);
  assert.deepEqual((await run(operations.listDomainConfigurations, {})).domainConfigurations, [
    { domainConfigurationName: "iot:Data-ATS", domainConfigurationArn, serviceType: "DATA" },
  ]);
  const securityPolicy = "IoTSecurityPolicy_TLS13_1_3_2022_10";
  await update("iot:Data-ATS", { tlsConfig: { securityPolicy }, authorizerConfig: { defaultAuthorizerName: "auth" } });
  const authorizerConfig = { defaultAuthorizerName: "auth" };
  assert.deepEqual(await describe("iot:Data-ATS"), { ...untouched, tlsConfig: { securityPolicy }, authorizerConfig });
  assert.equal((await find("whatever")).securityPolicy, securityPolicy);
  await assert.rejects(update("iot:Data-ATS", { domainConfigurationStatus: "DISABLED" }), fails("REQUEST_INVALID"));
  await assert.rejects(remove("iot:Data-ATS"), fails("REQUEST_INVALID", /pattern/));
});

test("a custom domain is made, found by its name, changed, disabled and deleted", async () => {
  const { custom, describe, update, remove, find, clock, store, create } = await openWorld();
  const made = await custom("mine", "IoT.Example.com", {
    ...{ authenticationType: "CUSTOM_AUTH_X509", applicationProtocol: "SECURE_MQTT" },
    authorizerConfig: { defaultAuthorizerName: "auth", allowAuthorizerOverride: false },
    clientCertificateConfig: { clientCertificateCallbackArn: callback },
    tlsConfig: { securityPolicy: "IoTSecurityPolicy_TLS12_1_2_2022_10" },
  });
  assert.match(made.domainConfigurationArn ?? "", /:domainconfiguration\/mine\/[a-z0-9]{5}$/);
  const described = await describe("mine");
  assert.deepEqual(described, {
    ...{ ...made, domainName: "iot.example.com", domainType: "CUSTOMER_MANAGED" },
    ...{ serviceType: "DATA", domainConfigurationStatus: "ENABLED", lastStatusChangeDate: clock.unixMs() / 1000 },
    serverCertificates: [{ serverCertificateArn: certificateArn, serverCertificateStatus: "VALID" }],
    ...{ authenticationType: "CUSTOM_AUTH_X509", applicationProtocol: "SECURE_MQTT" },
    authorizerConfig: { defaultAuthorizerName: "auth", allowAuthorizerOverride: false },
    clientCertificateConfig: { clientCertificateCallbackArn: callback },
    tlsConfig: { securityPolicy: "IoTSecurityPolicy_TLS12_1_2_2022_10" },
  });
  assert.equal((await find("IOT.example.COM")).domainConfigurationName, "mine");
  assert.equal((await find("other.example.com")).domainConfigurationName, "iot:Data-ATS");
  assert.equal((await find()).domainConfigurationName, "iot:Data-ATS");
  const reader = { store, scope };
  assert.deepEqual(
    [await findDomainOfAuthorizer(reader, "auth"), await findDomainOfAuthorizer(reader, "x")],
    ["mine", undefined],
  );
  await assert.rejects(custom("mine", "b.example.com"), fails("RESOURCE_EXISTS"));
  await assert.rejects(custom("other", "iot.example.com"), fails("RESOURCE_EXISTS", /iot\.example\.com/));

  await assert.rejects(
    update("mine", { removeAuthorizerConfig: true }),
    fails("REQUEST_INVALID", /defaultAuthorizerName/),
  );
  await assert.rejects(
    update("mine", { removeAuthorizerConfig: true, authorizerConfig: {} }),
    fails("REQUEST_INVALID"),
  );
  await update("mine", { authenticationType: "AWS_X509", removeAuthorizerConfig: true });
  await update("mine", { clientCertificateConfig: { clientCertificateCallbackArn: "" } });
  const changed = await describe("mine");
  assert.deepEqual([changed.authorizerConfig, changed.clientCertificateConfig], [undefined, undefined]);

  await assert.rejects(remove("mine"), fails("REQUEST_INVALID", /DISABLED/));
  await clock.advance(5_000);
  await update("mine", { domainConfigurationStatus: "DISABLED" });
  assert.equal((await describe("mine")).lastStatusChangeDate, clock.unixMs() / 1000);
  await remove("mine");
  await assert.rejects(describe("mine"), fails("RESOURCE_NOT_FOUND"));
  assert.equal((await find("iot.example.com")).domainConfigurationName, "iot:Data-ATS");
  // The name is free again.
  await custom("mine", "iot.example.com");

  await create("managed");
  assert.match((await describe("managed")).domainName ?? "", /^d[a-z0-9]{19}-ats\.iot\.us-east-1\.amazonaws\.com$/);
  await update("managed", { domainConfigurationStatus: "DISABLED" });
  await clock.advance(managedDomainDisabledMs - 1);
  await assert.rejects(remove("managed"), fails("REQUEST_INVALID", /7 days/));
  await clock.advance(1);
  await remove("managed");
});

test("what does not go together is refused by name", async () => {
  const { create, custom, operations, run } = await openWorld();
  const auth = { authorizerConfig: { defaultAuthorizerName: "auth" } };
  const refused: [object, RegExp][] = [
    [{ serviceType: "JOBS" }, /serviceType JOBS/],
    [{ serviceType: "CREDENTIAL_PROVIDER" }, /serviceType/],
    [{ domainName: "a.example.com" }, /serverCertificateArns is needed/],
    [{ serverCertificateArns: [certificateArn] }, /needs a domainName/],
    [{ validationCertificateArn: certificateArn }, /needs a domainName/],
    [{ domainName: "localhost", serverCertificateArns: [certificateArn] }, /two labels/],
    [{ domainName: "127.0.0.1", serverCertificateArns: [certificateArn] }, /two labels/],
    [{ domainName: "*.example.com", serverCertificateArns: [certificateArn] }, /two labels/],
    [{ tlsConfig: { securityPolicy: "IoTSecurityPolicy_TLS9" } }, /Unknown security policy IoTSecurityPolicy_TLS9/],
    [{ authenticationType: "CUSTOM_AUTH" }, /applicationProtocol DEFAULT does not go/],
    [{ applicationProtocol: "HTTPS" }, /applicationProtocol HTTPS does not go with authenticationType DEFAULT/],
    [{ authenticationType: "AWS_X509", applicationProtocol: "MQTT_WSS" }, /SECURE_MQTT, HTTPS/],
    [{ authenticationType: "AWS_X509", applicationProtocol: "SECURE_MQTT", ...auth }, /authorizerConfig does not go/],
    [{ authenticationType: "CUSTOM_AUTH_X509", applicationProtocol: "SECURE_MQTT" }, /defaultAuthorizerName is needed/],
    [{ authenticationType: "AWS_SIGV4", applicationProtocol: "HTTPS" }, /HTTPS with AWS_SIGV4 is not supported/],
    [{ clientCertificateConfig: { clientCertificateCallbackArn: callback } }, /clientCertificateCallbackArn needs/],
    [{ authorizerConfig: { defaultAuthorizerName: "none" } }, /authorizer none does not exist/],
    [{ serverCertificateConfig: { enableOCSPCheck: true } }, /enableOCSPCheck is not supported/],
  ];
  for (const [input, why] of refused) await assert.rejects(create("a", input), fails("REQUEST_INVALID", why));
  for (let at = 0; at < domainConfigurationsMax; at++) await custom(`d${at}`, `d${at}.example.com`);
  await assert.rejects(custom("more", "more.example.com"), fails("QUOTA_EXCEEDED"));
  const page = await run(operations.listDomainConfigurations, { pageSize: domainConfigurationsMax });
  assert.equal(page.domainConfigurations?.length, domainConfigurationsMax);
  const last = await run(operations.listDomainConfigurations, { marker: page.nextMarker });
  assert.deepEqual(
    last.domainConfigurations?.map((each) => each.domainConfigurationName),
    ["iot:Data-ATS"],
  );
  assert.deepEqual((await run(operations.listDomainConfigurations, { serviceType: "JOBS" })).domainConfigurations, []);
});
