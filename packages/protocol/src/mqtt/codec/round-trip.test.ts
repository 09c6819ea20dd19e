import assert from "node:assert/strict";
import { test } from "node:test";
import fc, { type Arbitrary } from "fast-check";
import { generate, parser, type Packet } from "mqtt-packet";
import { isThinglineError } from "../../errors.js";
import type { ConnectPacket, MqttPacket, MqttVersion, UserProperties } from "../packets.js";
import { packetBytesLimit, PacketDecoder } from "./decoder.js";
import { encodePacket, encodeToBytes, packetLength } from "./encoder.js";
import { validVectors, bytesOf } from "./vectors.test.support.js";

/** What `unit: "binary"` means, whose tables take fast-check 0.7 s to make: any code point but surrogates. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10_f7ff })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800));

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
/** Per version. The long run makes 2 x 60,000 round trips. */
const roundTrips = isLong ? 60_000 : 800;
const fuzzRuns = isLong ? 30_000 : 1000;

// Arbitraries. Texts hold every plane of Unicode, U+FEFF and control characters, but no U+0000 and no lone surrogate.

const text = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 12 }).map((value) => value.replaceAll("\u0000", "\ufeff")),
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "grapheme-ascii", minLength: 60, maxLength: 70 }),
);
const bytes = fc.uint8Array({ maxLength: 40 });
const topic = fc
  .oneof(text, fc.constantFrom("a", "a/b", "$aws/things/t/shadow/update"))
  .map((value) => value.replaceAll(/[#+]/g, "/"))
  .filter((value) => value !== "");
const group = topic.map((value) => `g${value.replaceAll("/", "")}`);
const filter = fc.oneof(
  topic.filter((value) => !value.startsWith("$share/")),
  fc.constantFrom("#", "+", "a/+/#", "/+"),
  fc.tuple(group, topic).map(([name, rest]) => `$share/${name}/${rest}`),
);
const uint16 = fc.integer({ min: 0, max: 65_535 });
const id16 = fc.integer({ min: 1, max: 65_535 });
const uint32 = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 0xffff_ffff }));
const varint = fc.oneof(
  fc.constantFrom(1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455),
  fc.integer({ min: 1, max: 268_435_455 }),
);
const bit = fc.constantFrom(0, 1);
const qos = fc.constantFrom(0, 1, 2);
const pairs = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 });
const ids = fc.array(varint, { minLength: 1, maxLength: 3 });

/** Any subset of the members; none at all is no list. */
function properties(model: Record<string, Arbitrary<unknown>>): Arbitrary<object | undefined> {
  const some = fc.record({ ...model, userProperties: pairs }, { requiredKeys: [], noNullPrototype: true });
  return some.map((list) => {
    if ("authenticationData" in list && !("authenticationMethod" in list)) delete list["authenticationData"];
    return Object.keys(list).length === 0 ? undefined : list;
  });
}

const message = {
  payloadFormatIndicator: bit,
  messageExpirySeconds: uint32,
  contentType: text,
  responseTopic: topic,
  correlationData: bytes,
};
const opening = {
  sessionExpirySeconds: uint32,
  authenticationMethod: text,
  authenticationData: bytes,
  receiveMaximum: id16,
  topicAliasMaximum: uint16,
  maximumPacketBytes: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 0xffff_ffff })),
};
const reason = { reasonString: text };

