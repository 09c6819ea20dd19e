// `thingline device run`: a device as a program, against a cloud in this process.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { IoTDataPlaneClient, UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { openCredentialFolder } from "@thingline/modem/simulator";
import { createNodeFiles, createNodeKeys, createNodeRandom } from "@thingline/transport/node";
import type { MqttClient } from "mqtt";
import {
  eventsOf,
  runProgram,
  runThinglineAlone,
  runThinglineIn,
  startThinglineIn,
  temporaryFolder,
  thinglineBin,
  type Finished,
  type JsonEvent,
  type RunningProgram,
} from "./cli-process.test.support.js";
import { openTcpBoard } from "./tcp-board.test.support.js";
import { connectClient, createDevice, iotClient, portOf } from "./cloud-world.test.support.js";

const thing = "my-thing";
let folder: string;
let cloud: StartedCloud;
let credentials: { ca: string; certificatePem: string; privateKey: string };

const cloudOptions = (dataDir: string, mqttsPort = 0) =>
  ({ dataDir, mqttsPort, httpsPort: 0, apiPort: 0, limits: "none", keyPoolSize: 0 }) as const;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  cloud = await startCloud(cloudOptions(join(folder, "cloud")));
  const context = { after: () => undefined } as unknown as TestContext;
  const made = await runThinglineIn(context, { cwd: folder }, "thing", "create", thing, "--data-dir", "cloud");
  assert.equal(made.code, 0, made.stderr);
  const read = (name: string) => readFile(join(folder, thing, name), "utf8");
  const [ca, certificatePem, privateKey] = await Promise.all(
    ["ca-cert.pem", "client-cert.pem", "private-key.pem"].map(read),
  );
  assert.ok(ca && certificatePem && privateKey);
  credentials = { ca, certificatePem, privateKey };
});

