import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { awsLimits } from "../../broker/limits.js";
import type { ClientFacts, Clients, DirectOutcome } from "../client-directory.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { clientIdsCountedMax, RequestRates, requestsPerSecondMax, requestsPerSecondPerClientIdMax } from "./rates.js";
import {
  connectionsPageSizeMax,
  createConnections,
  directMessageTimeoutDefault,
  directMessageTimeoutMax,
  subscriptionsPageSizeDefault,
} from "./service.js";

const facts = (clientId: string, rest: Partial<ClientFacts> = {}): ClientFacts => ({
  ...{ clientId, isConnected: true, thingName: undefined, isCleanSession: true, keepAliveSeconds: 60 },
  ...{ sessionExpirySeconds: 0, sinceMs: 1_000, disconnectReason: undefined },
  socket: { sourceIp: "127.0.0.1", sourcePort: 5, targetIp: "127.0.0.2", targetPort: 8883 },
  ...rest,
});

async function openConnections({ isLimited = false, ...clients }: Partial<Clients> & { isLimited?: boolean }) {
  const world = await openServiceWorld();
  const operations = createConnections({
    clients: ({ account }) => (account === scope.account ? (clients as Clients) : undefined),
    messageLimits: awsLimits,
    isLimited,
  });
  return { ...world, operations };
}

const hasCode = (code: string, text = /./) => {
  return (error: unknown) => isThinglineError(error, code as never) && text.test(error.message);
};

test("GetConnection answers with AWS's members: since when, why not any more, and the socket if it is asked for", async () => {
  const known = new Map([
    ["on", facts("on", { thingName: "pump" })],
    ["off", facts("off", { isConnected: false, disconnectReason: "CONNECTION_LOST", isCleanSession: false })],
  ]);
  const { run, runner, operations } = await openConnections({ describe: async (clientId) => known.get(clientId) });
  const common = { connected: true, thingName: "pump", cleanSession: true, keepAliveDuration: 60, sessionExpiry: 0 };
  assert.deepEqual(await run(operations.getConnection, { clientId: "on" }), {
    ...{ clientId: "on", ...common, connectedSince: 1_000 },
  });
  assert.deepEqual(await run(operations.getConnection, { clientId: "off", includeSocketInformation: true }), {
    ...{ clientId: "off", connected: false, cleanSession: false, keepAliveDuration: 60, sessionExpiry: 0 },
    ...{ disconnectedSince: 1_000, disconnectReason: "CONNECTION_LOST" },
    ...{ sourceIp: "127.0.0.1", sourcePort: 5, targetIp: "127.0.0.2", targetPort: 8883 },
  });
  await assert.rejects(run(operations.getConnection, { clientId: "none" }), hasCode("RESOURCE_NOT_FOUND", /'none'/));
  await assert.rejects(run(operations.getConnection, { clientId: "$GEN/x" }), hasCode("REQUEST_INVALID"));
  await assert.rejects(
    runner.run({ ...scope, account: "000000000000" }, operations.getConnection, { clientId: "on" }),
    hasCode("RESOURCE_NOT_FOUND", /another account/),
  );
});

test("ListSubscriptions goes page by page, in the order of the filters, with tokens of this client's list alone", async () => {
  const filters = Array.from({ length: 45 }, (_none, at) => `f/${String(44 - at).padStart(2, "0")}`);
  const all = filters.map((topicFilter) => ({ topicFilter, qos: 1 as const }));
  const { run, operations } = await openConnections({
    subscriptions: async (clientId) => (clientId === "none" ? undefined : all),
  });
  const { listSubscriptions } = operations;
  const first = await run(listSubscriptions, { clientId: "c" });
  assert.equal(first.subscriptions?.length, subscriptionsPageSizeDefault);
  assert.deepEqual(first.subscriptions?.[0], { topicFilter: "f/00", qos: 1 });
  const rest = await run(listSubscriptions, { clientId: "c", maxResults: 200, nextToken: first.nextToken });
  assert.deepEqual([rest.subscriptions?.length, rest.nextToken], [25, undefined]);
  const { nextToken } = first;
  await assert.rejects(run(listSubscriptions, { clientId: "d", nextToken }), hasCode("REQUEST_INVALID", /nextToken/));
  await assert.rejects(run(listSubscriptions, { clientId: "c", maxResults: 201 }), hasCode("REQUEST_INVALID"));
  await assert.rejects(run(listSubscriptions, { clientId: "none" }), hasCode("RESOURCE_NOT_FOUND"));
});

