// Credentials from files and from a cloud onto boards: the commands in this process, `modem simulate` behind pseudo-terminals, a cloud on its
// data directory.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { IoTClient, UpdateCertificateCommand } from "@aws-sdk/client-iot";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { isThinglineError } from "@thingline/protocol";
import { makeTestCertificates } from "@thingline/transport/contract";
import { modemGenerateKey } from "thingline/dist/commands/modem-generate-key.js";
import { modemDelete, modemList } from "thingline/dist/commands/modem-list.js";
import { modemVerify } from "thingline/dist/commands/modem-verify.js";
import { modemWrite } from "thingline/dist/commands/modem-write.js";
import { thingCreate } from "thingline/dist/commands/thing-create.js";
import { UsageError } from "thingline/dist/failure.js";
import { createOutput } from "thingline/dist/output.js";
import { makePty, ptyMissing } from "./pty.test.support.js";
import { adapters, startLine } from "./simulated-line.test.support.js";

const skip = ptyMissing ?? false;
let cloud: StartedCloud;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none" });
});
after(async () => {
  await cloud?.close();
  await rm(dataDir, { recursive: true, force: true });
});

interface Fact {
  event: string;
  [name: string]: unknown;
}

/** A command's context, and what it told programs and people. */
function listen() {
  const facts: Fact[] = [];
  let said = "";
  const out = {
    write: (line: string) =>
      facts.push(
        ...line
          .trim()
          .split("\n")
          .map((each) => JSON.parse(each) as Fact),
      ),
  };
  const err = { write: (text: string) => (said += text) };
  const output = createOutput({ isJson: true, out, err, env: { NO_COLOR: "1" } });
  const { signal } = new AbortController();
  return {
    context: { output, signal },
    facts,
    said: () => said,
    of: (event: string) => facts.filter((fact) => fact.event === event),
  };
}

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder as `thing create` writes it, of a CA that nobody knows. */
async function writeFolder(folder: string): Promise<void> {
  const { ca, client } = await makeTestCertificates(adapters.keys);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "ca-cert.pem"), ca.certificatePem);
  // As an editor on Windows may leave it.
  await writeFile(join(folder, "client-cert.pem"), `\uFEFF${client.certificatePem.trimEnd().replaceAll("\n", "\r\n")}`);
  await writeFile(join(folder, "private-key.pem"), client.privateKeyPem);
}

const modemDir = "nowhere";

test("write brings PEM into its form, leaves the modem as it was, and verify and list agree", { skip }, async (t) => {
  const { line, port } = await startLine(t);
  await line.modem.at("AT+CFUN=1");
  const from = join(await temporary(t), "board");
  await writeFolder(from);
  const where = { port, modemDir, secTag: 42 };
  const written = listen();
  assert.equal(await modemWrite(written.context, { ...where, from }), 0);
  assert.deepEqual(
    written.of("credentialWritten").map(({ type }) => type),
    ["privateKey", "certificate", "ca"],
  );
  const remarks = written.of("remark").map(({ message }) => String(message));
  assert.equal(remarks.length, 3, remarks.join("\n"));
  assert.ok(remarks.every((remark) => remark.startsWith(join(from, "client-cert.pem"))));
  assert.equal(await line.modem.at("AT+CFUN?"), "+CFUN: 1\r\nOK\r\n");
  const verified = listen();
  assert.equal(await modemVerify(verified.context, { ...where, from }), 0);
  assert.deepEqual(new Set(verified.of("credentialVerified").map(({ state }) => state)), new Set(["equal"]));

  await assert.rejects(
    modemDelete(listen().context, where),
    (error) => error instanceof UsageError && /--yes/.test(error.message),
  );
  await modemDelete(listen().context, { ...where, type: "certificate", yes: true });
  const listed = listen();
  await modemList(listed.context, where);
  assert.deepEqual(
    listed.of("credential").map(({ type }) => type),
    ["ca", "privateKey"],
  );
  const missing = listen();
  assert.equal(await modemVerify(missing.context, { ...where, from }), 1);
  assert.equal(missing.of("credentialVerified").find(({ type }) => type === "certificate")?.["state"], "missing");

  // An AT host has no sockets to prove anything by: said before anything is written.
  const unproved = listen();
  await assert.rejects(
    modemWrite(unproved.context, { ...where, secTag: 50, from, prove: "localhost:8883" }),
    (error) => isThinglineError(error, "MODEM_APPLICATION_MISSING") && /nothing was written/.test(error.message),
  );
  assert.equal(await line.modem.at("AT%CMNG=1,50"), "OK\r\n");
  for (const heard of [written, verified, listed])
    assert.doesNotMatch(JSON.stringify(heard.facts) + heard.said(), /BEGIN/);
});

