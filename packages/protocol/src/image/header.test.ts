import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../bytes.js";
import { encodeImageHeader, flagNames, hashRegionBytes, type ImageHeader, parseImageHeader } from "./header.js";
import { identifyFirmware } from "./identify.js";
import { compareVersions, formatVersion, parseVersion, securityCounterOf } from "./version.js";

const header: ImageHeader = {
  loadAddress: 0x2000_0000,
  headerBytes: 0x200,
  protectedTlvBytes: 0x28,
  payloadBytes: 0x1_2345,
  flags: 0x130,
  version: { major: 1, minor: 2, revision: 0x304, build: 0x0506_0708 },
};
const encoded = "3db8f396000000200002280045230100300100000102040308070605" + "00000000";

test("a header reads back as it was written", () => {
  assert.deepEqual(encodeImageHeader(header), fromHex(encoded));
  assert.deepEqual(parseImageHeader(fromHex(encoded) ?? new Uint8Array()), { header });
  assert.equal(hashRegionBytes(header), 0x200 + 0x1_2345 + 0x28);
  assert.deepEqual(flagNames(header), ["NON_BOOTABLE", "RAM_LOAD", "ROM_FIXED"]);
  assert.deepEqual(flagNames({ ...header, flags: 0xc000_0004 }), ["ENCRYPTED_AES128", "0xc0000000"]);
});

const refusals: readonly [what: string, bytes: Uint8Array, code: string, erasedByte?: number][] = [
  ["31 bytes", new Uint8Array(31), "IMAGE_TRUNCATED"],
  ["nothing", new Uint8Array(), "IMAGE_TRUNCATED"],
  ["erased flash", new Uint8Array(32).fill(0xff), "IMAGE_ABSENT"],
  ["erased flash that reads as 0", new Uint8Array(32), "IMAGE_ABSENT", 0],
  ["zeros where flash erases to 0xff", new Uint8Array(32), "IMAGE_MAGIC_INVALID"],
  ["the first format", fromHex(encoded.replace("3d", "3c")) ?? new Uint8Array(), "IMAGE_MAGIC_OBSOLETE"],
];

for (const [what, bytes, code, erasedByte] of refusals) {
  test(`${what}: no header, ${code}`, () => {
    const result = parseImageHeader(bytes, erasedByte);
    assert.equal("refusal" in result && result.refusal.code, code);
  });
}

test("versions are those that MCUboot's tool takes", () => {
  const version = { major: 1, minor: 2, revision: 3, build: 4 };
  assert.deepEqual(parseVersion("1.2.3+4"), version);
  assert.deepEqual(parseVersion("1"), { major: 1, minor: 0, revision: 0, build: 0 });
  assert.deepEqual(parseVersion("255.255.65535+4294967295")?.build, 0xffff_ffff);
  assert.equal(formatVersion(version), "1.2.3+4");
  for (const text of [
    "",
    "1.",
    "01.2",
    "1.2.3.4",
    "1+4",
    "1.2+3",
    "256",
    "1.256",
    "1.2.65536",
    "1.2.3+4294967296",
    "v1",
  ]) {
    assert.equal(parseVersion(text), undefined, text);
  }
  assert.equal(securityCounterOf({ ...version, major: 255 }), 0xff02_0003);
});

test("the build counts in a comparison only when it is asked to", () => {
  const of = (text: string) => parseVersion(text) ?? assert.fail(text);
  const ordered = ["0.0.0+1", "0.0.1", "0.1.0", "1.0.0+4294967295", "1.0.1", "2.0.0"].map(of);
  for (const [at, version] of ordered.entries()) {
    for (const [other, than] of ordered.entries()) {
      assert.equal(Math.sign(compareVersions(version, than, { withBuild: false })), Math.sign(at - other));
    }
  }
  assert.equal(compareVersions(of("1.2.3+4"), of("1.2.3+5"), { withBuild: false }), 0);
  assert.ok(compareVersions(of("1.2.3+4"), of("1.2.3+5"), { withBuild: true }) < 0);
});

test("firmware is told by its first 32 bytes", () => {
  const first = (hex: string) => Uint8Array.from({ length: 32 }, (_none, at) => (fromHex(hex) ?? [])[at] ?? 0);
  assert.equal(identifyFirmware(first("3db8f396")), "application");
  assert.equal(identifyFirmware(first("000000006d654475")), "modemDelta");
  assert.equal(identifyFirmware(first("d28443a10126")), "modemFull");
  assert.equal(identifyFirmware(first("3cb8f396")), "unknown");
  assert.equal(identifyFirmware(first("3db8f396").subarray(0, 31)), "unknown");
});
