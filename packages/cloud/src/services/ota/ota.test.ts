import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { jobIdCharactersMax } from "@thingline/protocol/jobs";
import { openJobsWorld, thingArn } from "../jobs/jobs-world.test.support.js";
import { createObjects } from "../objects/service.js";
import { createStreamsService } from "../streams/index.js";
import { createOtaUpdates } from "./service.js";

const roleArn = "arn:aws:iam::123456789012:role/updates";
const isCode =
  (code: string, message = /./) =>
  (error: unknown) =>
    isThinglineError(error) && error.code === code && message.test(error.message);

async function openOtaWorld() {
  const world = await openJobsWorld();
  const objects = createObjects();
  const streams = createStreamsService({ log: world.log, objects }, { isLimited: true });
  const ota = createOtaUpdates({ jobs: world.jobs, objects, streams: streams.ofUpdates });
  await world.createThings("pump-7");
  await world.run(objects.createBucket, { bucket: "firmware" });
  await world.run(objects.putBucketVersioning, { bucket: "firmware", versioning: "Enabled" });
  const put = async (key: string, bytes: number) =>
    (await world.run(objects.putObject, { bucket: "firmware", key, chunks: [new Uint8Array(bytes)] })).versionId;
  const documentOf = async (jobId: string) => {
    const { document = "" } = await world.run(world.jobs.getJobDocument, { jobId });
    return JSON.parse(document) as unknown;
  };
  return { ...world, objects, streams: streams.operations, ota, put, documentOf };
}

const fileOf = (key: string, version?: string) => ({
  fileName: "/app.bin",
  fileLocation: { s3Location: { bucket: "firmware", key, ...(version !== undefined && { version }) } },
});
const targets = [thingArn("pump-7")];

test("an update makes a stream and a job in one commit, and the document says where all of it is", async () => {
  const { run, ota, put, streams, jobs, documentOf, clock } = await openOtaWorld();
  const version = await put("app v2.bin", 1_234);
  const customCodeSigning = {
    signature: { inlineDocument: Uint8Array.of(1, 2, 3) },
    certificateChain: { certificateName: "cert.pem" },
    hashAlgorithm: "SHA256",
    signatureAlgorithm: "ECDSA",
  };
  const file = { ...fileOf("app v2.bin", version), fileType: 0, fileVersion: "2", attributes: { a: "b" } };
  const files = [{ ...file, codeSigning: { customCodeSigning } }];
  const created = await run(ota.createOTAUpdate, {
    ...{ otaUpdateId: "v2", description: "to v2", targets, files, roleArn, protocols: ["MQTT", "HTTP"] },
    ...{ targetSelection: "CONTINUOUS", awsJobPresignedUrlConfig: { expiresInSec: 600 } },
    awsJobExecutionsRolloutConfig: { maximumPerMinute: 5 },
    awsJobAbortConfig: {
      abortCriteriaList: [
        { failureType: "ALL", action: "CANCEL", thresholdPercentage: 50, minNumberOfExecutedThings: 2 },
      ],
    },
    awsJobTimeoutConfig: { inProgressTimeoutInMinutes: 30 },
    additionalParameters: { team: "a" },
  });
  assert.deepEqual(created, {
    ...{ otaUpdateId: "v2", awsIotJobId: "AFR_OTA-v2", otaUpdateStatus: "CREATE_COMPLETE" },
    awsIotJobArn: "arn:aws:iot:us-east-1:123456789012:job/AFR_OTA-v2",
    otaUpdateArn: "arn:aws:iot:us-east-1:123456789012:otaupdate/v2",
  });
  const [stream] = (await run(streams.listStreams, {})).streams ?? [];
  assert.match(stream?.streamId ?? "", /^AFR_OTA-[0-9a-f-]{36}$/);
  const url = `https://s3.us-east-1.amazonaws.com/firmware/app%20v2.bin?versionId=${version}`;
  assert.deepEqual(await documentOf("AFR_OTA-v2"), {
    afr_ota: {
      protocols: ["MQTT", "HTTP"],
      streamname: stream?.streamId,
      files: [
        {
          ...{ filepath: "/app.bin", filesize: 1_234, fileid: 0, certfile: "cert.pem", "sig-sha256-ecdsa": "AQID" },
          ...{ fileType: 0, auth_scheme: "aws.s3.presigned" },
          update_data_url: `\${aws:iot:s3-presigned-url:${url}}`,
        },
      ],
    },
  });
  const { job } = await run(jobs.describeJob, { jobId: "AFR_OTA-v2" });
  assert.deepEqual(
    [job?.targetSelection, job?.presignedUrlConfig, job?.timeoutConfig, job?.jobExecutionsRolloutConfig],
    ["CONTINUOUS", { roleArn, expiresInSec: 600 }, { inProgressTimeoutInMinutes: 30 }, { maximumPerMinute: 5 }],
  );
  const { otaUpdateInfo } = await run(ota.getOTAUpdate, { otaUpdateId: "v2" });
  assert.deepEqual(otaUpdateInfo?.otaUpdateFiles, files);
  assert.deepEqual(
    [
      otaUpdateInfo?.creationDate,
      otaUpdateInfo?.description,
      otaUpdateInfo?.additionalParameters,
      otaUpdateInfo?.targets,
    ],
    [clock.unixMs() / 1_000, "to v2", { team: "a" }, targets],
  );
});

