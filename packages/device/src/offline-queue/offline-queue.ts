import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import { abortedError, textOf } from "../errors.js";
import { EarlyMessages } from "./early-messages.js";
import { Journal, type JournalHandlers, type OpenedJournal } from "./journal.js";
import type { JournalDamage } from "./journal-recovery.js";
import { segmentPath } from "./journal-segments.js";
import { messageBytes } from "./journal-record.js";
import { type QueueEffect, type QueueInput, QueueMachine, type QueueTime } from "./machine.js";
import type { CheckedOfflineQueue } from "./options.js";
import type { OfflineMessage, OfflineQueueEvent, OfflineQueueStats } from "./types.js";

/** What the queue needs of its device. */
export interface OfflineQueuePort {
  /** The session is ready and would send one more message at once. */
  hasRoom(): boolean;
  /**
   * Hands a message to the session, which owns sending it again until it calls `settle`, once: no error is PUBACK.
   *
   * @throws {ThinglineError} The message cannot be sent: as if it was settled with that error.
   */
  send(message: OfflineMessage, settle: (error: ThinglineError | undefined) => void): SentMessage;
  /** The session holds no other messages than `count` of ours: taking them back changes no order. */
  holdsOnly(count: number): boolean;
  emit(event: OfflineQueueEvent): void;
  /** What has no caller to go to. */
  report(error: Error): void;
  /** Calls what a timer, a signal or the journal calls back: what is thrown there ends what the device is doing, and not the process. */
  guard(handle: () => void): void;
}

export interface SentMessage {
  /** Nobody waits any longer; `settle` is not called any more. */
  abandon(): void;
  /** The connection has ended: the session forgets the message, and does not call `settle`. */
  takeBack(): void;
}

export interface OfflinePublishOptions {
  /** When the promise resolves: with PUBACK, or as soon as the queue has the message in safety. */
  until: "acknowledged" | "stored";
  /** From now. Default: the queue's. */
  expiresAfterMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

interface Waiter {
  until: "acknowledged" | "stored";
  resolve: () => void;
  reject: (error: ThinglineError) => void;
  /** Takes the listener off the signal. */
  release: () => void;
}

/** Timers of Node.js count 2^31 ms at most. */
const timerMsMax = 24 * 3_600_000;
/** The journal is written anew when its files take so many times what the queue may hold. */
const filesFactor = 2;

/** A folder that could not be tidied is tried again: at first, and at the longest. */
export const tidyFirstMs = 1_000;
export const tidyLastMs = 60_000;

/** Runs a {@link QueueMachine} with its journal, its timer and the promises of its publishers. */
export class OfflineQueue {
  readonly #options: CheckedOfflineQueue;
  readonly #clock: Clock;
  readonly #port: OfflineQueuePort;
  readonly #machine: QueueMachine;
  readonly #waiters = new Map<number, Waiter>();
  readonly #sent = new Map<number, SentMessage>();
  readonly #early: EarlyMessages;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #journal: Journal | undefined;
  #closing: Promise<void> | undefined;
  #isPumping = false;
  #timer: Timer | undefined;
  #tidyTimer: Timer | undefined;
  #tidyFailures = 0;

  constructor(options: CheckedOfflineQueue, clock: Clock, port: OfflineQueuePort) {
    const { messagesMax, bytesMax, overflow, messagesPerSecondMax, storage } = options;
    this.#options = options;
    this.#early = new EarlyMessages(options);
    this.#clock = clock;
    this.#port = port;
    const isOnDisk = storage !== undefined;
    this.#machine = new QueueMachine({ messagesMax, bytesMax, overflow, messagesPerSecondMax, isOnDisk });
    this.#isOpen = !isOnDisk;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get stats(): OfflineQueueStats {
    return this.#machine.stats;
  }

  /** Nothing waits to be handed to the session: a message that is sent directly overtakes none. */
  get isPassable(): boolean {
    return this.#isOpen && this.#machine.waitingCount === 0;
  }

