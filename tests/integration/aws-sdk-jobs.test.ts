// Jobs: the unmodified AWS SDK, for both planes, and MQTT.js against a whole local cloud.
import assert from "node:assert/strict";
import { get } from "node:https";
import { test, type TestContext } from "node:test";
import {
  AssociateTargetsWithJobCommand,
  CancelJobCommand,
  CancelJobExecutionCommand,
  CreateJobCommand,
  CreateJobTemplateCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  AddThingToThingGroupCommand,
  DeleteJobCommand,
  DeleteJobExecutionCommand,
  DescribeJobCommand,
  DescribeJobExecutionCommand,
  DescribeJobTemplateCommand,
  GetJobDocumentCommand,
  InvalidRequestException,
  InvalidStateTransitionException,
  ListJobExecutionsForJobCommand,
  ListJobExecutionsForThingCommand,
  paginateListJobs,
  RemoveThingFromThingGroupCommand,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  UpdateEventConfigurationsCommand,
  UpdateJobCommand,
  VersionConflictException,
  type IoTClient,
} from "@aws-sdk/client-iot";
import {
  DescribeJobExecutionCommand as DescribePendingCommand,
  GetPendingJobExecutionsCommand,
  InvalidStateTransitionException as InvalidDeviceTransition,
  IoTJobsDataPlaneClient,
  StartNextPendingJobExecutionCommand,
  TerminalStateException,
  UpdateJobExecutionCommand,
} from "@aws-sdk/client-iot-jobs-data-plane";
import type mqtt from "mqtt";
import { connectClient, createDevice, openWorld, type World } from "./cloud-world.test.support.js";

const thingArn = (name: string) => `arn:aws:iot:us-east-1:123456789012:thing/${name}`;
const groupArn = (name: string) => `arn:aws:iot:us-east-1:123456789012:thinggroup/${name}`;
const document = JSON.stringify({ operation: "test" });

function openJobsData(context: TestContext, { started }: World): IoTJobsDataPlaneClient {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const options = { endpoint: started.addresses.api, region: "us-east-1", credentials, maxAttempts: 1 };
  const data = new IoTJobsDataPlaneClient(options);
  context.after(() => data.destroy());
  return data;
}

async function makeThings(iot: IoTClient, ...names: string[]): Promise<string[]> {
  for (const thingName of names) await iot.send(new CreateThingCommand({ thingName }));
  return names.map(thingArn);
}

const statusOf = async (iot: IoTClient, jobId: string) =>
  (await iot.send(new DescribeJobCommand({ jobId }))).job?.status;

