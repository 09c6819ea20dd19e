import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { bucketsMax } from "../objects/model.js";
import { explainCertificate } from "../registry/index.js";
import { createForgetTask } from "./forget-task.js";
import { wakeTimerMsMax } from "../wake-ups.js";
import { scope } from "../world.test.support.js";
import {
  dayMs,
  registrationBytesPerStepMax,
  registrationKeys,
  registrationLineBytesMax,
  registrationsPerStepMax,
  registrationTaskDaysMax,
  registrationTasksMax,
  reportLinesPerFileMax,
  reportLinkSeconds,
  reportsBucket,
  type RegistrationProgress,
} from "./model.js";
import {
  arnOf,
  openProvisioningWorld,
  signingRequest,
  templateOf,
  type ProvisioningWorldOptions,
} from "./provisioning-world.test.support.js";

const roleArn = "arn:aws:iam::123456789012:role/bulk";
const is = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && message.test(error.message);

/** Things alone: nothing of a step waits for a key. */
const things = JSON.stringify({
  Parameters: { Name: { Type: "String" } },
  Resources: { thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "Name" } } } },
});
const namesOf = (count: number) => Array.from({ length: count }, (_none, at) => ({ Name: `t${at + 1}` }));

async function openTasksWorld(options: ProvisioningWorldOptions = {}) {
  const world = await openProvisioningWorld(options);
  const { run, provisioning, clock } = world;
  const start = async (templateBody = things, inputFileKey = "input.json") => {
    const input = { templateBody, inputFileBucket: "factory", inputFileKey, roleArn };
    const { taskId = "" } = await run(provisioning.startThingRegistrationTask, input);
    return taskId;
  };
  const describe = (taskId: string) => run(provisioning.describeThingRegistrationTask, { taskId });
  const linksOf = (taskId: string, reportType: "RESULTS" | "ERRORS", more = {}) =>
    run(provisioning.listThingRegistrationTaskReports, { taskId, reportType, ...more });
  const readObject = async (key: string) => {
    const { chunks } = await run(world.objects.readObject, { bucket: reportsBucket, key });
    let text = "";
    for await (const chunk of chunks) text += new TextDecoder().decode(chunk);
    return text;
  };
  /** Every line of a report, by its links. */
  const reportOf = async (taskId: string, reportType: "RESULTS" | "ERRORS") => {
    const { resourceLinks = [] } = await linksOf(taskId, reportType);
    const texts = await Promise.all(
      resourceLinks.map((link) => readObject(new URL(link).pathname.slice(`/${reportsBucket}/`.length))),
    );
    return texts
      .flatMap((text) => text.trimEnd().split("\n"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  /** Runs every step that is due. */
  const finish = async (taskId: string) => {
    for (let step = 0; step < 2_000; step++) {
      await clock.advance(1);
      const { status } = await describe(taskId);
      if (status !== "InProgress" && status !== "Cancelling") return;
    }
    throw new Error("the task does not end");
  };
  return { ...world, start, describe, linksOf, reportOf, finish };
}

test("a task registers a thing for each line of its input, and says of each what came of it", async () => {
  const world = await openTasksWorld();
  const { run, registry, putInput, start, describe, reportOf, finish, logged, clock } = world;
  const template = templateOf({}, { certificate: { Properties: { CertificateSigningRequest: { Ref: "CSR" } } } });
  const templateBody = JSON.stringify({
    ...template,
    Parameters: { Name: { Type: "String" }, CSR: { Type: "String" } },
  });
  const CSR = await signingRequest();
  const lines = [
    { Name: "one", CSR },
    "",
    { Name: "two", CSR: "csr2" },
    "{ Name",
    "[]",
    { Name: 3, CSR },
    { CSR },
    { Name: "a b", CSR },
    { Name: "last", CSR, Extra: "is not declared" },
  ];
  await putInput(lines);
  const beganAtMs = clock.unixMs();
  const taskId = await start(templateBody);
  const { percentageProgress, status } = await describe(taskId);
  assert.deepEqual([percentageProgress, status], [0, "InProgress"]);
  await finish(taskId);
  const described = await describe(taskId);
  assert.deepEqual(described, {
    ...{ taskId, templateBody, inputFileBucket: "factory", inputFileKey: "input.json", roleArn, status: "Completed" },
    ...{ successCount: 2, failureCount: 6, percentageProgress: 100 },
    ...{ creationDate: beganAtMs / 1_000, lastModifiedDate: described.lastModifiedDate },
  });
  assert.ok((described.lastModifiedDate ?? 0) > beganAtMs / 1_000);
  const results = await reportOf(taskId, "RESULTS");
  const [first, last] = results as {
    lineNumber: number;
    offset: number;
    response: { CertificatePem: string; ResourceArns: Record<string, string> };
  }[];
  assert.deepEqual([first?.lineNumber, first?.offset, last?.lineNumber], [1, 0, 9]);
  assert.match(first?.response.CertificatePem ?? "", /^-----BEGIN CERTIFICATE-----/);
  assert.deepEqual(
    [first?.response.ResourceArns["thing"], last?.response.ResourceArns["thing"]],
    [arnOf("thing/one"), arnOf("thing/last")],
  );
  const errors = (await reportOf(taskId, "ERRORS")) as {
    lineNumber: number;
    errorCode: string;
    errorMessage: string;
  }[];
  const told = errors.map(({ lineNumber, errorCode, errorMessage }) => `${lineNumber} ${errorCode} ${errorMessage}`);
  const expected = [
    /^3 ResourceRegistrationFailureException Resources\.certificate\.Properties\.CertificateSigningRequest: /,
    /^4 InvalidRequestException Parameters: the line is not a JSON object: /,
    /^5 InvalidRequestException Parameters: the line is not a JSON object: it is other JSON$/,
    /^6 InvalidRequestException Parameters\.Name: must be a string, got 3$/,
    /^7 InvalidRequestException Parameters\.Name: Cannot resolve reference value: Name$/,
    /^8 InvalidRequestException Resources\.thing\.Properties\.ThingName: must match /,
  ];
  assert.equal(told.length, expected.length);
  for (const [at, pattern] of expected.entries()) assert.match(told[at] ?? "", pattern);
  const arn = first?.response.ResourceArns["certificate"] ?? "";
  const { origin } = await run(explainCertificate, { certificateId: arn.slice(arnOf("cert/").length) });
  assert.deepEqual([origin.source, origin.taskId], ["bulk-registration", taskId]);
  assert.equal((await run(registry.listThings, {})).things?.length, 2);
  assert.ok(logged.includes("thingRegistrationTaskEnded"));
});

test("one task runs at a time, and what is no template is refused at once", async () => {
  const { putInput, start, finish, run, provisioning } = await openTasksWorld();
  await putInput(namesOf(1));
  await assert.rejects(start("{}"), is("PROVISIONING_TEMPLATE_INVALID", /^Resources: is missing$/));
  const first = await start();
  await assert.rejects(start(), is("REQUEST_INVALID", new RegExp(`${first} is running: one can run at a time`)));
  await finish(first);
  const second = await start();
  await finish(second);
  const list = async (status?: "Completed" | "Failed") =>
    (await run(provisioning.listThingRegistrationTasks, status === undefined ? {} : { status })).taskIds;
  assert.deepEqual(await list(), [second, first]);
  assert.deepEqual(await list("Completed"), [second, first]);
  assert.deepEqual(await list("Failed"), []);
  const page = await run(provisioning.listThingRegistrationTasks, { maxResults: 1 });
  assert.deepEqual(page.taskIds, [second]);
  const { nextToken = "" } = page;
  assert.deepEqual((await run(provisioning.listThingRegistrationTasks, { nextToken })).taskIds, [first]);
});

test("a step registers registrationsPerStepMax things, and a file of a report has reportLinesPerFileMax lines", async () => {
  const { putInput, start, describe, linksOf, reportOf, runStep } = await openTasksWorld({ isStepped: true });
  const count = reportLinesPerFileMax + registrationsPerStepMax;
  await putInput(namesOf(count));
  const taskId = await start();
  for (let done = 0; done < count;) {
    await runStep(taskId);
    done = Math.min(done + registrationsPerStepMax, count);
    const { successCount, percentageProgress = 0, status } = await describe(taskId);
    assert.equal(successCount, done);
    assert.equal(status, done === count ? "Completed" : "InProgress");
    assert.equal(percentageProgress === 100, done === count);
    const links = (await linksOf(taskId, "RESULTS")).resourceLinks?.length;
    assert.equal(links, status === "Completed" ? 2 : done >= reportLinesPerFileMax ? 1 : 0);
  }
  assert.equal((await linksOf(taskId, "RESULTS")).resourceLinks?.length, 2);
  const report = await reportOf(taskId, "RESULTS");
  assert.deepEqual(
    report.map(({ lineNumber }) => lineNumber),
    Array.from({ length: count }, (_none, at) => at + 1),
  );
  const first = await linksOf(taskId, "RESULTS", { maxResults: 1 });
  assert.equal(first.resourceLinks?.length, 1);
  assert.equal(new URL(first.resourceLinks?.[0] ?? "").searchParams.get("X-Amz-Expires"), String(reportLinkSeconds));
  const { nextToken = "" } = first;
  assert.equal((await linksOf(taskId, "RESULTS", { nextToken })).nextToken, undefined);
  assert.deepEqual((await linksOf(taskId, "ERRORS")).resourceLinks, []);
});

test("two processes that do the same step at once register each line once", async () => {
  const { putInput, start, describe, reportOf, runStep, run, registry, store } = await openTasksWorld({
    isStepped: true,
  });
  const count = registrationsPerStepMax + 4;
  await putInput(namesOf(count));
  const taskId = await start();
  for (let step = 0; step < 3; step++) await Promise.all([runStep(taskId), runStep(taskId), runStep(taskId)]);
  const { status, successCount, failureCount } = await describe(taskId);
  assert.deepEqual([status, successCount, failureCount], ["Completed", count, 0]);
  const report = await reportOf(taskId, "RESULTS");
  assert.deepEqual(
    report.map(({ lineNumber }) => lineNumber),
    Array.from({ length: count }, (_none, at) => at + 1),
  );
  assert.equal((await run(registry.listThings, { maxResults: 250 })).things?.length, count);
  const progress = await store.get<RegistrationProgress>(registrationKeys.progress(scope, taskId));
  assert.deepEqual(progress?.value.unwritten, { RESULTS: 0, ERRORS: 0 });
});

test("an input that is not there, or is another one than before, fails the task", async () => {
  const { putInput, start, describe, reportOf, runStep } = await openTasksWorld({ isStepped: true });
  await putInput(namesOf(2 * registrationsPerStepMax));
  const missing = await start(things, "other.json");
  await runStep(missing);
  const { status, message, percentageProgress } = await describe(missing);
  assert.deepEqual([status, percentageProgress], ["Failed", 0]);
  assert.equal(
    message,
    "The input file other.json of bucket factory cannot be read: The specified key does not exist.",
  );

  const taskId = await start();
  await runStep(taskId);
  await putInput(namesOf(3));
  await runStep(taskId);
  const changed = await describe(taskId);
  assert.equal(changed.status, "Failed");
  assert.match(changed.message ?? "", /was changed while it was being read/);
  // What was done is in the report.
  assert.equal(changed.successCount, registrationsPerStepMax);
  assert.equal((await reportOf(taskId, "RESULTS")).length, registrationsPerStepMax);
});

test("an input with no lines, or none but blank ones, is completed", async () => {
  const { putInput, start, describe, finish } = await openTasksWorld();
  for (const [key, lines] of Object.entries({ empty: [], blank: ["", " \t\r", ""] })) {
    await putInput(lines, key);
    const taskId = await start(things, key);
    await finish(taskId);
    const { status, successCount, failureCount, percentageProgress } = await describe(taskId);
    assert.deepEqual([status, successCount, failureCount, percentageProgress], ["Completed", 0, 0, 100]);
  }
});

test("blank lines are read registrationBytesPerStepMax bytes at a time", async () => {
  const { putInput, start, describe, finish, store } = await openTasksWorld();
  await putInput(["\n".repeat(registrationBytesPerStepMax), { Name: "last" }]);
  const taskId = await start();
  await finish(taskId);
  const { successCount } = await describe(taskId);
  const progress = await store.get<RegistrationProgress>(registrationKeys.progress(scope, taskId));
  assert.deepEqual([successCount, progress?.value.lineCount], [1, registrationBytesPerStepMax + 2]);
});

test("a line of registrationLineBytesMax bytes is taken, and a longer one fails the task", async () => {
  const { putInput, start, describe, finish } = await openTasksWorld();
  const line = (name: string, bytes: number) => JSON.stringify({ Name: name }).padEnd(bytes);
  await putInput([line("t1", registrationLineBytesMax), line("t2", registrationLineBytesMax + 1), { Name: "t3" }]);
  const taskId = await start();
  await finish(taskId);
  const { status, message, successCount } = await describe(taskId);
  assert.deepEqual([status, successCount], ["Failed", 1]);
  assert.equal(message, `Line 2 of the input file is longer than ${registrationLineBytesMax} bytes`);
});

test("a task that is stopped is Cancelling, then Cancelled; what it has done stays", async () => {
  const { putInput, start, describe, reportOf, run, runStep, ...world } = await openTasksWorld({ isStepped: true });
  const stop = (taskId: string) => run(world.provisioning.stopThingRegistrationTask, { taskId });
  await putInput(namesOf(3 * registrationsPerStepMax));
  const taskId = await start();
  await runStep(taskId);
  await stop(taskId);
  assert.equal((await describe(taskId)).status, "Cancelling");
  await stop(taskId);
  await runStep(taskId);
  const { status, successCount, percentageProgress = 0 } = await describe(taskId);
  assert.deepEqual([status, successCount], ["Cancelled", registrationsPerStepMax]);
  assert.ok(percentageProgress > 0 && percentageProgress < 100);
  assert.equal((await run(world.registry.listThings, { maxResults: 250 })).things?.length, successCount);
  assert.equal((await reportOf(taskId, "RESULTS")).length, successCount);
  await assert.rejects(stop(taskId), is("REQUEST_INVALID", /is Cancelled already$/));
  // Another one may run, and the first one is left alone, whoever wakes it.
  await start();
  await runStep(taskId);
  assert.equal((await describe(taskId)).status, "Cancelled");
});

test("what nobody started is not found", async () => {
  const { run, provisioning, linksOf } = await openTasksWorld();
  const unknown = { taskId: "none" };
  await assert.rejects(
    run(provisioning.describeThingRegistrationTask, unknown),
    is("RESOURCE_NOT_FOUND", /none not found/),
  );
  await assert.rejects(
    run(provisioning.stopThingRegistrationTask, unknown),
    is("RESOURCE_NOT_FOUND", /none not found/),
  );
  // AWS's operation knows no such error.
  await assert.rejects(linksOf("none", "ERRORS"), is("REQUEST_INVALID", /none not found/));
});

test("a task is forgotten registrationTaskDaysMax days after its end, with its reports", async () => {
  const { putInput, start, describe, finish, clock, run, objects, store } = await openTasksWorld();
  await putInput([{ Name: "t" }, "{"]);
  const taskId = await start();
  await finish(taskId);
  const listed = () => run(objects.listObjects, { bucket: reportsBucket });
  assert.equal((await listed()).objects.length, 2);
  // The clock is looked at once a minute.
  const pass = async (days: number) => {
    clock.setUnixMs(clock.unixMs() + days * dayMs);
    await clock.advance(wakeTimerMsMax);
  };
  await pass(registrationTaskDaysMax - 1);
  assert.equal((await describe(taskId)).status, "Completed");
  await pass(1);
  await assert.rejects(describe(taskId), is("RESOURCE_NOT_FOUND", /not found/));
  assert.deepEqual((await listed()).objects, []);
  const left = await store.list([scope.account, scope.region], { limit: 10_000 });
  assert.deepEqual(
    left.filter(({ key }) => String(key[2]).startsWith("registration")),
    [],
  );
});

test("a task that takes longer than registrationTaskDaysMax days fails", async () => {
  const { putInput, start, describe, clock, finish, restart, runner } = await openTasksWorld();
  await putInput(namesOf(registrationsPerStepMax + 1));
  const taskId = await start();
  // The cloud is off for as long.
  await runner.close();
  clock.setUnixMs(clock.unixMs() + (registrationTaskDaysMax + 1) * dayMs);
  await restart();
  await finish(taskId);
  assert.match((await describe(taskId)).message ?? "", /not done within 30 days$/);
});

test("of more than registrationTasksMax tasks the oldest is forgotten", async () => {
  const { putInput, start, describe, finish, store, clock } = await openTasksWorld();
  await putInput([]);
  const oldest = await start();
  await finish(oldest);
  // As many as if they had been started: only their places are counted.
  const operations = Array.from({ length: registrationTasksMax - 1 }, (_none, at) => ({
    key: registrationKeys.taskByTime(scope, { createdAtMs: clock.unixMs() + at, taskId: `task-${at}` }),
    value: null,
  }));
  await store.commit(operations.slice(1));
  await finish(await start());
  await clock.advance(1_000);
  assert.equal((await describe(oldest)).status, "Completed");
  await finish(await start());
  await clock.advance(1_000);
  await assert.rejects(describe(oldest), is("RESOURCE_NOT_FOUND", /not found/));
});

for (const isStopped of [false, true]) {
  test(`a task whose reports cannot be written ends${isStopped ? " when it is stopped" : ""}, and the next one may run`, async () => {
    const world = await openTasksWorld({ isStepped: true });
    const { run, store, objects, provisioning, runStep, putInput, start, describe } = world;
    await putInput(namesOf(registrationsPerStepMax + 1));
    for (let count = 1; count < bucketsMax; count++) await run(objects.createBucket, { bucket: `bucket-${count}` });
    const taskId = await start();
    await runStep(taskId);
    if (isStopped) await run(provisioning.stopThingRegistrationTask, { taskId });
    await runStep(taskId);
    const { status, message, successCount } = await describe(taskId);
    assert.match(message ?? "", /^Its reports cannot be written: You have attempted to create more buckets/);
    const done = registrationsPerStepMax + (isStopped ? 0 : 1);
    assert.deepEqual([status, successCount], [isStopped ? "Cancelled" : "Failed", done]);
    await start();
    await run(createForgetTask(objects), { taskId });
    const left = await store.list([scope.account, scope.region, "registrationReport"], { limit: 99 });
    assert.deepEqual(left, [], "no line of a report is left behind");
  });
}
