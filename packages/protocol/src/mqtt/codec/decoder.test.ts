import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../bytes.js";
import { isThinglineError, type ThinglineError } from "../../errors.js";
import type { MqttPacket, MqttVersion } from "../packets.js";
import { decodePackets, packetBytesLimit, PacketDecoder } from "./decoder.js";
import { encodePacket, encodeToBytes, packetLength } from "./encoder.js";
import { bytesOf, malformedVectors, validVectors, type MalformedVector } from "./vectors.test.support.js";

interface Reading {
  receiver: "client" | "server";
  version?: MqttVersion;
  packetBytesMax?: number;
}

function decoderFor({ receiver, version, packetBytesMax = 1000 }: Reading): PacketDecoder {
  return new PacketDecoder({ receiver, packetBytesMax, ...(version === undefined ? {} : { version }) });
}

/** Feeds `bytes` in pieces of `step` and returns what came out. */
function feed(decoder: PacketDecoder, bytes: Uint8Array, step: number): MqttPacket[] {
  const packets: MqttPacket[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    decoder.push(bytes.slice(at, at + step));
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet);
  }
  return packets;
}

function errorOf(run: () => unknown): ThinglineError {
  try {
    run();
  } catch (error) {
    assert.ok(isThinglineError(error), String(error));
    return error;
  }
  assert.fail("nothing was thrown");
}

for (const { name, version, to, hex, packet, isLongForm = false } of validVectors) {
  const bytes = bytesOf(hex);
  const reading: Reading = packet.type === "connect" ? { receiver: to } : { receiver: to, version };

  test(`MQTT ${version}: ${name}: is decoded whole and in pieces`, () => {
    for (const step of [bytes.length, 1, 2, 3, 7]) {
      const decoder = decoderFor(reading);
      assert.deepEqual(feed(decoder, bytes, step), [packet]);
      assert.equal(decoder.bufferedBytes, 0);
      assert.equal(decoder.version, version);
    }
  });

  test(`MQTT ${version}: ${name}: is encoded to the same bytes`, () => {
    if (isLongForm) {
      assert.ok(packetLength(packet, version) < bytes.length);
      return;
    }
    assert.equal(packetLength(packet, version), bytes.length);
    const target = new Uint8Array(bytes.length + 4).fill(0xee);
    assert.equal(encodePacket(packet, version, target, 2), bytes.length + 2);
    assert.equal(toHex(target), `eeee${toHex(bytes)}eeee`);
  });
}

function checkRefusal(decoder: PacketDecoder, error: ThinglineError, vector: MalformedVector): void {
  assert.equal(error.code, vector.code, error.message);
  assert.equal(error.details["reasonCode"], vector.reasonCode, error.message);
  assert.ok(error.message.includes(vector.clause), error.message);
  assert.equal(decoder.bufferedBytes, 0);
  decoder.push(bytesOf("c000"));
  assert.equal(decoder.bufferedBytes, 0);
  assert.equal(
    errorOf(() => decoder.next()),
    error,
  );
}

for (const vector of malformedVectors) {
  const { name, version, to, hex, isFirst = false } = vector;
  test(`MQTT ${version}: ${name}: is refused, whole and in pieces`, () => {
    const bytes = bytesOf(hex);
    const reading: Reading = isFirst ? { receiver: to } : { receiver: to, version };
    for (const step of [bytes.length, 1, 2, 3]) {
      const decoder = decoderFor(reading);
      const error = errorOf(() => feed(decoder, bytes, step));
      checkRefusal(decoder, error, vector);
    }
  });
}

test("a server learns the version from a CONNECT, even from one that it then refuses", () => {
  const decoder = decoderFor({ receiver: "server" });
  assert.equal(decoder.version, undefined);
  errorOf(() => feed(decoder, bytesOf("10 0d 0004 4d515454 05 03 003c 0001 61"), 100));
  assert.equal(decoder.version, 5);
});

test("an unknown protocol level is told from all else, with the level", () => {
  const decoder = decoderFor({ receiver: "server" });
  const error = errorOf(() => feed(decoder, bytesOf("10 0d 0004 4d515454 06 02 003c 0001 61"), 100));
  assert.equal(error.code, "MQTT_VERSION_UNSUPPORTED");
  assert.deepEqual(error.details, { reasonCode: 0x84, protocolLevel: 6 });
});

