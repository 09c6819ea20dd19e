import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import {
  defaultJobAbortGraceMs,
  defaultJobProgressIntervalMs,
  type JobHandler,
  managedInputOf,
  operationOfDocument,
  parallelJobsMax,
  runJobs,
  type RunJobsOptions,
  type RunningJob,
} from "./index.js";
import type { CloudExecution } from "./jobs-cloud.test.support.js";
import { JobsWorld, thingName } from "./jobs-world.test.support.js";
import { freshDocumentAttemptsMax, jobQueriesMax } from "./queries.js";

test("a queued job is begun, done, and told; then the next one", async () => {
  const world = new JobsWorld();
  const done: string[] = [];
  const { runner, events, errors } = await world.run({
    "restart-service": async ({ document, jobId }) => {
      done.push(`${jobId} ${document["service"] as string}`);
      return { status: "SUCCEEDED", statusDetails: { restarted: "yes" } };
    },
  });
  world.cloud.queue("one", { operation: "restart-service", service: "nginx" });
  world.cloud.queue("two", { operation: "restart-service", service: "dnsmasq" });
  await world.settle(5_000);
  assert.deepEqual(done, ["one nginx", "two dnsmasq"]);
  assert.deepEqual(
    world.cloud.executions.map(({ status, statusDetails }) => [status, statusDetails]),
    [
      ["SUCCEEDED", { restarted: "yes" }],
      ["SUCCEEDED", { restarted: "yes" }],
    ],
  );
  assert.deepEqual(events, [
    "jobStarted one/1 restart-service false",
    'jobCompleted one/1 {"restarted":"yes"}',
    "jobStarted two/1 restart-service false",
    'jobCompleted two/1 {"restarted":"yes"}',
  ]);
  assert.deepEqual(errors, []);
  await runner.close();
  assert.equal(world.clock.timerCount, 0);
  assert.equal(world.device.listenerCount, 0);
  assert.deepEqual(world.device.filters, []);
});

const succeed = async (): Promise<{ status: "SUCCEEDED" }> => ({ status: "SUCCEEDED" });

/** A handler that the test lets end. */
function held<Result>(): {
  handler: (job: RunningJob) => Promise<Result>;
  jobs: RunningJob[];
  end: (result: Result) => void;
  fail: (error: Error) => void;
} {
  const jobs: RunningJob[] = [];
  let settle: { resolve: (result: Result) => void; reject: (error: Error) => void } | undefined;
  return {
    jobs,
    handler: (job) => {
      jobs.push(job);
      return new Promise((resolve, reject) => (settle = { resolve, reject }));
    },
    end: (result) => settle?.resolve(result),
    fail: (error) => settle?.reject(error),
  };
}

test("what waits before the client begins is asked for, and again with every connection", async () => {
  const world = new JobsWorld();
  world.cloud.queue("early", { operation: "do" });
  const { runner } = await world.run({ do: succeed });
  assert.equal(world.cloud.find("early")?.status, "SUCCEEDED");
  world.device.disconnect();
  world.cloud.queue("meanwhile", { operation: "do" });
  await world.settle(60_000);
  assert.equal(world.cloud.find("meanwhile")?.status, "QUEUED");
  world.device.connect();
  await world.settle(1_000);
  assert.equal(world.cloud.find("meanwhile")?.status, "SUCCEEDED");
  await runner.close();
});

test("a client of a device that is not connected begins with the first connection", async () => {
  const world = new JobsWorld();
  world.device.disconnect();
  world.cloud.queue("early", { operation: "do" });
  const { runner, errors } = await world.run({ do: succeed });
  assert.deepEqual(world.device.filters, []);
  world.device.connect();
  await world.settle(1_000);
  assert.equal(world.cloud.find("early")?.status, "SUCCEEDED");
  assert.deepEqual(errors, []);
  await runner.close();
});

test("notifications that come twice, late, or of an execution that is over begin nothing", async () => {
  const world = new JobsWorld();
  let calls = 0;
  const { runner } = await world.run({ do: async () => void (calls += 1) });
  world.fate = ({ topic }) => (topic.endsWith("notify-next") ? [0, 0, 1, 500, 90_000] : [0, 10]);
  world.cloud.queue("one", { operation: "do" });
  await world.settle(200_000);
  assert.equal(calls, 1);
  assert.equal(world.cloud.find("one")?.status, "SUCCEEDED");
  await runner.close();
});

