import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketOfHost, parseS3Url } from "./s3-url.js";

const firmware = { bucket: "fw", key: "pump/app 1.bin" };

test("an object is found in every form of its URL", () => {
  for (const url of [
    "https://s3.eu-central-1.amazonaws.com/fw/pump/app%201.bin",
    "https://s3.amazonaws.com/fw/pump/app%201.bin",
    "https://s3-us-west-2.amazonaws.com/fw/pump/app%201.bin",
    "https://s3.dualstack.us-gov-west-1.amazonaws.com/fw/pump/app%201.bin",
    "https://s3.cn-north-1.amazonaws.com.cn/fw/pump/app%201.bin",
    "https://fw.s3.amazonaws.com/pump/app%201.bin",
    "https://fw.s3.eu-central-1.amazonaws.com/pump/app%201.bin",
    "https://fw.s3-eu-west-1.amazonaws.com/pump/app%201.bin",
    "https://fw.s3.dualstack.eu-west-1.amazonaws.com:443/pump/app%201.bin",
    "HTTP://FW.S3.Eu-West-1.AmazonAWS.com/pump/app%201.bin?X-Amz-Expires=5",
    "s3://fw/pump/app 1.bin",
    "arn:aws:s3:::fw/pump/app 1.bin",
    "http://localhost:4680/fw/pump/app%201.bin",
    "https://127.0.0.1:4681/fw/pump/app%201.bin",
    "https://[::1]:4681/fw/pump/app%201.bin",
    "https://fw.s3.localhost:4681/pump/app%201.bin",
    "https://s3.us-east-1.localhost/fw/pump/app%201.bin",
    "https://s3.eu-central-1.amazonaws.com/fw/pump/app 1.bin",
  ]) {
    assert.deepEqual(parseS3Url(url), firmware, url);
  }
});

test("a version, a bucket with dots and a key that is not well encoded are taken as they stand", () => {
  const versioned = parseS3Url("https://s3.us-east-1.amazonaws.com/a.b-c/x?partNumber=1&versionId=3%2F4");
  assert.deepEqual(versioned, { bucket: "a.b-c", key: "x", versionId: "3/4" });
  assert.deepEqual(parseS3Url("https://a.b.s3.us-east-1.amazonaws.com/100%.bin"), { bucket: "a.b", key: "100%.bin" });
  assert.deepEqual(parseS3Url("https://s3.amazonaws.com/b/a+b//c"), { bucket: "b", key: "a+b//c" });
});

test("what names no object of S3 is none", () => {
  for (const url of [
    "",
    "fw/app.bin",
    "s3://fw",
    "s3://fw/",
    "https://s3.amazonaws.com/fw",
    "https://s3.amazonaws.com/fw/",
    "https://s3.amazonaws.com//app.bin",
    "https://fw.s3.amazonaws.com/",
    "https://example.com/fw/app.bin",
    "https://s3.amazonaws.com.example.com/fw/app.bin",
    "https://evil-s3.amazonaws.com.example/fw/app.bin",
    "https://sqs.us-east-1.amazonaws.com/fw/app.bin",
    "ftp://s3.amazonaws.com/fw/app.bin",
  ]) {
    assert.equal(parseS3Url(url), undefined, url);
  }
  assert.deepEqual(bucketOfHost("s3.localhost:4680"), { bucket: undefined });
  assert.deepEqual(bucketOfHost("fw.s3.localhost"), { bucket: "fw" });
  assert.equal(bucketOfHost("data-ats.iot.us-east-1.amazonaws.com"), undefined);
});
