import { OutboundInflight } from "./server-session-inflight.js";

/** What the session needs to know of a message that waits. The rest is its owner's. */
export interface SessionMessage {
  /** Rises with every message of the session: the order of delivery, also after a resumption. */
  readonly sequence: number;
  /** Counts against the bounds of the queue. */
  readonly sizeBytes: number;
  /** Unix time; undefined means never. [MQTT-3.3.2-5] */
  readonly expiresAtMs: number | undefined;
}

export interface ServerSessionLimits {
  /** Messages that wait, those in flight excluded. */
  queuedMessagesMax: number;
  queuedBytesMax: number;
}

/**
 * Messages from server to client at QoS 1: what waits, what is in flight, and how both survive from one connection to
 * the next. Knows no bytes, sockets or clocks.
 *
 * What was in flight when the connection ended waits again, in the old order and ahead of everything newer. As with AWS
 * IoT Core it then goes out as a new PUBLISH: new packet identifier, no DUP flag.
 */
export class ServerSession<M extends SessionMessage> {
  inflight: OutboundInflight<M> | undefined;
  queuedBytes = 0;
  private readonly limits: ServerSessionLimits;
  private queue: M[] = [];
  private head = 0;

  constructor(limits: ServerSessionLimits) {
    this.limits = limits;
  }

  /** Messages that wait, those in flight excluded. */
  get queuedCount(): number {
    return this.queue.length - this.head;
  }

  /** A connection begins. @param windowMax at most so many in flight: the client's Receive Maximum and ours. */
  attach(windowMax: number): void {
    this.detach();
    this.inflight = new OutboundInflight<M>(windowMax);
  }

  /** The connection is gone: what was in flight waits again. */
  detach(): void {
    if (this.inflight === undefined) return;
    const again = this.inflight.clear().sort((a, b) => a.sequence - b.sequence);
    this.inflight = undefined;
    if (again.length === 0) return;
    for (const message of again) this.queuedBytes += message.sizeBytes;
    this.queue = [...again, ...this.queue.slice(this.head)];
    this.head = 0;
  }

  /** Messages that were taken out wait again, each in its old place. They are over no bound: they were in it. */
  putBack(messages: readonly M[]): void {
    if (messages.length === 0) return;
    for (const message of messages) this.queuedBytes += message.sizeBytes;
    this.queue = [...messages, ...this.queue.slice(this.head)].sort((a, b) => a.sequence - b.sequence);
    this.head = 0;
  }

  /** @returns false when the queue is full: the new message is the one to drop. */
  enqueue(message: M): boolean {
    if (this.queuedCount >= this.limits.queuedMessagesMax) return false;
    if (this.queuedBytes + message.sizeBytes > this.limits.queuedBytesMax) return false;
    this.queue.push(message);
    this.queuedBytes += message.sizeBytes;
    return true;
  }

  /** The message to be sent next, if one waits. Stays in the queue until {@link shift}. */
  peek(): M | undefined {
    return this.queue[this.head];
  }

  shift(): M | undefined {
    const message = this.queue[this.head];
    if (message === undefined) return undefined;
    this.queue[this.head] = undefined as unknown as M;
    this.head++;
    this.queuedBytes -= message.sizeBytes;
    // Compacts seldom enough that a message is moved once on average.
    if (this.head === this.queue.length) {
      this.queue.length = 0;
      this.head = 0;
    } else if (this.head >= 1024 && this.head * 2 >= this.queue.length) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
    return message;
  }

  /** What waits and what is in flight, in no order. */
  all(): M[] {
    return [...(this.inflight?.kept() ?? []), ...this.queue.slice(this.head)];
  }

  /** The session ends. @returns what waited or was in flight. */
  clear(): M[] {
    this.detach();
    const left = this.queue.slice(this.head);
    this.queue = [];
    this.head = 0;
    this.queuedBytes = 0;
    return left;
  }
}
