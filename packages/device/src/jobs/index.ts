export type { JobHandler, JobOutcome, JobReportOptions, RunningJob } from "./job.js";
