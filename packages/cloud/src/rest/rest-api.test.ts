import assert from "node:assert/strict";
import { test } from "node:test";
import { errorCodes, ThinglineError, type ErrorCode } from "@thingline/protocol";
import { parsePathTemplate } from "@thingline/protocol/restjson";
import type { HttpRequest } from "@thingline/transport";
import { registryRestOperations } from "../services/registry/rest.js";
import type { RestOperation } from "../services/rest-operation.js";
import { shadowRestOperations } from "../services/shadow/rest.js";
import { createShadows } from "../services/shadow/service.js";
import { openServiceWorld, scope } from "../services/world.test.support.js";
import { wireErrors } from "./errors.js";
import { createOperationTable } from "./operations.js";
import { createRestApi, restBodyBytesMax, type RestApiOptions } from "./rest-api.js";

interface Answer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Record<string, unknown>;
}

async function openApi(options: Partial<RestApiOptions> = {}, more: readonly RestOperation[] = []) {
  const world = await openServiceWorld();
  const api = createRestApi(
    {
      ...world,
      operations: [...registryRestOperations(world.registry), ...more],
      run: (given, operation, input) => world.runner.run(given, operation, input),
    },
    { scope, ...options },
  );
  const send = async (method: string, target: string, request: Partial<HttpRequest> = {}): Promise<Answer> => {
    const answer = await api.handle({ method, url: `http://localhost:4680${target}`, ...request });
    return { ...answer, body: JSON.parse(new TextDecoder().decode(answer.body)) as Record<string, unknown> };
  };
  return { ...world, api, send };
}

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const credential = (service: string, region = "eu-west-1", accessKeyId = "test") => ({
  authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/${region}/${service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=00`,
});

test("a request becomes an operation and its answer, ids and types included", async () => {
  const { send } = await openApi();
  const attributePayload = { attributes: { site: "north" } };
  const created = await send("POST", "/things/pump%3A7", {
    body: json({ attributePayload, thingName: "not this one" }),
  });
  assert.equal(created.status, 200);
  assert.equal(created.headers["content-type"], "application/json");
  assert.match(created.headers["x-amzn-requestid"] ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(created.body["thingName"], "pump:7");
  const listed = await send("GET", "/things?maxResults=1&attributeName=site&attributeValue=north");
  assert.deepEqual(
    (listed.body["things"] as { thingName: string }[]).map(({ thingName }) => thingName),
    ["pump:7"],
  );
  assert.deepEqual((await send("DELETE", "/things/pump%3A7")).body, {});
});

test("an ARN travels in a label, a header and the body", async () => {
  const { send } = await openApi();
  const { certificateArn } = (await send("POST", "/keys-and-certificate?setAsActive=true")).body;
  const target = String(certificateArn);
  const policyDocument = '{"Version":"2012-10-17","Statement":[]}';
  await send("POST", "/policies/p", { body: json({ policyDocument }) });
  assert.equal((await send("PUT", "/target-policies/p", { body: json({ target }) })).status, 200);
  const attached = await send("POST", `/attached-policies/${encodeURIComponent(target)}?pageSize=5`);
  assert.deepEqual(attached.body["policies"], [
    { policyName: "p", policyArn: "arn:aws:iot:us-east-1:123456789012:policy/p" },
  ]);
  await send("POST", "/things/t");
  const headers = { "x-amzn-principal": target };
  await send("PUT", "/things/t/principals?thingPrincipalType=EXCLUSIVE_THING", { headers });
  assert.deepEqual((await send("GET", "/things/t/principals-v2")).body["thingPrincipalObjects"], [
    { principal: target, thingPrincipalType: "EXCLUSIVE_THING" },
  ]);
  assert.deepEqual((await send("GET", "/principals/things", { headers })).body["things"], ["t"]);
  const old = { headers: { "x-amzn-iot-principal": target, "x-amzn-iot-policy": "p" } };
  assert.equal((await send("GET", "/principal-policies", old)).status, 200);
  assert.deepEqual((await send("GET", "/policy-principals", old)).body["principals"], [target]);
});

test("errors are AWS's: status, type header and message", async () => {
  const { send } = await openApi();
  const missing = await send("GET", "/things/none");
  assert.equal(missing.status, 404);
  assert.equal(missing.headers["x-amzn-errortype"], "ResourceNotFoundException");
  assert.deepEqual(missing.body, { message: "Thing none not found." });
  await send("POST", "/things/t");
  const exists = await send("POST", "/things/t", { body: json({ attributePayload: { attributes: { a: "1" } } }) });
  assert.deepEqual([exists.status, exists.headers["x-amzn-errortype"]], [409, "ResourceAlreadyExistsException"]);
  assert.equal(exists.body["resourceArn"], "arn:aws:iot:us-east-1:123456789012:thing/t");
  const wrong = await send("GET", "/things?maxResults=many");
  assert.deepEqual([wrong.status, wrong.headers["x-amzn-errortype"]], [400, "InvalidRequestException"]);
  assert.match(String(wrong.body["message"]), /'maxResults'/);
});

test("what is no request of this API is refused before any operation runs", async () => {
  const { send } = await openApi();
  const cases: [number, string, string, string, Partial<HttpRequest>][] = [
    [404, "UnknownOperationException", "GET", "/nothing/here", {}],
    [404, "UnknownOperationException", "PUT", "/things/t", {}],
    [404, "UnknownOperationException", "GET", "/things/", {}],
    [400, "SerializationException", "POST", "/things/t", { body: Uint8Array.of(0x7b) }],
    [400, "SerializationException", "POST", "/things/t", { body: json([]) }],
    [400, "SerializationException", "POST", "/things/t", { body: Uint8Array.of(0xff) }],
    [400, "InvalidRequestException", "GET", "/things?a=%zz", {}],
    [413, "RequestEntityTooLargeException", "POST", "/things/t", { body: new Uint8Array(restBodyBytesMax + 1) }],
  ];
  for (const [status, code, method, target, request] of cases) {
    const answer = await send(method, target, request);
    assert.deepEqual([answer.status, answer.headers["x-amzn-errortype"]], [status, code], `${method} ${target}`);
  }
  assert.match(String((await send("PUT", "/things/t")).body["message"]), /there is .*POST/);
});

test("unsigned requests speak for the cloud's own account, or are refused when told so", async () => {
  const allowed = await openApi();
  assert.equal((await allowed.send("GET", "/things")).status, 200);
  const refused = await openApi({ unsignedRequests: "refused" });
  const answer = await refused.send("GET", "/things");
  assert.deepEqual(
    [answer.status, answer.headers["x-amzn-errortype"], answer.body["message"]],
    [403, "MissingAuthenticationTokenException", "Missing Authentication Token"],
  );
});

test("a request with any other kind of signature is refused, never served as an unsigned one", async () => {
  const old = "AWSAccessKeyId=test&Expires=1893456000&Signature=c2lnbmF0dXJl";
  const queries = [
    old,
    `maxResults=1&${old}`,
    "AWSAccessKeyId=test",
    "Signature=c2lnbmF0dXJl",
    "signature=c2lnbmF0dXJl",
    "AWS%41ccessKeyId=test",
    "SignatureVersion=2&SignatureMethod=HmacSHA256&Timestamp=2026-01-01T00%3A00%3A00Z",
    "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256",
  ];
  const headers = [
    "AWS test:c2lnbmF0dXJl",
    "AWS3-HTTPS AWSAccessKeyId=test",
    "Bearer x",
    "Basic dGVzdDp0ZXN0",
    "x",
    "",
  ];
  for (const signatures of ["verify", "any"] as const) {
    const api = await openApi({ signatures });
    const seen = async (target: string, authorization?: string) => {
      const given = authorization === undefined ? {} : { headers: { authorization } };
      const { status, headers: told, body } = await api.send("GET", target, given);
      return `${status} ${told["x-amzn-errortype"]} ${String(body["message"])}`;
    };
    for (const query of queries)
      assert.match(await seen(`/things?${query}`), /^403 IncompleteSignatureException /, `${signatures} ${query}`);
    assert.match(await seen(`/things?${old}`), /'AWSAccessKeyId' is of Signature Version 2, .*'AWS4-HMAC-SHA256'/);
    assert.doesNotMatch(await seen(`/things?${old}`), /c2lnbmF0dXJl/);
    for (const header of headers) {
      const expected = "403 IncompleteSignatureException Authorization header must begin with 'AWS4-HMAC-SHA256'.";
      assert.equal(await seen("/things", header), expected, `${signatures} ${header}`);
    }
    assert.equal((await api.send("GET", "/things?Expires=1893456000")).status, 200);
  }
});

test("a wrong signature is refused, and only read when any is taken", async () => {
  const strict = await openApi();
  const headers = { ...credential("iot"), "x-amz-date": "20260101T000000Z" };
  const refused = await strict.send("GET", "/things", { headers });
  assert.deepEqual([refused.status, refused.headers["x-amzn-errortype"]], [403, "InvalidSignatureException"]);
  const open = await openApi({ signatures: "any" });
  assert.equal((await open.send("POST", "/things/t", { headers })).status, 200);
  const created = await open.send("GET", "/things/t", { headers: credential("iot") });
  assert.equal(created.body["thingArn"], "arn:aws:iot:eu-west-1:123456789012:thing/t", "the signing region wins");
  const account = await open.send("POST", "/things/t", {
    headers: credential("execute-api", "eu-west-1", "210987654321"),
  });
  assert.equal(account.body["thingArn"], "arn:aws:iot:eu-west-1:210987654321:thing/t");
  const wrongService = await open.send("GET", "/things", { headers: credential("s3") });
  assert.match(String(wrongService.body["message"]), /^Credential should be scoped to correct service: 'iot'\.$/);
});

test("web pages of others cannot use the API through a browser on this machine", async () => {
  const { send } = await openApi({ ownNames: ["cloud.example.com"] });
  const status = async (headers: Record<string, string>) => (await send("GET", "/things", { headers })).status;
  assert.equal(await status({ origin: "http://evil.example" }), 403);
  assert.equal(await status({ origin: "null" }), 403);
  assert.equal(await status({ host: "evil.example:4680", origin: "http://evil.example:4680" }), 403);
  for (const host of [
    "localhost:4680",
    "127.0.0.1:4680",
    "[::1]:4680",
    "thingline:4680",
    "iot.eu-west-1.amazonaws.com",
    "cloud.example.com",
  ]) {
    assert.equal(await status({ host, origin: `http://${host}` }), 200, host);
  }
});

