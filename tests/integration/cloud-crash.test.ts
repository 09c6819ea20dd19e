import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import {
  AttachPolicyCommand,
  CreateJobCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateProvisioningClaimCommand,
  CreateProvisioningTemplateCommand,
  CreateThingCommand,
  DescribeCertificateCommand,
  DescribeJobCommand,
  paginateListJobExecutionsForJob,
} from "@aws-sdk/client-iot";
import { originalClaimPolicyDocument as claimPolicyDocument } from "@thingline/cloud";
import type mqtt from "mqtt";
import { connectClient, iotClient, type Credentials, type Reachable } from "./cloud-world.test.support.js";

/** Each process costs a second: the tests stand one behind the other in one data directory, and a process that one has started the next kills. */
let dataDir: string;
let running: Child | undefined;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-crash-"));
});

after(async () => {
  await running?.kill();
  await rm(dataDir, { recursive: true, force: true });
});

interface Child extends Reachable {
  /** kill -9, and the death that follows. */
  kill(): Promise<void>;
}

async function runningChild(): Promise<Child> {
  running ??= await startChild();
  return running;
}

/** kill -9, and a process that goes on with what is on disk. */
async function killAndStart(): Promise<Child> {
  await running?.kill();
  running = undefined;
  return runningChild();
}

async function startChild(): Promise<Child> {
  const script = new URL("cloud-child.test.support.js", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (bytes: Buffer) => resolve(bytes.toString()));
    child.once("exit", (code) => reject(new Error(`the cloud ended with ${code} before it was ready`)));
  });
  const { mqtts, api, caPem } = JSON.parse(line) as { mqtts: string; api: string; caPem: string };
  return { addresses: { mqtts, api }, caPem, kill };
}

async function createClaim(
  context: TestContext,
  child: Child,
  policyName: string,
): Promise<Pick<Credentials, "certificatePem" | "privateKey">> {
  const iot = iotClient(context, child.addresses.api);
  const created = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  await iot.send(new CreatePolicyCommand({ policyName, policyDocument: claimPolicyDocument }));
  await iot.send(new AttachPolicyCommand({ policyName, target: created.certificateArn ?? "" }));
  return { certificatePem: created.certificatePem ?? "", privateKey: created.keyPair?.PrivateKey ?? "" };
}

/** What came on the two accepted topics, by their last level. */
function collectAnswers(client: mqtt.MqttClient, answers = new Map<string, string>()) {
  const waiting: { size: number; resolve: () => void }[] = [];
  client.on("message", (topic, payload) => {
    answers.set(topic.slice(topic.lastIndexOf("/") + 1), payload.toString());
    for (const { size, resolve } of waiting) if (answers.size >= size) resolve();
  });
  const atLeast = (size: number) =>
    answers.size >= size ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ size, resolve }));
  return { answers, atLeast };
}

test("after kill -9 right behind the published certificate the device connects with it", async (context) => {
  const first = await runningChild();
  const claim = await createClaim(context, first, "claim-1");
  const device = await connectClient(context, first, claim, { clientId: "dev-1" });
  const { answers, atLeast } = collectAnswers(device);
  await device.subscribeAsync("certificate/dev-1/create/accepted/+", { qos: 1 });
  device.publish("certificate/dev-1/create", "", { qos: 1 });
  await atLeast(2);

  const second = await killAndStart();
  assert.equal(second.caPem, first.caPem);
  const certificatePem = answers.get("cert") ?? "";
  const credentials = { certificatePem, privateKey: answers.get("key") ?? "" };
  const provisioned = await connectClient(context, second, credentials, { clientId: "dev-1" });
  const granted = await provisioned.subscribeAsync("$aws/things/dev-1/shadow/get/+", { qos: 1 });
  assert.equal(granted[0]?.qos, 1);

  const certificateId = new X509Certificate(certificatePem).fingerprint256.replaceAll(":", "").toLowerCase();
  const iot = iotClient(context, second.addresses.api);
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  assert.equal(certificateDescription?.status, "ACTIVE");
});

test("after kill -9 between the two messages a persistent session gets what is missing", async (context) => {
  const first = await runningChild();
  const claim = await createClaim(context, first, "claim-2");
  const device = await connectClient(context, first, claim, { clientId: "dev-2", clean: false });
  const before = collectAnswers(device);
  await device.subscribeAsync("certificate/dev-2/create/accepted/+", { qos: 1 });
  device.publish("certificate/dev-2/create", "", { qos: 1 });
  await before.atLeast(1);

  const second = await killAndStart();
  const answers = new Map(before.answers);
  let later: ReturnType<typeof collectAnswers> | undefined;
  await connectClient(context, second, claim, {
    clientId: "dev-2",
    clean: false,
    prepare: (client) => void (later = collectAnswers(client, answers)),
  });
  await later?.atLeast(2);
  const certificate = new X509Certificate(answers.get("cert") ?? "");
  assert.match(certificate.subject, /AWS IoT Certificate/);
  const credentials = { certificatePem: answers.get("cert") ?? "", privateKey: answers.get("key") ?? "" };
  await connectClient(context, second, credentials, { clientId: "dev-2" });
});

