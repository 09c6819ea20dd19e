/** How long before its end a client uses up a keep alive, as a share of it: room for a late timer and a slow link. */
export const pingAfterShare = 0.9;
/** Longest wait for an answer to PINGREQ; a short keep alive waits half of itself. */
export const pingTimeoutMsMax = 30_000;

/**
 * Keep alive of the client. Only what is received proves the link: a client that publishes all day over a dead link
 * must still ping. And a client that only listens must still send something in every keep alive [MQTT-3.1.2-23].
 * Ping and wait together end within 1.5 keep alives of the last packet received.
 */
export class ClientKeepAlive {
  // Whole numbers from the beginning: V8 keeps a fraction, or Infinity, in memory of its own.
  #pingAfterMs = 0;
  #pingTimeoutMs = 0;
  #lastReceivedMs = 0;
  #lastSentMs = 0;
  #pingSentMs = 0;
  #isProbing = false;
  #isDeaf = false;
  /** PINGREQs without PINGRESP: other packets prove the link too, so a second may leave before the first is answered. */
  #pingsOutstanding = 0;

  /** @param keepAliveSeconds 0 turns the mechanism off [MQTT-3.1.2-24 has nothing to enforce then]. */
  start(keepAliveSeconds: number, nowMs: number): void {
    const keepAliveMs = keepAliveSeconds === 0 ? Infinity : keepAliveSeconds * 1000;
    this.#pingAfterMs = Math.floor(keepAliveMs * pingAfterShare);
    this.#pingTimeoutMs = Math.min(Math.floor(keepAliveMs / 2), pingTimeoutMsMax);
    this.#lastReceivedMs = nowMs;
    this.#lastSentMs = nowMs;
    this.#isProbing = false;
    this.#isDeaf = false;
    this.#pingsOutstanding = 0;
  }

  received(nowMs: number): void {
    this.#lastReceivedMs = nowMs;
    this.#isProbing = false;
  }

  sent(nowMs: number): void {
    this.#lastSentMs = nowMs;
  }

  pingSent(nowMs: number): void {
    this.#lastSentMs = nowMs;
    this.#pingSentMs = nowMs;
    this.#isProbing = !this.#isDeaf;
    this.#pingsOutstanding += 1;
  }

  /** @returns false when no PINGREQ was waiting for this PINGRESP */
  pingAnswered(): boolean {
    if (this.#pingsOutstanding === 0) return false;
    this.#pingsOutstanding -= 1;
    return true;
  }

  get isPingOutstanding(): boolean {
    return this.#pingsOutstanding > 0;
  }

  /** While we do not read ourselves, silence says nothing about the peer. */
  setDeaf(isDeaf: boolean, nowMs: number): void {
    this.#isDeaf = isDeaf;
    this.#isProbing = false;
    this.#lastReceivedMs = nowMs;
  }

  /** When {@link check} has something to say at the earliest, unless packets come in between. */
  get dueMs(): number {
    if (this.#isProbing) return this.#pingSentMs + this.#pingTimeoutMs;
    const since = this.#isDeaf ? this.#lastSentMs : Math.min(this.#lastReceivedMs, this.#lastSentMs);
    return since + this.#pingAfterMs;
  }

  /** Milliseconds until the next PINGREQ is due; 0 when it is overdue, Infinity when keep alive is off. */
  timeLeftMs(nowMs: number): number {
    const since = this.#isDeaf ? this.#lastSentMs : Math.min(this.#lastReceivedMs, this.#lastSentMs);
    const fromMs = this.#isProbing ? Math.max(since, this.#pingSentMs) : since;
    return Math.max(0, fromMs + this.#pingAfterMs - nowMs);
  }

  check(nowMs: number): "wait" | "ping" | "dead" {
    if (nowMs < this.dueMs) return "wait";
    return this.#isProbing ? "dead" : "ping";
  }
}
