import { isJsonObject, type JsonObject, type JsonValue, memberOf } from "@thingline/protocol/jobs";

/** Says what a document asks for; undefined when it does not say. */
export type OperationOf = (document: JsonObject) => string | undefined;

/**
 * What a job document asks for, unless an application says otherwise: its member `operation`; else, in a document of AWS's managed templates
 * (`{"version":"1.0","steps":[{"action":{"name":"Reboot",…}}]}`), the name of the action when there is one step.
 *
 * @see AWS IoT developer guide, "Managed template remote actions and job documents"
 */
export function operationOfDocument(document: JsonObject): string | undefined {
  return textOf(document, "operation") ?? textOf(onlyAction(document), "name");
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
