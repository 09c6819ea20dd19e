import type { ErrorCode } from "../../errors.js";
import type { MqttPacket, MqttVersion } from "../packets.js";

interface Vector {
  name: string;
  version: MqttVersion;
  to: "client" | "server";
  /** Spaces are for the eye. */
  hex: string;
}

/** Bytes that are one packet, written from the specification by hand. */
export interface ValidVector extends Vector {
  packet: MqttPacket;
  /** A longer form that MQTT allows to read; the encoder writes a shorter one. */
  isLongForm?: boolean;
}

/** Bytes that must be refused. `clause` is a part of the clause that the error names. */
export interface MalformedVector extends Vector {
  code: ErrorCode;
  reasonCode: number;
  clause: string;
  /** Only for packets that come after CONNECT was due. */
  isFirst?: boolean;
}

const utf8 = new TextEncoder();
const text = (value: string) => utf8.encode(value);
const none = new Uint8Array(0);

const connect = { type: "connect", clientId: "a", isCleanStart: true, keepAliveSeconds: 60 } as const;
const publish = { type: "publish", qos: 0, isRetained: false, isDuplicate: false, topic: "a/b" } as const;

const valid4: readonly Omit<ValidVector, "version">[] = [
  {
    name: "CONNECT with the fewest fields",
    to: "server",
    hex: "10 0d 0004 4d515454 04 02 003c 0001 61",
    packet: { ...connect, version: 4 },
  },
  {
    name: "CONNECT without client ID and with a persistent session, which the session layer judges",
    to: "server",
    hex: "10 0c 0004 4d515454 04 00 0000 0000",
    packet: { type: "connect", version: 4, clientId: "", isCleanStart: false, keepAliveSeconds: 0 },
  },
  {
    name: "CONNECT with everything",
    to: "server",
    hex: "10 1c 0004 4d515454 04 ee ffff 0001 61 0003 772f74 0002 00ff 0001 75 0001 70",
    packet: {
      ...connect,
      version: 4,
      keepAliveSeconds: 65_535,
      will: { topic: "w/t", payload: Uint8Array.of(0, 255), qos: 1, isRetained: true },
      username: "u",
      password: text("p"),
    },
  },
  {
    name: "CONNECT with an empty user name and an empty password",
    to: "server",
    hex: "10 11 0004 4d515454 04 c2 003c 0001 61 0000 0000",
    packet: { ...connect, version: 4, username: "", password: none },
  },
  {
    name: "CONNECT whose remaining length is not in its shortest form",
    to: "server",
    hex: "10 8d00 0004 4d515454 04 02 003c 0001 61",
    packet: { ...connect, version: 4 },
    isLongForm: true,
  },
  {
    name: "CONNACK that accepts and resumes",
    to: "client",
    hex: "20 02 01 00",
    packet: { type: "connack", isSessionPresent: true, reasonCode: 0 },
  },
  {
    name: "CONNACK that refuses",
    to: "client",
    hex: "20 02 00 05",
    packet: { type: "connack", isSessionPresent: false, reasonCode: 5 },
  },
  {
    name: "PUBLISH with QoS 0",
    to: "server",
    hex: "30 07 0003 612f62 6869",
    packet: { ...publish, payload: text("hi") },
  },
  {
    name: "PUBLISH with QoS 1, retained, again",
    to: "client",
    hex: "3b 08 0003 612f62 0102 21",
    packet: { ...publish, payload: text("!"), qos: 1, isRetained: true, isDuplicate: true, packetId: 0x0102 },
  },
  {
    name: "PUBLISH with QoS 2 and no payload",
    to: "server",
    hex: "34 07 0003 612f62 ffff",
    packet: { ...publish, payload: none, qos: 2, packetId: 0xffff },
  },
  {
    name: "PUBLISH whose topic begins with U+FEFF, which is kept",
    to: "server",
    hex: "30 06 0004 efbbbf 61",
    packet: { ...publish, topic: "\ufeffa", payload: none },
  },
  {
    name: "PUBLISH with the worked example of MQTT 5 §1.5.4, U+2A6D4",
    to: "server",
    hex: "30 07 0005 41 f0aa9b94",
    packet: { ...publish, topic: "A\u{2a6d4}", payload: none },
  },
  {
    name: "PUBLISH with a remaining length of two bytes",
    to: "client",
    hex: `30 8001 0001 61 ${"78".repeat(125)}`,
    packet: { ...publish, topic: "a", payload: text("x".repeat(125)) },
  },
  { name: "PUBACK", to: "client", hex: "40 02 0001", packet: { type: "puback", packetId: 1, reasonCode: 0 } },
  { name: "PUBREC", to: "server", hex: "50 02 0001", packet: { type: "pubrec", packetId: 1, reasonCode: 0 } },
  { name: "PUBREL", to: "server", hex: "62 02 0001", packet: { type: "pubrel", packetId: 1, reasonCode: 0 } },
  { name: "PUBCOMP", to: "client", hex: "70 02 ffff", packet: { type: "pubcomp", packetId: 65_535, reasonCode: 0 } },
  {
    name: "SUBSCRIBE with the worked example of 3.1.1 §3.8.3",
    to: "server",
    hex: "82 0e 000a 0003 612f62 01 0003 632f64 02",
    packet: {
      type: "subscribe",
      packetId: 10,
      subscriptions: [
        { filter: "a/b", qos: 1 },
        { filter: "c/d", qos: 2 },
      ],
    },
  },
  {
    name: "SUBACK with each return code",
    to: "client",
    hex: "90 06 000a 00 01 02 80",
    packet: { type: "suback", packetId: 10, reasonCodes: [0, 1, 2, 0x80] },
  },
  {
    name: "UNSUBSCRIBE",
    to: "server",
    hex: "a2 0b 000a 0003 612f62 0002 2b2f",
    packet: { type: "unsubscribe", packetId: 10, filters: ["a/b", "+/"] },
  },
  { name: "UNSUBACK", to: "client", hex: "b0 02 000a", packet: { type: "unsuback", packetId: 10, reasonCodes: [] } },
  { name: "PINGREQ", to: "server", hex: "c0 00", packet: { type: "pingreq" } },
  { name: "PINGRESP", to: "client", hex: "d0 00", packet: { type: "pingresp" } },
  { name: "DISCONNECT", to: "server", hex: "e0 00", packet: { type: "disconnect", reasonCode: 0 } },
];

