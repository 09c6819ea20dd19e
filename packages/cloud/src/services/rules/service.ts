import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { readStatement, type SqlVersion } from "../../rules-sql/index.js";
import { awsOperation, awsSaga, type InputOf } from "../aws-operation.js";
import {
  answer,
  type Effect,
  type Operation,
  type OperationContext,
  type Outcome,
  type SagaContext,
} from "../operation.js";
import { readPage } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import { ruleMembers } from "./action-members.js";
import {
  requireRule,
  ruleArn,
  ruleKeys,
  rulesMax,
  rulesServiceName,
  type RuleAction,
  type RuleRecord,
} from "./model.js";
import { prepareRule } from "./prepared.js";
import type { RuleSet } from "./rule-set.js";
import { tagsOfHeader } from "./tags-header.js";

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** AWS's first; a rule that names none goes on with it. */
const versionDefault: SqlVersion = "2015-10-08";
const versions: readonly SqlVersion[] = ["2015-10-08", "2016-03-23", "beta"];

/** Rules are read anew, by every node. */
const refresh: Effect = { type: "refresh", service: rulesServiceName };

type Payload = InputOf<"iot", "CreateTopicRule">["topicRulePayload"];

function recordOf(ruleName: string, payload: Payload, createdAtMs: number): RuleRecord {
  const { sql, description, errorAction, ruleDisabled = false, awsIotSqlVersion = versionDefault } = payload;
  const version = versions.find((known) => known === awsIotSqlVersion);
  if (version === undefined)
    throw invalid(`awsIotSqlVersion is one of ${versions.join(", ")}, not '${awsIotSqlVersion}'`);
  const record: RuleRecord = {
    ...{ ruleName, sql, awsIotSqlVersion: version, ruleDisabled, createdAtMs },
    actions: payload.actions as unknown as readonly RuleAction[],
    ...(description !== undefined && { description }),
    ...(errorAction !== undefined && { errorAction: errorAction as unknown as RuleAction }),
  };
  prepareRule(record);
  return record;
}

const putNewRule: Operation<InputOf<"iot", "CreateTopicRule">, object> = async (context, input) => {
  const { store, scope, nowMs } = context;
  const { ruleName, topicRulePayload, tags } = input;
  const value = recordOf(ruleName, topicRulePayload, nowMs);
  const key = ruleKeys.one(scope, ruleName);
  if ((await store.get(key)) !== undefined) {
    const details = { resourceId: ruleName, resourceArn: ruleArn(scope, ruleName) };
    throw new ThinglineError("RESOURCE_EXISTS", `Topic rule ${ruleName} already exists`, { details });
  }
  const guardKey = ruleKeys.guard(scope);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  if ((await store.list(ruleKeys.all(scope), { limit: rulesMax })).length >= rulesMax) {
    throw new ThinglineError("QUOTA_EXCEEDED", `An account has at most ${rulesMax} rules`, { details: { rulesMax } });
  }
  const operations = [
    { key, expectedRevision: 0, value },
    { key: guardKey, expectedRevision: guardRevision, value: null },
    ...tagsOfNew(key, tagsOfHeader(tags)),
  ];
  return { result: {}, operations, effects: [refresh] };
};

const putRule: Operation<InputOf<"iot", "ReplaceTopicRule">, object> = async (context, input) => {
  const { value: before, revision, key } = await requireRule(context, input.ruleName);
  const value = recordOf(input.ruleName, input.topicRulePayload, before.createdAtMs);
  return { result: {}, operations: [{ key, expectedRevision: revision, value }], effects: [refresh] };
};

const deleteRule: Operation<{ ruleName: string }, object> = async (context, { ruleName }) => {
  const { key, revision } = await requireRule(context, ruleName);
  const operations = [{ key, expectedRevision: revision, delete: true as const }, tagsGone(key)];
  return { result: {}, operations, effects: [refresh] };
};

const switchRule: Operation<{ ruleName: string; ruleDisabled: boolean }, object> = async (
  context,
  { ruleName, ruleDisabled },
): Promise<Outcome<object>> => {
  const { key, revision, value } = await requireRule(context, ruleName);
  if (value.ruleDisabled === ruleDisabled) return answer({});
  const operations = [{ key, expectedRevision: revision, value: { ...value, ruleDisabled } }];
  return { result: {}, operations, effects: [refresh] };
};

