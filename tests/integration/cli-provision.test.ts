// From a claim to a provisioned device with nothing but the command line, and everything that goes wrong on the way.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  AttachPolicyCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  DeleteCertificateCommand,
  IoTClient,
  ListThingPrincipalsCommand,
  UpdateCertificateCommand,
} from "@aws-sdk/client-iot";
import { claimPolicyDocument } from "@thingline/cloud";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { openCredentialFolder } from "@thingline/modem/simulator";
import { createNodeFiles, createNodeKeys, createNodeRandom } from "@thingline/transport/node";
import {
  eventsOf,
  runThinglineIn,
  startThinglineIn,
  temporaryFolder,
  thinglineBin,
  type Finished,
} from "./cli-process.test.support.js";
import { openTcpBoard } from "./tcp-board.test.support.js";
import { portOf, RecordingLog } from "./cloud-world.test.support.js";

interface Claim {
  certificateId: string;
  certificateArn: string;
  certificate: string;
  privateKey: string;
}

const sample = fileURLToPath(new URL("../../../tests/fixtures/aws_iot_provisioning/", import.meta.url));
const log = new RecordingLog();
let dataDir: string;
let cloud: StartedCloud;
let iot: IoTClient;
let claim: Claim;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  // AWS's limit of one connection a second for each client id would only cost time here.
  cloud = await startCloud({
    dataDir,
    mqttsPort: 0,
    httpsPort: 0,
    apiPort: 0,
    serverNames: ["broker.test"],
    limits: "none",
    vending: "builtin",
    log,
  });
  iot = new IoTClient({
    endpoint: cloud.addresses.api,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  await iot.send(new CreatePolicyCommand({ policyName: "claim", policyDocument: claimPolicyDocument }));
  claim = await issue("claim");
});

