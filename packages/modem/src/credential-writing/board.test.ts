import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { parseCertificateRequest } from "@thingline/protocol/x509";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { deleteBoardCredentials, listBoardCredentials } from "./board-credentials.js";
import { generateModemKey } from "./generate-key.js";
import { whileOffline } from "./while-offline.js";
import {
  openWritingWorld,
  storedIn,
  testKeys as keys,
  type WritingWorldOptions,
} from "./writing-world.test.support.js";

const { client } = await makeTestCertificates(keys);

/** The modem's own keys come from a pool: those of the system take their own time. */
const modemKeys = createVirtualKeys({ random: createVirtualRandom("board") });

/** A modem that is online. */
async function openWorld({ modem, ...options }: WritingWorldOptions = {}) {
  const world = await openWritingWorld({ ...options, modem: { keys: modemKeys, ...modem } });
  const wait = <T>(promise: Promise<T>) => world.clock.until(promise);
  await wait(world.modem.at("AT+CFUN=1"));
  const isAsBefore = async () => {
    assert.equal(await wait(world.modem.at("AT+CFUN?")), "+CFUN: 1\r\nOK\r\n");
    assert.equal(await wait(world.modem.at("AT+CMEE?")), "+CMEE: 0\r\nOK\r\n");
  };
  return { ...world, wait, isAsBefore, stored: (tag: number) => storedIn(world.modem, world.clock, tag) };
}

test("a key is made in the modem, its request is one that strict readers take, and the modem's statement is about it", async () => {
  const { session, wait, isAsBefore, stored } = await openWorld();
  const attributes = "CN=pump-7,O=acme";
  const made = await wait(generateModemKey(session, { secTag: 42, keys, attributes, keyUsage: "101010000" }));
  const request = parseCertificateRequest(made.requestPem ?? "");
  assert.deepEqual(request.publicKey, made.publicKey);
  assert.match(made.subject ?? "", /CN=pump-7/);
  // The modem's own answer has it: sequence, OID of ECDSA with SHA-256, NULL.
  const withNull = Buffer.from("300c06082a8648ce3d0403020500", "hex");
  assert.equal(Buffer.from(request.der).includes(withNull), false);
  assert.equal(made.attestation.secTag, 42);
  assert.deepEqual(made.replaced, []);
  assert.equal((await stored(42)).length, 1);
  await isAsBefore();
});

test("without attributes the request has the modem's own subject", async () => {
  const { session, wait, modem } = await openWorld();
  const made = await wait(generateModemKey(session, { secTag: 42, keys, keyUsage: "100000000" }));
  assert.equal(made.subject, `CN=${modem.identity.deviceUuid}`);
});

test("a bare public key is given on request", async () => {
  const { session, wait } = await openWorld();
  const made = await wait(generateModemKey(session, { secTag: 42, keys, content: "publicKey" }));
  assert.equal(made.requestPem, undefined);
  const key = createPublicKey({ key: Buffer.from(made.publicKey), type: "spki", format: "der" });
  assert.equal(key.asymmetricKeyDetails?.namedCurve, "prime256v1");
});

test("a tag with a key keeps it, unless it is to be replaced: then its certificate goes as well", async () => {
  const { session, wait, stored, isAsBefore } = await openWorld();
  const first = await wait(generateModemKey(session, { secTag: 42, keys }));
  await wait(whileOffline(session, (run) => run(`AT%CMNG=0,42,1,"${client.certificatePem}"`)));
  const before = await stored(42);
  await assert.rejects(
    wait(generateModemKey(session, { secTag: 42, keys })),
    (error) => isThinglineError(error, "CREDENTIAL_REFUSED") && error.details["cme"] === 519,
  );
  assert.deepEqual(await stored(42), before);
  await isAsBefore();
  const second = await wait(generateModemKey(session, { secTag: 42, keys, replace: true }));
  assert.deepEqual(second.replaced, ["certificate", "privateKey"]);
  assert.notDeepEqual(second.publicKey, first.publicKey);
  assert.equal((await stored(42)).length, 1);
});

test("a modem that refuses to make a key says why, and is as it was", async () => {
  const { session, wait, modem, isAsBefore } = await openWorld();
  modem.faults.refuseWrites({ cme: 515, count: 1 });
  await assert.rejects(
    wait(generateModemKey(session, { secTag: 42, keys })),
    (error) => isThinglineError(error, "CREDENTIAL_REFUSED") && error.details["cme"] === 515,
  );
  await isAsBefore();
});

