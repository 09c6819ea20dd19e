// `thingline demo`, what `npm start` runs, as a process.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test, type TestContext } from "node:test";
import { provisioningSteps } from "@thingline/device/provisioning";
import {
  eventsOf,
  runThinglineIn,
  startThinglineIn,
  temporaryFolder,
  thinglineBin,
  type JsonEvent,
} from "./cli-process.test.support.js";

/** The demo's own folder is made here; it must be gone afterwards. */
async function withTemporary(t: TestContext) {
  const folder = await temporaryFolder(t);
  const leftOver = async () => (await readdir(folder)).filter((name) => name.startsWith("thingline"));
  return { surroundings: { env: { TMPDIR: folder } }, leftOver };
}

const named = (events: JsonEvent[], name: string) => events.filter(({ event }) => event === name);

interface BothWays {
  sent: number;
  received: number;
}

/** Real TLS on real sockets, and so not byte by byte the same: that is `main-job-bytes.test.ts`. */
function checkBytes(events: JsonEvent[]): void {
  const steps = named(events, "bytes");
  const [total] = named(events, "bytesTotal");
  const layer = (event: JsonEvent | undefined, name: string) => event?.[name] as BothWays;
  for (const way of ["sent", "received"] as const) {
    for (const name of ["application", "tls", "handshake", "ip", "packets"]) {
      const sum = steps.reduce((before, step) => before + layer(step, name)[way], 0);
      assert.equal(sum, layer(total, name)[way], `${name} ${way}`);
    }
    assert.ok(layer(total, "application")[way] < layer(total, "tls")[way]);
    assert.ok(layer(total, "tls")[way] < layer(total, "ip")[way]);
  }
  const sockets = named(events, "bytesSocket");
  const sum = sockets.reduce((before, socket) => before + layer(socket, "ip").sent, 0);
  assert.equal(sum, layer(total, "ip").sent);
  assert.deepEqual([sockets[0]?.["protocol"], sockets[0]?.["tlsBy"]], ["mqtt", "modem"]);
  assert.ok(sockets.some(({ protocol }) => protocol === "http"));
  const claim = steps.find(({ step }) => step === "connectClaim");
  // CONNECT with the claim's client id and CONNACK; one dial with its handshake.
  assert.deepEqual([layer(claim, "application"), claim?.["sockets"]], [{ sent: 39, received: 4 }, 1]);
  assert.ok(layer(claim, "handshake").received > 1_500);
  const update = steps.find(({ step }) => step === "firmwareUpdate");
  assert.ok(layer(update, "application").received > 512 * 1024);
  assert.ok(Number((total?.["radio"] as Record<string, number>)["connectedMs"]) > 0);
}

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

