import type { JobExecutionStatus } from "@thingline/protocol/jobs";
import type { AbortConfig, JobExecutionsRetryConfig } from "../../model/types/iot.js";
import type { JobCounts, RetryCounts } from "./model.js";
import { retriesMax } from "./settings.js";

// What the configurations of a job ask for: pure, from counts alone. Rates are in `rollout.ts`, times in `schedule.ts`.

type Failure = "FAILED" | "REJECTED" | "TIMED_OUT";

/** Whether a criterion is met: the share of failures among the things that have got the job, when enough of them have. */
export function isAbortDue(config: AbortConfig | undefined, counts: JobCounts): boolean {
  const executed = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return (config?.criteriaList ?? []).some(({ failureType, thresholdPercentage, minNumberOfExecutedThings }) => {
    if (executed < minNumberOfExecutedThings) return false;
    const failures: readonly Failure[] = failureType === "ALL" ? ["FAILED", "REJECTED", "TIMED_OUT"] : [failureType];
    const failed = failures.reduce((sum, failure) => sum + counts[failure], 0);
    // In whole numbers: a threshold has two decimals.
    return failed > 0 && failed * 10_000 >= Math.round(thresholdPercentage * 100) * executed;
  });
}

/** The retries of the next execution when this end is tried again; undefined when it is not. */
export function retryAfter(
  config: JobExecutionsRetryConfig | undefined,
  status: JobExecutionStatus,
  used: RetryCounts = { FAILED: 0, TIMED_OUT: 0 },
): RetryCounts | undefined {
  if (status !== "FAILED" && status !== "TIMED_OUT") return undefined;
  const total = used.FAILED + used.TIMED_OUT;
  const isAllowed = (config?.criteriaList ?? []).some(({ failureType, numberOfRetries }) => {
    if (failureType === "ALL") return total < numberOfRetries;
    return failureType === status && used[status] < numberOfRetries;
  });
  return isAllowed && total < retriesMax ? { ...used, [status]: used[status] + 1 } : undefined;
}
