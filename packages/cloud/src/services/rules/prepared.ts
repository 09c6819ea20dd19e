import { isThinglineError, ThinglineError } from "@thingline/protocol";
import {
  checkTemplate,
  fillTemplate,
  parseTemplate,
  readStatement,
  usesPatterns,
  type Scope,
  type Statement,
  type Template,
  type TemplateRules,
} from "../../rules-sql/index.js";
import { ruleActionsMax, ruleBytesMax, type RuleAction, type RuleRecord } from "./model.js";

/** The actions that a rule may have, by AWS's names, and how AWS calls them in the message of an error action. */
export const actionKinds = {
  cloudwatchAlarm: "CloudwatchAlarmAction",
  cloudwatchLogs: "CloudwatchLogsAction",
  cloudwatchMetric: "CloudwatchMetricAction",
  dynamoDB: "DynamoDBAction",
  dynamoDBv2: "DynamoDBv2Action",
  elasticsearch: "ElasticsearchAction",
  firehose: "FirehoseAction",
  http: "HttpAction",
  iotAnalytics: "IotAnalyticsAction",
  iotEvents: "IotEventsAction",
  iotSiteWise: "IotSiteWiseAction",
  kafka: "KafkaAction",
  kinesis: "KinesisAction",
  lambda: "LambdaAction",
  location: "LocationAction",
  openSearch: "OpenSearchAction",
  republish: "RepublishAction",
  s3: "S3Action",
  salesforce: "SalesforceAction",
  sns: "SnsAction",
  sqs: "SqsAction",
  stepFunctions: "StepFunctionsAction",
  timestream: "TimestreamAction",
} as const;

export type ActionKind = keyof typeof actionKinds;

/** A value of an action, with its templates read. */
type Field = { readonly template: Template } | { readonly literal: FieldValue } | readonly Field[] | Fields;
interface Fields {
  readonly members: { readonly [name: string]: Field };
}
export type FieldValue =
  | null
  | boolean
  | number
  | string
  | readonly FieldValue[]
  | { readonly [name: string]: FieldValue };

/** What stands in an action, filled. */
export type FilledFields = { readonly [name: string]: FieldValue };

export interface PreparedAction {
  readonly kind: ActionKind;
  /** @throws {ThinglineError} RULE_SQL_FAILED; `ExternalNeeded` */
  fill(scope: Scope): FilledFields;
}

/** A rule that can run. */
export interface PreparedRule {
  readonly record: RuleRecord;
  readonly statement: Statement;
  readonly actions: readonly PreparedAction[];
  readonly errorAction: PreparedAction | undefined;
  /** The statement or a template has regular expressions, which need a guard. */
  readonly usesPatterns: boolean;
}

/** Of one rule, while it is read. */
interface Reader {
  readonly rules: TemplateRules;
  /** Becomes true with the first template that does. */
  usesPatterns: boolean;
}

/** Members that AWS takes as they are. */
const literalMembers: ReadonlySet<string> = new Set(["roleArn", "batchMode", "useBase64", "qos"]);

/**
 * Reads the statement and all templates of a rule.
 *
 * @throws {ThinglineError} RULE_SQL_INVALID, REQUEST_INVALID
 */
