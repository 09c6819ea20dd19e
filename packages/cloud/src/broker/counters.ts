/** Everything that the broker did or dropped since it was created. Each only rises. */
export interface BrokerCounters {
  connectsAccepted: number;
  connectsDenied: number;
  connectsThrottled: number;
  connectionsClosed: number;
  sessionsTakenOver: number;
  sessionsExpired: number;
  /** Sessions lost to a broker with a newer epoch. */
  sessionsConflicted: number;
  subscriptionsDenied: number;
  publishesDenied: number;
  publishesReceived: number;
  publishesDelivered: number;
  /** A message nobody was subscribed to. */
  publishesWithoutReceiver: number;
  /** Over the rate of a connection or topic. */
  droppedThrottled: number;
  /** `iot:Receive` not allowed. */
  droppedReceiveDenied: number;
  /** QoS 0 to a connection whose output is full. */
  droppedSlowConsumer: number;
  /** QoS 1 to a session whose queue is full. */
  droppedQueueFull: number;
  /** Message expiry passed before delivery. */
  droppedExpired: number;
  /** QoS 1 in flight that the client never acknowledged. */
  droppedUnacknowledged: number;
  /** Larger than the receiver's Maximum Packet Size. */
  droppedTooLarge: number;
  /** QoS 1 still queued when its session ended. */
  droppedSessionEnded: number;
  /** QoS 1 that the client answered with an MQTT 5 reason code of 0x80 or more. */
  droppedRefused: number;
  /** A PUBLISH whose packet identifier is still waiting for its PUBACK. */
  droppedDuplicate: number;
  /** QoS 0 for a persistent session that is not connected. */
  droppedOffline: number;
  /** A shared group had no member to take the message. */
  droppedGroupOffline: number;
  /** A retained message refused because there are too many. */
  droppedRetainedFull: number;
  /** For a service that holds no acknowledgement, and whose queue is full. */
  droppedListenerFull: number;
  /** A message for one client that is not there. */
  droppedClientAbsent: number;
  /** PUBACKs with an identifier that was not in flight. */
  unexpectedAcks: number;
  protocolErrors: number;
  limitsHit: number;
  storeFailures: number;
  serviceFailures: number;
  /** Errors nobody foresaw. Each ended the connection that met it. */
  internalFaults: number;
}

export function createCounters(): BrokerCounters {
  return {
    connectsAccepted: 0,
    connectsDenied: 0,
    connectsThrottled: 0,
    connectionsClosed: 0,
    sessionsTakenOver: 0,
    sessionsExpired: 0,
    sessionsConflicted: 0,
    subscriptionsDenied: 0,
    publishesDenied: 0,
    publishesReceived: 0,
    publishesDelivered: 0,
    publishesWithoutReceiver: 0,
    droppedThrottled: 0,
    droppedReceiveDenied: 0,
    droppedSlowConsumer: 0,
    droppedQueueFull: 0,
    droppedExpired: 0,
    droppedUnacknowledged: 0,
    droppedTooLarge: 0,
    droppedSessionEnded: 0,
    droppedRefused: 0,
    droppedDuplicate: 0,
    droppedOffline: 0,
    droppedGroupOffline: 0,
    droppedRetainedFull: 0,
    droppedListenerFull: 0,
    droppedClientAbsent: 0,
    unexpectedAcks: 0,
    protocolErrors: 0,
    limitsHit: 0,
    storeFailures: 0,
    serviceFailures: 0,
    internalFaults: 0,
  };
}
