// The process is killed before each commit of a registration task; another one goes on with what is stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualRandom,
  type VirtualClock,
} from "@thingline/transport/virtual";
import { createMemoryBlobStore } from "../../store/blob-memory.js";
import type { BlobStore } from "../../store/blobs.js";
import { createMemoryStore } from "../../store/memory.js";
import type { Store } from "../../store/store.js";
import { createObjectsService } from "../objects/index.js";
import type { CertificateIssuer } from "../registry/index.js";
import { createRegistry } from "../registry/service.js";
import { openOperationRunner } from "../runner.js";
import { scope } from "../world.test.support.js";
import { createThingProvisioningService } from "./index.js";
import { registrationKeys, registrationsPerStepMax, reportsBucket, thingProvisioningName } from "./model.js";

const random = createVirtualRandom(3);
const keys = createVirtualKeys({ random });
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** A certificate for each request, without cryptography: its id is what tells whether one was issued twice. */
let issuedCount = 0;
const issue: CertificateIssuer["issueForRequest"] = ({ certificateSigningRequest, nowMs }) => {
  const certificateId = (++issuedCount).toString(16).padStart(64, "0");
  return Promise.resolve({
    certificateId,
    certificatePem: certificateSigningRequest,
    notBeforeMs: nowMs,
    notAfterMs: nowMs + 1,
  });
};
const issuer: CertificateIssuer = {
  issueForRequest: issue,
  issueForKey: () => Promise.reject(new Error("nobody asks for one")),
};
const registry = createRegistry({ issuer, parsePolicyDocument: JSON.parse, endpointAddress: () => undefined });
const endpoint = () => ({ scheme: "https", host: "localhost", port: 9_000 }) as const;
const objects = createObjectsService({
  keys,
  endpoint,
  signingKey: () => ({ accessKeyId: "a", secretAccessKey: "b" }),
});
const service = createThingProvisioningService({ registry, issuer, objects, log });
const provisioning = service.operations;

/** A store whose process is dead after so many commits: nothing that it is asked then is ever answered. */
function mortal(store: Store, commitsMax: number) {
  const counter = { commits: 0 };
  const commit: Store["commit"] = (operations) =>
    ++counter.commits > commitsMax ? new Promise(() => undefined) : store.commit(operations);
  return { store: Object.assign(Object.create(store) as Store, { commit }), counter };
}

async function open(store: Store, blobs: BlobStore, clock: VirtualClock) {
  const runner = await openOperationRunner({ store, blobs, clock, random, keys, log });
  await runner.start({
    wakeHandlers: new Map([[thingProvisioningName, service.wake ?? (quiet as never)]]),
    performer: {
      publish: async () => undefined,
      disconnect: async () => undefined,
      recheckPrincipal: async () => undefined,
    },
  });
  return runner;
}

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const lineCount = (isLong ? 20 : 2) * registrationsPerStepMax + 3;
/** With many lines, and so files of reports, every other place is cut; in a short run every third. */
const cutStep = isLong ? 2 : 3;
const template = JSON.stringify({
  Parameters: { Name: { Type: "String" }, CSR: { Type: "String" }, Group: { Type: "String", Default: "g" } },
  Resources: {
    thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "Name" }, ThingGroups: [{ Ref: "Group" }] } },
    certificate: { Type: "AWS::IoT::Certificate", Properties: { CertificateSigningRequest: { Ref: "CSR" } } },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: '{"Statement":[]}' } },
  },
});
/** Every fifth cannot be: for its name, or because its group is not there when its certificate is already. */
const isWrong = (line: number) => line % 5 === 0;
const lines = Array.from({ length: lineCount }, (_none, at) => {
  const line = at + 1;
  const parameters = { Name: `t${line}`, CSR: `csr-${line}` };
  if (!isWrong(line)) return JSON.stringify(parameters);
  return JSON.stringify({ ...parameters, ...(line % 2 === 0 ? { Name: "a b" } : { Group: "none" }) });
});
const registeredLines = lines.flatMap((_line, at) => (isWrong(at + 1) ? [] : [at + 1]));
const wrongLines = lines.flatMap((_line, at) => (isWrong(at + 1) ? [at + 1] : []));

