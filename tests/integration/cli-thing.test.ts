// `thingline thing create` against a cloud in this process, as a person in an empty folder would use it.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import {
  DescribeCertificateCommand,
  DescribeThingCommand,
  IoTClient,
  ListAttachedPoliciesCommand,
  ListCertificatesCommand,
  ListThingPrincipalsCommand,
} from "@aws-sdk/client-iot";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { amazonRootCa1 } from "@thingline/device";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import { createNodeKeys } from "@thingline/transport/node";
import { eventsOf, runThinglineIn, temporaryFolder, type Finished } from "./cli-process.test.support.js";
import { connectClient } from "./cloud-world.test.support.js";

let cloud: StartedCloud;
let iot: IoTClient;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none" });
  iot = new IoTClient({
    endpoint: cloud.addresses.api,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
});

after(async () => {
  iot?.destroy();
  await cloud?.close();
  await rm(dataDir, { recursive: true, force: true });
});

const create = (t: TestContext, cwd: string, ...args: string[]) =>
  runThinglineIn(t, { cwd }, "thing", "create", ...args, "--data-dir", dataDir, "--json");

function errorOf(finished: Finished) {
  assert.equal(finished.code, 1, finished.stderr);
  assert.doesNotMatch(finished.stderr, /^ +at /m, "no stack trace");
  const error = eventsOf(finished).at(-1);
  assert.equal(error?.event, "error", finished.stdout);
  return { code: String(error["code"]), message: String(error["message"]), hint: String(error["hint"]) };
}

const certificateCount = async () => (await iot.send(new ListCertificatesCommand({}))).certificates?.length;

describe("thingline thing create", { concurrency: 2 }, () => {
  test("makes everything a client needs to connect, with files that only their owner can read", async (t) => {
    const cwd = await temporaryFolder(t);
    const finished = await create(t, cwd, "my-thing");
    assert.equal(finished.code, 0, finished.stderr);
    assert.doesNotMatch(finished.stdout + finished.stderr, /BEGIN/);
    const [created, ...more] = eventsOf(finished);
    assert.deepEqual(more, []);
    assert.ok(created);
    const { certificateArn, certificateId, files, folder, ...facts } = created;
    assert.deepEqual(facts, {
      event: "thingCreated",
      thingName: "my-thing",
      thingArn: "arn:aws:iot:us-east-1:123456789012:thing/my-thing",
      isNew: true,
      policyName: "thingline-thing-narrow",
      endpoint: cloud.addresses.mqtts,
      secTag: 201,
    });
    assert.equal(folder, join(cwd, "my-thing"));
    assert.equal((files as Record<string, string>)["privateKeyPem"], "my-thing/private-key.pem");
    const { principals } = await iot.send(new ListThingPrincipalsCommand({ thingName: "my-thing" }));
    assert.deepEqual(principals, [certificateArn]);

    const read = (name: string) => readFile(join(cwd, "my-thing", name), "utf8");
    const modes = await Promise.all(
      (await readdir(join(cwd, "my-thing"))).map(async (name) => {
        return [name, ((await stat(join(cwd, "my-thing", name))).mode & 0o777).toString(8)] as const;
      }),
    );
    assert.deepEqual(Object.fromEntries(modes), {
      ".gitignore": "600",
      "ca-cert.pem": "644",
      "certificate.json": "600",
      "client-cert.pem": "644",
      "prj.conf": "644",
      "private-key.pem": "600",
    });
    const [caCert, clientCert, privateKey] = await Promise.all(
      ["ca-cert.pem", "client-cert.pem", "private-key.pem"].map(read),
    );
    assert.deepEqual(JSON.parse(await read("certificate.json")), { caCert, clientCert, privateKey, secTag: 201 });
    assert.equal(caCert, cloud.caPem);
    const keys = createNodeKeys();
    assert.deepEqual(keys.publicKeyOf(privateKey ?? ""), keys.certificatePublicKey(clientCert ?? ""));

    const { config, warnings } = loadKconfig([{ file: "prj.conf", text: await read("prj.conf") }]);
    assert.deepEqual(warnings, []);
    const { host, port, secTag, clientId } = awsIotSettings(config);
    assert.deepEqual([`${host}:${port}`, secTag, clientId], [cloud.addresses.mqtts, 201, "my-thing"]);

    const credentials = { certificatePem: clientCert ?? "", privateKey: privateKey ?? "" };
    const client = await connectClient(t, cloud, credentials, { clientId: "my-thing" });
    const [granted] = await client.subscribeAsync("my-thing/#", { qos: 1 });
    assert.equal(granted?.qos, 1);
    const { certificateDescription } = await iot.send(
      new DescribeCertificateCommand({ certificateId: String(certificateId) }),
    );
    assert.equal(certificateDescription?.status, "ACTIVE");
  });

  test("says for people what was written, and two commands that fit a terminal", async (t) => {
    const cwd = await temporaryFolder(t);
    const args = ["thing", "create", "pump-7", "--data-dir", dataDir, "--out", "credentials", "--sec-tag", "7"];
    const { code, stdout, stderr } = await runThinglineIn(t, { cwd }, ...args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^created thing pump-7 in the local cloud at http:/);
    assert.match(stdout, /private-key\.pem +private key: only you may read it/);
    assert.match(stdout, /Kconfig lines, security tag 7\n/);
    assert.match(
      stdout,
      /in this folder:\n {2}mosquitto_sub -h localhost -p \d+ --cafile credentials\/ca-cert\.pem \\\n/,
    );
    assert.match(stdout, /-i pump-7\.sub -q 1 -t 'pump-7\/#'\n/);
    // Not the thing's own name, which the device itself connects with.
    assert.match(stdout, /-i pump-7\.pub -q 1 -t pump-7\/hello -m world\n/);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
    assert.doesNotMatch(stdout, /BEGIN/);
    assert.match(await readFile(join(cwd, "credentials/prj.conf"), "utf8"), /^CONFIG_AWS_IOT_SEC_TAG=7$/m);
  });

  test("a thing that is there already gets one certificate more, and that is said", async (t) => {
    const cwd = await temporaryFolder(t);
    assert.equal((await create(t, cwd, "twice")).code, 0);
    const [again] = eventsOf(await create(t, cwd, "twice", "--out", "second"));
    assert.equal(again?.["isNew"], false);
    const { principals } = await iot.send(new ListThingPrincipalsCommand({ thingName: "twice" }));
    assert.equal(principals?.length, 2);
  });

  test("an invalid name fails with AWS's own error, and nothing is written", async (t) => {
    const cwd = await temporaryFolder(t);
    const names = ["bad name", "../escape", "x".repeat(129)];
    for (const { code, message } of (await Promise.all(names.map((name) => create(t, cwd, name)))).map(errorOf)) {
      assert.equal(code, "InvalidRequestException");
      assert.match(message, /thingName/);
    }
    assert.deepEqual(await readdir(cwd), []);
  });

  test("--aws goes where AWS's own environment says, and trusts Amazon's root", async (t) => {
    const cwd = await temporaryFolder(t);
    const env = {
      AWS_ENDPOINT_URL: cloud.addresses.api,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    };
    const finished = await runThinglineIn(t, { cwd, env }, "thing", "create", "real", "--aws", "--json");
    assert.equal(finished.code, 0, finished.stderr);
    assert.equal(eventsOf(finished)[0]?.["endpoint"], cloud.addresses.mqtts);
    assert.equal(await readFile(join(cwd, "real/ca-cert.pem"), "utf8"), amazonRootCa1);

    // No credentials at all, and nobody is asked for any over the network.
    const none = { ...env, AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_EC2_METADATA_DISABLED: "true" };
    const { code, hint } = errorOf(
      await runThinglineIn(t, { cwd, env: none }, "thing", "create", "other", "--aws", "--json"),
    );
    assert.equal(code, "CredentialsProviderError");
    assert.match(hint, /AWS_PROFILE/);
    assert.deepEqual(await readdir(cwd), ["real"]);
  });
});

