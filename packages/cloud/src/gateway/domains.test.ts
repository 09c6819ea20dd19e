import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { makeTestCertificate } from "@thingline/transport/contract";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { createFunctions } from "../functions/functions.js";
import { silentLog } from "../log.js";
import { createDomainConfigurationsService } from "../services/domain-configurations/index.js";
import { domainKeys, untouchedDefault } from "../services/domain-configurations/model.js";
import { openServiceWorld, scope } from "../services/world.test.support.js";
import { certificateCallbackTimeoutMs, domainCertificatesMax, Domains, type DomainConnection } from "./domains.js";

const certificateArn = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555";
const givenArn = "arn:aws:acm:us-east-1:123456789012:certificate/given";
const keys = createVirtualKeys({ random: createVirtualRandom(1) });
const { certificatePem: certificate, privateKeyPem: privateKey } = await makeTestCertificate(keys, {
  commonName: "b.example.com",
});
const given = { certificate, privateKey };
const server = { certificate: "server certificate", privateKey: "server key" };

async function openWorld() {
  const world = await openServiceWorld();
  const issued: string[] = [];
  const state: { answer: unknown; fails: boolean } = { answer: { isAuthenticated: true }, fails: false };
  const functions = createFunctions({ callback: () => state.answer }, { clock: world.clock, log: silentLog });
  const options = {
    ...{ ...world, scope, functions, server, serverCertificates: { [givenArn]: given } },
    issue: async (name: string) => {
      issued.push(name);
      if (state.fails) throw new Error("no CA");
      return { certificate: `of ${name}`, privateKey: "key" };
    },
  };
  const domains = new Domains(options);
  const { operations } = createDomainConfigurationsService({
    claimAuthorizer: async () => ({ result: {}, operations: [], effects: [] }),
    endpointHost: () => "localhost",
  });
  const create = (name: string, more: object = {}) =>
    world.run(operations.createDomainConfiguration, {
      ...{ domainConfigurationName: name, domainName: `${name}.example.com`, serverCertificateArns: [certificateArn] },
      ...more,
    });
  return { ...world, domains, operations, create, issued, state, options };
}

const connection: DomainConnection = {
  ...{ serverName: "a.example.com", http: undefined, alpnProtocol: undefined, certificate: undefined, isSigned: false },
};

test("the endpoint is itself until it is changed, and a domain has a certificate that was given or is issued once", async () => {
  const { domains, create, issued, run, operations, state } = await openWorld();
  for (const name of [undefined, "localhost"]) assert.equal(await domains.selectServer(name), undefined);
  const tlsConfig = { securityPolicy: "IoTSecurityPolicy_TLS13_1_3_2022_10" };
  await run(operations.updateDomainConfiguration, { domainConfigurationName: "iot:Data-ATS", tlsConfig });
  const changed = await domains.selectServer("localhost");
  assert.deepEqual([changed?.certificate, changed?.minVersion, changed?.isRaw], [server.certificate, "TLSv1.3", false]);

  await create("a");
  state.fails = true;
  await assert.rejects(domains.selectServer("a.example.com"), /no CA/);
  state.fails = false;
  assert.equal(domains.isKnown("other.example.com"), false);
  for (const name of ["a.example.com", "A.EXAMPLE.COM"])
    assert.equal((await domains.selectServer(name))?.certificate, "of a.example.com");
  assert.deepEqual(issued, ["a.example.com", "a.example.com"]);
  assert.equal(domains.isKnown("a.example.com:8443"), true);
  await create("b", { serverCertificateArns: [givenArn] });
  assert.equal((await domains.selectServer("b.example.com"))?.certificate, given.certificate);
  await create("c", { authenticationType: "CUSTOM_AUTH", applicationProtocol: "SECURE_MQTT" });
  const custom = await domains.selectServer("c.example.com");
  assert.deepEqual([custom?.requestsClientCertificate, custom?.isRaw, custom?.minVersion], [false, true, "TLSv1.2"]);
});

test("a server certificate without its own key is refused when the cloud starts", async () => {
  const { options } = await openWorld();
  const { privateKeyPem } = await makeTestCertificate(keys, { commonName: "other" });
  for (const pair of [
    { ...given, privateKey: privateKeyPem },
    { ...given, privateKey: "" },
    { ...given, certificate: "" },
  ])
    assert.throws(
      () => new Domains({ ...options, serverCertificates: { [givenArn]: pair } }),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.message.includes(givenArn),
    );
});

