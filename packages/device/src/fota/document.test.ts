import assert from "node:assert/strict";
import { test } from "node:test";
import { readFirmwareDocument } from "./document.js";
import { urlCharactersMax } from "./http/url.js";
import { isWantedVersion } from "./version.js";

const orderOf = (document: unknown) => {
  const read = readFirmwareDocument(document);
  assert.ok("order" in read, JSON.stringify(read));
  return read.order;
};
const urlOf = (document: unknown): string => {
  const [source] = orderOf(document).sources;
  assert.ok(source?.type === "http");
  return source.url;
};
const refusalOf = (document: unknown) => {
  const read = readFirmwareDocument(document);
  assert.ok("refused" in read, JSON.stringify(read));
  return read.refused;
};

test("the original's document is read, whatever its slashes and colons", () => {
  const document = {
    operation: "app_fw_update",
    fwversion: "v1.0.2",
    size: 181_124,
    location: { protocol: "https:", host: "bucket.s3.eu-central-1.amazonaws.com", path: "app_update.bin?X-Amz-Date=1" },
  };
  const url = "https://bucket.s3.eu-central-1.amazonaws.com/app_update.bin?X-Amz-Date=1";
  assert.deepEqual(orderOf(document), {
    sources: [{ type: "http", url }],
    versionWanted: "v1.0.2",
    sizeBytes: 181_124,
    documentId: "https://bucket.s3.eu-central-1.amazonaws.com/app_update.bin v1.0.2 181124",
  });
  const { location } = document;
  for (const other of [
    { ...location, protocol: "https" },
    { ...location, protocol: "HTTPS://" },
    { ...location, protocol: undefined },
    { ...location, path: `/${location.path}` },
    { ...location, host: `https://${location.host}` },
    { ...location, host: `${location.host}/` },
    { url, host: "ignored" },
    { url: `${url}#part` },
  ]) {
    assert.equal(urlOf({ location: other }), url, JSON.stringify(other));
  }
  assert.equal(urlOf({ location: { protocol: "http", host: "h:8080", path: "/a/b" } }), "http://h:8080/a/b");
  assert.equal(urlOf({ location: { protocol: "https:", host: "http://h", path: "a" } }), "http://h/a");
  assert.equal(orderOf({ fwversion: 3, size: "12", location }).versionWanted, "3");
  assert.equal(orderOf({ fwversion: 3, size: "12", location }).sizeBytes, 12);
});

test("a document that is read again is the same one, whatever signature its URL has", () => {
  const at = (signature: string) => orderOf({ location: { url: `https://h/a?X-Amz-Signature=${signature}` } });
  assert.equal(at("1").documentId, at("2").documentId);
  assert.notEqual(at("1").documentId, orderOf({ location: { url: "https://h/b" } }).documentId);
  assert.notEqual(at("1").documentId, orderOf({ fwversion: "2", location: { url: "https://h/a" } }).documentId);
});

test("AWS's OTA document gives a URL, a stream or both", () => {
  const file = { filepath: "/x", filesize: 1234, fileid: 3, certfile: "cert.pem", "sig-sha256-ecdsa": "MEUC" };
  const stream = { type: "stream", streamName: "AFR_OTA-1", fileId: 3, sizeBytes: 1234 };
  const http = { type: "http", url: "https://h/a?sig" };
  const ota = (protocols: unknown, more: object = { update_data_url: http.url }) =>
    orderOf({ afr_ota: { protocols, streamname: "AFR_OTA-1", files: [{ ...file, ...more }] } }).sources;
  assert.deepEqual(ota(["MQTT"]), [stream]);
  assert.deepEqual(ota(["HTTP"]), [http]);
  assert.deepEqual(ota(["MQTT", "HTTP"]), [http, stream]);
  assert.deepEqual(ota(undefined), [http, stream]);
  assert.deepEqual(ota(["HTTP", "MQTT"], {}), [stream]);
});

test("what says nothing, or says it wrongly, is refused with a message that holds no URL", () => {
  const location = { host: "h", path: "secret" };
  for (const document of [
    undefined,
    null,
    [],
    "app_fw_update",
    {},
    { location: "h" },
    { location: {} },
    { location: { host: "h" } },
    { location: { path: "secret" } },
    { location: { host: "", path: "secret" } },
    { location: { ...location, protocol: "ftp:" } },
    { location: { ...location, protocol: 1 } },
    { location: { ...location, host: "user@h" } },
    { location: { ...location, host: "h/x" } },
    { location: { ...location, path: "secret b" } },
    { location: { url: 1 } },
    { location: { url: "secret" } },
    { location: { url: `https://h/secret${"a".repeat(urlCharactersMax)}` } },
    { location: { url: "${aws:iot:s3-presigned-url:https://s3.eu-central-1.amazonaws.com/secret/key}" } },
    { location, fwversion: {} },
    { location, fwversion: "1\n2" },
    { location, fwversion: "1".repeat(65) },
    { location, size: -1 },
    { location, size: 1.5 },
    { location, size: "many" },
    { afr_ota: 1 },
    { afr_ota: { files: [] } },
    { afr_ota: { files: [{}, {}], protocols: ["HTTP"] } },
    { afr_ota: { files: [{}], protocols: ["HTTP"] } },
    { afr_ota: { files: [{ fileid: 256 }], streamname: "secret" } },
    { afr_ota: { files: [{}], streamname: "a/b" } },
    { afr_ota: { files: [{ update_data_url: 1 }] } },
    { afr_ota: { files: [1] } },
  ]) {
    const { reason, message } = refusalOf(document);
    assert.equal(reason, "documentInvalid", JSON.stringify(document));
    assert.ok(!message.includes("secret"), message);
  }
  const other = refusalOf({ operation: "restart", location });
  assert.deepEqual([other.reason, other.isOurs], ["operationUnknown", false]);
});

test("versions are compared by number where they are numbers", () => {
  for (const [wanted, found] of [
    ["v1.0.2", "1.0.2"],
    ["V1.0.2", "1.0.2+7"],
    ["1.0.2+7", "1.0.2+7"],
    ["1.0.2+0", "1.0.2"],
    ["1.0", "1.0.0+0"],
    ["2", "2.0.0"],
    [" 01.2.3 ", "1.2.3"],
    ["mfw_nrf9160_1.3.7", "mfw_nrf9160_1.3.7"],
  ] as const) {
    assert.ok(isWantedVersion(wanted, found), `${wanted} is ${found}`);
  }
  for (const [wanted, found] of [
    ["v1.0.2", "1.0.3"],
    ["1.0.2+7", "1.0.2+8"],
    ["1.0.2+7", "1.0.2"],
    ["1.0", "1.0.1"],
    ["release-7", "1.0.0"],
    ["mfw_nrf9160_1.3.7", "mfw_nrf9160_1.3.6"],
    ["", "0.0.0"],
  ] as const) {
    assert.ok(!isWantedVersion(wanted, found), `${wanted} is not ${found}`);
  }
});