test("the AWS SDK makes, describes, updates, lists, cancels and deletes jobs", async (context) => {
  const { iot } = await openWorld(context);
  const targets = await makeThings(iot, "a", "b");
  const config = {
    abortConfig: {
      criteriaList: [
        { failureType: "FAILED", action: "CANCEL", thresholdPercentage: 50, minNumberOfExecutedThings: 2 } as const,
      ],
    },
    timeoutConfig: { inProgressTimeoutInMinutes: 10 },
    jobExecutionsRetryConfig: { criteriaList: [{ failureType: "TIMED_OUT", numberOfRetries: 2 } as const] },
  };
  const create = new CreateJobCommand({ jobId: "one", targets, document, description: "first", ...config });
  const created = await iot.send(create);
  const jobArn = "arn:aws:iot:us-east-1:123456789012:job/one";
  assert.deepEqual([created.jobArn, created.jobId, created.description], [jobArn, "one", "first"]);
  await assert.rejects(iot.send(create), (error) => {
    assert.ok(error instanceof ResourceAlreadyExistsException);
    assert.equal(error.resourceArn, jobArn);
    return true;
  });
  const { job } = await iot.send(new DescribeJobCommand({ jobId: "one" }));
  assert.equal(job?.status, "IN_PROGRESS");
  assert.equal(job.targetSelection, "SNAPSHOT");
  assert.deepEqual(job.targets, targets);
  assert.ok(job.createdAt instanceof Date);
  assert.equal(job.jobProcessDetails?.numberOfQueuedThings, 2);
  assert.deepEqual(
    [job.abortConfig, job.timeoutConfig, job.jobExecutionsRetryConfig],
    [config.abortConfig, config.timeoutConfig, config.jobExecutionsRetryConfig],
  );
  assert.equal((await iot.send(new GetJobDocumentCommand({ jobId: "one" }))).document, document);
  await iot.send(new UpdateJobCommand({ jobId: "one", description: "again" }));
  assert.equal((await iot.send(new DescribeJobCommand({ jobId: "one" }))).job?.description, "again");
  await iot.send(new CreateJobCommand({ jobId: "two", targets: targets.slice(0, 1), document }));
  const listed: (string | undefined)[] = [];
  for await (const { jobs = [] } of paginateListJobs({ client: iot, pageSize: 1 }, { status: "IN_PROGRESS" })) {
    listed.push(...jobs.map(({ jobId }) => jobId));
  }
  assert.deepEqual(listed, ["two", "one"]);
  await assert.rejects(iot.send(new DeleteJobCommand({ jobId: "one" })), InvalidStateTransitionException);
  await iot.send(new CancelJobCommand({ jobId: "one", reasonCode: "WRONG_IMAGE", comment: "no" }));
  const canceled = (await iot.send(new DescribeJobCommand({ jobId: "one" }))).job;
  assert.deepEqual(
    [canceled?.status, canceled?.reasonCode, canceled?.comment, canceled?.jobProcessDetails?.numberOfCanceledThings],
    ["CANCELED", "WRONG_IMAGE", "no", 2],
  );
  await assert.rejects(iot.send(new CancelJobCommand({ jobId: "one" })), InvalidRequestException);
  await iot.send(new DeleteJobCommand({ jobId: "one" }));
  await assert.rejects(iot.send(new DescribeJobCommand({ jobId: "one" })), ResourceNotFoundException);
  await iot.send(new DeleteJobCommand({ jobId: "two", force: true }));
  await assert.rejects(iot.send(new DescribeJobCommand({ jobId: "two" })), ResourceNotFoundException);
  const wrong: [Partial<ConstructorParameters<typeof CreateJobCommand>[0]>, new (...args: never[]) => Error][] = [
    [{ document: "{" }, InvalidRequestException],
    [{ document: undefined }, InvalidRequestException],
    [{ targets: ["nothing"] }, InvalidRequestException],
    [{ targets: [thingArn("nobody")] }, ResourceNotFoundException],
    [{ targets: [groupArn("nobody")] }, ResourceNotFoundException],
    [{ documentSource: "https://s3.us-east-1.amazonaws.com/b/k" }, InvalidRequestException],
  ];
  for (const [change, expected] of wrong) {
    await assert.rejects(iot.send(new CreateJobCommand({ jobId: "three", targets, document, ...change })), expected);
  }
});

test("the AWS SDK describes, cancels, lists and deletes executions", async (context) => {
  const { iot } = await openWorld(context);
  const targets = await makeThings(iot, "a", "b");
  await iot.send(new CreateJobCommand({ jobId: "one", targets, document }));
  const execution = { jobId: "one", thingName: "a" };
  const described = (await iot.send(new DescribeJobExecutionCommand(execution))).execution;
  assert.deepEqual(
    [described?.status, described?.thingArn, described?.versionNumber, described?.statusDetails],
    ["QUEUED", thingArn("a"), 1, { detailsMap: {} }],
  );
  const { executionSummaries = [] } = await iot.send(new ListJobExecutionsForJobCommand({ jobId: "one" }));
  assert.deepEqual(
    executionSummaries.map(({ thingArn: arn, jobExecutionSummary: one }) => [arn, one?.status, one?.executionNumber]),
    targets.map((arn) => [arn, "QUEUED", 1]),
  );
  await assert.rejects(
    iot.send(new CancelJobExecutionCommand({ ...execution, expectedVersion: 9 })),
    (error) => error instanceof VersionConflictException && /found version 1/.test(error.message),
  );
  await iot.send(new CancelJobExecutionCommand({ ...execution, statusDetails: { why: "test" } }));
  await assert.rejects(iot.send(new CancelJobExecutionCommand(execution)), InvalidStateTransitionException);
  const ended = (await iot.send(new DescribeJobExecutionCommand(execution))).execution;
  assert.deepEqual(
    [ended?.status, ended?.statusDetails, ended?.versionNumber],
    ["CANCELED", { detailsMap: { why: "test" } }, 2],
  );
  const listed = await iot.send(new ListJobExecutionsForJobCommand({ jobId: "one", status: "QUEUED" }));
  assert.deepEqual(
    listed.executionSummaries?.map(({ thingArn: arn }) => arn),
    [thingArn("b")],
  );
  const deletion = { ...execution, executionNumber: 1 };
  await iot.send(new DeleteJobExecutionCommand(deletion));
  await assert.rejects(iot.send(new DescribeJobExecutionCommand(execution)), ResourceNotFoundException);
  await assert.rejects(
    iot.send(new DeleteJobExecutionCommand({ ...deletion, thingName: "b" })),
    InvalidStateTransitionException,
  );
  const ofThing = await iot.send(new ListJobExecutionsForThingCommand({ thingName: "b", status: "QUEUED" }));
  assert.deepEqual(
    ofThing.executionSummaries?.map(({ jobId }) => jobId),
    ["one"],
  );
});