test("a write that fails says what is in the tag, and another run completes it", { skip }, async (t) => {
  const { line, port } = await startLine(t);
  const from = join(await temporary(t), "board");
  await writeFolder(from);
  line.modem.faults.refuseWrites({ cme: 515, count: 1 });
  const where = { port, modemDir, secTag: 42, from };
  const failed = listen();
  await assert.rejects(modemWrite(failed.context, where), { code: "CREDENTIAL_REFUSED" });
  assert.deepEqual(
    failed.of("credentialState").map(({ type, state }) => `${String(type)} ${String(state)}`),
    ["privateKey missing", "certificate missing", "ca missing"],
  );
  const again = listen();
  assert.equal(await modemWrite(again.context, where), 0);
  assert.equal(again.of("credentialWritten").length, 3);
});

test("a line writes to many boards, reports, and goes on with those that are left", { skip }, async (t) => {
  const cwd = await temporary(t);
  const lines = [await startLine(t), await startLine(t)];
  const [first, second] = lines.map(({ line }) => line.modem.identity.imei);
  await writeFolder(join(cwd, "things", first ?? ""));
  const reports = ["html", "csv", "json"].map((kind) => join(cwd, `line.${kind}`));
  const options = {
    ...{ modemDir, secTag: 42, ports: lines.map(({ port }) => port).join(","), batchDir: join(cwd, "batch") },
    ...{ fromEach: join(cwd, "things", "{imei}"), report: reports },
  };
  const begun = listen();
  assert.equal(await modemWrite(begun.context, options), 1);
  const results = () => new Map(begun.of("lineBoard").map((board) => [board["imei"], board]));
  assert.equal(results().get(first)?.["result"], "written");
  assert.equal((results().get(second)?.["failure"] as Fact | undefined)?.["code"], "FILE_NOT_FOUND");
  const page = await readFile(reports[0] ?? "", "utf8");
  assert.ok(page.includes(first ?? "none") && page.includes("FILE_NOT_FOUND"));
  assert.match(await readFile(reports[1] ?? "", "utf8"), new RegExp(`^${first},.*,written,`, "m"));

  await assert.rejects(modemWrite(listen().context, options), { code: "FILE_EXISTS" });
  const otherTag = { ...options, secTag: 43, resume: true };
  await assert.rejects(modemWrite(listen().context, otherTag), { message: /other credentials .*, security tag 42\)/ });
  await writeFolder(join(cwd, "things", second ?? ""));
  lines[1]?.line.modem.faults.refuseWrites({ cme: 515, count: 1 });
  const refused = listen();
  assert.equal(await modemWrite(refused.context, { ...options, resume: true }), 1);
  // Not `restore`, which is what was done last.
  const { step } = refused.of("lineBoard").find(({ imei }) => imei === second)?.["failure"] as Fact;
  assert.equal(step, "write");
  const resumed = listen();
  assert.equal(await modemWrite(resumed.context, { ...options, resume: true }), 0);
  const ended = resumed.of("lineEnded")[0];
  assert.deepEqual([ended?.["written"], ended?.["unchanged"], ended?.["failed"]], [1, 1, 0]);

  // They have all of theirs, and nothing of it was proved: an AT host cannot.
  const unproved = listen();
  assert.equal(await modemWrite(unproved.context, { ...options, resume: true, prove: "localhost:8883" }), 1);
  const codes = unproved.of("lineBoard").map(({ failure }) => (failure as Fact)["code"]);
  assert.deepEqual(codes, ["MODEM_APPLICATION_MISSING", "MODEM_APPLICATION_MISSING"]);
});

