import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import {
  checkJobDocument,
  checkJobSettings,
  checkNewWindows,
  readDestinations,
  fillParameters,
  type FindJobContent,
  type FindJobTemplate,
  type JobContent,
} from "../jobs/index.js";
import { answer, type OperationContext } from "../operation.js";
import { readPage } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import {
  checkParameters,
  managedTemplateArn,
  managedTemplates,
  requireManagedTemplate,
  type ManagedTemplate,
} from "./managed.js";
import { jobTemplateArn, jobTemplateKeys, parseTemplateArn, type JobTemplateRecord } from "./model.js";

const managedPageSizeDefault = 25;

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

type Reader = Pick<OperationContext, "store" | "scope">;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
async function requireTemplate({ store, scope }: Reader, id: string): Promise<StoreEntry<JobTemplateRecord>> {
  const entry = await store.get<JobTemplateRecord>(jobTemplateKeys.one(scope, id));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Job template ${id} not found`);
}

/** @param findJob the jobs service's, asked when a template is made of a job */
export function createJobTemplateOperation(findJob: FindJobContent) {
  return awsOperation(
    "iot",
    "CreateJobTemplate",
    [
      "jobTemplateId",
      "jobArn",
      "documentSource",
      "document",
      "description",
      "presignedUrlConfig.roleArn",
      "presignedUrlConfig.expiresInSec",
      "jobExecutionsRolloutConfig.maximumPerMinute",
      "jobExecutionsRolloutConfig.exponentialRate.baseRatePerMinute",
      "jobExecutionsRolloutConfig.exponentialRate.incrementFactor",
      "jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfNotifiedThings",
      "jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfSucceededThings",
      "abortConfig.criteriaList.failureType",
      "abortConfig.criteriaList.action",
      "abortConfig.criteriaList.thresholdPercentage",
      "abortConfig.criteriaList.minNumberOfExecutedThings",
      "timeoutConfig.inProgressTimeoutInMinutes",
      "jobExecutionsRetryConfig.criteriaList.failureType",
      "jobExecutionsRetryConfig.criteriaList.numberOfRetries",
      "maintenanceWindows.startTime",
      "maintenanceWindows.durationInMinutes",
      ...(["destinationPackageVersions", "tags.Key", "tags.Value"] as const),
    ],
    async (context, { jobTemplateId, jobArn, tags, ...given }) => {
      const { scope, store, nowMs } = context;
      const existing = await store.get(jobTemplateKeys.one(scope, jobTemplateId));
      if (existing !== undefined) {
        throw new ThinglineError("RESOURCE_CONFLICT", `Job template ${jobTemplateId} already exists`);
      }
      checkSources({ jobArn, ...given });
      const ofJob = jobArn === undefined ? {} : await context.call(findJob, { jobArn });
      const content = over(ofJob, given);
      checkJobSettings(content);
      checkNewWindows(content.maintenanceWindows ?? [], nowMs);
      if (content.document !== undefined) checkJobDocument(content.document);
      // Which versions there are, counts when a job is made.
      readDestinations(scope, content.destinationPackageVersions ?? []);
      const record: JobTemplateRecord = { ...content, jobTemplateId, createdAtMs: nowMs };
      return {
        result: { jobTemplateArn: jobTemplateArn(scope, jobTemplateId), jobTemplateId },
        operations: [
          { key: jobTemplateKeys.one(scope, jobTemplateId), expectedRevision: 0, value: record },
          ...tagsOfNew(jobTemplateKeys.one(scope, jobTemplateId), tags),
        ],
        effects: [],
      };
    },
  );
}

function checkSources({ jobArn, document, documentSource }: JobContent & { jobArn?: string | undefined }): void {
  if (document !== undefined && documentSource !== undefined) {
    throw invalid("Only one of document and documentSource may be given");
  }
  if (jobArn === undefined && document === undefined && documentSource === undefined) {
    throw invalid("One of jobArn, document and documentSource must be given");
  }
}

/** What was given goes before what a job or a template has. A document that was given leaves no place to read another from. */
function over(base: JobContent, given: JobContent): JobContent {
  const isSourceGiven = given.document !== undefined || given.documentSource !== undefined;
  const { document, documentSource, ...settings } = base;
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as JobContent;
  return { ...settings, ...(!isSourceGiven && { document, documentSource }), ...defined };
}

export const describeJobTemplate = awsOperation(
  "iot",
  "DescribeJobTemplate",
  ["jobTemplateId"],
  async (context, input) => {
    const { createdAtMs, ...template } = (await requireTemplate(context, input.jobTemplateId)).value;
    const arn = jobTemplateArn(context.scope, template.jobTemplateId);
    return answer({ jobTemplateArn: arn, ...template, createdAt: createdAtMs / 1000 });
  },
);

export const deleteJobTemplate = awsOperation("iot", "DeleteJobTemplate", ["jobTemplateId"], async (context, input) => {
  const { key, revision } = await requireTemplate(context, input.jobTemplateId);
  const operations = [{ key, expectedRevision: revision, delete: true as const }, tagsGone(key)];
  return { result: {}, operations, effects: [] };
});

export const listJobTemplates = awsOperation(
  "iot",
  "ListJobTemplates",
  ["maxResults", "nextToken"],
  async (context, input) => {
    const { scope, store } = context;
    const { entries, nextToken } = await readPage<JobTemplateRecord>(store, {
      prefix: jobTemplateKeys.all(scope),
      token: input.nextToken,
      size: input.maxResults,
    });
    const jobTemplates = entries.map(({ value: { jobTemplateId, description, createdAtMs } }) => ({
      jobTemplateArn: jobTemplateArn(scope, jobTemplateId),
      jobTemplateId,
      description,
      createdAt: createdAtMs / 1000,
    }));
    return answer({ jobTemplates, ...(nextToken !== undefined && { nextToken }) });
  },
);

export const listManagedJobTemplates = awsOperation(
  "iot",
  "ListManagedJobTemplates",
  ["templateName", "maxResults", "nextToken"],
  async ({ scope }, { templateName, maxResults = managedPageSizeDefault, nextToken }) => {
    // AWS's error list of the operation has the name that is not there.
    const named = templateName === undefined ? managedTemplates : [requireManagedTemplate(templateName)];
    const first = nextToken === undefined ? 0 : named.findIndex((template) => tokenAfter(template) === nextToken) + 1;
    if (nextToken !== undefined && first === 0) throw invalid("The nextToken is not one that an earlier answer gave");
    const page = named.slice(first, first + maxResults);
    const last = page.at(-1);
    const hasMore = last !== undefined && first + page.length < named.length;
    const managedJobTemplates = page.map((template) => {
      const { templateName: name, description, environments, templateVersion } = template;
      return {
        templateArn: managedTemplateArn(scope, template),
        templateName: name,
        description,
        environments,
        templateVersion,
      };
    });
    return answer({ managedJobTemplates, ...(hasMore && { nextToken: tokenAfter(last) }) });
  },
);

const tokenAfter = ({ templateName }: ManagedTemplate) => btoa(`managedJobTemplate/${templateName}`);

export const describeManagedJobTemplate = awsOperation(
  "iot",
  "DescribeManagedJobTemplate",
  ["templateName", "templateVersion"],
  async ({ scope }, { templateName, templateVersion }) => {
    const template = requireManagedTemplate(templateName, templateVersion);
    return answer({ templateArn: managedTemplateArn(scope, template), ...template });
  },
);

/** For the jobs service, see there. */
export const findJobTemplate: FindJobTemplate = async (context, { jobTemplateArn: arn, documentParameters }) => {
  const name = parseTemplateArn(context.scope, arn);
  if ("managed" in name) {
    const template = requireManagedTemplate(name.managed, name.version);
    checkParameters(template, documentParameters ?? {});
    const document = fillParameters(template.document, documentParameters ?? {});
    return answer({ description: template.description, document, documentBeforeSubstitution: template.document });
  }
  // AWS: "This parameter can't be used with custom job templates".
  if (documentParameters !== undefined && Object.keys(documentParameters).length > 0) {
    throw invalid("documentParameters can only be used with managed job templates");
  }
  const {
    value: { jobTemplateId: _id, createdAtMs: _createdAtMs, ...content },
  } = await requireTemplate(context, name.jobTemplateId);
  return answer(content);
};

/** Operations of job templates, by AWS's names. */
export type JobTemplates = ReturnType<typeof createJobTemplates>;

export function createJobTemplates(findJob: FindJobContent) {
  return {
    createJobTemplate: createJobTemplateOperation(findJob),
    describeJobTemplate,
    deleteJobTemplate,
    listJobTemplates,
    listManagedJobTemplates,
    describeManagedJobTemplate,
  };
}