test("the AWS SDK asks for the jobs of a device over HTTP, in the shapes of the data plane", async (context) => {
  const world = await openWorld(context);
  const { iot } = world;
  const data = openJobsData(context, world);
  const targets = await makeThings(iot, "a");
  assert.deepEqual((await data.send(new StartNextPendingJobExecutionCommand({ thingName: "a" }))).execution, undefined);
  for (const jobId of ["one", "two"]) await iot.send(new CreateJobCommand({ jobId, targets, document }));
  const pending = await data.send(new GetPendingJobExecutionsCommand({ thingName: "a" }));
  assert.deepEqual(pending.inProgressJobs, []);
  assert.deepEqual(
    pending.queuedJobs?.map(({ jobId, versionNumber }) => [jobId, versionNumber]),
    [
      ["one", 1],
      ["two", 1],
    ],
  );
  const next = (await data.send(new DescribePendingCommand({ thingName: "a", jobId: "$next" }))).execution;
  assert.deepEqual([next?.jobId, next?.status, next?.jobDocument, next?.thingName], ["one", "QUEUED", document, "a"]);
  const start = new StartNextPendingJobExecutionCommand({ thingName: "a", statusDetails: { step: "1" } });
  const started = (await data.send(start)).execution;
  assert.deepEqual([started?.status, started?.statusDetails], ["IN_PROGRESS", { step: "1" }]);
  assert.ok(Number.isInteger(started?.startedAt));
  const update = { thingName: "a", jobId: "one", includeJobExecutionState: true, includeJobDocument: true };
  await assert.rejects(
    data.send(new UpdateJobExecutionCommand({ ...update, status: "SUCCEEDED", expectedVersion: 9 })),
    (error: Error) => error.name === "InvalidRequestException" && /found version 2/.test(error.message),
  );
  const updated = await data.send(new UpdateJobExecutionCommand({ ...update, status: "SUCCEEDED" }));
  assert.deepEqual(updated.executionState, { status: "SUCCEEDED", statusDetails: { step: "1" }, versionNumber: 3 });
  assert.equal(updated.jobDocument, document);
  await assert.rejects(
    data.send(new UpdateJobExecutionCommand({ ...update, status: "FAILED" })),
    InvalidDeviceTransition,
  );
  await assert.rejects(data.send(new DescribePendingCommand(update)), TerminalStateException);
  assert.equal(await statusOf(iot, "one"), "COMPLETED");
});

/** What a client gets, in order, and a way to wait for it. */
function messagesOf(client: mqtt.MqttClient) {
  const got: [topic: string, message: Record<string, unknown>][] = [];
  let waiting: (() => void) | undefined;
  client.on("message", (topic, payload) => {
    got.push([topic, JSON.parse(payload.toString()) as Record<string, unknown>]);
    waiting?.();
  });
  return {
    async take(count: number) {
      while (got.length < count) await new Promise<void>((resolve) => (waiting = resolve));
      return got.splice(0, count);
    },
  };
}

