import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode, type JsonObject } from "@thingline/protocol";
import type { HttpRequest } from "@thingline/transport";
import { openRulesWorld, republishTo } from "./rules-world.test.support.js";

const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

const url = "http://endpoint:9000/hook";
const bodyOf = ({ body }: HttpRequest) => JSON.parse(new TextDecoder().decode(body)) as JsonObject;

test("a destination asks its endpoint, and is enabled by the token", async () => {
  const requests: HttpRequest[] = [];
  const { cloud, run, close } = await openRulesWorld({
    endpoint: (request) => {
      requests.push(request);
      return {};
    },
  });
  const { rules } = cloud;
  const destinationConfiguration = { httpUrlConfiguration: { confirmationUrl: url } };
  const { topicRuleDestination: made } = await run(rules.createTopicRuleDestination, { destinationConfiguration });
  const arn = made?.arn ?? "";
  assert.match(arn, /^arn:aws:iot:us-east-1:123456789012:ruledestination\/http\/[0-9a-f]{32}$/);
  assert.equal(made?.status, "IN_PROGRESS");
  const asked = bodyOf(requests[0]!);
  assert.deepEqual([asked["arn"], asked["messageType"]], [arn, "DestinationConfirmation"]);
  const confirmationToken = asked["confirmationToken"] as string;
  assert.equal(asked["enableUrl"], `http://localhost:4680/confirmdestination/${confirmationToken}`);

  await assert.rejects(run(rules.createTopicRuleDestination, { destinationConfiguration }), fails("RESOURCE_EXISTS"));
  await assert.rejects(
    run(rules.updateTopicRuleDestination, { arn, status: "ENABLED" }),
    fails("REQUEST_INVALID", /never confirmed/),
  );
  await assert.rejects(
    run(rules.confirmTopicRuleDestination, { confirmationToken: `${confirmationToken}x` }),
    fails("REQUEST_INVALID"),
  );
  await run(rules.confirmTopicRuleDestination, { confirmationToken });
  const status = async () => (await run(rules.getTopicRuleDestination, { arn })).topicRuleDestination?.status;
  assert.equal(await status(), "ENABLED");
  await run(rules.updateTopicRuleDestination, { arn, status: "DISABLED" });
  assert.equal(await status(), "DISABLED");
  const { destinationSummaries } = await run(rules.listTopicRuleDestinations, {});
  assert.deepEqual(
    destinationSummaries?.map(({ arn: of, httpUrlSummary }) => [of, httpUrlSummary?.confirmationUrl]),
    [[arn, url]],
  );
  await run(rules.updateTopicRuleDestination, { arn, status: "IN_PROGRESS" });
  assert.notEqual(bodyOf(requests[1]!)["confirmationToken"], confirmationToken);
  await run(rules.deleteTopicRuleDestination, { arn });
  await assert.rejects(run(rules.getTopicRuleDestination, { arn }), fails("REQUEST_UNAUTHORIZED"));
  await run(rules.createTopicRuleDestination, { destinationConfiguration });
  await close();
});

test("an endpoint that does not take the request is an ERROR with its reason", async () => {
  const { cloud, run, close } = await openRulesWorld({ endpoint: () => ({ status: 404 }) });
  const destinationConfiguration = { httpUrlConfiguration: { confirmationUrl: url } };
  const { topicRuleDestination: made } = await run(cloud.rules.createTopicRuleDestination, {
    destinationConfiguration,
  });
  assert.equal(made?.status, "ERROR");
  assert.match(made?.statusReason ?? "", /the endpoint answered 404/);
  for (const confirmationUrl of ["nothing", "ftp://x/"]) {
    const bad = { destinationConfiguration: { httpUrlConfiguration: { confirmationUrl } } };
    await assert.rejects(run(cloud.rules.createTopicRuleDestination, bad), fails("REQUEST_INVALID"));
  }
  await close();
});

test("an HTTP action posts what the rule made, tries again after 429 and 5xx, and only at enabled destinations", async () => {
  const requests: HttpRequest[] = [];
  const statuses: number[] = [];
  const { cloud, run, createRule, publish, heard, close } = await openRulesWorld({
    endpoint: (request) => {
      requests.push(request);
      return { status: statuses.shift() ?? 200 };
    },
  });
  const action = { http: { url: `${url}/\${id}`, confirmationUrl: url, headers: [{ key: "X-Id", value: "${id}" }] } };
  await createRule("post", "SELECT *, 1 AS more FROM 'in'", [action], { errorAction: republishTo("errors") });
  const errorsOf = async () =>
    (await heard())
      .filter(({ topic }) => topic === "errors")
      .map(({ payload }) => JSON.parse(payload) as { failures: { errorMessage: string }[] });
  statuses.push(503, 429, 200);
  publish("in", { id: 7 });
  assert.deepEqual(await errorsOf(), []);
  assert.equal(requests.length, 3);
  const [request] = requests;
  assert.deepEqual([request?.method, request?.url, request?.headers?.["x-id"]], ["POST", `${url}/7`, "7"]);
  assert.equal(request?.headers?.["content-type"], "application/json");
  assert.deepEqual(request && bodyOf(request), { id: 7, more: 1 });
  statuses.push(400);
  publish("in", { id: 8 });
  assert.match((await errorsOf())[0]?.failures[0]?.errorMessage ?? "", /answered 400/);
  assert.equal(requests.length, 4);

  const destinationConfiguration = { httpUrlConfiguration: { confirmationUrl: url } };
  await run(cloud.rules.createTopicRuleDestination, { destinationConfiguration });
  publish("in", { id: 9 });
  assert.match((await errorsOf())[0]?.failures[0]?.errorMessage ?? "", /is IN_PROGRESS/);
  assert.equal(requests.length, 5);
  await close();
});
