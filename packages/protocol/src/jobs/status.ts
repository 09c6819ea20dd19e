/**
 * States of jobs and of their executions.
 * @see AWS IoT developer guide, "Jobs and job execution states"
 */

export const jobStatuses = ["IN_PROGRESS", "SCHEDULED", "CANCELED", "COMPLETED", "DELETION_IN_PROGRESS"] as const;
export type JobStatus = (typeof jobStatuses)[number];

export const jobExecutionStatuses = [
  "QUEUED",
  "IN_PROGRESS",
  "SUCCEEDED",
  "FAILED",
  "TIMED_OUT",
  "REJECTED",
  "REMOVED",
  "CANCELED",
] as const;
export type JobExecutionStatus = (typeof jobExecutionStatuses)[number];

/** What a device may report. The other states are the service's to give. */
export const reportableJobStatuses = ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"] as const;
export type ReportableJobStatus = (typeof reportableJobStatuses)[number];

/** How an execution ends that its device ends. */
export type FinalJobStatus = Exclude<ReportableJobStatus, "IN_PROGRESS">;

/** States of executions that a device has still to work on. */
export type PendingJobStatus = "QUEUED" | "IN_PROGRESS";

export function isJobExecutionStatus(value: unknown): value is JobExecutionStatus {
  return (jobExecutionStatuses as readonly unknown[]).includes(value);
}

export function isReportableJobStatus(value: unknown): value is ReportableJobStatus {
  return (reportableJobStatuses as readonly unknown[]).includes(value);
}

/** Whether an execution can still change. A terminal one never does; a retry is another execution, with the next number. */
export function isPendingJobStatus(status: JobExecutionStatus): status is PendingJobStatus {
  return status === "QUEUED" || status === "IN_PROGRESS";
}

/**
 * Whether a device may take an execution from one state to another. From a pending one it may report each of
 * {@link reportableJobStatuses}: IN_PROGRESS again is progress, and a queued job may end without having been started.
 */
export function mayReportJobStatus(from: JobExecutionStatus, to: JobExecutionStatus): to is ReportableJobStatus {
  return isPendingJobStatus(from) && isReportableJobStatus(to);
}

/** Whether a service may take an execution from one state to another; IN_PROGRESS to CANCELED needs force. */
export function mayServeJobStatus(from: JobExecutionStatus, to: JobExecutionStatus): boolean {
  if (to === "TIMED_OUT") return from === "IN_PROGRESS";
  return isPendingJobStatus(from) && (to === "CANCELED" || to === "REMOVED");
}
