import { ThinglineError } from "@thingline/protocol";
import type { ProvisioningHook } from "../../model/types/iot.js";
import { parseTemplate } from "../../provisioning-template/index.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type Operation } from "../operation.js";
import { readPage } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import {
  kindOf,
  provisioningTemplatesMax,
  requireTemplate,
  requireVersion,
  templateArn,
  templateKeys,
  templateVersionsMax,
  type HookRecord,
  type TemplateRecord,
  type TemplateType,
  type TemplateVersionRecord,
} from "./model.js";

const defaultPayloadVersion = "2020-04-01";

/** Tells which CA names a template, where there are CAs. */
export type FindCaOfTemplate = Operation<{ templateName: string }, { certificateId: string } | undefined>;

export interface TemplateOptions {
  /** AWS's quota of templates is kept. */
  isLimited: boolean;
  /** Default: there are no CAs. */
  findCaOfTemplate?: FindCaOfTemplate | undefined;
}

export function createTemplateOperations({ isLimited, findCaOfTemplate }: TemplateOptions) {
  return {
    createProvisioningTemplate: createTemplateOperation(isLimited),
    describeProvisioningTemplate,
    updateProvisioningTemplate,
    deleteProvisioningTemplate: deleteTemplateOperation(findCaOfTemplate),
    listProvisioningTemplates,
  };
}

/** The body is read to see that it is a template; what depends on its parameters shows when a device brings them. */
function createTemplateOperation(isLimited: boolean) {
  return awsOperation(
    "iot",
    "CreateProvisioningTemplate",
    [
      ...(["templateName", "description", "templateBody", "enabled", "provisioningRoleArn", "type"] as const),
      ...(["preProvisioningHook.payloadVersion", "preProvisioningHook.targetArn"] as const),
      ...(["tags.Key", "tags.Value"] as const),
    ],
    async ({ scope, store, nowMs }, input) => {
      const { templateName, description, templateBody, enabled = false, provisioningRoleArn } = input;
      const { type = "FLEET_PROVISIONING", preProvisioningHook } = input;
      parseTemplate(templateBody, { kind: kindOf(type) });
      checkHook(type, preProvisioningHook);
      const key = templateKeys.template(scope, templateName);
      if ((await store.get(key)) !== undefined) {
        const details = { resourceId: templateName, resourceArn: templateArn(scope, templateName) };
        const message = `The provisioning template exists already (templateName=${templateName})`;
        throw new ThinglineError("RESOURCE_EXISTS", message, { details });
      }
      const guardKey = templateKeys.guard(scope);
      const guardRevision = (await store.get(guardKey))?.revision ?? 0;
      const others = isLimited
        ? await store.list(templateKeys.templates(scope), { limit: provisioningTemplatesMax })
        : [];
      if (others.length >= provisioningTemplatesMax) {
        const message = `There are ${provisioningTemplatesMax} provisioning templates already`;
        throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { provisioningTemplatesMax } });
      }
      const value: TemplateRecord = {
        ...{ templateName, type, isEnabled: enabled, provisioningRoleArn, defaultVersionId: 1, nextVersion: 2 },
        ...(description !== undefined && { description }),
        ...(preProvisioningHook !== undefined && { preProvisioningHook: hookRecord(preProvisioningHook) }),
        ...{ createdAtMs: nowMs, modifiedAtMs: nowMs },
      };
      const version: TemplateVersionRecord = { versionId: 1, templateBody, createdAtMs: nowMs };
      return {
        result: { templateArn: templateArn(scope, templateName), templateName, defaultVersionId: 1 },
        operations: [
          { key, expectedRevision: 0, value },
          { key: templateKeys.version(scope, templateName, 1), value: version },
          { key: guardKey, expectedRevision: guardRevision, value: null },
          ...tagsOfNew(key, input.tags),
        ],
        effects: [],
      };
    },
  );
}

const describeProvisioningTemplate = awsOperation(
  "iot",
  "DescribeProvisioningTemplate",
  ["templateName"],
  async (context, { templateName }) => {
    const { value } = await requireTemplate(context, templateName);
    const version = await requireVersion(context, templateName, value.defaultVersionId);
    const { provisioningRoleArn, preProvisioningHook, defaultVersionId } = value;
    return answer({
      ...summaryOf(value, templateArn(context.scope, templateName)),
      ...{ defaultVersionId, templateBody: version.value.templateBody, provisioningRoleArn },
      ...(preProvisioningHook !== undefined && { preProvisioningHook }),
    });
  },
);