export function prepareRule(record: RuleRecord): PreparedRule {
  const { actions, errorAction, sql, awsIotSqlVersion } = record;
  if (actions.length > ruleActionsMax) throw invalid(`A rule has at most ${ruleActionsMax} actions`);
  const bytes = new TextEncoder().encode(JSON.stringify(record)).length;
  if (bytes > ruleBytesMax) throw invalid(`A rule has at most ${ruleBytesMax} bytes`);
  const statement = readStatement(sql, awsIotSqlVersion);
  const { variables } = statement;
  const rules = { version: awsIotSqlVersion, variables, isExternalAllowed: true };
  const reader = { rules, usesPatterns: usesPatterns(statement) };
  const preparedActions = actions.map((action, at) => prepareAction(action, `actions.${at + 1}`, reader));
  const errors = { ...reader, rules: { ...rules, isExternalAllowed: false } };
  const preparedError = errorAction && prepareAction(errorAction, "errorAction", errors);
  return {
    ...{ record, statement, actions: preparedActions, errorAction: preparedError },
    usesPatterns: reader.usesPatterns || errors.usesPatterns,
  };
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

function prepareAction(action: RuleAction, path: string, reader: Reader): PreparedAction {
  const kinds = Object.keys(action).filter((kind) => action[kind] !== undefined);
  const [kind, another] = kinds;
  if (kind === undefined) throw invalid(`${path}: an action has one member, which says what it is`);
  if (another !== undefined) throw invalid(`${path}: an action is one thing, and not ${kind} and ${another}`);
  const given = action[kind] as FilledFields;
  if (kind === "republish") checkRepublish(given, path);
  if (kind === "http") checkHeaders(given, path);
  const { members } = prepareMembers(given, `${path}.${kind}`, reader);
  return {
    kind: kind as ActionKind,
    fill: (scope) => Object.fromEntries(Object.entries(members).map(([name, field]) => [name, filled(field, scope)])),
  };
}

/** Topics that AWS does not let a rule publish to. */
function checkRepublish({ topic, qos }: FilledFields, path: string): void {
  if (typeof topic === "string" && /^\$\$?aws\/(?:rules|things\/[^/]*\/(?:jobs|defender))\//.test(topic)) {
    throw invalid(`${path}.republish.topic: a rule may not publish to ${topic}`);
  }
  if (qos !== undefined && qos !== 0 && qos !== 1) throw invalid(`${path}.republish.qos is 0 or 1`);
}

/** What says how long a request is and where it ends is said by who sends it. */
const framingHeaders: ReadonlySet<string> = new Set(["connection", "content-length", "host", "transfer-encoding"]);

function checkHeaders({ headers }: FilledFields, path: string): void {
  if (!Array.isArray(headers)) return;
  for (const { key } of headers as FilledFields[]) {
    if (typeof key === "string" && framingHeaders.has(key.toLowerCase())) {
      throw invalid(`${path}.http.headers: a rule cannot set ${key}`);
    }
  }
}

function prepareMembers(given: FilledFields, path: string, reader: Reader): Fields {
  const members = Object.entries(given).flatMap(([name, value]): [string, Field][] => {
    if (value === undefined) return [];
    return [[name, literalMembers.has(name) ? { literal: value } : prepareValue(value, `${path}.${name}`, reader)]];
  });
  return { members: Object.fromEntries(members) };
}

function prepareValue(value: FieldValue, path: string, reader: Reader): Field {
  if (typeof value === "string") return { template: readTemplate(value, path, reader) };
  if (Array.isArray(value)) return value.map((item: FieldValue, at) => prepareValue(item, `${path}.${at + 1}`, reader));
  if (typeof value === "object" && value !== null) return prepareMembers(value as FilledFields, path, reader);
  return { literal: value };
}

function readTemplate(text: string, path: string, reader: Reader): Template {
  try {
    const template = parseTemplate(text);
    checkTemplate(template, reader.rules);
    reader.usesPatterns ||= usesPatterns(template);
    return template;
  } catch (error) {
    if (!isThinglineError(error, "RULE_SQL_INVALID")) throw error;
    throw new ThinglineError("RULE_SQL_INVALID", `${path}: ${error.message}`, { details: error.details });
  }
}

function filled(field: Field, scope: Scope): FieldValue {
  if (Array.isArray(field)) return field.map((item: Field) => filled(item, scope));
  const given = field as Exclude<Field, readonly Field[]>;
  if ("template" in given) return fillTemplate(given.template, scope);
  if ("literal" in given) return given.literal;
  return Object.fromEntries(Object.entries(given.members).map(([name, member]) => [name, filled(member, scope)]));
}
