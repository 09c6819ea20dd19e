import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { scope } from "../world.test.support.js";
import { packageAttributesBytesMax, packageKeys, packageVersionsMax } from "./model.js";
import { artifact, fails, openPackagesWorld } from "./packages-world.test.support.js";

const token = (digit: number) => `${digit}`.repeat(36);
const one = { packageName: "app", versionName: "1.0.0" };

async function openWorld() {
  const world = await openPackagesWorld();
  await world.run(world.packages.createPackage, { packageName: "app" });
  return world;
}

describe("versions of a package", () => {
  test("one is a draft with all that it was made with", async () => {
    const { run, packages, clock } = await openWorld();
    const createdAt = clock.unixMs() / 1_000;
    const content = { description: "the first", attributes: { url: "https://x", sig: "a b" } };
    const made = await run(packages.createPackageVersion, { ...one, ...content, artifact, recipe: '{"a":1}' });
    const packageVersionArn = "arn:aws:iot:us-east-1:123456789012:package/app/version/1.0.0";
    assert.deepEqual(made, { packageVersionArn, ...one, ...content, status: "DRAFT" });
    assert.deepEqual(await run(packages.getPackageVersion, one), {
      ...{ ...made, artifact, recipe: '{"a":1}' },
      ...{ creationDate: createdAt, lastModifiedDate: createdAt },
    });
    await run(packages.deletePackageVersion, one);
    await run(packages.deletePackageVersion, one);
    await assert.rejects(run(packages.getPackageVersion, one), fails("RESOURCE_NOT_FOUND"));
  });

  test("it needs its package, a name of its own, and an object that is there", async () => {
    const { run, packages } = await openWorld();
    const create = (more: object) => run(packages.createPackageVersion, { ...one, ...more });
    await assert.rejects(create({ packageName: "none" }), fails("REQUEST_INVALID", /none does not exist/));
    const places: [place: object, why: RegExp][] = [
      [{ key: "app.bin" }, /bucket must not be null/],
      [{ bucket: "firmware" }, /key must not be null/],
      [{ bucket: "firmware", key: "other.bin" }, /not accessible/],
      [{ bucket: "other-bucket", key: "app.bin" }, /not accessible/],
      [{ bucket: "firmware", key: "app.bin", version: "v2" }, /not accessible/],
    ];
    for (const [s3Location, why] of places) {
      await assert.rejects(create({ artifact: { s3Location } }), fails("REQUEST_INVALID", why));
    }
    await assert.rejects(create({ artifact: {} }), fails("REQUEST_INVALID", /bucket/));
    const request = { attributes: { a: "1", b: "2" }, artifact, clientToken: token(1) };
    const made = await create(request);
    assert.deepEqual(await create(request), made);
    for (const other of [{}, { ...request, clientToken: token(2) }, { ...request, attributes: { a: "1" } }]) {
      await assert.rejects(create(other), fails("RESOURCE_CONFLICT", /1\.0\.0 of package app already exists/));
    }
  });

  test("its attributes have 3 KB together", async () => {
    const { run, packages } = await openWorld();
    const attributes = { n: "ü".repeat(packageAttributesBytesMax / 2 - 1) + "x" };
    await run(packages.createPackageVersion, { ...one, attributes });
    const more = { n: `${attributes.n}x` };
    const create = run(packages.createPackageVersion, { packageName: "app", versionName: "2", attributes: more });
    await assert.rejects(create, fails("REQUEST_INVALID", /3073 bytes together, at most 3072/));
    const update = run(packages.updatePackageVersion, { ...one, attributes: more });
    await assert.rejects(update, fails("REQUEST_INVALID", /3073/));
  });

  test("what is published is fixed, but for its description and its recipe", async () => {
    const { run, packages } = await openWorld();
    await run(packages.createPackageVersion, { ...one, attributes: { a: "1" } });
    const update = (more: object) => run(packages.updatePackageVersion, { ...one, ...more });
    await update({ attributes: { a: "2" }, artifact, description: "d", recipe: "r" });
    await update({ action: "PUBLISH", attributes: { a: "3" } });
    for (const change of [{ attributes: { a: "4" } }, { artifact }, { action: "DEPRECATE", artifact }]) {
      await assert.rejects(update(change), fails("RESOURCE_CONFLICT", /cannot be changed: it is PUBLISHED/));
    }
    await update({ description: "e", recipe: "s" });
    const told = await run(packages.getPackageVersion, one);
    assert.deepEqual([told.attributes, told.artifact], [{ a: "3" }, artifact]);
    assert.deepEqual([told.description, told.recipe, told.status], ["e", "s", "PUBLISHED"]);
    await update({ action: "DEPRECATE" });
    await assert.rejects(update({ attributes: { a: "4" } }), fails("RESOURCE_CONFLICT", /DEPRECATED/));
  });

  test("it goes from draft to published to deprecated, and back to published", async () => {
    const { run, packages } = await openWorld();
    await run(packages.createPackageVersion, one);
    const act = async (action: "PUBLISH" | "DEPRECATE") => {
      await run(packages.updatePackageVersion, { ...one, action });
      return (await run(packages.getPackageVersion, one)).status;
    };
    await assert.rejects(act("DEPRECATE"), fails("RESOURCE_CONFLICT", /it is DRAFT/));
    assert.equal(await act("PUBLISH"), "PUBLISHED");
    await assert.rejects(act("PUBLISH"), fails("RESOURCE_CONFLICT", /it is PUBLISHED/));
    assert.equal(await act("DEPRECATE"), "DEPRECATED");
    await assert.rejects(act("DEPRECATE"), fails("RESOURCE_CONFLICT", /it is DEPRECATED/));
    assert.equal(await act("PUBLISH"), "PUBLISHED");
  });

  test("an update is done once for its token", async () => {
    const { run, packages } = await openWorld();
    await run(packages.createPackageVersion, one);
    const publish = { ...one, action: "PUBLISH", clientToken: token(1) } as const;
    await run(packages.updatePackageVersion, publish);
    await run(packages.updatePackageVersion, publish);
    await assert.rejects(
      run(packages.updatePackageVersion, { ...publish, clientToken: token(2) }),
      fails("RESOURCE_CONFLICT"),
    );
    // The token of another update is a mistake: what it asks for would be dropped in silence.
    for (const other of [{ description: "d" }, { action: undefined }]) {
      await assert.rejects(
        run(packages.updatePackageVersion, { ...publish, ...other }),
        fails("RESOURCE_CONFLICT", /clientToken was used before/),
      );
    }
  });

  test("they are listed by name, of one status, page by page", async () => {
    const { run, packages, makeVersion } = await openWorld();
    await makeVersion("3", "PUBLISHED");
    await makeVersion("1", "PUBLISHED");
    await makeVersion("2");
    const list = async (more: object) => {
      const { packageVersionSummaries = [], nextToken } = await run(packages.listPackageVersions, {
        packageName: "app",
        ...more,
      });
      return { names: packageVersionSummaries.map(({ versionName }) => versionName), nextToken };
    };
    assert.deepEqual((await list({})).names, ["1", "2", "3"]);
    assert.deepEqual((await list({ status: "DRAFT" })).names, ["2"]);
    const first = await list({ status: "PUBLISHED", maxResults: 1 });
    assert.deepEqual(first.names, ["1"]);
    const second = await list({ status: "PUBLISHED", maxResults: 1, nextToken: first.nextToken });
    assert.deepEqual(second, { names: ["3"], nextToken: undefined });
    await assert.rejects(list({ packageName: "none" }), fails("REQUEST_INVALID", /none does not exist/));
  });

  test("an account has as many as AWS allows", async () => {
    const { run, packages, store } = await openWorld();
    await store.commit([{ key: packageKeys.totals(scope), value: { packages: 1, versions: packageVersionsMax - 1 } }]);
    await run(packages.createPackageVersion, one);
    const more = { packageName: "app", versionName: "2" };
    await assert.rejects(run(packages.createPackageVersion, more), fails("QUOTA_EXCEEDED", /10000/));
    await run(packages.deletePackageVersion, one);
    await run(packages.createPackageVersion, more);
  });

  test("a package does not go while somebody makes a version of it, nor a version that becomes the default", async () => {
    const { run, packages, makeVersion } = await openWorld();
    await makeVersion("2", "PUBLISHED");
    await Promise.allSettled([
      run(packages.updatePackage, { packageName: "app", defaultVersionName: "2" }),
      run(packages.deletePackageVersion, { packageName: "app", versionName: "2" }),
    ]);
    const { defaultVersionName } = await run(packages.getPackage, { packageName: "app" });
    const { packageVersionSummaries = [] } = await run(packages.listPackageVersions, { packageName: "app" });
    assert.equal(defaultVersionName, packageVersionSummaries[0]?.versionName);
    await run(packages.updatePackage, { packageName: "app", unsetDefaultVersion: true });
    await run(packages.deletePackageVersion, { packageName: "app", versionName: "2" });
    const made = Promise.allSettled([
      run(packages.createPackageVersion, one),
      run(packages.deletePackage, { packageName: "app" }),
    ]);
    assert.equal((await made).filter(({ status }) => status === "fulfilled").length, 1);
  });
});