const valid5: readonly Omit<ValidVector, "version">[] = [
  {
    name: "CONNECT with the fewest fields",
    to: "server",
    hex: "10 0e 0004 4d515454 05 02 003c 00 0001 61",
    packet: { ...connect, version: 5 },
  },
  {
    name: "CONNECT with a password and no user name",
    to: "server",
    hex: "10 11 0004 4d515454 05 42 003c 00 0001 61 0001 70",
    packet: { ...connect, version: 5, password: text("p") },
  },
  {
    name: "CONNECT with every property",
    to: "server",
    hex:
      "10 55 0004 4d515454 05 06 003c " +
      "24 11 00000e10 15 0001 6d 16 0002 0102 17 00 19 01 21 0014 22 0008 26 0001 6b 0001 76 27 00000200 " +
      "0001 61 " +
      "1d 01 01 02 0000003c 03 0001 63 08 0001 72 09 0001 64 18 00000005 26 0000 0000 " +
      "0001 77 0000",
    packet: {
      ...connect,
      version: 5,
      properties: {
        sessionExpirySeconds: 3600,
        authenticationMethod: "m",
        authenticationData: Uint8Array.of(1, 2),
        requestProblemInformation: 0,
        requestResponseInformation: 1,
        receiveMaximum: 20,
        topicAliasMaximum: 8,
        userProperties: [["k", "v"]],
        maximumPacketBytes: 512,
      },
      will: {
        topic: "w",
        payload: none,
        qos: 0,
        isRetained: false,
        properties: {
          payloadFormatIndicator: 1,
          messageExpirySeconds: 60,
          contentType: "c",
          responseTopic: "r",
          correlationData: text("d"),
          willDelaySeconds: 5,
          userProperties: [["", ""]],
        },
      },
    },
  },
  {
    name: "CONNACK with the fewest fields",
    to: "client",
    hex: "20 03 00 00 00",
    packet: { type: "connack", isSessionPresent: false, reasonCode: 0 },
  },
  {
    name: "CONNACK with every property",
    to: "client",
    hex:
      "20 3f 01 00 3c 11 ffffffff 12 0001 69 13 04b0 15 0001 6d 16 0001 64 1a 0001 72 1c 0001 73 1f 0001 65 " +
      "21 0064 22 0008 24 01 25 01 26 0001 6b 0001 76 27 00024800 28 01 29 00 2a 01",
    packet: {
      type: "connack",
      isSessionPresent: true,
      reasonCode: 0,
      properties: {
        sessionExpirySeconds: 0xffff_ffff,
        assignedClientId: "i",
        serverKeepAliveSeconds: 1200,
        authenticationMethod: "m",
        authenticationData: text("d"),
        responseInformation: "r",
        serverReference: "s",
        reasonString: "e",
        receiveMaximum: 100,
        topicAliasMaximum: 8,
        maximumQos: 1,
        retainAvailable: 1,
        userProperties: [["k", "v"]],
        maximumPacketBytes: 149_504,
        wildcardSubscriptionAvailable: 1,
        subscriptionIdentifiersAvailable: 0,
        sharedSubscriptionAvailable: 1,
      },
    },
  },
  {
    name: "PUBLISH without properties",
    to: "server",
    hex: "32 0a 0003 612f62 0007 00 6869",
    packet: { ...publish, payload: text("hi"), qos: 1, packetId: 7 },
  },
  {
    name: "PUBLISH with every property, user properties in order and repeated",
    to: "client",
    hex:
      "30 30 0001 61 2c 01 01 02 00000e10 03 0001 63 08 0001 72 09 0002 00ff 0b 01 0b ffffff7f 23 0001 " +
      "26 0001 6b 0001 32 26 0001 6b 0001 31",
    packet: {
      ...publish,
      topic: "a",
      payload: none,
      properties: {
        payloadFormatIndicator: 1,
        messageExpirySeconds: 3600,
        contentType: "c",
        responseTopic: "r",
        correlationData: Uint8Array.of(0, 255),
        subscriptionIdentifiers: [1, 268_435_455],
        topicAlias: 1,
        userProperties: [
          ["k", "2"],
          ["k", "1"],
        ],
      },
    },
  },
  {
    name: "PUBLISH with an alias for its topic",
    to: "server",
    hex: "30 07 0000 03 23 0008 78",
    packet: { ...publish, topic: "", payload: text("x"), properties: { topicAlias: 8 } },
  },
  { name: "PUBACK in short", to: "client", hex: "40 02 0001", packet: { type: "puback", packetId: 1, reasonCode: 0 } },
  {
    name: "PUBACK with an empty property list",
    to: "client",
    hex: "40 04 0001 10 00",
    packet: { type: "puback", packetId: 1, reasonCode: 0x10 },
    isLongForm: true,
  },
  {
    name: "PUBACK with a reason code alone",
    to: "client",
    hex: "40 03 0001 87",
    packet: { type: "puback", packetId: 1, reasonCode: 0x87 },
  },
  {
    name: "PUBREC with a reason",
    to: "server",
    hex: "50 08 0001 97 04 1f 0001 71",
    packet: { type: "pubrec", packetId: 1, reasonCode: 0x97, properties: { reasonString: "q" } },
  },
  {
    name: "PUBREL with a reason code",
    to: "server",
    hex: "62 03 0001 92",
    packet: { type: "pubrel", packetId: 1, reasonCode: 0x92 },
  },
  {
    name: "PUBCOMP with a success and a user property",
    to: "client",
    hex: "70 0b 0001 00 07 26 0001 6b 0001 76",
    packet: { type: "pubcomp", packetId: 1, reasonCode: 0, properties: { userProperties: [["k", "v"]] } },
  },
  {
    name: "SUBSCRIBE with every option and property",
    to: "server",
    hex: "82 20 000a 0a 0b 8001 26 0001 6b 0001 76 0003 612f62 2d 000a 2473686172652f672f61 02",
    packet: {
      type: "subscribe",
      packetId: 10,
      properties: { subscriptionIdentifier: 128, userProperties: [["k", "v"]] },
      subscriptions: [
        { filter: "a/b", qos: 1, isNoLocal: true, isRetainAsPublished: true, retainHandling: 2 },
        { filter: "$share/g/a", qos: 2, isNoLocal: false, isRetainAsPublished: false, retainHandling: 0 },
      ],
    },
  },
  {
    name: "SUBACK",
    to: "client",
    hex: "90 09 000a 04 1f 0001 6e 01 87",
    packet: { type: "suback", packetId: 10, reasonCodes: [1, 0x87], properties: { reasonString: "n" } },
  },
  {
    name: "UNSUBSCRIBE",
    to: "server",
    hex: "a2 08 000a 00 0003 612f62",
    packet: { type: "unsubscribe", packetId: 10, filters: ["a/b"] },
  },
  {
    name: "UNSUBACK",
    to: "client",
    hex: "b0 05 000a 00 00 11",
    packet: { type: "unsuback", packetId: 10, reasonCodes: [0, 0x11] },
  },
  { name: "PINGREQ", to: "server", hex: "c0 00", packet: { type: "pingreq" } },
  { name: "PINGRESP", to: "client", hex: "d0 00", packet: { type: "pingresp" } },
  { name: "DISCONNECT in short", to: "server", hex: "e0 00", packet: { type: "disconnect", reasonCode: 0 } },
  {
    name: "DISCONNECT with will",
    to: "server",
    hex: "e0 01 04",
    packet: { type: "disconnect", reasonCode: 4 },
  },
  {
    name: "DISCONNECT of a client with a session expiry",
    to: "server",
    hex: "e0 07 00 05 11 00000000",
    packet: { type: "disconnect", reasonCode: 0, properties: { sessionExpirySeconds: 0 } },
  },
  {
    name: "DISCONNECT of a server",
    to: "client",
    hex: "e0 0a 9d 08 1c 0001 68 1f 0001 6d",
    packet: { type: "disconnect", reasonCode: 0x9d, properties: { serverReference: "h", reasonString: "m" } },
  },
  {
    name: "AUTH",
    to: "client",
    hex: "f0 0a 18 08 15 0001 6d 16 0001 64",
    packet: {
      type: "auth",
      reasonCode: 0x18,
      properties: { authenticationMethod: "m", authenticationData: text("d") },
    },
  },
  { name: "AUTH in short", to: "server", hex: "f0 00", packet: { type: "auth", reasonCode: 0 } },
];