const rejections: [string, unknown, Record<string, string>][] = [
  [
    "an operation that nobody knows",
    { operation: "fly" },
    { reason: "JOB_OPERATION_UNKNOWN", message: 'this device has no handler for "fly"' },
  ],
  [
    "a document without an operation",
    { what: "fly" },
    { reason: "JOB_OPERATION_UNKNOWN", message: "the job document names no operation" },
  ],
  [
    "a member of the prototype",
    { operation: "constructor" },
    { reason: "JOB_OPERATION_UNKNOWN", message: 'this device has no handler for "constructor"' },
  ],
  [
    "a document that is a list",
    [1],
    { reason: "JOB_DOCUMENT_INVALID", message: "the job document is not a JSON object" },
  ],
  [
    "a document that is missing",
    undefined,
    { reason: "JOB_DOCUMENT_INVALID", message: "the job document is not a JSON object" },
  ],
];

for (const [what, document, statusDetails] of rejections) {
  for (const endsOnlyWhatBegan of [false, true]) {
    const where = endsOnlyWhatBegan ? ", by a cloud that lets only end what began" : "";
    test(`${what} is REJECTED with the reason, and the next job begins${where}`, async () => {
      const world = new JobsWorld();
      world.cloud.endsOnlyWhatBegan = endsOnlyWhatBegan;
      const { runner } = await world.run({ do: succeed });
      const job = world.cloud.queue("odd", document);
      world.cloud.queue("next", { operation: "do" });
      await world.settle(10_000);
      assert.deepEqual([job.status, job.statusDetails], ["REJECTED", statusDetails]);
      assert.equal(world.cloud.find("next")?.status, "SUCCEEDED");
      await runner.close();
    });
  }
}

test("the operation is told by another member, by a function, by a managed template; the rest goes to the fallback", async () => {
  const ways: [Partial<RunJobsOptions>, object][] = [
    [{ operation: "task" }, { task: "do" }],
    [{ operation: ({ kind }) => `${kind as string}o` }, { kind: "d" }],
    [{}, { version: "1.0", steps: [{ action: { name: "do", type: "runHandler", input: { handler: "x.sh" } } }] }],
  ];
  for (const [options, document] of ways) {
    const world = new JobsWorld();
    const inputs: unknown[] = [];
    const { runner } = await world.run({ do: async (job) => void inputs.push(managedInputOf(job.document)) }, options);
    world.cloud.queue("job", document);
    await world.settle(1_000);
    assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
    assert.deepEqual(inputs, ["steps" in document ? { handler: "x.sh" } : undefined]);
    await runner.close();
  }
  assert.equal(operationOfDocument({ afr_ota: { files: [] } }), "afr_ota");
  assert.equal(operationOfDocument({ operation: "do", afr_ota: {} }), "do");
  assert.equal(operationOfDocument({ steps: [{ action: { name: "do" } }, { action: { name: "do" } }] }), undefined);
  const world = new JobsWorld();
  const seen: unknown[] = [];
  const { runner } = await world.run({}, { fallback: async ({ operation }) => void seen.push(operation) });
  world.cloud.queue("a", { anything: 1 });
  world.cloud.queue("b", { operation: "fly" });
  await world.settle(1_000);
  assert.deepEqual(seen, [undefined, "fly"]);
  await runner.close();
});

const thrower = (thrown: unknown) => (): Promise<never> =>
  new Promise(() => {
    throw thrown;
  });

const failures: [string, () => Promise<unknown>, Record<string, string>][] = [
  [
    "throws with a code",
    () => Promise.reject(Object.assign(new Error("no such file"), { code: "ENOENT" })),
    { reason: "ENOENT", message: "no such file" },
  ],
  [
    "throws something of ours",
    () => Promise.reject(new ThinglineError("TIMEOUT", "too slow")),
    { reason: "TIMEOUT", message: "too slow" },
  ],
  ["throws a text", thrower("no"), { reason: "Error", message: "no" }],
  [
    "returns nonsense",
    async () => ({ status: "DONE" }),
    {
      reason: "OPTION_INVALID",
      message: "outcome.status: expected SUCCEEDED, FAILED, REJECTED or IN_PROGRESS, got a string",
    },
  ],
];

