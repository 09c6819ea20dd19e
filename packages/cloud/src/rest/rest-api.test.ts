import assert from "node:assert/strict";
import { test } from "node:test";
import { errorCodes, ThinglineError } from "@thingline/protocol";
import type { HttpRequest } from "@thingline/transport";
import type { ServedOperation } from "../services/aws-operation.js";
import type { ApiName } from "../model/table.js";
import { wireErrors } from "./errors.js";
import { openRestWorld as openApi, type RestAnswer as Answer } from "./rest-world.test.support.js";
import { restBodyBytesMax } from "./rest-api.js";

/** An operation that is not as it is. */
const replacing = (api: ApiName, name: string, run: () => Promise<never>): ServedOperation =>
  Object.assign(run, { aws: { api, name, acted: {} } });

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

test("a path that cannot be read is not read further than its first fault, and is not told whole", async (context) => {
  const { send } = await openApi();
  const decode = context.mock.method(globalThis, "decodeURIComponent");
  const answer = await send("GET", `/things${"/%zz".repeat(4_000)}`);
  assert.deepEqual([answer.status, answer.headers["x-amzn-errortype"]], [404, "UnknownOperationException"]);
  const failures = decode.mock.calls.filter(({ error }) => error !== undefined).length;
  assert.ok(failures > 0 && failures < 50, String(failures));
  assert.ok(String(answer.body["message"]).length < 3_000);
  assert.equal((await send("POST", "/topics/a/%zz/b")).status, 400);
  assert.equal((await send("GET", "/things/%zz/principals")).status, 400);
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
  // The link that confirms an endpoint is opened in a browser; its token is looked at.
  assert.equal((await refused.send("GET", "/confirmdestination/none.token")).status, 400);
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
    assert.match(
      await seen(`/things?${old}`),
      /'AWSAccessKeyId' is of Signature Version 2, .*'AWS4-HMAC-SHA256' .*s3v4/,
    );
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
  const { send } = await openApi({ signatures: "any" });
  const region = "us-east-1";
  await send("POST", "/things/t", { headers: credential("iot", region) });
  const answerFor = async (headers: Record<string, string>) => (await send("GET", "/things/t/jobs", { headers })).body;
  const pending = { inProgressJobs: [], queuedJobs: [] };
  assert.deepEqual(await answerFor(credential("iot-jobs-data", region)), pending);
  assert.deepEqual(await answerFor(credential("iot", region)), { executionSummaries: [] });
  assert.deepEqual(await answerFor({}), { executionSummaries: [] });
});

test("a signature that is wrong is told before what there is, and is not counted", async () => {
  const { send, api } = await openApi();
  const headers = { ...credential("iot"), "x-amz-date": "20260101T000000Z" };
  for (const target of ["/rules/k", "/nothing/here"]) {
    // The signature is over the body: its head alone says nothing.
    assert.equal(await api.refuse({ method: "GET", url: `http://localhost:4680${target}`, headers }), undefined);
    const { status, headers: told } = await send("GET", target, { headers });
    assert.deepEqual([status, told["x-amzn-errortype"]], [403, "InvalidSignatureException"], target);
  }
  assert.deepEqual(api.stats().notBuilt, {});
});

test("an operation that is not built says so by its name, and is counted", async () => {
  const { send, api } = await openApi({ signatures: "any" });
  const profile = await send("POST", "/security-profiles/j");
  assert.deepEqual(
    [profile.status, profile.headers["x-amzn-errortype"], profile.body],
    [501, "NotImplementedException", { message: "The local cloud has not built CreateSecurityProfile of iot yet" }],
  );
  const headers = { ...credential("IoTSecuredTunneling"), "x-amz-target": "IoTSecuredTunneling.OpenTunnel" };
  const tunnel = await send("POST", "/", { headers, body: json({}) });
  assert.match(String(tunnel.body["message"]), /has not built OpenTunnel of iotsecuretunneling yet/);
  await send("POST", "/security-profiles/k");
  // What is told without the body counts as well, once.
  const head = { method: "GET", url: "http://localhost:4680/security-profiles/k", headers: {} };
  assert.equal((await api.refuse(head))?.status, 501);
  assert.deepEqual(api.stats().notBuilt, {
    "iot:CreateSecurityProfile": 2,
    "iotsecuretunneling:OpenTunnel": 1,
    "iot:DescribeSecurityProfile": 1,
  });
  assert.equal((await api.refuse({ ...head, headers: credential("iot") }))?.status, 501);
  const unknown = { ...credential("IoTSecuredTunneling"), "x-amz-target": "IoTSecuredTunneling.DigTunnel" };
  assert.equal((await send("POST", "/", { headers: unknown })).status, 404);
});

