import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import type { ProvisioningTemplateKind } from "../../provisioning-template/index.js";
import type { OperationContext, Scope } from "../operation.js";

/** Of its sagas and wake-ups. */
export const fleetProvisioningName = "fleet-provisioning";

/** In an account and region. @see AWS General Reference, "AWS IoT Core endpoints and quotas" */
export const provisioningTemplatesMax = 256;
/** Of one template. */
export const templateVersionsMax = 5;

export type TemplateType = "FLEET_PROVISIONING" | "JITP";

export type TemplateRecord = {
  templateName: string;
  type: TemplateType;
  description?: string;
  isEnabled: boolean;
  provisioningRoleArn: string;
  preProvisioningHook?: HookRecord;
  defaultVersionId: number;
  /** The number that the next version gets; never used twice. */
  nextVersion: number;
  createdAtMs: number;
  modifiedAtMs: number;
};

export type HookRecord = { targetArn: string; payloadVersion: string };

export type TemplateVersionRecord = { versionId: number; templateBody: string; createdAtMs: number };

const key = ({ account, region }: Scope, ...rest: (string | number)[]): StoreKey => [account, region, ...rest];

export const templateKeys = {
  templates: (scope: Scope) => key(scope, "provisioningTemplate"),
  /** Changes with each template that is made: two at once must not both be the last that there is room for. */
  guard: (scope: Scope) => key(scope, "provisioningTemplates"),
  template: (scope: Scope, templateName: string) => key(scope, "provisioningTemplate", templateName),
  versions: (scope: Scope, templateName: string) => key(scope, "provisioningTemplateVersion", templateName),
  version: (scope: Scope, templateName: string, versionId: number) =>
    key(scope, "provisioningTemplateVersion", templateName, versionId),
};

export const templateArn = ({ account, region }: Scope, templateName: string) =>
  `arn:aws:iot:${region}:${account}:provisioningtemplate/${templateName}`;

/** By which grammar a template of this type is read. */
export const kindOf = (type: TemplateType): ProvisioningTemplateKind => (type === "JITP" ? "jitp" : "fleet");

type Reader = Pick<OperationContext, "store" | "scope">;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireTemplate({ store, scope }: Reader, name: string): Promise<StoreEntry<TemplateRecord>> {
  const entry = await store.get<TemplateRecord>(templateKeys.template(scope, name));
  if (entry !== undefined) return entry;
  const message = `The provisioning template does not exist (templateName=${name})`;
  throw new ThinglineError("RESOURCE_NOT_FOUND", message, { details: { templateName: name } });
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireVersion(
  { store, scope }: Reader,
  name: string,
  versionId: number,
): Promise<StoreEntry<TemplateVersionRecord>> {
  const entry = await store.get<TemplateVersionRecord>(templateKeys.version(scope, name, versionId));
  if (entry !== undefined) return entry;
  const message = `The version of the provisioning template does not exist (templateName=${name}, versionId=${versionId})`;
  throw new ThinglineError("RESOURCE_NOT_FOUND", message, { details: { templateName: name, versionId } });
}
