export type {
  AckProperties,
  AuthPacket,
  ConnackPacket,
  ConnackProperties,
  ConnectPacket,
  ConnectProperties,
  DisconnectPacket,
  DisconnectProperties,
  MqttPacket,
  MqttVersion,
  PacketType,
  PingreqPacket,
  PingrespPacket,
  PublishAckPacket,
  PublishPacket,
  PublishProperties,
  QoS,
  SubackPacket,
  SubscribePacket,
  Subscription,
  SubscriptionOptions,
  UnsubackPacket,
  UnsubscribePacket,
  UserProperties,
  Will,
  WillProperties,
} from "./packets.js";
export { encodePuback, pubackBytes } from "./codec/acknowledge.js";
export { decodePackets, packetBytesLimit, PacketDecoder } from "./codec/decoder.js";
export type { PacketDecoderOptions } from "./codec/decoder.js";
export { defaultEncodedTopicsMax, EncodedTopics } from "./codec/encoded-topics.js";
export { encodePacket, encodeToBytes, packetLength } from "./codec/encoder.js";
export { publishBytes, writeMeasuredPublish } from "./codec/publish.js";
export { PublishTemplate, SharedPublish } from "./codec/shared-publish.js";
export type { PublishPatch, PublishVariant, SharedMessage } from "./codec/shared-publish.js";
export { connectReturnCodes, reasonCodes, reasonName } from "./reason-codes.js";
export type { ReasonName } from "./reason-codes.js";
export { awsTopicLimits, checkTopicName, hasWildcard, parseTopicFilter, topicMatches } from "./topic.js";
export type { MatchOptions, SharedFilter, TopicLimits } from "./topic.js";
export { ClientSession } from "./client-session.js";
export { OutboundPublish, OutboundSubscribe, OutboundUnsubscribe, PacketIdTable } from "./client-session-inflight.js";
export { ClientKeepAlive, pingAfterShare, pingTimeoutMsMax } from "./client-session-keep-alive.js";
export { describeConnackCode, describeReasonCode, hexCode } from "./client-session-reasons.js";
export {
  controlPacketsMax,
  defaultAckTimeoutMs,
  defaultConnackTimeoutMs,
  defaultInflightMax,
  defaultQueueBytesMax,
  defaultQueueMax,
  defaultReceiveMaximum,
} from "./client-session-types.js";
export type {
  ClientPacket,
  ClientSessionEffects,
  ClientSessionOptions,
  ConnectionTerms,
  Disposition,
} from "./client-session-types.js";
export { connackProperties, negotiateConnect } from "./server-session-connect.js";
export type {
  ConnectNegotiation,
  ConnectRefusal,
  ConnectTerms,
  ServerConnectLimits,
} from "./server-session-connect.js";
export { InboundInflight, OutboundInflight } from "./server-session-inflight.js";
export type { InboundRefusal } from "./server-session-inflight.js";
export { effectiveKeepAliveSeconds, stepServerKeepAlive } from "./server-session-keep-alive.js";
export type {
  ServerKeepAliveEffect,
  ServerKeepAliveInput,
  ServerKeepAliveRange,
  ServerKeepAliveState,
} from "./server-session-keep-alive.js";
export { InboundTopicAliases } from "./server-session-topic-alias.js";
export { ServerSession } from "./server-session.js";
export type { ServerSessionLimits, SessionMessage } from "./server-session.js";