test("a device works through its jobs over MQTT, and alone gets the answers", async (context) => {
  const world = await openWorld(context);
  const { iot, started } = world;
  const credentials = await createDevice(iot, { thingName: "a" });
  const device = await connectClient(context, started, credentials, { clientId: "a" });
  const watcher = await connectClient(context, started, credentials, { clientId: "watcher" });
  const told = messagesOf(device);
  const watched = messagesOf(watcher);
  const base = "$aws/things/a/jobs";
  await device.subscribeAsync(`${base}/notify-next`, { qos: 1 });
  await watcher.subscribeAsync([`${base}/#`, "$aws/events/job/#", "$aws/events/jobExecution/#"], { qos: 1 });
  await iot.send(
    new UpdateEventConfigurationsCommand({
      eventConfigurations: { JOB: { Enabled: true }, JOB_EXECUTION: { Enabled: true } },
    }),
  );
  await iot.send(new CreateJobCommand({ jobId: "one", targets: [thingArn("a")], document }));
  const [[topic, next] = ["", {}]] = await told.take(1);
  assert.equal(topic, `${base}/notify-next`);
  assert.deepEqual((next["execution"] as { jobDocument: object }).jobDocument, { operation: "test" });
  // The answer comes without a subscription.
  await device.publishAsync(`${base}/start-next`, '{"clientToken":"t"}', { qos: 1 });
  const [[accepted, execution] = ["", {}]] = await told.take(1);
  assert.equal(accepted, `${base}/start-next/accepted`);
  assert.equal(execution["clientToken"], "t");
  await device.publishAsync(`${base}/one/update`, '{"status":"SUCCEEDED"}', { qos: 1 });
  assert.deepEqual(
    (await told.take(2)).map(([name]) => name.slice(base.length + 1)),
    ["one/update/accepted", "notify-next"],
  );
  await device.publishAsync(`${base}/foo`, "{}", { qos: 1 });
  const [[rejected, refusal] = ["", {}]] = await told.take(1);
  assert.deepEqual([rejected, refusal["code"]], [`${base}/foo/rejected`, "InvalidTopic"]);
  // Requests fan out as all that clients publish; answers do not.
  const names = (await watched.take(9)).map(([name]) => name.replace(`${base}/`, "").replace("$aws/events/", ""));
  assert.deepEqual(names.sort(), [
    ...["foo", "job/one/completed", "jobExecution/one/succeeded"],
    ...["notify", "notify", "notify-next", "notify-next", "one/update", "start-next"],
  ]);
});

test("a continuous job follows the groups of its things", async (context) => {
  const { iot } = await openWorld(context);
  await makeThings(iot, "a", "b", "c");
  for (const thingGroupName of ["north", "south"]) await iot.send(new CreateThingGroupCommand({ thingGroupName }));
  const add = (thingName: string, thingGroupName: string) =>
    iot.send(new AddThingToThingGroupCommand({ thingName, thingGroupName }));
  await add("a", "north");
  const targets = [groupArn("north")];
  await iot.send(new CreateJobCommand({ jobId: "one", targets, document, targetSelection: "CONTINUOUS" }));
  await add("b", "north");
  await iot.send(new AssociateTargetsWithJobCommand({ jobId: "one", targets: [groupArn("south")] }));
  await add("c", "south");
  await iot.send(new RemoveThingFromThingGroupCommand({ thingName: "a", thingGroupName: "north" }));
  const expected = ["a REMOVED", "b QUEUED", "c QUEUED"];
  let found: string[] = [];
  // Joining and leaving are followed after they are answered.
  for (let attempt = 0; attempt < 100 && found.join() !== expected.join(); attempt++) {
    const { executionSummaries = [] } = await iot.send(new ListJobExecutionsForJobCommand({ jobId: "one" }));
    found = executionSummaries.map((one) => `${one.thingArn?.split("/")[1]} ${one.jobExecutionSummary?.status}`);
  }
  assert.deepEqual(found, expected);
  assert.equal(await statusOf(iot, "one"), "IN_PROGRESS");
});

