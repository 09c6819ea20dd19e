import { type ErrorCode, ThinglineError } from "@thingline/protocol";
import type { JournalEntry } from "./journal.js";
import type { OfflineDropReason, OfflineMessage, OfflineOverflow, OfflineQueueStats } from "./types.js";

/** A message in the queue. `storing`: its write is under way; `sent`: the session has it and owns sending it again. */
export interface QueueEntry extends JournalEntry {
  readonly bytes: number;
  readonly isRestored: boolean;
  state: "storing" | "stored" | "sent";
  /** How often the server closed the connection while this was the only message on its way. */
  cutCount: number;
}

export interface QueueLimits {
  messagesMax: number;
  bytesMax: number;
  overflow: OfflineOverflow;
  messagesPerSecondMax: number;
  /** Without a disk a message is stored as soon as it was taken. */
  isOnDisk: boolean;
}

export interface QueueTime {
  monotonicMs: number;
  unixMs: number;
}

/** `limit` and `sequence` name what the message was published with. */
export type QueueInput =
  | { type: "publish"; message: OfflineMessage; bytes: number; expiresAtUnixMs: number }
  /** Found on disk: before anything else. */
  | { type: "restore"; entries: readonly (JournalEntry & { bytes: number })[]; nextSequence: number }
  | { type: "stored"; sequences: readonly number[] }
  | { type: "storeFailed"; sequences: readonly number[]; error: ThinglineError }
  /** The session takes one more. */
  | { type: "room" }
  /** The connection ended, and the session has nothing of ours any more. `cause`: what is known about the reason. */
  | { type: "cut"; isByServer: boolean; cause?: ThinglineError | undefined }
  /** PUBACK, or `error`: why there was none. */
  | { type: "settled"; sequence: number; error: ThinglineError | undefined }
  /** The publisher gave up. */
  | { type: "abandon"; sequence: number; error: ThinglineError }
  | { type: "tick" };

export type QueueEffect =
  /** The `publish` does not fit. */
  | { type: "refused"; error: ThinglineError }
  | { type: "write"; entry: QueueEntry }
  /** Off the disk. */
  | { type: "forget"; sequence: number }
  | { type: "send"; entry: QueueEntry }
  | { type: "stored"; sequence: number }
  | { type: "acknowledged"; entry: QueueEntry }
  | { type: "failed"; entry: QueueEntry; error: ThinglineError; dropReason?: OfflineDropReason };

/** A backlog may begin with this part of a second's messages at once. */
const burstsPerSecond = 10;
/** After the cloud said that there were too many messages. */
export const quotaPauseMs = 1_000;

/**
 * A message that was alone on its way at so many cuts is taken for refused. AWS IoT closes a connection of MQTT 3.1.1 when a
 * policy denies a publish; so does a bad network, and a message that was stored is not given up for one cut.
 */
export const cutsMax = 10;

/** Reason code of MQTT 5: quota exceeded. */
const quotaExceeded = 0x97;

/**
 * The message is at fault and would be again. Whatever else the session gives it up for is a matter of the connection or of
 * the credentials: it waits for the next attempt.
 */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "MQTT_PACKET_INVALID",
  "MQTT_PACKET_TOO_LARGE",
  "MQTT_PUBLISH_REFUSED",
  "MQTT_UNSUPPORTED",
  "TOPIC_NAME_INVALID",
]);

/**
 * Which messages wait, which is next, and which give way. No IO and no clock: input and time in, effects out, in the
 * order in which they have to happen.
 */
export class QueueMachine {
  readonly #limits: QueueLimits;
  /** In order of their sequence. */
  readonly #entries = new Map<number, QueueEntry>();
  readonly #counts = { queued: 0, restored: 0, acknowledged: 0, overflow: 0, expired: 0, refused: 0 };
  #nextSequence = 1;
  #bytes = 0;
  #sentCount = 0;
  /** No message expires before; it may be too early. */
  #expiryUnixMs = Infinity;
  /** Sending is paced by a bucket of tokens: so many are left at that time. */
  #tokens: number;
  #tokensAtMs = -Infinity;
  /** Messages that may be on their way at one time. */
  #window = Infinity;
  #effects: QueueEffect[] = [];

  constructor(limits: QueueLimits) {
    this.#limits = limits;
    this.#tokens = this.#tokensMax;
  }

  get stats(): OfflineQueueStats {
    const { queued, restored, acknowledged, overflow, expired, refused } = this.#counts;
    return {
      messageCount: this.#entries.size,
      bytes: this.#bytes,
      queuedCount: queued,
      restoredCount: restored,
      acknowledgedCount: acknowledged,
      overflowCount: overflow,
      expiredCount: expired,
      refusedCount: refused,
    };
  }

  /** Messages that were not handed to the session. */
  get waitingCount(): number {
    return this.#entries.size - this.#sentCount;
  }