after(async () => {
  iot?.destroy();
  await cloud?.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function issue(policyName?: string): Promise<Claim> {
  const issued = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateArn = "", certificateId = "", certificatePem = "", keyPair } = issued;
  if (policyName !== undefined) await iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
  return { certificateArn, certificateId, certificate: certificatePem, privateKey: keyPair?.PrivateKey ?? "" };
}

/** A folder with a modem that holds a claim in tag 43, and a `prj.conf` for it. */
async function prepare(
  t: TestContext,
  clientId: string,
  { credentials = claim, ca = cloud.caPem, port = portOf(cloud.addresses.mqtts), host = "localhost" } = {},
): Promise<string> {
  const cwd = await temporaryFolder(t);
  const adapters = { files: createNodeFiles(), keys: createNodeKeys(), random: createNodeRandom() };
  await using modem = await openCredentialFolder({ ...adapters, folder: join(cwd, ".thingline/modem") });
  await modem.write(43, "privateKey", credentials.privateKey);
  await modem.write(43, "certificate", credentials.certificate);
  await modem.write(43, "ca", ca);
  await writeFile(
    join(cwd, "prj.conf"),
    [
      "CONFIG_AWS_IOT=y",
      `CONFIG_AWS_IOT_BROKER_HOST_NAME="${host}"`,
      `CONFIG_AWS_IOT_PORT=${port}`,
      "CONFIG_AWS_IOT_SEC_TAG=43",
      `CONFIG_AWS_IOT_CLIENT_ID_STATIC="${clientId}"`,
    ].join("\n"),
  );
  return cwd;
}

/** The sample's own file with host name and client id changed, and the port of a cloud that is not on 8883. */
async function copySample(cwd: string, clientId: string): Promise<void> {
  const text = (await readFile(join(sample, "prj.conf"), "utf8"))
    .replace('"hostname"', '"localhost"')
    .replace('"client-id"', `"${clientId}"`);
  await writeFile(join(cwd, "prj.conf"), `${text}\nCONFIG_AWS_IOT_PORT=${portOf(cloud.addresses.mqtts)}\n`);
  await writeFile(join(cwd, "overlay-native_tls.conf"), await readFile(join(sample, "overlay-native_tls.conf")));
}

const provision = (t: TestContext, cwd: string, ...args: string[]) =>
  runThinglineIn(t, { cwd }, "provision", "--conf", "prj.conf", ...args, "--json");

function succeeded(finished: Finished) {
  assert.equal(finished.code, 0, finished.stderr);
  assert.doesNotMatch(
    finished.stdout + finished.stderr,
    /BEGIN [A-Z ]*(KEY|CERTIFICATE)/,
    "no key or certificate is shown",
  );
  return eventsOf(finished);
}

function failed(finished: Finished) {
  assert.equal(finished.code, 1, finished.stderr);
  assert.doesNotMatch(finished.stdout + finished.stderr, /BEGIN [A-Z ]*(KEY|CERTIFICATE)/);
  assert.doesNotMatch(finished.stderr, /^ +at /m, "no stack trace");
  const events = eventsOf(finished);
  const error = events.at(-1);
  assert.equal(error?.event, "error", finished.stdout);
  return { code: String(error["code"]), message: String(error["message"]), hint: String(error["hint"]), events };
}

async function tagsOf(t: TestContext, cwd: string): Promise<string[]> {
  const entries = succeeded(await runThinglineIn(t, { cwd }, "modem", "list", "--json"));
  return entries.map(({ secTag, type }) => `${String(secTag)} ${String(type)}`);
}

const fullTags = ["43 ca", "43 certificate", "43 privateKey", "50 ca", "50 certificate", "50 privateKey"];

describe("from a claim to a provisioned device", { concurrency: 2 }, () => {
  test("the commands of the README, one after the other; a second provision connects with what is there", async (t) => {
    const cwd = await temporaryFolder(t);
    const run = async (...args: string[]) => succeeded(await runThinglineIn(t, { cwd }, ...args, "--json"));
    const [created] = await run("claim", "create", "--data-dir", dataDir);
    assert.equal(created?.event, "claimCreated");
    assert.deepEqual([created?.["vending"], created?.["isVendingChanged"]], ["builtin", false]);
    const claimFiles = (await readdir(join(cwd, "claim"))).sort();
    assert.deepEqual(claimFiles, [
      ".gitignore",
      "ca-cert.pem",
      "certificate.json",
      "client-cert.pem",
      "private-key.pem",
      "prj.conf",
    ]);

    const written = await run("modem", "write", "--sec-tag", "43", "--from", "claim");
    assert.deepEqual(
      written.filter(({ type }) => type !== undefined).map(({ secTag, type }) => [secTag, type]),
      [
        [43, "privateKey"],
        [43, "certificate"],
        [43, "ca"],
      ],
    );
    const first = await run("provision", "--conf", "claim/prj.conf");
    const steps = first.filter(({ event }) => event === "stepFinished");
    assert.equal(steps.filter(({ result }) => result === "done").length, 12);
    const provisioned = first.at(-1);
    assert.deepEqual(
      [provisioned?.event, provisioned?.["clientId"], provisioned?.["isNew"], provisioned?.["secTag"]],
      ["provisioned", "my-device", true, 50],
    );
    assert.deepEqual(await tagsOf(t, cwd), fullTags);
    const { principals } = await iot.send(new ListThingPrincipalsCommand({ thingName: "my-device" }));
    assert.deepEqual(
      principals?.map((arn) => arn.split("/").at(-1)),
      [provisioned?.["certificateId"]],
    );

    // No flag says where the claim is: it lies beside the configuration.
    const native = ["provision", "--conf", "claim/prj.conf", "--native-tls", "--client-id", "my-native"];
    const application = (await run(...native, "--state-dir", "application")).at(-1);
    assert.deepEqual([application?.["tls"], application?.["isNew"]], ["TLSv1.3", true]);

    const second = await run("provision", "--conf", "claim/prj.conf");
    assert.deepEqual(
      second.filter(({ event, result }) => event === "stepFinished" && result === "done").map(({ name }) => name),
      ["connectLte", "connectDevice"],
    );
    const again = second.at(-1);
    assert.deepEqual([again?.["isNew"], again?.["certificateId"]], [false, provisioned?.["certificateId"]]);

    // A claim becomes no device that somebody is already.
    const anew = ["provision", "--conf", "claim/prj.conf", "--reset"];
    const taken = failed(await runThinglineIn(t, { cwd }, ...anew, "--json"));
    assert.equal(taken.code, "PROVISIONING_REJECTED");
    assert.match(taken.message, /there is a device "my-device" with a certificate of its own/);
    const certificateId = String(provisioned?.["certificateId"]);
    await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" }));
    const third = await run(...anew);
    assert.equal(third.at(-1)?.["isNew"], true);
    assert.notEqual(third.at(-1)?.["certificateId"], provisioned?.["certificateId"]);
  });

  test("for people: each step on a line of its own, then what became of it", async (t) => {
    const cwd = await prepare(t, "readable");
    const { code, stdout, stderr } = await runThinglineIn(t, { cwd }, "provision", "--conf", "prj.conf");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Provisioning readable at localhost:\d+, TLS in the modem\n✓ {2}1\/12 {2}connect LTE/);
    assert.match(
      stdout,
      /\nprovisioned {2}readable, certificate [0-9a-f]{10}… in security tag 50\n {2}thing readable, named by the client id of CONFIG_AWS_IOT_CLIENT_ID_STATIC\nNext.*\n {2}thingline device run --conf prj\.conf --sec-tag 50\n$/,
    );
    for (const line of stdout.split("\n")) assert.ok(line.length <= 90, line);
  });

  test("the sample's own prj.conf works with host name and client id changed", async (t) => {
    const cwd = await prepare(t, "unused");
    await copySample(cwd, "sample-1");
    const events = succeeded(await provision(t, cwd));
    assert.deepEqual(
      events.filter(({ event }) => event === "warning"),
      [],
    );
    assert.equal(events.at(-1)?.["clientId"], "sample-1");
    assert.equal(events.at(-1)?.["tls"], "TLSv1.2");
  });

  test("split messages with a key of the modem's own: the certificate alone is sent", async (t) => {
    const cwd = await prepare(t, "own-key");
    const events = succeeded(await provision(t, cwd, "--method", "split-modem-key"));
    const done = events.filter(({ event, result }) => event === "stepFinished" && result === "done");
    assert.ok(done.some(({ name }) => name === "makeKey"));
    assert.deepEqual([events.at(-1)?.["clientId"], events.at(-1)?.["method"]], ["own-key", "split-modem-key"]);
    assert.deepEqual(await tagsOf(t, cwd), fullTags);
  });

  test("a board behind a port is provisioned the same way, and what follows names the port again", async (t) => {
    const cwd = await prepare(t, "pump-board");
    const { where } = await openTcpBoard(t, { folder: join(cwd, ".thingline/modem") });
    const words = ["provision", "--conf", "prj.conf", "--tcp", where, "--method", "split-modem-key"];
    const provisioned = await runThinglineIn(t, { cwd }, ...words);
    assert.equal(provisioned.code, 0, provisioned.stderr);
    assert.match(provisioned.stdout, /provisioned {2}pump-board, certificate \w+… in security tag 50/);
    assert.match(provisioned.stdout, new RegExp(`device run --conf prj.conf --sec-tag 50 --tcp ${where}`));
    const many = await runThinglineIn(t, { cwd }, ...words, "--count", "2");
    assert.equal(many.code, 2);
    assert.match(many.stderr, /leave out --port and --tcp/);
  });

  test("with overlay-native_tls.conf the application does TLS with the files of --certs, at a static address", async (t) => {
    const cwd = await prepare(t, "unused");
    await copySample(cwd, "sample-2");
    // No DNS knows the name, and no certificate but the cloud's has it.
    const address = 'CONFIG_AWS_IOT_STATIC_IPV4=y\nCONFIG_AWS_IOT_STATIC_IPV4_ADDR="127.0.0.1"\n';
    await writeFile(join(cwd, "static.conf"), `CONFIG_AWS_IOT_BROKER_HOST_NAME="broker.test"\n${address}`);
    const overlay = ["--conf", "overlay-native_tls.conf", "--conf", "static.conf"];
    const missing = failed(await provision(t, cwd, ...overlay));
    assert.equal(missing.code, "FILE_NOT_FOUND");
    assert.match(missing.message, /certs\/\S+ is missing; .*ca-cert\.pem, client-cert\.pem, private-key\.pem/);

    const created = await runThinglineIn(t, { cwd }, "claim", "create", "here", "--data-dir", dataDir);
    assert.equal(created.code, 0, created.stderr);
    const events = succeeded(await provision(t, cwd, ...overlay, "--certs", "here"));
    assert.equal(events.at(-1)?.["tls"], "TLSv1.3");
    assert.deepEqual(await tagsOf(t, cwd), fullTags.slice(0, 3), "the new credentials are not in the modem");
    const stored = await readdir(join(cwd, ".thingline/modem/device/tls-credentials"));
    assert.ok(stored.length > 0);
  });

  test("SIGINT during a step ends it at once, gives the modem back, and the next run goes on", async (t) => {
    // Nobody answers there, so it is still connecting.
    const cwd = await prepare(t, "interrupted", { port: 1 });
    const program = startThinglineIn(t, { cwd }, "provision", "--conf", "prj.conf", "--json");
    await program.event(({ event }) => event === "note");
    const locked = failed(await runThinglineIn(t, { cwd }, "modem", "list", "--json"));
    assert.equal(locked.code, "LOCKED");
    assert.match(locked.hint, /--modem-dir/);
    const { code, stderr } = await program.end("SIGINT");
    assert.equal(code, 130);
    assert.match(stderr, /^stopped: by SIGINT$/m);
    await prepareConf(cwd, portOf(cloud.addresses.mqtts));
    succeeded(await provision(t, cwd));
  });
});