test("a document is read from a bucket, and its file comes by a URL that the device alone was given", async (context) => {
  const world = await openWorld(context);
  const { iot, started } = world;
  const data = openJobsData(context, world);
  const targets = await makeThings(iot, "a");
  const { cloud, caPem } = started;
  const bucket = "firmware";
  await cloud.run(cloud.objects.createBucket, { bucket });
  const put = (key: string, text: string) =>
    cloud.run(cloud.objects.putObject, { bucket, key, chunks: [new TextEncoder().encode(text)] });
  await put("app.bin", "an image");
  const url = "https://s3.us-east-1.amazonaws.com/firmware/app.bin";
  await put("job.json", JSON.stringify({ operation: "update", url: `\${aws:iot:s3-presigned-url:${url}}` }));
  const documentSource = "https://firmware.s3.us-east-1.amazonaws.com/job.json";
  await iot.send(new CreateJobCommand({ jobId: "one", targets, documentSource }));
  assert.equal((await iot.send(new DescribeJobCommand({ jobId: "one" }))).documentSource, documentSource);
  const { execution } = await data.send(new StartNextPendingJobExecutionCommand({ thingName: "a" }));
  const signed = new URL((JSON.parse(execution?.jobDocument ?? "{}") as { url: string }).url);
  assert.equal(signed.pathname, "/firmware/app.bin");
  assert.equal(signed.searchParams.get("X-Amz-Expires"), "3600");
  const image = await new Promise<string>((resolve, reject) => {
    const request = get(signed, { ca: caPem }, (response) => {
      response.setEncoding("utf8");
      response.once("data", resolve);
    });
    request.once("error", reject);
  });
  assert.equal(image, "an image");
  const missing = new CreateJobCommand({ jobId: "two", targets, documentSource: `${documentSource}x` });
  await assert.rejects(iot.send(missing), ResourceNotFoundException);
});

test("a job is made from a template, and a template from a job", async (context) => {
  const { iot } = await openWorld(context);
  const targets = await makeThings(iot, "a");
  const template = {
    description: "from a template",
    document,
    timeoutConfig: { inProgressTimeoutInMinutes: 7 },
    jobExecutionsRolloutConfig: { maximumPerMinute: 3 },
  };
  const created = await iot.send(new CreateJobTemplateCommand({ jobTemplateId: "own", ...template }));
  const { jobTemplateArn } = created;
  const own = { targets, jobTemplateArn, jobExecutionsRolloutConfig: { maximumPerMinute: 5 } };
  await iot.send(new CreateJobCommand({ jobId: "one", ...own }));
  const { job } = await iot.send(new DescribeJobCommand({ jobId: "one" }));
  assert.deepEqual(
    [job?.description, job?.timeoutConfig, job?.jobExecutionsRolloutConfig, job?.jobTemplateArn],
    [template.description, template.timeoutConfig, own.jobExecutionsRolloutConfig, jobTemplateArn],
  );
  assert.equal((await iot.send(new GetJobDocumentCommand({ jobId: "one" }))).document, document);
  await iot.send(new CreateJobTemplateCommand({ jobTemplateId: "again", jobArn: job?.jobArn, description: "again" }));
  const again = await iot.send(new DescribeJobTemplateCommand({ jobTemplateId: "again" }));
  assert.deepEqual([again.document, again.timeoutConfig], [document, template.timeoutConfig]);
  const managed = "arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0";
  await iot.send(
    new CreateJobCommand({
      ...{ jobId: "two", targets, jobTemplateArn: managed },
      documentParameters: { pathToHandler: "/opt/handlers" },
    }),
  );
  const { document: filled = "" } = await iot.send(new GetJobDocumentCommand({ jobId: "two" }));
  assert.match(filled, /\/opt\/handlers/);
  const { document: unfilled = "" } = await iot.send(
    new GetJobDocumentCommand({ jobId: "two", beforeSubstitution: true }),
  );
  assert.match(unfilled, /\$\{aws:iot:parameter:pathToHandler\}/);
  const asGiven = await iot.send(new GetJobDocumentCommand({ jobId: "one", beforeSubstitution: true }));
  assert.equal(asGiven.document, document);
  await assert.rejects(
    iot.send(new CreateJobCommand({ jobId: "three", targets, document, documentParameters: { a: "b" } })),
    InvalidRequestException,
  );
});