  /** When a `tick` is due, as a delay: a message expires then. */
  expiryInMs(now: QueueTime): number {
    return Math.max(0, this.#expiryUnixMs - now.unixMs);
  }

  /** How long the pace lets the next message wait. */
  paceInMs(now: QueueTime): number {
    const { messagesPerSecondMax } = this.#limits;
    if (messagesPerSecondMax === Infinity) return Math.max(0, this.#tokensAtMs - now.monotonicMs);
    const tokens = this.#tokensAt(now.monotonicMs);
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1000) / messagesPerSecondMax);
  }

  step(input: QueueInput, now: QueueTime): QueueEffect[] {
    switch (input.type) {
      case "publish":
        this.#publish(input, now);
        break;
      case "restore":
        this.#restore(input);
        break;
      case "stored":
        for (const sequence of input.sequences) this.#stored(sequence);
        break;
      case "storeFailed":
        for (const sequence of input.sequences) this.#storeFailed(sequence, input.error);
        break;
      case "room":
        this.#sendNext(now);
        break;
      case "cut":
        this.#cut(input.isByServer, input.cause);
        break;
      case "settled":
        this.#settled(input.sequence, input.error, now);
        break;
      case "abandon": {
        const entry = this.#entries.get(input.sequence);
        if (entry !== undefined) this.#fail(entry, input.error);
        break;
      }
      case "tick":
        this.#expire(now);
        break;
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #publish({ message, bytes, expiresAtUnixMs }: QueueInput & { type: "publish" }, now: QueueTime): void {
    const { isOnDisk } = this.#limits;
    if (this.#entries.size >= this.#limits.messagesMax) this.#expire(now);
    const error = this.#makeRoom(bytes);
    if (error !== undefined) return void this.#effects.push({ type: "refused", error });
    const sequence = this.#nextSequence++;
    const state = isOnDisk ? "storing" : "stored";
    const entry: QueueEntry = {
      sequence,
      message,
      bytes,
      expiresAtUnixMs,
      isRestored: false,
      state,
      cutCount: 0,
    };
    this.#counts.queued += 1;
    this.#add(entry);
    this.#effects.push(isOnDisk ? { type: "write", entry } : { type: "stored", sequence });
  }

  /** @returns why there is none */
  #makeRoom(bytes: number): ThinglineError | undefined {
    const { messagesMax, bytesMax, overflow } = this.#limits;
    const fits = (): boolean => this.#entries.size < messagesMax && this.#bytes + bytes <= bytesMax;
    if (fits()) return undefined;
    const given = overflow === "dropOldest" && bytes <= bytesMax ? this.#oldestGivingRoom(bytes) : undefined;
    if (given === undefined) {
      const held = `${this.#entries.size} messages with ${this.#bytes} bytes`;
      const message = `the offline queue holds ${held} and takes no ${bytes} more: messagesMax is ${messagesMax}, bytesMax is ${bytesMax}`;
      return new ThinglineError("LIMIT_EXCEEDED", message, { details: { messagesMax, bytesMax } });
    }
    for (const entry of given) {
      const message = `the offline queue is full: the message on "${entry.message.topic}" was the oldest and gave way`;
      const details = { topic: entry.message.topic, messagesMax, bytesMax };
      this.#fail(entry, new ThinglineError("LIMIT_EXCEEDED", message, { details }), "overflow");
    }
    return undefined;
  }

  /** Messages on their way give no way: they may arrive. @returns undefined when they are what fills the queue */
  #oldestGivingRoom(bytes: number): QueueEntry[] | undefined {
    const { messagesMax, bytesMax } = this.#limits;
    const given: QueueEntry[] = [];
    let givenBytes = 0;
    for (const entry of this.#entries.values()) {
      if (this.#entries.size - given.length < messagesMax && this.#bytes - givenBytes + bytes <= bytesMax) return given;
      if (entry.state === "sent") continue;
      given.push(entry);
      givenBytes += entry.bytes;
    }
    const isEnough = this.#entries.size - given.length < messagesMax && this.#bytes - givenBytes + bytes <= bytesMax;
    return isEnough ? given : undefined;
  }

  #restore({ entries, nextSequence }: QueueInput & { type: "restore" }): void {
    for (const { sequence, message, bytes, expiresAtUnixMs } of entries) {
      this.#add({ sequence, message, bytes, expiresAtUnixMs, isRestored: true, state: "stored", cutCount: 0 });
    }
    this.#counts.restored += entries.length;
    this.#nextSequence = Math.max(this.#nextSequence, nextSequence);
  }