// One after the other: they count.
describe("what thing create leaves behind when it fails", () => {
  test("refuses a folder that is not empty before anything is made; --force writes into it", async (t) => {
    const cwd = await temporaryFolder(t);
    await mkdir(join(cwd, "full"));
    await writeFile(join(cwd, "full/private-key.pem"), "precious");
    await writeFile(join(cwd, "file"), "");
    const count = await certificateCount();
    const refused = errorOf(await create(t, cwd, "full"));
    assert.equal(refused.code, "FILE_EXISTS");
    assert.match(refused.message, /^full is already there and not empty; .*--out.*--force/);
    assert.match(errorOf(await create(t, cwd, "x", "--out", "file")).message, /^file is a file/);
    assert.equal(await readFile(join(cwd, "full/private-key.pem"), "utf8"), "precious");
    assert.equal(await certificateCount(), count);
    await assert.rejects(iot.send(new DescribeThingCommand({ thingName: "full" })), {
      name: "ResourceNotFoundException",
    });

    assert.equal((await create(t, cwd, "full", "--force")).code, 0);
    assert.match(await readFile(join(cwd, "full/private-key.pem"), "utf8"), /BEGIN RSA PRIVATE KEY/);
  });

  test("--policy attaches an existing policy; one that does not exist fails before anything is made", async (t) => {
    const cwd = await temporaryFolder(t);
    const count = await certificateCount();
    const { code } = errorOf(await create(t, cwd, "no-policy", "--policy", "nobody-made-it"));
    assert.equal(code, "ResourceNotFoundException");
    assert.equal(await certificateCount(), count);
    const missing = iot.send(new DescribeThingCommand({ thingName: "no-policy" }));
    await assert.rejects(missing, { name: "ResourceNotFoundException" });

    assert.equal((await create(t, cwd, "first")).code, 0);
    const [created] = eventsOf(await create(t, cwd, "with-policy", "--policy", "thingline-thing-narrow"));
    const target = String(created?.["certificateArn"]);
    const { policies } = await iot.send(new ListAttachedPoliciesCommand({ target }));
    assert.deepEqual(
      policies?.map(({ policyName }) => policyName),
      ["thingline-thing-narrow"],
    );
  });

  test("when the private key cannot be written, certificate and thing are taken back", async (t) => {
    const cwd = await temporaryFolder(t);
    await mkdir(join(cwd, "homeless/private-key.pem"), { recursive: true });
    const count = await certificateCount();
    const { code } = errorOf(await create(t, cwd, "homeless", "--force"));
    assert.equal(code, "FILE_UNREADABLE");
    assert.equal(await certificateCount(), count);
    const gone = iot.send(new DescribeThingCommand({ thingName: "homeless" }));
    await assert.rejects(gone, { name: "ResourceNotFoundException" });
  });
});
