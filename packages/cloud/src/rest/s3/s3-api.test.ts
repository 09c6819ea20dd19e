// The HTTP face of objects, in virtual time: who may ask, and what cannot be asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePercent } from "@thingline/protocol/restjson";
import { createObjects } from "../../services/objects/service.js";
import { openServiceWorld, scope } from "../../services/world.test.support.js";
import { algorithm, basicDate, canonicalRequest, signatureOf } from "../../signature.js";
import { defaultAccessKey } from "../access-keys.js";
import type { RequestHead } from "../admission.js";
import { objectMetadataBytesMax } from "../../services/objects/model.js";
import { deletedObjectsMax, xmlBodyBytesMax } from "./buckets.js";
import { isS3Request } from "./detect.js";
import { s3ParametersMax } from "./request.js";
import { createS3Api, s3BodyBytesMax, type S3ApiOptions } from "./s3-api.js";

interface Sent {
  method?: string;
  path?: string;
  query?: string;
  headers?: Record<string, string>;
  body?: string;
}

async function openS3(options: Partial<S3ApiOptions> = {}, { brokenKey }: { brokenKey?: string } = {}) {
  const world = await openServiceWorld();
  const objects = createObjects();
  await world.run(objects.createBucket, { bucket: "firmware" });
  await world.run(objects.putObject, { bucket: "firmware", key: "app", chunks: [new Uint8Array(10)] });
  const run: typeof world.runner.run = async (asker, operation, input) => {
    const { key } = input as { key?: string };
    if (brokenKey !== undefined && key === brokenKey) throw new Error("a disk fails");
    return world.runner.run(asker, operation, input);
  };
  const api = createS3Api(
    { ...world, run, objects },
    {
      ...{ scope, accessKeys: [defaultAccessKey], signatures: "verify", unsignedRequests: "allowed", ownNames: [] },
      ...options,
    },
  );
  const send = async ({ method = "GET", path = "/firmware/app", query = "", headers = {}, body = "" }: Sent) => {
    const url = `http://localhost:4680${path}${query === "" ? "" : `?${query}`}`;
    const head: RequestHead = { method, url, headers: { host: "localhost:4680", ...headers } };
    const verdict = api.judge(head);
    const answer = "refusal" in verdict ? verdict.refusal : await api.serve(head, piecesOf(body));
    const text = answer.body instanceof Uint8Array ? new TextDecoder().decode(answer.body) : "";
    return { ...answer, text, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] };
  };
  return { ...world, api, send };
}

async function* piecesOf(body: string): AsyncGenerator<Uint8Array, void> {
  yield new TextEncoder().encode(body);
}

type World = Awaited<ReturnType<typeof openS3>>;

/** Signs as a client does. */
function signed(
  { keys, clock }: World,
  sent: Sent & { atMs?: number; secret?: string; service?: string; day?: string },
  unsignedHeaders: Record<string, string> = {},
): Sent {
  const { method = "GET", path = "/firmware/app", query = "", secret = "test", service = "s3" } = sent;
  const date = basicDate(sent.atMs ?? clock.unixMs());
  const day = sent.day ?? date.slice(0, 8);
  const bodyHash = "UNSIGNED-PAYLOAD";
  const headers = { host: "localhost:4680", "x-amz-date": date, "x-amz-content-sha256": bodyHash, ...sent.headers };
  const signedHeaders = Object.keys(headers).sort();
  const canonical = canonicalRequest({
    ...{ method, rawPath: path, rawQuery: query, headers, signedHeaders, bodyHash, pathStyle: "encodedOnce" },
  });
  const signature = signatureOf(canonical, { day, region: scope.region, service, date, secretAccessKey: secret }, keys);
  const authorization = `${algorithm} Credential=test/${day}/${scope.region}/${service}/aws4_request, SignedHeaders=${signedHeaders.join(";")}, Signature=${signature}`;
  return { ...sent, headers: { ...headers, authorization, ...unsignedHeaders } };
}