async function prepareConf(cwd: string, port: number): Promise<void> {
  const file = join(cwd, "prj.conf");
  await writeFile(file, (await readFile(file, "utf8")).replace(/PORT=\d+/, `PORT=${port}`));
}

describe("what goes wrong while provisioning", { concurrency: 2 }, () => {
  test("a claim that was deactivated or deleted: the error says what to check, the cloud's log which it was", async (t) => {
    const [inactive, deleted] = [await issue("claim"), await issue()];
    await iot.send(new UpdateCertificateCommand({ certificateId: inactive.certificateId, newStatus: "INACTIVE" }));
    await iot.send(new UpdateCertificateCommand({ certificateId: deleted.certificateId, newStatus: "INACTIVE" }));
    await iot.send(new DeleteCertificateCommand({ certificateId: deleted.certificateId }));
    for (const [credentials, pattern] of [
      [inactive, /certificateNotActive.*INACTIVE/],
      [deleted, /certificateUnknown/],
    ] as const) {
      const cwd = await prepare(t, "refused-1", { credentials });
      const seen = log.lines.length;
      const { code, message, hint } = failed(await provision(t, cwd, "--attempts", "1"));
      assert.ok(["CONNECTION_LOST", "TLS_HANDSHAKE_FAILED"].includes(code), code);
      assert.match(
        message,
        /certificate \(security tag 43, modem TLS\) is registered and ACTIVE.*policy.*"claim-refused-1"/,
      );
      assert.match(hint, /log of the local cloud/);
      const lines = log.lines.slice(seen).map((line) => `${line.event} ${JSON.stringify(line.facts)}`);
      assert.ok(
        lines.some((line) => pattern.test(line)),
        lines.join("\n"),
      );
      assert.deepEqual(await tagsOf(t, cwd), fullTags.slice(0, 3));
    }
  });

  test("a policy that denies: the cloud's log names the statement, or that there is none", async (t) => {
    const none = await issue();
    const denying = await issue("claim");
    const document = {
      Version: "2012-10-17",
      Statement: [{ Sid: "NoAnswers", Effect: "Deny", Action: "iot:Subscribe", Resource: "*" }],
    };
    await iot.send(new CreatePolicyCommand({ policyName: "denying", policyDocument: JSON.stringify(document) }));
    await iot.send(new AttachPolicyCommand({ policyName: "denying", target: denying.certificateArn }));

    const first = failed(await provision(t, await prepare(t, "denied-1", { credentials: none }), "--attempts", "1"));
    assert.equal(first.code, "CONNECTION_LOST");
    assert.match(first.message, /policy attached to it allows iot:Connect for client id "claim-denied-1"/);
    const connect = await log.line(
      ({ event, facts }) => event === "connectDenied" && facts["clientId"] === "claim-denied-1",
    );
    assert.match(String(connect.facts["explanation"]), /no statement allows iot:Connect .*no policy is attached/);

    const second = failed(await provision(t, await prepare(t, "denied-2", { credentials: denying })));
    assert.equal(second.code, "MQTT_SUBSCRIPTION_REFUSED");
    assert.match(second.message, /"certificate\/claim-denied-2\/create\/accepted\/\+".*allows iot:Subscribe/);
    assert.match(second.hint, /log of the local cloud/);
    const subscribe = await log.line(
      ({ event, facts }) => event === "denied" && facts["clientId"] === "claim-denied-2",
    );
    assert.match(String(subscribe.facts["explanation"]), /statement 1 \("NoAnswers"\) of policy denying/);
  });

  test("a CA that did not sign the server's certificate: how to put it right; the wrong --ca is told from it", async (t) => {
    const wrong = await readFile(join(sample, "../x509/rsa-2048.cert.pem"), "utf8");
    const cwd = await prepare(t, "distrustful", { ca: wrong });
    const first = failed(await provision(t, cwd));
    assert.equal(first.code, "TLS_PEER_UNTRUSTED");
    assert.match(first.message, /security tag 43, modem TLS: .*not trusted/);
    assert.match(first.hint, /thingline modem write --sec-tag 43 --ca \.thingline\/ca\.pem$/);

    const other = await prepare(t, "distrustful");
    await writeFile(join(other, "wrong.pem"), wrong);
    const second = failed(await provision(t, other, "--ca", "wrong.pem"));
    assert.equal(second.code, "PROVISIONING_NOT_PROVED");
    assert.match(second.message, /security tag 50 were not accepted .*not trusted.*the claim stays in use/);
    assert.match(second.hint, /--ca FILE/);
    assert.deepEqual(await tagsOf(t, other), fullTags.slice(0, 3), "what was not accepted is gone");
    await writeFile(join(other, "leaf.pem"), claim.certificate);
    const leaf = failed(await provision(t, other, "--ca", "leaf.pem"));
    assert.equal(leaf.code, "CERTIFICATE_INVALID");
    assert.match(leaf.message, /^leaf\.pem is no CA: it holds the certificate of "/);
    await writeFile(join(other, "same.conf"), "CONFIG_AWS_IOT_SEC_TAG=50\n");
    const same = failed(await provision(t, other, "--conf", "same.conf"));
    assert.equal(same.code, "OPTION_INVALID");
    assert.match(same.message, /\(given by CONFIG_AWS_IOT_SEC_TAG\)$/);
    assert.equal(succeeded(await provision(t, other)).at(-1)?.["isNew"], true);
  });

  test("a server that does not run, a host that nobody knows", async (t) => {
    const cwd = await prepare(t, "lonely", { port: 1 });
    const refused = failed(await provision(t, cwd, "--attempts", "1"));
    assert.equal(refused.code, "CONNECTION_REFUSED");
    assert.match(refused.message, /localhost:1 refused the connection/);
    assert.match(refused.hint, /thingline cloud start$/);
    const named = failed(await provision(t, await prepare(t, "lonely", { host: "nobody.invalid" }), "--attempts", "1"));
    assert.equal(named.code, "HOST_NOT_FOUND");
    assert.match(named.hint, /CONFIG_AWS_IOT_BROKER_HOST_NAME/);
  });

  test("an empty security tag: the error says what is missing and what to type", async (t) => {
    const cwd = await prepare(t, "empty");
    const { code, message, hint } = failed(await provision(t, cwd, "--modem-dir", "other"));
    assert.equal(code, "CREDENTIAL_MISSING");
    assert.match(message, /security tag 43 lacks the claim's private key, client certificate and CA/);
    assert.match(hint, /thingline modem write --sec-tag 43 --from FOLDER --modem-dir other$/);
  });

  test("mistakes in the configuration are told all at once, with file, line and the nearest name", async (t) => {
    const cwd = await temporaryFolder(t);
    const lines = [
      "CONFIG_AWS_IOT=y",
      'CONFIG_AWS_IOT_BROKER_HOST_NAM="localhost"',
      "CONFIG_AWS_IOT_SEC_TAG=abc",
      'CONFIG_AWS_IOT_CLIENT_ID_STATIC="pump-7"',
      "nonsense",
    ];
    await writeFile(join(cwd, "prj.conf"), lines.join("\n"));
    const { code, message } = failed(await provision(t, cwd));
    assert.equal(code, "KCONFIG_INVALID");
    assert.match(message, /^prj\.conf:2: .*did you mean CONFIG_AWS_IOT_BROKER_HOST_NAME\?$/m);
    assert.match(message, /^prj\.conf:3: CONFIG_AWS_IOT_SEC_TAG .*"abc"$/m);
    assert.match(message, /^prj\.conf:5: .*"nonsense"$/m);
    await writeFile(
      join(cwd, "prj.conf"),
      'CONFIG_AWS_IOT_CLIENT_ID_STATIC="a/b"\nCONFIG_AWS_IOT_BROKER_HOST_NAME="x"\nCONFIG_AWS_IOT_SEC_TAG=43\nCONFIG_AWS_IOT=y\n',
    );
    assert.match(failed(await provision(t, cwd)).message, /^prj\.conf:1: CONFIG_AWS_IOT_CLIENT_ID_STATIC .*"a\/b"$/);
    const absent = failed(await runThinglineIn(t, { cwd }, "provision", "--conf", "absent.conf", "--json"));
    assert.deepEqual([absent.code, absent.message], ["FILE_NOT_FOUND", 'there is no "absent.conf"']);
    assert.deepEqual(await readdir(cwd), ["prj.conf"], "no modem is booted for it");
  });
});

describe("thingline modem", { concurrency: 2 }, () => {
  const modem = (t: TestContext, cwd: string, ...args: string[]) =>
    runThinglineIn(t, { cwd }, "modem", ...args, "--json");

  test("what is no PEM, or a key that does not match, leaves the modem as it was", async (t) => {
    const cwd = await temporaryFolder(t);
    const other = await issue();
    await writeFile(join(cwd, "text.pem"), "hello\n");
    await writeFile(join(cwd, "cert.pem"), claim.certificate);
    await writeFile(join(cwd, "key.pem"), other.privateKey);
    const write = (...args: string[]) => modem(t, cwd, "write", "--sec-tag", "43", ...args);
    const notPem = failed(await write("--cert", "text.pem"));
    assert.equal(notPem.code, "CERTIFICATE_INVALID");
    assert.match(notPem.message, /^text\.pem is not a PEM/);
    const pair = ["--cert", "cert.pem", "--key", "key.pem"];
    const mismatch = failed(await write(...pair));
    assert.equal(mismatch.code, "KEY_MISMATCH");
    assert.match(mismatch.message, /nothing was written/);
    const leaf = failed(await write("--ca", "cert.pem"));
    assert.equal(leaf.code, "CERTIFICATE_INVALID");
    assert.match(leaf.message, /^the CA is no CA: it holds the certificate of "/);
    assert.deepEqual((await readdir(cwd)).sort(), ["cert.pem", "key.pem", "text.pem"]);

    // One by one neither is wrong; what is in the tag then is.
    succeeded(await write("--cert", "cert.pem"));
    const apart = await write("--key", "key.pem");
    const warning = succeeded(apart).at(-1);
    assert.deepEqual([warning?.event, warning?.["code"]], ["warning", "KEY_MISMATCH"]);
    assert.match(apart.stderr, /^warning: the private key in security tag 43 does not belong to the certificate/m);
    succeeded(await write(...pair, "--force"));
    assert.deepEqual(await tagsOf(t, cwd), ["43 certificate", "43 privateKey"]);
    const text = await runThinglineIn(t, { cwd }, "modem", "list", "--sec-tag", "43");
    assert.match(
      text.stdout,
      /^simulated nRF91, IMEI \d{15}, folder \.thingline\/modem\n43 certificate [0-9a-f]{64}\n/,
    );
    for (const line of text.stdout.split("\n")) assert.ok(line.length <= 80, line);

    succeeded(await modem(t, cwd, "delete", "--sec-tag", "43", "--type", "privateKey"));
    assert.deepEqual(await tagsOf(t, cwd), ["43 certificate"]);
  });

  test("looking at a folder that holds no modem makes none", async (t) => {
    const cwd = await temporaryFolder(t);
    for (const args of [["list"], ["delete", "--sec-tag", "43"]]) {
      const { code, stdout } = await runThinglineIn(t, { cwd }, "modem", ...args, "--modem-dir", "mistyped");
      assert.equal(code, 0);
      assert.match(stdout, /^there is no simulated modem in mistyped/);
    }
    assert.deepEqual(await readdir(cwd), []);
  });

  test("AT commands: the answer and its exit code; a key in a command is not repeated", async (t) => {
    const cwd = await prepare(t, "talkative");
    const [identity] = succeeded(await modem(t, cwd, "at", "AT+CGSN"));
    assert.match(String((identity?.["lines"] as string[])[0]), /^\d{15}$/);
    const refused = await modem(t, cwd, "at", 'AT%CMNG=0,50,7,"super secret"');
    assert.equal(refused.code, 1);
    assert.doesNotMatch(refused.stdout + refused.stderr, /super secret/);
    assert.deepEqual(eventsOf(refused)[0]?.["lines"], ["ERROR"]);
  });
});

test("a terminal that goes away ends a command as a signal does", async (t) => {
  const cwd = await prepare(t, "hung-up", { port: 1 });
  const child = spawn(process.execPath, [thinglineBin, "provision", "--conf", "prj.conf"], {
    cwd,
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  child.kill("SIGHUP");
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 129);
});
