import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  jobIdCharactersMax,
  jobsClientTokenCharactersMax,
  jobTimeoutMinutesMax,
  notifiedExecutionsMax,
  statusDetailKeyCharactersMax,
  statusDetailsMax,
  statusDetailValueCharactersMax,
  type JobsTopic,
} from "@thingline/protocol/jobs";
import { listedPendingMax } from "./device-requests.js";
import { openJobsWorld, type JobsWorld, type Told } from "./jobs-world.test.support.js";

const thingName = "pump";
const get: JobsTopic = { thingName, type: "get" };
const startNext: JobsTopic = { thingName, type: "start-next" };
const describe = (jobId: string): JobsTopic => ({ thingName, type: "describe", jobId });
const update = (jobId: string): JobsTopic => ({ thingName, type: "update", jobId });

const topicsOf = (told: readonly Told[]): string[] => told.map(({ topic }) => topic.replace("pump/jobs/", ""));

async function openPump(...jobIds: string[]): Promise<JobsWorld> {
  const world = await openJobsWorld();
  await world.createThings(thingName);
  for (const jobId of jobIds) {
    await world.create(jobId, [thingName]);
    await world.clock.advance(1_000);
  }
  await world.take();
  return world;
}

test("the first job of an idle thing is told with both notifications, a further one with the list alone", async () => {
  const world = await openPump();
  const nowSeconds = Math.floor(world.clock.unixMs() / 1_000);
  await world.create("a", [thingName]);
  const summary = {
    ...{ jobId: "a", queuedAt: nowSeconds, lastUpdatedAt: nowSeconds, executionNumber: 1, versionNumber: 1 },
  };
  const { jobId, ...rest } = summary;
  assert.deepEqual(await world.take(), [
    { topic: "pump/jobs/notify", message: { timestamp: nowSeconds, jobs: { QUEUED: [summary] } }, to: undefined },
    {
      topic: "pump/jobs/notify-next",
      message: {
        timestamp: nowSeconds,
        execution: { jobId, status: "QUEUED", ...rest, jobDocument: { operation: "test" } },
      },
      to: undefined,
    },
  ]);
  await world.create("b", [thingName]);
  const told = await world.take();
  assert.deepEqual(topicsOf(told), ["notify"]);
  const jobs = told[0]?.message["jobs"] as { QUEUED: { jobId: string }[] };
  assert.deepEqual(
    jobs.QUEUED.map((one) => one.jobId),
    ["a", "b"],
  );
});

test("start-next starts the head without a notification, and gives it again while it is in progress", async () => {
  const world = await openPump("a", "b");
  const [accepted, ...others] = await world.exchange(startNext, { clientToken: "t", statusDetails: { step: "1" } });
  assert.deepEqual(others, []);
  assert.equal(accepted?.topic, "pump/jobs/start-next/accepted");
  assert.equal(accepted.to, "pump");
  const execution = accepted.message["execution"] as Record<string, unknown>;
  assert.equal(accepted.message["clientToken"], "t");
  assert.equal(execution["jobId"], "a");
  assert.equal(execution["status"], "IN_PROGRESS");
  assert.equal(execution["versionNumber"], 2);
  assert.deepEqual(execution["statusDetails"], { step: "1" });
  assert.deepEqual(execution["jobDocument"], { operation: "test" });
  assert.equal(Number.isInteger(execution["startedAt"]), true);
  assert.equal("thingName" in execution, false);
  const [again] = await world.exchange(startNext, { statusDetails: { step: "2" } });
  assert.deepEqual(again?.message["execution"], execution);
});

test("a later job that is started becomes the first, and only that is told", async () => {
  const world = await openPump("a", "b");
  const told = await world.exchange(update("b"), { status: "IN_PROGRESS" });
  assert.deepEqual(topicsOf(told), ["b/update/accepted", "notify-next"]);
  assert.equal((told[1]?.message["execution"] as { jobId: string }).jobId, "b");
  // Both in progress: the one that was queued first is the first.
  const both = await world.exchange(update("a"), { status: "IN_PROGRESS" });
  assert.deepEqual(topicsOf(both), ["a/update/accepted", "notify-next"]);
});