test("files of a stream that is there already are taken from it, and HTTP alone needs none", async () => {
  const { run, ota, put, streams, documentOf } = await openOtaWorld();
  await put("app", 10);
  const s3Location = { bucket: "firmware", key: "app" };
  await run(streams.createStream, { streamId: "own", files: [{ fileId: 7, s3Location }], roleArn });
  const inStream = { fileName: "/a", fileLocation: { stream: { streamId: "own", fileId: 7 } } };
  await run(ota.createOTAUpdate, { otaUpdateId: "mqtt", targets, files: [inStream], roleArn });
  assert.deepEqual(await documentOf("AFR_OTA-mqtt"), {
    afr_ota: { protocols: ["MQTT"], streamname: "own", files: [{ filepath: "/a", filesize: 10, fileid: 7 }] },
  });
  await run(ota.createOTAUpdate, {
    otaUpdateId: "http",
    targets,
    files: [fileOf("app")],
    roleArn,
    protocols: ["HTTP"],
  });
  const document = JSON.stringify(await documentOf("AFR_OTA-http"));
  assert.ok(!document.includes("streamname") && document.includes("update_data_url"), document);
  assert.equal((await run(streams.listStreams, {})).streams?.length, 1);
  const listed = await run(ota.listOTAUpdates, {});
  assert.deepEqual(
    listed.otaUpdates?.map(({ otaUpdateId }) => otaUpdateId),
    ["http", "mqtt"],
  );
  assert.deepEqual((await run(ota.listOTAUpdates, { otaUpdateStatus: "CREATE_FAILED" })).otaUpdates, []);
});