describe("thingline demo", { concurrency: 2 }, () => {
  test("demo --json prints the whole flow as one object a line; --keep lets it go on, --bad-firmware ends with the old image", async (t) => {
    const folder = join(await temporaryFolder(t), "kept");
    const finished = await runThinglineIn(t, {}, "demo", "--keep", folder, "--bytes", "--json");
    assert.equal(finished.code, 0, finished.stderr);
    const events = eventsOf(finished);
    assert.deepEqual(
      events.slice(0, 4).map(({ event }) => event),
      ["cloudReady", "claimCreated", "modemBooted", "claimWritten"],
    );
    const steps = named(events, "stepFinished");
    assert.deepEqual(
      steps
        .map(({ step, name, result }) => ({ number: step, name, result }))
        .sort((a, b) => Number(a.number) - Number(b.number)),
      provisioningSteps.map((step) => ({ ...step, result: "done" })),
    );
    for (const { durationMs } of steps) assert.ok(typeof durationMs === "number" && durationMs >= 0);
    assert.ok(steps.some(({ durationMs }) => Number(durationMs) > 0));
    assert.deepEqual(
      named(events, "stepStarted").map(({ step }) => step),
      provisioningSteps.map(({ number }) => number),
    );

    const [provisioned] = named(events, "provisioned");
    assert.equal(provisioned?.["thingName"], "nrf-352656100367872");
    assert.equal(provisioned?.["secTag"], 50);
    assert.equal(provisioned?.["isResumed"], false);
    assert.match(String(provisioned?.["certificateId"]), /^[0-9a-f]{64}$/);
    assert.deepEqual(
      named(events, "largeMessage").map(({ tls, result }) => [tls, result]),
      [
        ["modem TLS", "TLS_RECORD_TOO_LARGE"],
        ["native TLS", "received"],
      ],
    );
    const phases = named(events, "fota").map(({ phase }) => phase);
    assert.deepEqual(
      phases.filter((phase) => phase !== "progress"),
      ["started", "downloaded", "verified", "installed", "done", "rebooting", "booted", "healthy", "confirmed"],
    );
    assert.ok(named(events, "fota").some(({ phase, percent }) => phase === "progress" && percent === 50));
    const [updated] = named(events, "updated");
    assert.deepEqual([updated?.["status"], updated?.["running"]], ["SUCCEEDED", "1.1.0"]);
    assert.equal(events.at(-1)?.event, "done");
    checkBytes(events);
    assert.doesNotMatch(finished.stdout + finished.stderr, /PRIVATE KEY|X-Amz-Signature/);

    // Once more is as much again, and both halves are elsewhere: cli-provision resumes, cli-device-fota is sent what is bad.
    if (!isLong) return;
    // The device is provisioned already, and what it is sent is bad.
    const again = await runThinglineIn(t, {}, "demo", "--keep", folder, "--bad-firmware", "--json");
    assert.equal(again.code, 0, again.stderr);
    const [later] = named(eventsOf(again), "provisioned");
    assert.equal(later?.["certificateId"], provisioned?.["certificateId"], "the device was provisioned already");
    const boots = named(eventsOf(again), "boot").map(({ version, swapType }) => [version, swapType]);
    assert.deepEqual(boots, [
      ["1.1.0+0", "none"],
      ["1.2.0+0", "test"],
      ["1.1.0+0", "revert"],
    ]);
    const [failed] = named(eventsOf(again), "updated");
    assert.deepEqual(
      [failed?.["status"], failed?.["reason"], failed?.["running"]],
      ["FAILED", "healthCheckFailed", "1.1.0"],
    );
    assert.match(String(failed?.["message"]), /no sensor/);
    const skipped = named(eventsOf(again), "stepFinished").filter(({ result }) => result === "skipped");
    assert.equal(skipped.length, 10);
  });

  test("demo --native-tls for people: twelve steps with their times, lines that fit, no colours", async (t) => {
    const { surroundings, leftOver } = await withTemporary(t);
    const { code, stdout, stderr } = await runThinglineIn(
      t,
      { env: { ...surroundings.env, npm_command: "start" } },
      "demo",
      "--native-tls",
      "--device-id",
      "pump-7",
    );
    assert.equal(code, 0, stderr);
    const times = [...stdout.matchAll(/^✓ +(\d+)\/12 .* (\d+) ms$/gm)].map((match) => Number(match[1]));
    assert.deepEqual(times, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert.match(stdout, /TLS in the application/);
    assert.match(stdout, /provisioned +thing pump-7\n/);
    assert.match(stdout, /connected +TLSv1\.3, full handshake/);
    const steps = [...stdout.matchAll(/^[✓↻] (\w+) /gm)].map(([, name]) => name);
    const swap = ["rebooting", "bootloader"];
    assert.deepEqual(steps, ["downloaded", "verified", "installed", ...swap, "booted", "healthy", "confirmed"]);
    assert.match(stdout, /job in the cloud +SUCCEEDED\n +the device runs 1\.1\.0\n/);
    assert.match(stdout, /^done in \d+\.\d s$/m);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
    assert.equal(stdout.includes("\u001b"), false);
    assert.equal(stderr, "");
    assert.deepEqual(await leftOver(), []);
  });

  test("demo --without-claim fails at the second step with the reason and what to do", async (t) => {
    const { surroundings, leftOver } = await withTemporary(t);
    const finished = await runThinglineIn(t, surroundings, "demo", "--without-claim", "--json");
    assert.equal(finished.code, 1);
    const events = eventsOf(finished);
    const last = named(events, "stepFinished").at(-1);
    assert.deepEqual([last?.["step"], last?.["result"], last?.["code"]], [2, "failed", "CREDENTIAL_MISSING"]);
    const error = events.at(-1);
    assert.deepEqual([error?.event, error?.["code"]], ["error", "CREDENTIAL_MISSING"]);
    assert.match(
      String(error?.["message"]),
      /security tag 43 lacks the claim's private key, client certificate and CA/,
    );
    assert.match(String(error?.["hint"]), /thingline modem write --sec-tag 43 --from FOLDER/);
    assert.match(finished.stderr, /^error: security tag 43 lacks .* \(CREDENTIAL_MISSING\)$/m);
    assert.doesNotMatch(finished.stderr, /^ +at /m);
    assert.deepEqual(await leftOver(), []);
  });

  test("SIGINT in the middle of a step ends the demo without leaving its folder", async (t) => {
    const { surroundings, leftOver } = await withTemporary(t);
    const program = startThinglineIn(t, surroundings, "demo", "--json");
    await program.event(({ event }) => event === "stepStarted");
    assert.notDeepEqual(await leftOver(), []);
    const { code, stderr } = await program.end("SIGINT");
    assert.equal(code, 130);
    assert.match(stderr, /^stopped: by SIGINT$/m);
    assert.deepEqual(await leftOver(), []);
  });

  test("a reader that leaves early ends the demo like SIGPIPE, without a stack trace", async (t) => {
    const { surroundings, leftOver } = await withTemporary(t);
    const child = spawn(process.execPath, [thinglineBin, "demo"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...surroundings.env },
    });
    t.after(() => child.kill("SIGKILL"));
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdout.once("data", () => child.stdout.destroy());
    const [code] = (await once(child, "close")) as [number];
    assert.equal(code, 141);
    assert.equal(stderr, "");
    assert.deepEqual(await leftOver(), []);
  });
});