test(
  "two ports of one modem: the second does not take away what the first has done, and a report that cannot be written hides no other",
  { skip },
  async (t) => {
    const cwd = await temporary(t);
    const { line, port } = await startLine(t);
    const second = await makePty();
    const [inside, outside] = [line.modem.openPort(), second.connection];
    inside.start({ data: (bytes) => void outside.write(bytes), closed: () => outside.destroy() });
    outside.start({ data: (bytes) => void inside.write(bytes), closed: () => inside.destroy() });
    await writeFolder(join(cwd, "board"));
    const [nowhere, csv] = [join(cwd, "board", "ca-cert.pem", "line.html"), join(cwd, "line.csv")];
    const { context, of } = listen();
    const options = {
      ...{ modemDir, secTag: 42, ports: `${port},${second.path}`, batchDir: join(cwd, "batch"), atOnce: 1 },
      ...{ from: join(cwd, "board"), report: [nowhere, csv] },
    };
    await assert.rejects(
      modemWrite(context, options),
      (error) => isThinglineError(error) && /ca-cert\.pem/.test(error.message),
    );
    const { imei } = line.modem.identity;
    const report = await readFile(csv, "utf8");
    assert.match(report, new RegExp(`^${imei},${port},.*,written,`, "m"));
    assert.match(report, new RegExp(`^${imei},${second.path},.*,failed,.*,LOCKED,`, "m"));
    assert.deepEqual(of("lineEnded")[0]?.["reports"], [csv]);
  },
);

test("a request that cannot be written to its file is not lost", async (t) => {
  const cwd = await temporary(t);
  await writeFile(join(cwd, "file"), "");
  const { context, of } = listen();
  const options = { modemDir: join(cwd, "modem"), secTag: 42, out: join(cwd, "file", "request.csr") };
  await assert.rejects(modemGenerateKey(context, options), (error) => isThinglineError(error));
  assert.match(String(of("keyGenerated")[0]?.["pem"]), /^-----BEGIN CERTIFICATE REQUEST-----/);
});

test("verify says of another certificate than the one in the file nothing that the file says", async (t) => {
  const cwd = await temporary(t);
  const { ca, client, server } = await makeTestCertificates(adapters.keys);
  const [there, other] = [join(cwd, "there.pem"), join(cwd, "other.pem")];
  await writeFile(there, client.certificatePem);
  await writeFile(other, server.certificatePem);
  const where = { modemDir: join(cwd, "modem"), secTag: 42, ca: join(cwd, "ca.pem") };
  await writeFile(where.ca, ca.certificatePem);
  assert.equal(await modemWrite(listen().context, { ...where, cert: there }), 0);
  const { context, of } = listen();
  assert.equal(await modemVerify(context, { ...where, cert: other }), 1);
  const told = of("certificateExpiry").filter(({ isToldByModem }) => isToldByModem === false);
  assert.deepEqual(
    told.map(({ type }) => type),
    ["ca"],
  );
});