test("what cannot be an update is refused, and neither stream nor job is made of it", async () => {
  const { run, ota, put, streams, jobs } = await openOtaWorld();
  await put("app", 10);
  const create = (more: object) =>
    run(ota.createOTAUpdate, { otaUpdateId: "bad", targets, files: [fileOf("app")], roleArn, ...more });
  const stream = { streamId: "none", fileId: 1 };
  const signing = (customCodeSigning: object) => ({
    files: [{ ...fileOf("app"), codeSigning: { customCodeSigning } }],
  });
  const cases: readonly [more: object, code: string, message?: RegExp][] = [
    [{ files: [fileOf("none")] }, "RESOURCE_NOT_FOUND"],
    [{ files: [{ fileName: "/a" }] }, "REQUEST_INVALID", /location/],
    [{ files: [{ fileLocation: fileOf("app").fileLocation }] }, "REQUEST_INVALID", /fileName/],
    [{ files: [{ fileName: "/a", fileLocation: { stream } }] }, "RESOURCE_NOT_FOUND"],
    [{ files: [fileOf("app"), { fileName: "/a", fileLocation: { stream } }] }, "REQUEST_INVALID", /one stream/],
    [{ targets: [thingArn("nobody")] }, "RESOURCE_NOT_FOUND"],
    [{ protocols: ["MQTT", "MQTT"] }, "REQUEST_INVALID", /twice/],
    [{ awsJobPresignedUrlConfig: { expiresInSec: 59 } }, "REQUEST_INVALID", /expiresInSec/],
    [signing({ hashAlgorithm: "SHA256" }), "REQUEST_INVALID", /customCodeSigning/],
    [
      { files: [{ ...fileOf("app"), codeSigning: { awsSignerJobId: "x" } }] },
      "REQUEST_INVALID",
      /awsSignerJobId.*not supported/,
    ],
  ];
  for (const [more, code, message] of cases)
    await assert.rejects(create(more), isCode(code, message), JSON.stringify(more));
  assert.deepEqual((await run(streams.listStreams, {})).streams, []);
  assert.deepEqual((await run(jobs.listJobs, {})).jobs, []);
  await create({});
  await assert.rejects(create({}), isCode("RESOURCE_EXISTS"));
});

test("an update is deleted with its job, and with its stream when that is asked for", async () => {
  const world = await openOtaWorld();
  const { run, ota, put, streams, jobs } = world;
  await put("app", 10);
  const create = (otaUpdateId: string) =>
    run(ota.createOTAUpdate, { otaUpdateId, targets, files: [fileOf("app")], roleArn });
  await create("one");
  const streamIds = async () =>
    (await run(streams.listStreams, {})).streams?.map(({ streamId = "" }) => streamId) ?? [];
  const [streamId = ""] = await streamIds();
  await assert.rejects(run(streams.deleteStream, { streamId }), isCode("DELETE_CONFLICT"));
  await assert.rejects(
    run(ota.deleteOTAUpdate, { otaUpdateId: "one" }),
    isCode("REQUEST_INVALID", /cannot be deleted/),
  );
  await run(ota.deleteOTAUpdate, { otaUpdateId: "one", forceDeleteAWSJob: true });
  await world.pass(1_000);
  assert.deepEqual((await run(jobs.listJobs, {})).jobs, []);
  // The stream is left, and is nobody's now.
  assert.deepEqual(await streamIds(), [streamId]);
  await run(streams.deleteStream, { streamId });
  await create("two");
  await run(ota.deleteOTAUpdate, { otaUpdateId: "two", forceDeleteAWSJob: true, deleteStream: true });
  assert.deepEqual(await streamIds(), []);
  await assert.rejects(run(ota.getOTAUpdate, { otaUpdateId: "two" }), isCode("RESOURCE_NOT_FOUND"));
  await create("two-again");
  await run(jobs.deleteJob, { jobId: "AFR_OTA-two-again", force: true });
  await world.pass(1_000);
  await run(ota.deleteOTAUpdate, { otaUpdateId: "two-again", deleteStream: true });
});

test("an update whose job no device could name is refused", async () => {
  const { run, ota, put, jobs } = await openOtaWorld();
  await put("app", 1);
  const create = (characters: number) =>
    run(ota.createOTAUpdate, { otaUpdateId: "x".repeat(characters), targets, files: [fileOf("app")], roleArn });
  const most = jobIdCharactersMax - "AFR_OTA-".length;
  await assert.rejects(create(most + 1), isCode("REQUEST_INVALID", /at most 64 characters/));
  assert.equal((await run(jobs.listJobs, {})).jobs?.length, 0);
  const { awsIotJobId: jobId = "" } = await create(most);
  assert.equal((await run(jobs.describeJob, { jobId })).job?.jobId, jobId);
});
