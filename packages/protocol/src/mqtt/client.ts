// What a client needs of MQTT, without the server's half: a device loads that much less. `@thingline/protocol/mqtt` has all of it.
export { encodePacket, packetLength } from "./codec/encoder.js";
export { PacketDecoder } from "./codec/decoder.js";
export type { PacketDecoderOptions } from "./codec/decoder.js";
export { publishBytes, writeMeasuredPublish } from "./codec/publish.js";
export { ClientSession } from "./client-session.js";
export { OutboundPublish, OutboundSubscribe, OutboundUnsubscribe } from "./client-session-inflight.js";
export { describeReasonCode } from "./client-session-reasons.js";
export { defaultAckTimeoutMs } from "./client-session-types.js";
export type {
  ClientPacket,
  ClientSessionEffects,
  ClientSessionOptions,
  ConnectionTerms,
  Disposition,
} from "./client-session-types.js";
export type {
  ConnectProperties,
  MqttPacket,
  MqttVersion,
  PublishPacket,
  PublishProperties,
  QoS,
  Subscription,
  UserProperties,
} from "./packets.js";
export { awsTopicLimits, checkTopicName, parseTopicFilter, topicMatches } from "./topic.js";
export type { TopicLimits } from "./topic.js";
