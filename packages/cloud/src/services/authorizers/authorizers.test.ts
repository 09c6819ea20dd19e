import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { isThinglineError, type ErrorCode, type JsonObject } from "@thingline/protocol";
import { createNodeKeys } from "@thingline/transport/node";
import { createFunctions } from "../../functions/functions.js";
import type { CloudFunction } from "../../functions/index.js";
import { silentLog } from "../../log.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { answerPoliciesMax, answerPolicyCharactersMax, readAuthorizerAnswer } from "./answer.js";
import { authenticate, type AuthorizerChoice } from "./authenticate.js";
import { credentialNamesMax, credentialQueryCharactersMax, Credentials, tokenCharactersMax } from "./credentials.js";
import { createAuthorizersService } from "./index.js";
import { authorizersMax, authorizerTimeoutMs, tokenSigningKeysMax } from "./model.js";

const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

const functionArn = "arn:aws:lambda:us-east-1:123456789012:function:auth";
const pair = generateKeyPairSync("rsa", {
  modulusLength: 2_048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const small = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({ type: "spki", format: "pem" });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
const sign = (token: string) => createSign("sha256").update(token).sign(pair.privateKey, "base64");

const policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}';
const yes = { isAuthenticated: true, principalId: "me", policyDocuments: [policy] };
const signed = { tokenKeyName: "Token", tokenSigningPublicKeys: { first: pair.publicKey }, status: "ACTIVE" } as const;

async function openWorld(auth: CloudFunction = () => yes, domain?: string) {
  const world = await openServiceWorld({ keys: createNodeKeys() });
  const functions = createFunctions({ auth }, { clock: world.clock, log: silentLog });
  const { operations } = createAuthorizersService({ functions, findDomainOfAuthorizer: async () => domain });
  const create = (authorizerName: string, more: object = signed) =>
    world.run(operations.createAuthorizer, { authorizerName, authorizerFunctionArn: functionArn, ...more });
  const ask = (
    presented: Parameters<typeof authenticate>[1]["presented"],
    choice: AuthorizerChoice = { allowsOverride: true },
  ) => authenticate({ ...world, scope, functions }, { presented, choice, connectionId: "c-1" });
  return { ...world, operations, create, ask };
}

test("an authorizer is made, described, changed, listed, and deleted when nobody needs it", async () => {
  const { run, operations, create, clock } = await openWorld();
  const arn = (name: string) => `arn:aws:iot:us-east-1:123456789012:authorizer/${name}`;
  assert.deepEqual(await create("a"), { authorizerName: "a", authorizerArn: arn("a") });
  await create("b", { signingDisabled: true });
  const { authorizerDescription: a } = await run(operations.describeAuthorizer, { authorizerName: "a" });
  const at = clock.unixMs() / 1000;
  assert.deepEqual(a, {
    ...{ authorizerName: "a", authorizerArn: arn("a"), authorizerFunctionArn: functionArn, ...signed },
    ...{ signingDisabled: false, enableCachingForHttp: false, creationDate: at, lastModifiedDate: at },
  });
  const { authorizerDescription: b } = await run(operations.describeAuthorizer, { authorizerName: "b" });
  assert.deepEqual([b?.status, b?.signingDisabled, b?.tokenKeyName], ["INACTIVE", true, undefined]);
  await assert.rejects(create("a"), fails("RESOURCE_EXISTS"));

  const names = async (input: object) =>
    (await run(operations.listAuthorizers, input)).authorizers?.map(({ authorizerName }) => authorizerName);
  assert.deepEqual(await names({}), ["b", "a"]);
  assert.deepEqual(await names({ ascendingOrder: true, status: "ACTIVE" }), ["a"]);
  const page = await run(operations.listAuthorizers, { pageSize: 1 });
  assert.deepEqual(await names({ pageSize: 1, marker: page.nextMarker }), ["a"]);

  await assert.rejects(run(operations.describeDefaultAuthorizer, {}), fails("RESOURCE_NOT_FOUND"));
  await assert.rejects(run(operations.clearDefaultAuthorizer, {}), fails("RESOURCE_NOT_FOUND"));
  const setDefault = (authorizerName: string) => run(operations.setDefaultAuthorizer, { authorizerName });
  await assert.rejects(setDefault("b"), fails("REQUEST_INVALID", /not ACTIVE/));
  await setDefault("a");
  assert.equal((await run(operations.describeDefaultAuthorizer, {})).authorizerDescription?.authorizerName, "a");

  const update = (more: object) => run(operations.updateAuthorizer, { authorizerName: "a", ...more });
  await assert.rejects(update({ status: "INACTIVE" }), fails("REQUEST_INVALID", /default/));
  await assert.rejects(run(operations.deleteAuthorizer, { authorizerName: "a" }), fails("DELETE_CONFLICT", /ACTIVE/));
  await run(operations.clearDefaultAuthorizer, {});
  await clock.advance(1_000);
  await update({ status: "INACTIVE", tokenKeyName: "other", enableCachingForHttp: true });
  const changed = (await run(operations.describeAuthorizer, { authorizerName: "a" })).authorizerDescription;
  assert.deepEqual(
    [changed?.status, changed?.tokenKeyName, changed?.enableCachingForHttp, changed?.lastModifiedDate],
    ["INACTIVE", "other", true, at + 1],
  );
  await run(operations.deleteAuthorizer, { authorizerName: "a" });
  await assert.rejects(run(operations.describeAuthorizer, { authorizerName: "a" }), fails("RESOURCE_NOT_FOUND"));
});

test("an authorizer of a domain configuration is not deleted", async () => {
  const { run, operations, create } = await openWorld(undefined, "mine");
  await create("a", { signingDisabled: true });
  await assert.rejects(run(operations.deleteAuthorizer, { authorizerName: "a" }), fails("DELETE_CONFLICT", /mine/));
});

test("signing needs a name for the token and an RSA key that is long enough", async () => {
  const { create, operations, run } = await openWorld();
  const keys = (given: Record<string, unknown>) => ({ ...signed, tokenSigningPublicKeys: given });
  const refused: [object, RegExp][] = [
    [{}, /tokenKeyName is needed/],
    [{ tokenKeyName: "t" }, /tokenSigningPublicKeys is needed/],
    [keys({ k: "no key" }), /not an RSA public key/],
    [keys({ k: ec }), /not an RSA public key/],
    [keys({ k: pair.privateKey }), /not an RSA public key/],
    [keys({ k: small }), /1024 bits/],
    [
      keys(Object.fromEntries(Array.from({ length: tokenSigningKeysMax + 1 }, (_, at) => [`k${at}`, pair.publicKey]))),
      /at most/,
    ],
  ];
  for (const [input, why] of refused) await assert.rejects(create("a", input), fails("REQUEST_INVALID", why));
  await create(
    "most",
    keys(Object.fromEntries(Array.from({ length: tokenSigningKeysMax }, (_, at) => [`k${at}`, pair.publicKey]))),
  );
  for (let at = 1; at < authorizersMax; at++) await create(`n${at}`, { signingDisabled: true });
  await assert.rejects(create("more", { signingDisabled: true }), fails("QUOTA_EXCEEDED"));
  await run(operations.deleteAuthorizer, { authorizerName: "n1" });
  await create("more", { signingDisabled: true });
});

test("a client's authorizer, token and signature are found in headers, query and user name, and told to the function", async () => {
  const events: JsonObject[] = [];
  const { create, ask } = await openWorld((event: JsonObject) => (events.push(event), yes));
  await create("a");
  const username = `dev?x-amz-customauthorizer-name=a&x-amz-customauthorizer-signature=${encodeURIComponent(sign("t 1"))}&Token=t%201`;
  const password = new TextEncoder().encode("secret");
  const byMqtt = await ask({ serverName: "cloud", mqtt: { username, password, clientId: "dev" } });
  assert.ok("answer" in byMqtt);
  assert.deepEqual(events.pop(), {
    token: "t 1",
    signatureVerified: true,
    protocols: ["tls", "mqtt"],
    protocolData: {
      tls: { serverName: "cloud" },
      mqtt: { username, password: "c2VjcmV0", clientId: "dev" },
    },
    connectionMetadata: { id: "c-1" },
  });
  const headers = {
    "X-Amz-CustomAuthorizer-Name": "a",
    "x-amz-customauthorizer-signature": sign("t 2"),
    token: "t 2",
  };
  assert.ok("answer" in (await ask({ http: { headers, queryString: "?x=1" } })));
  const { protocols, protocolData, token } = events.pop() ?? {};
  assert.deepEqual([token, protocols, protocolData], ["t 2", ["http"], { http: { headers, queryString: "?x=1" } }]);
  // A plus that nobody escaped, as some clients send it.
  const queryString = `?x-amz-customauthorizer-name=a&x-amz-customauthorizer-signature=${sign("t3")}&TOKEN=t3&token=other`;
  assert.ok("answer" in (await ask({ http: { headers: {}, queryString }, mqtt: {} })));
  assert.deepEqual(events.pop()?.["token"], "t3");
});

test("what is wrong with a token is told to nobody but the log, and no function is called", async () => {
  let calls = 0;
  const { create, ask } = await openWorld(() => (calls++, yes));
  await create("a");
  await create("off", { signingDisabled: true });
  const at = (parts: Record<string, string>) => ({
    http: { headers: { "x-amz-customauthorizer-name": "a", ...parts }, queryString: "" },
  });
  const refused: [Parameters<typeof ask>[0], RegExp, AuthorizerChoice?][] = [
    [at({}), /^authorizer a: the client sent no token under the name Token$/],
    [at({ token: "t" }), /sent no signature/],
    [at({ token: "t", "x-amz-customauthorizer-signature": "%" }), /not base64/],
    [at({ token: "t", "x-amz-customauthorizer-signature": sign("other") }), /none of the authorizer's keys/],
    [at({ token: "t".repeat(tokenCharactersMax + 1) }), /more than 6144 characters/],
    [at({ "x-amz-customauthorizer-name": "none" }), /there is no authorizer none/],
    [at({ "x-amz-customauthorizer-name": "off" }), /INACTIVE/],
    [{}, /names no authorizer/],
    [at({}), /allows none but its own/, { defaultAuthorizerName: "off", allowsOverride: false }],
    [{}, /INACTIVE/, { defaultAuthorizerName: "off", allowsOverride: false }],
  ];
  for (const [presented, why, choice] of refused) {
    const outcome = await ask(presented, choice);
    assert.match("refusal" in outcome ? outcome.refusal : "let in", why);
  }
  assert.equal(calls, 0);
  const longest = "t".repeat(tokenCharactersMax);
  assert.ok("answer" in (await ask(at({ token: longest, "x-amz-customauthorizer-signature": sign(longest) }))));
});

test("without a name the domain's authorizer is asked, and then the account's", async () => {
  const { create, ask, run, operations } = await openWorld(() => yes);
  const open = { signingDisabled: true, status: "ACTIVE" };
  await create("account", open);
  await create("domain", open);
  await run(operations.setDefaultAuthorizer, { authorizerName: "account" });
  const nameOf = async (choice: AuthorizerChoice, presented = {}) => {
    const outcome = await ask(presented, choice);
    return "answer" in outcome ? outcome.authorizer.authorizerName : outcome.refusal;
  };
  assert.equal(await nameOf({ allowsOverride: true }), "account");
  assert.equal(await nameOf({ allowsOverride: true, defaultAuthorizerName: "domain" }), "domain");
  const named = { mqtt: { username: "?x-amz-customauthorizer-name=account" } };
  assert.equal(await nameOf({ allowsOverride: true, defaultAuthorizerName: "domain" }, named), "account");
});

test("a function that is late, throws, says no or answers wrongly lets nobody in, and the log says why", async () => {
  let answer: unknown;
  const { create, ask, clock } = await openWorld(() => answer);
  await create("a", { signingDisabled: true, status: "ACTIVE" });
  const presented = { mqtt: { username: "?x-amz-customauthorizer-name=a" } };
  const refusal = async (given: unknown, certificate?: { certificateId: string; certificatePem: string }) => {
    answer = given;
    const outcome = await ask({ ...presented, certificate });
    return "refusal" in outcome ? outcome.refusal : "let in";
  };
  assert.match(await refusal({ isAuthenticated: false }), /isAuthenticated is false/);
  assert.match(await refusal([]), /answered wrongly: its answer is not an object/);
  assert.match(await refusal(Promise.reject(new Error("no\nroom"))), /it threw Error: no room/);
  const late = refusal(new Promise(() => undefined));
  await clock.advance(authorizerTimeoutMs);
  assert.match(await late, /no answer within 5000 ms/);
  const certificate = { certificateId: "ab12", certificatePem: "pem" };
  assert.match(await refusal(yes, certificate), /principalId is not the id of the client's certificate/);
  assert.equal(await refusal({ isAuthenticated: true, principalId: "ab12" }, certificate), "let in");
});

test("an answer is checked whole", () => {
  const wrong: [object, RegExp][] = [
    [{ isAuthenticated: "true" }, /isAuthenticated/],
    [{ principalId: undefined }, /principalId/],
    [{ principalId: "a-b" }, /principalId/],
    [{ principalId: "a".repeat(129) }, /principalId/],
    [{ policyDocuments: undefined }, /policyDocuments is not a list/],
    [{ policyDocuments: policy }, /policyDocuments is not a list/],
    [{ policyDocuments: Array.from({ length: answerPoliciesMax + 1 }, () => policy) }, /more than 10/],
    [{ policyDocuments: [7] }, /policyDocuments\[0\] is no policy/],
    [{ policyDocuments: [policy, "{}"] }, /policyDocuments\[1\]: .*Statement/],
    [{ policyDocuments: [policy + " ".repeat(answerPolicyCharactersMax)] }, /more than 2048/],
    [{ disconnectAfterInSeconds: 299 }, /disconnectAfterInSeconds/],
    [{ disconnectAfterInSeconds: 86_401 }, /disconnectAfterInSeconds/],
    [{ refreshAfterInSeconds: "300" }, /refreshAfterInSeconds/],
    [{ refreshAfterInSeconds: 300.5 }, /refreshAfterInSeconds/],
  ];
  for (const [change, why] of wrong) {
    const read = readAuthorizerAnswer({ ...yes, ...change });
    assert.match(typeof read === "string" ? read : "taken", why);
  }
  const most = [
    ...Array.from({ length: answerPoliciesMax - 1 }, () => JSON.parse(policy) as JsonObject),
    policy.padEnd(answerPolicyCharactersMax),
  ];
  const taken = readAuthorizerAnswer({ ...yes, policyDocuments: most, refreshAfterInSeconds: 300 });
  assert.ok(typeof taken !== "string" && taken.isAuthenticated);
  assert.deepEqual(
    [
      taken.policyDocuments[0],
      taken.policyDocuments.length,
      taken.refreshAfterInSeconds,
      taken.disconnectAfterInSeconds,
    ],
    [policy, answerPoliciesMax, 300, 86_400],
  );
});

test("credentials that never end are not read", () => {
  const at = (queryString: string) => new Credentials({ http: { headers: {}, queryString }, mqtt: undefined });
  const name = "x-amz-customauthorizer-name=a";
  const filler = (count: number) => "b=1&".repeat(count);
  assert.equal(at(filler(credentialNamesMax - 1) + name).authorizerName, "a");
  assert.equal(at(filler(credentialNamesMax) + name).authorizerName, undefined);
  const room = credentialQueryCharactersMax - name.length - 3;
  assert.equal(at(`${name}&c=${"1".repeat(room)}`).authorizerName, "a");
  assert.equal(at(`${name}&c=${"1".repeat(room + 1)}`).authorizerName, undefined);
  assert.equal(at("x-amz-customauthorizer-name=%ff&=b&c").authorizerName, "%ff");
});

test("TestInvokeAuthorizer gives what the function gives, also while the authorizer is INACTIVE", async () => {
  let answer: unknown = { ...yes, policyDocuments: [JSON.parse(policy)] };
  const { create, run, operations } = await openWorld(() => answer);
  await create("a", { ...signed, status: "INACTIVE" });
  const invoke = (more: object) => run(operations.testInvokeAuthorizer, { authorizerName: "a", ...more });
  const token = { token: "t", tokenSignature: sign("t") };
  assert.deepEqual(await invoke(token), {
    ...yes,
    disconnectAfterInSeconds: 86_400,
    refreshAfterInSeconds: 86_400,
  });
  answer = { isAuthenticated: false };
  assert.deepEqual(
    await invoke({ ...token, mqttContext: { username: "u", password: new Uint8Array([1]), clientId: "c" } }),
    { isAuthenticated: false },
  );
  await assert.rejects(invoke({ token: "t", tokenSignature: sign("u") }), fails("REQUEST_INVALID", /none of/));
  answer = { isAuthenticated: true };
  await assert.rejects(invoke(token), fails("AUTHORIZER_ANSWER_INVALID", /principalId/));
  await assert.rejects(run(operations.testInvokeAuthorizer, { authorizerName: "none" }), fails("RESOURCE_NOT_FOUND"));
});

test("an answer that comes after its authorizer was changed lets nobody in", async () => {
  let change: () => Promise<unknown> = async () => undefined;
  const { run, operations, create, ask } = await openWorld(async () => (await change(), yes));
  await create("a", { signingDisabled: true, status: "ACTIVE" });
  const http = { headers: { "x-amz-customauthorizer-name": "a" }, queryString: "" };
  assert.ok("answer" in (await ask({ http })));
  const expectRefused = async () => {
    const outcome = await ask({ http });
    assert.match("refusal" in outcome ? outcome.refusal : "", /changed while its function was asked/);
  };
  const update = (status: "ACTIVE" | "INACTIVE") => run(operations.updateAuthorizer, { authorizerName: "a", status });
  change = () => update("INACTIVE");
  await expectRefused();
  await update("ACTIVE");
  change = async () => {
    await update("INACTIVE");
    await run(operations.deleteAuthorizer, { authorizerName: "a" });
  };
  await expectRefused();
});
