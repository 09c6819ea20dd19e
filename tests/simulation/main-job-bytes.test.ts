// What the main job costs on air, byte by byte: a device gets its own certificate by a shared claim, and then works. Nothing here is left to
// chance, so the numbers of `main-job-bytes.json` hold exactly, until a change makes the job dearer or cheaper.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createDevice } from "@thingline/device";
import { provisionDevice } from "@thingline/device/provisioning";
import { createLinkControl, createModemCredentialStore, createModemKeyMaker, openModemSession } from "@thingline/modem";
import { createSimulatedModem, trafficBetween, type TrafficSnapshot } from "@thingline/modem/simulator";
import { createVirtualFiles, createVirtualRandom } from "@thingline/transport/virtual";
import { openProvisioningHouse } from "./provisioning-world.test.support.js";
import { untilDone } from "./rotation-world.test.support.js";

const recorded = fileURLToPath(new URL("../../simulation/main-job-bytes.json", import.meta.url));
const updateVariable = "THINGLINE_UPDATE_BYTES";
const updateCommand = `${updateVariable}=1 node scripts/test.mjs --integration simulation/main-job-bytes`;
const clientId = "nrf-352656100367872";
const reach = { host: "localhost", port: 8883 };
const claimTag = 43;
const deviceTag = 50;

/** Of each step, sent/received: application, TLS, its handshakes, IP; and IP packets. */
type StepBytes = Record<string, string>;

function bytesOf({ counts, socketCount }: TrafficSnapshot): StepBytes | undefined {
  const { application, tls, handshake, ip, packets } = counts;
  if (packets.sent + packets.received === 0) return undefined;
  const both = ({ sent, received }: typeof ip): string => `${sent}/${received}`;
  return {
    ...{ application: both(application), tls: both(tls), handshake: both(handshake) },
    ...{ ip: both(ip), packets: both(packets), dials: String(socketCount) },
  };
}

/** A device with a claim in its modem, and a cloud that vends. Keys are RSA 2048, as AWS IoT makes them. */
async function openMainJob() {
  const house = await openProvisioningHouse({ keyKind: "rsa-2048" });
  const { clock, network, keys, cloud, claim } = house;
  const random = createVirtualRandom("main job");
  const modem = await createSimulatedModem({
    ...{ network, clock, keys, random: random.fork("modem"), countsTraffic: true },
    identity: { imei: "352656100367872" },
  });
  const session = openModemSession(modem.openPort(), { clock });
  const store = createModemCredentialStore(session, { keys });
  const write = async () => {
    await store.write(claimTag, "ca", cloud.caPem);
    await store.write(claimTag, "certificate", claim.certificatePem);
    await store.write(claimTag, "privateKey", claim.privateKeyPem);
  };
  await untilDone(clock, write());
  assert.ok(modem.traffic);
  const { traffic } = modem;
  const steps: Record<string, StepBytes> = {};
  let before = traffic.snapshot();
  const mark = (name: string): void => {
    const after = traffic.snapshot();
    const bytes = bytesOf(trafficBetween(before, after));
    before = after;
    if (bytes !== undefined) steps[name] = bytes;
  };
  const link = createLinkControl(session, { clock });
  const keyMaker = createModemKeyMaker(session, { keys });
  const parts = { clock, random: random.fork("device"), keys, store, link, keyMaker, dialer: modem.secTagDialer };
  return { house, modem, parts, steps, mark, traffic };
}

type MainJob = Awaited<ReturnType<typeof openMainJob>>;

async function provision({ parts, mark }: MainJob) {
  return provisionDevice({
    ...{ ...reach, ...parts, clientId, claimTag, deviceTag, method: { kind: "split", keys: "cloud" } as const },
    ...{ files: createVirtualFiles(), progressPath: "/state/provisioning.json" },
    onEvent: (event) => {
      if (event.type === "stepFinished") mark(event.name);
    },
  });
}

/** The vended policy is for what AWS IoT's services ask for; this is the application's own. */
async function allowData({ house: { cloud } }: MainJob, certificateId: string): Promise<void> {
  const { registry } = cloud;
  const arn = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`;
  const statement = { Effect: "Allow", Action: "iot:Publish", Resource: arn(`topic/${clientId}/data`) };
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await cloud.run(registry.createPolicy, { policyName: "data", policyDocument });
  await cloud.run(registry.attachPolicy, { policyName: "data", target: arn(`cert/${certificateId}`) });
}

/** What a provisioned device does all day. */
async function work({ parts: { clock, random, dialer }, mark, modem }: MainJob, end: () => Promise<void>) {
  const device = createDevice({ ...reach, clientId, clock, random, secTagDialer: dialer, secTag: deviceTag });
  await end();
  await clock.sleep(1_000);
  mark("disconnectDevice");
  await device.connect();
  await clock.sleep(1_000);
  mark("connectAgain");
  await device.publish(`${clientId}/data`, new Uint8Array(256), { qos: 1 });
  await clock.sleep(1_000);
  mark("publish256");
  await device.publish(`${clientId}/data`, new Uint8Array(2_000), { qos: 1 });
  await clock.sleep(1_000);
  mark("publish2000");
  const shadow = device.shadow();
  await shadow.update({ reported: { temperature: 21.5 } });
  await clock.sleep(1_000);
  mark("shadowUpdate");
  await shadow.get();
  await clock.sleep(1_000);
  mark("shadowGet");
  await device.close();
  await clock.sleep(1_000);
  mark("disconnectAgain");
  return modem.traffic?.sockets ?? [];
}

const says = (name: string, was: StepBytes | undefined, is: StepBytes | undefined): string[] =>
  JSON.stringify(was) === JSON.stringify(is)
    ? []
    : [`  ${name}`, `    was ${JSON.stringify(was) ?? "not there"}`, `    is  ${JSON.stringify(is) ?? "not there"}`];

test("the main job costs on air what main-job-bytes.json says", async () => {
  const job = await openMainJob();
  const { clock } = job.house;
  const { device, certificateId } = await untilDone(clock, provision(job));
  await untilDone(clock, allowData(job, certificateId));
  const sockets = await untilDone(
    clock,
    work(job, () => device.close()),
  );
  const { radio, counts } = job.traffic.snapshot();

  // Layers lie in one another, sockets add up, and time is all accounted for.
  for (const way of ["sent", "received"] as const) {
    assert.ok(counts.application[way] < counts.tls[way] && counts.tls[way] < counts.ip[way]);
    assert.equal(
      sockets.reduce((sum, { ip }) => sum + ip[way], 0),
      counts.ip[way],
    );
  }
  assert.deepEqual(
    sockets.map(({ protocol, state, tlsBy, isResumed }) => [protocol, state, tlsBy, isResumed]),
    Array.from({ length: 3 }, () => ["mqtt", "closed", "modem", false]),
  );
  assert.ok(radio.connectedMs > 0 && radio.searchingMs > 0);

  const total = bytesOf(job.traffic.snapshot());
  const measured: Record<string, StepBytes> = { ...job.steps, ...(total !== undefined && { total }) };
  await job.house.close();
  if (process.env[updateVariable] === "1") await writeFile(recorded, `${JSON.stringify(measured, undefined, 2)}\n`);
  const wanted = JSON.parse(await readFile(recorded, "utf8")) as Record<string, StepBytes>;
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(measured)])];
  const differences = names.flatMap((name) => says(name, wanted[name], measured[name]));
  const message = [
    "the main job costs other bytes on air than before (sent/received):",
    ...differences,
    `If that is meant, accept it with: ${updateCommand}`,
  ].join("\n");
  assert.ok(differences.length === 0, message);
});
