// `thingline fota`, as people and programs run it, against a running local cloud. The devices are AWS's own client of the jobs data plane.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  DescribeJobCommand,
  DescribeJobExecutionCommand,
  GetJobDocumentCommand,
  IoTClient,
  ListJobsCommand,
  ListThingPrincipalsCommand,
} from "@aws-sdk/client-iot";
import {
  DescribeJobExecutionCommand as AskForJob,
  IoTJobsDataPlaneClient,
  UpdateJobExecutionCommand,
  type JobExecutionStatus,
} from "@aws-sdk/client-iot-jobs-data-plane";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { formatVersion, parseVersion, signImage, sourceOf, verifyImage } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { eventsOf, runCommandLine, startThingline } from "./cli-process.test.support.js";

const crypto = createNodeImageCrypto();
let cloud: StartedCloud;
let iot: IoTClient;
let devices: IoTJobsDataPlaneClient;
let dataDir: string;
let keyFile: string;
let keyPem: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
  cloud = await startCloud({ dataDir, ...ports, limits: "none", keyPoolSize: 0 });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const place = { endpoint: cloud.addresses.api, region: "us-east-1", credentials };
  iot = new IoTClient(place);
  devices = new IoTJobsDataPlaneClient(place);
  keyFile = join(dataDir, "key.pem");
  keyPem = (await crypto.generateKey("ecdsa-p256")).privateKeyPem;
  await writeFile(keyFile, keyPem);
});

after(async () => {
  iot?.destroy();
  devices?.destroy();
  await cloud?.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** A signed image of a few kilobytes. */
async function makeImage(version: string, { securityCounter }: { securityCounter?: number } = {}) {
  const payload = new Uint8Array(4_096).fill(version.length);
  const parsed = parseVersion(version);
  assert.ok(parsed);
  const image = await signImage(payload, {
    ...{ crypto, privateKeyPem: keyPem, version: parsed, headerBytes: 512, padsHeader: true, securityCounter },
  });
  const path = join(dataDir, `app-${version}.bin`);
  await writeFile(path, image);
  return { path, image };
}

async function makeThings(...names: string[]) {
  for (const thingName of names) {
    await iot.send(new CreateThingCommand({ thingName }));
    const { certificateArn = "" } = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
    await iot.send(new AttachThingPrincipalCommand({ thingName, principal: certificateArn }));
  }
}

async function fota(...args: string[]) {
  const finished = await runCommandLine({ words: ["fota", ...args, "--data-dir", dataDir, "--json"] });
  return { ...finished, events: eventsOf(finished) };
}

async function deploy(image: string, ...args: string[]) {
  const { events, code, stderr } = await fota("deploy", image, "--key", keyFile, ...args);
  assert.equal(code, 0, stderr);
  const deployed = events.find(({ event }) => event === "fotaDeployed");
  return { ...deployed, jobId: String(deployed?.["jobId"]) };
}

/** What a device says of its update. */
function report(thingName: string, jobId: string, status: JobExecutionStatus, statusDetails: Record<string, string>) {
  return devices.send(new UpdateJobExecutionCommand({ thingName, jobId, status, statusDetails }));
}

const confirmed = (version: string) => ({ phase: "confirmed", progress: "100", versionRunning: version });

/** As devices fetch it: over HTTPS, trusting the cloud's CA. */
function download(url: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    request(url, { ca: cloud.caPem }, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`${response.statusCode}: ${Buffer.concat(chunks).toString()}`));
      });
    })
      .on("error", reject)
      .end();
  });
}

async function documentFor(thingName: string, jobId: string) {
  const { execution } = await devices.send(new AskForJob({ thingName, jobId }));
  return JSON.parse(execution?.jobDocument ?? "{}") as {
    operation: string;
    fwversion: string;
    size: number;
    location: Record<"protocol" | "host" | "path" | "url", string>;
  };
}