test("a signature is asked for everything that S3 asks of it", async () => {
  const world = await openS3();
  const { send, clock } = world;
  const now = clock.unixMs();
  const ask = async (sent: Parameters<typeof signed>[1], added?: Record<string, string>) =>
    (await send(signed(world, sent, added))).code;
  assert.equal(await ask({}), undefined);
  assert.equal(await ask({ path: "/firmware/a/../app" }), "NoSuchKey");
  assert.equal(await ask({ secret: "wrong" }), "SignatureDoesNotMatch");
  assert.equal(await ask({ service: "iot" }), "AuthorizationHeaderMalformed");
  assert.equal(await ask({ atMs: now - 901_000 }), "RequestTimeTooSkewed");
  assert.equal(await ask({ atMs: now + 901_000 }), "RequestTimeTooSkewed");
  assert.equal(await ask({ atMs: now - 899_000 }), undefined);
  assert.equal(await ask({ day: "20200101" }), "AuthorizationQueryParametersError");
  assert.equal(await ask({}, { "x-amz-meta-added": "x" }), "AccessDenied");
  assert.equal(await ask({ headers: { "x-amz-expected-bucket-owner": scope.account } }), undefined);
  assert.equal(await ask({ headers: { "x-amz-expected-bucket-owner": "999999999999" } }), "AccessDenied");
  assert.equal((await send({ headers: { authorization: "AWS test:signature" } })).code, "InvalidRequest");
  assert.equal((await send({ headers: { authorization: "Basic dGVzdA==" } })).code, "AuthorizationHeaderMalformed");
  const { headers: { "x-amz-content-sha256": _hash, ...withoutHash } = {}, ...rest } = signed(world, {});
  assert.equal((await send({ ...rest, headers: withoutHash })).code, "InvalidRequest");
  const query = `X-Amz-Signature=0&${["Algorithm", "Credential", "Date"].map((name) => `X-Amz-${name}=x`).join("&")}`;
  assert.equal((await send({ query })).code, "AuthorizationQueryParametersError");
  assert.equal((await send({ ...signed(world, {}), query })).code, "InvalidArgument");
});

test("unsigned requests are as the options say, and web pages of others are refused", async () => {
  const open = await openS3();
  assert.equal((await open.send({})).status, 200);
  assert.equal((await open.send({ headers: { origin: "https://evil.example" } })).code, "AccessDenied");
  assert.equal((await open.send({ headers: { host: "evil.example" } })).code, "AccessDenied");
  const closed = await openS3({ unsignedRequests: "refused" });
  assert.equal((await closed.send({})).code, "AccessDenied");
  assert.equal((await closed.send(signed(closed, {}))).status, 200);
  const any = await openS3({ signatures: "any" });
  assert.equal((await any.send(signed(any, { secret: "wrong", atMs: 0 }))).status, 200);
  assert.equal((await open.send({ query: "response-content-type=text%2Fplain" })).code, "InvalidRequest");
});

test("what is not built is refused by its name, before the body comes", async () => {
  const { send } = await openS3();
  const cases: readonly [Sent, RegExp][] = [
    [{ method: "POST", query: "uploads" }, /multipart uploads of S3: send the object in one PUT/],
    [{ method: "PUT", query: "partNumber=1&uploadId=x" }, /multipart uploads/],
    [{ query: "acl" }, /access control lists \(\?acl\)/],
    [{ query: "tagging=" }, /tags/],
    [{ method: "PUT", headers: { "x-amz-acl": "public-read", "content-length": "0" } }, /x-amz-acl/],
    [
      { method: "PUT", headers: { "x-amz-copy-source-range": "bytes=0-1", "content-length": "0" } },
      /x-amz-copy-source-range/,
    ],
    [{ method: "PUT", headers: { "x-amz-checksum-sha1": "x", "content-length": "0" } }, /x-amz-checksum-sha1/],
    [{ method: "PUT", headers: { "x-amz-sdk-checksum-algorithm": "SHA1", "content-length": "0" } }, /SHA1/],
    [{ method: "PUT", headers: { "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" } }, /signed chunks/],
    [{ method: "POST", path: "/firmware" }, /uploads by forms/],
    [{ path: "/firmware", query: "versions&delimiter=/" }, /delimiter/],
  ];
  for (const [sent, message] of cases) {
    const { status, code, text } = await send(sent);
    assert.deepEqual([status, code], [501, "NotImplemented"], JSON.stringify(sent));
    assert.match(text, message);
  }
});