test("every operation of AWS is built, or answers 501 with its name", async () => {
  const { model, operations, send } = await openApi({ signatures: "any" });
  const built = new Set(operations.map(({ aws }) => `${aws.api}:${aws.name}`));
  let count = 0;
  for (const { api, name, method, path, protocol } of model.operations) {
    if (built.has(`${api}:${name}`)) continue;
    const target: Record<string, string> = protocol === "json" ? { "x-amz-target": `IoTSecuredTunneling.${name}` } : {};
    const headers = { ...credential(model.signingNames(api)[0] ?? ""), ...target };
    const { status, body } = await send(method, path.replace(/\{\w+\+?\}/g, "1"), { headers });
    assert.equal(status, 501, `${method} ${path}`);
    assert.equal(body["message"], `The local cloud has not built ${name} of ${api} yet`);
    count++;
  }
  assert.equal(count, model.operations.length - built.size);
});

test("a defect is an internal failure that tells nothing, and is logged", async () => {
  const broken = replacing("iot", "DescribeEndpoint", () => Promise.reject(new Error("secret")));
  const { send, logged } = await openApi({}, [broken]);
  const answer = await send("GET", "/endpoint");
  assert.deepEqual([answer.status, answer.headers["x-amzn-errortype"]], [500, "InternalFailureException"]);
  assert.ok(!JSON.stringify(answer.body).includes("secret"));
  assert.ok(logged.includes("restOperationFailed"));
});

test("throttling is 400 on the control plane and 429 on the data planes", async () => {
  const throttled = (api: ApiName, name: string) =>
    replacing(api, name, () => Promise.reject(new ThinglineError("THROTTLED", "slow down")));
  const { send } = await openApi({}, [throttled("iot", "ListThings"), throttled("iot-data", "GetThingShadow")]);
  assert.equal((await send("GET", "/things")).status, 400);
  assert.equal((await send("GET", "/things/t/shadow")).status, 429);
});

test("an answer that AWS does not have is a defect, and the client is not told half of it", async () => {
  const wrong = (result: object): ServedOperation =>
    Object.assign(async () => ({ result, operations: [], effects: [] }), {
      aws: { api: "iot", name: "DescribeEndpoint", acted: {} },
    } as const);
  for (const result of [{ endpoint: "x" }, { endpointAddress: 7 }]) {
    const { send, logged } = await openApi({}, [wrong(result)]);
    const answer = await send("GET", "/endpoint");
    assert.deepEqual([answer.status, answer.headers["x-amzn-errortype"]], [500, "InternalFailureException"]);
    assert.ok(logged.includes("restOperationFailed"));
  }
});

test("the data plane has errors of its own, and tells the request's id in their body", async () => {
  const { send } = await openApi();
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

test("the errors of the services are AWS's, with AWS's status", async () => {
  const { model } = await openApi();
  const statuses = new Map<string, Set<number>>();
  for (const { errors } of model.operations) {
    for (const [name, status] of errors) statuses.set(name, (statuses.get(name) ?? new Set()).add(status));
  }
  // Not in any list of the model: AWS's common errors.
  const common = ["RequestEntityTooLargeException"];
  for (const [code, [status, name]] of Object.entries(wireErrors)) {
    assert.ok(code in errorCodes);
    assert.ok(common.includes(name) || statuses.get(name)?.has(status) === true, `${code}: ${status} ${name}`);
  }
});

test("no two services serve the same operation", async () => {
  const { api, operations } = await openApi();
  assert.equal(api.operationNames.length, operations.length);
  assert.ok(operations.length >= 43);
  await assert.rejects(openApi({}, [operations[0]!, operations[0]!]), /is served twice/);
});
