import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { scope } from "../world.test.support.js";
import { packageKeys, packagesMax } from "./model.js";
import { fails, openPackagesWorld } from "./packages-world.test.support.js";

const token = (digit: number) => `${digit}`.repeat(36);
const roleArn = "arn:aws:iam::123456789012:role/jobs";

describe("packages", () => {
  test("one is made, told, changed and deleted", async () => {
    const { run, packages, clock, store } = await openPackagesWorld();
    const before = await store.list([], { limit: 100 });
    const createdAt = clock.unixMs() / 1_000;
    const packageArn = "arn:aws:iot:us-east-1:123456789012:package/app";
    const made = await run(packages.createPackage, {
      packageName: "app",
      description: "the application",
      tags: { a: "b" },
    });
    assert.deepEqual(made, { packageName: "app", packageArn, description: "the application" });
    const told = { ...made, creationDate: createdAt, lastModifiedDate: createdAt };
    assert.deepEqual(await run(packages.getPackage, { packageName: "app" }), told);
    await clock.advance(3_000);
    assert.deepEqual(await run(packages.updatePackage, { packageName: "app", description: "another" }), {});
    const changed = { ...told, description: "another", lastModifiedDate: createdAt + 3 };
    assert.deepEqual(await run(packages.getPackage, { packageName: "app" }), changed);
    await run(packages.createPackage, { packageName: "boot" });
    assert.deepEqual(
      await run(packages.listPackages, { maxResults: 1 }).then(({ packageSummaries }) => packageSummaries),
      [{ packageName: "app", creationDate: createdAt, lastModifiedDate: createdAt + 3 }],
    );
    for (const packageName of ["app", "boot", "boot"]) {
      assert.deepEqual(await run(packages.deletePackage, { packageName }), {});
    }
    await assert.rejects(run(packages.getPackage, { packageName: "app" }), fails("RESOURCE_NOT_FOUND"));
    await assert.rejects(run(packages.updatePackage, { packageName: "app" }), fails("RESOURCE_NOT_FOUND"));
    const known = new Set(before.map(({ key }) => JSON.stringify(key)));
    const left = (await store.list([], { limit: 100 })).filter(({ key }) => !known.has(JSON.stringify(key)));
    assert.deepEqual(
      left.map(({ value }) => value),
      [{ packages: 0, versions: 0 }],
    );
  });

  test("the same request has the same answer, and no other one has the name", async () => {
    const { run, packages } = await openPackagesWorld();
    const request = { packageName: "app", description: "d", tags: { a: "b" }, clientToken: token(1) };
    const made = await run(packages.createPackage, request);
    assert.deepEqual(await run(packages.createPackage, request), made);
    const others = [
      { ...request, clientToken: token(2) },
      { ...request, clientToken: undefined },
      { ...request, description: "e" },
      { ...request, tags: { a: "c" } },
    ];
    for (const other of others) {
      await assert.rejects(run(packages.createPackage, other), fails("RESOURCE_CONFLICT", /app already exists/));
    }
    assert.equal((await run(packages.listPackages, {})).packageSummaries?.length, 1);
  });

  test("a default version is a version that is no draft, and stays until it is unset", async () => {
    const { run, packages, makeVersion } = await openPackagesWorld();
    await run(packages.createPackage, { packageName: "app" });
    await makeVersion("1");
    await makeVersion("2", "PUBLISHED");
    await makeVersion("3", "DEPRECATED");
    const choose = (defaultVersionName: string | undefined, unsetDefaultVersion?: boolean) =>
      run(packages.updatePackage, { packageName: "app", defaultVersionName, unsetDefaultVersion });
    const chosen = async () => (await run(packages.getPackage, { packageName: "app" })).defaultVersionName;
    await assert.rejects(choose("1"), fails("RESOURCE_CONFLICT", /draft/));
    await assert.rejects(choose("4"), fails("RESOURCE_NOT_FOUND"));
    await assert.rejects(choose("2", true), fails("REQUEST_INVALID", /Only one of/));
    assert.equal(await chosen(), undefined);
    await choose("3");
    await choose("2");
    await choose(undefined);
    assert.equal(await chosen(), "2");
    assert.equal((await run(packages.listPackages, {})).packageSummaries?.[0]?.defaultVersionName, "2");
    const deleteVersion = () => run(packages.deletePackageVersion, { packageName: "app", versionName: "2" });
    await assert.rejects(deleteVersion(), fails("REQUEST_INVALID", /default/));
    await choose(undefined, true);
    assert.equal(await chosen(), undefined);
    await deleteVersion();
  });

  test("a package with versions is not deleted", async () => {
    const { run, packages, makeVersion } = await openPackagesWorld();
    await run(packages.createPackage, { packageName: "app" });
    await makeVersion("1");
    const deletePackage = () => run(packages.deletePackage, { packageName: "app" });
    await assert.rejects(deletePackage(), fails("REQUEST_INVALID", /has versions/));
    await run(packages.deletePackageVersion, { packageName: "app", versionName: "1" });
    await deletePackage();
  });

  test("an account has as many as AWS allows, unless quotas are off", async () => {
    const { run, packages, store } = await openPackagesWorld();
    await store.commit([{ key: packageKeys.totals(scope), value: { packages: packagesMax - 1, versions: 0 } }]);
    await run(packages.createPackage, { packageName: "last" });
    await assert.rejects(run(packages.createPackage, { packageName: "more" }), fails("QUOTA_EXCEEDED", /100/));
    const { packages: unlimited } = await openPackagesWorld({ isLimited: false });
    await run(unlimited.createPackage, { packageName: "more" });
  });
});

test("the configuration is off until somebody enables it with a role", async () => {
  const { run, packages } = await openPackagesWorld();
  const configured = async () => (await run(packages.getPackageConfiguration, {})).versionUpdateByJobsConfig;
  const update = (versionUpdateByJobsConfig?: { enabled?: boolean; roleArn?: string }) =>
    run(packages.updatePackageConfiguration, { versionUpdateByJobsConfig, clientToken: token(1) });
  assert.deepEqual(await configured(), { enabled: false });
  await assert.rejects(update({ enabled: true }), fails("REQUEST_INVALID", /roleArn is needed/));
  await update({ enabled: true, roleArn });
  assert.deepEqual(await configured(), { enabled: true, roleArn });
  await update({});
  await update();
  assert.deepEqual(await configured(), { enabled: true, roleArn });
  await update({ enabled: false });
  assert.deepEqual(await configured(), { enabled: false, roleArn });
  await update({ enabled: true });
  assert.deepEqual(await configured(), { enabled: true, roleArn });
});