test("a request is bounded in each of its parts", async () => {
  const { send, api } = await openS3();
  const put = (headers: Record<string, string>) => send({ method: "PUT", path: "/firmware/new", headers });
  assert.equal((await put({})).code, "MissingContentLength");
  assert.equal((await put({ "content-length": String(256 * 1024 * 1024 + 1) })).code, "EntityTooLarge");
  assert.equal((await put({ "content-length": "0", "content-md5": "x" })).code, "InvalidDigest");
  const metadata = (length: number) => put({ "content-length": "0", "x-amz-meta-a": "x".repeat(length) });
  assert.equal((await metadata(objectMetadataBytesMax)).code, "MetadataTooLarge");
  assert.equal((await metadata(objectMetadataBytesMax - 1)).status, 200);
  const two = { "content-length": "0", "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA==" };
  assert.equal((await put(two)).code, "InvalidRequest");
  const query = Array.from({ length: s3ParametersMax + 1 }, (_none, at) => `p${at}=1`).join("&");
  assert.equal((await send({ query })).code, "InvalidURI");
  assert.equal((await send({ path: "/firmware/%ff" })).code, "InvalidURI");
  assert.equal((await send({ path: "//app" })).code, "InvalidURI");
  const versioning = (body: string) => send({ method: "PUT", path: "/firmware", query: "versioning", body });
  const document = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  assert.equal((await versioning(document + " ".repeat(xmlBodyBytesMax - document.length))).status, 200);
  assert.equal((await versioning(document + " ".repeat(xmlBodyBytesMax - document.length + 1))).code, "EntityTooLarge");
  assert.equal((await versioning("<VersioningConfiguration/>")).code, "MalformedXML");
  const keys = (count: number) =>
    `<Delete>${Array.from({ length: count }, (_none, at) => `<Object><Key>none-${at}</Key></Object>`).join("")}</Delete>`;
  const remove = (body: string) => send({ method: "POST", path: "/firmware", query: "delete", body });
  assert.equal((await remove(keys(deletedObjectsMax + 1))).code, "MalformedXML");
  assert.equal((await remove(keys(deletedObjectsMax))).status, 200);
  assert.deepEqual(api.judge({ method: "GET", url: "http://localhost/", headers: {} }), {
    streamBytesMax: s3BodyBytesMax,
  });
});

test("an object answers with what it was put with, and with what is asked for", async () => {
  const world = await openS3();
  const { send } = world;
  const headers = {
    ...{ "content-length": "3", "content-type": "text/x", "cache-control": "no-store", "x-amz-meta-board": "a" },
    ...{ "content-encoding": "aws-chunked,gzip", "x-amz-checksum-crc64nvme": "0PYc2YL+hAw=" },
  };
  const wrong = await send({ method: "PUT", path: "/firmware/new", headers, body: "abc" });
  assert.equal(wrong.code, "BadDigest");
  const { "x-amz-checksum-crc64nvme": _checksum, ...plain } = headers;
  await send({
    method: "PUT",
    path: "/firmware/new",
    headers: { ...plain, "x-amz-sdk-checksum-algorithm": "SHA256" },
    body: "abc",
  });
  const got = await send({ path: "/firmware/new", headers: { "x-amz-checksum-mode": "ENABLED" } });
  assert.equal(got.text, "abc");
  const { "x-amz-request-id": _id, "last-modified": _date, ...told } = got.headers;
  assert.deepEqual(told, {
    ...{ "accept-ranges": "bytes", "content-length": "3", etag: '"900150983cd24fb0d6963f7d28e17f72"' },
    ...{ "content-type": "text/x", "cache-control": "no-store", "x-amz-meta-board": "a", "content-encoding": "gzip" },
    ...{
      "x-amz-checksum-sha256": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
      "x-amz-checksum-type": "FULL_OBJECT",
    },
  });
  const query = `response-content-type=${encodePercent("text/y")}`;
  assert.equal((await send(signed(world, { path: "/firmware/new", query }))).headers["content-type"], "text/y");
  assert.equal((await send({ method: "HEAD", path: "/firmware/none" })).status, 404);
  assert.deepEqual((await send({ method: "HEAD", path: "/firmware/new" })).headers["content-length"], "3");
});

