// `thingline cert`, as people and programs run it, against a running local cloud, and with `--aws` against the same REST face.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  DescribeCertificateCommand,
  IoTClient,
  UpdateCertificateCommand,
} from "@aws-sdk/client-iot";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { createDevice, createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import { runJobs } from "@thingline/device/jobs";
import { rotateCertificateOperation, writeRotatedDetails } from "@thingline/protocol/jobs";
import { createNodeKeys, createNodeNetwork, createNodeClock, createNodeRandom } from "@thingline/transport/node";
import { eventsOf, runCommandLine } from "./cli-process.test.support.js";

let cloud: StartedCloud;
let iot: IoTClient;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
  cloud = await startCloud({ dataDir, ...ports, limits: "none", keyPoolSize: 0 });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  iot = new IoTClient({ endpoint: cloud.addresses.api, region: "us-east-1", credentials });
  const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
  await iot.send(new CreatePolicyCommand({ policyName: "all", policyDocument }));
});

after(async () => {
  iot?.destroy();
  await cloud?.close();
  await rm(dataDir, { recursive: true, force: true });
});

const cert = (...args: string[]) => runCommandLine({ words: ["cert", ...args, "--data-dir", dataDir] });

/** The same face, asked as a real account is. */
const awsCert = (...args: string[]) =>
  runCommandLine({
    words: ["cert", ...args, "--aws", "--json"],
    env: {
      AWS_ENDPOINT_URL: cloud.addresses.api,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    },
  });

async function json(...args: string[]) {
  const finished = await cert(...args, "--json");
  return { ...finished, events: eventsOf(finished) };
}

async function issue({ thingName, isAttached = true }: { thingName: string; isAttached?: boolean }) {
  await iot.send(new CreateThingCommand({ thingName }));
  const made = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateArn: principal = "", certificateId = "", certificatePem = "", keyPair } = made;
  if (isAttached) {
    await iot.send(new AttachPolicyCommand({ policyName: "all", target: principal }));
    await iot.send(new AttachThingPrincipalCommand({ thingName, principal }));
  }
  return { certificateId, certificatePem, privateKeyPem: keyPair?.PrivateKey ?? "" };
}

const statusOf = async (certificateId: string) =>
  (await iot.send(new DescribeCertificateCommand({ certificateId }))).certificateDescription?.status;

/** A device that is connected with what was issued. */
async function connected(thingName: string, issued: Awaited<ReturnType<typeof issue>>) {
  const store = createNativeCredentialStore({ keys: createNodeKeys() });
  await store.write(50, "ca", cloud.caPem);
  await store.write(50, "certificate", issued.certificatePem);
  await store.write(50, "privateKey", issued.privateKeyPem);
  const [host = "", port = ""] = cloud.addresses.mqtts.split(/:(?=\d+$)/u);
  const device = createDevice({
    ...{ host, port: Number(port), clientId: thingName, clock: createNodeClock(), random: createNodeRandom() },
    ...{ secTagDialer: createNativeTlsDialer({ dialer: createNodeNetwork(), store }), secTag: 50 },
  });
  await device.connect();
  return device;
}

test("certificates are listed and shown with what proved them, and one that nobody uses is found", async () => {
  const used = await issue({ thingName: "pump-1" });
  const unused = await issue({ thingName: "pump-2" });
  await using _device = await connected("pump-1", used);
  let shown = await json("show", used.certificateId);
  for (let look = 0; typeof shown.events[0]?.["provedAt"] !== "string" && look < 500; look++) {
    shown = await json("show", used.certificateId);
  }
  assert.equal(typeof shown.events[0]?.["provedAt"], "string", shown.stderr);
  assert.match(String(shown.events[0]?.["certificateArn"]), new RegExp(`:cert/${used.certificateId}$`));
  const listed = await json("list");
  const facts = listed.events.find((one) => one["certificateId"] === unused.certificateId);
  assert.equal(facts?.["provedAt"], null);
  assert.deepEqual(facts["thingNames"], ["pump-2"]);
  assert.match(
    (await cert("list", "pump-2")).stdout,
    new RegExp(`^${unused.certificateId}  ACTIVE  pump-2\n  .*never`),
  );
  assert.match((await cert("list", "--expires-within", "30d")).stdout, /^no such certificates/);
  const limited = await cert("list", "--limit", "1");
  assert.match(limited.stdout, /more end later/);
  assert.match((await cert("orphans", "--older-than", "0.001s")).stdout, /^no orphans/, "made for a device to come");
  const orphans = await json("orphans", "--older-than", "0.001s", "--all");
  assert.deepEqual(
    orphans.events.map((one) => [one["certificateId"], one["reason"]]),
    [[unused.certificateId, "neverConnected"]],
  );
  assert.match(
    orphans.stderr,
    /cert orphans --delete --all --older-than 0\.001s --data-dir \S+\n/,
    "finds the same ones when it is pasted",
  );
  const deleted = await json("orphans", "--older-than", "0.001s", "--all", "--delete");
  assert.deepEqual(
    deleted.events.map((one) => one["isDeleted"]),
    [true],
  );
  await assert.rejects(statusOf(unused.certificateId), { name: "ResourceNotFoundException" });
  assert.equal(await statusOf(used.certificateId), "ACTIVE");
  assert.equal((await cert("show", unused.certificateId)).code, 1);
});

