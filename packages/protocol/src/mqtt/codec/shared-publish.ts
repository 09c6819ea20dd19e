import type { MqttVersion, PublishProperties, QoS } from "../packets.js";
import type { EncodedTopics } from "./encoded-topics.js";
import { checkRemainingLength, checkRoom } from "./encoder.js";
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

const noBytes = new Uint8Array(0);

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
  topic: string;
  payload: Uint8Array;
  properties: PublishProperties | undefined;
  private readonly topics: EncodedTopics | undefined;
  /** Most messages see one variant, and cost no list. */
  private first: PublishTemplate | undefined;
  private others: PublishTemplate[] | undefined;
  /** Of a message before. */
  private spare: PublishTemplate | undefined;

  /** @param topics Topics that this sender has used, so that they are not checked and encoded again. */
  constructor({ topic, payload, properties }: SharedMessage, topics?: EncodedTopics) {
    this.topics = topics;
    this.topic = topic;
    this.payload = payload;
    this.properties = properties;
  }

  /**
   * Makes the object another message, for senders that have very many. The templates that it has handed out for the message before are
   * not to be used any more.
   */
  reset(topic: string, payload: Uint8Array, properties: PublishProperties | undefined): void {
    this.topic = topic;
    this.payload = payload;
    this.properties = properties;
    if (this.first !== undefined) this.spare = this.first;
    this.first = undefined;
    this.others = undefined;
  }

  /** @throws {ThinglineError} as `packetLength` does, on the first use of a variant. */
  template({ version, qos, isRetained, isDuplicate = false, topicAlias = "none" }: PublishVariant): PublishTemplate {
    const flags = publishFlags(qos, isRetained, isDuplicate);
    const alias = topicAlias === "none" ? 0 : topicAlias === "define" ? 1 : 2;
    const key = flags | (alias << 4) | (version === 5 ? 64 : 0);
    if (this.first?.key === key) return this.first;
    const known = this.others?.find((other) => other.key === key);
    if (known !== undefined) return known;
    const template = this.spare ?? new PublishTemplate(this.topics);
    this.spare = undefined;
    template.begin(this, key);
    if (this.first === undefined) this.first = template;
    else (this.others ??= []).push(template);
    return template;
  }
}

/** The bytes of one message in one variant. Made by {@link SharedPublish.template}. */
export class PublishTemplate {
  /** Of the whole packet: what to reserve. */
  lengthBytes = 0;
  /** Of what stands before the payload. */
  headBytes = 0;
  /** The variant: flags of the first byte, how the alias is used (0 none, 1 define, 2 use) << 4, 64 for MQTT 5. */
  key = 0;
  private remainingBytes = 0;
  private topic = "";
  private payload: Uint8Array = noBytes;
  private properties: PublishProperties | undefined;
  private readonly topics: EncodedTopics | undefined;
  /** Where to patch; 0 where there is nothing to. */
  private packetIdOffset = 0;
  private expiryOffset = 0;
  private aliasOffset = 0;
  /** The head; the payload too if it is small. Made for the second receiver: the first is written directly. */
  private bytes: Uint8Array | undefined;
  private hasWritten = false;

  constructor(topics: EncodedTopics | undefined) {
    this.topics = topics;
  }

  /** Makes the object the template of a message in one variant. For {@link SharedPublish}. */
  begin(shared: SharedPublish, key: number): void {
    const { payload } = shared;
    const { topics } = this;
    const flags = key & 15;
    const alias = (key >> 4) & 3;
    const version = key >= 64 ? 5 : 4;
    const packetIdBytes = (flags & 6) === 0 ? 0 : 2;
    checkFlags(flags);
    if (alias !== 0 && version === 4) throw unencodable("MQTT 3.1.1 has no topic alias", { field: "topicAlias" });
    const topic = alias === 2 ? "" : shared.topic;
    const properties = version === 5 ? templateProperties(shared.properties, alias) : undefined;
    const remaining = messageLength(topic, payload, properties, version, topics) + packetIdBytes;
    checkRemainingLength(remaining);
    this.key = key;
    this.remainingBytes = remaining;
    this.topic = topic;
    this.payload = payload;
    this.properties = properties;
    this.bytes = undefined;
    this.hasWritten = false;
    this.lengthBytes = 1 + varintLength(remaining) + remaining;
    this.headBytes = this.lengthBytes - payload.length;
    const listBytes = properties === undefined ? 0 : propertiesLength(properties, "publish");
    const first = this.headBytes - listBytes;
    const listPrefixBytes = version === 4 ? 0 : varintLength(listBytes);
    this.packetIdOffset = packetIdBytes === 0 ? 0 : first - listPrefixBytes - 2;
    // The alias is the last, the expiry the first after the payload format indicator: see the table of properties.
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
   * @throws {ThinglineError} `MQTT_PACKET_INVALID`; `OPTION_INVALID` when `target` has not enough room.
   */
  writeTo(target: Uint8Array, offset: number, packetId = 0, patch?: PublishPatch): number {
    this.checkPatch(packetId, patch);
    checkRoom(target, offset + this.lengthBytes);
    if (this.hasWritten) {
      const bytes = (this.bytes ??= this.encode());
      target.set(bytes, offset);
      if (bytes.length < this.lengthBytes) target.set(this.payload, offset + this.headBytes);
    } else {
      this.hasWritten = true;
      this.writeHead(target, offset);
      target.set(this.payload, offset + this.headBytes);
    }
    if (this.packetIdOffset !== 0) writeUint16(target, offset + this.packetIdOffset, packetId);
    if (patch !== undefined) this.patch(target, offset, patch);
    return offset + this.lengthBytes;
  }

  /**
   * What stands before the payload, in an array of its own, or one shared by all receivers where nothing differs.
   * It must not be changed.
   */
  head(packetId = 0, patch?: PublishPatch): Uint8Array {
    this.checkPatch(packetId, patch);
    const shared = (this.bytes ??= this.encode()).subarray(0, this.headBytes);
    if (this.packetIdOffset === 0 && patch === undefined) return shared;
    const head = shared.slice();
    if (this.packetIdOffset !== 0) writeUint16(head, this.packetIdOffset, packetId);
    if (patch !== undefined) this.patch(head, 0, patch);
    return head;
  }

  private encode(): Uint8Array {
    const isJoined = this.payload.length <= joinedPayloadBytesMax;
    const bytes = new Uint8Array(isJoined ? this.lengthBytes : this.headBytes);
    this.writeHead(bytes, 0);
    if (isJoined) bytes.set(this.payload, this.headBytes);
    return bytes;
  }

  /** With 1 for the packet identifier, and the alias of {@link templateProperties}. */
  private writeHead(target: Uint8Array, offset: number): void {
    const { key, topic, properties, topics } = this;
    target[offset] = 0x30 | (key & 15);
    offset = writeVarint(target, offset + 1, this.remainingBytes);
    const packetId = this.packetIdOffset === 0 ? 0 : 1;
    writePublishHead(target, offset, topic, packetId, properties, key >= 64 ? 5 : 4, topics);
  }

  private checkPatch(packetId: number, patch: PublishPatch | undefined): void {
    const isGood = this.packetIdOffset === 0 ? packetId === 0 : packetId >= 1 && packetId <= 65_535;
    if (!isGood || !Number.isInteger(packetId)) throw unencodable(`packetId is ${packetId}`, { field: "packetId" });
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