for (const [what, handler, statusDetails] of failures) {
  test(`a handler that ${what} makes the job FAILED`, async () => {
    const world = new JobsWorld();
    const { runner, events } = await world.run({ do: handler as JobHandler });
    world.cloud.queue("job", { operation: "do" });
    await world.settle(1_000);
    const { status, statusDetails: told } = world.cloud.find("job") as CloudExecution;
    assert.deepEqual([status, told], ["FAILED", statusDetails]);
    assert.equal(events.at(-1), `jobFailed job/1 ${JSON.stringify(statusDetails)}`);
    await runner.close();
  });
}

test("progress is sent at a bounded rate, the latest wins, and what was waited for is told", async () => {
  const world = new JobsWorld();
  const work = held<undefined>();
  const { runner, events } = await world.run({ do: work.handler });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  const [job] = work.jobs as [RunningJob];
  for (let percent = 0; percent < 100; percent += 1) {
    await job.report({ percent: String(percent) });
    await world.settle(defaultJobProgressIntervalMs / 10);
  }
  let isAccepted = false;
  const accepted = job.report({ percent: "100" }, { until: "accepted" }).then(() => (isAccepted = true));
  assert.equal(isAccepted, false);
  await world.settle(2_000);
  await accepted;
  assert.deepEqual(world.cloud.find("job")?.statusDetails, { percent: "100" });
  const updates = world.asked.filter((request) => request === "job/update IN_PROGRESS").length;
  assert.ok(updates >= 10 && updates <= 13, `${updates} updates`);
  assert.equal(events.filter((event) => event.startsWith("jobProgress")).length, updates - 1);
  work.end(undefined);
  await world.settle(1_000);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  // Nothing was said of the end: the cloud keeps what was reported.
  assert.deepEqual(world.cloud.find("job")?.statusDetails, { percent: "100" });
  await assert.rejects(job.report({ percent: "101" }, { until: "accepted" }), { code: "ABORTED" });
  await runner.close();
});

test("a failure keeps what was reported, beside the reason", async () => {
  const world = new JobsWorld();
  const work = held<undefined>();
  const { runner } = await world.run({ do: work.handler });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  await (work.jobs[0] as RunningJob).report({ percent: "7", message: "on the way" });
  await world.settle(1_000);
  work.fail(new TypeError("broken"));
  await world.settle(1_000);
  const details = { reason: "TypeError", message: "broken", percent: "7" };
  assert.deepEqual(world.cloud.find("job")?.statusDetails, details);
  await runner.close();
});

test("details that AWS does not take are cut, and an event says so", async () => {
  const world = new JobsWorld();
  const { runner, events } = await world.run({
    do: async () => ({
      status: "SUCCEEDED",
      statusDetails: {
        long: "x".repeat(2_000),
        "with space": "a\nb",
        empty: "",
        ...Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`n${at}`, String(at)])),
      },
    }),
  });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  const details = world.cloud.find("job")?.statusDetails ?? {};
  assert.deepEqual(Object.keys(details), ["long", "with_space", ...Array.from({ length: 8 }, (_, at) => `n${at}`)]);
  assert.equal(details["long"]?.length, 1_024);
  assert.equal(details["with_space"], "a b");
  assert.ok(events.includes('statusDetailsCut job/1 ["long","with space","n8","n9","n10","n11"]'), events.join("\n"));
  await runner.close();
});

