import { ThinglineError } from "@thingline/protocol";
import { checkConditionValue, parseConditionOperator } from "./condition-operators.js";
import { parseTemplate } from "./pattern.js";

/** A policy may have this many characters, white space not counted. */
export const policyCharactersMax = 2048;
/** The API's own limit on the text as sent. */
export const policyRawCharactersMax = 404_600;

export type PolicyLanguageVersion = "2012-10-17" | "2008-10-17";

export interface PolicyDocument {
  /** A document without `Version` is of 2008-10-17, in which `${...}` is plain text. */
  version: PolicyLanguageVersion;
  statements: readonly PolicyStatement[];
}

export interface PolicyStatement {
  sid: string | undefined;
  effect: "Allow" | "Deny";
  /** `NotAction`: everything but these. */
  isNotAction: boolean;
  actions: readonly string[];
  /** `NotResource`: everything but these. */
  isNotResource: boolean;
  resources: readonly string[];
  conditions: readonly PolicyCondition[];
}

/** One operator with one key. All of a statement's must hold. */
export interface PolicyCondition {
  /** As written, for example `ForAnyValue:StringLikeIfExists`. */
  operator: string;
  key: string;
  /** One of them is enough (none of them may match, for negated operators). */
  values: readonly string[];
}

/**
 * Reads a policy document of AWS IoT: IAM's grammar without `Principal`.
 *
 * @throws {ThinglineError} POLICY_MALFORMED; `details.path` says where (`Statement[1].Effect`), `details.reason` why.
 * @see AWS IoT developer guide, "AWS IoT Core policies"; AWS IAM user guide, "Grammar of the IAM JSON policy language"
 */
