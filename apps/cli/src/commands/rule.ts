import type { Action, TopicRule, TopicRulePayload } from "@aws-sdk/client-iot";
import { isRecord, ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import type { Output } from "../output.js";
import {
  actionsOf,
  checkStatement,
  rulePayloadBytesMax,
  ruleSqlVersion,
  type RuleActionOptions,
} from "../rule-payload.js";
import { readTextFile } from "../text-file.js";
import { describeRows, openIot, pageSize, placeWords, type PlaceOptions } from "./members.js";

interface CreateOptions extends PlaceOptions, RuleActionOptions {
  sql?: string;
  payload?: string;
  sqlVersion?: string;
  description?: string;
  disabled?: boolean;
  replace?: boolean;
}

/** The rule that is asked for, by a file or by options. */
async function payloadOf(options: CreateOptions, signal: AbortSignal): Promise<TopicRulePayload> {
  const { sql, payload: file, sqlVersion = ruleSqlVersion, description, disabled } = options;
  if (file !== undefined) {
    const others = {
      "--sql": sql,
      "--description": description,
      "--disabled": disabled,
      "--sql-version": options.sqlVersion,
    };
    const beside = Object.entries(others).find(([, value]) => value !== undefined)?.[0];
    const { actions = [], errorAction } = actionsOf(options);
    if (beside !== undefined || actions.length > 0 || errorAction !== undefined) {
      throw new UsageError(`a file with --payload is the whole rule: ${beside ?? "an action"} cannot stand beside it`);
    }
    return readPayload(file, signal);
  }
  if (sql === undefined) throw new UsageError("say the statement with --sql, or a file with --payload");
  return {
    ...{ sql, awsIotSqlVersion: sqlVersion, ...actionsOf(options) },
    ...(description !== undefined && { description }),
    ...(disabled === true && { ruleDisabled: true }),
  };
}

/** @throws {ThinglineError} RULE_FILE_INVALID, and those of reading a file */
async function readPayload(file: string, signal: AbortSignal): Promise<TopicRulePayload> {
  const text = await readTextFile(createNodeFiles(), file, { bytesMax: rulePayloadBytesMax, signal });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ThinglineError("RULE_FILE_INVALID", `"${file}" is no JSON: ${String(cause)}`, { cause });
  }
  const inner = isRecord(value) && isRecord(value["topicRulePayload"]) ? value["topicRulePayload"] : value;
  if (!isRecord(inner) || typeof inner["sql"] !== "string" || !Array.isArray(inner["actions"])) {
    throw new ThinglineError(
      "RULE_FILE_INVALID",
      `"${file}" is no rule: it has sql and actions, as CreateTopicRule takes them`,
    );
  }
  return inner as unknown as TopicRulePayload;
}

/** `thingline rule create NAME --sql STATEMENT` */
export async function ruleCreate(context: CommandContext, options: CreateOptions, ruleName = ""): Promise<void> {
  const { output, signal } = context;
  const topicRulePayload = await payloadOf(options, signal);
  const { sql = "", awsIotSqlVersion = "2015-10-08", actions = [] } = topicRulePayload;
  const { from } = await checkStatement(sql, awsIotSqlVersion);
  const { plane, client, sdk, send } = await openIot(context, options);
  const input = { ruleName, topicRulePayload };
  if (options.replace === true) await client.send(new sdk.ReplaceTopicRuleCommand(input), send);
  else await client.send(new sdk.CreateTopicRuleCommand(input), send);
  if (actions.length === 0) {
    output.complain({
      kind: "warning",
      message: "the rule has no action: name one with --republish, --function, --http or --s3",
    });
  }
  output.event(
    { event: "ruleCreated", ruleName, topic: from ?? null, actions: actions.map(kindOf) },
    [
      `${output.paint.green(options.replace === true ? "replaced" : "created")} rule ${ruleName} in the ${plane.description}`,
      "",
      "Try it:",
      `  ${commandLine(["publish", exampleTopic(from, ruleName), "{}", ...placeWords(options)])}`,
    ].join("\n"),
  );
}

/** A topic that the rule hears. */
const exampleTopic = (from: string | undefined, ruleName: string): string =>
  from === undefined ? `$aws/rules/${ruleName}/example` : from.replaceAll("+", "example").replace(/#$/, "example");

const kindOf = (action: Action): string =>
  Object.keys(action).find((kind) => action[kind as keyof Action] !== undefined) ?? "";

/** `thingline rule list` */
export async function ruleList(context: CommandContext, options: PlaceOptions & { topic?: string }): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const input = { ...(options.topic !== undefined && { topic: options.topic }) };
  let count = 0;
  for await (const page of sdk.paginateListTopicRules({ client, pageSize }, input, send)) {
    for (const { ruleName = "", topicPattern = null, ruleDisabled = false } of page.rules ?? []) {
      count++;
      const note = ruleDisabled ? output.paint.yellow("  disabled") : "";
      output.event(
        { event: "rule", ruleName, topic: topicPattern, ruleDisabled },
        `${ruleName.padEnd(24)}${topicPattern ?? "Basic Ingest"}${note}`,
      );
    }
    await output.drained();
  }
  if (count === 0) output.say(`no rules in the ${plane.description}`);
}

/** `thingline rule show NAME` */
export async function ruleShow(context: CommandContext, options: PlaceOptions, ruleName = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openIot(context, options);
  const { rule = {}, ruleArn } = await client.send(new sdk.GetTopicRuleCommand({ ruleName }), send);
  output.event({ event: "rule", ...rule, ruleArn, createdAt: rule.createdAt?.toISOString() }, describe(output, rule));
}

function describe(output: Output, { ruleName = "", sql = "", ...rule }: TopicRule): string {
  const { description = "", awsIotSqlVersion = "", actions = [], errorAction, ruleDisabled, createdAt } = rule;
  const told = (action: Action) => `${kindOf(action)} ${JSON.stringify(action[kindOf(action) as keyof Action])}`;
  return [
    `${output.paint.bold(ruleName)}${ruleDisabled === true ? output.paint.yellow("  disabled") : ""}`,
    ...describeRows(output, [
      ["description", description],
      ["statement", sql],
      ["version", awsIotSqlVersion],
      ...actions.map((action) => ["action", told(action)] as const),
      ["on errors", errorAction === undefined ? "" : told(errorAction)],
      ["created", createdAt?.toISOString() ?? ""],
    ]),
  ].join("\n");
}

/** `thingline rule enable NAME`, `disable NAME` */
const ruleSwitch =
  (isEnabled: boolean) =>
  async (context: CommandContext, options: PlaceOptions, ruleName = ""): Promise<void> => {
    const { output } = context;
    const { plane, client, sdk, send } = await openIot(context, options);
    await (isEnabled
      ? client.send(new sdk.EnableTopicRuleCommand({ ruleName }), send)
      : client.send(new sdk.DisableTopicRuleCommand({ ruleName }), send));
    const word = isEnabled ? "enabled" : "disabled";
    output.event(
      { event: "ruleSwitched", ruleName, ruleDisabled: !isEnabled },
      `${output.paint.green(word)} rule ${ruleName} in the ${plane.description}`,
    );
  };

export const ruleEnable = ruleSwitch(true);
export const ruleDisable = ruleSwitch(false);

/** `thingline rule delete NAME` */
export async function ruleDelete(context: CommandContext, options: PlaceOptions, ruleName = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  await client.send(new sdk.DeleteTopicRuleCommand({ ruleName }), send);
  output.event(
    { event: "ruleDeleted", ruleName },
    `${output.paint.green("deleted")} rule ${ruleName} in the ${plane.description}`,
  );
}
