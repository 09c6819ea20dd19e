import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { measurePublish, OutboundPublish } from "../client-session-inflight.js";
import { encodeToBytes } from "./encoder.js";
import { publishBytes, writeMeasuredPublish } from "./publish.js";

const topics = ["t", "a/b/c", "größe/°C", "x".repeat(65), "\u{1F600}".repeat(40), "x".repeat(2_000)];
/** Around the lengths at which the remaining length takes one byte more. */
const payloadBytes = [0, 1, 100, 120, 121, 122, 123, 124, 125, 16_300, 16_376, 16_377, 16_378, 16_379, 16_380];

for (const version of [4, 5] as const) {
  test(`a measured PUBLISH has the bytes of any other, version ${version}`, () => {
    for (const topic of topics) {
      for (const bytes of payloadBytes) {
        for (const [qos, isRetained, isDuplicate] of [
          [0, false, false],
          [0, true, false],
          [1, false, false],
          [1, true, true],
        ] as const) {
          const payload = new Uint8Array(bytes).fill(0x61);
          const publish = new OutboundPublish(topic, payload, qos, isRetained, undefined, undefined);
          publish.isDuplicate = isDuplicate;
          measurePublish(publish, version);
          if (qos === 1) publish.packetId = 4_711;
          const expected = encodeToBytes(publish, version);
          assert.equal(publish.lengthBytes, expected.length);
          const target = new Uint8Array(publish.lengthBytes + 7);
          assert.equal(writeMeasuredPublish(target, 7, publish, publish.headBytes, version), target.length);
          assert.deepEqual(target.subarray(7), expected);
        }
      }
    }
  });
}

test("a payload whose memory was given away after it was measured goes out empty, and nothing else suffers", () => {
  const payload = new Uint8Array(300);
  const publish = new OutboundPublish("t", payload, 1, false, undefined, undefined);
  measurePublish(publish, 4);
  structuredClone(payload, { transfer: [payload.buffer] });
  publish.packetId = 1;
  const target = new Uint8Array(publishBytes(publish.headBytes, payload));
  writeMeasuredPublish(target, 0, publish, publish.headBytes, 4);
  assert.deepEqual([...target], [0x32, 5, 0, 1, 0x74, 0, 1]);
});

test("bytes of another realm are bytes: test runners have realms of their own", () => {
  const encode = (bytes: Uint8Array): Uint8Array => {
    const properties = { correlationData: bytes };
    return encodeToBytes(new OutboundPublish("t", bytes, 0, false, undefined, properties), 5);
  };
  const foreign = runInNewContext("Uint8Array.of(1, 2, 3)") as Uint8Array;
  assert.deepEqual(encode(foreign), encode(Uint8Array.of(1, 2, 3)));
  assert.throws(() => encode(runInNewContext("Uint16Array.of(1)") as Uint8Array), { code: "MQTT_PACKET_INVALID" });
});
