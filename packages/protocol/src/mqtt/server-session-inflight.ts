const slotsAtStart = 64;

/**
 * PUBLISH QoS 1 sent and not yet acknowledged, by packet identifier. One typed array tells free from used and when it
 * was sent, so that sending and acknowledging allocate nothing.
 *
 * @typeParam M what is kept to be sent again; `undefined` where nothing is (a clean session never sends again).
 */
export class OutboundInflight<M> {
  readonly windowMax: number;
  count = 0;
  /** By packet identifier minus 1: 0 is free, else the second of sending plus 1. */
  private sentAtSeconds: Uint32Array;
  private readonly messages: (M | undefined)[] = [];
  private cursor = 0;

  /** @param windowMax 1 to 65535, [MQTT-3.3.4-9] the client's Receive Maximum included. */
  constructor(windowMax: number) {
    this.windowMax = windowMax;
    this.sentAtSeconds = new Uint32Array(slotsAtStart);
  }

  /** A packet identifier that is free, or 0 when the window is full. */
  allocate(message: M | undefined, nowSeconds: number): number {
    if (this.count >= this.windowMax) return 0;
    if (this.count * 2 >= this.sentAtSeconds.length) this.grow();
    const { sentAtSeconds } = this;
    const mask = sentAtSeconds.length - 1;
    let slot = this.cursor;
    // At most half of the slots are used (all but one of 65536), so the search is short.
    while (sentAtSeconds[slot] !== 0 || slot === 65_535) slot = (slot + 1) & mask;
    this.cursor = (slot + 1) & mask;
    sentAtSeconds[slot] = nowSeconds + 1;
    if (message !== undefined) this.messages[slot] = message;
    this.count++;
    return slot + 1;
  }

  has(packetId: number): boolean {
    const slot = packetId - 1;
    return slot >= 0 && slot < this.sentAtSeconds.length && this.sentAtSeconds[slot] !== 0;
  }

  /** What was kept under an identifier in flight. */
  message(packetId: number): M | undefined {
    return this.messages[packetId - 1];
  }

  /** Frees the identifier. @returns false when it was not in flight. */
  release(packetId: number): boolean {
    if (!this.has(packetId)) return false;
    const slot = packetId - 1;
    this.sentAtSeconds[slot] = 0;
    if (slot < this.messages.length) this.messages[slot] = undefined;
    this.count--;
    return true;
  }

  /** Identifiers sent at or before the given second. Costs a walk over all slots: for slow sweeps. */
  sentBefore(seconds: number): number[] {
    const found: number[] = [];
    if (this.count === 0) return found;
    for (let slot = 0; slot < this.sentAtSeconds.length; slot++) {
      const sentAt = this.sentAtSeconds[slot]!;
      if (sentAt !== 0 && sentAt - 1 <= seconds) found.push(slot + 1);
    }
    return found;
  }

  /** What is in flight and was kept, in no order. */
  kept(): M[] {
    return this.messages.filter((message): message is M => message !== undefined);
  }

  /** Frees what was kept and fits. @returns it, in no order */
  takeKept(fits: (message: M) => boolean): M[] {
    const taken: M[] = [];
    for (let slot = 0; slot < this.messages.length; slot++) {
      const message = this.messages[slot];
      if (message === undefined || !fits(message)) continue;
      taken.push(message);
      this.release(slot + 1);
    }
    return taken;
  }

  /** Frees everything. @returns what was kept, in no order. */
  clear(): M[] {
    const kept = this.kept();
    this.messages.length = 0;
    this.sentAtSeconds.fill(0);
    this.count = 0;
    return kept;
  }

  private grow(): void {
    if (this.sentAtSeconds.length >= 65_536) return;
    const larger = new Uint32Array(this.sentAtSeconds.length * 2);
    larger.set(this.sentAtSeconds);
    // What is taken next lies above all that is used, so an identifier rests as long as possible.
    this.cursor = this.sentAtSeconds.length;
    this.sentAtSeconds = larger;
  }
}

export type InboundRefusal = "packetIdInUse" | "windowFull";

/**
 * PUBLISH QoS 1 received and not yet acknowledged. Their PUBACKs leave in the order in which they came, whatever the
 * order in which their work is done. [MQTT-4.6.0-2]
 *
 * A PUBLISH that needs no waiting while nothing else waits never comes here.
 */
export class InboundInflight {
  readonly windowMax: number;
  private readonly packetIds: number[] = [];
  /** By position like `packetIds`: -1 while the work goes on, then the reason code of the PUBACK. */
  private readonly reasonCodes: number[] = [];
  private firstTicket = 0;

  constructor(windowMax: number) {
    this.windowMax = windowMax;
  }

  get count(): number {
    return this.packetIds.length;
  }

  /** Whether the identifier can be taken. [MQTT-2.2.1-4] */
  refusal(packetId: number): InboundRefusal | undefined {
    // A walk over the window costs less than a set for each PUBLISH that is never refused.
    if (this.packetIds.includes(packetId)) return "packetIdInUse";
    return this.packetIds.length >= this.windowMax ? "windowFull" : undefined;
  }

  /** @returns a ticket for {@link finish}. */
  begin(packetId: number): number {
    this.packetIds.push(packetId);
    this.reasonCodes.push(-1);
    return this.firstTicket + this.packetIds.length - 1;
  }

  /** The work behind the ticket is done; calls back for each PUBACK that can leave now, in order. */
  finish(ticket: number, reasonCode: number, acknowledge: (packetId: number, reasonCode: number) => void): void {
    this.reasonCodes[ticket - this.firstTicket] = reasonCode;
    // Shifted one by one: nearly always the work is done in its order, and one is ready.
    while (this.reasonCodes.length > 0 && this.reasonCodes[0]! >= 0) {
      const packetId = this.packetIds.shift()!;
      const code = this.reasonCodes.shift()!;
      this.firstTicket += 1;
      acknowledge(packetId, code);
    }
  }
}