for (const [what, end, status] of [
  ["cancelled", (world: JobsWorld) => world.cloud.end("job", "CANCELED"), "CANCELED"],
  ["timed out", (world: JobsWorld) => world.cloud.end("job", "TIMED_OUT"), "TIMED_OUT"],
  ["removed", (world: JobsWorld) => world.cloud.end("job", "REMOVED"), "REMOVED"],
  ["deleted", (world: JobsWorld) => world.cloud.delete("job"), undefined],
] as const) {
  test(`an execution that is ${what} in the cloud aborts its handler with the reason, and the next begins`, async () => {
    const world = new JobsWorld();
    const work = held<undefined>();
    const { runner, events } = await world.run({ do: work.handler, other: succeed });
    world.cloud.queue("job", { operation: "do" });
    world.cloud.queue("next", { operation: "other" });
    await world.settle(1_000);
    const [job] = work.jobs as [RunningJob];
    end(world);
    await world.settle(30_000);
    const reason = job.signal.reason as ThinglineError;
    assert.equal(reason.code, "JOB_TAKEN_AWAY");
    assert.equal(reason.details["status"], status);
    assert.ok(events.includes(`jobCancelled job/1 ${status ?? "-"}`), events.join("\n"));
    await assert.rejects(job.report({ a: "b" }, { until: "accepted" }), { code: "JOB_TAKEN_AWAY" });
    // One at a time: its handler has not returned.
    assert.equal(world.cloud.find("next")?.status, "QUEUED");
    work.end(undefined);
    await world.settle(1_000);
    assert.equal(world.cloud.find("next")?.status, "SUCCEEDED");
    assert.equal(world.cloud.find("job")?.status, status);
    await runner.close();
  });
}

test("a handler that does not stop is left alone after the grace, and the next begins", async () => {
  const world = new JobsWorld();
  const work = held<undefined>();
  const { runner, events } = await world.run({ do: work.handler, other: succeed });
  world.cloud.queue("job", { operation: "do" });
  world.cloud.queue("next", { operation: "other" });
  await world.settle(1_000);
  world.cloud.end("job", "CANCELED");
  await world.settle(defaultJobAbortGraceMs - 1_000);
  assert.equal(world.cloud.find("next")?.status, "QUEUED");
  await world.settle(2_000);
  assert.ok(events.includes("jobAbandoned job/1"));
  assert.equal(world.cloud.find("next")?.status, "SUCCEEDED");
  work.end(undefined);
  await runner.close();
});

test("a step that takes too long is aborted here, and FAILED; a report may start its time anew", async () => {
  const world = new JobsWorld();
  const work = held<undefined>();
  const { runner } = await world.run({ do: work.handler }, { stepTimeoutInMinutes: 10, pollIntervalMs: 86_400_000 });
  const execution = world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  const [job] = work.jobs as [RunningJob];
  assert.equal(
    world.cloud.requests.find(({ topic }) => topic.endsWith("job/update"))?.members["stepTimeoutInMinutes"],
    10,
  );
  await world.settle(8 * 60_000);
  await job.report({ step: "2" }, { stepTimeoutInMinutes: 30 });
  await world.settle(20 * 60_000);
  assert.equal(job.signal.aborted, false);
  await world.settle(11 * 60_000);
  assert.equal((job.signal.reason as ThinglineError).code, "TIMEOUT");
  work.fail(job.signal.reason as Error);
  await world.settle(1_000);
  assert.deepEqual([execution.status, execution.statusDetails?.["reason"]], ["FAILED", "TIMEOUT"]);
  await runner.close();
});

test("a handler that is aborted by its time and still succeeds is believed; one that says nothing is not", async () => {
  for (const says of [{ status: "SUCCEEDED" } as const, undefined]) {
    const world = new JobsWorld();
    const work = held<{ status: "SUCCEEDED" } | undefined>();
    const { runner } = await world.run({ do: work.handler }, { stepTimeoutInMinutes: 1 });
    world.cloud.queue("job", { operation: "do" });
    await world.settle(61_000);
    work.end(says);
    await world.settle(1_000);
    assert.equal(world.cloud.find("job")?.status, says === undefined ? "FAILED" : "SUCCEEDED");
    await runner.close();
  }
});

test("what is throttled, fails or is not found at once is asked again", async () => {
  for (const code of ["RequestThrottled", "InternalError", "ResourceNotFound"]) {
    const world = new JobsWorld();
    world.cloud.refusals = ["update", "update", "update"].map((matches) => ({ code, matches }));
    const { runner } = await world.run({ do: succeed });
    world.cloud.queue("job", { operation: "do" });
    await world.settle(60_000);
    assert.equal(world.cloud.find("job")?.status, "SUCCEEDED", code);
    await runner.close();
  }
});

