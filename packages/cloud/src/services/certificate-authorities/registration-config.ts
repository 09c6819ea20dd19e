import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { parseTemplate } from "../../provisioning-template/index.js";
import { answer, type Operation, type OperationContext } from "../operation.js";
import { caKeys, type RegistrationConfig } from "./model.js";

/** A provisioning template of the account, as far as a CA needs it. */
export interface NamedTemplate {
  templateName: string;
  type: "FLEET_PROVISIONING" | "JITP";
  isEnabled: boolean;
  /** Of its default version. */
  templateBody: string;
}

/** Throws RESOURCE_NOT_FOUND. */
export type FindTemplate = Operation<{ templateName: string }, NamedTemplate>;

/** For the service of templates: the CA that names one, if any does. Not AWS's. */
export const findCaOfTemplate: Operation<{ templateName: string }, { certificateId: string } | undefined> = async (
  { scope, store },
  { templateName },
) => {
  const [entry] = await store.list(caKeys.byTemplates(scope, templateName), { limit: 1 });
  return answer(entry === undefined ? undefined : { certificateId: String(entry.key.at(-1)) });
};

/**
 * What a request says of provisioning, checked: a template that cannot be read is told now, not when the first device connects.
 *
 * @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND
 */
export async function readRegistrationConfig(
  context: OperationContext,
  claimTemplate: FindTemplate,
  {
    templateBody,
    roleArn,
    templateName,
  }: Readonly<Partial<Record<"templateBody" | "roleArn" | "templateName", string | undefined>>>,
): Promise<RegistrationConfig | undefined> {
  if (templateName !== undefined) {
    if (templateBody !== undefined) {
      throw refused("templateBody and templateName exclude each other");
    }
    const { type } = await context.call(claimTemplate, { templateName });
    if (type !== "JITP") throw refused(`Template ${templateName} is of type ${type}, expected JITP`);
    return { templateName, ...(roleArn !== undefined && { roleArn }) };
  }
  if (templateBody === undefined) {
    if (roleArn === undefined) return undefined;
    throw refused("templateBody or templateName is missing");
  }
  if (roleArn === undefined) throw refused("roleArn is missing, which templateBody needs");
  try {
    parseTemplate(templateBody, { kind: "jitp" });
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    throw new ThinglineError("REQUEST_INVALID", `The template body is invalid: ${error.message}`, { cause: error });
  }
  return { templateBody, roleArn };
}

const refused = (reason: string) =>
  new ThinglineError("REQUEST_INVALID", `The registration configuration is invalid: ${reason}`);
