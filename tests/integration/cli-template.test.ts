// `thingline template` and `thingline claim`, as people and programs run them, against a running local cloud.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { createCertificateRequest, parseCertificates } from "@thingline/protocol/x509";
import { createNodeKeys } from "@thingline/transport/node";
import { eventsOf, runCommandLine } from "./cli-process.test.support.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let cloud: StartedCloud;
let folder: string;
let dataDir: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  dataDir = join(folder, "cloud");
  cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none", keyPoolSize: 0 });
});

after(async () => {
  await cloud?.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (...words: string[]) => runCommandLine({ words, cwd: folder });
const inCloud = (...words: string[]) => run(...words, "--data-dir", dataDir);

async function json(...words: string[]) {
  const finished = await inCloud(...words, "--json");
  return { ...finished, events: eventsOf(finished), last: eventsOf(finished).at(-1) };
}

test("a template is begun, tried, made, looked at, changed and deleted", async () => {
  const written = await run("template", "init", "pumps.json", "--prefix", "pump-");
  assert.equal(written.code, 0, written.stderr);
  assert.match(written.stdout, /thingline template test pumps\.json --parameter SerialNumber=SN-1\n/);
  const again = await run("template", "init", "pumps.json", "--json");
  assert.equal(eventsOf(again)[0]?.["code"], "FILE_EXISTS");

  const tried = await run("template", "test", "pumps.json", "--parameter", "SerialNumber=SN-1");
  assert.match(tried.stdout, /^provisions {2}with pumps\.json:\n {2}thing +pump-SN-1\n/);
  const missing = await run("template", "test", "pumps.json");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /Cannot resolve reference value: SerialNumber/);
  assert.match(missing.stderr, /--parameter SerialNumber=VALUE/);
  await writeFile(join(folder, "wrong.json"), '{"Resources":{"thing":{"Type":"AWS::IoT::Thang"}}}');
  const wrong = await json("template", "create", "pumps", "wrong.json");
  assert.equal(wrong.code, 1);
  assert.equal((wrong.last?.["details"] as { path: string }).path, "Resources.thing.Type");

  const made = await json("template", "create", "pumps", "pumps.json", "--description", "of a plant");
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(made.last, {
    ...{ event: "templateCreated", templateName: "pumps" },
    templateArn: "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/pumps",
    ...{ versionId: 1, type: "fleet", enabled: true },
  });
  assert.match((await inCloud("template", "list")).stdout, /^pumps +fleet, enabled, of a plant\n$/);
  const body = await inCloud("template", "show", "pumps", "--body");
  assert.equal(body.stdout, await readFile(join(folder, "pumps.json"), "utf8"));

  await inCloud("template", "update", "pumps", "--hook", "may-provision");
  await inCloud("template", "disable", "pumps");
  const shown = await inCloud("template", "show", "pumps");
  assert.match(shown.stdout, /^pumps {2}disabled\n/);
  assert.match(shown.stdout, /\n {2}parameters +SerialNumber\n/);
  assert.match(
    shown.stdout,
    /\n {2}hook +arn:aws:lambda:us-east-1:123456789012:function:may-provision \(2020-04-01\)\n/,
  );
  await inCloud("template", "enable", "pumps");
  await inCloud("template", "update", "pumps", "--no-hook");
  const { last } = await json("template", "show", "pumps");
  assert.equal(last?.["enabled"], true);
  assert.equal(last?.["preProvisioningHook"], null);

  const gone = await inCloud("template", "delete", "pumps");
  assert.equal(gone.code, 0, gone.stderr);
  const unknown = await inCloud("template", "show", "pumps");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /ResourceNotFoundException/);
  assert.match(unknown.stderr, /thingline template list/);
});

test("versions are made, chosen and deleted, up to five", async () => {
  await run("template", "init", "valves.json");
  await inCloud("template", "create", "valves", "valves.json");
  const second = await json("template", "version", "create", "valves", "valves.json");
  assert.deepEqual(second.last, { event: "versionCreated", templateName: "valves", versionId: 2, isDefault: false });
  const third = await json("template", "version", "create", "valves", "valves.json", "--set-default");
  assert.equal(third.last?.["isDefault"], true);
  const chosen = await inCloud("template", "version", "default", "valves", "2");
  assert.match(chosen.stdout, /^version 2 of valves is the default now/);
  const listed = await json("template", "version", "list", "valves");
  assert.deepEqual(listed.events.map((one) => [one["versionId"], one["isDefault"]]).sort(), [
    ...[
      [1, false],
      [2, true],
      [3, false],
    ],
  ]);
  for (const number of [4, 5]) {
    assert.equal((await json("template", "version", "create", "valves", "valves.json")).last?.["versionId"], number);
  }
  const sixth = await inCloud("template", "version", "create", "valves", "valves.json");
  assert.equal(sixth.code, 1);
  assert.match(sixth.stderr, /thingline template version delete NAME VERSION/);
  const refused = await json("template", "version", "delete", "valves", "2");
  assert.equal(refused.code, 1, "the default version stays");
  assert.equal((await inCloud("template", "version", "delete", "valves", "1")).code, 0);
});

