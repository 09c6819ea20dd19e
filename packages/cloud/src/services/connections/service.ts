import { ThinglineError } from "@thingline/protocol";
import { awsSaga, type OutputOf } from "../aws-operation.js";
import type { ClientDirectory, ClientFacts, Clients, DirectOutcome } from "../client-directory.js";
import { checkPayload, checkTopic, propertiesOf } from "../message-input.js";
import type { MessageLimits } from "../message-limits.js";
import type { SagaContext, Scope } from "../operation.js";
import { pageOf } from "../page.js";
import { isReservedTopic } from "../publishable-topics.js";
import { saga } from "../saga.js";
import { RequestRates } from "./rates.js";

export const connectionsServiceName = "connections";
export const subscriptionsPageSizeDefault = 20;
/** Of our own list of connections. */
export const connectionsPageSizeMax = 200;
/** Seconds that SendDirectMessage waits for a PUBACK. */
export const directMessageTimeoutDefault = 5;
export const directMessageTimeoutMax = 15;

export interface ConnectionsDependencies {
  clients: ClientDirectory;
  messageLimits: MessageLimits;
  /** Quotas of AWS are kept. */
  isLimited: boolean;
}

export type Connections = ReturnType<typeof createConnections>;

/**
 * What the data plane says of clients and does with them, by AWS's names. The broker knows: nothing of it is in the store of this service.
 *
 * @see AWS IoT developer guide, "Managing MQTT connections" and "Direct messaging"
 */
export function createConnections({ clients, messageLimits, isLimited }: ConnectionsDependencies) {
  const rated = () => {
    const rates = new RequestRates();
    return ({ scope, clock }: SagaContext, clientId: string): void => {
      if (isLimited) rates.take(`${scope.account} ${scope.region} ${clientId}`, clock.monotonicMs());
    };
  };
  const [rateOfGet, rateOfDelete, rateOfList] = [rated(), rated(), rated()];
  const of = (scope: Scope): Clients => {
    const found = clients(scope);
    if (found === undefined) throw notFound("devices connect to another account or region of this cloud");
    return found;
  };

  const getConnection = awsSaga(
    connectionsServiceName,
    ["iot-data", "GetConnection"],
    ["clientId", "includeSocketInformation"],
    async (context, { clientId, includeSocketInformation = false }) => {
      rateOfGet(context, clientId);
      const facts = await of(context.scope).describe(clientId);
      if (facts === undefined) throw unknown(clientId);
      return answerOf(facts, includeSocketInformation);
    },
  );

  const deleteConnection = awsSaga(
    connectionsServiceName,
    ["iot-data", "DeleteConnection"],
    ["clientId", "cleanSession", "preventWillMessage"],
    async (context, { clientId, cleanSession = false, preventWillMessage = false }) => {
      rateOfDelete(context, clientId);
      const terms = { endsSession: cleanSession, preventsWill: preventWillMessage };
      if (!(await of(context.scope).disconnect(clientId, terms))) throw unknown(clientId);
      return {};
    },
  );

  const listSubscriptions = awsSaga(
    connectionsServiceName,
    ["iot-data", "ListSubscriptions"],
    ["clientId", "nextToken", "maxResults"],
    async (context, { clientId, nextToken, maxResults = subscriptionsPageSizeDefault }) => {
      rateOfList(context, clientId);
      const subscriptions = await of(context.scope).subscriptions(clientId);
      if (subscriptions === undefined) throw unknown(clientId);
      const byFilter = new Map(subscriptions.map((subscription) => [subscription.topicFilter, subscription]));
      const prefix = ["subscriptions", clientId];
      const keys = [...byFilter.keys()].sort(byText).map((filter) => [...prefix, filter]);
      const page = pageOf(keys, { prefix, token: nextToken, size: maxResults });
      return {
        subscriptions: page.keys.map((key) => byFilter.get(String(key.at(-1)))!),
        ...(page.nextToken !== undefined && { nextToken: page.nextToken }),
      };
    },
  );

  const sendDirectMessage = awsSaga(
    connectionsServiceName,
    ["iot-data", "SendDirectMessage"],
    [
      ...(["clientId", "topic", "payload", "confirmation", "timeout", "contentType", "responseTopic"] as const),
      ...(["userProperties", "payloadFormatIndicator", "correlationData"] as const),
    ],
    async (context, input) => {
      const { clientId, topic, payload = new Uint8Array(), confirmation = false } = input;
      checkTopic("topic", topic, messageLimits);
      if (isReservedTopic(topic)) throw invalid("the topic of a direct message may not begin with $");
      checkPayload(payload, messageLimits);
      const properties = propertiesOf(input, messageLimits);
      // AWS ignores the time where nobody waits.
      const waitMs = confirmation ? secondsOf(input.timeout) * 1000 : undefined;
      const outcome = await of(context.scope).send(clientId, { topic, payload, properties }, waitMs);
      if (outcome !== "sent" && outcome !== "acknowledged") throw failureOf(outcome, clientId, topic);
      return { message: "OK" };
    },
  );

  /** Ours: AWS has no list of connections, but its index of things. */
  const listConnections = saga<{ nextToken?: string; pageSize?: number }, object>(
    connectionsServiceName,
    async ({ scope }, { nextToken, pageSize = connectionsPageSizeMax }) => {
      if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > connectionsPageSizeMax) {
        throw invalid(`pageSize is a whole number from 1 to ${connectionsPageSizeMax}`);
      }
      const page = (await clients(scope)?.list({ after: nextToken ?? "", limit: pageSize })) ?? [];
      return {
        connections: page.map((facts) => answerOf(facts, true)),
        // Ids are in order, so that the last one of a page is where the next begins.
        ...(page.length === pageSize && { nextToken: page.at(-1)!.clientId }),
      };
    },
  );

  return { getConnection, deleteConnection, listSubscriptions, sendDirectMessage, listConnections };
}

