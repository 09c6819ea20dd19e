import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { objectKeys, type ObjectRecord } from "../objects/model.js";
import { headObject } from "../objects/read.js";
import { createPackages } from "../packages/service.js";
import { scope } from "../world.test.support.js";
import { destinationPackageVersionsMax } from "./destinations.js";
import { openJobsWorld } from "./jobs-world.test.support.js";

const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && message.test(error.message);
const arn = (name: string, version: string) => `arn:aws:iot:us-east-1:123456789012:package/${name}/version/${version}`;
const place = (rest: string) => `\${aws:iot:package:${rest}}`;
const shadowName = "$package";

/** Package `app` with version 1, a draft, and 2, which is the default one; `boot` with 7. The configuration is on. */
async function openWorld() {
  const world = await openJobsWorld();
  const { run, store, shadows } = world;
  const packages = createPackages({ objects: { headObject } }, { isLimited: true });
  const content = { modifiedAtMs: 0, blobName: "b", bytes: 3, sha256: "00", md5: "00", headers: {} };
  const value: ObjectRecord = { versions: [{ versionId: "v1", ...content }] };
  await store.commit([
    { key: objectKeys.bucket(scope, "firmware"), value: { createdAtMs: 0 } },
    { key: objectKeys.object(scope, { bucket: "firmware", key: "app.bin" }), value },
  ]);
  await world.createThings("pump");
  const make = async (packageName: string, versionName: string, more: object = {}) => {
    await run(packages.createPackageVersion, { packageName, versionName, ...more });
    return { publish: () => run(packages.updatePackageVersion, { packageName, versionName, action: "PUBLISH" }) };
  };
  for (const packageName of ["app", "boot"]) await run(packages.createPackage, { packageName });
  await make("app", "1");
  const artifact = { s3Location: { bucket: "firmware", key: "app.bin" } };
  await (await make("app", "2", { attributes: { url: "https://x" }, artifact })).publish();
  await (await make("boot", "7")).publish();
  await run(packages.updatePackage, { packageName: "app", defaultVersionName: "2" });
  const configure = (enabled: boolean) =>
    run(packages.updatePackageConfiguration, {
      versionUpdateByJobsConfig: { enabled, roleArn: "arn:aws:iam::123456789012:role/jobs" },
    });
  await configure(true);
  /** What the shadow reports; undefined when there is none. */
  const reported = async (): Promise<unknown> => {
    const found = await run(shadows.getThingShadow, { thingName: "pump", shadowName }).catch(() => undefined);
    return found?.state.reported;
  };
  const finish = async (jobId: string, status = "SUCCEEDED") => {
    await world.ask({ thingName: "pump", type: "update", jobId }, { status });
  };
  return {
    ...{ ...world, packages, reported, finish, configure },
    create: (...asked: Parameters<typeof world.create>) => world.create(...asked),
    exchange: (...asked: Parameters<typeof world.exchange>) => world.exchange(...asked),
    take: () => world.take(),
  };
}

describe("a job that installs packages", () => {
  test("has its document filled when it is made, and told as it was on request", async () => {
    const { run, jobs, create, exchange } = await openWorld();
    const document = JSON.stringify({
      url: place("app:version:$default:attributes:url"),
      all: place(":version::attributes"),
      file: place("app:version:$default:artifact-location:s3-presigned-url"),
    });
    const asked = [arn("app", "$default")];
    await create("update", ["pump"], { document, destinationPackageVersions: asked });
    const { job } = await run(jobs.describeJob, { jobId: "update" });
    assert.deepEqual(job?.destinationPackageVersions, [arn("app", "2")]);
    const before = await run(jobs.describeJob, { jobId: "update", beforeSubstitution: true });
    assert.deepEqual(before.job?.destinationPackageVersions, asked);
    const file = "${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/app.bin}";
    const filled = { url: "https://x", all: { url: "https://x" }, file };
    const stored = await run(jobs.getJobDocument, { jobId: "update" });
    assert.deepEqual(JSON.parse(stored.document ?? ""), filled);
    const raw = await run(jobs.getJobDocument, { jobId: "update", beforeSubstitution: true });
    assert.equal(raw.document, document);
    const told = await exchange({ thingName: "pump", type: "start-next" });
    const accepted = told.find(({ topic }) => topic.endsWith("start-next/accepted"))?.message as {
      execution: { jobDocument: { file: string } };
    };
    assert.match(accepted.execution.jobDocument.file, /^https:\/\/s3\.us-east-1.*\?expires=3600/);
  });

  test("names versions that are there and no drafts, each package once", async () => {
    const { create, run, packages } = await openWorld();
    await run(packages.createPackage, { packageName: "empty" });
    const refused: [versions: string[], code: ErrorCode, why: RegExp][] = [
      [[arn("app", "1")], "REQUEST_INVALID", /draft/],
      [[arn("app", "3")], "RESOURCE_NOT_FOUND", /Version 3 of package app/],
      [[arn("none", "1")], "REQUEST_INVALID", /Package none does not exist/],
      [[arn("empty", "$default")], "REQUEST_INVALID", /no default version/],
      [[arn("app", "2"), arn("app", "$default")], "REQUEST_INVALID", /package app twice/],
      [[arn("app", "2").replace("us-east-1", "eu-west-1")], "REQUEST_INVALID", /is not the ARN/],
      [[arn("app", "2").replace("123456789012", "210987654321")], "REQUEST_INVALID", /is not the ARN/],
      [["arn:aws:iot:us-east-1:123456789012:package/app"], "REQUEST_INVALID", /is not the ARN/],
      [
        Array.from({ length: destinationPackageVersionsMax + 1 }, (_none, at) => arn(`p${at}`, "$null")),
        "REQUEST_INVALID",
        /at most 25/,
      ],
    ];
    for (const [destinationPackageVersions, code, why] of refused) {
      await assert.rejects(create("bad", ["pump"], { destinationPackageVersions }), fails(code, why));
    }
    const document = JSON.stringify({ a: place("app:version:2:attributes:url") });
    await assert.rejects(create("bad", ["pump"], { document }), fails("REQUEST_INVALID", /destinationPackageVersions/));
    const many = Array.from({ length: destinationPackageVersionsMax }, (_none, at) => arn(`p${at}`, "$null"));
    await create("many", ["pump"], { destinationPackageVersions: many });
  });
});