test("a temporary claim says when it ends, and only its owner may read it", async () => {
  await run("template", "init", "fans.json");
  await inCloud("template", "create", "fans", "fans.json");
  const made = await json("claim", "temporary", "--template", "fans");
  assert.equal(made.code, 0, made.stderr);
  assert.equal(made.last?.["isTemporary"], true);
  const minutes = (Date.parse(String(made.last?.["expiresAt"])) - Date.now()) / 60_000;
  assert.ok(minutes > 4 && minutes <= 5, `${minutes}`);
  for (const name of ["private-key.pem", "certificate.json", "claim.json"]) {
    assert.equal((await stat(join(folder, "temporary-claim", name))).mode & 0o777, 0o600, name);
  }
  const facts = JSON.parse(await readFile(join(folder, "temporary-claim", "claim.json"), "utf8")) as object;
  assert.deepEqual(facts, {
    ...{ templateName: "fans", certificateId: made.last?.["certificateId"], expiresAt: made.last?.["expiresAt"] },
  });
  const unknown = await inCloud("claim", "temporary", "other", "--template", "nobodys");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /thingline template list/);
});

test("a batch by request is provisioned, gone on with when its cloud says yes, and reported", async () => {
  await run("template", "init", "lamps.json", "--prefix", "lamp-");
  await inCloud("template", "create", "lamps", "lamps.json", "--disabled");
  await inCloud("claim", "create", "lamps-claim", "--template", "lamps");
  const batch = (...words: string[]) =>
    run(
      ...[
        "provision",
        "--conf",
        "lamps-claim/prj.conf",
        "--claim",
        "lamps-claim",
        "--method",
        "csr",
        "--client-id",
        "l",
      ],
      ...["--parameter", "SerialNumber={name}", "--count", "2", "--batch-dir", "batch", "--json", ...words],
    );
  // The first cannot be written, and hides neither the second nor the end.
  const failed = await batch("--report", "lamps-claim/prj.conf/devices.html", "--report", "devices.csv");
  assert.equal(failed.code, 1);
  const [ended, unwritten] = eventsOf(failed).slice(-2);
  assert.deepEqual([ended?.["reports"], unwritten?.["event"]], [["devices.csv"], "error"]);
  assert.deepEqual([ended?.["provisioned"], ended?.["failed"], ended?.["left"]], [0, 2, 2]);
  const csv = await readFile(join(folder, "devices.csv"), "utf8");
  assert.match(csv, /\r\nl-000[12],failed,\d+,,,registerThing,PROVISIONING_REJECTED,/);

  const refused = await batch();
  assert.equal(eventsOf(refused).at(-1)?.["code"], "FILE_EXISTS");
  const other = await batch("--resume", "--format", "json", "--template", "others");
  assert.equal(other.code, 2, "another template is another batch");
  await inCloud("template", "enable", "lamps");
  const done = await batch("--resume", "--report", "devices.json");
  assert.equal(done.code, 0, done.stderr);
  const report = JSON.parse(await readFile(join(folder, "devices.json"), "utf8")) as {
    devices: { name: string; thingName: string; result: string; steps: { name: string; result: string }[] }[];
  };
  assert.deepEqual(
    report.devices.map(({ name, thingName, result }) => [name, thingName, result]),
    [
      ["l-0001", "lamp-l-0001", "provisioned"],
      ["l-0002", "lamp-l-0002", "provisioned"],
    ],
  );
  assert.equal(report.devices[0]?.steps.at(-1)?.name, "connectDevice");
});

test("the sample's prj.conf with its overlay, but for host, port and client id, goes through fleet provisioning", async () => {
  await run("template", "init", "sample.json");
  await inCloud("template", "create", "sample", "sample.json");
  await inCloud("claim", "create", "sample-claim", "--template", "sample");
  const sample = join(root, "tests/fixtures/aws_iot_provisioning");
  const conf = await readFile(join(sample, "prj.conf"), "utf8");
  await writeFile(
    join(folder, "prj.conf"),
    conf.replace('"hostname"', '"localhost"').replace('"client-id"', '"sample-1"'),
  );
  await writeFile(join(folder, "port.conf"), `CONFIG_AWS_IOT_PORT=${cloud.addresses.mqtts.split(":").at(-1)}\n`);
  const overlays = ["--conf", "prj.conf", "--conf", "port.conf", "--conf", join(sample, "overlay-native_tls.conf")];
  const method = [
    "--method",
    "fleet",
    "--template",
    "sample",
    "--parameter",
    "SerialNumber={name}",
    "--format",
    "json",
  ];
  const where = ["--certs", "sample-claim", "--modem-dir", "sample-modem", "--json"];
  const done = await run("provision", ...overlays, ...method, ...where);
  assert.equal(done.code, 0, done.stderr);
  const provisioned = eventsOf(done).at(-1);
  assert.deepEqual(
    [provisioned?.["thingName"], provisioned?.["connectsAs"], provisioned?.["isResumed"]],
    ["sample-1", "sample-1", false],
  );
});

