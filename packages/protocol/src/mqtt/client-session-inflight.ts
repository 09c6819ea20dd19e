import { checkRemainingLength } from "./codec/encoder.js";
import { messageLength, publishBytes } from "./codec/publish.js";
import { checkTopicName } from "./topic.js";
import type {
  MqttVersion,
  PublishPacket,
  PublishProperties,
  SubscribePacket,
  Subscription,
  UnsubscribePacket,
} from "./packets.js";

/**
 * A message on its way to the server. It is the PUBLISH packet itself and its entry in the inflight table, so that
 * a publish costs one object. Payload and properties are kept by reference until it is settled.
 */
export class OutboundPublish<Owner> implements PublishPacket {
  readonly type = "publish";
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly isRetained: boolean;
  readonly properties?: PublishProperties;
  owner: Owner;
  isDuplicate = false;
  /** With QoS 1, once it was sent. */
  packetId: number | undefined = undefined;
  /** What comes before the payload, without the fixed header; set by `measurePublish`. Topics are not measured again. */
  headBytes = 0;
  /** The connection that last sent it. */
  sentOn = 0;
  deadlineMs = Infinity;
  /** The owner gave up or timed out; the identifier stays in use until the server answers. */
  isAbandoned = false;
  state: "new" | "waiting" | "inFlight" | "settled" = "new";
  previous: OutboundPublish<Owner> | undefined;
  next: OutboundPublish<Owner> | undefined;

  constructor(
    topic: string,
    payload: Uint8Array,
    qos: 0 | 1,
    isRetained: boolean,
    owner: Owner,
    properties: PublishProperties | undefined,
  ) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.isRetained = isRetained;
    this.owner = owner;
    if (properties !== undefined) this.properties = properties;
  }

  /** Of the whole packet, once it was measured. */
  get lengthBytes(): number {
    return publishBytes(this.headBytes, this.payload);
  }
}

/** A SUBSCRIBE or UNSUBSCRIBE that waits for its answer. It belongs to one connection and never outlives it. */
export class OutboundSubscribe<Owner> implements SubscribePacket {
  readonly type = "subscribe";
  readonly subscriptions: readonly Subscription[];
  readonly owner: Owner;
  packetId = 0;
  deadlineMs = Infinity;
  isAbandoned = false;
  constructor(subscriptions: readonly Subscription[], owner: Owner) {
    this.subscriptions = subscriptions;
    this.owner = owner;
  }
}

/** See {@link OutboundSubscribe}. */
export class OutboundUnsubscribe<Owner> implements UnsubscribePacket {
  readonly type = "unsubscribe";
  readonly filters: readonly string[];
  readonly owner: Owner;
  packetId = 0;
  deadlineMs = Infinity;
  isAbandoned = false;
  constructor(filters: readonly string[], owner: Owner) {
    this.filters = filters;
    this.owner = owner;
  }
}

/** A doubly linked list through the messages themselves: append, remove and walk without allocation. */
export class PublishList<Owner> {
  #first: OutboundPublish<Owner> | undefined;
  #last: OutboundPublish<Owner> | undefined;
  #count = 0;

  get first(): OutboundPublish<Owner> | undefined {
    return this.#first;
  }

  get count(): number {
    return this.#count;
  }

  append(publish: OutboundPublish<Owner>): void {
    publish.previous = this.#last;
    publish.next = undefined;
    if (this.#last === undefined) this.#first = publish;
    else this.#last.next = publish;
    this.#last = publish;
    this.#count += 1;
  }

  prepend(publish: OutboundPublish<Owner>): void {
    publish.next = this.#first;
    publish.previous = undefined;
    if (this.#first === undefined) this.#last = publish;
    else this.#first.previous = publish;
    this.#first = publish;
    this.#count += 1;
  }

  remove(publish: OutboundPublish<Owner>): void {
    if (publish.previous === undefined) this.#first = publish.next;
    else publish.previous.next = publish.next;
    if (publish.next === undefined) this.#last = publish.previous;
    else publish.next.previous = publish.previous;
    publish.previous = undefined;
    publish.next = undefined;
    this.#count -= 1;
  }

  get last(): OutboundPublish<Owner> | undefined {
    return this.#last;
  }
}

/**
 * Measures a message, and thereby checks all of its fields before anything is done with it.
 *
 * @throws {ThinglineError} TOPIC_NAME_INVALID, MQTT_PACKET_INVALID, MQTT_PACKET_TOO_LARGE.
 */
export function measurePublish<Owner>(publish: OutboundPublish<Owner>, version: MqttVersion): void {
  const { topic, payload, qos, properties } = publish;
  try {
    const remaining = messageLength(topic, payload, properties, version) + (qos === 0 ? 0 : 2);
    checkRemainingLength(remaining);
    publish.headBytes = remaining - payload.length;
  } catch (error) {
    // When it is the topic's fault, the topic's own check says so better.
    checkTopicName(topic);
    throw error;
  }
}

const noSlots: never[] = [];
const firstSlots = 4;
/** Every identifier then has a slot of its own. */
const slotsMax = 65_536;

/**
 * Packet identifiers and what waits under them. Identifiers go round 1..65535 and an identifier's low bits are its
 * slot, so that giving one out, finding and freeing it are array accesses; a slot that is still taken is skipped. The table
 * begins small and grows with what is in use: most devices never have more than a few messages on their way.
 */
export class PacketIdTable<Entry extends { packetId: number | undefined }> {
  #slots: (Entry | undefined)[] = noSlots;
  #mask = -1;
  readonly #entriesMax: number;
  #nextId = 1;
  #count = 0;

  /** @param entriesMax 1..65535; the table has at least twice as many slots as entries where identifiers allow it. */
  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#entriesMax;
  }

  /** Gives `entry` a free identifier. The caller has checked {@link isFull}. */
  add(entry: Entry): number {
    if (this.#count * 2 >= this.#slots.length && this.#slots.length < slotsMax) this.#grow();
    let id = this.#nextId;
    while (this.#slots[id & this.#mask] !== undefined) id = id === 65535 ? 1 : id + 1;
    this.#nextId = id === 65535 ? 1 : id + 1;
    this.#slots[id & this.#mask] = entry;
    this.#count += 1;
    entry.packetId = id;
    return id;
  }

  #grow(): void {
    const entries = [...this.entries()];
    const slots = Math.max(firstSlots, this.#slots.length * 2);
    this.#slots = new Array<Entry | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
    // No two of them meet: they differ in the bits that told them apart before.
    for (const entry of entries) this.#slots[(entry.packetId ?? 0) & this.#mask] = entry;
  }

  get(packetId: number): Entry | undefined {
    const entry = this.#slots[packetId & this.#mask];
    return entry !== undefined && entry.packetId === packetId ? entry : undefined;
  }

  /** Frees the identifier; the entry keeps its number for messages about it. */
  release(packetId: number | undefined): void {
    if (packetId === undefined || this.get(packetId) === undefined) return;
    this.#slots[packetId & this.#mask] = undefined;
    this.#count -= 1;
  }

  *entries(): Iterable<Entry> {
    for (const entry of this.#slots) if (entry !== undefined) yield entry;
  }
}
