import { ThinglineError } from "@thingline/protocol";
import { commandPayloadBytesMax } from "@thingline/protocol/commands";
import type { StoreEntry, StoreOperation } from "../../store/store.js";
import { awsOperation, type InputOf, type OutputOf } from "../aws-operation.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import {
  arnOf,
  commandDeletionDelayMs,
  commandKeys,
  commandsServiceName,
  invalid,
  type CommandRecord,
  type ListedCommand,
} from "./model.js";
import { checkParameters } from "./parameters.js";
import { checkTemplate } from "./template.js";

/** Of a payload whose type is not said. */
export const contentTypeDefault = "application/octet-stream";
/** AWS says nothing of it; ours keeps a name of a type from being a text of its own. */
export const contentTypeCharactersMax = 128;

const parameterMembers = (["S", "B", "I", "L", "D", "BIN", "UL"] as const).flatMap(
  (member) => [`mandatoryParameters.value.${member}`, `mandatoryParameters.defaultValue.${member}`] as const,
);

/** The control plane of commands. */
export const commandOperations = {
  createCommand: awsOperation(
    "iot",
    "CreateCommand",
    [
      ...(["commandId", "namespace", "displayName", "description", "payload.content", "payload.contentType"] as const),
      ...(["payloadTemplate", "preprocessor.awsJsonSubstitution.outputFormat", "roleArn"] as const),
      ...(["tags.Key", "tags.Value"] as const),
      ...(["mandatoryParameters.name", "mandatoryParameters.type", "mandatoryParameters.description"] as const),
      ...parameterMembers,
      "mandatoryParameters.valueConditions.comparisonOperator",
      "mandatoryParameters.valueConditions.operand.number",
      "mandatoryParameters.valueConditions.operand.numbers",
      "mandatoryParameters.valueConditions.operand.string",
      "mandatoryParameters.valueConditions.operand.strings",
      "mandatoryParameters.valueConditions.operand.numberRange.min",
      "mandatoryParameters.valueConditions.operand.numberRange.max",
    ],
    async ({ scope, store, nowMs }, { commandId, tags, ...input }) => {
      const content = readContent(input);
      const key = commandKeys.command(scope, commandId);
      if ((await store.get(key)) !== undefined) {
        throw new ThinglineError("RESOURCE_CONFLICT", `Command ${commandId} already exists`);
      }
      const record: CommandRecord = { commandId, createdAtMs: nowMs, lastUpdatedAtMs: nowMs, ...content };
      return {
        result: { commandId, commandArn: arnOf.command(scope, commandId) },
        operations: [{ key, expectedRevision: 0, value: record }, listEntry(scope, record), ...tagsOfNew(key, tags)],
        effects: [],
      };
    },
  ),

  getCommand: awsOperation("iot", "GetCommand", ["commandId"], async (context, { commandId }) =>
    answer(describe(context.scope, (await requireCommand(context, commandId)).value)),
  ),

  updateCommand: awsOperation(
    "iot",
    "UpdateCommand",
    ["commandId", "displayName", "description", "deprecated"],
    async (context, { commandId, displayName, description, deprecated }) => {
      const { scope, nowMs } = context;
      const { key, value: command, revision } = await requireCommand(context, commandId);
      if (command.deletedAtMs !== undefined) {
        throw new ThinglineError("RESOURCE_CONFLICT", `Command ${commandId} is pending deletion`);
      }
      const isEdited = displayName !== undefined || description !== undefined;
      if (command.deprecatedAtMs !== undefined && isEdited && deprecated !== false) {
        throw invalid(`Command ${commandId} is deprecated, and cannot be edited: restore it first`);
      }
      const { deprecatedAtMs = nowMs, ...rest } = command;
      const isDeprecated = deprecated ?? command.deprecatedAtMs !== undefined;
      const changed: CommandRecord = {
        ...rest,
        ...(displayName !== undefined && { displayName }),
        ...(description !== undefined && { description }),
        ...(isDeprecated && { deprecatedAtMs }),
        lastUpdatedAtMs: nowMs,
      };
      return {
        result: {
          commandId,
          ...(changed.displayName !== undefined && { displayName: changed.displayName }),
          ...(changed.description !== undefined && { description: changed.description }),
          deprecated: isDeprecated,
          lastUpdatedAt: nowMs / 1_000,
        },
        operations: [
          { key, expectedRevision: revision, value: changed },
          ...(isEdited ? [listEntry(scope, changed)] : []),
        ],
        effects: [],
      };
    },
  ),

  deleteCommand: awsOperation("iot", "DeleteCommand", ["commandId"], async ({ scope, store, nowMs }, { commandId }) => {
    const entry = await store.get<CommandRecord>(commandKeys.command(scope, commandId));
    // AWS's list of errors has none for a command that is not there.
    if (entry === undefined) return answer({ statusCode: 204 });
    const { value: command, revision, key } = entry;
    if (command.deletedAtMs !== undefined) return answer({ statusCode: 202 });
    const isOver = command.deprecatedAtMs !== undefined && nowMs - command.deprecatedAtMs > commandDeletionDelayMs;
    if (isOver) return { result: { statusCode: 204 }, operations: commandGone(scope, entry), effects: [] };
    const atUnixMs = nowMs + commandDeletionDelayMs;
    return {
      result: { statusCode: 202 },
      operations: [
        { key, expectedRevision: revision, value: { ...command, deletedAtMs: nowMs } },
        { key: commandKeys.listedCommand(scope, command), delete: true },
      ],
      effects: [{ type: "wakeAt", service: commandsServiceName, name: `command/${commandId}`, atUnixMs }],
    };
  }),

  listCommands: awsOperation(
    "iot",
    "ListCommands",
    ["maxResults", "nextToken", "namespace", "commandParameterName", "sortOrder"],
    async (context, { maxResults, nextToken: token, namespace, commandParameterName: name, sortOrder }) => {
      const { entries, nextToken } = await readPage<ListedCommand>(context.store, {
        prefix: commandKeys.listed(context.scope),
        token,
        size: maxResults,
        order: sortOrder === "ASCENDING" ? "ascending" : "descending",
        // There are none of another service's namespace here.
        matches: ({ value }) =>
          namespace !== "AWS-IoT-FleetWise" && (name === undefined || value.parameterNames.includes(name)),
      });
      const commands = [];
      for (const { key } of entries) {
        const command = await findCommand(context, lastName(key));
        if (command !== undefined) commands.push(summarize(context.scope, command.value));
      }
      return answer({ commands, ...(nextToken !== undefined && { nextToken }) });
    },
  ),
};

