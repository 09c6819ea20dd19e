import { isJsonObject, type JsonObject, type JsonValue, memberOf } from "@thingline/protocol/jobs";

const otaMember = "afr_ota";

/** Says what a document asks for; undefined when it does not say. */
export type OperationOf = (document: JsonObject) => string | undefined;

/**
 * What a job document asks for, unless an application says otherwise: its member `operation`; else, in a document of AWS's managed templates
 * (`{"version":"1.0","steps":[{"action":{"name":"Reboot",…}}]}`), the name of the action when there is one step;
 * else `afr_ota` for a document of AWS's OTA, whose one member is called so.
 *
 * @see AWS IoT developer guide, "Managed template remote actions and job documents"
 */
export function operationOfDocument(document: JsonObject): string | undefined {
  const name = textOf(document, "operation") ?? textOf(onlyAction(document), "name");
  return name ?? (isJsonObject(memberOf(document, otaMember)) ? otaMember : undefined);
}

/** The inputs of a managed template's only step: `input` of its action. Undefined in every other document. */
export function managedInputOf(document: JsonObject): JsonObject | undefined {
  const action = onlyAction(document);
  const input = action === undefined ? undefined : memberOf(action, "input");
  return isJsonObject(input) ? input : undefined;
}

/** By the name of a member: a text is the name itself. */
export function operationByMember(name: string): OperationOf {
  return (document) => textOf(document, name);
}

function textOf(object: JsonObject | undefined, name: string): string | undefined {
  const value = object === undefined ? undefined : memberOf(object, name);
  return typeof value === "string" ? value : undefined;
}

function onlyAction(document: JsonObject): JsonObject | undefined {
  const steps = memberOf(document, "steps");
  if (!Array.isArray(steps) || steps.length !== 1) return undefined;
  const [step] = steps as JsonValue[];
  const action = isJsonObject(step) ? memberOf(step, "action") : undefined;
  return isJsonObject(action) ? action : undefined;
}