after(async () => {
  await cloud?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A folder with `prj.conf`, `certs`, and a modem that holds the credentials in tag 201. */
async function prepare(
  t: TestContext,
  { clientId = thing, port = portOf(cloud.addresses.mqtts), lines = [] as string[], hasModem = false } = {},
): Promise<string> {
  const cwd = await temporaryFolder(t);
  await cp(join(folder, thing), join(cwd, "certs"), { recursive: true });
  if (hasModem) {
    const adapters = { files: createNodeFiles(), keys: createNodeKeys(), random: createNodeRandom() };
    await using modem = await openCredentialFolder({ ...adapters, folder: join(cwd, ".thingline/modem") });
    await modem.write(201, "privateKey", credentials.privateKey);
    await modem.write(201, "certificate", credentials.certificatePem);
    await modem.write(201, "ca", credentials.ca);
  }
  const all = [
    "CONFIG_AWS_IOT=y",
    'CONFIG_AWS_IOT_BROKER_HOST_NAME="localhost"',
    `CONFIG_AWS_IOT_PORT=${port}`,
    "CONFIG_AWS_IOT_SEC_TAG=201",
    `CONFIG_AWS_IOT_CLIENT_ID_STATIC="${clientId}"`,
    "CONFIG_AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST=n",
    ...lines,
  ];
  await writeFile(join(cwd, "prj.conf"), all.join("\n"));
  return cwd;
}

const start = (t: TestContext, cwd: string, ...args: string[]) =>
  startThinglineIn(t, { cwd }, "device", "run", "--conf", "prj.conf", ...args, "--json");

const run = (t: TestContext, cwd: string, ...args: string[]) =>
  runThinglineIn(t, { cwd }, "device", "run", "--conf", "prj.conf", ...args, "--json");

/** Another client of the same thing, which sees the messages of one filter. */
async function listen(
  t: TestContext,
  clientId: string,
  filter: string,
): Promise<{ client: MqttClient; messages: [string, string][] }> {
  const messages: [string, string][] = [];
  const client = await connectClient(t, { addresses: cloud.addresses, caPem: credentials.ca }, credentials, {
    clientId,
  });
  client.on("message", (topic, payload) => messages.push([topic, payload.toString()]));
  await client.subscribeAsync(filter, { qos: 1 });
  return { client, messages };
}

/** What ends by itself. */
async function ended(program: RunningProgram): Promise<Finished> {
  if (program.child.exitCode === null) await once(program.child, "exit");
  return program.end("SIGINT");
}

const is = (name: string) => (event: JsonEvent) => event.event === name;

describe("thingline device run", { concurrency: 2 }, () => {
  test("through the modem: connects, shows messages, shadow and deltas, and says goodbye when interrupted", async (t) => {
    const lastWill = ["CONFIG_AWS_IOT_LAST_WILL=y", `CONFIG_AWS_IOT_LAST_WILL_TOPIC="${thing}/a/gone"`];
    const cwd = await prepare(t, { hasModem: true, lines: lastWill });
    const { client, messages } = await listen(t, `${thing}.a`, `${thing}/a/#`);
    // A run before this one left a session without these topics.
    const before = start(t, cwd);
    await before.event(is("ready"));
    assert.equal((await before.end("SIGINT")).code, 0);
    const device = start(t, cwd, "--topic", `${thing}/a/commands/+`, "--shadow");
    const ready = await device.event(is("ready"));
    assert.deepEqual([ready["tls"], ready["refusedFilters"], ready["isPersistentSession"]], ["TLSv1.2", [], true]);
    const none = await device.event(is("shadow"));
    assert.equal(none["topic"], "get/rejected");

    await client.publishAsync(`${thing}/a/commands/open`, "now", { qos: 1 });
    const data = await device.event(({ topic }) => topic === `${thing}/a/commands/open`);
    assert.deepEqual([data.event, data["payload"], data["qos"]], ["data", "now", 1]);

    const plane = new IoTDataPlaneClient({
      endpoint: cloud.addresses.api,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    t.after(() => plane.destroy());
    const payload = new TextEncoder().encode('{"state":{"desired":{"open":true}}}');
    await plane.send(new UpdateThingShadowCommand({ thingName: thing, payload }));
    const delta = await device.event(({ event, topic }) => event === "shadow" && topic === "update/delta");
    assert.equal(delta["version"], 1);
    assert.deepEqual((delta["document"] as { state: unknown }).state, { open: true });

    const finished = await device.end("SIGINT");
    assert.equal(finished.code, 0, finished.stderr);
    const names = eventsOf(finished).map(({ event }) => event);
    assert.deepEqual(names.slice(0, 3), ["connecting", "connected", "ready"]);
    assert.deepEqual(names.slice(-2), ["disconnected", "stopped"]);
    await client.publishAsync(`${thing}/a/marker`, "", { qos: 1 });
    assert.deepEqual(
      messages.map(([topic]) => topic).filter((topic) => topic !== `${thing}/a/commands/open`),
      [`${thing}/a/marker`],
      "no last will: it sent DISCONNECT",
    );
  });

  test("through a board behind a port it does the same, until somebody pulls the cable", async (t) => {
    const cwd = await prepare(t, { hasModem: true, clientId: `${thing}.board` });
    const board = await openTcpBoard(t, { folder: join(cwd, ".thingline/modem") });
    const { client } = await listen(t, `${thing}.e`, `${thing}/e`);
    const device = start(t, cwd, "--tcp", board.where, "--topic", `${thing}/e/commands/+`);
    const ready = await device.event(is("ready"));
    assert.deepEqual([ready["tls"], ready["refusedFilters"]], ["TLSv1.2", []]);
    await client.publishAsync(`${thing}/e/commands/open`, "now", { qos: 1 });
    const data = await device.event(({ topic }) => topic === `${thing}/e/commands/open`);
    assert.deepEqual([data.event, data["payload"], data["qos"]], ["data", "now", 1]);
    board.unplug();
    const { code, stderr } = await ended(device);
    assert.equal(code, 1);
    assert.match(stderr, /the AT channel ended/);
  });

  test("a board that cannot be its way out is told by name", async (t) => {
    const cwd = await prepare(t, { hasModem: true });
    const { where } = await openTcpBoard(t, { folder: join(cwd, ".thingline/modem"), runs: "atClient" });
    const plain = await run(t, cwd, "--tcp", where);
    assert.equal(plain.code, 1);
    assert.match(
      plain.stderr,
      /an AT client[^]*needs Nordic's serial modem application: Serial Modem, or Serial LTE Modem[^]*modem ports/,
    );
    const native = await run(t, cwd, "--tcp", where, "--native-tls");
    assert.equal(native.code, 2);
    assert.match(native.stderr, /leave out --native-tls/);
  });

  test("in a pipe it publishes every line in order and ends with the input", async (t) => {
    const cwd = await prepare(t, { clientId: `${thing}.pipe` });
    const { messages } = await listen(t, `${thing}.b`, `${thing}/lines`);
    const lines = Array.from({ length: 60 }, (_, at) => `line ${at}`);
    const args = ["device", "run", "--conf", "prj.conf", "--native-tls", "--publish", `${thing}/lines`, "--json"];
    const finished = await runProgram(t, process.execPath, [thinglineBin, ...args], lines.join("\n"), { cwd });
    assert.deepEqual([finished.code, finished.stderr], [0, ""]);
    assert.deepEqual(
      messages.map(([, text]) => text),
      lines,
    );
    assert.equal(eventsOf(finished).filter(is("puback")).length, lines.length);
    assert.equal(eventsOf(finished).find(is("ready"))?.["tls"], "TLSv1.3");
  });

  test("with native TLS a message of 4,608 bytes arrives whole", async (t) => {
    const cwd = await prepare(t, { clientId: `${thing}.large` });
    const { client } = await listen(t, `${thing}.l`, `${thing}/l`);
    const device = start(t, cwd, "--native-tls", "--topic", `${thing}/large`);
    await device.event(is("ready"));
    const text = "0123456789abcdef".repeat(288);
    await client.publishAsync(`${thing}/large`, text, { qos: 1 });
    const message = await device.event(({ topic }) => topic === `${thing}/large`);
    assert.deepEqual([message.event, message["payload"]], ["data", text]);
    const { code, stderr } = await device.end("SIGINT");
    assert.deepEqual([code, stderr], [0, ""]);
  });

  test("for people it prints lines, with what a peer sent escaped, and lists the configuration", async (t) => {
    const cwd = await prepare(t, {
      clientId: `${thing}.text`,
      lines: ["CONFIG_GPIO=y", "CONFIG_DOWNLOAD_CLIENT_MAX_HOSTNAME_SIZE=64"],
    });
    await writeFile(join(cwd, "overlay.conf"), "CONFIG_MQTT_KEEPALIVE=90\nCONFIG_AWS_IOT_SEC_TAG=202\n");
    const { client } = await listen(t, `${thing}.c`, `${thing}/c`);
    const args = ["--conf", "overlay.conf", "--native-tls", "--topic", `${thing}/text`, "--verbose"];
    const device = startThinglineIn(t, { cwd }, "device", "run", "--conf", "prj.conf", ...args);
    await device.textLine((line) => / ready {8}my-thing\.text at localhost:\d+, TLSv1\.3$/.test(line));
    await client.publishAsync(`${thing}/text`, "\u001b[2Jred", { qos: 1 });
    await device.textLine((line) => line.endsWith(`message      ${thing}/text  \\u001b[2Jred`));
    const { code, stdout, stderr } = await device.end("SIGTERM");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^ {2}CONFIG_AWS_IOT_SEC_TAG=202 {2}overlay\.conf:2, over prj\.conf:4$/m);
    assert.match(stdout, /^in effect\n {2}CONFIG_AWS_IOT=y {2}prj\.conf:1$/m);
    assert.match(
      stdout,
      /^checked; firmware updates have bounds.*\n {2}CONFIG_DOWNLOAD_CLIENT_MAX_HOSTNAME_SIZE=64 {2}prj\.conf:8$/m,
    );
    assert.match(stdout, /^kept; not Thingline's\n {2}CONFIG_GPIO=y {2}prj\.conf:7$/m);
    assert.match(stdout, / disconnected userRequest\n$/);
    assert.match(
      stderr,
      /^warning: prj\.conf:8: CONFIG_DOWNLOAD_CLIENT_MAX_HOSTNAME_SIZE=64 has no effect: it needs CONFIG_DOWNLOAD_CLIENT/,
    );
  });

  test("it comes back when the cloud does, and can be stopped while it waits", async (t) => {
    const dataDir = join(await temporaryFolder(t), "cloud");
    const first = await startCloud(cloudOptions(dataDir));
    t.after(() => first.close());
    const port = portOf(first.addresses.mqtts);
    const cwd = await prepare(t, { port });
    const { certificatePem, privateKey } = await createDevice(iotClient(t, first.addresses.api));
    await writeFile(join(cwd, "certs/ca-cert.pem"), first.caPem);
    await writeFile(join(cwd, "certs/client-cert.pem"), certificatePem);
    await writeFile(join(cwd, "certs/private-key.pem"), privateKey);
    const device = start(t, cwd, "--native-tls");
    await device.event(is("ready"));
    await first.close();
    const lost = await device.event(is("disconnected"));
    assert.equal(lost["reason"], "closedByRemote");
    assert.ok(Number(lost["retryInMs"]) >= 1000);
    const second = await startCloud(cloudOptions(dataDir, port));
    t.after(() => second.close());
    const back = await device.event((event) => event.event === "ready" && event["isPersistentSession"] === true);
    assert.equal(back["tls"], "TLSv1.3");
    await second.close();
    await device.event((event) => event.event === "connecting" && event["result"] === "network");
    const finished = await device.end("SIGINT");
    assert.equal(finished.code, 0, finished.stderr);
    assert.deepEqual(eventsOf(finished).at(-1), { event: "stopped" });
  });

  test("interrupted before it was ready, it ends at once as every command does", async (t) => {
    const server = createServer((socket) => socket.on("error", () => undefined).resume());
    const accepted = new Promise((resolve) => server.once("connection", resolve));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const { port } = server.address() as { port: number };
    const device = start(
      t,
      await prepare(t, {
        port,
        hasModem: true,
        lines: ['CONFIG_AWS_IOT_STATIC_IPV4=y\nCONFIG_AWS_IOT_STATIC_IPV4_ADDR="127.0.0.1"'],
      }),
    );
    await accepted;
    const finished = await device.end("SIGTERM");
    assert.equal(finished.code, 143, finished.stderr);
    assert.equal(eventsOf(finished).at(-1)?.["code"], "ABORTED");
    assert.match(finished.stderr, /^stopped: by SIGTERM$/m);
  });

  test("what keeps it from connecting is said with what to do next", async (t) => {
    const failure = async (cwd: string, ...args: string[]) => {
      const finished = await run(t, cwd, ...args);
      assert.equal(finished.code, 1, finished.stderr);
      assert.doesNotMatch(finished.stderr, /^ +at /m, "no stack trace");
      const error = eventsOf(finished).at(-1);
      assert.equal(error?.event, "error", finished.stdout);
      return { code: error["code"], message: String(error["message"]), hint: String(error["hint"]) };
    };
    const denied = await failure(await prepare(t, { clientId: "somebody-else" }), "--native-tls");
    assert.equal(denied.code, "CONNECTION_LOST");
    assert.match(denied.message, /allows iot:Connect for client id "somebody-else"/);
    assert.match(denied.hint, /log of the local cloud.*says why/);

    const will = ["CONFIG_AWS_IOT_LAST_WILL=y"];
    const deniedWill = await failure(await prepare(t, { clientId: `${thing}.will`, lines: will }), "--native-tls");
    assert.match(deniedWill.message, /and iot:Publish on the topic of its last will, "lastwilltopic"/);

    const empty = await failure(await prepare(t));
    assert.equal(empty.code, "CREDENTIAL_MISSING");
    assert.match(empty.hint, /`thing create` wrote.*modem write --sec-tag 201/);

    const broken = await prepare(t, { lines: ["CONFIG_AWS_IOT_SECTAG=1", "CONFIG_MQTT_KEEPALIVE=soon"] });
    const { code, message } = await failure(broken);
    assert.equal(code, "KCONFIG_INVALID");
    assert.deepEqual(message.split("\n"), [
      "prj.conf:7: there is no option CONFIG_AWS_IOT_SECTAG; did you mean CONFIG_AWS_IOT_SEC_TAG?",
      'prj.conf:8: CONFIG_MQTT_KEEPALIVE is of type int: expected a decimal number without quotes, got "soon"',
    ]);

    const noFiles = await failure(await prepare(t), "--native-tls", "--certs", "nowhere");
    assert.deepEqual([noFiles.code, noFiles.message], ["FILE_NOT_FOUND", "nowhere is an empty folder, or not there"]);
  });

  test("the aws_iot sample's own file runs, and what has no effect here is said", async (t) => {
    const cwd = await prepare(t, { clientId: `${thing}.sample` });
    const sample = await readFile(new URL("../../../tests/fixtures/aws_iot/prj.conf", import.meta.url), "utf8");
    const text = sample.replace("example.endpoint.com", "localhost").replace('"my-thing"', `"${thing}"`);
    await writeFile(join(cwd, "prj.conf"), text);
    // The policy has to allow the last will, or the cloud denies the connection.
    const overlay = `CONFIG_AWS_IOT_PORT=${portOf(cloud.addresses.mqtts)}\nCONFIG_AWS_IOT_LAST_WILL_TOPIC="${thing}/will"\n`;
    await writeFile(join(cwd, "overlay.conf"), overlay);
    const args = ["--conf", "overlay.conf", "--native-tls", "--topic", `${thing}/one`, "--publish", `${thing}/out`];
    const finished = await runThinglineAlone(t, { cwd }, "device", "run", "--conf", "prj.conf", ...args, "--json");
    assert.equal(finished.code, 0, finished.stderr);
    assert.deepEqual(
      eventsOf(finished)
        .filter(is("warning"))
        .map(({ name }) => name),
      ["AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT"],
    );
    assert.ok(eventsOf(finished).some(is("ready")));
  });
});