  #stored(sequence: number): void {
    const entry = this.#entries.get(sequence);
    if (entry?.state !== "storing") return;
    entry.state = "stored";
    this.#effects.push({ type: "stored", sequence });
  }

  #storeFailed(sequence: number, error: ThinglineError): void {
    const entry = this.#entries.get(sequence);
    if (entry?.state !== "storing") return;
    this.#remove(entry);
    this.#effects.push({ type: "failed", entry, error });
  }

  #sendNext(now: QueueTime): void {
    this.#expire(now);
    if (this.#sentCount >= this.#window || this.paceInMs(now) > 0) return;
    for (const entry of this.#entries.values()) {
      if (entry.state === "sent") continue;
      // One that is being stored is sent when it is: what follows it must not overtake it.
      if (entry.state === "storing") return;
      entry.state = "sent";
      this.#sentCount += 1;
      this.#takeToken(now.monotonicMs);
      this.#effects.push({ type: "send", entry });
      return;
    }
  }

  #settled(sequence: number, error: ThinglineError | undefined, now: QueueTime): void {
    const entry = this.#entries.get(sequence);
    if (entry?.state !== "sent") return;
    if (error === undefined) {
      this.#counts.acknowledged += 1;
      this.#window *= 2;
      this.#remove(entry);
      this.#effects.push({ type: "forget", sequence }, { type: "acknowledged", entry });
      return;
    }
    const isThrottled = error.code === "MQTT_PUBLISH_REFUSED" && error.details["reasonCode"] === quotaExceeded;
    if (!isThrottled && refusals.has(error.code)) return this.#fail(entry, error, "refused");
    this.#unsend(entry);
    if (!isThrottled) return;
    this.#tokens = 0;
    this.#tokensAtMs = now.monotonicMs + quotaPauseMs;
  }

  /**
   * All messages are to be sent again. If the server closed because of one of them, that one is found by sending the first
   * alone, and twice as many with each PUBACK.
   */
  #cut(isByServer: boolean, cause: ThinglineError | undefined): void {
    const sent = [...this.#entries.values()].filter(({ state }) => state === "sent");
    for (const entry of sent) this.#unsend(entry);
    if (!isByServer || sent.length === 0) return;
    this.#window = 1;
    const [only] = sent;
    if (only === undefined || sent.length > 1) return;
    only.cutCount += 1;
    if (only.cutCount < cutsMax) return;
    const { topic } = only.message;
    const why = cause === undefined ? "" : `; the last time ${cause.message}`;
    const message = `the connection was cut ${cutsMax} times while the message on "${topic}" was on its way${why}`;
    const details = { ...cause?.details, topic, cutsMax };
    this.#fail(only, new ThinglineError("CONNECTION_LOST", message, { details, cause }), "refused");
  }

  #unsend(entry: QueueEntry): void {
    entry.state = "stored";
    this.#sentCount -= 1;
    // It may have expired on its way.
    this.#expiryUnixMs = Math.min(this.#expiryUnixMs, entry.expiresAtUnixMs);
  }

  /** What is on its way may arrive in time, and is left alone. */
  #expire(now: QueueTime): void {
    if (now.unixMs < this.#expiryUnixMs) return;
    this.#expiryUnixMs = Infinity;
    for (const entry of [...this.#entries.values()]) {
      if (entry.state === "sent") continue;
      if (entry.expiresAtUnixMs > now.unixMs) {
        this.#expiryUnixMs = Math.min(this.#expiryUnixMs, entry.expiresAtUnixMs);
        continue;
      }
      const { topic } = entry.message;
      const message = `the message on "${topic}" waited in the offline queue until it expired`;
      this.#fail(entry, new ThinglineError("TIMEOUT", message, { details: { topic } }), "expired");
    }
  }

  #fail(entry: QueueEntry, error: ThinglineError, dropReason?: OfflineDropReason): void {
    this.#remove(entry);
    if (dropReason !== undefined) this.#counts[dropReason] += 1;
    const failed = { type: "failed", entry, error } as const;
    this.#effects.push(
      { type: "forget", sequence: entry.sequence },
      dropReason === undefined ? failed : { ...failed, dropReason },
    );
  }

  #add(entry: QueueEntry): void {
    this.#entries.set(entry.sequence, entry);
    this.#bytes += entry.bytes;
    this.#expiryUnixMs = Math.min(this.#expiryUnixMs, entry.expiresAtUnixMs);
  }

  #remove(entry: QueueEntry): void {
    this.#entries.delete(entry.sequence);
    this.#bytes -= entry.bytes;
    if (entry.state === "sent") this.#sentCount -= 1;
  }

  get #tokensMax(): number {
    return Math.max(1, this.#limits.messagesPerSecondMax / burstsPerSecond);
  }

  #tokensAt(nowMs: number): number {
    if (nowMs <= this.#tokensAtMs)
      return this.#tokens - ((this.#tokensAtMs - nowMs) * this.#limits.messagesPerSecondMax) / 1000;
    const gained = ((nowMs - this.#tokensAtMs) * this.#limits.messagesPerSecondMax) / 1000;
    return Math.min(this.#tokensMax, this.#tokens + gained);
  }

  #takeToken(nowMs: number): void {
    if (this.#limits.messagesPerSecondMax === Infinity) return;
    this.#tokens = this.#tokensAt(nowMs) - 1;
    this.#tokensAtMs = nowMs;
  }
}