test("a final update whose answer is lost is repeated, and the refusal of the second is the answer", async () => {
  for (const tellsState of [true, false]) {
    const world = new JobsWorld();
    world.cloud.tellsState = tellsState;
    const { runner, events } = await world.run({ do: succeed });
    let isLost = true;
    world.fate = ({ topic }) => {
      if (!topic.endsWith("update/accepted") || world.cloud.find("job")?.status !== "SUCCEEDED" || !isLost) return [0];
      isLost = false;
      return [];
    };
    world.cloud.queue("job", { operation: "do" });
    await world.settle(120_000);
    assert.deepEqual(
      world.asked.filter((request) => request.endsWith("SUCCEEDED")),
      ["job/update SUCCEEDED", "job/update SUCCEEDED"],
    );
    assert.equal(events.at(-1), "jobCompleted job/1 {}");
    await runner.close();
  }
});

test("what the cloud ended otherwise meanwhile is told as it is", async () => {
  const world = new JobsWorld();
  const work = held<{ status: "SUCCEEDED" }>();
  const { runner, events } = await world.run({ do: work.handler });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  world.fate = ({ isToDevice }) => (isToDevice ? [] : [0]);
  world.cloud.end("job", "TIMED_OUT");
  await world.settle(1_000);
  world.fate = () => [0];
  work.end({ status: "SUCCEEDED" });
  await world.settle(1_000);
  assert.equal(events.at(-1), "jobCancelled job/1 TIMED_OUT");
  await runner.close();
});

test("details that the cloud refuses fail the report, and do not keep a job from ending", async () => {
  const world = new JobsWorld();
  const work = held<{ status: "FAILED"; statusDetails: Record<string, string> }>();
  const { runner, errors } = await world.run({ do: work.handler });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  world.cloud.refusals = [{ code: "InvalidRequest", matches: "update" }];
  const report = (work.jobs[0] as RunningJob).report({ a: "b" }, { until: "accepted" });
  report.catch(() => undefined);
  await world.settle(10_000);
  await assert.rejects(report, { code: "REQUEST_INVALID" });
  world.cloud.refusals = [{ code: "InvalidRequest", matches: "update" }];
  work.end({ status: "FAILED", statusDetails: { a: "b" } });
  await world.settle(10_000);
  assert.deepEqual([world.cloud.find("job")?.status, world.cloud.find("job")?.statusDetails], ["FAILED", undefined]);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["REQUEST_INVALID", "REQUEST_INVALID"],
  );
  await runner.close();
});

test("answers that nobody can read are reported, and asked for again with growing pauses", async () => {
  const world = new JobsWorld();
  const { runner, errors } = await world.run({ do: succeed });
  const base = `$aws/things/${thingName}/jobs`;
  const garbage = [
    "{",
    "[]",
    '{"execution":1}',
    '{"execution":{"jobId":"../x"}}',
    '{"execution":{"jobId":"a"}}',
    "\xff",
  ];
  for (const text of garbage) world.device.receive(`${base}/notify-next`, Buffer.from(text, "latin1"));
  await world.settle(10_000);
  assert.deepEqual(
    errors.map(({ code }) => code),
    garbage.map(() => "JOB_MESSAGE_INVALID"),
  );
  assert.ok(world.asked.length < 6, world.asked.join());
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  await runner.close();
});

test("an empty execution is no job", async () => {
  const world = new JobsWorld();
  const { runner, errors } = await world.run({ do: succeed });
  const payload = Buffer.from('{"timestamp":1,"execution":{}}');
  world.device.receive(`$aws/things/${thingName}/jobs/notify-next`, payload);
  await world.settle(1_000);
  assert.deepEqual(errors, []);
  assert.equal(runner.executionCount, 0);
  await runner.close();
});

test("a cloud that offers again and again what it does not let begin is asked with growing pauses", async () => {
  const world = new JobsWorld();
  world.cloud.refusals = Array.from({ length: 50 }, () => ({
    code: "InvalidStateTransition",
    executionState: { status: "CANCELED" },
    matches: "job/update",
  }));
  const { runner } = await world.run({ do: succeed });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(300_000);
  assert.ok(world.asked.length < 30, `${world.asked.length} requests`);
  await runner.close();
});

