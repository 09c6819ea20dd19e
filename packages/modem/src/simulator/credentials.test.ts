import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualFiles, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../world.test.support.js";
import { recordBytesMax } from "./record-file.js";

const { ca, client } = await makeTestCertificates(createNodeKeys());
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex").toUpperCase();

test("what is written is listed by the digest of its exact bytes, and read back verbatim", async () => {
  const { at } = await makeModemWorld();
  const lf = ca.certificatePem;
  const crlf = lf.replaceAll("\n", "\r\n");
  assert.equal(await at(`AT%CMNG=0,43,0,"${crlf}"`), "OK\r\n");
  assert.equal(await at(`AT%CMNG=0,43,1,"${lf}"`), "OK\r\n");
  assert.equal(await at(`AT%CMNG=0,43,4,"identität"`), "OK\r\n");
  const list = [0, 1, 4].map(
    (type, index) => `%CMNG: 43,${type},"${sha256([crlf, lf, "identität"][index] ?? "")}"\r\n`,
  );
  assert.equal(await at("AT%CMNG=1,43"), `${list.join("")}OK\r\n`);
  assert.equal(await at("AT%CMNG=1,43,1"), `${list[1]}OK\r\n`);
  assert.equal(await at("AT%CMNG=1,44"), "OK\r\n");
  assert.equal(await at("AT%CMNG=2,43,0"), `%CMNG: 43,0,"${sha256(crlf)}","${crlf}"\r\nOK\r\n`);
});