  /**
   * Takes the folder and reads what an earlier process left. Again after a failure; safe to call twice.
   *
   * @throws {ThinglineError} LOCKED, FILE_UNREADABLE, STORE_VERSION_UNKNOWN, CLOSED.
   */
  open(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    if (this.#isOpen) return Promise.resolve();
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /**
   * Takes a message. The payload is copied.
   *
   * @throws {ThinglineError} LIMIT_EXCEEDED, CLOSED, what {@link open} and the disk throw, TIMEOUT when it expired,
   * ABORTED, MQTT_PUBLISH_REFUSED and other refusals; TOPIC_NAME_INVALID, OPTION_INVALID.
   */
  async publish(wanted: OfflineMessage, options: OfflinePublishOptions): Promise<void> {
    if (this.#closing !== undefined) throw closedError();
    if (wanted.properties?.topicAlias !== undefined) {
      const details = { option: "properties.topicAlias" };
      throw new ThinglineError("OPTION_INVALID", "a topic alias means nothing on a later connection", { details });
    }
    const bytes = messageBytes(wanted);
    const message = { ...wanted, payload: wanted.payload.slice() };
    if (wanted.properties !== undefined) message.properties = structuredClone(wanted.properties);
    const expiresAfterMs = options.expiresAfterMs ?? this.#options.expiresAfterMs;
    const expiresAtUnixMs = this.#clock.unixMs() + expiresAfterMs;
    const input = { type: "publish", message, bytes, expiresAtUnixMs } as const;
    await (this.#isOpen ? this.#take(input, options) : this.#takeWhenOpen(input, options));
  }

  /** Hands on what the session takes. To be called when it may take more: ready, a message settled, bytes drained. */
  pump(): void {
    if (this.#isPumping || this.#closing !== undefined || !this.#isOpen) return;
    this.#isPumping = true;
    try {
      while (this.#machine.waitingCount > 0 && this.#port.hasRoom()) {
        const before = this.#machine.waitingCount;
        this.#step({ type: "room" });
        if (this.#machine.waitingCount === before) break;
      }
    } finally {
      this.#isPumping = false;
    }
    this.#arm();
  }

  /**
   * The connection has ended. What was on its way is taken back from the session, which would send all of it again at once:
   * so a message that the server closes for is found.
   */
  connectionEnded(isByServer: boolean, cause?: ThinglineError): void {
    if (this.#sent.size === 0 || !this.#port.holdsOnly(this.#sent.size)) return;
    for (const message of this.#sent.values()) message.takeBack();
    this.#sent.clear();
    this.#step({ type: "cut", isByServer, cause });
  }

  /** Writes what was taken, rejects the promises that wait for PUBACK, and gives the folder back. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #open(): Promise<void> {
    let opened: OpenedJournal;
    try {
      opened = await this.#openJournal();
    } catch (error) {
      const failure = storageError(error);
      this.#early.start(failure);
      throw failure;
    }
    this.#journal = opened.journal;
    this.#isOpen = true;
    const entries = opened.entries.map((entry) => ({ ...entry, bytes: messageBytes(entry.message) }));
    this.#step({ type: "restore", entries, nextSequence: opened.nextSequence });
    for (const damage of opened.damages) this.#reportDamage(damage);
    if (entries.length > 0) {
      this.#port.emit({ type: "restored", messageCount: entries.length, bytes: this.stats.bytes });
    }
    this.#early.start(undefined);
    this.pump();
  }

  #openJournal(): Promise<OpenedJournal> {
    const { storage, bytesMax } = this.#options;
    if (storage === undefined) throw new Error("a queue in memory is open from the beginning");
    const handlers: JournalHandlers = {
      stored: (entries) =>
        this.#port.guard(() => {
          this.#step({ type: "stored", sequences: entries.map(({ sequence }) => sequence) });
          this.pump();
        }),
      failed: (entries, error) => {
        const sequences = entries.map(({ sequence }) => sequence);
        this.#port.guard(() => this.#step({ type: "storeFailed", sequences, error: storageError(error) }));
      },
      troubled: (error) => this.#port.report(storageError(error)),
      untidy: (isUntidy) => this.#port.guard(() => this.#tidyLater(isUntidy)),
    };
    const options = { ...storage, filesBytesMax: filesFactor * bytesMax + 2 * storage.segmentBytes };
    return Journal.open(options, handlers, this.#clock.unixMs());
  }

  /** Also when nothing more is published or settled: what is not written down would be sent again after a restart. */
  #tidyLater(isUntidy: boolean): void {
    this.#tidyTimer?.cancel();
    this.#tidyTimer = undefined;
    this.#tidyFailures = isUntidy ? this.#tidyFailures + 1 : 0;
    if (!isUntidy || this.#closing !== undefined) return;
    const delayMs = Math.min(tidyLastMs, tidyFirstMs * 2 ** Math.min(this.#tidyFailures - 1, 10));
    this.#tidyTimer = this.#clock.setTimer(delayMs, () => this.#port.guard(() => this.#journal?.tidy()));
  }

  #reportDamage({ damage, segment, offset, lengthBytes }: JournalDamage): void {
    const path = segmentPath(this.#options.storage?.folder ?? "", segment);
    this.#port.emit({ type: "damaged", damage, path, offset, lengthBytes });
    if (damage === "tornTail") return;
    const message = `"${path}" is corrupt: ${lengthBytes} bytes from ${offset} on were skipped, and messages with them`;
    this.#port.report(new ThinglineError("STORE_CORRUPT", message, { details: { path, offset, lengthBytes } }));
  }

  /** Until the folder was read nothing can go in front of what is in there. */
  #takeWhenOpen(input: QueueInput & { type: "publish" }, options: OfflinePublishOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#early.add(input.bytes, (failure) => {
        if (failure === undefined) resolve(this.#take(input, options));
        else reject(failure);
      });
      // Its failure goes to each of those who wait.
      void this.open().catch(() => undefined);
    });
  }

  #take(input: QueueInput & { type: "publish" }, { until, signal }: OfflinePublishOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw abortedError(signal);
      let sequence = 0;
      const abort = (): void => this.#port.guard(() => this.#abandon(sequence, abortedError(signal)));
      const release = (): void => signal?.removeEventListener("abort", abort);
      const waiter = { until, resolve, reject, release };
      const effects = this.#machine.step(input, this.#now());
      for (const effect of effects) {
        if (effect.type === "write") sequence = effect.entry.sequence;
        else if (effect.type === "stored") sequence = effect.sequence;
        else if (effect.type === "refused") reject(effect.error);
      }
      if (sequence !== 0) {
        this.#waiters.set(sequence, waiter);
        signal?.addEventListener("abort", abort, { once: true });
      }
      this.#perform(effects);
      this.pump();
    });
  }

  #abandon(sequence: number, error: ThinglineError): void {
    this.#sent.get(sequence)?.abandon();
    this.#sent.delete(sequence);
    this.#step({ type: "abandon", sequence, error });
    this.pump();
  }

  #step(input: QueueInput): void {
    this.#perform(this.#machine.step(input, this.#now()));
  }

  #perform(effects: readonly QueueEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "refused":
          // Its publisher has no place in the queue, and was told.
          break;
        case "write":
          this.#journal?.write(effect.entry);
          break;
        case "forget":
          this.#journal?.settle(effect.sequence);
          break;
        case "send":
          this.#send(effect.entry.sequence, effect.entry.message);
          break;
        case "stored":
          if (this.#waiters.get(effect.sequence)?.until === "stored") this.#takeWaiter(effect.sequence)?.resolve();
          break;
        case "acknowledged": {
          const { sequence, isRestored, message } = effect.entry;
          this.#takeWaiter(sequence)?.resolve();
          this.#port.emit({ type: "acknowledged", topic: message.topic, sequence, isRestored });
          break;
        }
        case "failed": {
          const { entry, error, dropReason } = effect;
          const { sequence, message } = entry;
          this.#takeWaiter(sequence)?.reject(error);
          if (dropReason !== undefined)
            this.#port.emit({ type: "dropped", reason: dropReason, message, sequence, error });
          break;
        }
      }
    }
  }

