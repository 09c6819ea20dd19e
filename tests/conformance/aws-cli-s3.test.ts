// The AWS CLI's S3 commands, unmodified, against the objects of `thingline cloud start`.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { missing, start, startLocalCloud } from "./local-cloud.test.support.js";

const skip = missing("aws", "awscli");
const content = Uint8Array.from({ length: 300_000 }, (_none, at) => (at * 31) & 0xff);

test("aws s3: a bucket is made, files go there and back, and come in lists", { skip }, async (t) => {
  const cloud = await startLocalCloud(t);
  const aws = cliOf(cloud.api, cloud.folder);
  const file = join(cloud.folder, "app.bin");
  const folder = join(cloud.folder, "images");
  await writeFile(file, content);
  await mkdir(folder);
  await Promise.all(["one", "two"].map((name) => writeFile(join(folder, name), name)));

  assert.match(await aws.fails(t, "s3", "cp", file, "s3://firmware/app.bin"), /\(NoSuchBucket\)/);
  await aws.ok(t, "s3", "mb", "s3://firmware");
  await Promise.all([
    aws.ok(t, "s3", "cp", file, "s3://firmware/pump/app v1.bin"),
    aws.ok(t, "s3", "sync", folder, "s3://firmware/images"),
  ]);
  const back = join(cloud.folder, "back.bin");
  const [listed, below, all] = await Promise.all([
    aws.ok(t, "s3", "ls", "s3://firmware"),
    aws.ok(t, "s3", "ls", "s3://firmware/pump/"),
    aws.ok(t, "s3", "ls"),
    aws.ok(t, "s3", "cp", "s3://firmware/pump/app v1.bin", back),
  ]);
  assert.match(listed, /PRE images\/\s+PRE pump\//);
  assert.match(below, /\s300000 app v1\.bin$/m);
  assert.match(all, / firmware$/m);
  assert.equal((await readFile(back)).compare(content), 0);

  await aws.ok(t, "s3", "mv", "s3://firmware/pump/app v1.bin", "s3://firmware/moved.bin");
  assert.match(await aws.ok(t, "s3", "ls", "s3://firmware"), /\s300000 moved\.bin$/m);

  const url = (await aws.ok(t, "s3", "presign", "s3://firmware/images/one", "--expires-in", "60")).trim();
  const [fetched, versions, missingKey, multipart] = await Promise.all([
    fetch(url).then((answer) => answer.text()),
    aws.ok(t, "s3api", "put-bucket-versioning", "--bucket", "firmware", "--versioning-configuration", "Status=Enabled"),
    aws.fails(t, "s3api", "get-object", "--bucket", "firmware", "--key", "none", back),
    aws.fails(t, "s3api", "create-multipart-upload", "--bucket", "firmware", "--key", "large"),
  ]);
  assert.deepEqual([fetched, versions], ["one", ""]);
  assert.match(missingKey, /\(NoSuchKey\) when calling the GetObject operation: The specified key does not exist\./);
  assert.match(multipart, /\(NotImplemented\).*multipart uploads of S3: send the object in one PUT/);
  await aws.ok(t, "s3", "rm", "--recursive", "s3://firmware/images");
  assert.match(await aws.fails(t, "s3", "rb", "s3://firmware"), /\(BucketNotEmpty\)/);
});

function cliOf(api: string, home: string) {
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", HOME: home, LC_ALL: "C.UTF-8", AWS_DEFAULT_REGION: "eu-central-1" },
    ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_PAGER: "" },
  };
  const run = (t: TestContext, words: readonly string[]) =>
    start(t, "aws", ["--endpoint-url", api, ...words], { env }).ended;
  return {
    /** What it printed. */
    async ok(t: TestContext, ...words: string[]): Promise<string> {
      const { code, output } = await run(t, words);
      assert.equal(code, 0, `${words.join(" ")}: ${output}`);
      return output;
    },
    /** What it said about a refusal. */
    async fails(t: TestContext, ...words: string[]): Promise<string> {
      const { code, output } = await run(t, words);
      assert.notEqual(code, 0, `${words.join(" ")}: ${output}`);
      return output;
    },
  };
}
