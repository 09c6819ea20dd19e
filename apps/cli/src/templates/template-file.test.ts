import assert from "node:assert/strict";
import { test } from "node:test";
import { createNodeFiles } from "@thingline/transport/node";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../failure.js";
import { hookArn, readTemplateFile, roleArn, templateFileBytesMax } from "./template-file.js";

const local = { aws: false, account: "123456789012", region: "eu-west-1" };
const aws = { aws: true, account: undefined, region: "eu-west-1" };

test("roles and hooks need no ARN at the local cloud, and one on AWS", () => {
  assert.equal(roleArn(undefined, local), "arn:aws:iam::123456789012:role/thingline-provisioning");
  assert.equal(roleArn("arn:aws:iam::1:role/x", aws), "arn:aws:iam::1:role/x");
  assert.throws(() => roleArn(undefined, aws), UsageError);
  assert.equal(hookArn("may-provision", local), "arn:aws:lambda:eu-west-1:123456789012:function:may-provision");
  assert.equal(hookArn("arn:aws:lambda:x", local), "arn:aws:lambda:x");
  assert.throws(() => hookArn("may-provision", aws), UsageError);
  assert.throws(() => hookArn("no name", local), UsageError);
});

test(`a template's file has at most ${templateFileBytesMax} bytes`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-template-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "t.json");
  const read = () => readTemplateFile(createNodeFiles(), file, new AbortController().signal);
  await writeFile(file, "x".repeat(templateFileBytesMax));
  assert.equal((await read()).length, templateFileBytesMax);
  await writeFile(file, "x".repeat(templateFileBytesMax + 1));
  await assert.rejects(read(), { code: "FILE_TOO_LARGE" });
});
