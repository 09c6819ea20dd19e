import { ThinglineError } from "@thingline/protocol";

const minuteMs = 60_000;

/** What AWS rolls out in a minute at most, whatever the job asks for. */
export const awsRolloutPerMinuteMax = 1_000;

/** AWS's `jobExecutionsRolloutConfig`, as it is stored with a job. */
export interface RolloutConfig {
  maximumPerMinute?: number | undefined;
  exponentialRate?: ExponentialRate | undefined;
}

export interface ExponentialRate {
  baseRatePerMinute: number;
  incrementFactor: number;
  /** Exactly one of the two. */
  rateIncreaseCriteria: {
    numberOfNotifiedThings?: number | undefined;
    numberOfSucceededThings?: number | undefined;
  };
}

/** What the rate of a rollout depends on. */
export interface RolloutCounts {
  /** Things that have, or had, an execution of the job. */
  notified: number;
  succeeded: number;
}

/** The minute under way. A rollout that has not begun has none. */
export interface RolloutMinute {
  startedAtMs: number;
  /** Executions queued since then. */
  queued: number;
}

/** What may be queued now, and when to ask again. */
export interface RolloutAllowance {
  /** Infinity without a limit. */
  executions: number;
  /** The minute that they count for: {@link noteQueued} makes the record of it. */
  minute: RolloutMinute;
  /** When the next minute begins, for who has more to queue. */
  nextMinuteAtMs: number;
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/**
 * What AWS's model of a rollout does not say by itself.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 * @see AWS IoT API reference, "ExponentialRolloutRate", "RateIncreaseCriteria"
 */
export function checkRolloutConfig({ maximumPerMinute, exponentialRate }: RolloutConfig): void {
  if (maximumPerMinute !== undefined && maximumPerMinute > awsRolloutPerMinuteMax) {
    throw invalid(`maximumPerMinute must be 1 to ${awsRolloutPerMinuteMax}, got ${maximumPerMinute}`);
  }
  if (exponentialRate === undefined) return;
  const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria: criteria } = exponentialRate;
  if ((criteria.numberOfNotifiedThings === undefined) === (criteria.numberOfSucceededThings === undefined)) {
    throw invalid("rateIncreaseCriteria needs exactly one of numberOfNotifiedThings and numberOfSucceededThings");
  }
  if (Math.abs(incrementFactor * 10 - Math.round(incrementFactor * 10)) > 1e-9) {
    throw invalid(`incrementFactor has at most one decimal, got ${incrementFactor}`);
  }
  if (maximumPerMinute !== undefined && maximumPerMinute < baseRatePerMinute) {
    throw invalid(`maximumPerMinute must not be less than baseRatePerMinute, ${baseRatePerMinute}`);
  }
}

/**
 * How many executions may be queued in a minute. The base rate grows by the factor each time as many more things as the criterion
 * says were notified, or succeeded: 50, then 100 from 1,000 on, 200 from 2,000 on.
 *
 * @param perMinuteMax what bounds every rollout; Infinity without quotas
 */
export function ratePerMinute(
  { maximumPerMinute, exponentialRate }: RolloutConfig,
  { notified, succeeded }: RolloutCounts,
  perMinuteMax = awsRolloutPerMinuteMax,
): number {
  const mostPerMinute = Math.min(maximumPerMinute ?? Infinity, perMinuteMax);
  if (exponentialRate === undefined) return mostPerMinute;
  const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria } = exponentialRate;
  const { numberOfNotifiedThings, numberOfSucceededThings } = rateIncreaseCriteria;
  const increases =
    numberOfNotifiedThings !== undefined
      ? Math.floor(notified / numberOfNotifiedThings)
      : Math.floor(succeeded / (numberOfSucceededThings ?? Infinity));
  return Math.min(Math.floor(baseRatePerMinute * incrementFactor ** increases), mostPerMinute);
}

/**
 * What may be queued now. Minutes follow one another from the first execution of the job on; one that is due late begins late, so that
 * what was not used of a minute is not made up for. A job that queues all it may at once, as a rollout does, keeps its rate in any sixty
 * seconds.
 */
export function allowRollout(minute: RolloutMinute | undefined, rate: number, nowMs: number): RolloutAllowance {
  const isOver = minute === undefined || nowMs >= minute.startedAtMs + minuteMs || nowMs < minute.startedAtMs;
  const current = isOver ? { startedAtMs: nowMs, queued: 0 } : minute;
  return {
    executions: Math.max(0, rate - current.queued),
    minute: current,
    nextMinuteAtMs: current.startedAtMs + minuteMs,
  };
}

/** The minute after so many executions more. */
export function noteQueued({ startedAtMs, queued }: RolloutMinute, executions: number): RolloutMinute {
  return { startedAtMs, queued: queued + executions };
}
