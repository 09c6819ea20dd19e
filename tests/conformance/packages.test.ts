// The software package catalog by the unmodified AWS SDKs: from an object in a bucket to what a thing's shadow says that it has.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  AssociateSbomWithPackageVersionCommand,
  ConflictException,
  CreateJobCommand,
  CreatePackageCommand,
  CreatePackageVersionCommand,
  CreateThingCommand,
  DeletePackageCommand,
  GetPackageVersionCommand,
  IoTClient,
  paginateListPackages,
  paginateListPackageVersions,
  paginateListSbomValidationResults,
  ResourceNotFoundException,
  UpdatePackageCommand,
  UpdatePackageConfigurationCommand,
  UpdatePackageVersionCommand,
  ValidationException,
} from "@aws-sdk/client-iot";
import { GetThingShadowCommand, IoTDataPlaneClient } from "@aws-sdk/client-iot-data-plane";
import {
  IoTJobsDataPlaneClient,
  StartNextPendingJobExecutionCommand,
  UpdateJobExecutionCommand,
} from "@aws-sdk/client-iot-jobs-data-plane";
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud } from "@thingline/cloud/node";

async function openClients(t: TestContext) {
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
  const cloud = await startCloud({ memory: true, ...ports });
  t.after(() => cloud.close());
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const place = { endpoint: cloud.addresses.api, region: "us-east-1", credentials, maxAttempts: 1 };
  const clients = {
    iot: new IoTClient(place),
    data: new IoTDataPlaneClient(place),
    jobs: new IoTJobsDataPlaneClient(place),
    s3: new S3Client({ ...place, forcePathStyle: true }),
  };
  t.after(() => Object.values(clients).map((client) => client.destroy()));
  return clients;
}

test("a package goes from a bucket into the shadow of a thing", { timeout: 60_000 }, async (t) => {
  const { iot, data, jobs, s3 } = await openClients(t);
  const Bucket = "firmware";
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  const { VersionId = "" } = await s3.send(new PutObjectCommand({ Bucket, Key: "app.bin", Body: "image" }));
  const named = { packageName: "app", versionName: "1.2.0" };
  const { packageArn } = await iot.send(
    new CreatePackageCommand({ packageName: "app", description: "d", tags: { a: "b" } }),
  );
  assert.equal(packageArn, "arn:aws:iot:us-east-1:123456789012:package/app");
  await assert.rejects(iot.send(new CreatePackageCommand({ packageName: "app" })), ConflictException);
  await assert.rejects(iot.send(new CreatePackageCommand({ packageName: "a b" })), ValidationException);
  const artifact = { s3Location: { bucket: Bucket, key: "app.bin", version: VersionId } };
  const attributes = { size: "5" };
  const { packageVersionArn = "" } = await iot.send(
    new CreatePackageVersionCommand({ ...named, attributes, artifact }),
  );
  const destinationPackageVersions = ["arn:aws:iot:us-east-1:123456789012:package/app/version/$default"];
  await iot.send(new UpdatePackageVersionCommand({ ...named, action: "PUBLISH" }));
  await iot.send(new UpdatePackageCommand({ packageName: "app", defaultVersionName: "1.2.0" }));
  const roleArn = "arn:aws:iam::123456789012:role/jobs";
  await iot.send(new UpdatePackageConfigurationCommand({ versionUpdateByJobsConfig: { enabled: true, roleArn } }));

  const thingName = "pump-7";
  const { thingArn = "" } = await iot.send(new CreateThingCommand({ thingName }));
  const document = JSON.stringify({
    file: "${aws:iot:package:app:version:$default:artifact-location:s3-presigned-url}",
    facts: "${aws:iot:package::version::attributes}",
  });
  const presignedUrlConfig = { roleArn, expiresInSec: 300 };
  await iot.send(
    new CreateJobCommand({ jobId: "j", targets: [thingArn], document, destinationPackageVersions, presignedUrlConfig }),
  );
  const { execution } = await jobs.send(new StartNextPendingJobExecutionCommand({ thingName }));
  const told = JSON.parse(execution?.jobDocument ?? "{}") as { file: string; facts: unknown };
  assert.deepEqual(told.facts, attributes);
  assert.ok(told.file.includes(`versionId=${encodeURIComponent(VersionId)}`), told.file);
  await jobs.send(new UpdateJobExecutionCommand({ thingName, jobId: "j", status: "SUCCEEDED" }));
  const { payload } = await data.send(new GetThingShadowCommand({ thingName, shadowName: "$package" }));
  const shadow = JSON.parse(new TextDecoder().decode(payload)) as { state: { reported: unknown } };
  assert.deepEqual(shadow.state.reported, { app: { version: "1.2.0" } });

  const names: (string | undefined)[] = [];
  for await (const page of paginateListPackages({ client: iot, pageSize: 1 }, {})) {
    names.push(...(page.packageSummaries ?? []).map(({ packageName }) => packageName));
  }
  for await (const page of paginateListPackageVersions({ client: iot, pageSize: 1 }, { packageName: "app" })) {
    names.push(...(page.packageVersionSummaries ?? []).map(({ versionName }) => versionName));
  }
  assert.deepEqual(names, ["app", "1.2.0"]);
  const found = await iot.send(new GetPackageVersionCommand(named));
  assert.deepEqual([found.packageVersionArn, found.artifact, found.status], [packageVersionArn, artifact, "PUBLISHED"]);
  await assert.rejects(
    iot.send(new GetPackageVersionCommand({ ...named, versionName: "9" })),
    ResourceNotFoundException,
  );
  await assert.rejects(iot.send(new DeletePackageCommand({ packageName: "app" })), ValidationException);

  const put = await s3.send(new PutObjectCommand({ Bucket, Key: "sbom.zip", Body: "no archive" }));
  const s3Location = { bucket: Bucket, key: "sbom.zip", version: put.VersionId };
  const { sbomValidationStatus } = await iot.send(
    new AssociateSbomWithPackageVersionCommand({ ...named, sbom: { s3Location } }),
  );
  assert.equal(sbomValidationStatus, "IN_PROGRESS");
  const ended = async () => (await iot.send(new GetPackageVersionCommand(named))).sbomValidationStatus;
  while ((await ended()) === "IN_PROGRESS");
  assert.equal(await ended(), "FAILED");
  for await (const page of paginateListSbomValidationResults({ client: iot }, named)) {
    assert.deepEqual(
      page.validationResultSummaries?.map(({ fileName, errorCode }) => [fileName, errorCode]),
      [["sbom.zip", "INCOMPATIBLE_FORMAT"]],
    );
  }
});
