import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MqttPacket, PublishPacket, QoS } from "../packets.js";
import { PacketDecoder } from "./decoder.js";
import { encodeToBytes } from "./encoder.js";

const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 20_000 : 400;
const packetBytesMax = 60;

const publish: fc.Arbitrary<MqttPacket> = fc
  .record({
    topicBytes: fc.integer({ min: 1, max: 200 }),
    payloadBytes: fc.integer({ min: 0, max: 400 }),
    qos: fc.constantFrom<QoS>(0, 1, 2),
    packetId: fc.integer({ min: 1, max: 65_535 }),
    isRetained: fc.boolean(),
    isDuplicate: fc.boolean(),
  })
  .map(({ topicBytes, payloadBytes, qos, packetId, isRetained, isDuplicate }) => {
    // Each payload byte looks like the start of a PUBLISH: a decoder that loses its place cannot go on quietly.
    const payload = new Uint8Array(payloadBytes).fill(0x30);
    const packet: PublishPacket = {
      type: "publish",
      topic: "t".repeat(topicBytes),
      payload,
      qos,
      isRetained,
      isDuplicate,
    };
    return qos === 0 ? { ...packet, isDuplicate: false } : { ...packet, packetId };
  });
const packets = fc.array(fc.oneof(publish, fc.constant<MqttPacket>({ type: "pingresp" })), { maxLength: 6 });

/** What comes out: the packet, or what is left of one that is too large. */
function expected(packet: MqttPacket): MqttPacket {
  if (packet.type !== "publish" || encodeToBytes(packet, 4).length <= packetBytesMax) return packet;
  return { ...packet, payload: new Uint8Array(0), droppedPayloadBytes: packet.payload.length };
}

test("any packets in any chunks: what is too large comes out without its payload, everything else as it was", () => {
  const chunks = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(packets, chunks, (sent, sizes) => {
      const bytes = new Uint8Array(sent.flatMap((packet) => [...encodeToBytes(packet, 4)]));
      const decoder = new PacketDecoder({ receiver: "client", version: 4, packetBytesMax, drainsPublish: true });
      const received: MqttPacket[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const end = Math.min(bytes.length, at + sizes[turn % sizes.length]!);
        decoder.push(bytes.slice(at, end));
        at = end;
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) received.push(packet);
        // The head of a packet at most: fixed header, a topic of 200 bytes, packet identifier. Never a payload.
        assert.ok(decoder.bufferedBytes <= Math.max(packetBytesMax, 5 + 2 + 200 + 2), `${decoder.bufferedBytes}`);
      }
      assert.deepEqual(received, sent.map(expected));
      assert.equal(decoder.bufferedBytes, 0);
    }),
    { numRuns },
  );
});
