import { ThinglineError } from "@thingline/protocol";
import type { CreateJobTemplateRequest, JobExecutionsRetryConfig, TimeoutConfig } from "../../model/types/iot.js";
import type { Operation } from "../operation.js";
import { checkRolloutConfig } from "./rollout.js";

// What a job and a job template have in common, in AWS's words. Templates import it from here; jobs know templates by the operation below
// alone, so that neither service needs the other to be made.

export const timeoutMinutesMax = 10_080;
/** Of all failure types of a job together. */
export const retriesMax = 10;

export type JobSettings = Pick<
  CreateJobTemplateRequest,
  "presignedUrlConfig" | "jobExecutionsRolloutConfig" | "abortConfig" | "timeoutConfig" | "jobExecutionsRetryConfig"
>;

/** All that a template keeps for jobs to come, or a job hands on to a template: a `document`, or a `documentSource` to read it from. */
export type JobContent = JobSettings &
  Pick<CreateJobTemplateRequest, "document" | "documentSource" | "maintenanceWindows"> & {
    description?: string | undefined;
    /** The document of a managed template with its parameters unfilled. */
    documentBeforeSubstitution?: string | undefined;
    /** ARNs of the versions that executions install. */
    destinationPackageVersions?: readonly string[] | undefined;
  };

/**
 * What CreateJob asks when it is given a `jobTemplateArn`: the template's content, parameters of a managed template filled in. What the
 * request itself has goes before it.
 *
 * Throws RESOURCE_NOT_FOUND; REQUEST_INVALID for an ARN of something else and for parameters that the template does not take.
 */
export type FindJobTemplate = Operation<
  { jobTemplateArn: string; documentParameters?: Readonly<Record<string, string>> | undefined },
  JobContent
>;

/** What CreateJobTemplate asks of jobs when it is given a `jobArn`. Throws RESOURCE_NOT_FOUND, REQUEST_INVALID. */
export type FindJobContent = Operation<{ jobArn: string }, JobContent>;

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/**
 * What AWS asks of the settings of a job or a template beyond its model.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 * @see AWS IoT developer guide, "How job configurations work"
 */
export function checkJobSettings(settings: JobSettings): void {
  checkRolloutConfig(settings.jobExecutionsRolloutConfig ?? {});
  for (const { thresholdPercentage: threshold } of settings.abortConfig?.criteriaList ?? []) {
    const hundredths = threshold * 100;
    if (!(threshold > 0) || Math.abs(hundredths - Math.round(hundredths)) > 1e-6) {
      throw invalid(`thresholdPercentage must be more than 0 with at most two decimals, got ${threshold}`);
    }
  }
  checkTimeout(settings.timeoutConfig);
  checkRetries(settings.jobExecutionsRetryConfig);
}

function checkTimeout(config: TimeoutConfig | undefined): void {
  const minutes = config?.inProgressTimeoutInMinutes;
  if (minutes === undefined || (minutes >= 1 && minutes <= timeoutMinutesMax)) return;
  throw invalid(`inProgressTimeoutInMinutes must be 1 to ${timeoutMinutesMax}, got ${minutes}`);
}

function checkRetries(config: JobExecutionsRetryConfig | undefined): void {
  const seen = new Set<string>();
  let sum = 0;
  for (const { failureType, numberOfRetries } of config?.criteriaList ?? []) {
    if (seen.has(failureType)) throw invalid(`jobExecutionsRetryConfig has ${failureType} twice`);
    seen.add(failureType);
    sum += numberOfRetries;
  }
  if (seen.has("ALL") && seen.size > 1) throw invalid("jobExecutionsRetryConfig has another failure type beside ALL");
  if (sum > retriesMax)
    throw invalid(`jobExecutionsRetryConfig allows ${sum} retries, at most ${retriesMax} are allowed`);
}
