import type { FindJobContent, FindJobTemplate } from "../jobs/index.js";
import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { jobTemplateKeys, jobTemplatesServiceName } from "./model.js";
import { createJobTemplates, findJobTemplate, type JobTemplates } from "./service.js";

export type { JobTemplates } from "./service.js";

export interface JobTemplateService extends CloudService<JobTemplates> {
  /** For the jobs service: what a job is made of that is made from a template. */
  readonly findJobTemplate: FindJobTemplate;
}

/**
 * Job templates of the account, and AWS's managed ones.
 *
 * @param deps.findJobContent the jobs service's, for templates that are made of a job
 */
export function createJobTemplateService({ findJobContent }: { findJobContent: FindJobContent }): JobTemplateService {
  const operations = createJobTemplates(findJobContent);
  return {
    ...{ name: jobTemplatesServiceName, operations, rest: Object.values(operations), findJobTemplate },
    taggable: [taggable("jobtemplate", jobTemplateKeys.one)],
  };
}
