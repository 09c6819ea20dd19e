/**
 * What one broker allows. The quotas of AWS IoT Core can be switched off ({@link noLimits}); the bounds on memory
 * (`output…`, `queued…`, `…Max` of caches) hold always.
 *
 * `Infinity` switches a quota off.
 */
export interface BrokerLimits {
  /** UTF-8 bytes of a client id. */
  clientIdBytesMax: number;
  /** UTF-8 bytes of a topic or filter, without the free prefix of Basic Ingest or `$share/<name>/`. */
  topicBytesMax: number;
  /** `/` in a topic or filter, without those of the free prefix. */
  topicSlashesMax: number;
  payloadBytesMax: number;
  /** The whole packet; what MQTT 5 is told as Maximum Packet Size. Refused at the fixed header. */
  packetBytesMax: number;
  /** A smaller Maximum Packet Size of an MQTT 5 client is refused. */
  clientPacketBytesMin: number;
  topicAliasMax: number;
  contentTypeBytesMax: number;
  correlationDataBytesMax: number;
  /** Names and values of all user properties of one packet. */
  userPropertiesBytesMax: number;
  messageExpirySecondsMin: number;
  messageExpirySecondsMax: number;
  /** Lifetime of a 3.1.1 persistent session, and the most that MQTT 5 gets. */
  sessionExpirySecondsMax: number;
  filtersPerSubscribeMax: number;
  filtersPerUnsubscribeMax: number;
  subscriptionsPerConnectionMax: number;
  /** PUBLISH packets in and out, per connection and second. Inbound excess and QoS 0 outbound excess is dropped. */
  publishesPerSecond: number;
  /** Bytes in, per connection and second. Excess is delayed. */
  inboundBytesPerSecond: number;
  /** PUBLISH QoS 1 from a client that wait for their PUBACK. */
  inboundInflightMax: number;
  /** PUBLISH QoS 1 to a client that wait for its PUBACK; the client's Receive Maximum can make it less. */
  outboundInflightMax: number;
  /** How long a PUBLISH QoS 1 waits for the PUBACK of a connected client before it is dropped, by MQTT version. */
  redeliverySecondsMax: { 4: number; 5: number };
  /** CONNECTs of one client id per second. The excess waits. */
  connectsPerSecondPerClientId: number;
  /** A WebSocket connection ends after so long, whoever uses it. */
  webSocketSecondsMax: number;
  keepAliveSecondsMin: number;
  keepAliveSecondsMax: number;
  retainedPublishesPerSecondPerTopic: number;
  retainedMessagesMax: number;
  /** Stored messages sent per second after a session was resumed. */
  queuedReplaysPerSecond: number;
  /** The same for what a shared group has queued, for each of its members. */
  groupReplaysPerSecond: number;
  /** Messages that all shared groups together take per second while none of the group's members is there. */
  groupQueuedPerSecondMax: number;
  sharedGroupsMax: number;
  sharedGroupMembersMax: number;
  /** Subscriptions to one shared group, and ends of them, per second. Over it a subscription is refused. */
  sharedGroupChangesPerSecond: number;
  shareNameCharactersMax: number;

  // Memory bounds, on in every table.

  /** Time from the transport connection to a complete CONNECT. */
  connectTimeoutSeconds: number;
  /** Connections of all listeners without a complete CONNECT. Over it the oldest of them goes. */
  unconnectedMax: number;
  /**
   * Bytes of packets that have come in part, of all connections with more than 4 KiB of one. Over it the one that was
   * begun first goes.
   */
  unfinishedBytesTotalMax: number;
  /** Over this many unsent bytes QoS 0 to the connection is dropped, QoS 1 queued and its own input paused. */
  outputBytesMax: number;
  /**
   * Sum over the connections of the broker with more than {@link outputBytesShare} unsent bytes. Over it each of them is treated as if it
   * had reached `outputBytesMax`.
   */
  outputBytesTotalMax: number;
  /** A connection that stays over `outputBytesMax` this long is closed. */
  slowConsumerSecondsMax: number;
  /** QoS 1 messages that wait in one session or shared group, in flight ones excluded. New ones are dropped when it is full. */
  queuedMessagesMax: number;
  /** About what they cost to keep: topics, payloads, properties, and something for each entry. */
  queuedBytesMax: number;
  /** Sum over all sessions of the broker, with what persistent ones have in flight. */
  queuedBytesTotalMax: number;
  /** Topics, payloads and properties of all retained messages, which are in memory. */
  retainedBytesMax: number;
  /** Persistent sessions, online or not. */
  sessionsMax: number;
  /** Subscriptions of all sessions, online or not. */
  subscriptionsMax: number;
  /** Topics whose matching subscriptions are remembered; the least recently made goes first. */
  cachedTopicsMax: number;
  /** Topics whose decision a connection remembers. */
  cachedTopicsPerConnectionMax: number;
}