const lists: Record<string, Arbitrary<object | undefined>> = {
  connect: properties({ ...opening, requestProblemInformation: bit, requestResponseInformation: bit }),
  will: properties({ ...message, willDelaySeconds: uint32 }),
  connack: properties({
    ...opening,
    ...reason,
    assignedClientId: text,
    serverKeepAliveSeconds: uint16,
    responseInformation: text,
    serverReference: text,
    maximumQos: bit,
    retainAvailable: bit,
    wildcardSubscriptionAvailable: bit,
    subscriptionIdentifiersAvailable: bit,
    sharedSubscriptionAvailable: bit,
  }),
  publishToServer: properties({ ...message, topicAlias: id16 }),
  publishToClient: properties({ ...message, topicAlias: id16, subscriptionIdentifiers: ids }),
  ack: properties(reason),
  subscribe: properties({ subscriptionIdentifier: varint }),
  unsubscribe: properties({}),
  disconnectToServer: properties({ ...reason, serverReference: text, sessionExpirySeconds: uint32 }),
  disconnectToClient: properties({ ...reason, serverReference: text }),
  auth: properties({ ...reason, authenticationData: bytes }).map((list) => ({ ...list, authenticationMethod: "m" })),
};

interface Sample {
  to: "client" | "server";
  packet: MqttPacket;
}

/** The packet without members that are undefined, as the decoder makes it. */
function clean(to: Sample["to"], packet: object): Sample {
  return {
    to,
    packet: Object.fromEntries(Object.entries(packet).filter(([, value]) => value !== undefined)) as MqttPacket,
  };
}

function samples(version: MqttVersion): Arbitrary<Sample> {
  const list = (name: string) => (version === 5 ? lists[name]! : fc.constant(undefined));
  const codes = (...five: number[]) => fc.constantFrom(...(version === 5 ? five : [0]));
  const make = (to: Sample["to"], type: string, model: Record<string, Arbitrary<unknown>>): Arbitrary<Sample> =>
    fc.record(model, { noNullPrototype: true }).map((packet) => clean(to, { type, ...packet }));
  const both = (type: string, model: Record<string, Arbitrary<unknown>>) =>
    fc.oneof(make("client", type, model), make("server", type, model));

  const will = fc
    .record({ topic, payload: bytes, qos, isRetained: fc.boolean(), properties: list("will") })
    .map((value) => clean("server", value).packet);
  const connect = make("server", "connect", {
    version: fc.constant(version),
    clientId: text,
    isCleanStart: fc.boolean(),
    keepAliveSeconds: uint16,
    will: fc.option(will, { nil: undefined }),
    username: fc.option(text, { nil: undefined }),
    password: fc.option(bytes, { nil: undefined }),
    properties: list("connect"),
  }).filter(({ packet }) => version === 5 || !("password" in packet) || "username" in packet);

  const connack = make("client", "connack", {
    isSessionPresent: fc.boolean(),
    reasonCode: fc.constantFrom(...(version === 5 ? [0, 0x80, 0x84, 0x87, 0x9f] : [0, 1, 2, 3, 4, 5])),
    properties: list("connack"),
  }).map(({ to, packet }) => {
    const { reasonCode } = packet as { reasonCode: number };
    return { to, packet: reasonCode === 0 ? packet : ({ ...packet, isSessionPresent: false } as MqttPacket) };
  });

  const publish = (["client", "server"] as const).map((to) =>
    make(to, "publish", {
      topic,
      payload: fc.oneof(
        bytes,
        fc.integer({ min: 100, max: 20_000 }).map((length) => new Uint8Array(length).fill(length)),
      ),
      qos,
      isRetained: fc.boolean(),
      isDuplicate: fc.boolean(),
      packetId: id16,
      properties: list(to === "client" ? "publishToClient" : "publishToServer"),
      isAliasAlone: fc.boolean(),
    }).map(({ packet }) => {
      const { isAliasAlone, ...rest } = packet as MqttPacket & { type: "publish"; isAliasAlone?: boolean };
      if (isAliasAlone === true && rest.properties?.topicAlias !== undefined) rest.topic = "";
      if (rest.qos === 0) {
        rest.isDuplicate = false;
        delete rest.packetId;
      }
      return { to, packet: rest };
    }),
  );

  const options: Record<string, Arbitrary<unknown>> = version === 5
    ? { isNoLocal: fc.boolean(), isRetainAsPublished: fc.boolean(), retainHandling: qos }
    : {};
  const subscription = fc
    .record<Record<string, unknown>>({ filter, qos, ...options }, { noNullPrototype: true })
    .map((value) =>
      String(value["filter"]).startsWith("$share/") && "isNoLocal" in value ? { ...value, isNoLocal: false } : value,
    );
  const subackCodes = version === 5 ? [0, 1, 2, 0x80, 0x87, 0x8f, 0xa2] : [0, 1, 2, 0x80];
  const acks = [
    both("puback", { packetId: id16, reasonCode: codes(0, 0x10, 0x87, 0x97), properties: list("ack") }),
    both("pubrec", { packetId: id16, reasonCode: codes(0, 0x10, 0x91), properties: list("ack") }),
    both("pubrel", { packetId: id16, reasonCode: codes(0, 0x92), properties: list("ack") }),
    both("pubcomp", { packetId: id16, reasonCode: codes(0, 0x92), properties: list("ack") }),
  ];
  const others = [
    make("server", "subscribe", {
      packetId: id16,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
      properties: list("subscribe"),
    }),
    make("client", "suback", {
      packetId: id16,
      reasonCodes: fc.array(fc.constantFrom(...subackCodes), { minLength: 1, maxLength: 5 }),
      properties: list("ack"),
    }),
    make("server", "unsubscribe", {
      packetId: id16,
      filters: fc.array(filter, { minLength: 1, maxLength: 4 }),
      properties: list("unsubscribe"),
    }),
    make("client", "unsuback", {
      packetId: id16,
      reasonCodes: version === 5 ? fc.array(codes(0, 0x11, 0x87), { minLength: 1, maxLength: 5 }) : fc.constant([]),
      properties: list("ack"),
    }),
    make("server", "pingreq", {}),
    make("client", "pingresp", {}),
    make("server", "disconnect", { reasonCode: codes(0, 4, 0x80), properties: list("disconnectToServer") }),
  ];
  const only5 = [
    make("client", "disconnect", { reasonCode: codes(0, 0x8e, 0xa2), properties: list("disconnectToClient") }),
    both("auth", { reasonCode: codes(0, 0x18, 0x19), properties: list("auth") }),
  ];
  return fc.oneof(connect, connack, ...publish, ...acks, ...others, ...(version === 5 ? only5 : []));
}

