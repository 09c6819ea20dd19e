import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { canonicalRequest, signatureOf } from "../../signature.js";
import { presignUrl } from "./presigned-url.js";
import { parseS3Url } from "./s3-url.js";

const keys = {
  sha256: (bytes: Uint8Array) => Uint8Array.from(createHash("sha256").update(bytes).digest()),
  hmacSha256: (key: Uint8Array, bytes: Uint8Array) => Uint8Array.from(createHmac("sha256", key).update(bytes).digest()),
};
const scope = { account: "123456789012", region: "us-east-1" };

test("a presigned URL is signed as in AWS's own example", () => {
  // Amazon S3 API reference, "Authenticating Requests: Using Query Parameters".
  const canonical = canonicalRequest({
    method: "GET",
    rawPath: "/test.txt",
    rawQuery:
      "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host",
    headers: { host: "examplebucket.s3.amazonaws.com" },
    signedHeaders: ["host"],
    bodyHash: "UNSIGNED-PAYLOAD",
    pathStyle: "encodedOnce",
  });
  const example = {
    ...{ day: "20130524", region: "us-east-1", service: "s3", date: "20130524T000000Z" },
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  };
  const expected = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
  assert.equal(signatureOf(canonical, example, keys), expected);
});

test("a URL leads back to its object, whatever is in the key", () => {
  const address = { bucket: "fw", key: "pump/ä b+c%/100%25?x#y.bin", versionId: "v/1" };
  const url = presignUrl(
    {
      keys,
      endpoint: () => ({ scheme: "https", host: "::1", port: 4681 }),
      signingKey: () => ({ accessKeyId: "test", secretAccessKey: "test" }),
    },
    scope,
    { ...address, expiresInSeconds: 60, nowMs: 0 },
  );
  assert.ok(url.startsWith("https://[::1]:4681/fw/pump/%C3%A4%20b%2Bc%25/100%2525%3Fx%23y.bin?"), url);
  assert.deepEqual(parseS3Url(url), address);
});
