import type { ServedOperation } from "../aws-operation.js";
import { createJobsDataPlane } from "./data-plane.js";
import { createExecutionOperations } from "./job-executions.js";
import { createJobOperations } from "./jobs.js";
import type { JobsDependencies } from "./operations.js";

export type Jobs = ReturnType<typeof createJobs>;

/**
 * AWS IoT Jobs. Members are the operations of AWS by their names: the control plane's, and those by which a device asks over HTTP. Two of the
 * latter have names of the former: `describePendingJobExecution` is DescribeJobExecution of the data plane.
 */
export function createJobs(deps: JobsDependencies) {
  return { ...createJobOperations(deps), ...createExecutionOperations(deps), ...createJobsDataPlane(deps) };
}

/** What of the service is served over HTTP. */
export function servedJobOperations({ createJobWithDocument: _inner, ...jobs }: Jobs): readonly ServedOperation[] {
  return Object.values(jobs);
}
