import { ThinglineError } from "@thingline/protocol";
import { parseTemplate } from "../../provisioning-template/index.js";
import { awsOperation } from "../aws-operation.js";
import { answer } from "../operation.js";
import { readPage } from "../page.js";
import {
  kindOf,
  requireTemplate,
  requireVersion,
  templateArn,
  templateKeys,
  templateVersionsMax,
  type TemplateRecord,
  type TemplateVersionRecord,
} from "./model.js";

const createProvisioningTemplateVersion = awsOperation(
  "iot",
  "CreateProvisioningTemplateVersion",
  ["templateName", "templateBody", "setAsDefault"],
  async (context, { templateName, templateBody, setAsDefault = false }) => {
    const { scope, store, nowMs } = context;
    const { key, revision, value: before } = await requireTemplate(context, templateName);
    parseTemplate(templateBody, { kind: kindOf(before.type) });
    const versions = await store.list(templateKeys.versions(scope, templateName), { limit: templateVersionsMax });
    if (versions.length >= templateVersionsMax) {
      const message = `The provisioning template ${templateName} already has the maximum number of versions (${templateVersionsMax})`;
      throw new ThinglineError("VERSIONS_LIMIT_EXCEEDED", message, { details: { templateVersionsMax } });
    }
    const versionId = before.nextVersion;
    const value: TemplateRecord = {
      ...before,
      ...(setAsDefault && { defaultVersionId: versionId }),
      ...{ nextVersion: versionId + 1, modifiedAtMs: nowMs },
    };
    const version: TemplateVersionRecord = { versionId, templateBody, createdAtMs: nowMs };
    return {
      result: {
        ...{ templateArn: templateArn(scope, templateName), templateName },
        ...{ versionId, isDefaultVersion: setAsDefault },
      },
      operations: [
        { key, expectedRevision: revision, value },
        { key: templateKeys.version(scope, templateName, versionId), value: version },
      ],
      effects: [],
    };
  },
);

const describeProvisioningTemplateVersion = awsOperation(
  "iot",
  "DescribeProvisioningTemplateVersion",
  ["templateName", "versionId"],
  async (context, { templateName, versionId }) => {
    const { value: template } = await requireTemplate(context, templateName);
    const { value } = await requireVersion(context, templateName, versionId);
    return answer({ ...versionOf(value, template), templateBody: value.templateBody });
  },
);

const deleteProvisioningTemplateVersion = awsOperation(
  "iot",
  "DeleteProvisioningTemplateVersion",
  ["templateName", "versionId"],
  async (context, { templateName, versionId }) => {
    const { key, revision, value: template } = await requireTemplate(context, templateName);
    const version = await requireVersion(context, templateName, versionId);
    if (template.defaultVersionId === versionId) {
      const message = `The default version of a provisioning template cannot be deleted (templateName=${templateName}, versionId=${versionId})`;
      throw new ThinglineError("DELETE_CONFLICT", message);
    }
    return {
      result: {},
      operations: [
        // Written although little changes in it: nobody may make this version the default at the same time.
        { key, expectedRevision: revision, value: { ...template, modifiedAtMs: context.nowMs } },
        { key: version.key, delete: true as const },
      ],
      effects: [],
    };
  },
);

const listProvisioningTemplateVersions = awsOperation(
  "iot",
  "ListProvisioningTemplateVersions",
  ["templateName", "maxResults", "nextToken"],
  async (context, { templateName, maxResults, nextToken: token }) => {
    const { value: template } = await requireTemplate(context, templateName);
    const page = { prefix: templateKeys.versions(context.scope, templateName), token, size: maxResults };
    const { entries, nextToken } = await readPage<TemplateVersionRecord>(context.store, page);
    const versions = entries.map(({ value }) => versionOf(value, template));
    return answer({ versions, ...(nextToken !== undefined && { nextToken }) });
  },
);

export const versionOperations = {
  createProvisioningTemplateVersion,
  describeProvisioningTemplateVersion,
  deleteProvisioningTemplateVersion,
  listProvisioningTemplateVersions,
};

function versionOf({ versionId, createdAtMs }: TemplateVersionRecord, { defaultVersionId }: TemplateRecord) {
  return { versionId, creationDate: createdAtMs / 1_000, isDefaultVersion: versionId === defaultVersionId };
}
