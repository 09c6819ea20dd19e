import type { BusId } from "../bus/bus.js";
import {
  SharedPublish,
  type EncodedTopics,
  type MqttVersion,
  type PublishPatch,
  type PublishProperties,
  type PublishTemplate,
} from "@thingline/protocol/mqtt";

/** Counted for each message besides its contents. */
const entryBytes = 160;

/**
 * One message on its way to its receivers: encoded once for each form that receivers need (version, QoS, RETAIN), then
 * copied.
 *
 * A turn uses one object again and again for what it sends at once; what has to wait is kept by {@link keep}.
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
  /** When it is stored; set for a retained message alone. */
  stored: Promise<void> | undefined;
  /** Of an effect that another node may perform as well. */
  id: BusId | undefined;
  /** The session that sent it, for the No Local option. */
  from: object | undefined;
  private readonly topics: EncodedTopics;
  private shared: SharedPublish | undefined;
  /** Whether `shared` is about this message, and not about one before. */
  private isShared = false;
  /** Most receivers of a message need the same form. */
  private lastTemplate: PublishTemplate | undefined;
  private lastForm = 0;
  private kept: Publication | undefined;

  constructor(payload: Uint8Array, topics: EncodedTopics) {
    this.payload = payload;
    this.topics = topics;
  }

  /** Makes the object another message. */
  reset(topic: string, payload: Uint8Array, qos: 0 | 1, isRetained: boolean, from: object | undefined): void {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.isRetained = isRetained;
    this.properties = undefined;
    this.expiresAtMs = undefined;
    this.stored = undefined;
    this.id = undefined;
    this.from = from;
    this.isShared = false;
    this.lastTemplate = undefined;
    this.kept = undefined;
  }

  /** The same message with bytes of its own, for whoever needs it after this turn. */
  keep(): Publication {
    if (this.kept !== undefined) return this.kept;
    const { topic, payload, qos, isRetained, properties, expiresAtMs, topics } = this;
    const copy = new Publication(payload.slice(), topics);
    // `from` stays behind: No Local is about the moment of publishing, and a session must not live in a message.
    copy.reset(topic, copy.payload, qos, isRetained, undefined);
    copy.properties = ownProperties(properties);
    copy.expiresAtMs = expiresAtMs;
    copy.kept = copy;
    this.kept = copy;
    return copy;
  }

  /** About what it costs to keep: also a message without a byte is an entry in a queue. */
  get sizeBytes(): number {
    const { topic, payload, properties } = this;
    return entryBytes + topic.length + payload.length + (properties === undefined ? 0 : propertiesBytes(properties));
  }

  /** The PUBLISH as a client of that version gets it; packet identifier and {@link patch} are given when writing. */
  template(version: MqttVersion, qos: 0 | 1, isRetained: boolean): PublishTemplate {
    const form = version * 4 + qos * 2 + (isRetained ? 1 : 0);
    if (this.lastTemplate !== undefined && this.lastForm === form) return this.lastTemplate;
    const template = this.share().template({ version, qos, isRetained });
    this.lastForm = form;
    this.lastTemplate = template;
    return template;
  }

  /** [MQTT-3.3.2-6] A receiver is told what is left of the expiry; 0 when less than a second is. */
  patch(nowUnixMs: number): PublishPatch | undefined {
    if (this.expiresAtMs === undefined) return undefined;
    return { messageExpirySeconds: Math.max(0, Math.floor((this.expiresAtMs - nowUnixMs) / 1000)) };
  }

  private share(): SharedPublish {
    const shared = (this.shared ??= new SharedPublish(this, this.topics));
    if (this.isShared) return shared;
    const { properties, expiresAtMs } = this;
    // The place of the expiry; its value is patched in.
    const placed = expiresAtMs === undefined ? properties : { ...properties, messageExpirySeconds: 0 };
    shared.reset(this.topic, this.payload, placed);
    this.isShared = true;
    return shared;
  }
}

function propertiesBytes({ contentType, responseTopic, correlationData, userProperties }: PublishProperties): number {
  let bytes = (contentType?.length ?? 0) + (responseTopic?.length ?? 0) + (correlationData?.length ?? 0);
  for (const [name, value] of userProperties ?? []) bytes += entryBytes + name.length + value.length;
  return bytes;
}

/** Properties of a decoded packet may hold views of the input. */
export function ownProperties(properties: PublishProperties | undefined): PublishProperties | undefined {
  if (properties?.correlationData === undefined) return properties;
  return { ...properties, correlationData: properties.correlationData.slice() };
}
