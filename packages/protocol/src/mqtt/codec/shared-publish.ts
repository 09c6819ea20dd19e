import type { MqttVersion, PublishProperties, QoS } from "../packets.js";
import { checkRemainingLength } from "./encoder.js";
import { unencodable } from "./faults.js";
import { messageLength, publishFlags, writePublishHead } from "./publish.js";
import { propertiesLength } from "./properties.js";
import { checkInteger, varintLength, writeUint16, writeUint32, writeVarint } from "./write.js";

export interface SharedMessage {
  topic: string;
  payload: Uint8Array;
  /** As a receiver shall see them. A topic alias is per receiver, and not taken from here. */
  properties?: PublishProperties;
}

/** What makes the bytes for one receiver differ from those for another, packet identifier and time left apart. */
export interface PublishVariant {
  version: MqttVersion;
  qos: QoS;
  isRetained: boolean;
  /** Default false. */
  isDuplicate?: boolean;
  /**
   * MQTT 5, towards a receiver that announced a Topic Alias Maximum: `define` sends topic and alias, `use` the alias
   * alone. Default `none`. The alias itself is given when writing.
   */
  topicAlias?: "none" | "define" | "use";
}

/** What a template cannot know before it is written for one receiver. */
export interface PublishPatch {
  /** Expiry left at the time of sending, for MQTT 5. Default: as the message had it. [MQTT-3.3.2-6] */
  messageExpirySeconds?: number;
  /** Needed for the variants `define` and `use`. */
  topicAlias?: number;
}

/** Up to this size of payload a template holds it too, so that a receiver costs one copy. */
const joinedPayloadBytesMax = 16_384;

/**
 * One message on its way to many receivers: encoded once per variant, on demand, then copied and patched.
 *
 * ```ts
 * const template = shared.template({ version, qos, isRetained });
 * const offset = connection.reserve(template.lengthBytes);
 * template.writeTo(connection.slab, offset, packetId); // small: a copy into the slab
 * connection.write(template.head(packetId), shared.payload); // large: the payload by reference
 * ```
 *
 * The payload is kept by reference: whoever keeps the message for long should hand in a copy.
 */
export class SharedPublish {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: PublishProperties | undefined;
  /** Most messages see one variant or two. At most 96. */
  private readonly keys: number[] = [];
  private readonly templates: PublishTemplate[] = [];

  constructor({ topic, payload, properties }: SharedMessage) {
    this.topic = topic;
    this.payload = payload;
    this.properties = properties;
  }

  /** @throws {ThinglineError} as `packetLength` does, on the first use of a variant. */
  template({ version, qos, isRetained, isDuplicate = false, topicAlias = "none" }: PublishVariant): PublishTemplate {
    const flags = publishFlags(qos, isRetained, isDuplicate);
    const alias = topicAlias === "none" ? 0 : topicAlias === "define" ? 1 : 2;
    const key = flags + 16 * (alias + (version === 5 ? 3 : 0));
    const known = this.keys.indexOf(key);
    if (known >= 0) return this.templates[known]!;
    const template = new PublishTemplate(this, version, flags, alias);
    this.keys.push(key);
    this.templates.push(template);
    return template;
  }
}

/** The bytes of one message in one variant. Made by {@link SharedPublish.template}. */
export class PublishTemplate {
  /** Of the whole packet: what to reserve. */
  readonly lengthBytes: number;
  /** Of what stands before the payload. */
  readonly headBytes: number;
  private readonly payload: Uint8Array;
  /** The head; the payload too if it is small. */
  private readonly bytes: Uint8Array;
  /** Where to patch; 0 where there is nothing to. */
  private readonly packetIdOffset: number;
  private readonly expiryOffset: number;
  private readonly aliasOffset: number;

