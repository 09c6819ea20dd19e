import type { Action, TopicRulePayload } from "@aws-sdk/client-iot";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { UsageError } from "./failure.js";

/** Of a file with a rule: what AWS takes. */
export const rulePayloadBytesMax = 131_072;
/** What a rule is made with that says none; AWS's own default is the older one. */
export const ruleSqlVersion = "2016-03-23";

export interface RuleActionOptions {
  republish?: string[];
  function?: string[];
  http?: string[];
  s3?: string[];
  errorRepublish?: string;
  roleArn?: string;
  aws?: boolean;
}

/** What actions do with a role is AWS's business: the local cloud takes any. */
const localRoleArn = "arn:aws:iam::123456789012:role/thingline-rules";

/** @throws {UsageError} */
export function actionsOf(options: RuleActionOptions): Pick<TopicRulePayload, "actions" | "errorAction"> {
  const { republish = [], function: functions = [], http = [], s3 = [], errorRepublish, roleArn, aws } = options;
  const needsRole = republish.length + s3.length > 0 || errorRepublish !== undefined;
  if (aws === true && needsRole && roleArn === undefined) {
    throw new UsageError("AWS acts by a role: say which with --role-arn");
  }
  const role = { roleArn: roleArn ?? localRoleArn };
  const actions: Action[] = [
    ...republish.map((topic) => ({ republish: { ...role, topic, qos: 1 } })),
    ...functions.map((name) => ({ lambda: { functionArn: functionArnOf(name, aws === true) } })),
    ...http.map((url) => ({ http: { url } })),
    ...s3.map((place) => ({ s3: { ...role, ...placeOf(place) } })),
  ];
  if (errorRepublish === undefined) return { actions };
  return { actions, errorAction: { republish: { ...role, topic: errorRepublish, qos: 1 } } };
}

function functionArnOf(name: string, isAws: boolean): string {
  if (name.startsWith("arn:")) return name;
  if (isAws) throw new UsageError(`--function takes the ARN of a function of AWS, got "${name}"`);
  return `arn:aws:lambda:us-east-1:123456789012:function:${name}`;
}

function placeOf(place: string): { bucketName: string; key: string } {
  const [, bucketName, key] = /^([^/]+)\/(.+)$/.exec(place) ?? [];
  if (bucketName === undefined || key === undefined) throw new UsageError(`--s3 takes BUCKET/KEY, got "${place}"`);
  return { bucketName, key };
}

/** A statement, checked here so that the place can be shown. @throws {ThinglineError} RULE_SQL_INVALID */
export async function checkStatement(sql: string, version: string) {
  const { readStatement } = await import("@thingline/cloud/rules-sql");
  try {
    return readStatement(sql, version as "2016-03-23");
  } catch (error) {
    if (!isThinglineError(error, "RULE_SQL_INVALID")) throw error;
    const at = error.details["at"];
    const shown = typeof at === "number" ? `\n${pointAt(sql, at)}` : "";
    throw new ThinglineError("RULE_SQL_INVALID", `${error.message}${shown}`, { details: error.details, cause: error });
  }
}

/** Characters before and behind the place. */
const shownBefore = 40;
const shownBehind = 30;

/** The statement around a place, and a mark below it. */
export function pointAt(sql: string, at: number): string {
  const line = sql.replace(/\s/g, " ");
  const begin = Math.max(0, at - shownBefore);
  const end = Math.min(line.length, at + shownBehind);
  const lead = begin > 0 ? "..." : "";
  const text = `${lead}${line.slice(begin, end)}${end < line.length ? "..." : ""}`;
  return `  ${text}\n  ${" ".repeat(lead.length + at - begin)}^`;
}