export const validVectors: readonly ValidVector[] = [
  ...valid4.map((vector) => ({ ...vector, version: 4 as const })),
  ...valid5.map((vector) => ({ ...vector, version: 5 as const })),
];

type Short = [name: string, to: "client" | "server", hex: string, clause: string, reasonCode?: number];

/** The bytes cannot be read. */
const malformed4: readonly Short[] = [
  ["packet type 0", "server", "00 00", "§2.1.2"],
  ["packet type 15", "server", "f0 00", "§2.2.1"],
  ["PUBLISH with QoS 3", "server", "36 07 0003 612f62 0001", "MQTT-3.3.1-4"],
  ["PUBACK with a flag", "client", "41 02 0001", "MQTT-2.1.3-1"],
  ["PUBREL without its flag", "server", "60 02 0001", "MQTT-2.1.3-1"],
  ["SUBSCRIBE without its flag", "server", "80 06 0001 0001 61 00", "MQTT-2.1.3-1"],
  ["UNSUBSCRIBE without its flag", "server", "a0 05 0001 0001 61", "MQTT-2.1.3-1"],
  ["PINGREQ with a flag", "server", "c8 00", "MQTT-2.1.3-1"],
  ["DISCONNECT with a flag", "server", "e1 00", "MQTT-2.1.3-1"],
  ["a remaining length of five bytes", "server", "30 ffffffff01", "§1.5.5"],
  ["CONNACK with a reserved flag", "client", "20 02 02 00", "MQTT-3.2.2-1"],
  ["CONNACK cut short", "client", "20 01 00", "§2.1.4"],
  ["CONNACK with a byte too many", "client", "20 03 00 00 00", "§2.1.4"],
  ["PUBLISH whose topic is longer than the packet", "server", "30 03 0002 61", "§2.1.4"],
  ["PUBLISH without a topic length", "server", "30 01 00", "§2.1.4"],
  ["PUBLISH without room for its packet identifier", "server", "32 04 0001 61 00", "§2.1.4"],
  ["PUBLISH with packet identifier 0", "server", "32 05 0001 61 0000", "MQTT-2.2.1-3", 0x82],
  ["PUBLISH with U+0000 in the topic", "server", "30 05 0003 610062", "MQTT-1.5.4-2"],
  ["PUBLISH with a surrogate in the topic", "server", "30 05 0003 eda080", "MQTT-1.5.4-1"],
  ["PUBLISH with a surrogate pair in CESU-8", "server", "30 08 0006 eda081edb080", "MQTT-1.5.4-1"],
  ["PUBLISH with an overlong slash in the topic", "server", "30 04 0002 c0af", "MQTT-1.5.4-1"],
  ["PUBLISH with a topic beyond U+10FFFF", "server", "30 06 0004 f4908080", "MQTT-1.5.4-1"],
  ["PUBLISH with a character cut short", "server", "30 04 0002 61c3", "MQTT-1.5.4-1"],
  ["PUBACK without packet identifier", "client", "40 00", "§2.1.4"],
  ["PUBACK with half a packet identifier", "client", "40 01 00", "§2.1.4"],
  ["PUBACK with packet identifier 0", "client", "40 02 0000", "MQTT-2.2.1-3", 0x82],
  ["PUBACK with an MQTT 5 reason code", "client", "40 03 0001 00", "§2.1.4"],
  ["SUBSCRIBE with packet identifier 0", "server", "82 06 0000 0001 61 00", "MQTT-2.2.1-3", 0x82],
  ["SUBSCRIBE with QoS 3", "server", "82 06 0001 0001 61 03", "MQTT-3.8.3-4"],
  ["SUBSCRIBE with a reserved bit", "server", "82 06 0001 0001 61 04", "MQTT-3.8.3-4"],
  ["SUBSCRIBE without the QoS byte", "server", "82 05 0001 0001 61", "§2.1.4"],
  ["SUBACK without a return code", "client", "90 02 0001", "MQTT-3.8.4-6"],
  ["UNSUBACK with a byte too many", "client", "b0 03 0001 00", "§2.1.4"],
  ["PINGREQ with a byte too many", "server", "c0 01 00", "§2.1.4"],
  ["PINGRESP with a byte too many", "client", "d0 01 00", "§2.1.4"],
  ["DISCONNECT with an MQTT 5 reason code", "server", "e0 01 00", "§2.1.4"],
];