test("the vendor's entries come last in the list", async () => {
  const { at } = await makeModemWorld();
  await at('AT%CMNG=0,2147483647,0,"x"');
  const lines = (await at("AT%CMNG=1")).split("\r\n");
  assert.deepEqual(
    lines.map((line) => line.replace(/,".*/, "")),
    ["%CMNG: 2147483647,0", "%CMNG: 4294967292,11", "%CMNG: 4294967293,10", "%CMNG: 4294967294,6", "OK", ""],
  );
});

const refusals: [command: string, answer: string][] = [
  ["AT%CMNG", "ERROR"],
  ["AT%CMNG?", "ERROR"],
  ["AT%CMNG=", "ERROR"],
  ["AT%CMNG=4", "ERROR"],
  ["AT%CMNG=7,1,1", "ERROR"],
  ['AT%CMNG=0,1,0,""', "ERROR"],
  ["AT%CMNG=0,1,0", "ERROR"],
  ['AT%CMNG=0,1,0,"unfinished', "ERROR"],
  ['AT%CMNG=0,"1",0,"x"', "ERROR"],
  ['AT%CMNG=0,2147483648,0,"x"', "ERROR"],
  ['AT%CMNG=0,-1,0,"x"', "ERROR"],
  ['AT%CMNG=0,1,14,"x"', "+CME ERROR: 50"],
  ['AT%CMNG=0,1,6,"x"', "+CME ERROR: 514"],
  ['AT%CMNG=0,4294967294,0,"x"', "+CME ERROR: 514"],
  ["AT%CMNG=3,4294967293,10", "+CME ERROR: 514"],
  ["AT%CMNG=3,1,0", "+CME ERROR: 513"],
  ["AT%CMNG=2,1,0", "+CME ERROR: 513"],
  ["AT%CMNG=2,43,2", "+CME ERROR: 514"],
  ["AT%CMNG=2,43,3", "+CME ERROR: 514"],
  ["AT%CMNG=2,1", "ERROR"],
  ["AT%CMNG=3,1", "ERROR"],
  ['AT%CMNG=1,"a"', "ERROR"],
  ["AT%CMNG=1,1,1,1", "ERROR"],
];

test("every refusal has its number, and a plain ERROR while +CMEE is 0", async () => {
  const { at } = await makeModemWorld();
  await at('AT%CMNG=0,43,2,"key"');
  await at('AT%CMNG=0,43,3,"abcd"');
  for (const [command] of refusals) assert.equal(await at(command), "ERROR\r\n", command);
  await at("AT+CMEE=1");
  for (const [command, answer] of refusals) assert.equal(await at(command), `${answer}\r\n`, command);
});

test("while LTE is active nothing is written or deleted, but listed and read", async () => {
  const { at } = await makeModemWorld();
  await at("AT+CMEE=1");
  await at('AT%CMNG=0,43,0,"old"');
  for (const mode of [1, 2, 21]) {
    await at(`AT+CFUN=${mode}`);
    assert.equal(await at('AT%CMNG=0,43,0,"new"'), "+CME ERROR: 518\r\n", `CFUN=${mode}`);
    assert.equal(await at("AT%CMNG=3,43,0"), "+CME ERROR: 518\r\n", `CFUN=${mode}`);
    assert.match(await at("AT%CMNG=2,43,0"), /"old"\r\nOK/);
  }
  for (const mode of [0, 4, 31, 44]) {
    await at("AT+CFUN=4");
    await at(`AT+CFUN=${mode}`);
    assert.equal(await at('AT%CMNG=0,43,0,"old"'), "OK\r\n", `CFUN=${mode}`);
  }
});

test("a full storage refuses, and takes again when there is room", async () => {
  const { at } = await makeModemWorld({ storageBytesMax: 10 });
  await at("AT+CMEE=1");
  assert.equal(await at('AT%CMNG=0,1,0,"12345678"'), "OK\r\n");
  assert.equal(await at('AT%CMNG=0,2,0,"123"'), "+CME ERROR: 515\r\n");
  assert.equal(await at('AT%CMNG=0,1,0,"1234567890"'), "OK\r\n");
  await at("AT%CMNG=3,1,0");
  assert.equal(await at('AT%CMNG=0,2,0,"123"'), "OK\r\n");
});

test("a low supply voltage refuses writes and warns", async () => {
  const { at, modem, notifications } = await makeModemWorld();
  await at("AT+CMEE=1");
  await at("AT%XPOFWARN=1,33");
  modem.faults.setPowerFailing(true);
  assert.deepEqual(notifications, ["%XPOFWARN: 33"]);
  assert.equal(await at('AT%CMNG=0,1,0,"x"'), "+CME ERROR: 528\r\n");
  modem.faults.setPowerFailing(false);
  assert.equal(await at('AT%CMNG=0,1,0,"x"'), "OK\r\n");
});

test("only newer firmware looks into certificates", async () => {
  const old = await makeModemWorld();
  assert.equal(await old.at('AT%CMNG=0,1,1,"no certificate"'), "OK\r\n");
  const { at } = await makeModemWorld({ firmware: "mfw_nrf91x1_2.0.2" });
  await at("AT+CMEE=1");
  const pem = client.certificatePem;
  const cases: [content: string, answer: string][] = [
    ["no certificate", "+CME ERROR: 527"],
    [pem.replaceAll("\n", " "), "+CME ERROR: 527"],
    [pem.replace("MII", "AAA").slice(0, 300), "+CME ERROR: 527"],
    [pem, "OK"],
    [pem.trimEnd(), "OK"],
    [pem.replaceAll("\n", "\r\n"), "OK"],
    [pem + ca.certificatePem, "OK"],
  ];
  for (const [content, answer] of cases) assert.equal(await at(`AT%CMNG=0,1,1,"${content}"`), `${answer}\r\n`);
  assert.equal(await at('AT%CMNG=0,1,2,"keys are not checked"'), "OK\r\n");
  assert.equal(await at('AT%CMNG=0,2147483648,3,"abcd"'), "OK\r\n");
});

test("refusals can be put in the way of the next writes", async () => {
  const { at, modem } = await makeModemWorld();
  await at("AT+CMEE=1");
  modem.faults.refuseWrites({ cme: 515, count: 2 });
  assert.equal(await at('AT%CMNG=0,1,0,"x"'), "+CME ERROR: 515\r\n");
  assert.equal(await at('AT%CMNG=0,1,0,"x"'), "+CME ERROR: 515\r\n");
  assert.equal(await at('AT%CMNG=0,1,0,"x"'), "OK\r\n");
});

test("a factory reset takes the credentials, but not the vendor's", async () => {
  const { at } = await makeModemWorld();
  await at('AT%CMNG=0,1,0,"x"');
  assert.equal(await at("AT%XFACTORYRESET=1"), "OK\r\n");
  assert.match(await at("AT%CMNG=1,1"), /^%CMNG: 1,0/);
  await at("AT+CFUN=4");
  assert.equal(await at("AT%XFACTORYRESET=0"), "ERROR\r\n");
  await at("AT+CFUN=0");
  assert.equal(await at("AT%XFACTORYRESET=0"), "OK\r\n");
  assert.equal(await at("AT%CMNG=1,1"), "OK\r\n");
  assert.match(await at("AT%CMNG=1"), /4294967294,6/);
});

test("entries are private files and survive a restart", async () => {
  const files = createVirtualFiles();
  const first = await makeModemWorld({ files, folder: "modem" });
  await first.at('AT%CMNG=0,43,2,"key"');
  await first.modem.close();
  assert.equal(files.modeOf("modem/credentials/43-2.json"), 0o600);
  assert.equal(files.modeOf("modem/identity.json"), 0o600);
  const again = await makeModemWorld({ files, folder: "modem" });
  assert.equal(await again.at("AT%CMNG=1,43"), `%CMNG: 43,2,"${sha256("key")}"\r\nOK\r\n`);
});

const versions = [9, -1, "1", null].map((version) => JSON.stringify({ version, secTag: 43, type: 0 }));

test("a damaged entry names its file; remains of a cut-off replacement do not matter", async () => {
  for (const damage of ["", "{", "[]", '{"version":1}', "\xff", ...versions]) {
    const files = createVirtualFiles();
    const first = await makeModemWorld({ files, folder: "modem" });
    await first.at('AT%CMNG=0,43,0,"SECRET"');
    await first.modem.close();
    await files.replace("modem/credentials/43-0.json.tmp", new Uint8Array(3));
    await (await makeModemWorld({ files, folder: "modem" })).modem.close();
    await files.replace("modem/credentials/43-0.json", new TextEncoder().encode(damage));
    await assert.rejects(
      makeModemWorld({ files, folder: "modem" }),
      (error) => isThinglineError(error, "STORE_CORRUPT") && error.message.includes("modem/credentials/43-0.json"),
      JSON.stringify(damage),
    );
  }
});

test("a record has at most recordBytesMax, and a longer one is named", async () => {
  const files = createVirtualFiles();
  const first = await makeModemWorld({ files, folder: "modem" });
  await first.at('AT%CMNG=0,43,0,"x"');
  await first.modem.close();
  const path = "modem/credentials/43-0.json";
  const record = await files.read(path, { bytesMax: recordBytesMax });
  // JSON may end in blanks.
  const padded = new Uint8Array(recordBytesMax + 1).fill(0x20);
  padded.set(record);
  await files.replace(path, padded.subarray(0, recordBytesMax));
  const again = await makeModemWorld({ files, folder: "modem" });
  assert.match(await again.at("AT%CMNG=1,43"), /^%CMNG: 43,0/);
  await again.modem.close();
  await files.replace(path, padded);
  await assert.rejects(
    makeModemWorld({ files, folder: "modem" }),
    (error) => isThinglineError(error, "FILE_TOO_LARGE") && error.details["path"] === path,
  );
});

test("an entry whose content does not fit its digest is damaged, and the message keeps the secret", async () => {
  const files = createVirtualFiles();
  const first = await makeModemWorld({ files, folder: "modem" });
  await first.at('AT%CMNG=0,43,2,"SECRET"');
  await first.modem.close();
  const path = "modem/credentials/43-2.json";
  const text = new TextDecoder().decode(await files.read(path, { bytesMax: 64 * 1024 }));
  await files.replace(path, new TextEncoder().encode(text.replace("SECRET", "SECREX")));
  await assert.rejects(
    makeModemWorld({ files, folder: "modem" }),
    (error) => isThinglineError(error, "STORE_CORRUPT") && !/SECRE/.test(error.message),
  );
});

test("the power can go at any write of the disk: each entry is the old one or the new one", async () => {
  const write = ['AT%CMNG=0,50,2,"new key"', 'AT%CMNG=0,50,1,"new certificate"', "AT%CMNG=3,50,0"];
  const setUp = async () => {
    const files = createVirtualFiles({ random: createVirtualRandom("power") });
    const world = await makeModemWorld({ files, folder: "modem" });
    for (const type of [0, 1, 2]) await world.at(`AT%CMNG=0,50,${type},"old ${type}"`);
    return { files, world };
  };
  const { files: counted, world: whole } = await setUp();
  const before = counted.writeCount;
  for (const command of write) assert.equal(await whole.at(command), "OK\r\n");
  const writes = counted.writeCount - before;
  assert.ok(writes >= 8, `${writes} writes`);
  for (let cut = 1; cut <= writes; cut++) {
    const { files, world } = await setUp();
    files.powerLossBeforeWrite(cut);
    for (const command of write) if (files.isPowered) await world.at(command).catch(() => undefined);
    world.modem.cutPower();
    const again = await makeModemWorld({ files: files.restart(), folder: "modem" });
    const entry = async (type: number) => (await again.at(`AT%CMNG=1,50,${type}`)).split('"')[1];
    assert.ok([sha256("old 2"), sha256("new key")].includes((await entry(2)) ?? ""), `cut ${cut}`);
    assert.ok([sha256("old 1"), sha256("new certificate")].includes((await entry(1)) ?? ""), `cut ${cut}`);
    assert.ok([sha256("old 0"), undefined].includes(await entry(0)), `cut ${cut}`);
    await again.modem.close();
  }
});

for (const phase of ["before", "after"] as const) {
  test(`the power can be cut ${phase} the Nth write: the command never answers, the rest is as the disk says`, async () => {
    const files = createVirtualFiles();
    const { at, modem, openSession, clock } = await makeModemWorld({ files, folder: "modem" });
    const session = openSession();
    modem.faults.cutPowerAtWrite(2, phase);
    assert.equal(await at('AT%CMNG=0,50,2,"key"'), "OK\r\n");
    await assert.rejects(at('AT%CMNG=0,50,1,"certificate"'), (error) => isThinglineError(error, "CONNECTION_LOST"));
    await assert.rejects(at("AT"), (error) => isThinglineError(error, "CONNECTION_LOST"));
    await assert.rejects(clock.until(session.command("AT")), (error) => isThinglineError(error, "CONNECTION_LOST"));
    await modem.closed;
    const again = await makeModemWorld({ files, folder: "modem" });
    const types = [...(await again.at("AT%CMNG=1,50")).matchAll(/50,([0-9])/g)].map((match) => match[1]);
    assert.deepEqual(types, phase === "before" ? ["2"] : ["1", "2"]);
  });
}

test("a disk that cannot be written is told to the caller and ends the port", async () => {
  const files = createVirtualFiles();
  const { at, clock, openSession } = await makeModemWorld({ files, folder: "modem" });
  const session = openSession();
  files.cutPower();
  await assert.rejects(at('AT%CMNG=0,1,0,"x"'), (error) => isThinglineError(error, "FILE_UNREADABLE"));
  await assert.rejects(clock.until(session.command('AT%CMNG=0,1,0,"x"')), (error) =>
    isThinglineError(error, "CONNECTION_LOST"),
  );
});

test("what is used of the storage follows each write, overwrite, removal and start", async () => {
  const files = createVirtualFiles();
  const options = { files, folder: "modem", storageBytesMax: 10 };
  const world = await makeModemWorld(options);
  await world.at("AT+CMEE=1");
  for (const [command, answer] of [
    ['0,1,3,"éé"', "OK"],
    ['0,2,3,"1234567"', "+CME ERROR: 515"],
    ['0,2,3,"123456"', "OK"],
    ['0,1,3,"12345"', "+CME ERROR: 515"],
    ['0,1,3,"1"', "OK"],
    ['0,3,3,"123"', "OK"],
    ["3,2,3", "OK"],
    ["3,2,3", "+CME ERROR: 513"],
    ['0,1,3,"1234567"', "OK"],
  ] as const) {
    assert.equal(await world.at(`AT%CMNG=${command}`), `${answer}\r\n`, command);
  }
  await world.modem.close();
  const again = await makeModemWorld(options);
  assert.equal(await again.at('AT%CMNG=0,4,3,"1"'), "ERROR\r\n");
  assert.equal(await again.at('AT%CMNG=0,3,3,"12"'), "OK\r\n");
  assert.equal(await again.at('AT%CMNG=0,4,3,"1"'), "OK\r\n");
  await again.modem.close();
});

// Each write once added up all the others: these took a minute.
test("thousands of small credentials are written and listed", { timeout: 30_000 }, async () => {
  const { modem } = await makeModemWorld();
  const count = 5000;
  for (let tag = 0; tag < count; tag++) assert.equal(await modem.at(`AT%CMNG=0,${tag},3,"a"`), "OK\r\n");
  assert.equal((await modem.at("AT%CMNG=1")).match(/^%CMNG: [0-9]+,3,/gm)?.length, count);
  await modem.close();
});