  #send(sequence: number, message: OfflineMessage): void {
    let isSettled = false;
    const settle = (error: ThinglineError | undefined): void => {
      isSettled = true;
      this.#sent.delete(sequence);
      this.#step({ type: "settled", sequence, error });
      this.pump();
    };
    try {
      const sent = this.#port.send(message, settle);
      if (!isSettled) this.#sent.set(sequence, sent);
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      settle(error);
    }
  }

  #takeWaiter(sequence: number): Waiter | undefined {
    const waiter = this.#waiters.get(sequence);
    this.#waiters.delete(sequence);
    waiter?.release();
    return waiter;
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#closing !== undefined || this.#machine.waitingCount === 0) return;
    const now = this.#now();
    const paceMs = this.#port.hasRoom() ? this.#machine.paceInMs(now) : 0;
    // Without room, or with a write to wait for, something else wakes the queue.
    const delayMs = Math.min(this.#machine.expiryInMs(now), paceMs > 0 ? paceMs : Infinity);
    if (delayMs === Infinity) return;
    this.#timer = this.#clock.setTimer(Math.min(delayMs, timerMsMax), () =>
      this.#port.guard(() => {
        this.#timer = undefined;
        this.#step({ type: "tick" });
        this.pump();
      }),
    );
  }

  #now(): QueueTime {
    return { monotonicMs: this.#clock.monotonicMs(), unixMs: this.#clock.unixMs() };
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    this.#tidyTimer?.cancel();
    await this.#opening?.catch(() => undefined);
    try {
      await this.#journal?.close();
    } catch (error) {
      this.#port.report(storageError(error));
    }
    for (const sequence of [...this.#waiters.keys()]) {
      const fate = this.#journal === undefined ? "it is lost" : "it stays in the folder and is sent by the next one";
      const message = `the device was closed before the message was acknowledged: ${fate}`;
      this.#takeWaiter(sequence)?.reject(new ThinglineError("CLOSED", message));
    }
  }
}

function closedError(): ThinglineError {
  return new ThinglineError("CLOSED", "the offline queue is closed");
}

function storageError(error: unknown): ThinglineError {
  if (isThinglineError(error)) return error;
  return new ThinglineError("FILE_UNREADABLE", `the offline queue's folder: ${textOf(error)}`, { cause: error });
}