export function parsePolicyDocument(text: string): PolicyDocument {
  checkSize(text);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw malformed("", `is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const document = objectAt("", json);
  for (const name of Object.keys(document))
    if (!["Version", "Id", "Statement"].includes(name))
      throw malformed(name, "is no member of a policy; there are Version, Id and Statement");
  const version = parseVersion(document["Version"]);
  if (document["Id"] !== undefined) stringAt("Id", document["Id"]);
  const given = document["Statement"];
  if (given === undefined) throw malformed("Statement", "is missing");
  const isArray = Array.isArray(given);
  const list: unknown[] = isArray ? given : [given];
  if (list.length === 0) throw malformed("Statement", "is empty; a policy needs at least one statement");
  const statements = list.map((statement, index) =>
    parseStatement(isArray ? `Statement[${index}]` : "Statement", statement, version),
  );
  return { version, statements };
}

function checkSize(text: string): void {
  if (text.length > policyRawCharactersMax)
    throw malformed("", `has ${text.length} characters; at most ${policyRawCharactersMax} are accepted`);
  const characters = text.replace(/\s/g, "").length;
  if (characters > policyCharactersMax)
    throw malformed(
      "",
      `has ${characters} characters without white space; a policy may have at most ${policyCharactersMax}`,
    );
}

function parseVersion(value: unknown): PolicyLanguageVersion {
  if (value === undefined) return "2008-10-17";
  if (value === "2012-10-17" || value === "2008-10-17") return value;
  throw malformed("Version", `must be "2012-10-17" or "2008-10-17", got ${show(value)}`);
}

const statementMembers = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];

function parseStatement(path: string, value: unknown, version: PolicyLanguageVersion): PolicyStatement {
  const statement = objectAt(path, value);
  for (const name of Object.keys(statement)) {
    if (name === "Principal" || name === "NotPrincipal")
      throw malformed(
        `${path}.${name}`,
        "does not belong into an AWS IoT policy: the principal is what it is attached to",
      );
    if (!statementMembers.includes(name))
      throw malformed(`${path}.${name}`, `is no member of a statement; there are ${statementMembers.join(", ")}`);
  }
  const effect = statement["Effect"];
  if (effect !== "Allow" && effect !== "Deny")
    throw malformed(`${path}.Effect`, `must be "Allow" or "Deny", got ${show(effect)}`);
  const [actionMember, isNotAction] = oneOf(path, statement, "Action", "NotAction");
  const [resourceMember, isNotResource] = oneOf(path, statement, "Resource", "NotResource");
  const actions = stringsAt(`${path}.${actionMember}`, statement[actionMember]);
  const resources = stringsAt(`${path}.${resourceMember}`, statement[resourceMember]);
  actions.forEach((action) => checkAction(`${path}.${actionMember}`, action));
  resources.forEach((resource) => checkResource(`${path}.${resourceMember}`, resource, version));
  return {
    sid: statement["Sid"] === undefined ? undefined : stringAt(`${path}.Sid`, statement["Sid"]),
    effect,
    isNotAction,
    actions,
    isNotResource,
    resources,
    conditions:
      statement["Condition"] === undefined ? [] : parseConditions(`${path}.Condition`, statement["Condition"], version),
  };
}

function oneOf(path: string, statement: Record<string, unknown>, plain: string, negated: string): [string, boolean] {
  const hasPlain = statement[plain] !== undefined;
  const hasNegated = statement[negated] !== undefined;
  if (hasPlain && hasNegated) throw malformed(path, `has both ${plain} and ${negated}; it must have one of them`);
  if (!hasPlain && !hasNegated) throw malformed(`${path}.${plain}`, "is missing");
  return hasPlain ? [plain, false] : [negated, true];
}

function checkAction(path: string, action: string): void {
  if (action !== "*" && !/^[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+$/.test(action))
    throw malformed(path, `must be "*" or an action such as "iot:Publish", got ${show(action)}`);
}

function checkResource(path: string, resource: string, version: PolicyLanguageVersion): void {
  if (!/^(arn:|[*?])/.test(resource))
    throw malformed(path, `must be "*" or an ARN such as "arn:aws:iot:*:*:topic/a/*", got ${show(resource)}`);
  checkTemplate(path, resource, version);
}

function checkTemplate(path: string, source: string, version: PolicyLanguageVersion): void {
  try {
    parseTemplate(source, { hasWildcards: true, hasVariables: version === "2012-10-17" });
  } catch (error) {
    if (error instanceof ThinglineError) throw malformed(path, error.message);
    throw error;
  }
}

function parseConditions(path: string, value: unknown, version: PolicyLanguageVersion): PolicyCondition[] {
  const conditions: PolicyCondition[] = [];
  for (const [operator, block] of Object.entries(objectAt(path, value))) {
    const parsed = parseConditionOperator(operator);
    if (parsed === undefined) throw malformed(`${path}.${operator}`, "is no condition operator");
    for (const [key, given] of Object.entries(objectAt(`${path}.${operator}`, block))) {
      const keyPath = `${path}.${operator}["${key}"]`;
      if (key === "") throw malformed(keyPath, "needs a condition key");
      const values = (Array.isArray(given) ? (given as unknown[]) : [given]).map((item) =>
        conditionValueAt(keyPath, item),
      );
      for (const item of values) {
        checkTemplate(keyPath, item, version);
        const fault = item.includes("${") ? undefined : checkConditionValue(parsed, item);
        if (fault !== undefined) throw malformed(keyPath, `${fault}, got ${show(item)}`);
      }
      conditions.push({ operator, key, values });
    }
  }
  return conditions;
}

/** Booleans and numbers may stand as such or as strings; real policies have both. */
function conditionValueAt(path: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || typeof value === "number") return String(value);
  throw malformed(path, `must be a string, a boolean, a number or an array of them, got ${show(value)}`);
}

function objectAt(path: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(path, `must be an object, got ${show(value)}`);
  return value as Record<string, unknown>;
}

function stringAt(path: string, value: unknown): string {
  if (typeof value !== "string") throw malformed(path, `must be a string, got ${show(value)}`);
  return value;
}

function stringsAt(path: string, value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw malformed(path, "is empty");
  return list.map((item) => {
    const text = stringAt(path, item);
    if (text === "") throw malformed(path, "must not be an empty string");
    return text;
  });
}

function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function malformed(path: string, reason: string): ThinglineError {
  const where = path === "" ? "The policy document" : path;
  return new ThinglineError("POLICY_MALFORMED", `${where} ${reason}`, { details: { path, reason } });
}
