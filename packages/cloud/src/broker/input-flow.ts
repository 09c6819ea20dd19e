import type { Clock, Connection, Timer } from "@thingline/transport";
import type { BrokerContext } from "./context.js";
import { RateBucket } from "./rate.js";

export const pauseReasons = { outputFull: 1, throughput: 2 } as const;

/** So many bytes of an unfinished packet count as a sign of life. */
const headwayBytesMin = 1_024;

/** What comes from one connection: how fast it may, when reading pauses, and when it gave its last sign of life. */
export class InputFlow {
  lastReceivedMs: number;
  private readonly context: BrokerContext;
  private readonly clock: Clock;
  private readonly connection: Connection;
  /** Undefined without a limit. */
  private readonly bytesRate: RateBucket | undefined;
  private readTimer: Timer | undefined;
  /** Why reading is paused; 0 when it is not. */
  private pauses = 0;
  /** Since the last packet, or the last time that they counted. */
  private unfinishedBytes = 0;
  private isStopped = false;

  constructor(context: BrokerContext, connection: Connection, nowMs: number) {
    const rate = context.limits.inboundBytesPerSecond;
    this.context = context;
    this.clock = context.clock;
    this.connection = connection;
    this.lastReceivedMs = nowMs;
    this.bytesRate = rate === Infinity ? undefined : new RateBucket(rate, nowMs);
  }

  get isPaused(): boolean {
    return this.pauses !== 0;
  }

  /** The connection is over: no timer is left. */
  stop(): void {
    this.isStopped = true;
    this.readTimer?.cancel();
  }

  /** [MQTT-3.1.2-22] A packet keeps the connection alive; bytes only when they make headway on a long one. */
  heard(nowMs: number, isPacket: boolean, lengthBytes: number): void {
    this.unfinishedBytes = isPacket ? 0 : this.unfinishedBytes + lengthBytes;
    if (!isPacket && this.unfinishedBytes < headwayBytesMin) return;
    this.unfinishedBytes = 0;
    this.lastReceivedMs = nowMs;
  }

  /** Bytes came. @returns for how long the next are to be delayed, 0 when they are not */
  charge(nowMs: number, lengthBytes: number): number {
    return this.bytesRate === undefined ? 0 : this.bytesRate.charge(lengthBytes, nowMs);
  }

  /** Reads no more for a while. */
  delay(waitMs: number, clientId: string): void {
    if (this.readTimer !== undefined) return;
    this.context.hit("inboundBytesPerSecond", { clientId, delayMs: waitMs });
    this.pause(pauseReasons.throughput);
    this.readTimer = this.clock.setTimer(waitMs, () => {
      this.readTimer = undefined;
      this.unpause(pauseReasons.throughput);
    });
  }

  pause(reason: number): void {
    if (this.isStopped) return;
    if (this.pauses === 0) this.connection.pause();
    this.pauses |= reason;
  }

  unpause(reason: number): void {
    if ((this.pauses & reason) === 0) return;
    this.pauses &= ~reason;
    if (this.pauses !== 0 || this.isStopped) return;
    this.lastReceivedMs = this.clock.monotonicMs();
    this.connection.resume();
  }
}
