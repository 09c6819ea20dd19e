// `thingline cloud ...` as a process: what other programs rely on, and what goes wrong on a developer's machine.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { isAbsolute, join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { CreateThingCommand, IoTClient, ListThingsCommand } from "@aws-sdk/client-iot";
import { snapshotBytesMax, startCloud } from "@thingline/cloud/node";
import mqtt from "mqtt";
import {
  eventsOf,
  runCommandLine,
  runThingline,
  runThinglineAlone,
  runThinglineIn,
  startThingline,
  startThinglineIn,
  temporaryFolder,
  type Finished,
} from "./cli-process.test.support.js";

/** Nobody listens there: it is called when a template says so. */
const aFunction = ["--function", "hook=http://127.0.0.1:9/"];
const freePorts = ["--mqtts-port", "0", "--https-port", "0", "--api-port", "0"];

function errorOf(finished: Finished) {
  const error = eventsOf(finished).at(-1);
  assert.equal(error?.event, "error", finished.stdout);
  assert.doesNotMatch(finished.stderr, /^ +at /m, "no stack trace");
  return { code: String(error["code"]), message: String(error["message"]), hint: String(error["hint"]) };
}

function client(t: TestContext, endpoint: string): IoTClient {
  const iot = new IoTClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  t.after(() => iot.destroy());
  return iot;
}

/** The status that answers a body in chunks, which is sent without looking at the answer. */
function statusOfChunked(url: string, lengthBytes: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: "POST" }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once("error", reject);
    asked.setHeader("transfer-encoding", "chunked");
    const chunk = new Uint8Array(1024 * 1024);
    for (let rest = lengthBytes; rest > 0; rest -= chunk.length) asked.write(chunk.subarray(0, rest));
    asked.end();
  });
}