test("an answer that was lost is told as what it is: the key may be there, and its request is not", async () => {
  const clean = await openWorld();
  await clean.wait(generateModemKey(clean.session, { secTag: 42, keys }));
  let isTold = false;
  // Before, the modem is looked at; every loss there costs its time-outs.
  for (let chunk = clean.chunks() >> 1; chunk <= clean.chunks(); chunk++) {
    const { session, wait, stored, modem } = await openWorld({ fault: { chunk, kind: "lose" } });
    const failure = await wait(generateModemKey(session, { secTag: 42, keys }).catch((error: unknown) => error));
    if (!(failure instanceof Error)) continue;
    assert.ok(isThinglineError(failure));
    const hasKey = (await stored(42)).length === 1;
    if (hasKey && /may hold a key now whose request was lost/.test(failure.message)) isTold = true;
    await wait(modem.close());
  }
  assert.ok(isTold);
});

for (const [what, options] of [
  ["key usage of eight bits", { keyUsage: "10101000" }],
  ["attributes with a quote", { attributes: 'CN="a"' }],
  ["attributes without a name", { attributes: "pump-7" }],
  ["attributes of a bare key", { content: "publicKey", attributes: "CN=a" }],
  ["a usage of a bare key", { content: "publicKey", keyUsage: "100000000" }],
  ["another content", { content: "certificate" as "request" }],
  ["a tag that is none", { secTag: -1 }],
] as const) {
  test(`${what}: refused before the modem is asked anything`, async () => {
    const { session, wait, chunks } = await openWorld();
    await assert.rejects(wait(generateModemKey(session, { secTag: 42, keys, ...options })), { code: "OPTION_INVALID" });
    assert.equal(chunks(), 0);
  });
}

test("a modem's list has its vendor's entries, marked", async () => {
  const { session, wait } = await openWorld();
  await wait(whileOffline(session, (run) => run('AT%CMNG=0,42,3,"ABCD"')));
  const entries = await wait(listBoardCredentials(session));
  assert.deepEqual(
    entries.map(({ secTag, type, name, isReserved }) => [secTag, type, name, isReserved]),
    [
      [42, 3, "psk", false],
      [4_294_967_292, 11, undefined, true],
      [4_294_967_293, 10, undefined, true],
      [4_294_967_294, 6, undefined, true],
    ],
  );
  assert.match(entries[0]?.sha256 ?? "", /^[0-9a-f]{64}$/);
  assert.equal((await wait(listBoardCredentials(session, { secTag: 43 }))).length, 0);
});

test("a list that was damaged on its way is not believed", async () => {
  const clean = await openWorld();
  await clean.wait(listBoardCredentials(clean.session));
  let damaged = 0;
  for (let chunk = 1; chunk <= clean.chunks(); chunk++) {
    const { session, wait } = await openWorld({ fault: { chunk, kind: "garble" } });
    const failed = await wait(listBoardCredentials(session).catch((error: unknown) => error));
    if (isThinglineError(failed)) damaged++;
    else assert.equal((failed as unknown[]).length, 3);
  }
  assert.ok(damaged > 0);
});

test("what a tag has is deleted offline, all or one type, and is gone", async () => {
  const { session, wait, stored, isAsBefore } = await openWorld();
  await wait(
    whileOffline(session, async (run) => {
      for (const type of [0, 1, 2]) await run(`AT%CMNG=0,42,${type},"${client.certificatePem}"`);
    }),
  );
  const [one] = await wait(deleteBoardCredentials(session, { secTag: 42, type: 1 }));
  assert.equal(one?.name, "certificate");
  assert.equal((await stored(42)).length, 2);
  const rest = await wait(deleteBoardCredentials(session, { secTag: 42 }));
  assert.deepEqual(
    rest.map(({ name }) => name),
    ["ca", "privateKey"],
  );
  assert.deepEqual(await stored(42), []);
  assert.deepEqual(await wait(deleteBoardCredentials(session, { secTag: 42 })), []);
  await isAsBefore();
  await assert.rejects(wait(deleteBoardCredentials(session, { secTag: 4_294_967_294, force: true })), {
    code: "CREDENTIAL_REFUSED",
  });
});