async function prepare(store: Store, blobs: BlobStore, clock: VirtualClock): Promise<string> {
  const runner = await openOperationRunner({ store, blobs, clock, random, keys, log });
  await runner.run(scope, registry.createThingGroup, { thingGroupName: "g" });
  const { createBucket, putObject } = objects.operations;
  await runner.run(scope, createBucket, { bucket: "factory" });
  const chunks = [new TextEncoder().encode(lines.join("\n"))];
  await runner.run(scope, putObject, { bucket: "factory", key: "input", chunks });
  const roleArn = "arn:aws:iam::123456789012:role/bulk";
  const input = { templateBody: template, inputFileBucket: "factory", inputFileKey: "input", roleArn };
  const { taskId = "" } = await runner.run(scope, provisioning.startThingRegistrationTask, input);
  await runner.close();
  return taskId;
}

async function readReport(runner: Awaited<ReturnType<typeof open>>, taskId: string, type: "RESULTS" | "ERRORS") {
  const { resourceLinks = [] } = await runner.run(scope, provisioning.listThingRegistrationTaskReports, {
    taskId,
    reportType: type,
  });
  let text = "";
  for (const link of resourceLinks) {
    const key = new URL(link).pathname.slice(`/${reportsBucket}/`.length);
    const { chunks } = await runner.run(scope, objects.operations.readObject, { bucket: reportsBucket, key });
    for await (const chunk of chunks) text += new TextDecoder().decode(chunk);
  }
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { lineNumber: number; response?: { ResourceArns: Record<string, string> } });
}

/** @returns how many commits the process made that was to be killed */
async function runTask(commitsMax: number): Promise<number> {
  const store = createMemoryStore();
  const blobs = createMemoryBlobStore({ sha256: (bytes) => keys.sha256(bytes) });
  const clock = createVirtualClock();
  const taskId = await prepare(store, blobs, clock);
  const dying = mortal(store, commitsMax);
  await open(dying.store, blobs, clock);
  await clock.advance(0);
  const runner = await open(store, blobs, clock);
  await clock.advance(0);
  const cut = `killed before commit ${commitsMax + 1}`;
  const described = await runner.run(scope, provisioning.describeThingRegistrationTask, { taskId });
  const { status, successCount, failureCount } = described;
  assert.deepEqual([status, successCount, failureCount], ["Completed", registeredLines.length, wrongLines.length], cut);

  const results = await readReport(runner, taskId, "RESULTS");
  assert.deepEqual(
    results.map(({ lineNumber }) => lineNumber),
    registeredLines,
    cut,
  );
  assert.deepEqual(
    (await readReport(runner, taskId, "ERRORS")).map(({ lineNumber }) => lineNumber),
    wrongLines,
    cut,
  );
  // Each certificate that there is belongs to one thing and stands in the report, and there are no others.
  const certificates = await store.list([scope.account, scope.region, "certificate"], { limit: 10_000 });
  const arns = certificates.map(({ key }) => `arn:aws:iot:${scope.region}:${scope.account}:cert/${String(key[3])}`);
  assert.deepEqual(arns.sort(), results.map(({ response }) => response?.ResourceArns["certificate"]).sort(), cut);
  for (const { response } of results) {
    const thingName = response?.ResourceArns["thing"]?.split("/")[1] ?? "";
    const { principals = [] } = await runner.run(scope, registry.listThingPrincipals, { thingName });
    assert.deepEqual(principals, [response?.ResourceArns["certificate"]], cut);
  }
  assert.deepEqual(await store.list(registrationKeys.reportLines(scope, taskId, "RESULTS"), { limit: 1 }), []);
  assert.equal(await store.get(registrationKeys.running(scope)), undefined);
  await runner.close();
  return dying.counter.commits;
}

test("a registration task that is cut anywhere is finished by the next process, each line once", async (t) => {
  const commits = await runTask(Infinity);
  assert.ok(commits > (2 * lineCount) / registrationsPerStepMax, String(commits));
  for (let cut = 0; cut < commits; cut += cutStep) await runTask(cut);
  t.diagnostic(`${Math.ceil(commits / cutStep)} cut points`);
});