test("DeleteConnection hands on what it is asked for, and is 404 without connection and session", async () => {
  const asked: unknown[] = [];
  const { run, operations } = await openConnections({
    disconnect: async (clientId, terms) => {
      asked.push(terms);
      return clientId !== "none";
    },
  });
  const { deleteConnection } = operations;
  assert.deepEqual(await run(deleteConnection, { clientId: "c" }), {});
  await run(deleteConnection, { clientId: "c", cleanSession: true, preventWillMessage: true });
  await assert.rejects(run(deleteConnection, { clientId: "none" }), hasCode("RESOURCE_NOT_FOUND"));
  const [first, second] = asked;
  assert.deepEqual(first, { endsSession: false, preventsWill: false });
  assert.deepEqual(second, { endsSession: true, preventsWill: true });
});

test("SendDirectMessage waits as long as it is told, and each outcome has its answer", async () => {
  const sent: unknown[] = [];
  let outcome: DirectOutcome = "sent";
  const { run, operations } = await openConnections({
    send: async (...asked) => {
      sent.push(asked);
      return outcome;
    },
  });
  const send = (rest: object = {}) => run(operations.sendDirectMessage, { clientId: "c", topic: "t", ...rest });
  assert.deepEqual(await send({ timeout: 99 }), { message: "OK" }, "without confirmation the time is ignored");
  outcome = "acknowledged";
  const userProperties = btoa('[{"a":"b"}]');
  await send({ confirmation: true, payload: new Uint8Array([1]), contentType: "x", userProperties });
  await send({ confirmation: true, timeout: directMessageTimeoutMax });
  const empty = { topic: "t", payload: new Uint8Array(), properties: undefined };
  const properties = { contentType: "x", userProperties: [["a", "b"]] };
  assert.deepEqual(sent, [
    ["c", empty, undefined],
    ["c", { topic: "t", payload: new Uint8Array([1]), properties }, directMessageTimeoutDefault * 1000],
    ["c", empty, 15_000],
  ]);
  const outcomes: [DirectOutcome, string, RegExp][] = [
    ["notConnected", "RESOURCE_NOT_FOUND", /not connected$/],
    ["sessionOffline", "RESOURCE_NOT_FOUND", /active persistent session/],
    ["denied", "REQUEST_FORBIDDEN", /iot:Receive/],
    ["throttled", "THROTTLED", /./],
    ["tooLarge", "REQUEST_TOO_LARGE", /Maximum Packet Size/],
    ["unanswered", "CLIENT_SILENT", /./],
  ];
  for (const [said, code, text] of outcomes) {
    outcome = said;
    await assert.rejects(send({ confirmation: true }), hasCode(code, text));
  }
  const before = sent.length;
  await assert.rejects(send({ topic: "$aws/things/a/shadow/update" }), hasCode("REQUEST_INVALID", /\$/));
  await assert.rejects(send({ topic: "a/#" }), hasCode("REQUEST_INVALID", /wildcard/));
  await assert.rejects(send({ responseTopic: "a/+" }), hasCode("REQUEST_INVALID", /responseTopic/));
  for (const timeout of [0, 16])
    await assert.rejects(send({ confirmation: true, timeout }), hasCode("REQUEST_INVALID", /timeout/));
  await assert.rejects(send({ payload: new Uint8Array(131_073) }), hasCode("REQUEST_TOO_LARGE"));
  assert.equal(sent.length, before);
});

test("connections are listed a page at a time, whose token is its last client id", async () => {
  const { run, operations } = await openConnections({
    list: async ({ after, limit }) =>
      ["a", "b", "c"]
        .filter((id) => id > after)
        .slice(0, limit)
        .map((id) => facts(id)),
  });
  const first = (await run(operations.listConnections, { pageSize: 2 })) as { nextToken?: string };
  assert.equal(first.nextToken, "b");
  const second = await run(operations.listConnections, { nextToken: "b", pageSize: 2 });
  assert.deepEqual(Object.keys(second), ["connections"]);
  const pageSize = connectionsPageSizeMax + 1;
  await assert.rejects(run(operations.listConnections, { pageSize }), hasCode("REQUEST_INVALID", /pageSize/));
});

test("requests are counted as AWS counts them: by client id, and all together", async () => {
  const { run, clock, operations } = await openConnections({ isLimited: true, describe: async (id) => facts(id) });
  const get = (clientId: string) => run(operations.getConnection, { clientId });
  await get("c");
  await assert.rejects(get("c"), hasCode("THROTTLED"));
  for (let count = 1; count < requestsPerSecondMax; count++) await get(`c${count}`);
  await assert.rejects(get("more"), hasCode("THROTTLED"));
  await clock.advance(1_000 / requestsPerSecondPerClientIdMax);
  await get("c");
  await get("more");
  const rates = new RequestRates();
  for (let count = 0; count <= clientIdsCountedMax; count++) rates.take(`c${count}`, count * 1_000);
  rates.take("c0", clientIdsCountedMax * 1_000);
});
