import type { Connection, Timer } from "@thingline/transport";
import type { BrokerContext } from "./context.js";
import type { DisconnectReason } from "./disconnect-reasons.js";
import { pauseReasons, type InputFlow } from "./input-flow.js";
import { RateBucket } from "./rate.js";
import type { Turn, Turns } from "./turn.js";
import type { SlowOutput, UnsentOutput } from "./unsent-output.js";

/** How often a connection is looked at whose output is full. */
const slowSweepMs = 5_000;

/** The client whose flow it is. */
export interface FlowOwner {
  readonly clientId: string;
  readonly connection: Connection;
  /** Sends what waits, as far as the flow lets it. */
  drain(turn: Turn): void;
  end(reason: DisconnectReason): void;
}

/** A message from a queue, as far as its pace is concerned. */
export interface PacedMessage {
  isReplay: boolean;
  readonly group: object | undefined;
}

/**
 * How much may go to one client, and when: rates, the bound on unsent output.
 *
 * Overflow of the output: QoS 0 is dropped, QoS 1 waits in the session's bounded queue, the client's own input waits.
 */
export class ConnectionFlow implements SlowOutput {
  /** PUBLISH in and out; undefined without a limit. */
  readonly rate: RateBucket | undefined;
  private readonly replayRate: RateBucket | undefined;
  /** Made with the first message that a shared group had queued. */
  private groupReplayRate: RateBucket | undefined;
  private readonly owner: FlowOwner;
  private readonly connection: Connection;
  private readonly context: BrokerContext;
  private readonly input: InputFlow;
  private readonly turns: Turns;
  private readonly unsent: UnsentOutput;
  private readonly shareBytes: number;
  private drainTimer: Timer | undefined;
  private outputFullSinceMs: number | undefined;
  /** In `unsent`. */
  private countedBytes = 0;
  private outputFullLoggedMs = -Infinity;
  private throttleLoggedMs = -Infinity;
  private isStopped = false;

  constructor(
    owner: FlowOwner,
    context: BrokerContext,
    { input, turns, unsent }: { input: InputFlow; turns: Turns; unsent: UnsentOutput },
  ) {
    const nowMs = context.clock.monotonicMs();
    const { publishesPerSecond, queuedReplaysPerSecond } = context.limits;
    const bucket = (rate: number): RateBucket | undefined =>
      rate === Infinity ? undefined : new RateBucket(rate, nowMs);
    this.rate = bucket(publishesPerSecond);
    this.replayRate = bucket(queuedReplaysPerSecond);
    this.owner = owner;
    this.connection = owner.connection;
    this.context = context;
    this.input = input;
    this.turns = turns;
    this.unsent = unsent;
    this.shareBytes = unsent.shareBytes;
  }

  /** The connection is over: no timer is left. */
  stop(): void {
    this.isStopped = true;
    this.unsent.changed(this, this.countedBytes, 0);
    this.countedBytes = 0;
    this.drainTimer?.cancel();
  }

  /** A client that asks without reading our answers must not fill our memory with them. */
  checkOutput(turn: Turn): void {
    if (this.connection.bufferedBytes > this.shareBytes) this.isOutputFull(turn);
  }

  /** Whether so much waits to be sent that nothing may be added. Then the client's own input waits as well. */
  isOutputFull(turn: Turn): boolean {
    if (this.connection.bufferedBytes <= this.shareBytes && this.countedBytes === 0) return false;
    if (!this.isOverOutput(turn)) return false;
    if (this.outputFullSinceMs === undefined) {
      this.outputFullSinceMs = turn.nowMs;
      this.logOutputFull(turn);
      this.input.pause(pauseReasons.outputFull);
      this.drainLater(slowSweepMs);
    }
    return true;
  }

  private isOverOutput(turn: Turn): boolean {
    const bytes = this.countOutput();
    if (bytes > this.context.limits.outputBytesMax) return true;
    return bytes > 0 && this.unsent.isOver(turn.nowMs);
  }

  /** @returns the unsent bytes that count: those of a connection with more than its share */
  countOutput(): number {
    const { bufferedBytes } = this.connection;
    const bytes = bufferedBytes > this.shareBytes ? bufferedBytes : 0;
    this.unsent.changed(this, this.countedBytes, bytes);
    this.countedBytes = bytes;
    return bytes;
  }

  private logOutputFull({ nowMs }: Turn): void {
    this.context.counters.limitsHit++;
    // A client at the edge of its speed would fill the log.
    if (this.outputFullLoggedMs + 1000 > nowMs) return;
    this.outputFullLoggedMs = nowMs;
    const { clientId } = this.owner;
    this.context.log.warn("outputFull", { clientId, bufferedBytes: this.connection.bufferedBytes });
  }

  outputDrained(turn: Turn): void {
    if (this.outputFullSinceMs === undefined || this.isStopped) return;
    this.drainTimer?.cancel();
    this.drainTimer = undefined;
    this.outputFullSinceMs = undefined;
    this.input.unpause(pauseReasons.outputFull);
    this.owner.drain(turn);
  }

  /** Whether a QoS 1 message may go out now, window apart. */
  maySendQos1(turn: Turn): boolean {
    if (this.isOutputFull(turn)) return false;
    const { rate } = this;
    return rate === undefined || rate.take(turn.nowMs);
  }

  /** As {@link maySendQos1} for a message from the queue; sets a timer when only time stands in the way. */
  maySendQueued(turn: Turn, message: PacedMessage): boolean {
    if (this.isOutputFull(turn)) return false;
    const { nowMs } = turn;
    if (message.isReplay) {
      const replayRate = message.group === undefined ? this.replayRate : this.rateOfGroups(nowMs);
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

  private rateOfGroups(nowMs: number): RateBucket | undefined {
    const { groupReplaysPerSecond } = this.context.limits;
    if (groupReplaysPerSecond === Infinity) return undefined;
    return (this.groupReplayRate ??= new RateBucket(groupReplaysPerSecond, nowMs));
  }

  private drainLater(delayMs: number): void {
    if (this.drainTimer !== undefined || this.isStopped) return;
    this.drainTimer = this.context.clock.setTimer(delayMs, () => {
      this.drainTimer = undefined;
      if (this.isStopped) return;
      const turn = this.turns.begin();
      if (this.isStuck(turn)) this.owner.end("SLOW_CONSUMER");
      else this.owner.drain(turn);
      this.turns.end(turn);
    });
  }

  private isStuck(turn: Turn): boolean {
    if (this.outputFullSinceMs === undefined) return false;
    if (!this.isOverOutput(turn)) {
      this.outputDrained(turn);
      return false;
    }
    if (turn.nowMs - this.outputFullSinceMs >= this.context.limits.slowConsumerSecondsMax * 1000) return true;
    this.drainLater(slowSweepMs);
    return false;
  }

  outboundThrottled(turn: Turn): void {
    this.context.counters.droppedThrottled++;
    this.logThrottled(turn, "out");
  }

  /** At most once a second: the counter has them all. */
  logThrottled({ nowMs }: Turn, direction: "in" | "out"): void {
    if (this.throttleLoggedMs + 1000 > nowMs) return;
    this.throttleLoggedMs = nowMs;
    this.context.hit("publishesPerSecond", { clientId: this.owner.clientId, direction });
  }
}
