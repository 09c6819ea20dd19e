import assert from "node:assert/strict";
import { test } from "node:test";
import { readFirmwareDocument, writeFirmwareDocument } from "./job-document.js";

const place = {
  protocol: "https:",
  host: "localhost:4681",
  path: "firmware-bucket/firmware/ab/app.bin",
  s3Url: "https://s3.us-east-1.amazonaws.com/firmware-bucket/firmware/ab/app.bin",
};
const firmware = { version: "1.2.3+4", sizeBytes: 1_000, sha256: "ab".repeat(32), place };
const object = { bucket: "firmware-bucket", key: "firmware/ab/app.bin" };

test("a document says the place for devices of both kinds, and is read again", () => {
  const text = writeFirmwareDocument({ ...firmware, isSigned: true });
  assert.deepEqual(JSON.parse(text), {
    operation: "app_fw_update",
    fwversion: "1.2.3+4",
    size: 1_000,
    sha256: "ab".repeat(32),
    location: {
      protocol: "https:",
      host: "localhost:4681",
      path: "firmware-bucket/firmware/ab/app.bin",
      url: `\${aws:iot:s3-presigned-url:${place.s3Url}}`,
    },
  });
  const { version, sizeBytes, sha256 } = firmware;
  assert.deepEqual(readFirmwareDocument(text), { version, sizeBytes, sha256, object });
});

test("without a role to sign with there is no URL", () => {
  const text = writeFirmwareDocument({ ...firmware, isSigned: false });
  assert.ok(!text.includes("presigned"));
});

const documents: [why: string, document: unknown, object: unknown][] = [
  [
    "a public object, as in the original's samples",
    { operation: "app_fw_update", location: { host: "my-bucket.s3.eu-central-1.amazonaws.com", path: "a/b.bin" } },
    { bucket: "my-bucket", key: "a/b.bin" },
  ],
  [
    "the newer placeholder, with another form of the URL",
    { location: { url: "${aws:iot:s3-presigned-url-v2:https://my-bucket.s3.eu-west-1.amazonaws.com/a%20b.bin}" } },
    { bucket: "my-bucket", key: "a b.bin" },
  ],
  ["a place that is not S3", { location: { protocol: "http", host: "example.com", path: "/x.bin" } }, undefined],
  ["a place that is none", { location: { url: "://" } }, undefined],
];

for (const [why, document, expected] of documents) {
  test(`${why} is a firmware update`, () => {
    assert.deepEqual(readFirmwareDocument(JSON.stringify(document))?.object, expected);
  });
}

test("documents of something else are told apart", () => {
  for (const text of ["", "[]", "null", "{}", '{"operation":"restart"}', '{"operation":"restart","location":{}}']) {
    assert.equal(readFirmwareDocument(text), undefined, text);
  }
});