test("a notification that is lost is made up for", async () => {
  const world = new JobsWorld();
  const { runner } = await world.run({ do: succeed }, { pollIntervalMs: 600_000 });
  world.fate = ({ topic }) => (topic.endsWith("notify-next") ? [] : [0]);
  world.cloud.queue("job", { operation: "do" });
  await world.settle(599_000);
  assert.equal(world.cloud.find("job")?.status, "QUEUED");
  await world.settle(2_000);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  await runner.close();
});

test("several at a time, as many as the options say, each from the list", async () => {
  const world = new JobsWorld();
  let running = 0;
  let runningMax = 0;
  const { runner } = await world.run(
    {
      do: async () => {
        runningMax = Math.max(runningMax, ++running);
        await world.clock.sleep(1_000);
        running -= 1;
      },
    },
    { parallelMax: 3 },
  );
  for (let at = 0; at < 10; at += 1) world.cloud.queue(`job-${at}`, { operation: "do" });
  await world.settle(60_000);
  assert.equal(runningMax, 3);
  assert.ok(world.cloud.executions.every(({ status }) => status === "SUCCEEDED"));
  await runner.close();
});

test("of several at a time, one that is taken away is noticed", async () => {
  const world = new JobsWorld();
  const work = held<undefined>();
  const { runner } = await world.run(
    { do: work.handler, other: () => new Promise(() => undefined) },
    { parallelMax: 2 },
  );
  world.cloud.queue("first", { operation: "other" });
  world.cloud.queue("second", { operation: "do" });
  await world.settle(1_000);
  world.cloud.end("second", "CANCELED");
  await world.settle(1_000);
  assert.equal((work.jobs[0]?.signal.reason as ThinglineError).code, "JOB_TAKEN_AWAY");
  world.device.end();
  await world.settle(10_000);
  await runner.closed;
});

test("refused topics are told with what the policy needs, and tried again", async () => {
  const world = new JobsWorld();
  world.device.subscribeError = new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "the cloud refused a filter");
  const { runner, errors } = await world.run({ do: succeed });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1);
  world.device.subscribeError = undefined;
  await world.settle(5_000);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  await runner.close();
  const { runner: again, errors: more } = await (async () => {
    world.device.subscribeError = new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "the cloud refused a filter");
    return world.run({ do: succeed }, {});
  })();
  world.device.disconnect();
  world.device.connect();
  await world.settle(1);
  assert.match(more[0]?.message ?? "", /iot:Subscribe on topicfilter\/\$aws\/things\/pump-7\/jobs\/\*/);
  assert.deepEqual(errors, []);
  await again.close();
  assert.equal(world.clock.timerCount, 0);
});

test("subscriptions that the cloud takes away are made again", async () => {
  const world = new JobsWorld();
  const { runner, errors } = await world.run({ do: succeed });
  for (const subscription of world.device.subscriptions.splice(0)) {
    subscription.end(new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "no more"));
  }
  world.cloud.queue("job", { operation: "do" });
  await world.settle(5_000);
  assert.equal(errors[0]?.code, "MQTT_SUBSCRIPTION_REFUSED");
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  await runner.close();
});

test("an application reads what is pending, and one execution", async () => {
  const world = new JobsWorld();
  const work = held<undefined>();
  const { runner } = await world.run({ do: work.handler });
  world.cloud.queue("one", { operation: "do" });
  world.cloud.queue("two", { operation: "do", a: 1 });
  await world.settle(1_000);
  const pending = runner.pendingJobs();
  await world.settle();
  const { inProgress, queued } = await pending;
  assert.deepEqual([inProgress.map(({ jobId }) => jobId), queued.map(({ jobId }) => jobId)], [["one"], ["two"]]);
  const describing = runner.describeJob("two");
  await world.settle();
  assert.deepEqual((await describing)?.document, { operation: "do", a: 1 });
  const next = runner.describeJob("$next");
  await world.settle();
  assert.equal((await next)?.jobId, "one");
  const missing = runner.describeJob("three");
  missing.catch(() => undefined);
  await world.settle();
  await assert.rejects(missing, { code: "RESOURCE_NOT_FOUND" });
  await assert.rejects(runner.describeJob("a/b"), { code: "OPTION_INVALID" });
  await assert.rejects(runner.pendingJobs({ signal: AbortSignal.abort() }), { code: "ABORTED" });
  world.fate = () => [];
  const waiting = Array.from({ length: jobQueriesMax }, () => runner.describeJob("two"));
  for (const each of waiting) each.catch(() => undefined);
  await assert.rejects(runner.describeJob("two"), { code: "LIMIT_EXCEEDED" });
  await world.settle(30_000);
  for (const each of waiting) await assert.rejects(each, { code: "TIMEOUT" });
  world.fate = () => [0];
  world.device.end();
  await world.settle(10_000);
  await assert.rejects(runner.describeJob("two"), { code: "CLOSED" });
});