test("the end of the first job is told with both notifications, that of another with the list alone", async () => {
  const world = await openPump("a", "b", "c");
  assert.deepEqual(topicsOf(await world.exchange(update("b"), { status: "SUCCEEDED" })), [
    "b/update/accepted",
    "notify",
  ]);
  const told = await world.exchange(update("a"), { status: "FAILED" });
  assert.deepEqual(topicsOf(told), ["a/update/accepted", "notify", "notify-next"]);
  assert.equal((told[2]?.message["execution"] as { jobId: string }).jobId, "c");
  const last = await world.exchange(update("c"), { status: "SUCCEEDED" });
  const timestamp = Math.floor(world.clock.unixMs() / 1_000);
  assert.deepEqual(
    last.map(({ message }) => message),
    [{ timestamp }, { timestamp, jobs: {} }, { timestamp }],
  );
  assert.equal(await world.status("a"), "COMPLETED");
  assert.deepEqual(await world.counts("a"), { Failed: 1 });
});

test("with nothing pending both lists are empty, and the next job is accepted without an execution", async () => {
  const world = await openPump();
  const timestamp = Math.floor(world.clock.unixMs() / 1_000);
  const messages = async (topic: JobsTopic) => (await world.exchange(topic)).map(({ message }) => message);
  assert.deepEqual(await messages(get), [{ timestamp, inProgressJobs: [], queuedJobs: [] }]);
  assert.deepEqual(await messages(startNext), [{ timestamp }]);
  assert.deepEqual(await messages(describe("$next")), [{ timestamp }]);
});

test("get lists what is in progress and what is queued; a job may be called get", async () => {
  const world = await openPump("get", "b");
  await world.exchange(startNext);
  const [{ message } = { message: {} }] = await world.exchange(get, { clientToken: "" });
  const lists = message as {
    inProgressJobs: { jobId: string }[];
    queuedJobs: { jobId: string }[];
    clientToken: string;
  };
  assert.deepEqual([lists.inProgressJobs[0]?.jobId, lists.queuedJobs[0]?.jobId], ["get", "b"]);
  assert.equal(lists.clientToken, "");
  const [described] = await world.exchange(describe("get"), { includeJobDocument: false });
  assert.equal(described?.topic, "pump/jobs/get/get/accepted");
  assert.equal("jobDocument" in (described.message["execution"] as object), false);
});

test("progress raises the version, keeps details that are not given, and tells what was asked for", async () => {
  const world = await openPump("a");
  await world.exchange(update("a"), { status: "IN_PROGRESS", statusDetails: { a: "1", b: "2" } });
  const [plain] = await world.exchange(update("a"), { status: "IN_PROGRESS" });
  assert.deepEqual(Object.keys(plain?.message ?? {}), ["timestamp"]);
  const [told] = await world.exchange(update("a"), {
    ...{ status: "IN_PROGRESS", includeJobExecutionState: true, includeJobDocument: true, expectedVersion: 3 },
  });
  const state = { status: "IN_PROGRESS", statusDetails: { a: "1", b: "2" }, versionNumber: 4 };
  assert.deepEqual(told?.message["executionState"], state);
  assert.deepEqual(told?.message["jobDocument"], { operation: "test" });
  const [replaced] = await world.exchange(update("a"), {
    ...{ status: "IN_PROGRESS", statusDetails: { c: "3" }, includeJobExecutionState: true },
  });
  assert.deepEqual((replaced?.message["executionState"] as { statusDetails: object }).statusDetails, { c: "3" });
});

