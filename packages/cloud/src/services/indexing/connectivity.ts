import { ThinglineError } from "@thingline/protocol";
import type { StoreOperation } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import type { ConnectedEvent, DisconnectedEvent } from "../lifecycle.js";
import type { ClientFacts } from "../client-directory.js";
import { answer, type Operation } from "../operation.js";
import { lastName } from "../page.js";
import { findRegisteredThing } from "../registry/index.js";
import { readConfiguration } from "./configuration.js";
import { indexingKeys, type ConnectivityRecord } from "./model.js";

// Whether things are connected: a thing connects under its own name.

/** Connections that are ended in one commit, when the process that had them is over. */
const endedConnectionsMax = 100;

export interface ConnectionNews {
  readonly event: ConnectedEvent | DisconnectedEvent;
  /** Whoever has the connection, see {@link endConnections}. */
  readonly engineId: string;
}

/** Notes what happened to a client that has the name of a thing. Events of one client come in order. */
export const recordConnectivity: Operation<ConnectionNews, void> = Object.assign(
  (async ({ store, scope }, { event, engineId }) => {
    const { clientId: thingName, timestamp, versionNumber: version } = event;
    const key = indexingKeys.connectivity(scope, thingName);
    const entry = await store.get<ConnectivityRecord>(key);
    if ((await findRegisteredThing(store, scope, thingName)) === undefined) {
      const operations = entry === undefined ? [] : [{ key, expectedRevision: entry.revision, delete: true as const }];
      return { result: undefined, operations, effects: [] };
    }
    const before = entry?.value;
    // A client that takes over is connected before the other one's end is told.
    if (
      event.eventType === "disconnected" &&
      before?.connected === true &&
      ![version, anyVersion].includes(before.version)
    ) {
      return answer(undefined);
    }
    const value: ConnectivityRecord =
      event.eventType === "connected"
        ? { connected: true, timestamp, version, engineId, ipAddress: event.ipAddress }
        : { connected: false, timestamp, version, engineId, disconnectReason: event.disconnectReason };
    return { result: undefined, operations: [{ key, expectedRevision: entry?.revision ?? 0, value }], effects: [] };
  }) satisfies Operation<ConnectionNews, void>,
  { lane: ({ event }: ConnectionNews) => `connectivity/${event.clientId}` },
);

/**
 * Nobody told of the end of connections that an engine before this one had: its process was killed, or closed.
 * @returns what to go on after
 */
export const endConnections: Operation<{ after: string | undefined; engineId: string }, string | undefined> = async (
  { store, scope, nowMs },
  { after, engineId },
) => {
  const options = {
    limit: endedConnectionsMax,
    ...(after !== undefined && { after: indexingKeys.connectivity(scope, after) }),
  };
  const entries = await store.list<ConnectivityRecord>(indexingKeys.connectivities(scope), options);
  const operations = entries.flatMap(({ key, value: before, revision }): StoreOperation[] => {
    if (!before.connected || before.engineId === engineId) return [];
    const { version } = before;
    const value = { connected: false, timestamp: nowMs, version, engineId, disconnectReason: "SERVER_ERROR" };
    return [{ key, expectedRevision: revision, value }];
  });
  const last = entries.at(-1);
  return {
    result: last === undefined || entries.length < endedConnectionsMax ? undefined : lastName(last.key),
    ...{ operations, effects: [] },
  };
};

/** Things that there are no more: another one of the same name has not been connected. */
export const forgetConnectivity: Operation<{ thingNames: readonly string[] }, void> = async (
  { store, scope },
  { thingNames },
) => {
  const operations: StoreOperation[] = [];
  for (const thingName of thingNames) {
    const key = indexingKeys.connectivity(scope, thingName);
    const entry = await store.get(key);
    if (entry === undefined || (await findRegisteredThing(store, scope, thingName)) !== undefined) continue;
    operations.push({ key, expectedRevision: entry.revision, delete: true });
  }
  return { result: undefined, operations, effects: [] };
};

/** Of a connection that was there before connections were noted. */
const anyVersion = -1;

/** Notes things that are connected already when their connections begin to be noted. */
export const noteConnected: Operation<
  { clients: readonly Pick<ClientFacts, "clientId" | "sinceMs">[]; engineId: string },
  void
> = async ({ store, scope }, { clients, engineId }) => {
  const operations: StoreOperation[] = [];
  for (const { clientId, sinceMs: timestamp } of clients) {
    const key = indexingKeys.connectivity(scope, clientId);
    const entry = await store.get<ConnectivityRecord>(key);
    if (entry?.value.connected === true || (await findRegisteredThing(store, scope, clientId)) === undefined) continue;
    const value: ConnectivityRecord = { connected: true, timestamp, version: anyVersion, engineId };
    operations.push({ key, expectedRevision: entry?.revision ?? 0, value });
  }
  return { result: undefined, operations, effects: [] };
};

/** What is known of one thing, without a search. @see AWS IoT developer guide, "Device connectivity status queries" */
export const getThingConnectivityData = awsOperation(
  "iot",
  "GetThingConnectivityData",
  ["thingName", "includeSocketInformation"],
  async (context, { thingName, includeSocketInformation }) => {
    const { store, scope } = context;
    const { things } = await readConfiguration(context);
    if (!things.hasConnectivity) {
      throw new ThinglineError("INDEX_NOT_READY", "Connectivity indexing is not enabled for AWS_Things index");
    }
    if ((await findRegisteredThing(store, scope, thingName)) === undefined) {
      throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing ${thingName} not found.`);
    }
    const record = (await store.get<ConnectivityRecord>(indexingKeys.connectivity(scope, thingName)))?.value;
    const { connected, timestamp, disconnectReason, ipAddress }: Partial<ConnectivityRecord> = record ?? {
      connected: false,
    };
    const isAsked = includeSocketInformation === true;
    if (isAsked && !things.socketInformation.includes("GET_THING_CONNECTIVITY_DATA")) {
      throw new ThinglineError("REQUEST_INVALID", "Socket information is not included in the indexing configuration");
    }
    return answer({
      ...{ thingName, clientId: thingName, connected: connected === true },
      ...(timestamp !== undefined && { timestamp: timestamp / 1000 }),
      ...(disconnectReason !== undefined && { disconnectReason: disconnectReason as "UNKNOWN" }),
      ...(isAsked && ipAddress !== undefined && { sourceIp: ipAddress }),
    });
  },
);
