// `thingline device run` follows `thingline cert rotate`: through a simulated modem, where the key is made inside it, and with native TLS.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AttachPolicyCommand, IoTClient } from "@aws-sdk/client-iot";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { eventsOf, runCommandLine, startThingline } from "./cli-process.test.support.js";

let cloud: StartedCloud;
let iot: IoTClient;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
  const dataDir = join(folder, "cloud");
  cloud = await startCloud({ dataDir, ...ports, limits: "none", keyPoolSize: 0, rotationOverlapMs: 0 });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  iot = new IoTClient({ endpoint: cloud.addresses.api, region: "us-east-1", credentials });
});

after(async () => {
  iot?.destroy();
  await cloud?.close();
  await rm(folder, { recursive: true, force: true });
});

const dataDir = () => ["--data-dir", join(folder, "cloud")];
async function run(...words: string[]) {
  const finished = await runCommandLine({ words: [...words, "--json"] });
  assert.equal(finished.code, 0, `${words.join(" ")}\n${finished.stderr}`);
  return eventsOf(finished);
}

/** Each run of a device is a process, which takes its time. */
const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;
const kinds = isLong ? (["modem", "native"] as const) : (["modem"] as const);

test("device run rotates when a job says so, and goes on with the other tag when it runs again", async (t) => {
  for (const kind of kinds) {
    const thingName = `pump-${kind}`;
    const at = join(folder, kind);
    const modemDir = ["--modem-dir", join(at, "modem")];
    const [created] = await run("thing", "create", thingName, "--out", at, ...dataDir());
    // The policy of `thing create`, which the first thing has made.
    const policy = String(created?.["policyName"]);
    if (kind === kinds[0]) await run("cert", "template", "rotate", "--policy", policy, ...dataDir());
    await iot.send(
      new AttachPolicyCommand({ policyName: "rotate-rotation", target: String(created?.["certificateArn"]) }),
    );
    if (kind === "modem") await run("modem", "write", "--sec-tag", "201", "--from", at, ...modemDir);
    const conf = join(at, "prj.conf");
    const words = ["device", "run", "--conf", conf, ...modemDir, "--rotation-template", "rotate", "--json"];
    const device = startThingline(t, ...words, ...(kind === "native" ? ["--native-tls"] : []));
    await device.event(({ event }) => event === "ready");
    const rotated = device.event(({ event }) => event === "rotated");
    await run("cert", "rotate", thingName, "--wait", "--interval", "0.1", "--overlap", "0", ...dataDir());
    const { secTag, replacedCertificateId, certificateId } = await rotated;
    assert.equal(secTag, 202);
    assert.equal(replacedCertificateId, created?.["certificateId"]);
    await device.event(({ event }) => event === "oldCredentialsGone");
    await device.end("SIGTERM");
    if (!isLong) continue;
    const again = startThingline(t, ...words, ...(kind === "native" ? ["--native-tls"] : []));
    await again.event(({ event }) => event === "ready");
    await again.end("SIGTERM");
    const lives = await run("cert", "list", thingName, ...dataDir());
    assert.deepEqual(
      new Map(lives.map((life) => [life["certificateId"], life["status"]])),
      new Map([
        [replacedCertificateId, "INACTIVE"],
        [certificateId, "ACTIVE"],
      ]),
    );
  }
});
