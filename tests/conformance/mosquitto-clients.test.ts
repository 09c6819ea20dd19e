// Debian's mosquitto_pub and mosquitto_sub, unmodified, against `thingline cloud start` over mutual TLS.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  runProgram,
  runThingline,
  startThingline,
  temporaryFolder,
  type JsonEvent,
} from "../integration/cli-process.js";

const isInstalled = spawnSync("mosquitto_pub", ["--help"]).error === undefined;
const skip = isInstalled ? false : "needs Debian's mosquitto-clients; .ci/run installs them";

async function cloudWithThing(t: TestContext) {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, "cloud");
  const ports = ["--mqtts-port", "0", "--https-port", "0", "--api-port", "0"];
  const cloud = startThingline(t, "cloud", "start", "--data-dir", dataDir, ...ports, "--json");
  const ready = await cloud.event(({ event }) => event === "ready");
  const out = join(folder, "my-thing");
  const created = await runThingline(t, "thing", "create", "my-thing", "--data-dir", dataDir, "--out", out, "--json");
  assert.equal(created.code, 0, created.stderr);
  const port = String(ready["mqtts"]).split(":").at(-1) ?? "";
  const files = (JSON.parse(created.stdout) as JsonEvent)["files"] as Record<string, string>;
  const connection = ["-h", "localhost", "-p", port];
  const tls = [
    "--cafile",
    files["caPem"],
    "--cert",
    files["certificatePem"],
    "--key",
    files["privateKeyPem"],
  ] as string[];
  return { cloud, args: [...connection, ...tls] };
}

for (const version of ["mqttv311", "mqttv5"]) {
  for (const qos of ["0", "1"]) {
    test(`mosquitto_pub reaches mosquitto_sub with ${version} at QoS ${qos}`, { skip }, async (t) => {
      const { args } = await cloudWithThing(t);
      const subscriber = spawn(
        "mosquitto_sub",
        [...args, "-V", version, "-i", "my-thing-sub", "-q", qos, "-t", "my-thing/#", "-C", "2", "-d"],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      t.after(() => subscriber.kill("SIGKILL"));
      let text = "";
      let announce: () => void;
      const subscribed = new Promise<void>((resolve) => (announce = resolve));
      subscriber.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.includes("Subscribed (mid")) announce();
      });
      const ended = new Promise<number | null>((resolve) => subscriber.once("close", resolve));
      await Promise.race([subscribed, ended]);
      const topic = "my-thing/hello";
      const publish = [...args, "-V", version, "-i", "my-thing", "-q", qos, "-t", topic, "-l"];
      const published = await runProgram(t, "mosquitto_pub", publish, "one\ntwo\n");
      assert.equal(published.code, 0, published.stderr);
      assert.equal(await ended, 0, text);
      assert.match(text, /^one$/m);
      assert.match(text, /^two$/m);
    });
  }
}

test(
  "a denied topic closes a 3.1.1 connection without PUBACK, and the log names the absence of a statement",
  { skip },
  async (t) => {
    const { args, cloud } = await cloudWithThing(t);
    const child = spawn("mosquitto_pub", [
      ...[...args, "-V", "mqttv311", "-i", "my-thing", "-q", "1", "-t", "other-thing/hello", "-m", "x", "-d"],
    ]);
    t.after(() => child.kill("SIGKILL"));
    const line = await cloud.logLine((text) => text.includes("other-thing/hello"));
    assert.match(line, /no statement/i);
    assert.match(line, /my-thing/);
  },
);

test("a denied topic answers a version 5 client with PUBACK 0x87 (135)", { skip }, async (t) => {
  const { args } = await cloudWithThing(t);
  const denied = await runProgram(t, "mosquitto_pub", [
    ...[...args, "-V", "mqttv5", "-i", "my-thing", "-q", "1", "-t", "other-thing/hello", "-m", "x", "-d"],
  ]);
  assert.match(denied.stdout + denied.stderr, /RC:135|Not authorized/);
});

test("a denied filter is refused in the SUBACK and the connection stays", { skip }, async (t) => {
  const { args } = await cloudWithThing(t);
  const subscribe = [
    ...args,
    "-V",
    "mqttv311",
    "-i",
    "my-thing",
    "-q",
    "1",
    "-t",
    "other/#",
    "-t",
    "my-thing/#",
    "-E",
    "-d",
  ];
  const done = await runProgram(t, "mosquitto_sub", subscribe);
  assert.match(done.stdout, /128/);
});
