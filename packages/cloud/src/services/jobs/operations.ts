import type { Operation, OperationContext, Outcome } from "../operation.js";
import { conclude } from "./conclude.js";
import type { JobDocuments } from "./documents.js";
import { jobsLane } from "./model.js";
import type { ReportPackages } from "./report-packages.js";
import type { FindJobTemplate } from "./settings.js";
import type { JobTargets } from "./targets.js";
import { JobsUnit } from "./unit.js";

export interface JobsDependencies {
  targets: JobTargets;
  documents: JobDocuments;
  findJobTemplate: FindJobTemplate;
  /** Default: nothing is reported. */
  reportPackages?: ReportPackages;
  /** Quotas of AWS are kept. */
  isLimited: boolean;
}

/** What is decided over a unit. What is told of it follows by itself. */
export function decideIn<Input, Result>(
  deps: JobsDependencies,
  decide: (unit: JobsUnit, input: Input) => Promise<Result>,
): (context: OperationContext, input: Input) => Promise<Outcome<Result>> {
  return async (context, input) => {
    const unit = new JobsUnit(context);
    const result = await decide(unit, input);
    await deps.reportPackages?.(unit);
    return conclude(unit, result, deps.documents);
  };
}

/** Decisions about jobs wait for each other. */
export function inJobsLane<Face extends Operation<never, unknown>>(operation: Face): Face & { lane: () => string } {
  return Object.assign(operation, { lane: () => jobsLane });
}