test("packets that share a chunk come one by one, and the rest waits while nobody takes it", () => {
  const packets: MqttPacket[] = [
    { type: "pingreq" },
    { type: "puback", packetId: 1, reasonCode: 0 },
    { type: "disconnect", reasonCode: 0 },
  ];
  const bytes = Uint8Array.from(packets.flatMap((packet) => [...encodeToBytes(packet, 4)]));
  const decoder = decoderFor({ receiver: "server", version: 4 });
  decoder.push(bytes);
  assert.deepEqual(decoder.next(), packets[0]);
  assert.equal(decoder.bufferedBytes, 6);
  decoder.push(bytesOf("c000"));
  assert.deepEqual(
    [decoder.next(), decoder.next(), decoder.next(), decoder.next()],
    [packets[1], packets[2], packets[0], undefined],
  );
  assert.equal(decoder.packetCount, 4);
});

test("packets before a bad one are handed out first", () => {
  const decoder = decoderFor({ receiver: "server", version: 4 });
  decoder.push(bytesOf("c000 0000"));
  assert.deepEqual(decoder.next(), { type: "pingreq" });
  assert.equal(errorOf(() => decoder.next()).code, "MQTT_MALFORMED_PACKET");
});

test("a payload is a view of the pushed bytes, and a plain Uint8Array whatever was pushed", () => {
  const packet: MqttPacket = {
    type: "publish",
    topic: "a",
    payload: Uint8Array.of(1, 2, 3),
    qos: 0,
    isRetained: false,
    isDuplicate: false,
  };
  const bytes = Buffer.from(encodeToBytes(packet, 4));
  const decoder = decoderFor({ receiver: "client", version: 4 });
  decoder.push(bytes);
  const taken = decoder.next();
  assert.ok(taken?.type === "publish");
  assert.equal(taken.payload.constructor, Uint8Array);
  assert.equal(taken.payload.buffer, bytes.buffer);
  assert.deepEqual(taken, packet);
});

test("a payload that spans chunks is untouched by what comes later", () => {
  const decoder = decoderFor({ receiver: "client", version: 4 });
  const first = feed(decoder, bytesOf("30 08 0001 61 0102030405"), 4);
  const second = feed(decoder, bytesOf("30 08 0001 61 0a0b0c0d0e"), 4);
  assert.ok(first[0]?.type === "publish" && second[0]?.type === "publish");
  assert.deepEqual([...first[0].payload], [1, 2, 3, 4, 5]);
  assert.deepEqual([...second[0].payload], [10, 11, 12, 13, 14]);
});

test("a topic that was seen is the same string again, and many topics stay apart", () => {
  const decoder = decoderFor({ receiver: "client", version: 4 });
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 500; index++) {
      const packet: MqttPacket = {
        type: "publish",
        topic: `device/${index}/${"é".repeat(index % 5)}`,
        payload: new Uint8Array(0),
        qos: 0,
        isRetained: false,
        isDuplicate: false,
      };
      assert.deepEqual(feed(decoder, encodeToBytes(packet, 4), 1000), [packet]);
    }
  }
});

test("a packet over the limit is refused at its header, and five bytes allocate nothing", () => {
  const decoder = decoderFor({ receiver: "server", version: 4, packetBytesMax: 100_000 });
  decoder.push(bytesOf("30 ffffff7f"));
  const error = errorOf(() => decoder.next());
  assert.equal(error.code, "MQTT_PACKET_TOO_LARGE");
  assert.deepEqual(error.details, { reasonCode: 0x95, packetBytes: 268_435_460, packetBytesMax: 100_000 });
  assert.equal(decoder.bufferedBytes, 0);
});

test("the limit counts the whole packet, header included, and may be changed", () => {
  const bytes = bytesOf("30 05 0003 612f62");
  const decoder = decoderFor({ receiver: "server", version: 4, packetBytesMax: 7 });
  assert.equal(feed(decoder, bytes, 1).length, 1);
  decoder.packetBytesMax = 6;
  assert.equal(errorOf(() => feed(decoder, bytes, 1)).code, "MQTT_PACKET_TOO_LARGE");
});

