// What AWS refuses in a policy of AWS IoT, as a checklist for the documents that we make ourselves. No tests here.
import assert from "node:assert/strict";
import { parsePolicyDocument } from "./document.js";

/** Characters that are no white space. */
const policyCharactersMax = 2_048;
const actions = ["Connect", "Publish", "RetainPublish", "Subscribe", "Receive"].map((name) => `iot:${name}`);
/** What kind of resource each action goes by; another one never matches, and AWS's console refuses it. */
const resourceTypeOf: Readonly<Record<string, string>> = {
  "iot:Connect": "client",
  "iot:Publish": "topic",
  "iot:RetainPublish": "topic",
  "iot:Receive": "topic",
  "iot:Subscribe": "topicfilter",
};
const variables = [
  "iot:ClientId",
  "iot:Connection.Thing.ThingName",
  "iot:Connection.Thing.ThingTypeName",
  "iot:Connection.Thing.IsAttached",
  "iot:CertificateId",
];
const conditionKeys = ["iot:ConnectAttributes", "iot:Connection.Thing.IsAttached"];
const conditionOperators = ["Bool", "ForAnyValue:StringEquals", "ForAllValues:StringEquals"];

interface Statement {
  Sid?: string;
  Effect: string;
  Action: string | string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, unknown>>;
}

const listOf = (value: string | string[]) => (Array.isArray(value) ? value : [value]);

/** @returns what is wrong with the document, in words; nothing when AWS takes it as it stands */
export function lintPolicy(text: string): string[] {
  try {
    parsePolicyDocument(text);
  } catch (error) {
    return [String(error)];
  }
  const faults: string[] = [];
  const length = text.replaceAll(/\s/g, "").length;
  if (length > policyCharactersMax) faults.push(`${length} characters, at most ${policyCharactersMax}`);
  const { Version, Statement, ...rest } = JSON.parse(text) as { Version: string; Statement: Statement[] };
  // Without this version a variable stands for itself.
  if (Version !== "2012-10-17") faults.push(`Version ${Version}`);
  for (const name of Object.keys(rest)) faults.push(`member ${name}`);
  const sids = Statement.flatMap(({ Sid }) => Sid ?? []);
  if (new Set(sids).size < sids.length) faults.push("a Sid stands there twice");
  for (const sid of sids) if (!/^[0-9A-Za-z]+$/.test(sid)) faults.push(`Sid ${sid}`);
  for (const statement of Statement) faults.push(...lintStatement(statement));
  return faults;
}

function lintStatement({ Sid: _sid, Effect, Action, Resource, Condition = {}, ...rest }: Statement): string[] {
  const faults = Object.keys(rest).map((name) => `statement with ${name}`);
  if (Effect !== "Allow" && Effect !== "Deny") faults.push(`Effect ${Effect}`);
  for (const action of listOf(Action)) {
    if (!actions.includes(action)) faults.push(`Action ${action}`);
    for (const resource of listOf(Resource)) faults.push(...lintResource(resource, resourceTypeOf[action] ?? ""));
  }
  for (const [operator, keys] of Object.entries(Condition)) {
    if (!conditionOperators.includes(operator)) faults.push(`operator ${operator}`);
    for (const key of Object.keys(keys)) if (!conditionKeys.includes(key)) faults.push(`condition key ${key}`);
  }
  return faults;
}

function lintResource(resource: string, type: string): string[] {
  if (resource === "*") return [];
  const [, found, name = ""] = /^arn:aws:iot:(?:\*|[a-z0-9-]+):(?:\*|\d{12}):([a-z]+)\/(.+)$/.exec(resource) ?? [];
  const faults = found === type ? [] : [`resource ${resource} for ${type}`];
  for (const [, variable = ""] of name.matchAll(/\$\{([^}]*)\}/g)) {
    if (!variables.includes(variable)) faults.push(`variable ${variable}`);
  }
  // Wildcards of MQTT mean nothing here.
  if (/[+#]/.test(name)) faults.push(`${resource} has a wildcard of MQTT`);
  return faults;
}

export function assertLegalOnAws(name: string, text: string): void {
  assert.deepEqual(lintPolicy(text), [], name);
}