test("an image is deployed, watched to its end, and the URL that devices get gives its bytes", async (t) => {
  const { path, image } = await makeImage("1.2.3+4");
  await makeThings("watched-1", "watched-2");
  const { jobId, ...deployed } = await deploy(
    path,
    ...["--things", "watched-1", "watched-2", "--rate", "50", "--abort-above", "60", "--abort-after", "2"],
    ...["--timeout", "15", "--retries", "0"],
  );
  assert.equal(deployed["version" as never], "1.2.3+4");
  const { job } = await iot.send(new DescribeJobCommand({ jobId }));
  assert.equal(job?.jobExecutionsRolloutConfig?.maximumPerMinute, 50);
  assert.equal(job.timeoutConfig?.inProgressTimeoutInMinutes, 15);
  assert.deepEqual(job.abortConfig?.criteriaList, [
    { failureType: "ALL", action: "CANCEL", thresholdPercentage: 60, minNumberOfExecutedThings: 2 },
  ]);
  const { location, ...document } = await documentFor("watched-1", jobId);
  const { operation, fwversion, size } = document;
  assert.deepEqual(
    { operation, fwversion, size },
    { operation: "app_fw_update", fwversion: "1.2.3+4", size: image.length },
  );
  assert.deepEqual(await download(location.url), Buffer.from(image));
  const plain = `${location.protocol}//${location.host}/${location.path}`;
  assert.equal(location.url.split("?")[0], plain, "what older devices read is the same place");

  const watching = startThingline(
    t,
    "fota",
    "status",
    jobId,
    "--watch",
    "--interval",
    "0.05",
    "--data-dir",
    dataDir,
    "--json",
  );
  const ended = once(watching.child, "close");
  const seen = (thingName: string, fits: Record<string, unknown>) =>
    watching.event((event) => {
      const isOf = event.event === "fotaDevice" && event["thingName"] === thingName;
      return isOf && Object.entries(fits).every(([name, value]) => event[name] === value);
    });
  await seen("watched-1", { status: "QUEUED", phase: null });
  const half = { phase: "downloading", progress: "50", versionRunning: "1.2.2+0" };
  await report("watched-1", jobId, "IN_PROGRESS", half);
  await seen("watched-1", { status: "IN_PROGRESS", phase: "downloading", progress: 50, versionRunning: "1.2.2+0" });
  await report("watched-1", jobId, "SUCCEEDED", confirmed("1.2.3+4"));
  await seen("watched-1", { status: "SUCCEEDED", phase: "confirmed", versionRunning: "1.2.3+4" });
  const failure = { phase: "booted", reason: "healthCheckFailed", message: "no answer", versionRunning: "1.2.2+0" };
  await report("watched-2", jobId, "FAILED", failure);
  await seen("watched-2", { status: "FAILED", reason: "healthCheckFailed", message: "no answer" });
  const over = await watching.event(({ event, status }) => event === "fotaJob" && status === "COMPLETED");
  assert.equal((over["counts"] as Record<string, number>)["numberOfFailedThings"], 1);
  const [code] = (await ended) as [number];
  assert.equal(code, 1, "one device has failed");

  const people = await runCommandLine({ words: ["fota", "status", jobId, "--data-dir", dataDir] });
  const [head, counts, columns, ...rows] = people.stdout.trimEnd().split("\n");
  assert.equal(head, `${jobId} to version 1.2.3+4, completed`);
  assert.equal(counts, "  1 succeeded, 1 failed");
  assert.match(columns ?? "", /^device +running +phase +since$/);
  assert.match(rows[0] ?? "", /^watched-2 +1\.2\.2 +failed: healthCheckFailed +\d+ s *$/);
  assert.equal(rows[1], "  no answer");
  assert.match(rows[2] ?? "", /^watched-1 +1\.2\.3\+4 +confirmed +\d+ s +█{16} 100 %$/);
});