const getTopicRule = awsOperation("iot", "GetTopicRule", ["ruleName"], async (context, { ruleName }) => {
  const { createdAtMs, ...rule } = (await requireRule(context, ruleName)).value;
  return answer({
    ruleArn: ruleArn(context.scope, ruleName),
    rule: { ...rule, createdAt: createdAtMs / 1000 } as never,
  });
});

/** `topic` is the filter of the rules that are asked for. */
const listTopicRules = awsOperation(
  "iot",
  "ListTopicRules",
  ["topic", "maxResults", "nextToken", "ruleDisabled"],
  async ({ store, scope }: OperationContext, { topic, maxResults, nextToken: token, ruleDisabled }) => {
    const { entries, nextToken } = await readPage<RuleRecord>(store, {
      prefix: ruleKeys.all(scope),
      token,
      size: maxResults,
      matches: ({ value }) =>
        (topic === undefined || topicPatternOf(value) === topic) &&
        (ruleDisabled === undefined || value.ruleDisabled === ruleDisabled),
    });
    const rules = entries.map(({ value }) => ({
      ruleArn: ruleArn(scope, value.ruleName),
      ruleName: value.ruleName,
      topicPattern: topicPatternOf(value),
      createdAt: value.createdAtMs / 1000,
      ruleDisabled: value.ruleDisabled,
    }));
    return answer({ rules, ...(nextToken !== undefined && { nextToken }) });
  },
);

/** undefined also for a rule of an older release whose statement cannot be read any more: it is listed, so that somebody can replace it. */
function topicPatternOf({ sql, awsIotSqlVersion }: RuleRecord): string | undefined {
  try {
    return readStatement(sql, awsIotSqlVersion).from;
  } catch (error) {
    if (isThinglineError(error, "RULE_SQL_INVALID")) return undefined;
    throw error;
  }
}

export type TopicRules = ReturnType<typeof createTopicRules>;

/**
 * Topic rules, by AWS's names. A change is answered when it counts on this node; the other nodes follow at once.
 *
 * @see AWS IoT developer guide, "Rules for AWS IoT"
 */
export function createTopicRules(rules: RuleSet) {
  /** Runs the operation, and waits until its rules are those that run. */
  const thenRefresh =
    <Input, Given = Input>(operation: Operation<Given, object>, given: (input: Input) => Given) =>
    async (context: SagaContext, input: Input): Promise<object> => {
      const result = await context.run(operation, given(input));
      await rules.refresh(context.scope, { run: (_, read, of) => context.run(read, of) });
      return result;
    };
  const same = <Input>(input: Input): Input => input;
  const named = ["ruleName"] as const;
  return {
    createTopicRule: awsSaga(
      rulesServiceName,
      ["iot", "CreateTopicRule"],
      ["ruleName", "tags", ...ruleMembers],
      thenRefresh(putNewRule, same<InputOf<"iot", "CreateTopicRule">>),
    ),
    replaceTopicRule: awsSaga(
      rulesServiceName,
      ["iot", "ReplaceTopicRule"],
      ["ruleName", ...ruleMembers],
      thenRefresh(putRule, same<InputOf<"iot", "ReplaceTopicRule">>),
    ),
    getTopicRule,
    listTopicRules,
    deleteTopicRule: awsSaga(
      rulesServiceName,
      ["iot", "DeleteTopicRule"],
      named,
      thenRefresh(deleteRule, same<{ ruleName: string }>),
    ),
    enableTopicRule: awsSaga(
      rulesServiceName,
      ["iot", "EnableTopicRule"],
      named,
      thenRefresh(switchRule, ({ ruleName }: { ruleName: string }) => ({ ruleName, ruleDisabled: false })),
    ),
    disableTopicRule: awsSaga(
      rulesServiceName,
      ["iot", "DisableTopicRule"],
      named,
      thenRefresh(switchRule, ({ ruleName }: { ruleName: string }) => ({ ruleName, ruleDisabled: true })),
    ),
  };
}