test("memory for an unfinished packet grows with what arrived, not with what its header promised", () => {
  const decoder = decoderFor({ receiver: "server", version: 4, packetBytesMax: packetBytesLimit });
  decoder.push(bytesOf("30 ffffff7f 0001 61"));
  assert.equal(decoder.next(), undefined);
  assert.ok(decoder.bufferedBytes <= 512, String(decoder.bufferedBytes));
  let arrived = 8;
  for (let round = 0; round < 40; round++) {
    decoder.push(new Uint8Array(1000));
    arrived += 1000;
    assert.equal(decoder.next(), undefined);
    assert.ok(decoder.bufferedBytes <= 2 * arrived, `${decoder.bufferedBytes} for ${arrived}`);
  }
});

test("the options are checked", () => {
  assert.throws(() => new PacketDecoder({ receiver: "client", packetBytesMax: 100 }), { code: "OPTION_INVALID" });
  for (const packetBytesMax of [0, 4, 1.5, NaN, packetBytesLimit + 1]) {
    assert.throws(() => new PacketDecoder({ receiver: "server", packetBytesMax }), { code: "OPTION_INVALID" });
  }
});

test("decodePackets refuses an unfinished packet at the end", () => {
  const options = { receiver: "server", version: 4 } as const;
  assert.equal(decodePackets(bytesOf("c000 c000"), options).length, 2);
  assert.throws(() => decodePackets(bytesOf("c000 c0"), options), { code: "MQTT_MALFORMED_PACKET" });
});

const oversize = {
  type: "publish",
  topic: "a/long/topic",
  qos: 1,
  packetId: 7,
  isRetained: false,
  isDuplicate: false,
  payload: new Uint8Array(5000).fill(1),
} satisfies MqttPacket;
const drained = { ...oversize, payload: new Uint8Array(0), droppedPayloadBytes: 5000 };
const drainingDecoder = (packetBytesMax = 100) =>
  new PacketDecoder({ receiver: "client", version: 4, packetBytesMax, drainsPublish: true });

test("a draining decoder reads over a PUBLISH that is too large, whatever the chunking, and goes on", () => {
  const small = { ...oversize, topic: "b", payload: bytesOf("0102") } satisfies MqttPacket;
  const packets = [small, oversize, { ...oversize, qos: 0, packetId: undefined }, small] as MqttPacket[];
  const parts = packets.map((packet) => encodeToBytes(packet, 4));
  const bytes = new Uint8Array(parts.flatMap((part) => [...part]));
  const { packetId: _, ...withoutId } = drained;
  for (const step of [1, 2, 3, 5, 17, 101, 4999, bytes.length]) {
    const decoder = drainingDecoder();
    assert.deepEqual(feed(decoder, bytes, step), [small, drained, { ...withoutId, qos: 0 }, small], `step ${step}`);
    assert.equal(decoder.bufferedBytes, 0);
    assert.equal(decoder.packetCount, 4);
  }
});

test("a draining decoder keeps no more than the head of the packet", () => {
  const decoder = drainingDecoder();
  const bytes = encodeToBytes({ ...oversize, payload: new Uint8Array(1_000_000) }, 4);
  for (let at = 0; at + 1000 < bytes.length; at += 1000) {
    decoder.push(bytes.subarray(at, at + 1000));
    assert.equal(decoder.next(), undefined);
    assert.ok(decoder.bufferedBytes < 100, `${decoder.bufferedBytes}`);
  }
});

test("a draining decoder still refuses other packets, MQTT 5, and a head that is wrong", () => {
  const refuse = (decoder: PacketDecoder, hex: string) => errorOf(() => feed(decoder, bytesOf(hex), 1)).code;
  assert.equal(refuse(drainingDecoder(), "90ff7f"), "MQTT_PACKET_TOO_LARGE");
  const five = new PacketDecoder({ receiver: "client", version: 5, packetBytesMax: 100, drainsPublish: true });
  assert.equal(refuse(five, "30ff7f"), "MQTT_PACKET_TOO_LARGE");
  // A topic that is longer than its packet, packet identifier 0, an empty topic.
  assert.equal(refuse(drainingDecoder(5), "3008ffff616161616161"), "MQTT_MALFORMED_PACKET");
  assert.equal(refuse(drainingDecoder(5), "3208000161000061616161"), "MQTT_MALFORMED_PACKET");
  assert.equal(refuse(drainingDecoder(5), "300800006161616161616161"), "MQTT_PROTOCOL_ERROR");
});