test("updates are listed, the newest first, with whom they are for and what came of them", async () => {
  await makeThings("listed-1", "listed-2");
  const { path } = await makeImage("1.9.0+0");
  const { jobId } = await deploy(path, "--things", "listed-1", "listed-2");
  await report("listed-1", jobId, "SUCCEEDED", confirmed("1.9.0+0"));
  const { events, code } = await fota("list");
  assert.equal(code, 0);
  assert.ok(events.length > 1 && events.every(({ event }) => event === "fotaUpdate"));
  const listed = events.find((event) => event["jobId"] === jobId);
  assert.deepEqual(
    [listed?.["status"], listed?.["versionWanted"], listed?.["isContinuous"]],
    ["IN_PROGRESS", "1.9.0+0", false],
  );
  const targets = listed?.["targets"] as string[];
  assert.deepEqual(targets.map((arn) => arn.split("/")[1]).sort(), ["listed-1", "listed-2"]);
  const { numberOfSucceededThings, numberOfQueuedThings } = listed?.["counts"] as Record<string, number>;
  assert.deepEqual([numberOfSucceededThings, numberOfQueuedThings], [1, 1]);
  const times = events.map((event) => Date.parse(String(event["createdAt"])));
  assert.deepEqual(
    times,
    [...times].sort((left, right) => right - left),
  );

  assert.equal((await fota("list", "--limit", "1")).events.length, 1);
  const people = await runCommandLine({ words: ["fota", "list", "--data-dir", dataDir] });
  const lines = people.stdout.split("\n");
  const at = lines.findIndex((line) => line.startsWith(`${jobId} `));
  assert.match(lines[at] ?? "", /^\S+ to version 1\.9\.0, in progress, \d+ s ago$/);
  assert.match(lines[at + 1] ?? "", /^ {2}\S+ to things listed-1, listed-2: 1 succeeded, 1 waiting$/);
});

test("what a device would refuse is not deployed", async () => {
  const { path, image } = await makeImage("2.0.0+0");
  await makeThings("careful");
  const otherKey = join(dataDir, "other.pem");
  await writeFile(otherKey, (await crypto.generateKey("ecdsa-p256")).publicKeyPem);
  const damaged = join(dataDir, "damaged.bin");
  await writeFile(damaged, image.with(700, 1 ^ (image[700] ?? 0)));
  const noise = join(dataDir, "noise.bin");
  await writeFile(noise, new Uint8Array(100).fill(7));
  const jobCount = async () => (await iot.send(new ListJobsCommand({}))).jobs?.length;
  const jobsBefore = await jobCount();
  const refusals: [args: string[], code: string, reason: string | undefined][] = [
    [[path, "--key", otherKey, "--things", "careful"], "IMAGE_INVALID", "KEY_UNKNOWN"],
    [[damaged, "--things", "careful"], "IMAGE_INVALID", "HASH_MISMATCH"],
    [[noise, "--things", "careful"], "IMAGE_INVALID", "MAGIC_INVALID"],
    [[noise, "--unchecked", "--things", "careful"], "USAGE", undefined],
    [[path, "--things", "nobody"], "ResourceNotFoundException", undefined],
    [[path], "USAGE", undefined],
    [[path, "--things", "careful", "--group", "g"], "USAGE", undefined],
    [[join(dataDir, "none.bin"), "--things", "careful"], "FILE_NOT_FOUND", undefined],
  ];
  for (const [args, code, reason] of refusals) {
    const { events, code: exitCode } = await fota("deploy", ...args);
    const error = events.at(-1);
    assert.equal(error?.["code"], code, JSON.stringify([args, error]));
    const details = error["details"] as { reason?: string } | undefined;
    if (reason !== undefined) assert.equal(details?.reason, reason);
    assert.equal(exitCode, code === "USAGE" ? 2 : 1);
  }
  assert.equal(await jobCount(), jobsBefore);
});

test("an update for a group without things is deployed with a warning, and is over", async () => {
  const { path } = await makeImage("2.1.0+0");
  await iot.send(new CreateThingGroupCommand({ thingGroupName: "deserted" }));
  const words = ["deploy", path, "--key", keyFile, "--group", "deserted"];
  const isWarned = ({ events }: Awaited<ReturnType<typeof fota>>) => events.some(({ code }) => code === "GROUP_EMPTY");
  const once = await fota(...words);
  assert.deepEqual([once.code, isWarned(once)], [0, true], once.stderr);
  assert.equal(isWarned(await fota(...words, "--continuous")), false, "others may join");
  const jobId = once.events.find(({ event }) => event === "fotaDeployed")?.["jobId"];
  const watched = await runCommandLine({ words: ["fota", "status", String(jobId), "--watch", "--data-dir", dataDir] });
  assert.equal(watched.stdout, `${String(jobId)}  completed: no devices\n`);
});

