import { ThinglineError } from "@thingline/protocol";
import type { Http } from "@thingline/transport";
import type { Log } from "../../log.js";
import { awsOperation, awsSaga } from "../aws-operation.js";
import { answer, type Operation, type OperationContext, type Outcome, type SagaContext } from "../operation.js";
import { readPage } from "../page.js";
import {
  destinationArn,
  destinationsMax,
  requireDestination,
  ruleKeys,
  rulesServiceName,
  type DestinationRecord,
} from "./model.js";

/** How long the endpoint has to take the request for its confirmation. */
export const confirmationTimeoutMs = 10_000;

export interface DestinationsDependencies {
  http: Http | undefined;
  log: Log;
  /** Where this cloud answers REST, for the URL that confirms; undefined where it does not. */
  apiUrl: () => string | undefined;
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

const putDestination: Operation<{ confirmationUrl: string; id: string; token: string }, DestinationRecord> = async (
  { store, scope, nowMs },
  { confirmationUrl, id, token },
) => {
  requireHttpUrl(confirmationUrl);
  const urlKey = ruleKeys.destinationByUrl(scope, confirmationUrl);
  if ((await store.get(urlKey)) !== undefined) {
    throw new ThinglineError("RESOURCE_EXISTS", `There is a destination for ${confirmationUrl} already`);
  }
  const guardKey = ruleKeys.destinationGuard(scope);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  if ((await store.list(ruleKeys.destinations(scope), { limit: destinationsMax })).length >= destinationsMax) {
    const message = `An account has at most ${destinationsMax} destinations`;
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { destinationsMax } });
  }
  const value: DestinationRecord = {
    ...{ id, confirmationUrl, status: "IN_PROGRESS", statusReason: awaiting, confirmationToken: token },
    ...{ createdAtMs: nowMs, modifiedAtMs: nowMs },
  };
  const operations = [
    { key: ruleKeys.destination(scope, id), expectedRevision: 0, value },
    { key: urlKey, expectedRevision: 0, value: { id } },
    { key: guardKey, expectedRevision: guardRevision, value: null },
  ];
  return { result: value, operations, effects: [] };
};

const awaiting = "Awaiting confirmation. Confirmation message sent to the endpoint";

function requireHttpUrl(text: string): void {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid(`confirmationUrl is no URL: '${text.slice(0, 300)}'`);
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") throw invalid("confirmationUrl is an http or https URL");
}

const setStatus: Operation<
  { arn: string; status: DestinationRecord["status"]; statusReason: string; token?: string },
  DestinationRecord
> = async (context, { arn, status, statusReason, token }) => {
  const { value: before, key, revision } = await requireDestination(context, arn);
  const confirmationToken = token ?? before.confirmationToken;
  const value = { ...before, status, statusReason, confirmationToken, modifiedAtMs: context.nowMs };
  return { result: value, operations: [{ key, expectedRevision: revision, value }], effects: [] };
};

function summaryOf(scope: OperationContext["scope"], record: DestinationRecord) {
  const { id, status, statusReason, createdAtMs, modifiedAtMs } = record;
  const times = { createdAt: createdAtMs / 1000, lastUpdatedAt: modifiedAtMs / 1000 };
  return { arn: destinationArn(scope, id), status, statusReason, ...times };
}

const described = (scope: OperationContext["scope"], record: DestinationRecord) => ({
  topicRuleDestination: { ...summaryOf(scope, record), httpUrlProperties: { confirmationUrl: record.confirmationUrl } },
});

const getTopicRuleDestination = awsOperation("iot", "GetTopicRuleDestination", ["arn"], async (context, { arn }) =>
  answer(described(context.scope, (await requireDestination(context, arn)).value)),
);

const listTopicRuleDestinations = awsOperation(
  "iot",
  "ListTopicRuleDestinations",
  ["maxResults", "nextToken"],
  async ({ store, scope }, { maxResults, nextToken: token }) => {
    const prefix = ruleKeys.destinations(scope);
    const { entries, nextToken } = await readPage<DestinationRecord>(store, { prefix, token, size: maxResults });
    const destinationSummaries = entries.map(({ value }) => ({
      ...summaryOf(scope, value),
      httpUrlSummary: { confirmationUrl: value.confirmationUrl },
    }));
    return answer({ destinationSummaries, ...(nextToken !== undefined && { nextToken }) });
  },
);

const deleteTopicRuleDestination = awsOperation(
  "iot",
  "DeleteTopicRuleDestination",
  ["arn"],
  async (context, { arn }): Promise<Outcome<object>> => {
    const { key, revision, value } = await requireDestination(context, arn);
    const urlKey = ruleKeys.destinationByUrl(context.scope, value.confirmationUrl);
    return {
      result: {},
      operations: [
        { key, expectedRevision: revision, delete: true },
        { key: urlKey, delete: true },
      ],
      effects: [],
    };
  },
);

