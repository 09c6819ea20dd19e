import assert from "node:assert/strict";
import { test } from "node:test";
import { clientHelloBytesMax, readClientHello } from "./client-hello.js";

/** A ClientHello with these extensions, as one record. */
function hello(extensions: string): Uint8Array {
  const body = Buffer.concat([
    Buffer.from("0303", "hex"),
    Buffer.alloc(32),
    Buffer.from("0020", "hex").subarray(1),
    Buffer.alloc(32),
    Buffer.from("00041301c02f", "hex"),
    Buffer.from("0100", "hex"),
    lengthOf(extensions, 2),
    Buffer.from(extensions, "hex"),
  ]);
  const handshake = Buffer.concat([Buffer.from([1]), lengthOf(body.toString("hex"), 3), body]);
  return Buffer.concat([Buffer.from("160301", "hex"), lengthOf(handshake.toString("hex"), 2), handshake]);
}

function lengthOf(hex: string, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(hex.length / 2, 0, bytes);
  return buffer;
}

const otherExtension = "000a00040002001d";
const named = "0000000e000c00000961" + "2e6578616d706c65";

test("the server name is found among the extensions, whole or byte by byte", () => {
  for (const extensions of [named, otherExtension + named, named + otherExtension]) {
    const bytes = hello(extensions);
    assert.deepEqual(readClientHello(bytes), { type: "complete", serverName: "a.example" });
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(readClientHello(bytes.subarray(0, length)).type, "incomplete");
    }
  }
});

test("a hello without a name has none, and bytes of another kind are left to TLS", () => {
  assert.deepEqual(readClientHello(hello(otherExtension)), { type: "complete", serverName: undefined });
  assert.deepEqual(readClientHello(hello("")), { type: "complete", serverName: undefined });
  assert.deepEqual(readClientHello(hello("000000050003000000")), { type: "complete", serverName: undefined });
  assert.deepEqual(readClientHello(hello("0000ffff")), { type: "complete", serverName: undefined });
  assert.deepEqual(readClientHello(Buffer.from("GET / HTTP/1.1")), { type: "unknown" });
  assert.deepEqual(readClientHello(Buffer.from("160301ffff", "hex")), { type: "unknown" });
  assert.deepEqual(readClientHello(Buffer.from("160301000402000100", "hex")), { type: "unknown" });
  assert.deepEqual(readClientHello(Buffer.from("1603010000", "hex")), { type: "unknown" });
});

test("of the bytes that are looked at a hello is whole or none of ours, and one less may be incomplete", () => {
  const longest = new Uint8Array(clientHelloBytesMax);
  longest.set([22, 3, 1, 0x40, 0x00, 1, 0, 0x3f, 0xfc]);
  assert.equal(readClientHello(longest.subarray(0, -1)).type, "incomplete");
  assert.equal(readClientHello(longest).type, "complete");
  longest.set([22, 3, 1, 0x40, 0x01]);
  assert.equal(readClientHello(longest).type, "unknown");
  longest.set([22, 3, 1, 0x40, 0x00, 1, 0, 0x3f, 0xfd]);
  assert.equal(readClientHello(longest).type, "tooLong", "the rest would come in another record");
  assert.equal(readClientHello(Buffer.from("160301000401010000", "hex")).type, "tooLong", "it says so itself");
});

test("a hello is read over the records that it is spread over", () => {
  const handshake = hello(named).subarray(5);
  for (const size of [1, 3, 50]) {
    const records: Buffer[] = [];
    for (let at = 0; at < handshake.length; at += size) {
      const part = handshake.subarray(at, at + size);
      records.push(Buffer.from([22, 3, 1, 0, part.length]), Buffer.from(part));
    }
    const bytes = Buffer.concat(records);
    assert.deepEqual(readClientHello(bytes), { type: "complete", serverName: "a.example" });
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(readClientHello(bytes.subarray(0, length)).type, "incomplete");
    }
  }
});