const rejections: readonly [string, JobsTopic, unknown, Record<string, unknown>][] = [
  ["no status", update("a"), {}, { code: "InvalidRequest" }],
  ["a null status", update("a"), { status: null }, { code: "InvalidRequest" }],
  ["a status of the service", update("a"), { status: "CANCELED" }, { code: "InvalidRequest" }],
  [
    "details that are no strings",
    update("a"),
    { status: "FAILED", statusDetails: { a: 1 } },
    { code: "InvalidRequest" },
  ],
  ["an empty detail", update("a"), { status: "FAILED", statusDetails: { a: "" } }, { code: "InvalidRequest" }],
  [
    "a bad key of details",
    update("a"),
    { status: "FAILED", statusDetails: { "a b": "1" } },
    { code: "InvalidRequest" },
  ],
  ["a step of 0 minutes", startNext, { stepTimeoutInMinutes: 0 }, { code: "InvalidRequest" }],
  ["a step of 8 days", startNext, { stepTimeoutInMinutes: 10_081 }, { code: "InvalidRequest" }],
  ["an update of $next", update("$next"), { status: "FAILED" }, { code: "InvalidRequest" }],
  ["an unknown job", update("b"), { status: "FAILED" }, { code: "ResourceNotFound" }],
  ["the get of an unknown job", describe("b"), {}, { code: "ResourceNotFound" }],
  ["an unknown execution", describe("a"), { executionNumber: 2 }, { code: "ResourceNotFound" }],
  ["text that is no JSON", get, "{", { code: "InvalidJson" }],
  ["an array", startNext, "[]", { code: "InvalidJson" }],
  ["bytes that are no UTF-8", startNext, Uint8Array.of(0xff), { code: "InvalidJson" }],
  ["a client token that is no text", get, { clientToken: 1 }, { code: "InvalidRequest" }],
  [
    "another version",
    update("a"),
    { status: "FAILED", expectedVersion: 99, clientToken: "t" },
    {
      ...{ code: "VersionMismatch", message: "Expected version 99 but found version 1", clientToken: "t" },
      executionState: { status: "QUEUED", versionNumber: 1 },
    },
  ],
];

for (const [what, topic, payload, expected] of rejections) {
  test(`${what}: ${String(expected["code"])}, told to who asked alone`, async () => {
    const world = await openPump("a");
    const told = await world.exchange(topic, payload);
    assert.equal(told.length, 1);
    assert.match(told[0]?.topic ?? "", /\/rejected$/);
    assert.equal(told[0]?.to, "pump");
    const { message } = told[0];
    assert.deepEqual({ ...message, ...expected }, message);
    assert.equal(message["timestamp"], Math.floor(world.clock.unixMs() / 1_000));
    assert.equal((await world.counts("a"))["Queued"], 1);
  });
}

test("a thing that does not exist has no jobs to ask for", async () => {
  const world = await openJobsWorld();
  for (const topic of [get, startNext, describe("$next"), update("a")]) {
    const payload = topic.type === "update" ? { status: "FAILED" } : {};
    const [told] = await world.exchange(topic, payload);
    assert.equal(told?.message["code"], "ResourceNotFound");
  }
});

test("an execution that has ended is not described, and moves no more", async () => {
  const world = await openPump("a");
  await world.exchange(update("a"), { status: "SUCCEEDED", statusDetails: { done: "yes" } });
  const [described] = await world.exchange(describe("a"));
  assert.equal(described?.message["code"], "TerminalStateReached");
  const [updated, ...others] = await world.exchange(update("a"), { status: "IN_PROGRESS" });
  assert.equal(updated?.message["code"], "InvalidStateTransition");
  const state = { status: "SUCCEEDED", statusDetails: { done: "yes" }, versionNumber: 2 };
  assert.deepEqual(updated?.message["executionState"], state);
  assert.deepEqual(others, []);
});

test("a topic of jobs that is no request is answered with InvalidTopic", async () => {
  const world = await openPump("a");
  const foo = { thingName, type: "get", outcome: "accepted" } as const;
  const [told] = await world.exchange(foo, { clientToken: "t" });
  assert.equal(told?.topic, "pump/jobs/get/accepted/rejected");
  assert.equal(told.message["code"], "InvalidTopic");
  assert.equal(told.message["clientToken"], "t");
});

test("lists name ten executions of each state at most, the first of the queue", async () => {
  const jobIds = Array.from({ length: listedPendingMax + 2 }, (_, at) => `job-${String(at).padStart(2, "0")}`);
  const world = await openPump(...jobIds);
  const [got] = await world.exchange(get);
  const { queuedJobs } = got?.message as { queuedJobs: { jobId: string }[] };
  assert.deepEqual(
    queuedJobs.map(({ jobId }) => jobId),
    jobIds.slice(0, listedPendingMax),
  );
  const [, told] = await world.exchange(update(jobIds.at(-1) ?? ""), { status: "SUCCEEDED" });
  const { jobs } = told?.message as { jobs: { QUEUED: { jobId: string }[] } };
  assert.equal(jobs.QUEUED.length, notifiedExecutionsMax);
});

