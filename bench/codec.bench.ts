// Our packet codec against mqtt-packet, in turns in one process. Prints packets a second and ratios.
//   npm run bench -- codec [--seconds N] [--json]
import {
  EncodedTopics,
  encodePacket,
  PacketDecoder,
  packetLength,
  SharedPublish,
  type MqttPacket,
  type MqttVersion,
} from "@thingline/protocol/mqtt";
import { generate, parser } from "mqtt-packet";
import { answerOwnRows, ownRowsOptions, type OwnMeasurement } from "./own-rows.js";
import { positive, readOptions, say } from "./tools.js";

const values = readOptions({
  seconds: { type: "string", default: "0.3" },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const measureMs = positive("seconds", values.seconds) * 1000;
const packetsPerChunk = 500;
const topic = "fleet/device-0017/telemetry";
const payload = new Uint8Array(100).fill(0x61);

interface Case {
  name: string;
  version: MqttVersion;
  packet: MqttPacket;
  peer: Parameters<typeof generate>[0];
}

const message = { topic, payload, isRetained: false, isDuplicate: false } as const;
const peerMessage = { cmd: "publish", topic, payload: Buffer.from(payload), dup: false, retain: false } as const;
const cases: Case[] = [4 as const, 5 as const].flatMap((version) => [
  {
    name: `MQTT ${version} PUBLISH QoS 0`,
    version,
    packet: { type: "publish", ...message, qos: 0 },
    peer: { ...peerMessage, qos: 0 },
  },
  {
    name: `MQTT ${version} PUBLISH QoS 1`,
    version,
    packet: { type: "publish", ...message, qos: 1, packetId: 7 },
    peer: { ...peerMessage, qos: 1, messageId: 7 },
  },
  {
    name: `MQTT ${version} PUBACK`,
    version,
    packet: { type: "puback", packetId: 7, reasonCode: 0 },
    peer: { cmd: "puback", messageId: 7 },
  },
]);
cases.push({
  name: "MQTT 5 PUBLISH QoS 1, 4 properties",
  version: 5,
  packet: {
    type: "publish",
    ...message,
    qos: 1,
    packetId: 7,
    properties: {
      messageExpirySeconds: 60,
      contentType: "application/json",
      userProperties: [["a", "1"]],
      topicAlias: 2,
    },
  },
  peer: {
    ...peerMessage,
    qos: 1,
    messageId: 7,
    properties: {
      messageExpiryInterval: 60,
      contentType: "application/json",
      userProperties: { a: "1" },
      topicAlias: 2,
    },
  },
});

/** Packets a second, the best of three measurements after a warm-up. `round` handles `packetsPerChunk` packets. */
function rate(round: () => void): number {
  const measure = (ms: number): number => {
    const started = performance.now();
    let rounds = 0;
    while (performance.now() - started < ms) {
      round();
      rounds++;
    }
    return (rounds * packetsPerChunk * 1000) / (performance.now() - started);
  };
  measure(measureMs / 2);
  return Math.max(measure(measureMs / 3), measure(measureMs / 3), measure(measureMs / 3));
}

/** Keeps results alive, so that no work is optimised away. */
let sink = 0;

function decodeRate({ version, packet }: Case): number {
  const length = packetLength(packet, version);
  const chunk = new Uint8Array(length * packetsPerChunk);
  for (let offset = 0; offset < chunk.length;) offset = encodePacket(packet, version, chunk, offset);
  const decoder = new PacketDecoder({ receiver: "client", version, packetBytesMax: 1_000_000 });
  return rate(() => {
    decoder.push(chunk);
    for (let taken = decoder.next(); taken !== undefined; taken = decoder.next()) sink += taken.type.length;
  });
}

function peerDecodeRate({ version, peer }: Case): number {
  const peerParser = parser({ protocolVersion: version });
  peerParser.on("packet", (taken) => (sink += taken.cmd.length));
  const one = generate(peer, { protocolVersion: version });
  const peerChunk = Buffer.concat(Array.from({ length: packetsPerChunk }, () => one));
  return rate(() => peerParser.parse(peerChunk));
}

function encodeRate({ version, packet }: Case): number {
  const slab = new Uint8Array(packetLength(packet, version) * packetsPerChunk);
  const topics = new EncodedTopics();
  return rate(() => {
    for (let count = 0, offset = 0; count < packetsPerChunk; count++) {
      sink += packetLength(packet, version, topics);
      offset = encodePacket(packet, version, slab, offset, topics);
    }
  });
}

function peerEncodeRate({ version, peer }: Case): number {
  return rate(() => {
    for (let count = 0; count < packetsPerChunk; count++) sink += generate(peer, { protocolVersion: version }).length;
  });
}

/** Packets of `packetsPerChunk` receivers of a message. */
function fanOutSlab(version: MqttVersion): Uint8Array {
  const packet: MqttPacket = { type: "publish", ...message, qos: 1, packetId: 7 };
  return new Uint8Array(packetLength(packet, version) * packetsPerChunk);
}

/** One message to `packetsPerChunk` receivers. */
function fanOutRate(version: MqttVersion): number {
  const slab = fanOutSlab(version);
  return rate(() => {
    const published = new SharedPublish({ topic, payload });
    for (let count = 0, offset = 0; count < packetsPerChunk; count++) {
      const template = published.template({ version, qos: 1, isRetained: false });
      sink += template.lengthBytes;
      offset = template.writeTo(slab, offset, count + 1);
    }
  });
}

/** The same, encoded for each of them. */
function oneByOneRate(version: MqttVersion): number {
  const slab = fanOutSlab(version);
  return rate(() => {
    for (let count = 0, offset = 0; count < packetsPerChunk; count++) {
      const one: MqttPacket = { type: "publish", ...message, qos: 1, packetId: count + 1 };
      sink += packetLength(one, version);
      offset = encodePacket(one, version, slab, offset);
    }
  });
}

function print(what: string, [ours, theirs]: [number, number], other: string): void {
  if (values.json) {
    return say(
      JSON.stringify({ name: what, perSecond: ours, peer: other.trim(), peerPerSecond: theirs, ratio: ours / theirs }),
    );
  }
  const millions = (value: number) => (value / 1e6).toFixed(2).padStart(7);
  const ratio = (ours / theirs).toFixed(1).padStart(5);
  say(`${what.padEnd(44)}${millions(ours)} M/s  ${other} ${millions(theirs)} M/s  ${ratio} x`);
}

interface Row {
  name: string;
  ours: () => number;
  theirs: () => number;
  peer: string;
}

const rows: Row[] = [
  ...cases.map((one) => ({
    name: `decode ${one.name}`,
    ours: () => decodeRate(one),
    theirs: () => peerDecodeRate(one),
    peer: "mqtt-packet",
  })),
  ...cases.map((one) => ({
    name: `encode ${one.name}`,
    ours: () => encodeRate(one),
    theirs: () => peerEncodeRate(one),
    peer: "mqtt-packet",
  })),
  ...([4, 5] as const).map((version) => ({
    name: `fan-out MQTT ${version} QoS 1`,
    ours: () => fanOutRate(version),
    theirs: () => oneByOneRate(version),
    peer: "one by one ",
  })),
];
const own = rows.map(({ name, ours }): OwnMeasurement => ({
  rows: [{ name, unit: "packets/s", isMore: true }],
  measure: async () => [ours()],
}));
if (!(await answerOwnRows(values, own))) {
  for (const { name, ours, theirs, peer } of rows) print(name, [ours(), theirs()], peer);
  if (sink === 0) throw new Error("nothing was measured");
}