/** The bytes can be read and are not allowed. */
const refused4: readonly Short[] = [
  ["PUBLISH with DUP and QoS 0", "server", "38 05 0003 612f62", "MQTT-3.3.1-2"],
  ["PUBLISH with an empty topic", "server", "30 02 0000", "MQTT-4.7.3-1"],
  ["PUBLISH with # in its topic", "server", "30 05 0003 612f23", "MQTT-3.3.2-2"],
  ["PUBLISH with + in its topic", "client", "30 05 0003 2b2f61", "MQTT-3.3.2-2"],
  ["CONNACK that refuses and has a session", "client", "20 02 01 05", "MQTT-3.2.2-4"],
  ["SUBSCRIBE without a filter", "server", "82 02 0001", "MQTT-3.8.3-3"],
  ["SUBSCRIBE with an empty filter", "server", "82 05 0001 0000 00", "MQTT-4.7.3-1", 0x8f],
  ["SUBACK with a reserved return code", "client", "90 03 0001 03", "MQTT-3.9.3-2"],
  ["SUBACK with a reason code of MQTT 5", "client", "90 03 0001 87", "MQTT-3.9.3-2"],
  ["UNSUBSCRIBE without a filter", "server", "a2 02 0001", "MQTT-3.10.3-2"],
  ["a second CONNECT", "server", "10 0d 0004 4d515454 04 02 003c 0001 61", "MQTT-3.1.0-2"],
  ["CONNACK to a server", "server", "20 02 00 00", "§2.1.2"],
  ["SUBACK to a server", "server", "90 03 0001 00", "§2.1.2"],
  ["UNSUBACK to a server", "server", "b0 02 0001", "§2.1.2"],
  ["PINGRESP to a server", "server", "d0 00", "§2.1.2"],
  ["CONNECT to a client", "client", "10 0d 0004 4d515454 04 02 003c 0001 61", "§2.1.2"],
  ["SUBSCRIBE to a client", "client", "82 06 0001 0001 61 00", "§2.1.2"],
  ["UNSUBSCRIBE to a client", "client", "a2 05 0001 0001 61", "§2.1.2"],
  ["PINGREQ to a client", "client", "c0 00", "§2.1.2"],
  ["DISCONNECT to a client", "client", "e0 00", "§2.2.1"],
];

