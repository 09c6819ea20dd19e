import type { Timer } from "@thingline/transport";
import type { ClientConnection } from "./client-connection.js";
import type { BrokerCore } from "./core.js";
import { drain } from "./delivery.js";
import type { QueuedMessage } from "./publication.js";
import { RateBucket } from "./rate.js";

/** How often a connection is looked at whose output is full. */
const slowSweepMs = 5_000;

const pauseReasons = { outputFull: 1, throughput: 2 } as const;

/**
 * How much may come from and go to one client, and when: rates, the bound on unsent output, pauses of the input.
 *
 * Overflow of the output: QoS 0 is dropped, QoS 1 waits in the session's bounded queue, the client's own input waits.
 */
export class ConnectionFlow {
  /** PUBLISH in and out; undefined without a limit. */
  readonly rate: RateBucket | undefined;
  private readonly bytesRate: RateBucket | undefined;
  private readonly replayRate: RateBucket | undefined;
  /** Made with the first message that a shared group had queued. */
  private groupReplayRate: RateBucket | undefined;
  private readonly client: ClientConnection;
  private readonly core: BrokerCore;
  private drainTimer: Timer | undefined;
  private readTimer: Timer | undefined;
  /** Why reading is paused; 0 when it is not. */
  private pauses = 0;
  private outputFullSinceMs: number | undefined;
  /** In `core.unsentBytes`. */
  private countedBytes = 0;
  private outputFullLoggedMs = -Infinity;
  private throttleLoggedMs = -Infinity;

  constructor(client: ClientConnection) {
    this.client = client;
    this.core = client.core;
    const { limits, nowMs } = client.core;
    const bucket = (rate: number): RateBucket | undefined =>
      rate === Infinity ? undefined : new RateBucket(rate, nowMs);
    this.rate = bucket(limits.publishesPerSecond);
    this.bytesRate = bucket(limits.inboundBytesPerSecond);
    this.replayRate = bucket(limits.queuedReplaysPerSecond);
  }

  get isPaused(): boolean {
    return this.pauses !== 0;
  }

  /** The connection is over: no timer is left. */
  stop(): void {
    this.core.unsentBytes -= this.countedBytes;
    this.countedBytes = 0;
    this.core.slowFlows.delete(this);
    this.drainTimer?.cancel();
    this.readTimer?.cancel();
  }

  // Output

  /** Whether so much waits to be sent that nothing may be added. Then the client's own input waits as well. */
  isOutputFull(): boolean {
    if (this.client.connection.bufferedBytes <= this.core.outputShareBytes && this.countedBytes === 0) return false;
    if (!this.isOverOutput()) return false;
    if (this.outputFullSinceMs === undefined) {
      this.outputFullSinceMs = this.core.nowMs;
      this.logOutputFull();
      this.pause(pauseReasons.outputFull);
      this.drainLater(slowSweepMs);
    }
    return true;
  }

  private isOverOutput(): boolean {
    const { core } = this;
    const { outputBytesMax, outputBytesTotalMax } = core.limits;
    const bytes = this.countOutput();
    if (bytes > outputBytesMax) return true;
    if (bytes === 0 || core.unsentBytes <= outputBytesTotalMax) return false;
    // The others were counted when something was sent to them; much may have left since. Once a millisecond is enough.
    if (core.unsentCountedMs !== core.nowMs) {
      core.unsentCountedMs = core.nowMs;
      for (const flow of core.slowFlows) flow.countOutput();
    }
    return core.unsentBytes > outputBytesTotalMax;
  }

  /** @returns the unsent bytes that count: those of a connection with more than its share */
  private countOutput(): number {
    const { core } = this;
    const { bufferedBytes } = this.client.connection;
    const bytes = bufferedBytes > core.outputShareBytes ? bufferedBytes : 0;
    core.unsentBytes += bytes - this.countedBytes;
    if (bytes === 0) core.slowFlows.delete(this);
    else if (this.countedBytes === 0) core.slowFlows.add(this);
    this.countedBytes = bytes;
    return bytes;
  }

  private logOutputFull(): void {
    this.core.counters.limitsHit++;
    // A client at the edge of its speed would fill the log.
    if (this.outputFullLoggedMs + 1000 > this.core.nowMs) return;
    this.outputFullLoggedMs = this.core.nowMs;
    const { clientId, connection } = this.client;
    this.core.options.log.warn("outputFull", { clientId, bufferedBytes: connection.bufferedBytes });
  }