describe("thingline cloud", { concurrency: 2 }, () => {
  test("start --json announces itself, keeps the log off standard output, and SIGTERM ends it with 0", async (t) => {
    const dataDir = join(await temporaryFolder(t), "cloud");
    const cloud = startThingline(t, "cloud", "start", "--data-dir", dataDir, ...freePorts, "--json", ...aFunction);
    const ready = await cloud.event(() => true);
    const { mqtts, https, api, objects, credentials, ca, ...rest } = ready;
    assert.deepEqual(rest, { event: "ready", mqtt: null, vending: "off" });
    assert.match(String(objects), /^https:\/\/localhost:\d+$/);
    assert.match(String(credentials), /^localhost:\d+$/);
    assert.match(String(mqtts), /^localhost:\d+$/);
    assert.match(String(https), /^localhost:\d+$/);
    assert.match(String(api), /^http:\/\/localhost:\d+$/);
    assert.ok(isAbsolute(String(ca)));
    assert.match(await readFile(String(ca), "utf8"), /^-----BEGIN CERTIFICATE-----/);
    const cloudFile = join(dataDir, "cloud.json");
    assert.equal((JSON.parse(await readFile(cloudFile, "utf8")) as { api: string }).api, api);

    await t.test("its data directory is its own", async (t) => {
      const finished = await runThingline(t, "cloud", "start", "--data-dir", dataDir, ...freePorts, "--json");
      assert.equal(finished.code, 1);
      const { code, message, hint } = errorOf(finished);
      assert.equal(code, "LOCKED");
      assert.match(message, new RegExp(`process ${cloud.child.pid}`));
      assert.match(hint, /--data-dir of its own, and ports: --mqtts-port 0 --https-port 0 --api-port 0/);
    });
    await t.test("its ports are in use, and the error names the option that chooses another", async (t) => {
      for (const [name, port] of [
        ["mqtts", mqtts],
        ["api", api],
      ] as const) {
        const taken = String(port).split(":").at(-1) ?? "";
        const other = join(dataDir, "..", name);
        const args = ["--data-dir", other, ...freePorts, `--${name}-port`, taken, "--json"];
        const finished = await runThingline(t, "cloud", "start", ...args);
        assert.equal(finished.code, 1, finished.stderr);
        const { code, message, hint } = errorOf(finished);
        assert.equal(code, "PORT_IN_USE");
        assert.match(message, new RegExp(`port ${taken} .*--${name}-port`));
        assert.match(hint, /port 0 picks a free one.*--mqtts-port 0 --https-port 0 --api-port 0/);
        assert.ok(!(await readdir(other)).includes("cloud.json"), "nobody is told about a cloud that did not start");
      }
    });

    const finished = await cloud.end("SIGTERM");
    assert.equal(finished.code, 0, finished.stderr);
    assert.deepEqual(
      eventsOf(finished).map(({ event }) => event),
      ["ready", "stopped"],
    );
    for (const line of finished.stderr.trim().split("\n").slice(0, -1)) assert.ok(JSON.parse(line));
    assert.deepEqual(
      (await readdir(dataDir)).filter((name) => name === "cloud.json"),
      [],
    );
  });

  test("--memory keeps nothing, plain MQTT is on when asked for, and Ctrl-C ends it with 0", async (t) => {
    const folder = await temporaryFolder(t);
    const args = ["--memory", ...freePorts, "--mqtt-port", "0", "--vending", "aws-handler"];
    const cloud = startThinglineIn(t, { cwd: folder, env: { TMPDIR: folder } }, "cloud", "start", ...args);
    await cloud.textLine((line) => line === "ready  local AWS IoT Core, account 123456789012, region us-east-1");
    const plain = await cloud.textLine((line) => /^ {2}plain MQTT, allow-all +localhost:\d+$/.test(line));
    await cloud.textLine((line) => line.startsWith("  vending service         function aws-handler is called"));
    const sdks = await cloud.textLine((line) => line.startsWith("  AWS SDKs and AWS CLI"));
    assert.ok(sdks.length <= 80, sdks);
    const api = /http:\S+/.exec(sdks)?.[0] ?? "";
    await client(t, api).send(new CreateThingCommand({ thingName: "forgotten" }));
    assert.deepEqual(await askForCredentials(plain.replace(/^.* /, "")), ["cert", "key"]);
    const { code, stdout } = await cloud.end("SIGINT");
    assert.equal(code, 0);
    assert.match(stdout, /stopped by SIGINT\n$/);
    assert.doesNotMatch(stdout, /thing create/, "no command finds a cloud without a data directory");
    assert.deepEqual(await readdir(folder), []);
  });

  test("an address that is none of this machine's is blamed on --host", async (t) => {
    const folder = await temporaryFolder(t);
    const args = ["--data-dir", join(folder, "c"), ...freePorts, "--host", "192.0.2.1"];
    const finished = await runThingline(t, "cloud", "start", ...args, "--json");
    assert.equal(finished.code, 1);
    const { code, message } = errorOf(finished);
    assert.equal(code, "OPTION_INVALID");
    assert.match(message, /192\.0\.2\.1.*--host/);
  });

  test("wrong usage is exit code 2, before anything is made", async (t) => {
    const folder = await temporaryFolder(t);
    const cases: [string[], RegExp][] = [
      [["cloud", "start", "--nope"], /unknown option '--nope'/],
      [["cloud", "start", "--mqtts-port", "70000"], /'70000' is invalid. A port/],
      [["cloud", "start", "--mqtts-port", "18883", "--https-port", "18883"], /two of the ports are the same/],
      [["cloud", "start", "--account", "12"], /--account is 12 digits/],
      [["cloud", "start", "--region", "moon"], /--region is a name like us-east-1/],
      [["cloud", "start", "--name", "bad host"], /--name is a host name/],
      [["cloud", "start", "--data-dir", ""], /A path must not be empty/],
      [["cloud", "start", "--log-level", "loud"], /Allowed choices are debug, info, warn, error/],
      [["cloud", "start", "extra"], /too many arguments/],
      [["cloud", "reset"], /say --yes/],
      [["cloud", "snapshot"], /missing required argument 'file'/],
      [["nonsense"], /unknown command 'nonsense'/],
      [["cloud"], /Usage: thingline cloud/],
      [[], /Usage: thingline/],
      [["thing", "create"], /missing required argument 'name'/],
      [["thing", "create", "x", "--sec-tag", "-1"], /A security tag is a number/],
      [["provision"], /required option '--conf <file>'/],
      [["provision", "--conf", "x", "--timeout", "0"], /A time in seconds/],
      [["provision", "--conf", "x", "--client-id", "a/b"], /A device's id has/],
      [["device", "run"], /required option '--conf <file>'/],
      [["device", "run", "--conf", "x", "--sec-tag", "x"], /A security tag is a number/],
      [["device"], /Usage: thingline device/],
      [["modem", "write", "--sec-tag", "1"], /say what to write: --from/],
      [["modem", "at", " "], /say which AT command/],
      [["demo", "--device-id", ""], /A device's id has/],
    ];
    const runs = await Promise.all(cases.map(([words]) => runCommandLine({ words, cwd: folder })));
    for (const [at, [args, expected]] of cases.entries()) {
      const { code, stdout, stderr } = runs[at]!;
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /^ +at /m);
      assert.equal(stdout, "");
    }
    const alone = await runThinglineAlone(t, { cwd: folder }, ...cases[0]![0]);
    assert.deepEqual(alone, runs[0], "a process of its own does the same");
    assert.deepEqual(await readdir(folder), []);
    const asJson = await runThingline(t, "cloud", "start", "--nope", "--json");
    assert.equal(asJson.code, 2);
    assert.equal(eventsOf(asJson)[0]?.["code"], "USAGE");
  });

  test("every command has help, which fits a terminal of 80 columns", async (t) => {
    const commands = [
      "",
      ...[
        "demo",
        "device run",
        "cloud start",
        "cloud check",
        "cloud reset",
        "cloud snapshot",
        "cloud restore",
        "cloud status",
        "cloud vending",
        "thing create",
        "claim create",
      ],
      ...["provision", "modem write", "modem verify", "modem list", "modem delete", "modem generate-key"],
      ...["modem at", "modem ports"],
    ];
    const surroundings: Record<string, string>[] = [{}, { npm_command: "exec" }];
    for (const env of surroundings) {
      for (const command of commands) {
        const words = [...command.split(" ").filter(Boolean), "--help"];
        const { code, stdout, stderr } = await runCommandLine({ words, env: { COLUMNS: "80", ...env } });
        assert.equal(code, 0, stderr);
        assert.ok(stdout.startsWith(`Usage: thingline ${command}`), stdout);
        if (command !== "") assert.match(stdout, /--json/);
        for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
      }
    }
    const { stdout } = await runThingline(t, "--version");
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  test("snapshot, reset and restore of a running cloud", async (t) => {
    const folder = await temporaryFolder(t);
    const dataDir = join(folder, "cloud");
    const cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, keyPoolSize: 0 });
    t.after(() => cloud.close());
    const iot = client(t, cloud.addresses.api);
    const things = async () => (await iot.send(new ListThingsCommand({}))).things?.map(({ thingName }) => thingName);
    await iot.send(new CreateThingCommand({ thingName: "kept" }));
    const file = join(folder, "state.json");
    const run = (...args: string[]) => runThingline(t, "cloud", ...args, "--data-dir", dataDir, "--json");

    const snapshot = await run("snapshot", file);
    assert.equal(snapshot.code, 0, snapshot.stderr);
    const { mode, size } = await stat(file);
    assert.equal(mode & 0o777, 0o600, "it holds private keys");
    assert.deepEqual(eventsOf(snapshot), [{ event: "snapshot", file, bytes: size }]);

    const reset = await run("reset", "--yes");
    assert.equal(reset.code, 0, reset.stderr);
    assert.deepEqual(await things(), []);

    const restored = await run("restore", file);
    assert.equal(restored.code, 0, restored.stderr);
    assert.deepEqual(await things(), ["kept"]);

    await writeFile(file, "{}");
    const refused = await run("restore", file);
    assert.equal(refused.code, 1);
    assert.equal(errorOf(refused).code, "CLOUD_REQUEST_REFUSED");
    assert.match(errorOf(refused).message, /\(400\): [^{]/, "the reason, not its JSON");
    assert.deepEqual(await things(), ["kept"], "what was there stays");
    assert.equal(errorOf(await run("restore", join(folder, "absent.json"))).code, "FILE_NOT_FOUND");
    // A file with a hole: it takes no room.
    await truncate(file, snapshotBytesMax + 1);
    const tooLarge = errorOf(await run("restore", file));
    assert.equal(tooLarge.code, "FILE_TOO_LARGE", "what the cloud would not take is not sent");
    assert.match(tooLarge.message, new RegExp(`at most ${snapshotBytesMax} `));
    // Others than our command do not say the length beforehand. What is taken is no snapshot.
    const restore = `${cloud.addresses.api}/_thingline/restore`;
    assert.equal(await statusOfChunked(restore, snapshotBytesMax), 400);
    assert.equal(await statusOfChunked(restore, snapshotBytesMax + 1), 413);
    assert.deepEqual(await things(), ["kept"]);
  });

  test("commands that need a running cloud say that none runs, and how to start one", async (t) => {
    const folder = await temporaryFolder(t);
    const surroundings = { cwd: folder };
    const cases = [
      ["cloud", "snapshot", "state.json"],
      ["cloud", "reset", "--yes"],
      ["thing", "create", "my-thing"],
      ["claim", "create"],
    ];
    const runs = cases.map(async (args) => {
      const finished = await runThinglineIn(t, surroundings, ...args, "--data-dir", "my-cloud", "--json");
      assert.equal(finished.code, 1);
      const { code, message, hint } = errorOf(finished);
      assert.equal(code, "CLOUD_NOT_RUNNING");
      assert.match(message, /no local cloud runs on "my-cloud"/);
      assert.match(hint, /thingline cloud start --data-dir my-cloud$/);
    });
    await Promise.all(runs);
    assert.deepEqual(await readdir(folder), []);
  });

  test("a cloud that was killed is told from one that never ran", async (t) => {
    const dataDir = await temporaryFolder(t);
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const left = { mqtts: "x:1", https: "x:1", api: "http://x:1", mqtt: null, ca: "x", account: "x", region: "x" };
    await writeFile(join(dataDir, "cloud.json"), JSON.stringify({ ...left, processId: pid }));
    const { code, message } = errorOf(
      await runThingline(t, "cloud", "reset", "--yes", "--data-dir", dataDir, "--json"),
    );
    assert.equal(code, "CLOUD_NOT_RUNNING");
    assert.match(message, new RegExp(`process ${pid}\\) has died without closing`));
  });

  test("an answer of another program at the cloud's address is no success", async (t) => {
    const dataDir = join(await temporaryFolder(t), "cloud");
    const cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, keyPoolSize: 0 });
    t.after(() => cloud.close());
    // As after a crash whose process id was given to somebody else.
    const cloudFile = join(dataDir, "cloud.json");
    const running = JSON.parse(await readFile(cloudFile, "utf8")) as Record<string, unknown>;
    await writeFile(cloudFile, JSON.stringify({ ...running, api: "http://127.0.0.1:1" }));
    const reset = await runThingline(t, "cloud", "reset", "--yes", "--data-dir", dataDir, "--json");
    assert.equal(errorOf(reset).code, "CLOUD_NOT_RUNNING");
    const create = await runThingline(t, "thing", "create", "x", "--data-dir", dataDir, "--out", "x", "--json");
    assert.equal(create.code, 1);
    assert.equal(errorOf(create).code, "ECONNREFUSED");
  });
});

/** As the original's firmware asks, by an outside client. @returns what came, by the last level of its topic */
async function askForCredentials(endpoint: string): Promise<string[]> {
  const device = await mqtt.connectAsync(`mqtt://${endpoint}`, { clientId: "claim-pump-7", protocolVersion: 4 });
  const came = new Promise<string[]>((resolve) => {
    const found: string[] = [];
    device.on("message", (topic) => {
      found.push(topic.split("/").at(-1) ?? "");
      if (found.length === 2) resolve(found.sort());
    });
  });
  await device.subscribeAsync("certificate/claim-pump-7/create/accepted/+", { qos: 1 });
  await device.publishAsync("certificate/claim-pump-7/create", "");
  const found = await came;
  await device.endAsync();
  return found;
}