const malformed5: readonly Short[] = [
  ["packet type 0", "client", "00 00", "§2.1.2"],
  ["a remaining length that is not in its shortest form", "server", "c0 8000", "MQTT-1.5.5-1"],
  ["PUBLISH without a property length", "server", "30 03 0001 61", "§2.1.4"],
  ["PUBLISH whose properties are longer than the packet", "server", "30 05 0001 61 02 01", "§2.2.2.1"],
  ["a property length that is not in its shortest form", "server", "30 05 0001 61 8000", "MQTT-1.5.5-1"],
  ["a property length of five bytes", "server", "30 08 0001 61 8080808001", "§1.5.5"],
  ["a property that crosses the end of its list", "server", "30 07 0001 61 02 23 0001", "§2.1.4"],
  ["an unknown property", "server", "30 06 0001 61 02 00 00", "§2.2.2.2"],
  ["a property identifier of two bytes", "server", "30 07 0001 61 03 8101 00", "§2.2.2.2"],
  ["PUBLISH with a property of CONNECT", "server", "30 09 0001 61 05 11 00000000", "§2.2.2.2"],
  ["SUBSCRIBE with a reason string", "server", "82 0b 0001 04 1f 0001 61 0001 61 00", "§2.2.2.2"],
  ["PUBACK with a content type", "client", "40 08 0001 00 04 03 0001 61", "§2.2.2.2"],
  ["a user property that is not UTF-8", "server", "30 0a 0001 61 06 26 0001 ff 0000", "MQTT-1.5.4-1"],
  ["a content type with U+0000", "server", "30 08 0001 61 04 03 0001 00", "MQTT-1.5.4-2"],
  ["PUBLISH with U+0000 in the response topic", "server", "30 08 0001 61 04 08 0001 00", "MQTT-1.5.4-2"],
  ["PUBLISH with a surrogate in the response topic", "server", "30 0a 0001 61 06 08 0003 eda080", "MQTT-1.5.4-1"],
  ["PUBLISH with a property of a will", "server", "30 09 0001 61 05 18 00000000", "§2.2.2.2"],
  ["UNSUBSCRIBE with a subscription identifier", "server", "a2 08 0001 02 0b01 0001 61", "§2.2.2.2"],
  ["DISCONNECT with a receive maximum", "server", "e0 05 00 03 21 0001", "§2.2.2.2"],
  ["PUBLISH with packet identifier 0", "server", "32 06 0001 61 0000 00", "MQTT-2.2.1-3", 0x82],
  ["SUBSCRIBE with packet identifier 0", "server", "82 07 0000 00 0001 61 00", "MQTT-2.2.1-3", 0x82],
  ["UNSUBSCRIBE with packet identifier 0", "server", "a2 06 0000 00 0001 61", "MQTT-2.2.1-3", 0x82],
  ["SUBSCRIBE with a reserved option bit", "server", "82 07 0001 00 0001 61 40", "MQTT-3.8.3-5"],
  ["PUBACK with bytes after its properties", "client", "40 05 0001 00 00 00", "§2.1.4"],
  ["DISCONNECT with bytes after its properties", "server", "e0 03 00 00 00", "§2.1.4"],
  ["AUTH with a flag", "server", "f1 00", "MQTT-2.1.3-1"],
  ["SUBACK without a reason code", "client", "90 03 0001 00", "MQTT-3.8.4-6"],
  ["UNSUBACK in the form of 3.1.1", "client", "b0 02 0001", "§2.1.4"],
  ["UNSUBACK without a reason code", "client", "b0 03 0001 00", "MQTT-3.11.3-1"],
  ["CONNACK in the form of 3.1.1", "client", "20 02 00 00", "§2.1.4"],
];

