import type {
  AckProperties,
  MqttVersion,
  QoS,
  SubackPacket,
  SubscribePacket,
  Subscription,
  UnsubackPacket,
  UnsubscribePacket,
} from "../packets.js";
import { isReasonCodeOf, reasonCodes } from "../reason-codes.js";
import { parseTopicFilter } from "../topic.js";
import { malformed, protocolError, unencodable } from "./faults.js";
import { propertiesLength, readProperties, writeProperties } from "./properties.js";
import type { PacketReader } from "./reader.js";
import { checkInteger, checkPacketId, stringLength, varintLength, writeString, writeUint16 } from "./write.js";

/**
 * Reads a SUBSCRIBE. Filters are UTF-8 and not empty; whether each is a good filter is the server's to say, per filter,
 * in its SUBACK (0x8F), so it is not checked here.
 */
export function readSubscribe(reader: PacketReader, version: MqttVersion): SubscribePacket {
  const packetId = reader.packetId();
  const properties =
    version === 5 ? readProperties<NonNullable<SubscribePacket["properties"]>>(reader, "subscribe") : undefined;
  const subscriptions: Subscription[] = [];
  while (reader.remaining > 0) {
    const filter = readFilter(reader);
    const options = reader.uint8("the subscription options");
    subscriptions.push(version === 4 ? subscriptionOf4(filter, options) : subscriptionOf5(filter, options));
  }
  if (subscriptions.length === 0) {
    throw protocolError("SUBSCRIBE without a topic filter", "MQTT-3.8.3-2, 3.1.1 MQTT-3.8.3-3");
  }
  const packet: SubscribePacket = { type: "subscribe", packetId, subscriptions };
  if (properties !== undefined) packet.properties = properties;
  return packet;
}

function readFilter(reader: PacketReader): string {
  const filter = reader.string("a topic filter");
  if (filter === "") throw protocolError("a topic filter is empty", "MQTT-4.7.3-1", reasonCodes.topicFilterInvalid);
  return filter;
}

function subscriptionOf4(filter: string, options: number): Subscription {
  if (options > 2) throw malformed(`the requested QoS byte is ${options}`, "3.1.1 MQTT-3.8.3-4");
  return { filter, qos: options as QoS };
}

function subscriptionOf5(filter: string, options: number): Subscription {
  if ((options & 0xc0) !== 0) throw malformed("a reserved subscription option is set", "MQTT-3.8.3-5");
  const qos = options & 3;
  if (qos === 3) throw protocolError("the maximum QoS is 3", "MQTT 5 §3.8.3.1");
  const retainHandling = (options >> 4) & 3;
  if (retainHandling === 3) throw protocolError("retain handling is 3", "MQTT 5 §3.8.3.1");
  const isNoLocal = (options & 4) !== 0;
  if (isNoLocal && filter.startsWith("$share/")) {
    throw protocolError("no local on a shared subscription", "MQTT-3.8.3-4");
  }
  return {
    filter,
    qos: qos as QoS,
    isNoLocal,
    isRetainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  };
}

export function subscribeLength(packet: SubscribePacket, version: MqttVersion): number {
  checkPacketId(packet.packetId);
  if (packet.subscriptions.length === 0)
    throw unencodable("SUBSCRIBE needs a topic filter", { field: "subscriptions" });
  let length = 2;
  if (version === 5) {
    const properties = propertiesLength(packet.properties, "subscribe");
    length += varintLength(properties) + properties;
  }
  for (const subscription of packet.subscriptions) {
    const { group } = parseTopicFilter(subscription.filter);
    checkInteger(subscription.qos, 0, 2, "qos");
    checkInteger(subscription.retainHandling ?? 0, 0, 2, "retainHandling");
    if (version === 4 && optionsByte(subscription) !== subscription.qos) {
      throw unencodable("MQTT 3.1.1 has no subscription options but the QoS", { field: "subscriptions" });
    }
    // [MQTT-3.8.3-4]
    if (group !== undefined && subscription.isNoLocal === true) {
      throw unencodable("isNoLocal on a shared subscription", { field: "isNoLocal" });
    }
    length += stringLength(subscription.filter, "filter") + 1;
  }
  return length;
}

function optionsByte({ qos, isNoLocal, isRetainAsPublished, retainHandling }: Subscription): number {
  return qos | (isNoLocal === true ? 4 : 0) | (isRetainAsPublished === true ? 8 : 0) | ((retainHandling ?? 0) << 4);
}

export function writeSubscribe(
  target: Uint8Array,
  offset: number,
  packet: SubscribePacket,
  version: MqttVersion,
): number {
  const { packetId, properties, subscriptions } = packet;
  offset = writeUint16(target, offset, packetId);
  if (version === 5) {
    offset = writeProperties(target, offset, properties, "subscribe", propertiesLength(properties, "subscribe"));
  }
  for (const subscription of subscriptions) {
    offset = writeString(target, offset, subscription.filter);
    target[offset++] = optionsByte(subscription);
  }
  return offset;
}

export function readSuback(reader: PacketReader, version: MqttVersion): SubackPacket {
  const packetId = reader.packetId();
  const properties = version === 5 ? readProperties<AckProperties>(reader, "suback") : undefined;
  const codes = readReasonCodes(reader);
  for (const code of codes) {
    const isKnown = version === 4 ? code <= 2 || code === 0x80 : isReasonCodeOf("suback", code);
    if (!isKnown) throw protocolError(`SUBACK has no reason code ${code}`, "MQTT-3.9.3-2");
  }
  if (codes.length === 0) throw malformed("SUBACK without a reason code", "MQTT-3.8.4-6, 3.1.1 MQTT-3.8.4-5");
  return properties === undefined
    ? { type: "suback", packetId, reasonCodes: codes }
    : { type: "suback", packetId, reasonCodes: codes, properties };
}