const updateProvisioningTemplate = awsOperation(
  "iot",
  "UpdateProvisioningTemplate",
  [
    ...(["templateName", "description", "enabled", "defaultVersionId", "provisioningRoleArn"] as const),
    ...(["preProvisioningHook.payloadVersion", "preProvisioningHook.targetArn", "removePreProvisioningHook"] as const),
  ],
  async (context, input) => {
    const { key, revision, value: before } = await requireTemplate(context, input.templateName);
    const { description, enabled, defaultVersionId, provisioningRoleArn, preProvisioningHook } = input;
    const { removePreProvisioningHook = false } = input;
    if (removePreProvisioningHook && preProvisioningHook !== undefined) {
      const message = "preProvisioningHook and removePreProvisioningHook exclude each other";
      throw new ThinglineError("REQUEST_INVALID", message);
    }
    checkHook(before.type, preProvisioningHook);
    if (defaultVersionId !== undefined) await requireVersion(context, input.templateName, defaultVersionId);
    const { preProvisioningHook: hookBefore, ...others } = before;
    const hook = preProvisioningHook === undefined ? hookBefore : hookRecord(preProvisioningHook);
    const value: TemplateRecord = {
      ...others,
      ...(description !== undefined && { description }),
      ...(enabled !== undefined && { isEnabled: enabled }),
      ...(defaultVersionId !== undefined && { defaultVersionId }),
      ...(provisioningRoleArn !== undefined && { provisioningRoleArn }),
      ...(hook !== undefined && !removePreProvisioningHook && { preProvisioningHook: hook }),
      modifiedAtMs: context.nowMs,
    };
    return { result: {}, operations: [{ key, expectedRevision: revision, value }], effects: [] };
  },
);

/** With all its versions. A CA that names it would let its devices in by nothing. */
function deleteTemplateOperation(findCaOfTemplate: FindCaOfTemplate | undefined) {
  return awsOperation("iot", "DeleteProvisioningTemplate", ["templateName"], async (context, { templateName }) => {
    const { scope, store } = context;
    const { key, revision } = await requireTemplate(context, templateName);
    const ca = findCaOfTemplate && (await context.call(findCaOfTemplate, { templateName }));
    if (ca !== undefined) {
      const message = `The registration configuration of CA certificate ${ca.certificateId} names template ${templateName}`;
      throw new ThinglineError("DELETE_CONFLICT", message);
    }
    const versions = await store.list(templateKeys.versions(scope, templateName), { limit: templateVersionsMax });
    return {
      result: {},
      operations: [
        { key, expectedRevision: revision, delete: true as const },
        tagsGone(key),
        ...versions.map((version) => ({ key: version.key, delete: true as const })),
      ],
      effects: [],
    };
  });
}

const listProvisioningTemplates = awsOperation(
  "iot",
  "ListProvisioningTemplates",
  ["maxResults", "nextToken"],
  async ({ scope, store }, { maxResults, nextToken: token }) => {
    const page = { prefix: templateKeys.templates(scope), token, size: maxResults };
    const { entries, nextToken } = await readPage<TemplateRecord>(store, page);
    const templates = entries.map(({ value }) => summaryOf(value, templateArn(scope, value.templateName)));
    return answer({ templates, ...(nextToken !== undefined && { nextToken }) });
  },
);

export interface FoundTemplate {
  templateName: string;
  type: TemplateType;
  isEnabled: boolean;
  preProvisioningHook?: HookRecord;
  /** Of the default version. */
  templateBody: string;
}

/** For other services, which provision by a template as it is now: not AWS's. @throws {ThinglineError} RESOURCE_NOT_FOUND */
export const findProvisioningTemplate: Operation<{ templateName: string }, FoundTemplate> = async (
  context,
  { templateName },
) => {
  const { value } = await requireTemplate(context, templateName);
  const { type, isEnabled, preProvisioningHook, defaultVersionId } = value;
  const { templateBody } = (await requireVersion(context, templateName, defaultVersionId)).value;
  return answer({
    ...{ templateName, type, isEnabled, templateBody },
    ...(preProvisioningHook !== undefined && { preProvisioningHook }),
  });
};

/** The same for whoever names one from now on. It is written as it is: nobody deletes it in the same moment unseen. */
export const claimProvisioningTemplate: typeof findProvisioningTemplate = async (context, input) => {
  const { key, revision, value } = await requireTemplate(context, input.templateName);
  const { result } = await findProvisioningTemplate(context, input);
  return { result, operations: [{ key, expectedRevision: revision, value }], effects: [] };
};

function summaryOf({ templateName, type, description, isEnabled, ...at }: TemplateRecord, arn: string) {
  return {
    ...{ templateArn: arn, templateName, type, enabled: isEnabled },
    ...(description !== undefined && { description }),
    ...{ creationDate: at.createdAtMs / 1_000, lastModifiedDate: at.modifiedAtMs / 1_000 },
  };
}

/** Nobody would ask it. @see AWS API reference, CreateProvisioningTemplate: only templates of FLEET_PROVISIONING have one */
function checkHook(type: TemplateType, hook: ProvisioningHook | undefined): void {
  if (type === "FLEET_PROVISIONING" || hook === undefined) return;
  const message = `A template of type ${type} has no pre-provisioning hook`;
  throw new ThinglineError("REQUEST_INVALID", message);
}

function hookRecord({ targetArn, payloadVersion = defaultPayloadVersion }: ProvisioningHook): HookRecord {
  return { targetArn, payloadVersion };
}
