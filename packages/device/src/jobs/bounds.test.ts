import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { statusDetailsMax } from "@thingline/protocol/jobs";
import { parseTopicFilter, topicMatches } from "@thingline/protocol/mqtt/client";
import { awaitedReportsMax } from "./call.js";
import { awaitedReportIntervalMs, jobNotFoundRetriesMax, tooLargeAnswersMax } from "./execution-steps.js";
import type { RunningJob } from "./index.js";
import { JobsWorld, thingName } from "./jobs-world.test.support.js";
import { finishedExecutionsMax } from "./machine.js";
import { decodeJobsMessage, listedExecutionsMax } from "./messages.js";
import { jobAsksMax } from "./requests.js";
import { retryFirstMs, retryLastMs, retryDelayMs } from "../retry.js";
import { cutNamesMax, limitStatusDetails } from "./status-details.js";

test("retries wait longer and longer, up to a bound", () => {
  assert.equal(retryDelayMs(1, 1), retryFirstMs);
  assert.equal(retryDelayMs(1, 0), retryFirstMs / 2);
  assert.equal(retryDelayMs(4, 1), 8 * retryFirstMs);
  assert.equal(retryDelayMs(1_000_000, 1), retryLastMs);
});

test("an execution that is not found is asked for jobNotFoundRetriesMax times more, and then taken for deleted", async () => {
  const world = new JobsWorld();
  world.cloud.refusals = Array.from({ length: 100 }, () => ({ code: "ResourceNotFound", matches: "job/update" }));
  const { runner } = await world.run({ do: async () => undefined });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(retryFirstMs * 2 ** (jobNotFoundRetriesMax + 1));
  const updates = Array.from({ length: 1 + jobNotFoundRetriesMax }, () => "job/update IN_PROGRESS");
  assert.deepEqual(world.asked.slice(0, updates.length + 2), ["$next/get", ...updates, "$next/get"]);
  await runner.close();
});

test("a request is made on jobAsksMax connections", async () => {
  const world = new JobsWorld();
  const { runner, errors } = await world.run({ do: async () => undefined });
  world.fate = ({ isToDevice }) => (isToDevice ? [] : [0]);
  for (let connection = 0; connection <= jobAsksMax; connection += 1) {
    world.device.disconnect();
    world.device.connect();
    await world.settle(10);
  }
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["TIMEOUT"],
  );
  await runner.close();
});

test("reports that are waited for are sent soon, and no more often than awaitedReportIntervalMs allows", async () => {
  const world = new JobsWorld();
  let count = 0;
  const { runner } = await world.run({
    do: async (job) => {
      for (; count < 10; count += 1) await job.report({ count: String(count) }, { until: "accepted" });
    },
  });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(5 * awaitedReportIntervalMs - 1);
  assert.equal(count, 5);
  await world.settle(5 * awaitedReportIntervalMs);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  await runner.close();
});

test("awaitedReportsMax reports wait", async () => {
  const world = new JobsWorld();
  let job: RunningJob | undefined;
  const { runner } = await world.run({
    do: (given) => {
      job = given;
      return new Promise(() => undefined);
    },
  });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  world.device.disconnect();
  const report = (at: number): Promise<void> => job?.report({ at: String(at) }, { until: "accepted" }) as Promise<void>;
  const waiting = Promise.all(Array.from({ length: awaitedReportsMax }, (_, at) => report(at)));
  await assert.rejects(report(-1), { code: "LIMIT_EXCEEDED" });
  world.device.connect();
  await world.settle(10_000);
  await waiting;
  assert.deepEqual(world.cloud.find("job")?.statusDetails, { at: String(awaitedReportsMax - 1) });
  world.device.end();
  await world.settle(10_000);
  await runner.closed;
});

test("a late notification of one of the last finishedExecutionsMax executions is asked about, and not believed", async () => {
  const world = new JobsWorld();
  const { runner } = await world.run({ do: async () => undefined });
  const count = finishedExecutionsMax + 1;
  for (let at = 0; at < count; at += 1) world.cloud.queue(`job-${at}`, { operation: "do" });
  await world.settle(60_000);
  const late = async (at: number): Promise<string[]> => {
    const before = world.asked.length;
    const { jobId, executionNumber, queuedAt } = world.cloud.find(`job-${at}`) ?? assert.fail();
    const execution = {
      jobId,
      executionNumber,
      queuedAt,
      status: "QUEUED",
      versionNumber: 1,
      jobDocument: { operation: "do" },
    };
    const payload = Buffer.from(JSON.stringify({ timestamp: 1, execution }));
    world.device.receive(`$aws/things/${thingName}/jobs/notify-next`, payload);
    await world.settle(10_000);
    return world.asked.slice(before);
  };
  assert.deepEqual(await late(count - 1), ["$next/get"]);
  assert.deepEqual(await late(1), ["$next/get"]);
  // One that is forgotten the cloud does not let begin.
  assert.deepEqual(await late(0), ["job-0/update IN_PROGRESS", "$next/get"]);
  await runner.close();
});

for (const parallelMax of [1, 2]) {
  test(`a document that is larger than a TLS record is REJECTED after tooLargeAnswersMax cuts, ${parallelMax} at a time`, async () => {
    const world = new JobsWorld();
    const { runner, errors } = await world.run({ do: async () => undefined }, { parallelMax });
    const { device } = world;
    const receive = device.receive.bind(device);
    let cuts = 0;
    device.receive = (topic, payload) => {
      const isWanted = device.filters.some((filter) => topicMatches(parseTopicFilter(filter).filter, topic));
      if (payload.length <= 2_048 || !isWanted) return receive(topic, payload);
      cuts += 1;
      device.disconnect(new ThinglineError("TLS_RECORD_TOO_LARGE", "a record of more than 2,048 bytes"));
      world.clock.setTimer(1_000, () => device.connect());
    };
    const job = world.cloud.queue("large", { operation: "do", text: "x".repeat(3_000) });
    world.cloud.queue("next", { operation: "do" });
    await world.settle(60_000);
    assert.deepEqual([job.status, job.statusDetails?.["reason"]], ["REJECTED", "JOB_DOCUMENT_TOO_LARGE"]);
    assert.equal(world.cloud.find("next")?.status, "SUCCEEDED");
    // The first is that of the notification; or of several documents at a time, of which nobody knows whose it was.
    assert.equal(cuts, 1 + tooLargeAnswersMax);
    assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(["TLS_RECORD_TOO_LARGE"]));
    await runner.close();
  });
}

test("of a list, listedExecutionsMax executions are looked at", () => {
  const queuedJobs = Array.from({ length: listedExecutionsMax + 5 }, (_, at) => ({
    jobId: `j${at}`,
    executionNumber: 1,
  }));
  const payload = Buffer.from(JSON.stringify({ queuedJobs }));
  const message = decodeJobsMessage(`$aws/things/${thingName}/jobs/get/accepted`, payload);
  assert.ok(message.type === "answer");
  const answer = message.read();
  assert.equal(answer.type === "list" && answer.queued.length, listedExecutionsMax);
});

test("of members that were cut, cutNamesMax names are told", () => {
  const given = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`name${at}`, "x"]));
  const { details, cut } = limitStatusDetails(given);
  assert.equal(Object.keys(details).length, statusDetailsMax);
  assert.equal(cut.length, cutNamesMax);
});

test("a value is never cut within a character", () => {
  const { details } = limitStatusDetails({ text: `${"x".repeat(1_020)}\u{1F600}\u{1F600}\u{1F600}` });
  assert.equal(details["text"], `${"x".repeat(1_020)}...`);
});
