/** MQTT 5 §2.4: what a reason code says. Names are the specification's. */
export const reasonCodes = {
  success: 0x00,
  grantedQos1: 0x01,
  grantedQos2: 0x02,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecificError: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierInUse: 0x91,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  maximumConnectTime: 0xa0,
  subscriptionIdentifiersNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const;

export type ReasonName = keyof typeof reasonCodes;

/** MQTT 3.1.1 §3.2.2.3: CONNACK return codes. 6 to 255 are reserved. */
export const connectReturnCodes = {
  accepted: 0,
  unacceptableProtocolVersion: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  badUserNameOrPassword: 4,
  notAuthorized: 5,
} as const;

const names = new Map<number, ReasonName>(
  Object.entries(reasonCodes).map(([name, code]) => [code, name as ReasonName]),
);

/** `"notAuthorized"` for 0x87; undefined for a code that MQTT 5 does not define. 0x00 is `"success"` in every packet. */
export function reasonName(reasonCode: number): ReasonName | undefined {
  return names.get(reasonCode);
}

type ReasonPacket = "connack" | "puback" | "pubrel" | "suback" | "unsuback" | "disconnect" | "auth";

const groups: Record<ReasonPacket, readonly number[]> = {
  // [MQTT-3.2.2-8]
  connack: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
    0x9c, 0x9d, 0x9f,
  ],
  // [MQTT-3.4.2-1] [MQTT-3.5.2-1]: PUBACK and PUBREC.
  puback: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  // [MQTT-3.6.2-1] [MQTT-3.7.2-1]: PUBREL and PUBCOMP.
  pubrel: [0x00, 0x92],
  // [MQTT-3.9.3-2]
  suback: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  // [MQTT-3.11.3-2]
  unsuback: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  // [MQTT-3.14.2-1]
  disconnect: [
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  // [MQTT-3.15.2-1]
  auth: [0x00, 0x18, 0x19],
};

function table(codes: readonly number[]): Uint8Array {
  const allowed = new Uint8Array(256);
  for (const code of codes) allowed[code] = 1;
  return allowed;
}

const tables: Record<ReasonPacket, Uint8Array> = {
  connack: table(groups.connack),
  puback: table(groups.puback),
  pubrel: table(groups.pubrel),
  suback: table(groups.suback),
  unsuback: table(groups.unsuback),
  disconnect: table(groups.disconnect),
  auth: table(groups.auth),
};

/** Whether MQTT 5 defines the code for that packet. `puback` stands for PUBREC too, `pubrel` for PUBCOMP. */
export function isReasonCodeOf(packet: ReasonPacket, reasonCode: number): boolean {
  return tables[packet][reasonCode] === 1;
}
