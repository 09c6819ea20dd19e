import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualFiles, createVirtualRandom } from "@thingline/transport/virtual";
import { openCredentialFolder } from "../simulator/folder.js";
import { makeModemWorld, type ModemWorldOptions } from "../world.test.support.js";
import { createModemCredentialStore } from "./credentials.js";

const keys = createNodeKeys();
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function overModem(options?: ModemWorldOptions) {
  const world = await makeModemWorld(options);
  const session = world.openSession();
  const store = createModemCredentialStore(session, { keys });
  return { ...world, session, store, wait: <T>(promise: Promise<T>) => world.clock.until(promise) };
}

async function overFolder() {
  const files = createVirtualFiles();
  const store = await openCredentialFolder({ files, keys, random: createVirtualRandom(1), folder: "modem" });
  return { store, wait: <T>(promise: Promise<T>) => promise };
}

for (const [name, open] of [
  ["a modem", overModem],
  ["a modem's folder", overFolder],
] as const) {
  test(`credentials go into ${name}, are compared, listed, read and deleted`, async () => {
    const { store, wait } = await open();
    const pem = "-----BEGIN CERTIFICATE-----\r\nabc\n-----END CERTIFICATE-----\n";
    assert.equal(await wait(store.digest(50, "certificate")), undefined);
    assert.equal(await wait(store.read(50, "certificate")), undefined);
    assert.equal(await wait(store.exists(50, "certificate")), false);
    await wait(store.write(50, "certificate", pem));
    await wait(store.write(50, "privateKey", "key"));
    await wait(store.write(50, "privateKey", "another key"));
    assert.equal(await wait(store.digest(50, "certificate")), sha256(pem));
    assert.equal(await wait(store.read(50, "certificate")), pem);
    assert.equal(await wait(store.compare(50, "privateKey", "another key")), true);
    // The original compares as many bytes as it is given, so that a prefix is equal.
    assert.equal(await wait(store.compare(50, "privateKey", "another")), false);
    assert.equal(await wait(store.compare(51, "privateKey", "another key")), false);
    assert.deepEqual(await wait(store.list()), [
      { secTag: 50, type: "certificate", sha256: sha256(pem) },
      { secTag: 50, type: "privateKey", sha256: sha256("another key") },
    ]);
    await wait(store.delete(50, "privateKey"));
    await wait(store.delete(50, "privateKey"));
    assert.equal(await wait(store.exists(50, "privateKey")), false);
  });

  test(`${name} never gives a private key back`, async () => {
    const { store, wait } = await open();
    await wait(store.write(50, "privateKey", "key"));
    await assert.rejects(
      wait(store.read(50, "privateKey")),
      (error) => isThinglineError(error, "CREDENTIAL_REFUSED") && error.details["cme"] === 514,
    );
  });

  for (const content of ["", 'a"b', "a\0b"]) {
    test(`${name} does not take ${JSON.stringify(content)}`, async () => {
      const { store, wait } = await open();
      await assert.rejects(wait(store.write(50, "ca", content)), (error) =>
        isThinglineError(error, "CREDENTIAL_REFUSED"),
      );
    });
  }
}

for (const [cme, words] of [
  [513, /nothing is stored/],
  [514, /protected/],
  [515, /delete security tags/],
  [518, /AT\+CFUN=4/],
  [519, /delete what is there/],
  [527, /complete PEM/],
  [528, /supply voltage/],
] as const) {
  test(`+CME ERROR ${cme} says what to do and keeps the content to itself`, async () => {
    const { store, modem, wait } = await overModem();
    modem.faults.refuseWrites({ cme, count: 1 });
    await assert.rejects(
      wait(store.write(50, "privateKey", "SECRET")),
      (error) =>
        isThinglineError(error, "CREDENTIAL_REFUSED") &&
        error.details["cme"] === cme &&
        error.details["secTag"] === 50 &&
        words.test(error.message) &&
        !error.message.includes("SECRET"),
    );
  });
}

test("an active link refuses writes with 518", async () => {
  const { store, at, wait } = await overModem();
  await at("AT+CFUN=1");
  await assert.rejects(
    wait(store.write(50, "ca", "x")),
    (error) => isThinglineError(error, "CREDENTIAL_REFUSED") && error.details["cme"] === 518,
  );
});

test("the error level is raised for the command alone", async () => {
  const { store, at, modem, wait } = await overModem();
  modem.faults.refuseWrites({ cme: 515, count: 2 });
  await assert.rejects(wait(store.write(50, "ca", "x")));
  assert.equal(await at("AT+CMEE?"), "+CMEE: 0\r\nOK\r\n");
  await at("AT+CMEE=1");
  await assert.rejects(wait(store.write(50, "ca", "x")));
  assert.equal(await at("AT+CMEE?"), "+CMEE: 1\r\nOK\r\n");
});

test("a credential that does not fit a command is refused before it is sent", async () => {
  const { store, session, wait } = await overModem();
  await assert.rejects(
    wait(store.write(50, "ca", "x".repeat(4090))),
    (error) => isThinglineError(error, "CREDENTIAL_REFUSED") && /takes 4096/.test(error.message),
  );
  assert.equal(session.counters.commands, 0);
  await wait(store.write(50, "ca", "x".repeat(4060)));
  assert.equal((await wait(store.read(50, "ca")))?.length, 4060);
});

test("a tag out of range is refused by name", async () => {
  const { store } = await overModem();
  for (const secTag of [-1, 1.5, 2_147_483_648]) {
    await assert.rejects(store.digest(secTag, "ca"), (error) => isThinglineError(error, "OPTION_INVALID"));
  }
});

test("the modem finds what was written into its folder, and the folder is taken while it runs", async () => {
  const files = createVirtualFiles();
  const options = { files, keys, random: createVirtualRandom(1), folder: "modem" };
  const folder = await openCredentialFolder({ ...options, identity: { imei: "352656100367872" } });
  await folder.write(43, "ca", "claim CA");
  assert.equal(folder.identity.imei, "352656100367872");
  await folder.close();
  await folder.close();
  await assert.rejects(folder.list(), (error) => isThinglineError(error, "CLOSED"));
  const { modem, at } = await makeModemWorld({ files, folder: "modem" });
  assert.equal(await at("AT+CGSN"), "352656100367872\r\nOK\r\n");
  assert.match(await at("AT%CMNG=1,43"), /^%CMNG: 43,0/);
  await assert.rejects(openCredentialFolder(options), (error) => isThinglineError(error, "LOCKED"));
  await modem.close();
  assert.equal((await (await openCredentialFolder(options)).list()).length, 1);
});

test("a firmware that lists no digests gives them by its contents", async () => {
  const { store, wait } = await overModem({ firmware: "mfw_nrf9160_1.0.1" });
  const pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n";
  await wait(store.write(50, "ca", pem));
  assert.equal(await wait(store.read(50, "ca")), pem);
  assert.equal(await wait(store.digest(50, "ca")), sha256(pem));
  assert.equal(await wait(store.compare(50, "ca", pem)), true);
});
