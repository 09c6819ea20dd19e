import type { AtParameter } from "@thingline/protocol/at";

/** What one parameter of a set command may be. */
export type ParameterRule = (
  | { type: "integer"; lowest: number; highest: number; values?: readonly number[] }
  | { type: "text"; pattern?: RegExp }
  /** Its place is there for another kind of network; it must be left empty. */
  | { type: "reserved" }
  /** Whatever stands there is not looked at. */
  | { type: "ignored" }
) & { isOptional: boolean };

export const secTagMax = 4_294_967_295;

export function integer(lowest: number, highest: number): ParameterRule {
  return { type: "integer", lowest, highest, isOptional: false };
}

export function oneOf(...values: readonly number[]): ParameterRule {
  return { type: "integer", lowest: Math.min(...values), highest: Math.max(...values), values, isOptional: false };
}

export function text(pattern?: RegExp): ParameterRule {
  return { type: "text", ...(pattern && { pattern }), isOptional: false };
}

export const reserved: ParameterRule = { type: "reserved", isOptional: true };

export const ignored: ParameterRule = { type: "ignored", isOptional: true };

export function optional(rule: ParameterRule): ParameterRule {
  return { ...rule, isOptional: true };
}

/** Whether there is one parameter for each rule, optional ones aside, and none without a rule. */
export function areAllowed(parameters: readonly AtParameter[], rules: readonly ParameterRule[]): boolean {
  if (parameters.length > rules.length) return false;
  return rules.every((rule, index) => {
    const parameter = parameters[index];
    return parameter === undefined || parameter.type === "empty" ? rule.isOptional : fits(parameter, rule);
  });
}

function fits(parameter: AtParameter, rule: ParameterRule): boolean {
  switch (rule.type) {
    case "integer":
      if (parameter.type !== "integer" || parameter.value < rule.lowest || parameter.value > rule.highest) return false;
      return rule.values?.includes(parameter.value) ?? true;
    case "text":
      return parameter.type === "string" && (rule.pattern?.test(parameter.value) ?? true);
    case "ignored":
      return true;
    case "reserved":
      return parameter.type === "string" && parameter.value === "";
  }
}