const refused5: readonly Short[] = [
  ["PUBLISH with an empty topic and no alias", "server", "30 03 0000 00", "§3.3.2.1"],
  ["PUBLISH with topic alias 0", "server", "30 07 0001 61 03 23 0000", "§3.1.2.11", 0x94],
  ["PUBLISH with two content types", "server", "30 0c 0001 61 08 03 0001 61 03 0001 61", "§3.1.2.11"],
  ["PUBLISH with payload format 2", "server", "30 06 0001 61 02 01 02", "§3.1.2.11"],
  ["PUBLISH with a wildcard in the response topic", "server", "30 08 0001 61 04 08 0001 2b", "MQTT-3.3.2-14"],
  ["PUBLISH with an empty response topic", "server", "30 07 0001 61 03 08 0000", "MQTT-4.7.3-1"],
  ["PUBLISH of a server with an empty response topic", "client", "30 07 0001 61 03 08 0000", "MQTT-4.7.3-1"],
  ["PUBLISH of a server with # in the response topic", "client", "30 09 0001 61 05 08 0002 2f23", "MQTT-3.3.2-14"],
  ["PUBLISH of a server with topic alias 0", "client", "30 07 0001 61 03 23 0000", "§3.1.2.11", 0x94],
  ["PUBLISH of a server with an empty topic and no alias", "client", "30 03 0000 00", "§3.3.2.1"],
  ["PUBLISH with two payload formats", "server", "30 08 0001 61 04 01 01 01 01", "§3.1.2.11"],
  ["PUBLISH with two message expiries", "server", "30 0e 0001 61 0a 02 00000001 02 00000001", "§3.1.2.11"],
  ["PUBLISH with two response topics", "server", "30 0c 0001 61 08 08 0001 61 08 0001 61", "§3.1.2.11"],
  ["PUBLISH with two correlation data", "server", "30 0c 0001 61 08 09 0001 61 09 0001 61", "§3.1.2.11"],
  ["PUBLISH with two topic aliases", "server", "30 0a 0001 61 06 23 0001 23 0001", "§3.1.2.11"],
  ["SUBSCRIBE with identifier 0", "server", "82 09 0001 02 0b00 0001 61 00", "§3.1.2.11"],
  ["UNSUBSCRIBE with an empty filter", "server", "a2 05 0001 00 0000", "MQTT-4.7.3-1", 0x8f],
  ["UNSUBSCRIBE without a filter", "server", "a2 03 0001 00", "MQTT-3.10.3-2"],
  ["CONNACK with two reason strings", "client", "20 0b 00 00 08 1f 0001 61 1f 0001 61", "§3.1.2.11"],
  ["CONNACK with retain available 2", "client", "20 05 00 00 02 25 02", "§3.1.2.11"],
  ["PUBACK with two reason strings", "client", "40 0c 0001 00 08 1f 0001 61 1f 0001 61", "§3.1.2.11"],
  ["DISCONNECT with two session expiries", "server", "e0 0c 00 0a 11 00000001 11 00000001", "§3.1.2.11"],
  ["PUBLISH of a client with a subscription identifier", "server", "30 06 0001 61 02 0b 01", "MQTT-3.3.4-6"],
  ["PUBLISH with subscription identifier 0", "client", "30 06 0001 61 02 0b 00", "§3.1.2.11"],
  ["CONNACK with receive maximum 0", "client", "20 06 00 00 03 21 0000", "§3.1.2.11"],
  ["CONNACK with maximum packet size 0", "client", "20 08 00 00 05 27 00000000", "§3.1.2.11"],
  ["CONNACK with maximum QoS 2", "client", "20 05 00 00 02 24 02", "§3.1.2.11"],
  ["CONNACK with an undefined reason code", "client", "20 03 00 01 00", "MQTT-3.2.2-8"],
  ["CONNACK that refuses and has a session", "client", "20 03 01 87 00", "MQTT-3.2.2-6"],
  ["CONNACK with authentication data and no method", "client", "20 06 00 00 03 16 0000", "§3.1.2.11.10"],
  ["PUBACK with an undefined reason code", "client", "40 03 0001 01", "MQTT-3.4.2-1"],
  ["PUBREL with a reason code of PUBACK", "server", "62 03 0001 10", "MQTT-3.4.2-1"],
  ["SUBSCRIBE with two identifiers", "server", "82 0b 0001 04 0b01 0b02 0001 61 00", "§3.1.2.11"],
  ["SUBSCRIBE with QoS 3", "server", "82 07 0001 00 0001 61 03", "§3.8.3.1"],
  ["SUBSCRIBE with retain handling 3", "server", "82 07 0001 00 0001 61 30", "§3.8.3.1"],
  [
    "SUBSCRIBE with no local on a shared filter",
    "server",
    "82 10 0001 00 000a 2473686172652f672f61 04",
    "MQTT-3.8.3-4",
  ],
  ["SUBACK with an undefined reason code", "client", "90 04 0001 00 03", "MQTT-3.9.3-2"],
  ["UNSUBACK with an undefined reason code", "client", "b0 04 0001 00 01", "MQTT-3.11.3-2"],
  ["DISCONNECT with an undefined reason code", "server", "e0 01 01", "MQTT-3.14.2-1"],
  ["DISCONNECT of a server with a session expiry", "client", "e0 07 00 05 11 00000000", "MQTT-3.14.2-2"],
  ["AUTH with an undefined reason code", "client", "f0 01 01", "MQTT-3.15.2-1"],
  ["AUTH without a method", "client", "f0 02 18 00", "§3.15.2.2.2"],
];

