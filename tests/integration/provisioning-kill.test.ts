// kill -9 of the device process at steps of provisioning (each of them in the long run), with state on disk and the real local cloud.
// Every single effect, also between writes, is cut in the pure world of packages/device/src/provisioning.
import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  AttachPolicyCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  DescribeCertificateCommand,
  IoTClient,
  ListThingPrincipalsCommand,
} from "@aws-sdk/client-iot";
import { claimPolicyDocument } from "@thingline/cloud";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { openCredentialFolder } from "@thingline/modem/simulator";
import { createNodeFiles, createNodeKeys, createNodeRandom } from "@thingline/transport/node";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { startProgram, temporaryFolder, type JsonEvent, type RunningProgram } from "./cli-process.test.support.js";

/** Points at which `npm test` kills; each is two processes and a provisioning, some 0.7 s of processor time. */
const sampledPoints = 3;
const childFile = fileURLToPath(new URL("./device-process.test.support.js", import.meta.url));

let cloud: StartedCloud;
let iot: IoTClient;
let claim = { privateKey: "", certificate: "" };

before(async () => {
  // Several hundred requests of one claim within seconds are what the AWS quotas are there to stop.
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
  cloud = await startCloud({ memory: true, ...ports, limits: "none", vending: "builtin" });
  iot = new IoTClient({
    endpoint: cloud.addresses.api,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  const issued = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateArn, certificatePem = "", keyPair } = issued;
  await iot.send(new CreatePolicyCommand({ policyName: "claim", policyDocument: claimPolicyDocument }));
  await iot.send(new AttachPolicyCommand({ policyName: "claim", target: certificateArn }));
  claim = { privateKey: keyPair?.PrivateKey ?? "", certificate: certificatePem };
});

after(async () => {
  iot?.destroy();
  await cloud?.close();
});

/** A device that was never switched on: a modem with the claim in tag 43. */
async function newDevice(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const files = createNodeFiles();
  const options = { files, keys: createNodeKeys(), random: createNodeRandom(), folder: join(folder, "modem") };
  await using credentials = await openCredentialFolder(options);
  await credentials.write(43, "ca", cloud.caPem);
  await credentials.write(43, "certificate", claim.certificate);
  await credentials.write(43, "privateKey", claim.privateKey);
  return folder;
}

function startDevice(t: TestContext, folder: string, clientId: string, stopAt = ""): RunningProgram {
  const port = cloud.addresses.mqtts.slice(cloud.addresses.mqtts.lastIndexOf(":") + 1);
  return startProgram(t, process.execPath, [childFile, folder, "localhost", port, clientId, stopAt]);
}

const isEnd = ({ event }: JsonEvent) => event === "provisioned" || event === "failed";

interface Provisioned {
  certificateId: string;
  isNew: boolean;
  isResumed: boolean;
  history: { certificateId?: string; outcome: string }[];
}

async function runToEnd(t: TestContext, folder: string, clientId: string): Promise<Provisioned> {
  const program = startDevice(t, folder, clientId);
  const end = await program.event(isEnd);
  assert.equal(end.event, "provisioned", JSON.stringify(end));
  await program.end("SIGTERM");
  return end as unknown as Provisioned & JsonEvent;
}

/** Invariants that hold after every recovery. */
async function assertAccountedFor(clientId: string, { certificateId, isResumed, history }: Provisioned): Promise<void> {
  assert.equal(isResumed, false, "a resumed session proves nothing");
  const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName: clientId }));
  const attached = principals.map((arn) => arn.slice(arn.lastIndexOf("/") + 1));
  assert.ok(attached.includes(certificateId), `the thing has ${attached.join()}, not ${certificateId}`);
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  assert.equal(certificateDescription?.status, "ACTIVE");
  assert.ok(history.some((entry) => entry.certificateId === certificateId && entry.outcome === "provisioned"));
  for (const id of attached) {
    if (id === certificateId) continue;
    const { certificateDescription: other } = await iot.send(new DescribeCertificateCommand({ certificateId: id }));
    const isKnown = history.some((entry) => entry.certificateId === id);
    assert.ok(isKnown || other?.status !== "ACTIVE", `certificate ${id} is ACTIVE and nobody knows why`);
  }
}

/** The points of one undisturbed run, by step: the first and the last of each. */
async function pointsByStep(t: TestContext): Promise<string[]> {
  const folder = await newDevice(t);
  const program = startDevice(t, folder, "undisturbed");
  const end = await program.event(isEnd);
  assert.equal(end.event, "provisioned", JSON.stringify(end));
  const { stdout } = await program.end("SIGTERM");
  const names = stdout
    .split("\n")
    .filter((line) => line.includes('"point"'))
    .map((line) => (JSON.parse(line) as { name: string }).name);
  const byStep = new Map<string, string[]>();
  for (const name of names) {
    const step = name.split(" ")[2] ?? "";
    byStep.set(step, [...(byStep.get(step) ?? []), name]);
  }
  return [...new Set([...byStep.values()].flatMap((points) => [points[0] ?? "", points.at(-1) ?? ""]))];
}

/** A sample that a seed draws, all of them in the long run. What the seed does not draw is cut in the pure world, always. */
function drawPoints(points: readonly string[]): string[] {
  if (process.env["THINGLINE_TEST_LONG"] === "1") return [...points];
  const random = createVirtualRandom(process.env["THINGLINE_SEED"] ?? "provisioning-kill");
  const left = [...points];
  return Array.from({ length: sampledPoints }, () => left.splice(random.integer(left.length), 1)[0] ?? "");
}

test("a device that is killed at any step of provisioning recovers", { timeout: 170_000 }, async (t) => {
  const all = await pointsByStep(t);
  assert.ok(all.length >= 20, `expected points in all twelve steps, got ${all.join("; ")}`);
  const points = drawPoints(all);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < points.length; at = next++) {
      const point = points[at] ?? "";
      await t.test(`killed ${point}`, async (t) => {
        const clientId = `killed-${at}`;
        const folder = await newDevice(t);
        const program = startDevice(t, folder, clientId, point);
        await program.event(({ event }) => event === "stopped");
        await program.end("SIGKILL");
        const provisioned = await runToEnd(t, folder, clientId);
        await assertAccountedFor(clientId, provisioned);
        // Once is enough for this: what a third start does depends on the progress file alone.
        if (at !== 0) return;
        const again = await runToEnd(t, folder, clientId);
        assert.equal(again.isNew, false, "a provisioned device asks for nothing");
        assert.equal(again.certificateId, provisioned.certificateId);
      });
    }
  };
  await Promise.all([worker(), worker()]);
});

test("only the modem's storage holds a private key, and nobody else may read it", async (t) => {
  const folder = await newDevice(t);
  await runToEnd(t, folder, "secretive");
  let keyCount = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    const { mode, isDirectory } = await stat(path).then((found) => ({
      mode: found.mode & 0o777,
      isDirectory: found.isDirectory(),
    }));
    if (isDirectory) continue;
    assert.equal(mode, 0o600, name);
    if (!(await readFile(path, "utf8")).includes("PRIVATE KEY")) continue;
    keyCount += 1;
    assert.match(name, /^modem/);
  }
  assert.ok(keyCount >= 2, "the claim's and the device's keys are in the modem");
});