test("on AWS it is what cannot be used, and what stands beside another one", async () => {
  const loose = await issue({ thingName: "pump-3", isAttached: false });
  const one = await issue({ thingName: "pump-3" });
  const other = await issue({ thingName: "pump-3" });
  const found = await awsCert("orphans", "--older-than", "0.001s", "--delete");
  assert.equal(found.code, 0, found.stderr);
  const reasons = new Map(eventsOf(found).map((fact) => [fact["certificateId"], [fact["reason"], fact["isDeleted"]]]));
  assert.deepEqual(reasons.get(loose.certificateId), ["attachedToNothing", true]);
  assert.deepEqual(reasons.get(one.certificateId), ["severalOfThing", false]);
  assert.deepEqual(reasons.get(other.certificateId), ["severalOfThing", false]);
  assert.match(found.stderr, /AWS does not tell whether a certificate was ever used/);
  const listed = await awsCert("list", "pump-3");
  assert.deepEqual(
    eventsOf(listed).map((fact) => [fact["certificateId"], "provedAt" in fact]),
    [one, other].map(({ certificateId }) => [certificateId, false]),
  );
});

test("a certificate is revoked, and deleted on request", async () => {
  const { certificateId } = await issue({ thingName: "pump-4" });
  assert.match((await cert("revoke", certificateId)).stdout, /^revoked /);
  assert.equal(await statusOf(certificateId), "REVOKED");
  assert.equal((await json("revoke", certificateId, "--delete")).events[0]?.["isDeleted"], true);
  await assert.rejects(statusOf(certificateId), { name: "ResourceNotFoundException" });
  assert.equal((await cert("revoke", "x")).code, 2);
});

test("a rotation is ordered by a job, waited for, and what it replaced is INACTIVE when nobody can go back", async () => {
  const old = await issue({ thingName: "pump-5" });
  const fresh = await issue({ thingName: "pump-5" });
  const stranger = await issue({ thingName: "pump-6" });
  await using device = await connected("pump-5", old);
  const overlapUntil = Math.floor(Date.now() / 1000) - 1;
  /** What the device says that it replaced. */
  const said: string[] = [];
  await using _jobs = await runJobs(device, {
    ...{ clock: createNodeClock(), random: createNodeRandom() },
    handlers: {
      [rotateCertificateOperation]: async () => {
        const replacedCertificateId = said.shift() ?? "";
        const rotated = { certificateId: fresh.certificateId, replacedCertificateId, overlapUntil };
        return { status: "SUCCEEDED", statusDetails: writeRotatedDetails(rotated) };
      },
    },
  });
  // A device may say anything: another thing's certificate is not touched.
  said.push(stranger.certificateId, old.certificateId);
  const lied = await json("rotate", "pump-5", "--wait", "--interval", "0.05");
  assert.equal(lied.code, 0, lied.stderr);
  const doubtful = lied.events.find((fact) => fact.event === "rotationFinished");
  assert.deepEqual([doubtful?.["result"], doubtful?.["thingName"]], ["doubtful", "pump-5"]);
  assert.equal(await statusOf(stranger.certificateId), "ACTIVE");

  const rotated = eventsOf(await awsCert("rotate", "pump-5", "--wait", "--interval", "0.05", "--overlap", "60"));
  const ended = rotated.find((fact) => fact.event === "rotationEnded");
  assert.deepEqual(ended?.["counts"], { SUCCEEDED: 1 });
  const finished = rotated.find((fact) => fact.event === "rotationFinished");
  assert.deepEqual([finished?.["result"], finished?.["certificateId"]], ["deactivated", old.certificateId]);
  assert.equal(await statusOf(old.certificateId), "INACTIVE");
  const jobId = String(ended?.["jobId"]);
  const again = eventsOf(await awsCert("rotate", "--finish", jobId));
  assert.deepEqual(
    again.map((fact) => fact["result"]),
    ["already"],
  );
  // The new certificate is gone: the device must not lose the old one too.
  await iot.send(new UpdateCertificateCommand({ certificateId: old.certificateId, newStatus: "ACTIVE" }));
  await iot.send(new UpdateCertificateCommand({ certificateId: fresh.certificateId, newStatus: "REVOKED" }));
  const kept = await json("rotate", "--finish");
  assert.deepEqual(
    kept.events.map((fact) => fact["result"]),
    ["doubtful"],
  );
  assert.equal(await statusOf(old.certificateId), "ACTIVE");
});

test("which devices has to be said, once", async () => {
  for (const words of [
    ["rotate"],
    ["rotate", "a", "--group", "g"],
    ["rotate", "--group", "g", "--expires-within", "1d"],
    ["rotate", "a", "--finish", "j"],
    ["rotate", "a", "--overlap", "-1"],
    ["list", "--expires-within", "30"],
  ]) {
    assert.equal((await cert(...words)).code, 2, words.join(" "));
  }
  assert.match(
    (await cert("rotate", "--expires-within", "1d")).stdout,
    /^no thing has a certificate that ends so soon/,
  );
  assert.equal((await json("rotate", "--finish", "nothing")).events.at(-1)?.["code"], "ResourceNotFoundException");
});