test("certificates of domainCertificatesMax names are kept", async () => {
  const { domains, store, issued } = await openWorld();
  for (let at = 0; at <= domainCertificatesMax; at++) {
    const [domainConfigurationName, domainName] = [`d${at}`, `d${at}.example.com`];
    const value = { ...untouchedDefault, domainConfigurationName, domainName, domainType: "CUSTOMER_MANAGED" } as const;
    await store.commit([
      { key: domainKeys.one(scope, domainConfigurationName), value },
      { key: domainKeys.byName(scope, domainName), value: { domainConfigurationName } },
    ]);
  }
  const ask = (at: number) => domains.selectServer(`d${at}.example.com`);
  for (let at = 0; at < domainCertificatesMax; at++) await ask(at);
  for (let at = 0; at < domainCertificatesMax; at++) await ask(at);
  assert.equal(issued.length, domainCertificatesMax);
  await ask(domainCertificatesMax);
  for (let at = 0; at <= domainCertificatesMax; at++) await ask(at);
  assert.ok(issued.length > domainCertificatesMax + 1);
});

test("a configuration says what a client has to show, and by which protocol", async () => {
  const { domains } = await openWorld();
  const domain = (authenticationType: string, applicationProtocol: string, status = "ENABLED") =>
    ({ ...untouchedDefault, authenticationType, applicationProtocol, status }) as typeof untouchedDefault;
  const http = { headers: {}, queryString: "" };
  const demands: [ReturnType<typeof domain>, Partial<DomainConnection>, string | RegExp][] = [
    [domain("DEFAULT", "DEFAULT"), {}, "certificate"],
    [domain("DEFAULT", "DEFAULT"), { alpnProtocol: "mqtt" }, "credentials"],
    // Nobody has an authorizer.
    [domain("DEFAULT", "DEFAULT"), { http }, "certificate"],
    [domain("AWS_X509", "SECURE_MQTT"), { alpnProtocol: "mqtt" }, "certificate"],
    [domain("CUSTOM_AUTH", "SECURE_MQTT"), {}, "credentials"],
    [domain("CUSTOM_AUTH_X509", "SECURE_MQTT"), {}, "both"],
    [domain("CUSTOM_AUTH", "MQTT_WSS"), { http }, "credentials"],
    [domain("CUSTOM_AUTH", "MQTT_WSS"), {}, /MQTT_WSS alone/],
    [domain("CUSTOM_AUTH", "SECURE_MQTT"), { http }, /SECURE_MQTT alone/],
    [domain("CUSTOM_AUTH", "HTTPS"), { http }, /HTTPS alone/],
    [domain("DEFAULT", "DEFAULT", "DISABLED"), {}, /is DISABLED/],
    [domain("AWS_SIGV4", "MQTT_WSS"), { http }, /signed WebSockets alone/],
    [domain("AWS_SIGV4", "MQTT_WSS"), { http, isSigned: true }, "signature"],
    [domain("DEFAULT", "DEFAULT"), { http, isSigned: true }, "signature"],
    [domain("AWS_X509", "SECURE_MQTT"), { isSigned: true }, "certificate"],
  ];
  for (const [record, seen, expected] of demands) {
    const demand = await domains.demandOf(record, { ...connection, ...seen });
    if (typeof expected === "string") assert.equal(demand, expected);
    else assert.match(typeof demand === "object" ? demand.refusal : demand, expected);
  }
});

test("a function for client certificates has to say yes, and in time", async () => {
  const { domains, state, clock } = await openWorld();
  const facts = { certificateId: "ab", certificate: new Uint8Array([48, 0]), serverName: "a.example.com" };
  const ask = (clientCertificateCallbackArn?: string) =>
    domains.askCallback(
      { ...untouchedDefault, ...(clientCertificateCallbackArn && { clientCertificateCallbackArn }) },
      facts,
    );
  assert.equal(await ask(), undefined);
  assert.equal(await ask("callback"), undefined);
  for (const answer of [{ isAuthenticated: false }, { isAuthenticated: "true" }, null]) {
    state.answer = answer;
    assert.match((await ask("callback")) ?? "", /did not answer that isAuthenticated is true/);
  }
  assert.match((await ask("none")) ?? "", /"none"/);
  state.answer = new Promise(() => undefined);
  const late = ask("callback");
  await clock.advance(certificateCallbackTimeoutMs);
  assert.match((await late) ?? "", /no answer within 5000 ms/);
});