test("where paths of two APIs overlap, the signature tells which one is meant", async () => {
  const answering = (name: string, api: RestOperation["api"]): RestOperation => ({
    ...{ name, api, method: "GET", path: "/things/{thingName}/jobs", errors: [] },
    run: async () => ({ result: { name }, operations: [], effects: [] }),
  });
  const rows = [answering("Data", "iot-jobs-data"), answering("Control", "iot")];
  const { send } = await openApi({ signatures: "any" }, rows);
  const nameFor = async (headers: Record<string, string>) =>
    (await send("GET", "/things/t/jobs", { headers })).body["name"];
  assert.equal(await nameFor(credential("iot-jobs-data")), "Data");
  assert.equal(await nameFor(credential("iot")), "Control");
  assert.equal(await nameFor({}), "Control");
});

test("literal segments are preferred to labels", () => {
  const row = (name: string, path: string): RestOperation => ({
    ...{ name, path, api: "iot", method: "GET", errors: [] },
    run: async () => ({ result: {}, operations: [], effects: [] }),
  });
  const table = createOperationTable([row("Label", "/a/{x}"), row("Literal", "/a/b")]);
  assert.equal(table.find("GET", "/a/b", undefined)?.operation.name, "Literal");
  assert.equal(table.find("GET", "/a/c", undefined)?.operation.name, "Label");
});