/** The token says which destination it is for: its id stands before the first dot. */
const confirmTopicRuleDestination = awsOperation(
  "iot",
  "ConfirmTopicRuleDestination",
  ["confirmationToken"],
  async ({ store, scope, nowMs }, { confirmationToken }): Promise<Outcome<object>> => {
    const [id = ""] = confirmationToken.split(".");
    const key = ruleKeys.destination(scope, id);
    const entry = await store.get<DestinationRecord>(key);
    if (entry === undefined || entry.value.confirmationToken !== confirmationToken)
      throw invalid("The confirmation token is not valid");
    const value: DestinationRecord = { ...entry.value, status: "ENABLED", statusReason: "", modifiedAtMs: nowMs };
    return { result: {}, operations: [{ key, expectedRevision: entry.revision, value }], effects: [] };
  },
);

/** Endpoints of HTTP actions, which have to say that they want messages. */
export function createDestinations(deps: DestinationsDependencies) {
  /** AWS sends the token to the endpoint, which confirms by asking for `enableUrl`. */
  const askEndpoint = async ({ scope, run }: SagaContext, record: DestinationRecord): Promise<DestinationRecord> => {
    const arn = destinationArn(scope, record.id);
    const { confirmationToken, confirmationUrl } = record;
    const enableUrl = `${deps.apiUrl() ?? "http://localhost"}/confirmdestination/${confirmationToken}`;
    const body = JSON.stringify({ arn, confirmationToken, enableUrl, messageType: "DestinationConfirmation" });
    try {
      if (deps.http === undefined) throw new ThinglineError("DEPENDENCY_MISSING", "this cloud was given no HTTP");
      const { status } = await deps.http.request(
        {
          ...{ method: "POST", url: confirmationUrl, body: new TextEncoder().encode(body) },
          headers: { "content-type": "application/json", "x-amz-rules-engine-message-type": "DestinationConfirmation" },
        },
        { timeoutMs: confirmationTimeoutMs },
      );
      if (status < 300) return record;
      throw new ThinglineError("CONNECTION_REFUSED", `the endpoint answered ${status}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      deps.log.warn("destinationNotReached", { arn, confirmationUrl, error: why });
      return run(setStatus, { arn, status: "ERROR", statusReason: `The confirmation message was not taken: ${why}` });
    }
  };

  const newToken = ({ random }: SagaContext, id: string) =>
    `${id}.${random.uuid()}${random.uuid()}`.replaceAll("-", "");

  return {
    createTopicRuleDestination: awsSaga(
      rulesServiceName,
      ["iot", "CreateTopicRuleDestination"],
      ["destinationConfiguration.httpUrlConfiguration.confirmationUrl"],
      async (context, { destinationConfiguration: { httpUrlConfiguration } }) => {
        if (httpUrlConfiguration === undefined)
          throw invalid("destinationConfiguration.httpUrlConfiguration is required");
        const { confirmationUrl } = httpUrlConfiguration;
        const id = context.random.uuid().replaceAll("-", "");
        const record = await context.run(putDestination, { confirmationUrl, id, token: newToken(context, id) });
        return described(context.scope, await askEndpoint(context, record));
      },
    ),
    /** IN_PROGRESS asks the endpoint again. */
    updateTopicRuleDestination: awsSaga(
      rulesServiceName,
      ["iot", "UpdateTopicRuleDestination"],
      ["arn", "status"],
      async (context, { arn, status }) => {
        if (status !== "ENABLED" && status !== "DISABLED" && status !== "IN_PROGRESS") {
          throw invalid(`status can be set to ENABLED, DISABLED and IN_PROGRESS, not ${status}`);
        }
        const { value } = await context.run(readDestination, arn);
        if (status === "ENABLED" && value.status !== "DISABLED" && value.status !== "ENABLED") {
          throw invalid(
            "a destination that was never confirmed cannot be enabled: set IN_PROGRESS to ask its endpoint again",
          );
        }
        if (status === "IN_PROGRESS") {
          const token = newToken(context, value.id);
          await askEndpoint(context, await context.run(setStatus, { arn, status, statusReason: awaiting, token }));
        } else await context.run(setStatus, { arn, status, statusReason: "" });
        return {};
      },
    ),
    getTopicRuleDestination,
    listTopicRuleDestinations,
    deleteTopicRuleDestination,
    confirmTopicRuleDestination,
  };
}

const readDestination: Operation<string, { value: DestinationRecord }> = async (context, arn) =>
  answer({ value: (await requireDestination(context, arn)).value });