/** So many unsent bytes a connection may have whatever the others have. */
export const outputBytesShare = 64 * 1024;

const memoryBounds = {
  connectTimeoutSeconds: 30,
  unconnectedMax: 4_096,
  unfinishedBytesTotalMax: 256 * 1024 * 1024,
  outputBytesMax: 4 * 1024 * 1024,
  outputBytesTotalMax: 256 * 1024 * 1024,
  slowConsumerSecondsMax: 60,
  queuedMessagesMax: 100_000,
  queuedBytesMax: 16 * 1024 * 1024,
  queuedBytesTotalMax: 512 * 1024 * 1024,
  retainedBytesMax: 512 * 1024 * 1024,
  sessionsMax: 500_000,
  subscriptionsMax: 5_000_000,
  cachedTopicsMax: 20_000,
  cachedTopicsPerConnectionMax: 1_000,
} as const;

/**
 * Quotas of AWS IoT Core.
 * @see AWS General Reference, "AWS IoT Core endpoints and quotas", message broker and protocol limits
 */
export const awsLimits: BrokerLimits = {
  clientIdBytesMax: 128,
  topicBytesMax: 256,
  topicSlashesMax: 7,
  payloadBytesMax: 128 * 1024,
  packetBytesMax: 146 * 1024,
  clientPacketBytesMin: 512,
  topicAliasMax: 8,
  contentTypeBytesMax: 256,
  correlationDataBytesMax: 8 * 1024,
  userPropertiesBytesMax: 8 * 1024,
  messageExpirySecondsMin: 1,
  messageExpirySecondsMax: 604_800,
  sessionExpirySecondsMax: 3_600,
  filtersPerSubscribeMax: 8,
  filtersPerUnsubscribeMax: 8,
  subscriptionsPerConnectionMax: 50,
  publishesPerSecond: 100,
  inboundBytesPerSecond: 512 * 1024,
  inboundInflightMax: 100,
  outboundInflightMax: 100,
  redeliverySecondsMax: { 4: 3_600, 5: 960 },
  connectsPerSecondPerClientId: 1,
  webSocketSecondsMax: 86_400,
  keepAliveSecondsMin: 30,
  keepAliveSecondsMax: 1_200,
  retainedPublishesPerSecondPerTopic: 1,
  retainedMessagesMax: 500_000,
  queuedReplaysPerSecond: 10,
  groupReplaysPerSecond: 20,
  groupQueuedPerSecondMax: 500,
  sharedGroupsMax: 100,
  sharedGroupMembersMax: 100,
  sharedGroupChangesPerSecond: 100,
  shareNameCharactersMax: 128,
  ...memoryBounds,
};

/** For load tests: AWS's rates and counts off, sizes of the protocol and the bounds on memory on. */
export const noLimits: BrokerLimits = {
  ...awsLimits,
  // Client id and topic are part of the store's keys, which have a limit of their own.
  clientIdBytesMax: 256,
  topicBytesMax: 1_024,
  topicSlashesMax: Infinity,
  payloadBytesMax: Infinity,
  packetBytesMax: 16 * 1024 * 1024,
  topicAliasMax: 1_024,
  contentTypeBytesMax: 65_535,
  correlationDataBytesMax: 65_535,
  userPropertiesBytesMax: Infinity,
  filtersPerSubscribeMax: Infinity,
  filtersPerUnsubscribeMax: Infinity,
  subscriptionsPerConnectionMax: Infinity,
  publishesPerSecond: Infinity,
  inboundBytesPerSecond: Infinity,
  inboundInflightMax: 65_535,
  outboundInflightMax: 65_535,
  connectsPerSecondPerClientId: Infinity,
  webSocketSecondsMax: Infinity,
  retainedPublishesPerSecondPerTopic: Infinity,
  queuedReplaysPerSecond: Infinity,
  groupReplaysPerSecond: Infinity,
  groupQueuedPerSecondMax: Infinity,
  sharedGroupsMax: Infinity,
  sharedGroupMembersMax: Infinity,
  sharedGroupChangesPerSecond: Infinity,
};