test("a bucket is made in the region of the request, and in no other", async () => {
  const { send } = await openS3();
  const create = async (content: string) => {
    const body = content && `<CreateBucketConfiguration>${content}</CreateBucketConfiguration>`;
    const { status, code } = await send({ method: "PUT", path: "/others", body });
    return code ?? status;
  };
  const constraint = (region: string) => create(`<LocationConstraint>${region}</LocationConstraint>`);
  assert.equal(await constraint("eu-west-1"), "IllegalLocationConstraintException");
  assert.equal(await create("<Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>"), "NotImplemented");
  assert.equal(await create("<!DOCTYPE a><LocationConstraint>x</LocationConstraint>"), "MalformedXML");
  assert.equal((await send({ path: "/others" })).code, "NoSuchBucket");
  assert.equal(await constraint(scope.region), 200);
  assert.equal(await create(""), 200);
});

test("a DELETE with a condition is refused rather than done without", async () => {
  const { send } = await openS3();
  for (const name of ["if-match", "x-amz-if-match-size", "x-amz-if-match-last-modified-time"]) {
    const { status } = await send({ method: "DELETE", headers: { [name]: "1" } });
    assert.equal(status, 501);
  }
  assert.equal((await send({})).status, 200);
});

test("of many objects that are deleted, one that fails is told by its key", async () => {
  const { send } = await openS3({}, { brokenKey: "broken" });
  const body = ["app", "broken", "none"].map((key) => `<Object><Key>${key}</Key></Object>`).join("");
  const answer = await send({ method: "POST", path: "/firmware", query: "delete", body: `<Delete>${body}</Delete>` });
  assert.equal(answer.status, 200);
  assert.deepEqual(
    [...answer.text.matchAll(/<(Deleted|Error)><Key>(\w+)<\/Key>(?:<Code>(\w+))?/g)].map(([, ...told]) => told),
    [
      ["Deleted", "app", undefined],
      ["Deleted", "none", undefined],
      ["Error", "broken", "InternalError"],
    ],
  );
  assert.equal((await send({})).code, "NoSuchKey");
});

test("a document that is not what its head says is not acted on", async () => {
  const { send, keys } = await openS3();
  const body = "<Delete><Object><Key>app</Key></Object></Delete>";
  const bytes = new TextEncoder().encode(body);
  const remove = async (headers: Record<string, string>) => {
    const { code, status } = await send({ method: "POST", path: "/firmware", query: "delete", headers, body });
    return code ?? status;
  };
  assert.equal(await remove({ "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" }), "BadDigest");
  assert.equal(await remove({ "content-md5": "x" }), "InvalidDigest");
  for (const name of ["crc32", "crc32c", "crc64nvme", "sha256"]) {
    assert.equal(await remove({ [`x-amz-checksum-${name}`]: "AAAAAA==" }), "BadDigest", name);
  }
  assert.equal(await remove({ "x-amz-content-sha256": "0".repeat(64) }), "XAmzContentSHA256Mismatch");
  for (const name of ["sha1", "md5", "new"]) {
    assert.equal(await remove({ [`x-amz-checksum-${name}`]: "AAAAAA==" }), "NotImplemented", name);
  }
  assert.equal(await remove({ "x-amz-sdk-checksum-algorithm": "SHA1" }), "NotImplemented");
  assert.equal(await remove({ "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER" }), "NotImplemented");
  assert.equal((await send({})).status, 200);
  const sha256 = keys.sha256(bytes);
  const good = {
    "x-amz-checksum-sha256": Buffer.from(sha256).toString("base64"),
    "x-amz-content-sha256": Buffer.from(sha256).toString("hex"),
  };
  assert.equal(await remove(good), 200);
  assert.equal((await send({})).code, "NoSuchKey");
});