test("an update is canceled, and devices that have begun go on unless that is forced", async () => {
  const { path } = await makeImage("3.0.0+0");
  await makeThings("begun", "waits");
  const { jobId } = await deploy(path, "--things", "begun", "waits");
  await report("begun", jobId, "IN_PROGRESS", { phase: "downloading", versionRunning: "1.0.0+0" });
  const canceled = await fota("cancel", jobId);
  assert.deepEqual(canceled.events, [{ event: "fotaCanceled", jobId, force: false, stillInProgress: 1 }]);
  const statusOf = async (thingName: string) =>
    (await iot.send(new DescribeJobExecutionCommand({ jobId, thingName }))).execution?.status;
  assert.deepEqual([await statusOf("begun"), await statusOf("waits")], ["IN_PROGRESS", "CANCELED"]);

  // The device never comes back: it was left behind.
  const healthy = await fota("doctor", jobId);
  assert.deepEqual([healthy.code, healthy.events[0]?.event], [0, "fotaHealthy"], "it may still finish");
  const found = await fota("doctor", jobId, "--stale", "0.0001");
  assert.deepEqual([found.code, found.events[0]?.["problem"]], [1, "leftBehind"]);
  const repaired = await fota("doctor", jobId, "--stale", "0.0001", "--repair");
  assert.deepEqual([repaired.code, repaired.events.at(-1)?.event], [0, "fotaRepaired"]);
  assert.equal(await statusOf("begun"), "CANCELED");

  const forced = await deploy(path, "--things", "begun");
  await report("begun", forced.jobId, "IN_PROGRESS", {});
  await fota("cancel", forced.jobId, "--force");
  const { execution } = await iot.send(new DescribeJobExecutionCommand({ jobId: forced.jobId, thingName: "begun" }));
  assert.equal(execution?.status, "CANCELED");
});

test("the doctor finds updates that nobody works on, says why, frees the device and tries once more", async () => {
  const { path } = await makeImage("4.0.0+0");
  await makeThings("silent", "off");
  await iot.send(new CreateThingCommand({ thingName: "bare" }));
  const first = await deploy(path, "--things", "silent", "off", "bare");
  const details = { phase: "rebooting", versionRunning: "3.0.0+0" };
  await report("silent", first.jobId, "IN_PROGRESS", details);
  const behind = await deploy(path, "--things", "silent");
  const problems = async (jobId: string, ...args: string[]) => {
    const { events, code, stderr } = await fota("doctor", jobId, "--stale", "0.0001", ...args);
    const stuck = events.filter(({ event }) => event === "fotaStuck");
    return { events, code, stderr, stuck: stuck.map((one) => [one["thingName"], one["problem"], one["canRepair"]]) };
  };
  const found = await problems(first.jobId);
  assert.equal(found.code, 1);
  assert.deepEqual(found.stuck, [
    ["bare", "noCredentials", true],
    ["off", "notFetched", false],
    ["silent", "silent", true],
  ]);
  const why = found.events.find((event) => event["thingName"] === "silent")?.["why"];
  assert.match(String(why), /^nothing for \d+ s, while rebooting$/);
  assert.deepEqual((await problems(behind.jobId)).stuck, [["silent", "behindStuck", true]]);

  const repaired = await problems(first.jobId, "--repair", "--retry");
  assert.equal(repaired.code, 1, "nobody but its owner can switch a device on");
  const retried = repaired.events.at(-1);
  assert.deepEqual([retried?.event, retried?.["things"]], ["fotaRetried", 1], repaired.stderr);
  const { execution } = await iot.send(new DescribeJobExecutionCommand({ jobId: first.jobId, thingName: "silent" }));
  assert.equal(execution?.status, "CANCELED");
  assert.deepEqual(execution.statusDetails?.detailsMap, { ...details, reason: "givenUpByOperator" });
  const again = await iot.send(new GetJobDocumentCommand({ jobId: String(retried?.["jobId"]) }));
  const before = await iot.send(new GetJobDocumentCommand({ jobId: first.jobId }));
  assert.equal(again.document, before.document);
});

