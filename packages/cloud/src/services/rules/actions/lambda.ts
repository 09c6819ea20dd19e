import { ThinglineError, type JsonValue } from "@thingline/protocol";
import { isBytes, writeJson } from "../../../rules-sql/index.js";
import { textOf, type ActionPerformer, type DueAction } from "./perform.js";

/** A function that a rule calls may take as long as AWS's longest. */
export const lambdaTimeoutMs = 900_000;

/** What the statement made, as JSON. @throws {ThinglineError} REQUEST_INVALID for bytes */
export function jsonOf({ value }: DueAction["selected"]): JsonValue {
  if (!isBytes(value)) return JSON.parse(writeJson(value)) as JsonValue;
  if (value.length === 0) return {};
  const message = "the payload is no JSON: select encode(*, 'base64') AS a name of it";
  throw new ThinglineError("REQUEST_INVALID", message);
}

/**
 * Calls a function and does not wait for what it does: AWS takes the event and calls it later, so what it fails with is none of the rule's
 * failures. That there is no such function is one.
 */
export const lambda: ActionPerformer = {
  resourceOf: (fields) => textOf(fields, "functionArn"),

  perform({ fields, selected, ruleName, signal }, { functions, log }) {
    const functionArn = textOf(fields, "functionArn");
    const event = jsonOf(selected);
    if (!functions.has(functionArn)) {
      const message = `the local cloud was given no function "${functionArn}"; cloud start --function NAME=URL gives it one`;
      throw new ThinglineError("FUNCTION_UNKNOWN", message, { details: { name: functionArn } });
    }
    functions.invoke(functionArn, event as never, { timeoutMs: lambdaTimeoutMs, signal }).catch((error: unknown) => {
      log.warn("ruleFunctionFailed", { rule: ruleName, function: functionArn, error: String(error) });
    });
    return Promise.resolve();
  },
};
