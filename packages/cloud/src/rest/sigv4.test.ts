import assert from "node:assert/strict";
import { test } from "node:test";
import { createNodeKeys } from "@thingline/transport/node";
import { basicDate } from "../signature.js";
import { parseAuthorization, verifySignature, type SignedRequest } from "./sigv4.js";

const keys = createNodeKeys();
// The example credentials, time and requests of AWS's own Signature Version 4 test suite.
const accessKeys = [{ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }];
const nowMs = Date.UTC(2015, 7, 30, 12, 36, 0);
const header = (signature: string) =>
  `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`;
const vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

const request = (parts: Partial<SignedRequest> = {}): SignedRequest => ({
  method: "GET",
  rawPath: "/",
  rawQuery: "",
  headers: { host: "example.amazonaws.com", "x-amz-date": "20150830T123600Z" },
  body: new Uint8Array(),
  ...parts,
});

function check(signed: SignedRequest, authorizationHeader: string, atMs = nowMs) {
  const authorization = parseAuthorization(authorizationHeader);
  if ("code" in authorization) return authorization;
  return verifySignature(signed, authorization, { accessKeys, keys, nowMs: atMs });
}

test("the requests of AWS's test suite are verified", () => {
  const suite: [string, Partial<SignedRequest>, string][] = [
    ["get-vanilla", {}, vanilla],
    ["post-vanilla", { method: "POST" }, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
    [
      "get-vanilla-query-order-key-case",
      { rawQuery: "Param2=value2&Param1=value1" },
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
    ["get-slashes", { rawPath: "//" }, vanilla],
    ["get-relative", { rawPath: "/example/.." }, vanilla],
  ];
  for (const [name, parts, signature] of suite) assert.equal(check(request(parts), header(signature)), undefined, name);
});

test("anything that was changed after signing is found", () => {
  const changes: Partial<SignedRequest>[] = [
    { method: "POST" },
    { rawPath: "/other" },
    { rawQuery: "a=b" },
    { headers: { host: "other", "x-amz-date": "20150830T123600Z" } },
    { headers: { host: "example.amazonaws.com", "x-amz-date": "20150830T123601Z" } },
    { body: Uint8Array.of(1) },
  ];
  for (const change of changes)
    assert.equal(check(request(change), header(vanilla))?.code, "InvalidSignatureException");
  const fault = check(request(), header(vanilla.replace("5", "6")));
  assert.match(
    fault?.message ?? "",
    /^The request signature we calculated does not match the signature you provided\./,
  );
  const claimed = { ...request().headers, "x-amz-content-sha256": "0".repeat(64) };
  assert.match(check(request({ headers: claimed }), header(vanilla))?.message ?? "", /x-amz-content-sha256/);
});

test("a signature is good for fifteen minutes, both ways", () => {
  const minute = 60_000;
  assert.equal(check(request(), header(vanilla), nowMs + 15 * minute), undefined);
  assert.equal(check(request(), header(vanilla), nowMs - 15 * minute), undefined);
  assert.deepEqual(check(request(), header(vanilla), nowMs + 20 * minute), {
    code: "InvalidSignatureException",
    message: "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z (20150830T125600Z - 15 min.)",
  });
  assert.match(check(request(), header(vanilla), nowMs - 16 * minute)?.message ?? "", /^Signature not yet current: /);
});

test("an unknown key and a broken header are told apart", () => {
  const unknown = header(vanilla).replace("AKIDEXAMPLE", "AKIDOTHER");
  assert.equal(check(request(), unknown)?.code, "UnrecognizedClientException");
  const broken = [
    "Bearer token",
    "AWS4-HMAC-SHA256 Signature=x, SignedHeaders=host",
    header(vanilla).replace("/aws4_request", ""),
    header(vanilla).replace("us-east-1", "US EAST"),
    header(vanilla).replace("20150830", "2015"),
    header("").replace(/, Signature=$/, ""),
  ];
  for (const text of broken) assert.equal(check(request(), text)?.code, "IncompleteSignatureException", text);
  const withoutDate = { host: "example.amazonaws.com" };
  assert.equal(check(request({ headers: withoutDate }), header(vanilla))?.code, "IncompleteSignatureException");
  const otherDay = header(vanilla).replace("/20150830/", "/20150831/");
  assert.match(check(request(), otherDay)?.message ?? "", /Date in Credential scope/);
  const inherited = header(vanilla).replace("host;x-amz-date", "constructor;host;x-amz-date;__proto__");
  assert.match(check(request(), inherited)?.message ?? "", /^The request signature we calculated/);
  const unsignedHost = header(vanilla).replace("host;x-amz-date", "x-amz-date");
  assert.match(check(request(), unsignedHost)?.message ?? "", /'Host' must be a 'SignedHeader'/);
});

test("times are written as signatures have them", () => {
  assert.equal(basicDate(nowMs + 999), "20150830T123600Z");
});