/** Two devices that took 5.0.0 and then 5.1.0, one that took only the latter. */
async function twoUpdates(prefix: string, { counters = [] }: { counters?: number[] } = {}) {
  const names = [`${prefix}-1`, `${prefix}-2`];
  await makeThings(...names, `${prefix}-new`);
  const [old, newer] = await Promise.all(
    ["5.0.0+1", "5.1.0+1"].map((version, at) => {
      const securityCounter = counters[at];
      return makeImage(version, securityCounter === undefined ? {} : { securityCounter });
    }),
  );
  const first = await deploy(old?.path ?? "", "--things", ...names, "--job", `${prefix}-first`);
  for (const name of names) await report(name, first.jobId, "SUCCEEDED", confirmed("5.0.0+1"));
  const second = await deploy(newer?.path ?? "", "--things", ...names, `${prefix}-new`, "--job", `${prefix}-second`);
  for (const name of [...names, `${prefix}-new`]) await report(name, second.jobId, "SUCCEEDED", confirmed("5.1.0+1"));
  return { names, first, second };
}

test("a rollback that a bootloader may refuse creates no job, and lists who would", async () => {
  const { second, names } = await twoUpdates("kept");
  const third = await deploy((await makeImage("5.2.0+0")).path, "--things", names[0] ?? "");
  const waits = (await fota("status", third.jobId)).events.find(({ event }) => event === "fotaDevice");
  assert.deepEqual([waits?.["versionRunning"], waits?.["versionBefore"]], [null, "5.1.0+1"]);
  await fota("cancel", third.jobId);
  const jobsBefore = (await iot.send(new ListJobsCommand({}))).jobs?.length;
  const { events, code } = await fota("rollback", second.jobId);
  assert.equal(code, 1);
  const verdicts = events.filter(({ event }) => event === "fotaRollbackDevice");
  assert.deepEqual(
    verdicts.map(({ thingName, verdict, versionRunning, versionBefore }) => [
      thingName,
      verdict,
      versionRunning,
      versionBefore,
    ]),
    [
      [names[0], "refused", "5.1.0+1", "5.0.0+1"],
      [names[1], "refused", "5.1.0+1", "5.0.0+1"],
      ["kept-new", "skipped", "5.1.0+1", null],
    ],
  );
  assert.match(String(verdicts[0]?.["why"]), /the image is 5\.0\.0\+1, older than 5\.1\.0\+1, which runs/);
  assert.match(String(verdicts[2]?.["why"]), /no update before this one is known/);
  assert.match(String(events.at(-1)?.["hint"]), /--key FILE/);
  assert.equal((await iot.send(new ListJobsCommand({}))).jobs?.length, jobsBefore);
});

test("where the bootloader compares nothing, everyone who took it goes back to the very image before", async () => {
  const { first, second, names } = await twoUpdates("back");
  const dry = await fota("rollback", second.jobId, "--bootloader", "none", "--dry-run");
  assert.equal(dry.code, 0);
  assert.ok(!dry.events.some(({ event }) => event === "fotaRolledBack"));
  const { events, code, stderr } = await fota("rollback", second.jobId, "--bootloader", "none");
  assert.equal(code, 0, stderr);
  const done = events.at(-1);
  assert.deepEqual([done?.event, done?.["things"], done?.["version"]], ["fotaRolledBack", 2, "5.0.0+1"]);
  const jobId = String(done?.["jobId"]);
  const documents = await Promise.all(
    [jobId, first.jobId].map(async (id) => (await iot.send(new GetJobDocumentCommand({ jobId: id }))).document),
  );
  assert.equal(documents[0], documents[1]);
  for (const name of names) await report(name, jobId, "SUCCEEDED", confirmed("5.0.0+1"));
  const again = await fota("rollback", second.jobId, "--bootloader", "none");
  assert.equal(again.code, 1, "they have gone back already");
  assert.match(String(again.events[0]?.["why"]), /has had the update of job rollback-/);
  const unnamed = await fota("rollback", "--bootloader", "none");
  assert.equal(unnamed.events[0]?.["jobId"], second.jobId, "the newest update, and not the way back from it");
});