test("options are checked", async () => {
  const world = new JobsWorld();
  const { clock, random, device } = world;
  const handlers = { do: succeed };
  const wrong: [object, string][] = [
    [{}, "handlers"],
    [{ handlers: { do: 1 } }, "handlers.do"],
    [{ handlers, operation: 7 }, "operation"],
    [{ handlers, parallelMax: parallelJobsMax + 1 }, "parallelMax"],
    [{ handlers, stepTimeoutInMinutes: 0 }, "stepTimeoutInMinutes"],
    [{ handlers, stepTimeoutInMinutes: 10_081 }, "stepTimeoutInMinutes"],
    [{ handlers, folder: "jobs" }, "files"],
    [{ handlers, thingName: "a/b" }, "thingName"],
    [{ handlers, attemptsMax: 0 }, "attemptsMax"],
    [{ handlers, on: { jobDone: () => undefined } }, "on"],
    [{ handlers, pollIntervalMs: 5 }, "pollIntervalMs"],
    [{ handlers, handler: {} }, "handler"],
  ];
  for (const [options, option] of wrong) {
    await assert.rejects(runJobs(device, { clock, random, ...options } as unknown as RunJobsOptions), (error) => {
      assert.ok(error instanceof ThinglineError);
      assert.deepEqual([error.code, error.details["option"]], ["OPTION_INVALID", option]);
      return true;
    });
  }
  assert.equal(world.device.listenerCount, 0);
});

test("a handler reads its document again, and learns when its job is gone", async () => {
  const world = new JobsWorld();
  const work = held<undefined>();
  const { runner } = await world.run({ do: work.handler });
  const execution = world.cloud.queue("job", { operation: "do", url: "first" });
  await world.settle(1_000);
  const [job] = work.jobs as [RunningJob];
  execution.document = { operation: "do", url: "second" };
  world.cloud.refusals = [{ code: "RequestThrottled" }];
  const reading = job.freshDocument();
  await world.settle(5_000);
  assert.deepEqual(await reading, { operation: "do", url: "second" });
  world.cloud.refusals = Array.from({ length: freshDocumentAttemptsMax }, () => ({ code: "InternalError" }));
  const failing = job.freshDocument();
  failing.catch(() => undefined);
  await world.settle(60_000);
  await assert.rejects(failing, { code: "INTERNAL_FAILURE" });
  world.fate = () => [];
  const waiting = job.freshDocument();
  waiting.catch(() => undefined);
  world.fate = () => [0];
  world.cloud.end("job", "CANCELED");
  await world.settle(30_000);
  await assert.rejects(waiting, { code: "JOB_TAKEN_AWAY" });
  await assert.rejects(job.freshDocument(), { code: "JOB_TAKEN_AWAY" });
  work.end(undefined);
  await runner.close();
});

test("a cloud that does not find what has ended here, and offers it again, is told what it came to", async () => {
  const world = new JobsWorld();
  let calls = 0;
  const { runner } = await world.run({ do: async () => void (calls += 1) });
  world.cloud.queue("job", { operation: "do" });
  const refuse = (): void => {
    if (world.cloud.find("job")?.status !== "IN_PROGRESS" || calls === 0) return;
    world.cloud.refusals = Array.from({ length: 5 }, () => ({ code: "ResourceNotFound", matches: "job/update" }));
    world.fate = () => [0];
  };
  world.fate = ({ topic }) => {
    if (topic.endsWith("update")) refuse();
    return [0];
  };
  await world.settle(120_000);
  assert.equal(calls, 1);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  await runner.close();
});