  outputDrained(): void {
    if (this.outputFullSinceMs === undefined || this.client.state !== "connected") return;
    this.drainTimer?.cancel();
    this.drainTimer = undefined;
    this.core.nowMs = this.core.options.clock.monotonicMs();
    this.outputFullSinceMs = undefined;
    this.unpause(pauseReasons.outputFull);
    drain(this.core, this.client);
  }

  /** Whether a QoS 1 message may go out now, window apart. */
  maySendQos1(): boolean {
    if (this.isOutputFull()) return false;
    const { rate } = this;
    return rate === undefined || rate.take(this.core.nowMs);
  }

  /** As {@link maySendQos1} for a message from the queue; sets a timer when only time stands in the way. */
  maySendQueued(message: QueuedMessage): boolean {
    if (this.isOutputFull()) return false;
    const { nowMs } = this.core;
    if (message.isReplay) {
      const replayRate = message.group === undefined ? this.replayRate : this.rateOfGroups();
      if (replayRate !== undefined && !replayRate.take(nowMs)) {
        this.drainLater(replayRate.waitMs(nowMs));
        return false;
      }
      // Paid once: it may wait for the other rate, or go out again after a reconnect.
      message.isReplay = false;
    }
    if (this.rate !== undefined && !this.rate.take(nowMs)) {
      this.drainLater(this.rate.waitMs(nowMs));
      return false;
    }
    return true;
  }

  private rateOfGroups(): RateBucket | undefined {
    const { limits, nowMs } = this.core;
    if (limits.groupReplaysPerSecond === Infinity) return undefined;
    return (this.groupReplayRate ??= new RateBucket(limits.groupReplaysPerSecond, nowMs));
  }

  private drainLater(delayMs: number): void {
    if (this.drainTimer !== undefined) return;
    this.drainTimer = this.core.options.clock.setTimer(delayMs, () => {
      this.drainTimer = undefined;
      if (this.client.state !== "connected") return;
      this.core.nowMs = this.core.options.clock.monotonicMs();
      if (this.isStuck()) this.client.end("SLOW_CONSUMER");
      else drain(this.core, this.client);
    });
  }

  private isStuck(): boolean {
    if (this.outputFullSinceMs === undefined) return false;
    if (!this.isOverOutput()) {
      this.outputDrained();
      return false;
    }
    if (this.core.nowMs - this.outputFullSinceMs >= this.core.limits.slowConsumerSecondsMax * 1000) return true;
    this.drainLater(slowSweepMs);
    return false;
  }

  outboundThrottled(): void {
    this.core.counters.droppedThrottled++;
    this.logThrottled("out");
  }

  /** At most once a second: the counter has them all. */
  logThrottled(direction: "in" | "out"): void {
    if (this.throttleLoggedMs + 1000 > this.core.nowMs) return;
    this.throttleLoggedMs = this.core.nowMs;
    this.core.hit("publishesPerSecond", { clientId: this.client.clientId, direction });
  }

  // Input

  /** Bytes came: too many of them delay the next. */
  charge(lengthBytes: number): void {
    if (this.bytesRate === undefined) return;
    const waitMs = this.bytesRate.charge(lengthBytes, this.core.nowMs);
    if (waitMs === 0 || this.readTimer !== undefined) return;
    this.core.hit("inboundBytesPerSecond", { clientId: this.client.clientId, delayMs: waitMs });
    this.pause(pauseReasons.throughput);
    this.readTimer = this.core.options.clock.setTimer(waitMs, () => {
      this.readTimer = undefined;
      this.unpause(pauseReasons.throughput);
    });
  }

  private pause(reason: number): void {
    if (this.client.state === "closed") return;
    if (this.pauses === 0) this.client.connection.pause();
    this.pauses |= reason;
  }

  private unpause(reason: number): void {
    if ((this.pauses & reason) === 0) return;
    this.pauses &= ~reason;
    if (this.pauses !== 0 || this.client.state === "closed") return;
    this.client.lastReceivedMs = this.core.options.clock.monotonicMs();
    this.client.connection.resume();
  }
}