test("with a key the old image is signed again above what runs, its security counter too", async () => {
  const { second, names } = await twoUpdates("again", { counters: [3, 9] });
  const stranger = join(dataDir, "stranger.pem");
  await writeFile(stranger, (await crypto.generateKey("ecdsa-p256")).privateKeyPem);
  const refused = await fota("rollback", second.jobId, "--key", stranger);
  assert.deepEqual([refused.code, refused.events.at(-1)?.["details"]], [1, { reason: "KEY_UNKNOWN" }]);
  assert.ok(!refused.events.some(({ event }) => event === "fotaRolledBack"), "it would have had to fail");

  const { events, code, stderr } = await fota("rollback", second.jobId, "--key", keyFile);
  assert.equal(code, 0, stderr);
  const done = events.at(-1);
  assert.deepEqual([done?.event, done?.["version"], done?.["things"]], ["fotaRolledBack", "5.1.1+0", 2]);
  const { location } = await documentFor(names[0] ?? "", String(done?.["jobId"]));
  const image = await download(location.url);
  const verdict = await verifyImage(sourceOf(image), { crypto, keys: [crypto.publicKeyOf(keyPem)] });
  assert.ok(verdict.isAccepted);
  assert.equal(formatVersion(verdict.image.header.version), "5.1.1+0");
  assert.equal(verdict.image.securityCounter, 9);
  const old = await readFile(join(dataDir, "app-5.0.0+1.bin"));
  const { headerBytes, payloadBytes } = verdict.image.header;
  const payloadOf = (bytes: Uint8Array) => Buffer.from(bytes.subarray(headerBytes, headerBytes + payloadBytes));
  assert.deepEqual(payloadOf(image), payloadOf(old));
});

test("on a real account the bucket is named, and a role signs URLs, or the image is anybody's", async () => {
  const { path, image } = await makeImage("6.0.0+0");
  await makeThings("far");
  const env = {
    AWS_ENDPOINT_URL: cloud.addresses.api,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
  const onAws = async (...args: string[]) => {
    const words = ["fota", "deploy", path, "--key", keyFile, "--things", "far", "--aws", ...args, "--json"];
    const finished = await runCommandLine({ words, env });
    return { ...finished, events: eventsOf(finished) };
  };
  assert.equal((await onAws()).code, 2);
  const missing = await onAws("--bucket", "no-such-bucket");
  assert.equal(missing.code, 1);
  const open = await onAws("--bucket", "thingline-firmware");
  assert.equal(open.code, 0, open.stderr);
  assert.ok(open.events.some(({ event, code }) => event === "warning" && code === "URL_UNSIGNED"));
  const role = "arn:aws:iam::123456789012:role/firmware";
  const signed = await onAws("--bucket", "thingline-firmware", "--role-arn", role);
  assert.equal(signed.code, 0, signed.stderr);
  const jobId = String(signed.events.at(-1)?.["jobId"]);
  const { job } = await iot.send(new DescribeJobCommand({ jobId }));
  assert.equal(job?.presignedUrlConfig?.roleArn, role);
  const { location } = await documentFor("far", jobId);
  assert.equal(location.host, "thingline-firmware.s3.us-east-1.amazonaws.com");
  assert.deepEqual(await download(location.url), Buffer.from(image));
});

// What stands beside updates is tried in the same process: it costs no further one.

const thingline = async (...words: string[]) => {
  const finished = await runCommandLine({ words: [...words, "--data-dir", dataDir, "--json"] });
  return { ...finished, events: eventsOf(finished) };
};

test("what is deployed is a version of a package, made and published by itself", async () => {
  const { path } = await makeImage("7.1.0");
  await makeThings("packed");
  const { jobId, packageVersionArn } = (await deploy(path, "--things", "packed", "--package", "app")) as {
    jobId: string;
    packageVersionArn?: unknown;
  };
  const arn = "arn:aws:iot:us-east-1:123456789012:package/app/version/7.1.0";
  assert.equal(packageVersionArn, arn);
  const { job } = await iot.send(new DescribeJobCommand({ jobId }));
  assert.deepEqual(job?.destinationPackageVersions, [arn]);
  const shown = await thingline("package", "show", "app:7.1.0");
  assert.deepEqual([shown.events[0]?.["status"], shown.code], ["PUBLISHED", 0]);
  // The same image again is the same version; another one is not.
  await deploy(path, "--things", "packed", "--package", "app");
  const { path: other } = await makeImage("7.2.0");
  const refused = await fota("deploy", other, "--key", keyFile, "--things", "packed", "--package", "app:7.1.0");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /is there already, with the artifact/);
  const wrong = await fota("deploy", other, "--key", keyFile, "--things", "packed", "--package", "a b");
  assert.match(wrong.stderr, /NAME or NAME:VERSION/);
});