function answerOf(facts: ClientFacts, hasSocket: boolean): OutputOf<"iot-data", "GetConnection"> {
  const { clientId, isConnected, thingName, isCleanSession, keepAliveSeconds, sinceMs, disconnectReason } = facts;
  return {
    clientId,
    connected: isConnected,
    ...(thingName !== undefined && { thingName }),
    cleanSession: isCleanSession,
    ...(keepAliveSeconds !== undefined && { keepAliveDuration: keepAliveSeconds }),
    ...(isConnected ? { connectedSince: sinceMs } : { disconnectedSince: sinceMs, disconnectReason }),
    sessionExpiry: facts.sessionExpirySeconds,
    ...(hasSocket && facts.socket),
  };
}

/** Of the texts AWS's documentation has the one about persistent sessions; the others are ours. */
function failureOf(outcome: DirectOutcome, clientId: string, topic: string): ThinglineError {
  switch (outcome) {
    case "sessionOffline":
      return notFound("The target client ID is not connected, but it has an active persistent session");
    case "denied": {
      const message = `the policy of the client "${clientId}" does not let it receive the topic "${topic}" (iot:Receive)`;
      return new ThinglineError("REQUEST_FORBIDDEN", message);
    }
    case "throttled":
      return new ThinglineError("THROTTLED", "The target client cannot take more messages now");
    case "tooLarge":
      return new ThinglineError(
        "REQUEST_TOO_LARGE",
        "The message is larger than the target client's Maximum Packet Size",
      );
    case "unanswered":
      return new ThinglineError("CLIENT_SILENT", "The target client did not acknowledge the message in time");
    default:
      return notFound("The target client ID is not connected");
  }
}

function secondsOf(timeout = directMessageTimeoutDefault): number {
  if (timeout >= 1 && timeout <= directMessageTimeoutMax) return timeout;
  throw invalid(`timeout is a number of seconds from 1 to ${directMessageTimeoutMax}, got ${timeout}`);
}

const byText = (one: string, other: string): number => (one < other ? -1 : 1);
const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
const notFound = (message: string) => new ThinglineError("RESOURCE_NOT_FOUND", message);
const unknown = (clientId: string) =>
  new ThinglineError("RESOURCE_NOT_FOUND", `No connection or session exists for client ID: '${clientId}'`, {
    details: { clientId },
  });