function decoderOf({ to, packet }: Sample, version: MqttVersion, packetBytesMax: number): PacketDecoder {
  return new PacketDecoder({ receiver: to, packetBytesMax, ...(packet.type === "connect" ? {} : { version }) });
}

/** Feeds in pieces whose lengths come from `cuts`, and returns what came out. */
function feed(decoder: PacketDecoder, input: Uint8Array, cuts: readonly number[]): MqttPacket[] {
  const packets: MqttPacket[] = [];
  let at = 0;
  for (let turn = 0; at < input.length; turn++) {
    const step = cuts.length === 0 ? input.length : cuts[turn % cuts.length]!;
    decoder.push(input.slice(at, at + step));
    at += step;
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet);
  }
  return packets;
}

const cuts = fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 4 });

for (const version of [4, 5] as const) {
  test(`MQTT ${version}: ${roundTrips} generated packets survive encoding and decoding under any chunking`, () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(samples(version), cuts, (sample, pieces) => {
        const { packet, to } = sample;
        seen.add(`${packet.type} to ${to}`);
        const length = packetLength(packet, version);
        const target = new Uint8Array(length + 2).fill(0xaa);
        assert.equal(encodePacket(packet, version, target, 1), length + 1);
        assert.deepEqual([target[0], target[length + 1]], [0xaa, 0xaa]);
        const encoded = target.subarray(1, -1);
        const decoder = decoderOf(sample, version, Math.max(length, 5));
        const decoded = feed(decoder, encoded, pieces);
        assert.deepEqual(decoded, [packet]);
        assert.equal(decoder.bufferedBytes, 0);
        assert.deepEqual(encodeToBytes(decoded[0]!, version), encoded);
      }),
      { numRuns: roundTrips },
    );
    assert.equal(seen.size, version === 4 ? 19 : 22);
  });

  test(`MQTT ${version}: several packets in one stream come out in order`, () => {
    const list = fc.array(
      samples(version).filter(({ to, packet }) => to === "server" && packet.type !== "connect"),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(list, cuts, (stream, pieces) => {
        const input = Uint8Array.from(stream.flatMap(({ packet }) => [...encodeToBytes(packet, version)]));
        const decoder = new PacketDecoder({ receiver: "server", version, packetBytesMax: packetBytesLimit });
        const packets = stream.map(({ packet }) => packet);
        assert.deepEqual(feed(decoder, input, pieces), packets);
      }),
      { numRuns: isLong ? 5000 : 150 },
    );
  });
}

