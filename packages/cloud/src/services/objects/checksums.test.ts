import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { checksumOf, type ChecksumHeader } from "./checksums.js";
import { Md5 } from "./md5.js";

const text = new TextEncoder().encode("123456789");

test("checksums have the values of the catalogue of CRCs, whole and byte by byte", () => {
  const cases: readonly [ChecksumHeader, string][] = [
    ["x-amz-checksum-crc32", "cbf43926"],
    ["x-amz-checksum-crc32c", "e3069283"],
    ["x-amz-checksum-crc64nvme", "ae8b14860a799888"],
  ];
  for (const [header, hex] of cases) {
    const whole = checksumOf(header);
    whole?.update(text);
    assert.equal(Buffer.from(whole?.base64() ?? "", "base64").toString("hex"), hex, header);
    const pieces = checksumOf(header);
    for (const byte of text) pieces?.update(Uint8Array.of(byte));
    assert.equal(pieces?.base64(), whole?.base64());
  }
});

test("MD5 is Node's for every length around a block, however it is cut", () => {
  const content = Uint8Array.from({ length: 300 }, (_none, at) => (at * 7) & 0xff);
  for (let length = 0; length <= content.length; length++) {
    const expected = createHash("md5").update(content.subarray(0, length)).digest("hex");
    const md5 = new Md5();
    const cut = (length * 13) % 71;
    md5.update(content.subarray(0, Math.min(cut, length)));
    md5.update(content.subarray(Math.min(cut, length), length));
    assert.equal(Buffer.from(md5.digest()).toString("hex"), expected, `${length} bytes, cut at ${cut}`);
  }
});
