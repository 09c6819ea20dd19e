import { ThinglineError } from "@thingline/protocol";
import type { StoreKey } from "../../store/store.js";
import type { JobContent } from "../jobs/index.js";
import type { Scope } from "../operation.js";
import type { Stored } from "../stored.js";

export const jobTemplatesServiceName = "jobTemplates";

export type JobTemplateRecord = Stored<JobContent> & { jobTemplateId: string; createdAtMs: number };

const key = (scope: Scope, ...rest: string[]): StoreKey => [scope.account, scope.region, "jobTemplate", ...rest];

export const jobTemplateKeys = {
  all: (scope: Scope) => key(scope),
  one: (scope: Scope, jobTemplateId: string) => key(scope, jobTemplateId),
};

export function jobTemplateArn({ account, region }: Scope, jobTemplateId: string): string {
  return `arn:aws:iot:${region}:${account}:jobtemplate/${jobTemplateId}`;
}

/** Which template an ARN names: one of the account, or a managed one, which has a version and no account. */
export type TemplateName = { jobTemplateId: string } | { managed: string; version: string | undefined };

const arnPattern = /^arn:aws[a-z-]*:iot:([^:]*):([^:]*):jobtemplate\/([a-zA-Z0-9_-]{1,64})(?::([0-9.]{1,16}))?$/;

/** @throws {ThinglineError} REQUEST_INVALID for what names no template of this account and region, nor a managed one */
export function parseTemplateArn({ account, region }: Scope, arn: string): TemplateName {
  const [, arnRegion, arnAccount, name, version] = arnPattern.exec(arn) ?? [];
  if (name !== undefined && arnRegion === region) {
    if (arnAccount === "") return { managed: name, version };
    if (arnAccount === account && version === undefined) return { jobTemplateId: name };
  }
  throw new ThinglineError("REQUEST_INVALID", `Invalid job template ARN: ${arn}`);
}