test("options of a line are refused where they cannot be right", async (t) => {
  const cwd = await temporary(t);
  const rows: [options: object, message: RegExp][] = [
    [{ ports: "a,b" }, /say where each board's credentials are/],
    [{ ports: "a,b", from: "x", fromEach: "y/{imei}" }, /say where each board's credentials are/],
    [{ ports: "a,b", port: "c", from: "x" }, /leave out --port/],
    [{ ports: "a,b", from: "x", report: ["x.pdf"] }, /--report takes a file that ends with/],
    [{ ports: "a,b", from: "x", resume: true }, /there is nothing in .* to resume/],
    [{ from: "x", resume: true }, /--resume is for many boards/],
    [{ from: "x", fromEach: "y" }, /--from-each is for many boards/],
    [{}, /say what to write/],
  ];
  for (const [options, message] of rows) {
    await assert.rejects(
      modemWrite(listen().context, {
        modemDir,
        batchDir: "ports" in options ? join(cwd, "batch") : undefined,
        ...options,
      }),
      (error) => error instanceof UsageError && message.test(error.message),
      JSON.stringify(options),
    );
  }
});

test(
  "from the board to the cloud in one command, with a key that never leaves the modem, and again after a failure",
  { skip },
  async (t) => {
    const cwd = await temporary(t);
    const { line, port, next } = await startLine(t, { application: "serialModem" });
    const out = join(cwd, "pump-1");
    const options = { port, dataDir, out, secTag: 42, csr: true, prove: true };
    // The key is the first write of the storage: of this one nobody hears.
    line.modem.faults.cutPowerAtWrite(1, "after");
    let back = next("back");
    const unheard = listen();
    await assert.rejects(thingCreate(unheard.context, options, "pump-1"), (error) => isThinglineError(error));
    assert.equal(unheard.of("thingCreated").length, 0);
    assert.equal(unheard.of("canGoOn").length, 1);
    await back;
    // The old key goes, a new one comes, the certificate is the third.
    line.modem.faults.cutPowerAtWrite(3, "before");
    back = next("back");
    const broken = listen();
    await assert.rejects(thingCreate(broken.context, options, "pump-1"), (error) => isThinglineError(error));
    assert.equal(broken.of("thingCreated").length, 1);
    assert.match(String(broken.of("canGoOn")[0]?.["command"]), /^thing create pump-1 --port .* --csr/);
    await back;
    const whole = listen();
    assert.equal(await thingCreate(whole.context, options, "pump-1"), 0);
    assert.ok(whole.said().includes(`device run --conf ${join(out, "prj.conf")} --port ${port}`));
    assert.equal(whole.of("thingCreated").length, 0, "no second certificate");
    assert.equal(whole.of("modemWritten")[0]?.["isProved"], true);
    await assert.rejects(stat(join(out, "private-key.pem")));

    for (const command of ["AT+CFUN=4", "AT%CMNG=3,42,2", "AT%KEYGEN=42,2,0"]) {
      assert.match(await line.modem.at(command), /OK/);
    }
    await assert.rejects(thingCreate(listen().context, options, "pump-1"), { code: "KEY_MISMATCH" });
    await assert.rejects(stat(join(out, "private-key.pem")));

    // Proved means that the server takes it.
    const iot = new IoTClient({
      endpoint: cloud.addresses.api,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    t.after(() => iot.destroy());
    const { certificateId } = JSON.parse(await readFile(join(out, "board.json"), "utf8")) as { certificateId: string };
    await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" }));
    const prove = cloud.addresses.mqtts;
    const refused = listen();
    await assert.rejects(
      modemWrite(refused.context, { port, modemDir, secTag: 42, cert: join(out, "client-cert.pem"), prove }),
      (error) => isThinglineError(error),
    );
    assert.equal(refused.of("modemWritten")[0]?.["isProved"], false);
    await assert.rejects(thingCreate(listen().context, options, "pump-1"), { code: "CERTIFICATE_STATE_INVALID" });

    // With a key of the cloud: killed before its last write, it goes on; what fails and is taken back leaves nothing in the way.
    const ofCloud = { port, dataDir, out: join(cwd, "pump-2"), secTag: 43, prove: false };
    const unknown = { ...ofCloud, policy: "no-such-policy" };
    await assert.rejects(thingCreate(listen().context, unknown, "pump-2"), { name: "ResourceNotFoundException" });
    assert.ok((await readdir(ofCloud.out).catch(() => [])).every((file) => file === ".gitignore"));
    const created = thingCreate(listen().context, ofCloud, "pump-2");
    let isOver = false;
    const whenOver = created.catch(() => 1).then(() => (isOver = true));
    const hasFiles = () => existsSync(ofCloud.out) && readdirSync(ofCloud.out).some((file) => file.endsWith(".pem"));
    while (!isOver && !hasFiles()) await nextTurn();
    const isKnown = existsSync(join(ofCloud.out, "board.json"));
    await whenOver;
    assert.equal(await created, 0);
    assert.ok(isKnown, "known before there is anything to know it by");
    const { certificateId: _, ...begun } = JSON.parse(await readFile(join(ofCloud.out, "board.json"), "utf8")) as {
      certificateId?: string;
    };
    await writeFile(join(ofCloud.out, "board.json"), JSON.stringify(begun));
    const again = listen();
    assert.equal(await thingCreate(again.context, ofCloud, "pump-2"), 0);
    assert.equal(again.of("thingCreated").length, 1);
  },
);
