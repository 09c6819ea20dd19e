import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgumentError } from "commander";
import { firmwareValues, uuidOf, vendorNamespace } from "./firmware-values.js";

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString("hex");

test("numbers are decimal, or say their base", () => {
  const { number } = firmwareValues;
  assert.deepEqual(
    ["0", "42", "0x200", "0XfF", "0o17", "0b101", "4294967295"].map(number),
    [0, 42, 512, 255, 15, 5, 4294967295],
  );
  for (const text of ["", " 1", "-1", "1.5", "1e3", "010", "0x", "0xg", "4294967296", "Infinity", "one"]) {
    assert.throws(() => number(text), InvalidArgumentError, text);
  }
});

test("a security counter is a number, or made from the version", () => {
  assert.equal(firmwareValues.securityCounter("auto"), "auto");
  assert.equal(firmwareValues.securityCounter("AUTO"), "auto");
  assert.equal(firmwareValues.securityCounter("0x10"), 16);
  assert.throws(() => firmwareValues.securityCounter("automatic"), InvalidArgumentError);
});

test("dependencies are read as this command and as MCUboot's tool writes them, and add up", () => {
  const { dependencies } = firmwareValues;
  const version = { major: 2, minor: 3, revision: 4, build: 5 };
  assert.deepEqual(dependencies("1:2.3.4+5"), [{ imageNumber: 1, version }]);
  const both = dependencies("(0, 1), (255,2.3.4+5)", dependencies("1:2.3.4+5"));
  assert.deepEqual(
    both.map(({ imageNumber }) => imageNumber),
    [1, 0, 255],
  );
  for (const text of [
    "",
    "1",
    "1:",
    ":1",
    "256:1.0.0",
    "1:1.0.0,2:1.0.0",
    "(1, 2.0)(2, 1)",
    "(1)",
    "(1, x)",
    "1:1.2.3.4",
  ]) {
    assert.throws(() => dependencies(text), InvalidArgumentError, text);
  }
});

test("custom TLVs are text, or bytes with 0x", () => {
  const { customTlv } = firmwareValues;
  const read = (text: string) => customTlv(text).map(({ type, value }) => [type, hex(value)]);
  assert.deepEqual(read("0xa0=hi=ho"), [[0xa0, "68693d686f"]]);
  assert.deepEqual(read("160=0x00ff"), [[160, "00ff"]]);
  assert.deepEqual(read("0xfffe=0x"), [[0xfffe, ""]]);
  assert.deepEqual(read("0xa0="), [[0xa0, ""]]);
  for (const text of ["", "=1", "0xa0", "0x9f=1", "0xffff=1", "0xa0=0x1", "0xa0=0xzz", "x=1"]) {
    assert.throws(() => customTlv(text), InvalidArgumentError, text);
  }
});

test("identifiers are UUIDs, or of version 5 among names", () => {
  const written = "6BA7B810-9dad-11d1-80b4-00c04fd430c8";
  assert.equal(hex(uuidOf(written, undefined)), "6ba7b8109dad11d180b400c04fd430c8");
  assert.equal(hex(uuidOf(written.replaceAll("-", ""), undefined)), "6ba7b8109dad11d180b400c04fd430c8");
  // RFC 9562, appendix A.4.
  assert.equal(hex(uuidOf("www.example.com", vendorNamespace)), "2ed6657de927568b95e12665a8aea6a2");
  assert.equal(uuidOf("pump", undefined), undefined);
  for (const text of ["", "a\nb", "\u0000"]) assert.equal(uuidOf(text, vendorNamespace), undefined);
});