test("a defect is an internal failure that tells nothing, and is logged", async () => {
  const run = () => Promise.reject(new Error("secret"));
  const broken: RestOperation = { name: "Broken", api: "iot", method: "GET", path: "/broken", errors: [], run };
  const { send, logged } = await openApi({}, [broken]);
  const answer = await send("GET", "/broken");
  assert.deepEqual([answer.status, answer.headers["x-amzn-errortype"]], [500, "InternalFailureException"]);
  assert.ok(!JSON.stringify(answer.body).includes("secret"));
  assert.ok(logged.includes("restOperationFailed"));
});

test("throttling is 400 on the control plane and 429 on the data planes", async () => {
  const throttled = (api: RestOperation["api"], path: string): RestOperation => ({
    ...{ name: "T", api, method: "GET", path, errors: [] },
    run: () => Promise.reject(new ThinglineError("THROTTLED", "slow down")),
  });
  const { send } = await openApi({}, [throttled("iot", "/control"), throttled("iot-data", "/data")]);
  assert.equal((await send("GET", "/control")).status, 400);
  assert.equal((await send("GET", "/data")).status, 429);
});

test("the data plane has errors of its own, and tells the request's id in their body", async () => {
  const { send } = await openApi({}, shadowRestOperations(createShadows()));
  const shadow = "/things/pump-7/shadow";
  const missing = await send("GET", `${shadow}?name=wifi`);
  assert.equal(missing.status, 404);
  assert.equal(missing.headers["x-amzn-errortype"], "ResourceNotFoundException");
  assert.deepEqual(missing.body, {
    message: "No shadow exists with name: 'pump-7~wifi'",
    traceId: missing.headers["x-amzn-requestid"],
  });
  const update = (value: unknown) => send("POST", shadow, { body: json(value) });
  assert.deepEqual((await update({ state: { desired: { a: 1 } } })).body["state"], { desired: { a: 1 } });
  const cases: [answer: Answer, status: number, code: string, message: string | RegExp][] = [
    [await update({ state: {}, version: 9 }), 409, "ConflictException", "Version conflict"],
    [await update({ state: 1 }), 400, "InvalidRequestException", "State node must be an object"],
    [
      await update({ state: { desired: { b: "x".repeat(8192) } } }),
      ...([413, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed"] as const),
    ],
    [
      await send("POST", shadow, { body: new Uint8Array([0xff]) }),
      ...([415, "UnsupportedDocumentEncodingException"] as const),
      "Unsupported documented encoding; supported encoding is UTF-8",
    ],
    [await send("POST", shadow), 400, "InvalidRequestException", "Missing update payload"],
    [await send("GET", `${shadow}?name=a%20b`), 400, "InvalidRequestException", /shadowName/],
    [await send("GET", `${shadow}?name=`), 400, "InvalidRequestException", /shadowName/],
  ];
  for (const [{ status, headers, body }, ...expected] of cases) {
    const [expectedStatus, code, message] = expected;
    assert.deepEqual([status, headers["x-amzn-errortype"]], [expectedStatus, code]);
    assert.match(String(body["message"]), typeof message === "string" ? new RegExp(`^${message}$`) : message);
  }
});

test("every row of the table is sound and its errors have an answer", async () => {
  const { registry } = await openServiceWorld();
  const rows = [...registryRestOperations(registry), ...shadowRestOperations(createShadows())];
  const seen = new Set<string>();
  for (const { name, method, path, errors, query = {}, headers = {} } of rows) {
    const template = parsePathTemplate(path);
    const identity = `${method} ${path.replace(/\{[^}]+\}/g, "{}")}`;
    assert.ok(!seen.has(identity), `${identity} is there twice`);
    seen.add(identity);
    for (const code of errors) assert.ok(wireErrors[code], `${name}: ${code}`);
    const labels = template.segments.flatMap((segment) => ("label" in segment ? [segment.label] : []));
    const bound = [...labels, ...Object.keys(query), ...Object.keys(headers)];
    assert.equal(new Set(bound).size, bound.length, `${name} binds a member twice`);
  }
  assert.ok(rows.length >= 35);
  for (const code of Object.keys(wireErrors) as ErrorCode[]) assert.ok(code in errorCodes);
});
