import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { IotLog } from "../iot-log.js";
import type { ObjectsService } from "../objects/index.js";
import type { Operation } from "../operation.js";
import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { objectDocuments } from "./documents.js";
import { jobKeys, jobsServiceName } from "./model.js";
import { createMqttRequests } from "./mqtt-operations.js";
import type { AddressedRequest } from "../shadow/index.js";
import { packageReporter } from "./report-packages.js";
import { createJobs, servedJobOperations, type Jobs } from "./service.js";
import type { FindJobTemplate } from "./settings.js";
import { registryTargets } from "./targets.js";
import { awsJobsLimits, noJobsLimits } from "./throttle.js";
import { createJobsTopics } from "./topics.js";
import { createJobsWake } from "./wake.js";

// What other services may know of this one.
export { readDestinations } from "./destinations.js";
export { checkJobDocument, fillParameters } from "./document.js";
export { findJobContent } from "./jobs.js";
export { jobsServiceName } from "./model.js";
export { checkNewWindows } from "./schedule.js";
export type { Jobs } from "./service.js";
export { checkJobSettings, type FindJobContent, type FindJobTemplate, type JobContent } from "./settings.js";

export interface JobsServiceDependencies {
  clock: Clock;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
  /** Where documents are read from, and the files that they name. */
  objects: Pick<ObjectsService, "operations" | "presignedUrl">;
  findJobTemplate: FindJobTemplate;
  /** Updates a shadow, within a commit of jobs: the one of packages, when an execution has succeeded. */
  updateShadow: Operation<AddressedRequest, unknown>;
}

export interface JobsServiceOptions {
  /** Quotas of AWS are kept. */
  isLimited: boolean;
}

/** AWS IoT Jobs. The registry has to wake it when a thing joins or leaves a group, or is deleted. */
export function createJobsService(
  { clock, log, iotLog, objects, findJobTemplate, updateShadow }: JobsServiceDependencies,
  { isLimited }: JobsServiceOptions,
): CloudService<Jobs> {
  const documents = objectDocuments(objects);
  const reportPackages = packageReporter({ updateShadow, log });
  const deps = { targets: registryTargets, documents, findJobTemplate, reportPackages, isLimited };
  const operations = createJobs(deps);
  const limits = isLimited ? awsJobsLimits : noJobsLimits;
  return {
    name: jobsServiceName,
    operations,
    rest: servedJobOperations(operations),
    taggable: [taggable("job", jobKeys.definition)],
    topics: createJobsTopics({ answer: createMqttRequests(deps), clock, log, iotLog, limits }),
    wake: createJobsWake(deps),
  };
}
