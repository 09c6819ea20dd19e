// `thingline connection`, as people and programs run it, against a running local cloud.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startCloud } from "@thingline/cloud/node";
import { eventsOf, runCommandLine } from "./cli-process.test.support.js";
import { connectClient, createDevice, iotClient, nextEvent } from "./cloud-world.test.support.js";

test("a client is listed, shown, sent to and disconnected by its id", async (context) => {
  const dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  context.after(() => rm(dataDir, { recursive: true, force: true }));
  const cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none", keyPoolSize: 0 });
  context.after(() => cloud.close());
  const run = (...words: string[]) => runCommandLine({ words: ["connection", ...words, "--data-dir", dataDir] });
  const none = await run("list");
  assert.match(none.stderr + none.stdout, /nobody is connected/);
  const credentials = await createDevice(iotClient(context, cloud.addresses.api));
  const device = await connectClient(context, cloud, credentials, { clientId: "pump-7", version: 5, clean: false });
  await device.subscribeAsync("pump/settings", { qos: 1 });
  const listed = await run("list");
  assert.match(listed.stdout, /^pump-7 +connected since \d{4}-/);
  const shown = await run("show", "pump-7");
  assert.match(shown.stdout, /keep alive +60 s\n +session +clean\nsubscriptions\n +pump\/settings {2}QoS 1\n$/);
  const arrived = nextEvent(device, "message") as Promise<[string, Buffer]>;
  const sent = await run("send", "pump-7", "commands/reboot", "now", "--confirm", "--json");
  assert.equal(sent.code, 0, sent.stderr);
  const message = { event: "messageSent", clientId: "pump-7", topic: "commands/reboot", bytes: 3 };
  assert.deepEqual(eventsOf(sent), [{ ...message, isAcknowledged: true }]);
  const [topic, payload] = await arrived;
  assert.deepEqual([topic, payload.toString()], ["commands/reboot", "now"]);
  const ended = await run("delete", "pump-7", "--clean-session", "--no-will");
  assert.match(ended.stdout, /^ended connection and session of pump-7/);
  const away = await run("show", "pump-7", "--json");
  const [{ connected, disconnectReason } = {}] = eventsOf(away) as {
    connected?: unknown;
    disconnectReason?: unknown;
  }[];
  assert.deepEqual([connected, disconnectReason], [false, "API_INITIATED_DISCONNECT"]);
  const refused = await run("send", "pump-7", "commands/reboot");
  assert.match(refused.stderr, /not connected: a direct message is not queued/);
  assert.equal(refused.code, 1);
  const aws = await run("list", "--aws");
  assert.match(aws.stderr, /AWS has no list of connections/);
  assert.equal(aws.code, 2);
  const wrong = await run("send", "pump-7", "t", "x", "--timeout", "3");
  assert.match(wrong.stderr, /--timeout is for --confirm/);
});