  /** `alias`: 0 none, 1 define, 2 use. */
  constructor(shared: SharedPublish, version: MqttVersion, flags: number, alias: number) {
    const { payload } = shared;
    const hasPacketId = (flags & 6) !== 0;
    checkFlags(flags);
    if (alias !== 0 && version === 4) throw unencodable("MQTT 3.1.1 has no topic alias", { field: "topicAlias" });
    const topic = alias === 2 ? "" : shared.topic;
    const properties = version === 5 ? templateProperties(shared.properties, alias) : undefined;
    const remaining = messageLength(topic, payload, properties, version) + (hasPacketId ? 2 : 0);
    checkRemainingLength(remaining);
    this.payload = payload;
    this.lengthBytes = 1 + varintLength(remaining) + remaining;
    this.headBytes = this.lengthBytes - payload.length;
    const isJoined = payload.length <= joinedPayloadBytesMax;
    const bytes = new Uint8Array(isJoined ? this.lengthBytes : this.headBytes);
    bytes[0] = 0x30 | flags;
    const start = writeVarint(bytes, 1, remaining);
    const head = writePublishHead(bytes, start, topic, hasPacketId ? 1 : 0, properties, version);
    if (isJoined) bytes.set(payload, head);
    this.bytes = bytes;
    const topicEnd = start + 2 + ((bytes[start]! << 8) | bytes[start + 1]!);
    this.packetIdOffset = hasPacketId ? topicEnd : 0;
    const list = topicEnd + (hasPacketId ? 2 : 0);
    const first = properties === undefined ? 0 : list + varintLength(propertiesLength(properties, "publish"));
    // The alias is the last, the expiry the first after the payload format indicator: see templateProperties.
    this.expiryOffset =
      properties?.messageExpirySeconds === undefined
        ? 0
        : first + 1 + (properties.payloadFormatIndicator === undefined ? 0 : 2);
    this.aliasOffset = alias === 0 ? 0 : first + aliasDistance(properties!);
  }

  /** Whether {@link PublishPatch.messageExpirySeconds} has a place in the bytes. */
  get hasExpiry(): boolean {
    return this.expiryOffset !== 0;
  }

  /**
   * Writes the whole packet and returns the offset after it.
   *
   * @param packetId 1 to 65,535 for QoS 1 and 2; 0 for QoS 0.
   * @throws {ThinglineError} `MQTT_PACKET_INVALID`
   */
  writeTo(target: Uint8Array, offset: number, packetId = 0, patch?: PublishPatch): number {
    this.checkPatch(packetId, patch);
    target.set(this.bytes, offset);
    if (this.packetIdOffset !== 0) writeUint16(target, offset + this.packetIdOffset, packetId);
    if (patch !== undefined) this.patch(target, offset, patch);
    if (this.bytes.length < this.lengthBytes) target.set(this.payload, offset + this.headBytes);
    return offset + this.lengthBytes;
  }

  /**
   * What stands before the payload, in an array of its own, or one shared by all receivers where nothing differs.
   * It must not be changed.
   */
  head(packetId = 0, patch?: PublishPatch): Uint8Array {
    this.checkPatch(packetId, patch);
    const shared = this.bytes.subarray(0, this.headBytes);
    if (this.packetIdOffset === 0 && patch === undefined) return shared;
    const head = shared.slice();
    if (this.packetIdOffset !== 0) writeUint16(head, this.packetIdOffset, packetId);
    if (patch !== undefined) this.patch(head, 0, patch);
    return head;
  }

  private checkPatch(packetId: number, patch: PublishPatch | undefined): void {
    const isGood = this.packetIdOffset === 0 ? packetId === 0 : packetId >= 1 && packetId <= 65_535;
    if (!isGood) throw unencodable(`packetId is ${packetId}`, { field: "packetId" });
    const expiry = patch?.messageExpirySeconds;
    if (expiry !== undefined) checkInteger(expiry, 0, 0xffff_ffff, "messageExpirySeconds");
    if (this.aliasOffset === 0) return;
    const alias = patch?.topicAlias ?? 0;
    if (!(alias >= 1 && alias <= 65_535)) throw unencodable(`topicAlias is ${alias}`, { field: "topicAlias" });
  }

  private patch(target: Uint8Array, offset: number, { messageExpirySeconds, topicAlias }: PublishPatch): void {
    if (this.expiryOffset !== 0 && messageExpirySeconds !== undefined) {
      writeUint32(target, offset + this.expiryOffset, messageExpirySeconds);
    }
    if (this.aliasOffset !== 0) writeUint16(target, offset + this.aliasOffset, topicAlias!);
  }
}

function checkFlags(flags: number): void {
  if ((flags & 6) === 6) throw unencodable("qos is 3", { field: "qos" });
  // [MQTT-3.3.1-2]
  if ((flags & 14) === 8) throw unencodable("a QoS 0 PUBLISH never carries DUP", { field: "isDuplicate" });
}

function templateProperties(properties: PublishProperties | undefined, alias: number): PublishProperties | undefined {
  if (alias === 0 && properties?.topicAlias === undefined) return properties;
  const rest: PublishProperties = { ...properties };
  // A placeholder: each receiver has an alias of its own.
  if (alias === 0) delete rest.topicAlias;
  else rest.topicAlias = 1;
  return rest;
}

/** From the first property to the value of the alias, which is followed by user properties alone. */
function aliasDistance(properties: PublishProperties): number {
  return propertiesLength({ ...properties, userProperties: undefined }, "publish") - 2;
}