test("what a request may hold goes to its bounds, and no further", async () => {
  const world = await openPump("a");
  const detailsOf = (count: number, key: number, value: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, at) => [`${at}`.padEnd(key, "k").slice(0, key), "v".repeat(value)]),
    );
  const answer = async (payload: object) => {
    const [told] = await world.exchange(update("a"), { status: "IN_PROGRESS", ...payload });
    return told?.message["code"] ?? "accepted";
  };
  const [count, key, value] = [statusDetailsMax, statusDetailKeyCharactersMax, statusDetailValueCharactersMax];
  assert.equal(await answer({ statusDetails: detailsOf(count, key, value) }), "accepted");
  assert.equal(await answer({ statusDetails: detailsOf(count + 1, key, value) }), "InvalidRequest");
  assert.equal(await answer({ statusDetails: detailsOf(1, key + 1, value) }), "InvalidRequest");
  assert.equal(await answer({ statusDetails: detailsOf(1, key, value + 1) }), "InvalidRequest");
  assert.equal(await answer({ stepTimeoutInMinutes: jobTimeoutMinutesMax }), "accepted");
  assert.equal(await answer({ clientToken: "t".repeat(jobsClientTokenCharactersMax) }), "accepted");
  assert.equal(await answer({ clientToken: "t".repeat(jobsClientTokenCharactersMax + 1) }), "InvalidRequest");
  const [long] = await world.exchange(describe("j".repeat(jobIdCharactersMax + 1)));
  assert.equal(long?.message["code"], "InvalidRequest");
});

test("numbers of a document reach the device as they were written", async () => {
  const world = await openPump();
  await world.create("a", [thingName], { document: '{ "big": 12345678901234567890, "e": 1.0e2 }' });
  await world.ask(startNext);
  const effects = await world.takeEffects();
  const texts = effects.flatMap((one) => (one.type === "publish" ? [new TextDecoder().decode(one.payload)] : []));
  assert.equal(texts.filter((text) => text.includes('{ "big": 12345678901234567890, "e": 1.0e2 }')).length, 2);
});

test("URLs of a document are signed anew each time that a device gets it", async () => {
  const world = await openPump();
  const url = "https://s3.us-east-1.amazonaws.com/firmware/app.bin";
  await world.create("a", [thingName], {
    document: JSON.stringify({ url: `\${aws:iot:s3-presigned-url:${url}}` }),
    presignedUrlConfig: { expiresInSec: 60 },
  });
  const urlOf = (told: Told | undefined) =>
    (told?.message["execution"] as { jobDocument: { url: string } }).jobDocument.url;
  const [, next] = await world.take();
  assert.equal(urlOf(next), `${url}?expires=60&now=${world.clock.unixMs()}`);
  await world.clock.advance(5_000);
  const [described] = await world.exchange(describe("$next"));
  assert.equal(urlOf(described), `${url}?expires=60&now=${world.clock.unixMs()}`);
  const { document } = await world.run(world.jobs.getJobDocument, { jobId: "a" });
  assert.equal(document, JSON.stringify({ url: `\${aws:iot:s3-presigned-url:${url}}` }));
});

test("whoever gives status details gives no more pairs than AWS allows, over HTTP as well", async () => {
  const world = await openPump("a", "b");
  const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${at}`, "value"]));
  const [most, tooMany] = [pairs(statusDetailsMax), pairs(statusDetailsMax + 1)];
  const { startNextPendingJobExecution, updateJobExecution, cancelJobExecution } = world.jobs;
  const execution = { thingName, jobId: "a" };
  const start = (statusDetails: Record<string, string>) =>
    world.run(startNextPendingJobExecution, { thingName, statusDetails });
  const progress = (statusDetails: Record<string, string>) =>
    world.run(updateJobExecution, { ...execution, status: "IN_PROGRESS", statusDetails });
  const cancel = (statusDetails: Record<string, string>) =>
    world.run(cancelJobExecution, { ...execution, force: true, statusDetails });
  for (const give of [start, progress, cancel]) {
    await assert.rejects(give(tooMany), (error) => isThinglineError(error, "REQUEST_INVALID"));
    await give(most);
  }
});