// Fuzz: whatever comes in, a decoder throws nothing but its own errors, and keeps no more than it may.

const fuzzLimit = 2000;
const codes = new Set([
  "MQTT_MALFORMED_PACKET",
  "MQTT_PROTOCOL_ERROR",
  "MQTT_PACKET_TOO_LARGE",
  "MQTT_VERSION_UNSUPPORTED",
]);

function survive(decoder: PacketDecoder, input: Uint8Array, pieces: readonly number[]): string {
  let at = 0;
  let arrived = 0;
  const outcome: string[] = [];
  for (let turn = 0; at < input.length; turn++) {
    const step = pieces.length === 0 ? input.length : pieces[turn % pieces.length]!;
    const piece = input.slice(at, at + step);
    at += step;
    arrived += piece.length;
    decoder.push(piece);
    try {
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) outcome.push(packet.type);
    } catch (error) {
      assert.ok(isThinglineError(error) && codes.has(error.code), String(error));
      assert.equal(typeof error.details["reasonCode"], "number");
      assert.equal(decoder.bufferedBytes, 0);
      return `${outcome.join()} ${error.message}`;
    }
    assert.ok(decoder.bufferedBytes <= fuzzLimit, `${decoder.bufferedBytes} bytes kept`);
    assert.ok(decoder.bufferedBytes <= Math.max(512, 2 * arrived), `${decoder.bufferedBytes} bytes kept of ${arrived}`);
  }
  return outcome.join();
}

interface Setting {
  receiver: "client" | "server";
  version?: MqttVersion;
}

const settings = fc.constantFrom<Setting>(
  { receiver: "server" },
  { receiver: "server", version: 4 },
  { receiver: "server", version: 5 },
  { receiver: "client", version: 4 },
  { receiver: "client", version: 5 },
);

/** One chunking gives the same packets and the same error as any other. */
function surviveBoth(setting: Setting, input: Uint8Array, pieces: readonly number[]): void {
  const options = { ...setting, packetBytesMax: fuzzLimit };
  const whole = survive(new PacketDecoder(options), input, []);
  assert.equal(survive(new PacketDecoder(options), input, pieces), whole);
  assert.equal(survive(new PacketDecoder(options), input, [1]), whole);
}

test("random bytes end in packets or in a protocol error, the same under any chunking", () => {
  const input = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 2000, maxLength: 4000 }));
  fc.assert(fc.property(settings, input, cuts, surviveBoth), { numRuns: fuzzRuns });
});

test("random bodies behind a good header end in packets or in a protocol error", () => {
  const first = fc.constantFrom(
    0x10,
    0x20,
    0x30,
    0x32,
    0x3d,
    0x40,
    0x50,
    0x62,
    0x70,
    0x82,
    0x90,
    0xa2,
    0xb0,
    0xe0,
    0xf0,
  );
  const small = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 4 }));
  const body = fc.array(small, { maxLength: 60 });
  fc.assert(
    fc.property(settings, first, body, cuts, (setting, byte, rest, pieces) => {
      surviveBoth(setting, Uint8Array.from([byte, rest.length, ...rest]), pieces);
    }),
    { numRuns: fuzzRuns },
  );
});