test("packages are made with a file, listed, published, deprecated and deleted", async () => {
  const file = join(dataDir, "driver.bin");
  await writeFile(file, "driver");
  const made = await thingline("package", "create", "driver:1", "--from", file, "--attribute", "os=zephyr");
  assert.deepEqual([made.code, made.events[0]?.["status"]], [0, "DRAFT"], made.stderr);
  const { events } = await thingline("package", "show", "driver:1");
  const { artifact, attributes } = events[0] as { artifact?: { key: string }; attributes?: unknown };
  assert.match(artifact?.key ?? "", /^packages\/[0-9a-f]{16}\/driver\.bin$/);
  assert.deepEqual(attributes, { os: "zephyr" });
  assert.equal((await thingline("package", "publish", "driver:1")).code, 0);
  assert.equal((await thingline("package", "create", "driver:2", "--default")).code, 0);
  assert.equal((await thingline("package", "deprecate", "driver:1")).code, 0);
  const versions = await thingline("package", "list", "driver");
  assert.deepEqual(
    versions.events.map(({ versionName, status }) => [versionName, status]),
    [
      ["1", "DEPRECATED"],
      ["2", "PUBLISHED"],
    ],
  );
  const listed = await thingline("package", "list");
  assert.ok(
    listed.events.some(({ packageName, defaultVersionName }) => packageName === "driver" && defaultVersionName === "2"),
  );
  const twice = await thingline("package", "publish", "driver:2");
  assert.deepEqual([twice.code, /it is PUBLISHED/.test(twice.stderr)], [1, true]);
  assert.equal((await thingline("package", "delete", "driver")).code, 0);
  assert.equal((await thingline("package", "show", "driver:1")).code, 1);
  assert.equal((await thingline("package", "show", "driver")).code, 2);
  assert.equal((await thingline("package", "create", "driver", "--publish")).code, 2);
});

test("a role alias is made, and a device's folder gets credentials as the AWS CLI takes them", async () => {
  const roleArn = "arn:aws:iam::123456789012:role/logs";
  const folder = join(dataDir, "logger");
  assert.equal((await thingline("thing", "create", "logger", "--out", folder)).code, 0);
  const made = await thingline("role-alias", "create", "logs", "--role-arn", roleArn);
  assert.equal(made.code, 0, made.stderr);
  const ask = (...more: string[]) =>
    runCommandLine({
      words: ["device", "credentials", "--from", folder, "--role-alias", "logs", "--data-dir", dataDir, ...more],
    });
  const denied = await ask();
  assert.deepEqual([denied.code, /403: Access Denied/.test(denied.stderr)], [1, true]);
  assert.match(denied.stderr, /has to allow iot:AssumeRoleWithCertificate/);
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:AssumeRoleWithCertificate", Resource: made.events[0]?.["roleAliasArn"] },
    ],
  });
  await iot.send(new CreatePolicyCommand({ policyName: "assume-logs", policyDocument }));
  const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName: "logger" }));
  await iot.send(new AttachPolicyCommand({ policyName: "assume-logs", target: principals[0] }));
  const given = await ask("--thing", "logger");
  assert.equal(given.code, 0, given.stderr);
  const { Version, AccessKeyId, ...rest } = JSON.parse(given.stdout) as Record<string, unknown>;
  assert.deepEqual([Version, Object.keys(rest)], [1, ["SecretAccessKey", "SessionToken", "Expiration"]]);
  assert.match(String(AccessKeyId), /^ASIA/);
  assert.equal((await thingline("role-alias", "update", "logs", "--duration", "900")).code, 0);
  const shown = await thingline("role-alias", "show", "logs");
  assert.equal(shown.events[0]?.["credentialDurationSeconds"], 900);
  assert.deepEqual((await thingline("role-alias", "list")).events, [{ event: "roleAlias", roleAlias: "logs" }]);
  assert.equal((await thingline("role-alias", "delete", "logs")).code, 0);
  assert.equal((await thingline("role-alias", "delete", "logs")).code, 1);
});