/** What a server may get as its very first packet. `version` is what the bytes say. */
const malformedFirst: readonly [MqttVersion, ...Short][] = [
  [4, "CONNECT with the reserved flag", "server", "10 0d 0004 4d515454 04 03 003c 0001 61", "MQTT-3.1.2-3"],
  [4, "CONNECT with will QoS and no will", "server", "10 0d 0004 4d515454 04 0a 003c 0001 61", "MQTT-3.1.2-13"],
  [4, "CONNECT with will retain and no will", "server", "10 0d 0004 4d515454 04 22 003c 0001 61", "MQTT-3.1.2-13"],
  [4, "CONNECT with will QoS 3", "server", "10 12 0004 4d515454 04 1e 003c 0001 61 0001 77 0000", "MQTT-3.1.2-14"],
  [
    4,
    "CONNECT with a password and no user name",
    "server",
    "10 10 0004 4d515454 04 42 003c 0001 61 0001 70",
    "MQTT-3.1.2-22",
  ],
  [4, "CONNECT with a flag", "server", "11 0d 0004 4d515454 04 02 003c 0001 61", "MQTT-2.1.3-1"],
  [4, "CONNECT without the password it announces", "server", "10 0e 0004 4d515454 04 c2 003c 0000 0000", "§2.1.4"],
  [4, "CONNECT with a byte too many", "server", "10 0e 0004 4d515454 04 02 003c 0001 61 00", "§2.1.4"],
  [4, "CONNECT that ends after its level", "server", "10 07 0004 4d515454 04", "§2.1.4"],
  [4, "CONNECT with a client ID that is not UTF-8", "server", "10 0d 0004 4d515454 04 02 003c 0001 ff", "MQTT-1.5.4-1"],
  [5, "CONNECT with a property of PUBLISH", "server", "10 10 0004 4d515454 05 02 003c 02 01 00 0001 61", "§2.2.2.2"],
  [
    5,
    "CONNECT with a remaining length in a long form",
    "server",
    "10 8e00 0004 4d515454 05 02 003c 00 0001 61",
    "MQTT-1.5.5-1",
  ],
  [5, "CONNECT in the form of 3.1.1", "server", "10 0d 0004 4d515454 05 02 003c 0001 61", "§2.1.4"],
];

const hexByte = (value: number) => value.toString(16).padStart(2, "0");

/** A CONNECT of MQTT 5 with these properties of its own and of its will; hex without spaces. */
function connect5(own: string, will?: string, flags = will === undefined ? "02" : "06"): string {
  const list = (hex: string) => hexByte(hex.length / 2) + hex;
  const willFields = will === undefined ? "" : `${list(will)}00017700017e`;
  const body = `00044d51545405${flags}003c${list(own)}000161${willFields}`;
  return `10${hexByte(body.length / 2)}${body}`;
}

const malformedConnects5: readonly [MqttVersion, ...Short][] = [
  [5, "CONNECT with will QoS and no will", "server", connect5("", undefined, "0a"), "MQTT-3.1.2-11"],
  [5, "CONNECT with will QoS 3", "server", connect5("", "", "1e"), "MQTT-3.1.2-12"],
  [5, "CONNECT with will retain and no will", "server", connect5("", undefined, "22"), "MQTT-3.1.2-13"],
  [5, "CONNECT with the reserved flag", "server", connect5("", undefined, "03"), "MQTT-3.1.2-3"],
  [5, "CONNECT with a will delay of its own", "server", connect5("1800000001"), "§2.2.2.2"],
  [5, "CONNECT with a reason string", "server", connect5("1f000161"), "§2.2.2.2"],
  [5, "a will with U+0000 in its response topic", "server", connect5("", "08000100"), "MQTT-1.5.4-2"],
  [5, "a will with U+0000 in its content type", "server", connect5("", "03000100"), "MQTT-1.5.4-2"],
  [5, "a will with a topic alias", "server", connect5("", "230001"), "§2.2.2.2"],
  [5, "a will with a session expiry", "server", connect5("", "1100000001"), "§2.2.2.2"],
  [5, "a will with a subscription identifier", "server", connect5("", "0b01"), "§2.2.2.2"],
];

