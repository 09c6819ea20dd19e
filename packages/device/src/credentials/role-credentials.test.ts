import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Http, HttpRequest, HttpRequestOptions, HttpResponse } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import {
  createRoleCredentials,
  roleCredentialsBytesMax,
  roleCredentialsRefreshMs,
  roleCredentialsTimeoutMsDefault,
  type RoleCredentialsOptions,
} from "./index.js";

const failed = (message: RegExp, status: number) => (error: unknown) =>
  isThinglineError(error, "ROLE_CREDENTIALS_FAILED") &&
  message.test(error.message) &&
  error.details["status"] === status;

const tls = { ca: "ca", certificate: "certificate", privateKey: "key" };

/** Every answer is asked for by `answers`, in their order; the last one again and again. */
function openWorld(options: Partial<RoleCredentialsOptions> = {}) {
  const clock = createVirtualClock();
  const requests: { request: HttpRequest; options: HttpRequestOptions | undefined }[] = [];
  const world = {
    clock,
    requests,
    /** Seconds. */
    lifeTime: 3_600,
    answer: (number: number): HttpResponse | Promise<HttpResponse> => {
      const expiration = new Date(clock.unixMs() + world.lifeTime * 1_000).toISOString();
      const credentials = {
        accessKeyId: `ASIA${number}`,
        secretAccessKey: "secret",
        sessionToken: "token",
        expiration,
      };
      return answerOf(200, JSON.stringify({ credentials }));
    },
    provider: undefined as unknown as ReturnType<typeof createRoleCredentials>,
  };
  const http: Http = {
    async request(request, given) {
      requests.push({ request, options: given });
      return world.answer(requests.length);
    },
  };
  world.provider = createRoleCredentials({ endpoint: "x.iot:443", roleAlias: "door", tls, http, clock, ...options });
  return world;
}

const answerOf = (status: number, text: string): HttpResponse => ({
  ...{ status, headers: {} },
  body: new TextEncoder().encode(text),
});

test("the request is AWS's, with the device's certificate and its thing", async () => {
  const { provider, requests, clock } = openWorld({ roleAlias: "a=b,c@d", thingName: "pump-7" });
  assert.deepEqual(await provider(), {
    ...{ accessKeyId: "ASIA1", secretAccessKey: "secret", sessionToken: "token" },
    expiration: new Date(clock.unixMs() + 3_600_000),
  });
  assert.deepEqual(requests, [
    {
      request: {
        method: "GET",
        url: "https://x.iot:443/role-aliases/a%3Db%2Cc%40d/credentials",
        headers: { "x-amzn-iot-thingname": "pump-7" },
      },
      options: { timeoutMs: roleCredentialsTimeoutMsDefault, bodyBytesMax: roleCredentialsBytesMax, tls },
    },
  ]);
});

test("they are remembered until shortly before their end, and callers at one time share a request", async () => {
  const world = openWorld();
  const { provider, requests, clock } = world;
  const [one, two] = await Promise.all([provider(), provider()]);
  assert.deepEqual(one, two);
  one.accessKeyId = "changed";
  one.expiration.setTime(0);
  await clock.advance(3_600_000 - roleCredentialsRefreshMs - 1);
  assert.equal((await provider()).accessKeyId, "ASIA1");
  assert.equal(requests.length, 1);
  await clock.advance(1);
  assert.equal((await provider()).accessKeyId, "ASIA2");
  assert.equal((await provider({ forceRefresh: true })).accessKeyId, "ASIA3");
  // What AWS's SDKs hand in besides says nothing.
  const fromSdk: object = { callerClientConfig: {} };
  assert.equal((await provider(fromSdk)).accessKeyId, "ASIA3");
});

test("while no new ones come, the old ones are given as long as they are good", async () => {
  const world = openWorld();
  const { provider, clock } = world;
  await provider();
  world.answer = () => Promise.reject(new ThinglineError("TIMEOUT", "no answer"));
  await clock.advance(3_600_000 - roleCredentialsRefreshMs);
  assert.equal((await provider()).accessKeyId, "ASIA1");
  await assert.rejects(provider({ forceRefresh: true }), { code: "TIMEOUT" });
  await clock.advance(roleCredentialsRefreshMs);
  await assert.rejects(provider(), { code: "TIMEOUT" });
});

test("a refusal says which, and an answer that is no credentials is told", async () => {
  const world = openWorld();
  const answers: [status: number, text: string, why: RegExp][] = [
    [403, '{"message":"Access Denied"}', /refused role alias door with 403: Access Denied/],
    [404, '{"message":"Role alias does not exist"}', /with 404: Role alias does not exist/],
    [500, "<html>", /with 500: no reason given/],
    [200, "<html>", /no credentials/],
    [200, "null", /no credentials/],
    [200, '{"credentials":{"accessKeyId":"a","secretAccessKey":"s","sessionToken":"t"}}', /no credentials/],
    [
      200,
      '{"credentials":{"accessKeyId":"a","secretAccessKey":"s","sessionToken":"","expiration":"2026-01-01T00:00:00Z"}}',
      /no credentials/,
    ],
    [
      200,
      '{"credentials":{"accessKeyId":"a","secretAccessKey":"s","sessionToken":"t","expiration":"soon"}}',
      /no credentials/,
    ],
  ];
  for (const [status, text, why] of answers) {
    world.answer = () => answerOf(status, text);
    await assert.rejects(world.provider(), failed(why, status), text);
  }
});

test("a caller that gives up leaves the others waiting", async () => {
  const world = openWorld();
  let settle: (answer: HttpResponse) => void = () => undefined;
  const { answer } = world;
  world.answer = () => new Promise((resolve) => (settle = resolve));
  const controller = new AbortController();
  const given = assert.rejects(world.provider({ signal: controller.signal }), { code: "ABORTED" });
  const other = world.provider();
  controller.abort();
  await given;
  settle(await answer(7));
  assert.equal((await other).accessKeyId, "ASIA7");
  assert.equal(world.requests.length, 1);
  await assert.rejects(world.provider({ signal: controller.signal }), { code: "ABORTED" });
});

test("options are refused by name", () => {
  const wrong: [option: string, options: object][] = [
    ["endpoint", { endpoint: "https://x" }],
    ["endpoint", { endpoint: "" }],
    ["roleAlias", { roleAlias: "a/b" }],
    ["thingName", { thingName: "a b" }],
    ["http", { http: {} }],
    ["clock", { clock: undefined }],
    ["tls.privateKey", { tls: { certificate: "c" } }],
  ];
  for (const [option, options] of wrong) {
    assert.throws(() => openWorld(options), { code: "OPTION_INVALID", details: { option } }, option);
  }
});