describe("the shadow $package", () => {
  test("says what an execution has installed, and what it has taken away", async () => {
    const { create, finish, reported, take } = await openWorld();
    await create("one", ["pump"], { destinationPackageVersions: [arn("app", "$default"), arn("boot", "7")] });
    assert.equal(await reported(), undefined);
    await take();
    await finish("one");
    assert.deepEqual(await reported(), { app: { version: "2" }, boot: { version: "7" } });
    const topics = (await take()).map(({ topic }) => topic);
    assert.ok(topics.includes("pump/shadow/name/$package/update/documents"), String(topics));
    await create("two", ["pump"], { destinationPackageVersions: [arn("boot", "$null")] });
    await finish("two");
    assert.deepEqual(await reported(), { app: { version: "2" } });
  });

  test("is left alone by failures, by jobs without packages, and where it is not configured", async () => {
    const { create, finish, reported, configure } = await openWorld();
    const destinationPackageVersions = [arn("app", "2")];
    await create("failed", ["pump"], { destinationPackageVersions });
    await finish("failed", "FAILED");
    await create("plain", ["pump"]);
    await finish("plain");
    await configure(false);
    await create("off", ["pump"], { destinationPackageVersions });
    await finish("off");
    assert.equal(await reported(), undefined);
  });

  test("is not written when a version is gone or the shadow is full, and the execution has succeeded all the same", async () => {
    const { create, finish, reported, run, packages, jobs, jobsLogged, shadows } = await openWorld();
    await create("gone", ["pump"], { destinationPackageVersions: [arn("boot", "7"), arn("app", "2")] });
    await run(packages.deletePackageVersion, { packageName: "boot", versionName: "7" });
    await finish("gone");
    assert.equal(await reported(), undefined);
    assert.match(jobsLogged[0] ?? "", /packageShadowNotUpdated .*RESOURCE_NOT_FOUND/);
    const attributes = { a: "x".repeat(8_140) };
    const payload = new TextEncoder().encode(JSON.stringify({ state: { reported: { other: { attributes } } } }));
    await run(shadows.updateThingShadow, { thingName: "pump", shadowName, payload });
    await create("full", ["pump"], { destinationPackageVersions: [arn("app", "2")] });
    await finish("full");
    assert.match(jobsLogged[1] ?? "", /SHADOW_TOO_LARGE/);
    const { execution } = await run(jobs.describeJobExecution, { thingName: "pump", jobId: "full" });
    assert.equal(execution?.status, "SUCCEEDED");
  });

  test("takes versions and attributes of packages, and nothing else", async () => {
    const { run, shadows } = await openWorld();
    const update = (state: object | null) =>
      run(shadows.updateThingShadow, {
        ...{ thingName: "pump", shadowName },
        payload: new TextEncoder().encode(JSON.stringify({ state })),
      });
    await update({ reported: { app: { version: "1", attributes: { os: "linux" } }, boot: null } });
    for (const state of [
      { reported: { app: { version: "1", description: "d" } } },
      { desired: { app: { name: "x" } } },
      { reported: { app: "1" } },
    ]) {
      await assert.rejects(update(state), fails("SHADOW_DOCUMENT_INVALID", /version and attributes/));
    }
    await update({ reported: null });
    await update(null);
  });
});