const refusedConnects5: readonly [MqttVersion, ...Short][] = [
  [5, "a will with an empty response topic", "server", connect5("", "080000"), "MQTT-4.7.3-1"],
  [5, "a will with + in its response topic", "server", connect5("", "0800012b"), "§3.1.3.2.6"],
  [5, "a will with # in its response topic", "server", connect5("", "080003612f23"), "§3.1.3.2.6"],
  [5, "a will with two response topics", "server", connect5("", "0800016108000161"), "§3.1.2.11"],
  [5, "a will with two content types", "server", connect5("", "0300016103000161"), "§3.1.2.11"],
  [5, "a will with two correlation data", "server", connect5("", "0900016109000161"), "§3.1.2.11"],
  [5, "a will with two delays", "server", connect5("", "18000000011800000001"), "§3.1.2.11"],
  [5, "a will with two message expiries", "server", connect5("", "02000000010200000001"), "§3.1.2.11"],
  [5, "a will with payload format 2", "server", connect5("", "0102"), "§3.1.2.11"],
  [5, "CONNECT with maximum packet size 0", "server", connect5("2700000000"), "§3.1.2.11"],
  [5, "CONNECT with two maximum packet sizes", "server", connect5("27000010002700001000"), "§3.1.2.11"],
  [5, "CONNECT with two receive maxima", "server", connect5("210001210001"), "§3.1.2.11"],
  [5, "CONNECT with two topic alias maxima", "server", connect5("220001220001"), "§3.1.2.11"],
  [5, "CONNECT with request problem information 2", "server", connect5("1702"), "§3.1.2.11"],
  [5, "CONNECT with request response information 2", "server", connect5("1902"), "§3.1.2.11"],
  [5, "CONNECT with two authentication methods", "server", connect5("1500016115000161"), "§3.1.2.11"],
];

const refusedFirst: readonly [MqttVersion, ...Short][] = [
  [4, "PINGREQ before CONNECT", "server", "c0 00", "MQTT-3.1.0-1"],
  [5, "PUBLISH before CONNECT", "server", "30 05 0003 612f62", "MQTT-3.1.0-1"],
  [5, "AUTH before CONNECT", "server", "f0 00", "MQTT-3.1.0-1"],
  [4, "CONNECT with another protocol's name", "server", "10 0d 0004 4d51545a 04 02 003c 0001 61", "MQTT-3.1.2-1", 0x84],
  [
    4,
    "CONNECT with an empty will topic",
    "server",
    "10 11 0004 4d515454 04 06 003c 0001 61 0000 0000",
    "MQTT-4.7.3-1",
    0x90,
  ],
  [
    4,
    "CONNECT with a wildcard in the will topic",
    "server",
    "10 12 0004 4d515454 04 06 003c 0001 61 0001 23 0000",
    "MQTT-4.7.1-1",
    0x90,
  ],
  [5, "CONNECT with receive maximum 0", "server", "10 11 0004 4d515454 05 02 003c 03 21 0000 0001 61", "§3.1.2.11"],
  [
    5,
    "CONNECT with two session expiries",
    "server",
    "10 18 0004 4d515454 05 02 003c 0a 11 00000001 11 00000001 0001 61",
    "§3.1.2.11",
  ],
  [
    5,
    "CONNECT with authentication data and no method",
    "server",
    "10 11 0004 4d515454 05 02 003c 03 16 0000 0001 61",
    "§3.1.2.11.10",
  ],
];

const otherVersions: readonly [MqttVersion, ...Short][] = [
  [4, "CONNECT of MQTT 3.1", "server", "10 0f 0006 4d5149736470 03 02 003c 0001 61", "MQTT-3.1.2-2", 0x84],
  [4, "CONNECT of a later level", "server", "10 0d 0004 4d515454 06 02 003c 0001 61", "MQTT-3.1.2-2", 0x84],
  [4, "CONNECT of a bridge", "server", "10 0d 0004 4d515454 84 02 003c 0001 61", "MQTT-3.1.2-2", 0x84],
];

function rows(
  code: ErrorCode,
  list: readonly [MqttVersion, ...Short][],
  defaultReasonCode: number,
  isFirst = false,
): MalformedVector[] {
  return list.map(([version, name, to, hex, clause, reasonCode = defaultReasonCode]) => {
    return { version, name, to, hex, clause, reasonCode, code, isFirst };
  });
}

const of = (version: MqttVersion, list: readonly Short[]) => list.map((row) => [version, ...row] as const);

export const malformedVectors: readonly MalformedVector[] = [
  ...rows(
    "MQTT_MALFORMED_PACKET",
    [...of(4, malformed4), ...of(5, malformed5)].map((row) => [...row]),
    0x81,
  ),
  ...rows(
    "MQTT_PROTOCOL_ERROR",
    [...of(4, refused4), ...of(5, refused5)].map((row) => [...row]),
    0x82,
  ),
  ...rows("MQTT_MALFORMED_PACKET", [...malformedFirst, ...malformedConnects5], 0x81, true),
  ...rows("MQTT_PROTOCOL_ERROR", [...refusedFirst, ...refusedConnects5], 0x82, true),
  ...rows("MQTT_VERSION_UNSUPPORTED", otherVersions, 0x84, true),
];

export function bytesOf(hex: string): Uint8Array {
  const digits = hex.replaceAll(" ", "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}