test("good packets with bytes changed, cut out and put in end in packets or in a protocol error", () => {
  const change = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom("set", "flip", "cut", "insert"),
    value: fc.integer({ min: 0, max: 255 }),
  });
  const vector = fc.constantFrom(...validVectors);
  fc.assert(
    fc.property(
      vector,
      fc.array(change, { minLength: 1, maxLength: 4 }),
      cuts,
      ({ hex, version, to, packet }, changes, pieces) => {
        const list = [...bytesOf(hex)];
        for (const { at, kind, value } of changes) {
          const index = at % (list.length + 1);
          if (kind === "set") list[index] = value;
          else if (kind === "flip") list[index] = (list[index] ?? 0) ^ (1 << (value & 7));
          else if (kind === "cut") list.splice(index, 1 + (value & 3));
          else list.splice(index, 0, value);
        }
        surviveBoth({ receiver: to, ...(packet.type === "connect" ? {} : { version }) }, Uint8Array.from(list), pieces);
      },
    ),
    { numRuns: fuzzRuns },
  );
});

// Agreement with mqtt-packet, an independent codec, on what both can express.

test("mqtt-packet reads what we write, and writes what we read", () => {
  let compared = 0;
  const check = (sample: Sample, version: MqttVersion): void => {
    const { packet, to } = sample;
    if (isBeyondPeer(packet)) return;
    const encoded = encodeToBytes(packet, version);
    const read: Packet[] = [];
    const peer = parser({ protocolVersion: version });
    peer.on("packet", (one) => read.push(one));
    peer.on("error", (error: Error) => assert.fail(`${error.message}: ${Buffer.from(encoded).toString("hex")}`));
    peer.parse(Buffer.from(encoded));
    assert.equal(read.length, 1);
    const written = generate(read[0]!, { protocolVersion: version });
    const [again] = feed(decoderOf(sample, version, packetBytesLimit), written, []);
    assert.deepEqual(grouped(again!), grouped(packet), to);
    compared++;
  };
  for (const version of [4, 5] as const) {
    for (const { packet, to, version: of } of validVectors) if (of === version) check({ packet, to }, version);
    const numRuns = isLong ? 10_000 : 500;
    fc.assert(
      fc.property(samples(version), (sample) => check(sample, version)),
      { numRuns },
    );
  }
  assert.ok(compared > (isLong ? 8000 : 300), String(compared));
});

/** mqtt-packet keeps user properties in an object: the order of those with one name, not of the names. */
function grouped(packet: MqttPacket): MqttPacket {
  const sorted = (list: { userProperties?: UserProperties }) =>
    list.userProperties === undefined ? list : { ...list, userProperties: byName(list.userProperties) };
  const copy = { ...packet } as ConnectPacket;
  if (copy.properties !== undefined) copy.properties = sorted(copy.properties);
  if (copy.will?.properties !== undefined) copy.will = { ...copy.will, properties: sorted(copy.will.properties) };
  return copy;
}

function byName(pairs: UserProperties): UserProperties {
  return [...pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** What mqtt-packet 9 cannot express, although MQTT allows it. */
function isBeyondPeer(packet: MqttPacket): boolean {
  const lists = [
    "properties" in packet ? packet.properties : undefined,
    packet.type === "connect" ? packet.will?.properties : undefined,
  ];
  // Its user properties are members of an object, and an empty value is lost when its name comes again.
  if (lists.some((list) => list?.userProperties?.some(([name, value]) => name in {} || value === ""))) return true;
  if (packet.type === "auth") return packet.properties === undefined;
  if (packet.type !== "connect") return false;
  const isPasswordAlone = packet.password !== undefined && packet.username === undefined;
  return isPasswordAlone || (packet.clientId === "" && !packet.isCleanStart);
}
