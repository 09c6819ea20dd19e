import { encodeToBytes, type MqttVersion, type PublishPacket, type PublishProperties } from "@thingline/protocol/mqtt";
import type { SessionMessage } from "@thingline/protocol/mqtt";
import type { BrokerSession } from "./session.js";

/**
 * One message on its way to its receivers. Each form that receivers need (version, QoS, RETAIN) is encoded once; a
 * receiver's packet is a copy of it with its own packet identifier.
 *
 * The broker uses one object again and again for what it sends at once; what has to wait is kept by {@link keep}.
 */
export class Publication {
  topic = "";
  payload: Uint8Array;
  qos: 0 | 1 = 0;
  isRetained = false;
  /** Without topic alias and message expiry, which are told anew to each receiver. */
  properties: PublishProperties | undefined;
  /** Unix time; undefined means never. */
  expiresAtMs: number | undefined;
  /** Who sent it, for the No Local option. */
  from: BrokerSession | undefined;
  private forms: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(8).fill(undefined);
  /** Where the packet identifier goes, by form. */
  private packetIdOffsets: number[] = [0, 0, 0, 0, 0, 0, 0, 0];
  /** Seconds left that the MQTT 5 forms tell. */
  private encodedExpirySeconds: number | undefined;
  private kept: Publication | undefined;

  constructor(payload: Uint8Array) {
    this.payload = payload;
  }

  /** Makes the object another message. */
  reset(topic: string, payload: Uint8Array, qos: 0 | 1, isRetained: boolean, from: BrokerSession | undefined): void {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.isRetained = isRetained;
    this.properties = undefined;
    this.expiresAtMs = undefined;
    this.from = from;
    this.forms[0] = this.forms[1] = this.forms[2] = this.forms[3] = undefined;
    this.forms[4] = this.forms[5] = this.forms[6] = this.forms[7] = undefined;
    this.encodedExpirySeconds = undefined;
    this.kept = undefined;
  }

  /** The same message with bytes of its own, for whoever needs it after this turn. */
  keep(): Publication {
    if (this.kept !== undefined) return this.kept;
    const copy = new Publication(this.payload.slice());
    const { topic, qos, isRetained, properties, expiresAtMs, encodedExpirySeconds } = this;
    // `from` stays behind: No Local is about the moment of publishing, and a session must not live in a message.
    Object.assign(copy, { topic, qos, isRetained, properties: ownProperties(properties), expiresAtMs });
    // The encoded forms have bytes of their own already.
    copy.forms = this.forms.slice();
    copy.packetIdOffsets = this.packetIdOffsets.slice();
    copy.encodedExpirySeconds = encodedExpirySeconds;
    copy.kept = copy;
    this.kept = copy;
    return copy;
  }

  get sizeBytes(): number {
    return this.topic.length + this.payload.length;
  }

  /** The PUBLISH as a client of that version gets it. With QoS 1 the packet identifier is to be filled in. */
  form(version: MqttVersion, qos: 0 | 1, isRetained: boolean, nowUnixMs: number): Uint8Array {
    if (this.expiresAtMs !== undefined && version === 5) this.refreshExpiry(nowUnixMs);
    const index = formIndex(version, qos, isRetained);
    return this.forms[index] ?? this.encode(index, version, qos, isRetained);
  }

  packetIdOffset(version: MqttVersion, qos: 0 | 1, isRetained: boolean): number {
    return this.packetIdOffsets[formIndex(version, qos, isRetained)]!;
  }

  /** [MQTT-3.3.2-6] A receiver is told what is left of the expiry; 0 when less than a second is. */
  private refreshExpiry(nowUnixMs: number): void {
    const left = Math.max(0, Math.floor((this.expiresAtMs! - nowUnixMs) / 1000));
    if (left === this.encodedExpirySeconds) return;
    this.encodedExpirySeconds = left;
    for (let index = 4; index < 8; index++) this.forms[index] = undefined;
  }

  private encode(index: number, version: MqttVersion, qos: 0 | 1, isRetained: boolean): Uint8Array {
    const { topic, payload, properties, encodedExpirySeconds } = this;
    const packet: PublishPacket = { type: "publish", topic, payload, qos, isRetained, isDuplicate: false };
    if (qos === 1) packet.packetId = 1;
    if (version === 5 && (properties !== undefined || encodedExpirySeconds !== undefined)) {
      packet.properties =
        encodedExpirySeconds === undefined
          ? properties!
          : { ...properties, messageExpirySeconds: encodedExpirySeconds };
    }
    const form = encodeToBytes(packet, version);
    this.forms[index] = form;
    this.packetIdOffsets[index] = offsetOfPacketId(form);
    return form;
  }
}

const formIndex = (version: MqttVersion, qos: 0 | 1, isRetained: boolean): number =>
  (version === 5 ? 4 : 0) + qos * 2 + (isRetained ? 1 : 0);

/** Behind the fixed header and the topic. */
function offsetOfPacketId(form: Uint8Array): number {
  let at = 1;
  while (form[at]! >= 0x80) at++;
  at++;
  return at + 2 + ((form[at]! << 8) | form[at + 1]!);
}

/** Properties of a decoded packet may hold views of the input. */
export function ownProperties(properties: PublishProperties | undefined): PublishProperties | undefined {
  if (properties?.correlationData === undefined) return properties;
  return { ...properties, correlationData: properties.correlationData.slice() };
}

/** A QoS 1 message of one session, waiting or in flight. */
export interface QueuedMessage extends SessionMessage {
  readonly publication: Publication;
  /** The RETAIN flag that this receiver gets. */
  readonly isRetained: boolean;
  /** The store holds it too, under the session and the sequence. */
  readonly isStored: boolean;
  /** It waited through a time without connection: its delivery is paced. */
  isReplay: boolean;
}