function readReasonCodes(reader: PacketReader): number[] {
  const codes: number[] = [];
  while (reader.remaining > 0) codes.push(reader.uint8("a reason code"));
  return codes;
}

export function subackLength(packet: SubackPacket, version: MqttVersion): number {
  const { packetId, reasonCodes: codes, properties } = packet;
  checkPacketId(packetId);
  if (codes.length === 0) throw unencodable("SUBACK needs a reason code per filter", { field: "reasonCodes" });
  for (const code of codes) {
    if (!isReasonCodeOf("suback", code))
      throw unencodable(`SUBACK has no reason code ${code}`, { field: "reasonCodes" });
  }
  if (version === 4) return 2 + codes.length;
  const length = propertiesLength(properties, "suback");
  return 2 + varintLength(length) + length + codes.length;
}

/** 3.1.1 knows one refusal, 0x80: each of MQTT 5's is written as that. */
export function writeSuback(target: Uint8Array, offset: number, packet: SubackPacket, version: MqttVersion): number {
  const { packetId, reasonCodes: codes, properties } = packet;
  offset = writeUint16(target, offset, packetId);
  if (version === 5) {
    offset = writeProperties(target, offset, properties, "suback", propertiesLength(properties, "suback"));
  }
  for (const code of codes) target[offset++] = version === 4 && code > 0x80 ? 0x80 : code;
  return offset;
}

export function readUnsubscribe(reader: PacketReader, version: MqttVersion): UnsubscribePacket {
  const packetId = reader.packetId();
  const properties =
    version === 5 ? readProperties<NonNullable<UnsubscribePacket["properties"]>>(reader, "unsubscribe") : undefined;
  const filters: string[] = [];
  while (reader.remaining > 0) filters.push(readFilter(reader));
  if (filters.length === 0) throw protocolError("UNSUBSCRIBE without a topic filter", "MQTT-3.10.3-2");
  return properties === undefined
    ? { type: "unsubscribe", packetId, filters }
    : { type: "unsubscribe", packetId, filters, properties };
}

export function unsubscribeLength(packet: UnsubscribePacket, version: MqttVersion): number {
  checkPacketId(packet.packetId);
  if (packet.filters.length === 0) throw unencodable("UNSUBSCRIBE needs a topic filter", { field: "filters" });
  let length = 2;
  if (version === 5) {
    const properties = propertiesLength(packet.properties, "unsubscribe");
    length += varintLength(properties) + properties;
  }
  for (const filter of packet.filters) {
    parseTopicFilter(filter);
    length += stringLength(filter, "filter");
  }
  return length;
}

export function writeUnsubscribe(
  target: Uint8Array,
  offset: number,
  packet: UnsubscribePacket,
  version: MqttVersion,
): number {
  const { packetId, properties, filters } = packet;
  offset = writeUint16(target, offset, packetId);
  if (version === 5) {
    offset = writeProperties(target, offset, properties, "unsubscribe", propertiesLength(properties, "unsubscribe"));
  }
  for (const filter of filters) offset = writeString(target, offset, filter);
  return offset;
}

export function readUnsuback(reader: PacketReader, version: MqttVersion): UnsubackPacket {
  const packetId = reader.packetId();
  if (version === 4) {
    reader.finish("UNSUBACK");
    return { type: "unsuback", packetId, reasonCodes: [] };
  }
  const properties = readProperties<AckProperties>(reader, "unsuback");
  const codes = readReasonCodes(reader);
  for (const code of codes) {
    if (!isReasonCodeOf("unsuback", code)) throw protocolError(`UNSUBACK has no reason code ${code}`, "MQTT-3.11.3-2");
  }
  if (codes.length === 0) throw malformed("UNSUBACK without a reason code", "MQTT-3.11.3-1");
  return properties === undefined
    ? { type: "unsuback", packetId, reasonCodes: codes }
    : { type: "unsuback", packetId, reasonCodes: codes, properties };
}

/** Under 3.1.1 the reason codes are left out: its UNSUBACK has none. */
export function unsubackLength(packet: UnsubackPacket, version: MqttVersion): number {
  const { packetId, reasonCodes: codes, properties } = packet;
  checkPacketId(packetId);
  if (version === 4) return 2;
  if (codes.length === 0) throw unencodable("UNSUBACK needs a reason code per filter", { field: "reasonCodes" });
  for (const code of codes) {
    if (!isReasonCodeOf("unsuback", code)) {
      throw unencodable(`UNSUBACK has no reason code ${code}`, { field: "reasonCodes" });
    }
  }
  const length = propertiesLength(properties, "unsuback");
  return 2 + varintLength(length) + length + codes.length;
}

export function writeUnsuback(
  target: Uint8Array,
  offset: number,
  packet: UnsubackPacket,
  version: MqttVersion,
): number {
  const { packetId, reasonCodes: codes, properties } = packet;
  offset = writeUint16(target, offset, packetId);
  if (version === 4) return offset;
  offset = writeProperties(target, offset, properties, "unsuback", propertiesLength(properties, "unsuback"));
  for (const code of codes) target[offset++] = code;
  return offset;
}