test("after kill -9 amid a row of updates a shadow has all that was acknowledged or told", async (context) => {
  const first = await runningChild();
  const claim = await createClaim(context, first, "claim-3");
  const iot = iotClient(context, first.addresses.api);
  const Statement = [{ Effect: "Allow", Action: "iot:*", Resource: "*" }];
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  await iot.send(new CreatePolicyCommand({ policyName: "all", policyDocument }));
  const certificateId = new X509Certificate(claim.certificatePem).fingerprint256.replaceAll(":", "").toLowerCase();
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  const target = certificateDescription?.certificateArn ?? "";
  await iot.send(new AttachPolicyCommand({ policyName: "all", target }));
  const device = await connectClient(context, first, claim, { clientId: "dev-3" });
  await device.subscribeAsync("$aws/things/dev-3/shadow/update/accepted", { qos: 1 });
  let told = 0;
  let acknowledged = 0;
  const seen = new Promise<void>((resolve) => {
    device.on("message", (_topic, payload) => {
      told = Math.max(told, (JSON.parse(payload.toString()) as { version: number }).version);
      resolve();
    });
  });
  // As many as AWS IoT works on for one connection.
  for (let n = 1; n <= 10; n++) {
    const update = JSON.stringify({ state: { reported: { [`k${n}`]: n } } });
    device.publish("$aws/things/dev-3/shadow/update", update, { qos: 1 }, (error) => {
      if (!error) acknowledged++;
    });
  }
  await seen;

  const second = await killAndStart();
  const answer = await fetch(`${second.addresses.api}/things/dev-3/shadow`);
  const shadow = (await answer.json()) as { version: number; state: { reported: Record<string, number> } };
  assert.ok(told > 0 && shadow.version >= Math.max(told, acknowledged), `${shadow.version}, ${told}, ${acknowledged}`);
  const expected = Array.from({ length: shadow.version }, (_none, at) => [`k${at + 1}`, at + 1]);
  assert.deepEqual(
    shadow.state.reported,
    Object.fromEntries(expected),
    "each version is one update, none is half there",
  );
});

test("after kill -9 in the middle of a rollout the next process goes on with it, and no thing gets the job twice", async (context) => {
  const child = await runningChild();
  const iot = iotClient(context, child.addresses.api);
  const thingNames = Array.from({ length: 100 }, (_, at) => `thing-${at}`);
  await Promise.all(thingNames.map((thingName) => iot.send(new CreateThingCommand({ thingName }))));
  const targets = thingNames.map((name) => `arn:aws:iot:us-east-1:123456789012:thing/${name}`);
  // Answered after its first step, of seven.
  await iot.send(new CreateJobCommand({ jobId: "job", targets, document: '{"operation":"test"}' }));

  const next = await killAndStart();
  const client = iotClient(context, next.addresses.api);
  let isRollingOut = true;
  while (isRollingOut) {
    const { job } = await client.send(new DescribeJobCommand({ jobId: "job" }));
    isRollingOut = job?.isConcurrent === true;
  }
  const found: (string | undefined)[] = [];
  for await (const { executionSummaries = [] } of paginateListJobExecutionsForJob({ client }, { jobId: "job" })) {
    for (const { thingArn, jobExecutionSummary } of executionSummaries) {
      assert.equal(jobExecutionSummary?.executionNumber, 1);
      found.push(thingArn);
    }
  }
  assert.deepEqual(found.sort(), targets.sort());
});

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

test(
  "after kill -9 right behind its answers a device registers with its token, and connects with its certificate",
  { skip: !isLong && "each process costs a second; the kills before each commit are in fleet-crash.test.ts" },
  async (context) => {
    const first = await runningChild();
    const iot = iotClient(context, first.addresses.api);
    const Statement = [{ Effect: "Allow", Action: "iot:*", Resource: "*" }];
    const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
    await iot.send(new CreatePolicyCommand({ policyName: "fleet", policyDocument }));
    const properties = { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" };
    const templateBody = JSON.stringify({
      Resources: {
        thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: "dev-4" } },
        certificate: { Type: "AWS::IoT::Certificate", Properties: properties },
        policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "fleet" } },
      },
    });
    const provisioningRoleArn = "arn:aws:iam::123456789012:role/provisioning";
    const template = { templateName: "line", templateBody, provisioningRoleArn, enabled: true };
    await iot.send(new CreateProvisioningTemplateCommand(template));
    const { certificatePem = "", keyPair } = await iot.send(
      new CreateProvisioningClaimCommand({ templateName: "line" }),
    );
    const claim = { certificatePem, privateKey: keyPair?.PrivateKey ?? "" };
    const accepted = ["$aws/certificates/create/json", "$aws/provisioning-templates/line/provision/json"];
    const ask = async (cloud: Child, topic: string, payload: string): Promise<Record<string, string>> => {
      const device = await connectClient(context, cloud, claim, { clientId: "factory" });
      await device.subscribeAsync(
        accepted.map((each) => `${each}/accepted`),
        { qos: 1 },
      );
      const answer = new Promise<Buffer>((resolve) => device.once("message", (_topic, bytes) => resolve(bytes)));
      device.publish(topic, payload, { qos: 1 });
      return JSON.parse((await answer).toString()) as Record<string, string>;
    };
    const created = await ask(first, accepted[0] ?? "", "{}");
    const second = await killAndStart();
    const { certificateOwnershipToken } = created;
    const register = JSON.stringify({ certificateOwnershipToken, parameters: {} });
    assert.equal((await ask(second, accepted[1] ?? "", register))["thingName"], "dev-4");
    const third = await killAndStart();
    assert.equal((await ask(third, accepted[1] ?? "", register))["thingName"], "dev-4", "the same answer again");
    const credentials = { certificatePem: created["certificatePem"] ?? "", privateKey: created["privateKey"] ?? "" };
    await connectClient(context, third, credentials, { clientId: "dev-4" });
  },
);