test("an object is copied with its metadata, or with others", async () => {
  const { send } = await openS3();
  const headers = { "content-length": "3", "content-type": "text/x", "x-amz-meta-board": "a" };
  await send({ method: "PUT", path: "/firmware/one", headers, body: "abc" });
  const copy = (path: string, source: string, more: Record<string, string> = {}) =>
    send({ method: "PUT", path, headers: { "x-amz-copy-source": source, ...more } });
  const copied = await copy("/firmware/two%20x", "/firmware/one");
  assert.equal(copied.status, 200);
  assert.match(copied.text, /<ETag>&quot;900150983cd24fb0d6963f7d28e17f72&quot;<\/ETag>/);
  const two = await send({ path: "/firmware/two%20x" });
  assert.deepEqual([two.text, two.headers["content-type"], two.headers["x-amz-meta-board"]], ["abc", "text/x", "a"]);
  assert.equal((await copy("/firmware/one", "firmware/one")).code, "InvalidRequest");
  const replaced = { "x-amz-metadata-directive": "REPLACE", "content-type": "text/y" };
  assert.equal((await copy("/firmware/one", "firmware/one", replaced)).status, 200);
  const one = await send({ path: "/firmware/one" });
  assert.deepEqual(
    [one.text, one.headers["content-type"], one.headers["x-amz-meta-board"]],
    ["abc", "text/y", undefined],
  );
  assert.equal((await copy("/firmware/new", "firmware")).code, "InvalidArgument");
  assert.equal((await copy("/firmware/new", "firmware/none")).code, "NoSuchKey");
  assert.equal((await copy("/firmware/new", "firmware/one?versionId=7")).code, "NoSuchVersion");
});

test("a request is one of S3 by its signature or its host", () => {
  const authorization =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
  const is = (url: string, headers: Record<string, string> = {}) => isS3Request({ method: "GET", url, headers });
  assert.ok(is("http://localhost/things/x", { authorization }));
  assert.ok(!is("http://localhost/things/x", { authorization: authorization.replace("/s3/", "/iot/") }));
  assert.ok(!is("http://s3.localhost/x", { authorization: authorization.replace("/s3/", "/iot/") }));
  assert.ok(is("http://localhost/b/k?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"));
  assert.ok(!is("http://localhost/b/k?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fiot%2Faws4_request"));
  // Nothing but S3 ever took these; it has to refuse them in its own words.
  assert.ok(is("http://localhost/b/k", { authorization: "AWS test:c2lnbmF0dXJl" }));
  const old = "AWSAccessKeyId=test&Expires=1893456000&Signature=c2lnbmF0dXJl";
  assert.ok(is(`http://localhost/b/k?${old}`));
  assert.ok(!is(`http://localhost/b/k?${old}&SignatureVersion=2`));
  for (const host of ["s3.localhost:4680", "b.s3.localhost", "s3.us-east-1.amazonaws.com", "b.s3.amazonaws.com"])
    assert.ok(is("http://x/", { host }), host);
  for (const host of ["localhost", "127.0.0.1", "iot.us-east-1.amazonaws.com", "mys3.localhost"])
    assert.ok(!is("http://x/", { host }), host);
});