type Reader = Pick<OperationContext, "store" | "scope">;

export const findCommand = ({ store, scope }: Reader, commandId: string) =>
  store.get<CommandRecord>(commandKeys.command(scope, commandId));

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireCommand(reader: Reader, commandId: string): Promise<StoreEntry<CommandRecord>> {
  const entry = await findCommand(reader, commandId);
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Command ${commandId} not found`);
}

/** What a command's deletion writes; its executions stay. */
export function commandGone(scope: Scope, { key, value, revision }: StoreEntry<CommandRecord>): StoreOperation[] {
  return [
    { key, expectedRevision: revision, delete: true },
    { key: commandKeys.listedCommand(scope, value), delete: true },
    tagsGone(key),
  ];
}

function listEntry(scope: Scope, command: CommandRecord): StoreOperation {
  const value: ListedCommand = { parameterNames: (command.mandatoryParameters ?? []).map(({ name }) => name) };
  return { key: commandKeys.listedCommand(scope, command), value };
}

type Content = Omit<InputOf<"iot", "CreateCommand">, "commandId" | "tags">;
type StoredContent = Omit<CommandRecord, "commandId" | "createdAtMs" | "lastUpdatedAtMs">;

/** @throws {ThinglineError} REQUEST_INVALID */
function readContent(input: Content): StoredContent {
  const {
    namespace = "AWS-IoT",
    displayName,
    description,
    roleArn,
    mandatoryParameters,
    payload,
    payloadTemplate,
  } = input;
  if (namespace !== "AWS-IoT") throw invalid(`namespace: ${namespace} is not supported by the local cloud`);
  if ((payload === undefined) === (payloadTemplate === undefined)) {
    throw invalid("Exactly one of payload and payloadTemplate must be given for the namespace AWS-IoT");
  }
  const outputFormat = input.preprocessor?.awsJsonSubstitution?.outputFormat;
  if (payloadTemplate === undefined && outputFormat !== undefined) {
    throw invalid("preprocessor: a payload without placeholders is not preprocessed");
  }
  checkParameters(mandatoryParameters ?? []);
  if (payloadTemplate !== undefined) checkNames(checkTemplate(payloadTemplate), mandatoryParameters ?? []);
  return {
    ...(displayName !== undefined && { displayName }),
    ...(description !== undefined && { description }),
    ...(roleArn !== undefined && { roleArn }),
    ...(mandatoryParameters !== undefined && { mandatoryParameters }),
    ...(payload !== undefined && { payload: readPayload(payload) }),
    ...(payloadTemplate !== undefined && { payloadTemplate }),
    ...(outputFormat !== undefined && { outputFormat }),
  };
}

function checkNames(used: ReadonlySet<string>, parameters: NonNullable<Content["mandatoryParameters"]>): void {
  const known = new Set(parameters.map(({ name }) => name));
  const unknown = [...used].find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw invalid(`payloadTemplate has a placeholder for '${unknown}', which is not among mandatoryParameters`);
}

const typePattern = /^[\w.+-]+\/[\x21-\x7e][\x20-\x7e]*$/u;

function readPayload({ content, contentType = contentTypeDefault }: NonNullable<Content["payload"]>) {
  if (content === undefined) throw invalid("payload.content must be given");
  if (content.length > commandPayloadBytesMax) {
    throw invalid(`payload.content has ${content.length} bytes, at most ${commandPayloadBytesMax} are allowed`);
  }
  if (contentType.length > contentTypeCharactersMax || !typePattern.test(contentType)) {
    throw invalid(
      `payload.contentType must be a type and a subtype, such as application/json, of at most ${contentTypeCharactersMax} characters`,
    );
  }
  return { content, contentType };
}

function describe(scope: Scope, command: CommandRecord): OutputOf<"iot", "GetCommand"> {
  const { createdAtMs, lastUpdatedAtMs, deprecatedAtMs, deletedAtMs, outputFormat, ...rest } = command;
  return {
    ...rest,
    commandArn: arnOf.command(scope, command.commandId),
    namespace: "AWS-IoT",
    ...(outputFormat !== undefined && { preprocessor: { awsJsonSubstitution: { outputFormat } } }),
    createdAt: createdAtMs / 1_000,
    lastUpdatedAt: lastUpdatedAtMs / 1_000,
    deprecated: deprecatedAtMs !== undefined,
    pendingDeletion: deletedAtMs !== undefined,
  };
}

function summarize(scope: Scope, command: CommandRecord) {
  const { commandId, displayName, createdAtMs, lastUpdatedAtMs, deprecatedAtMs, deletedAtMs } = command;
  return {
    commandArn: arnOf.command(scope, commandId),
    commandId,
    ...(displayName !== undefined && { displayName }),
    deprecated: deprecatedAtMs !== undefined,
    createdAt: createdAtMs / 1_000,
    lastUpdatedAt: lastUpdatedAtMs / 1_000,
    pendingDeletion: deletedAtMs !== undefined,
  };
}