test("claims are listed, and revoked by id, by its beginning or by folder", async () => {
  const made = await json("claim", "create", "line-1");
  const id = String(made.events.find(({ event }) => event === "claimCreated")?.["certificateId"]);
  const listed = async () => (await json("claim", "list")).events.map((one) => [one["certificateId"], one["status"]]);
  assert.ok((await listed()).some(([one, status]) => one === id && status === "ACTIVE"));
  const unknown = await inCloud("claim", "revoke", "f".repeat(64));
  assert.equal(unknown.code, 2);
  assert.equal((await inCloud("claim", "revoke", "no-such-folder")).code, 2);
  const revoked = await inCloud("claim", "revoke", "line-1");
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.ok((await listed()).some(([one, status]) => one === id && status === "REVOKED"));
  assert.equal((await json("claim", "revoke", id.slice(0, 10))).last?.["certificateId"], id);
});

test("a device with a certificate of one's own CA is provisioned by its first connection", async () => {
  assert.equal((await run("ca", "create", "acme", "--organization", "Acme")).code, 0);
  await run("template", "init", "jitp.json", "--type", "jitp");
  await inCloud("template", "create", "jitp", "jitp.json", "--type", "jitp");
  const registered = await json("ca", "register", "acme", "--template", "jitp");
  assert.equal(registered.code, 0, registered.stderr);
  const listed = (await json("ca", "list")).events;
  assert.deepEqual(
    listed.map((one) => [one["certificateId"], one["status"], one["templateName"], one["autoRegistration"]]),
    [[registered.last?.["certificateId"], "ACTIVE", "jitp", true]],
  );
  const kept = await json("template", "delete", "jitp");
  assert.equal(kept.last?.["code"], "DeleteConflictException", "a CA names it");
  assert.equal((await inCloud("ca", "issue", "SN-9", "--ca", "acme")).code, 0);
  const words = ["provision", "--conf", "SN-9/prj.conf", "--method", "own-certificate", "--native-tls"];
  const done = await run(...words, "--modem-dir", "jitp-modem", "--json");
  assert.equal(done.code, 0, done.stderr);
  const provisioned = eventsOf(done).at(-1);
  assert.deepEqual([provisioned?.["event"], provisioned?.["secTag"]], ["provisioned", 201]);
});

test("a CA is made and registered at once, and one whose key is elsewhere by a proof that is made there", async () => {
  const wrong = await inCloud("ca", "create", "wrong", "--auto-registration");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--auto-registration goes with --register/);
  const made = await json("ca", "create", "line", "--register", "--auto-registration");
  assert.deepEqual(
    made.events.map(({ event }) => event),
    ["caCreated", "caRegistered"],
    made.stderr,
  );
  const again = await json("ca", "register", "line", "--verification", "line/ca.pem");
  assert.equal(again.last?.["code"], "RegistrationCodeValidationException", again.stderr);

  const { last } = await json("ca", "code");
  // What somebody does who has the key, wherever that is.
  await run("ca", "create", "vault", "--key-kind", "rsa-2048");
  await inCloud("ca", "issue", String(last?.["registrationCode"]), "--ca", "vault", "--out", "proof");
  const registered = await json("ca", "register", "vault/ca.pem", "--verification", "proof/client-cert.pem");
  assert.equal(registered.code, 0, registered.stderr);
  assert.equal(registered.last?.["autoRegistration"], false);
});

test("a certificate is issued for a request, whose key stays where it is", async () => {
  const keys = createNodeKeys();
  const { privateKeyPem } = await keys.generate("ec-p256");
  const publicKey = keys.publicKeyOf(privateKeyPem);
  const sign = (data: Uint8Array) => keys.sign(privateKeyPem, data);
  const { pem } = await createCertificateRequest({
    subject: [
      ["O", "Acme"],
      ["CN", "SN-5"],
    ],
    publicKey,
    sign,
  });
  await writeFile(join(folder, "SN-5.csr"), pem);
  await run("ca", "create", "by-request");
  const issued = await json("ca", "issue", "SN-5", "--ca", "by-request", "--csr", "SN-5.csr");
  assert.equal(issued.code, 0, issued.stderr);
  assert.equal(issued.last?.["subject"], "O=Acme, CN=SN-5");
  const [leaf, ca] = parseCertificates(await readFile(join(folder, "SN-5/client-cert.pem"), "utf8"));
  assert.deepEqual(leaf.publicKey, publicKey);
  assert.equal(ca?.isCa, true);
  const other = await createCertificateRequest({
    subject: [["CN", "x"]],
    publicKey,
    sign: async () => new Uint8Array(70),
  });
  await writeFile(join(folder, "forged.csr"), other.pem);
  const forged = await json("ca", "issue", "x", "--ca", "by-request", "--csr", "forged.csr");
  assert.match(String(forged.last?.["message"]), /forged\.csr is not signed by the key that it names/);
});
