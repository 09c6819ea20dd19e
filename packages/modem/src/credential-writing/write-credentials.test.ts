import assert from "node:assert/strict";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import { makeTestCertificates } from "@thingline/transport/contract";
import { normalizePem } from "./pem-text.js";
import { defaultScratchTag } from "./types.js";
import { writeCredentials } from "./write-credentials.js";
import { openWritingWorld, storedIn, testKeys, type WritingWorldOptions } from "./writing-world.test.support.js";

const { ca, client, server } = await makeTestCertificates(testKeys);
const credentials = { ca: ca.certificatePem, certificate: client.certificatePem, privateKey: client.privateKeyPem };
const others = { ca: ca.certificatePem, certificate: server.certificatePem, privateKey: server.privateKeyPem };
const sha256 = (text: string) => toHex(testKeys.sha256(new TextEncoder().encode(text)));
const keys = testKeys;

async function openWorld(options: WritingWorldOptions = {}) {
  const world = await openWritingWorld(options);
  const { clock, session, modem } = world;
  const write = (
    plan: Parameters<typeof writeCredentials>[1],
    more: Partial<Parameters<typeof writeCredentials>[2]> = {},
  ) => clock.until(writeCredentials(session, plan, { keys, clock, ...more }));
  return {
    ...world,
    write,
    stored: (tag: number) => storedIn(modem, clock, tag),
    at: (line: string) => clock.until(modem.at(line)),
  };
}

test("three credentials are written offline and verified, and the modem is online again with its subscriptions", async () => {
  const { write, at, stored } = await openWorld();
  await at("AT+CEREG=5");
  await at("AT+CFUN=1");
  const report = await write({ secTag: 42, credentials });
  assert.equal(report.failure, undefined);
  assert.equal(report.result, "written");
  assert.equal(report.oldCredentials, "none");
  assert.equal(report.isProved, undefined);
  assert.deepEqual(report.modem, { functionalMode: 1, isRestored: true });
  for (const [type, content] of Object.entries(credentials)) {
    const item = report.items.find((each) => each.type === type);
    assert.deepEqual([item?.state, item?.sha256, item?.foundSha256], ["equal", sha256(content), sha256(content)]);
  }
  assert.equal((await stored(42)).length, 3);
  assert.equal(await at("AT+CFUN?"), "+CFUN: 1\r\nOK\r\n");
  assert.match(await at("AT+CEREG?"), /^\+CEREG: 5,/);
  assert.equal(await at("AT+CMEE?"), "+CMEE: 0\r\nOK\r\n");
});

test("what is there already is not written again", async () => {
  const { write, session } = await openWorld();
  await write({ secTag: 42, credentials });
  const before = session.counters.commands;
  const report = await write({ secTag: 42, credentials });
  assert.equal(report.result, "unchanged");
  assert.ok(session.counters.commands - before < 11, String(session.counters.commands - before));
});

test("while a key is new and its certificate is not, the tag has no CA", async () => {
  const { write, modem, files } = await openWorld();
  await write({ secTag: 42, credentials: others });
  // The second write of the storage is the key: the CA was deleted before.
  modem.faults.cutPowerAtWrite(2, "after");
  const report = await write({ secTag: 42, credentials });
  assert.equal(report.result, "failed");
  assert.deepEqual(new Set(report.items.map(({ state }) => state)), new Set(["unknown"]));
  assert.equal(report.oldCredentials, "unknown");
  assert.equal(report.modem?.isRestored, false);
  const again = await openWorld({ files });
  assert.deepEqual(
    (await again.stored(42)).map((line) => line.slice(0, 12)),
    ["%CMNG: 42,1,", "%CMNG: 42,2,"],
  );
  assert.equal((await again.write({ secTag: 42, credentials })).result, "written");
});

for (const cme of [515, 518, 519, 527, 528] as const) {
  test(`a write that the modem refuses with ${cme} is told with its reason, and what is in the tag`, async () => {
    const { write, modem } = await openWorld();
    modem.faults.refuseWrites({ cme, count: 99 });
    const report = await write({ secTag: 42, credentials });
    assert.ok(isThinglineError(report.failure, "CREDENTIAL_REFUSED"), String(report.failure));
    assert.equal(report.failure.details["cme"], cme);
    assert.deepEqual(new Set(report.items.map(({ state }) => state)), new Set(["missing"]));
    assert.equal(report.modem?.isRestored, true);
  });
}

test("a modem that somebody switches on in between is taken offline again", async () => {
  const { write, modem } = await openWorld();
  modem.faults.refuseWrites({ cme: 518, count: 1 });
  assert.equal((await write({ secTag: 42, credentials })).result, "written");
});

test("new credentials are proved in another tag before they replace the old", async () => {
  const { write, stored, at } = await openWorld();
  await write({ secTag: 42, credentials: others });
  const proved: [tag: number, old: boolean][] = [];
  const report = await write(
    { secTag: 42, credentials },
    {
      prove: async (secTag) => {
        proved.push([
          secTag,
          (await stored(42)).some((line) => line.includes(sha256(others.privateKey).toUpperCase())),
        ]);
      },
    },
  );
  assert.equal(report.failure, undefined);
  assert.deepEqual(proved, [
    [defaultScratchTag, true],
    [42, false],
  ]);
  assert.equal(report.isProved, true);
  assert.equal(report.oldCredentials, "replaced");
  assert.equal(report.leftInScratchTag, undefined);
  assert.deepEqual(await stored(defaultScratchTag), []);
  assert.equal(await at("AT+CFUN?"), "+CFUN: 0\r\nOK\r\n");
});

test("credentials that do not connect never reach a tag that holds others", async () => {
  const { write, stored } = await openWorld();
  await write({ secTag: 42, credentials: others });
  const before = await stored(42);
  const refusal = new ThinglineError("CONNECTION_REFUSED", "the broker refuses");
  const report = await write({ secTag: 42, credentials }, { prove: () => Promise.reject(refusal) });
  assert.equal(report.failure, refusal);
  assert.equal(report.isProved, false);
  assert.equal(report.oldCredentials, "kept");
  assert.equal(report.leftInScratchTag, undefined);
  assert.deepEqual(await stored(42), before);
  assert.deepEqual(await stored(defaultScratchTag), []);
});

test("a certificate for a key that stays is proved in its place, and the old one is put back when it fails", async () => {
  const { write, stored } = await openWorld();
  await write({ secTag: 42, credentials });
  const before = await stored(42);
  const part = { ca: server.certificatePem, certificate: server.certificatePem };
  const refusal = new ThinglineError("CONNECTION_REFUSED", "the broker refuses");
  const report = await write({ secTag: 42, credentials: part }, { prove: () => Promise.reject(refusal) });
  assert.equal(report.failure, refusal);
  assert.equal(report.oldCredentials, "putBack");
  assert.deepEqual(await stored(42), before);
});

test("a scratch tag with something of somebody else's is refused, and taken by force", async () => {
  const { write, at, stored } = await openWorld();
  await write({ secTag: 42, credentials: others });
  await at(`AT%CMNG=0,${defaultScratchTag},3,"ABCD"`);
  const prove = async () => undefined;
  const report = await write({ secTag: 42, credentials }, { prove });
  assert.ok(isThinglineError(report.failure, "CREDENTIAL_REFUSED"), String(report.failure));
  assert.equal(report.oldCredentials, "kept");
  assert.equal((await write({ secTag: 42, credentials, force: true }, { prove })).result, "written");
  assert.equal((await stored(defaultScratchTag)).length, 1, "the PSK is not ours");
});

test("a key that was made in the modem is replaced by force only", async () => {
  const { write, modem, clock } = await openWorld();
  await clock.untilSettled(modem.at("AT%KEYGEN=42,2,0"));
  const report = await write({ secTag: 42, credentials });
  assert.equal(report.failure?.details["cme"], 519);
  assert.equal(report.items.find(({ type }) => type === "privateKey")?.state, "differs");
  assert.equal((await write({ secTag: 42, credentials, force: true })).result, "written");
});

test("what a key that was made in the modem refuses leaves the CA beside it as it was", async () => {
  for (const oldCa of [ca.certificatePem, server.certificatePem]) {
    const { write, modem, clock, stored } = await openWorld();
    await clock.untilSettled(modem.at("AT%KEYGEN=42,2,0"));
    await write({ secTag: 42, credentials: { ca: oldCa, certificate: server.certificatePem } });
    const before = await stored(42);
    const report = await write({ secTag: 42, credentials });
    assert.equal(report.failure?.details["cme"], 519);
    assert.deepEqual(await stored(42), before);
    assert.equal(report.oldCredentials, "kept");
  }
});

test("a certificate that is not of the key that is there now is not put back, whatever failed", async () => {
  const part = { certificate: client.certificatePem, privateKey: client.privateKeyPem };
  const types = (lines: readonly string[]) => lines.map((line) => line.slice(0, 11));
  const unproved = await openWorld();
  await unproved.write({ secTag: 42, credentials: others });
  const refusal = new ThinglineError("CONNECTION_REFUSED", "the broker refuses");
  const report = await unproved.write({ secTag: 42, credentials: part }, { prove: () => Promise.reject(refusal) });
  assert.deepEqual([report.failure, report.oldCredentials], [refusal, "replaced"]);
  assert.deepEqual(new Set(report.items.map(({ state }) => state)), new Set(["equal"]));
  // A cut behind the key: the old certificate went before it.
  const cut = await openWorld();
  await cut.write({ secTag: 42, credentials: others });
  cut.modem.faults.cutPowerAtWrite(2, "after");
  await cut.write({ secTag: 42, credentials: part });
  const again = await openWorld({ files: cut.files });
  assert.deepEqual(types(await again.stored(42)), ["%CMNG: 42,0", "%CMNG: 42,2"]);
  assert.equal((await again.write({ secTag: 42, credentials: part })).result, "written");
  assert.equal((await again.stored(42)).length, 3);
});

test("wherever a key with its certificate is stopped, no key stands with the certificate of another", async () => {
  const part = { certificate: client.certificatePem, privateKey: client.privateKeyPem };
  let wasStopped = true;
  let stops = 0;
  while (wasStopped) {
    const { write, session, at, stored } = await openWorld();
    await write({ secTag: 42, credentials: others });
    await at("AT+CFUN=1");
    const stop = new AbortController();
    const before = session.counters.commands;
    const sequence = session.sequence.bind(session);
    session.sequence = (steps) =>
      sequence((run) =>
        steps((line, options) => {
          const isStopped = session.counters.commands - before === stops;
          const answer = run(line, options);
          if (isStopped) queueMicrotask(() => stop.abort());
          return answer;
        }),
      );
    const { signal } = stop;
    const report = await write({ secTag: 42, credentials: part }, { prove: async () => undefined, signal });
    const lines = (await stored(42)).join("\n");
    const has = (text: string) => lines.includes(sha256(text).toUpperCase());
    assert.ok(!(has(part.privateKey) && has(others.certificate)), `stopped at command ${stops}: ${lines}`);
    assert.equal(report.result === "failed", signal.aborted && report.failure !== undefined);
    assert.equal(await at("AT+CFUN?"), "+CFUN: 1\r\nOK\r\n");
    wasStopped = signal.aborted;
    stops++;
  }
  assert.ok(stops > 15, String(stops));
});

test("a scratch tag with another identity keeps the CA that both have", async () => {
  const { write, stored } = await openWorld();
  await write({ secTag: 50, credentials: others });
  const before = await stored(50);
  const prove = async () => undefined;
  assert.equal((await write({ secTag: 42, credentials, scratchTag: 50 }, { prove })).result, "written");
  assert.deepEqual(await stored(50), before);
});

test("when the caller goes away the modem is put back all the same", async () => {
  const { write, at, stored } = await openWorld();
  await at("AT+CFUN=1");
  const stop = new AbortController();
  let writes = 0;
  const report = await write(
    { secTag: 42, credentials },
    {
      signal: stop.signal,
      onStep: (step) => {
        if (step === "write" && ++writes === 1) stop.abort();
      },
    },
  );
  assert.ok(isThinglineError(report.failure, "ABORTED"), String(report.failure));
  assert.equal(report.modem?.isRestored, true);
  assert.equal(await at("AT+CFUN?"), "+CFUN: 1\r\nOK\r\n");
  assert.equal(report.items.filter(({ state }) => state === "equal").length, (await stored(42)).length);
});

for (const mode of [0, 1, 4, 31, 41, 44]) {
  test(`a modem in functional mode ${mode} is in no other one after a write and a proof`, async () => {
    const { write, at } = await openWorld();
    await at(`AT+CFUN=${mode}`);
    const before = await at("AT+CFUN?");
    const report = await write({ secTag: 42, credentials }, { prove: async () => undefined });
    assert.equal(report.failure, undefined);
    assert.equal(report.modem?.isRestored, true);
    assert.equal(await at("AT+CFUN?"), before);
  });
}

test("without a network nothing is proved, and the tag keeps what it has", async () => {
  const { write, modem, stored } = await openWorld();
  await write({ secTag: 42, credentials: others });
  const before = await stored(42);
  modem.setConditions({ hasCoverage: false });
  const prove = () => assert.fail("nobody can connect");
  const report = await write({ secTag: 42, credentials }, { prove, networkTimeoutMs: 30_000 });
  assert.ok(isThinglineError(report.failure, "TIMEOUT"), String(report.failure));
  assert.equal(report.oldCredentials, "kept");
  modem.setConditions({ hasCoverage: true, isDenied: true });
  const denied = await write({ secTag: 42, credentials }, { prove, networkTimeoutMs: 30_000 });
  assert.ok(isThinglineError(denied.failure, "LINK_FAILED"), String(denied.failure));
  assert.deepEqual(await stored(42), before);
  assert.deepEqual(await stored(defaultScratchTag), []);
});

test("a firmware that lists no digests is asked for the texts, and believed for the key alone", async () => {
  const { write, stored } = await openWorld({ modem: { firmware: "mfw_nrf9160_1.0.1" } });
  const report = await write({ secTag: 42, credentials });
  assert.equal(report.result, "written");
  assert.ok((await stored(42)).every((line) => !/[0-9A-F]{64}/.test(line)));
  const states = new Map(report.items.map(({ type, state }) => [type, state]));
  assert.deepEqual(
    [states.get("ca"), states.get("certificate"), states.get("privateKey")],
    ["equal", "equal", "unknown"],
  );
});

const neverSent: [
  what: string,
  plan: Parameters<typeof writeCredentials>[1],
  code: "OPTION_INVALID" | "CREDENTIAL_REFUSED",
][] = [
  ["nothing", { secTag: 42, credentials: {} }, "OPTION_INVALID"],
  ["a tag that is none", { secTag: -1, credentials }, "OPTION_INVALID"],
  ["a tag between the user's and Nordic's", { secTag: 3_000_000_000, credentials, force: true }, "OPTION_INVALID"],
  ["Nordic's identity key", { secTag: 4_294_967_294, credentials, force: true }, "CREDENTIAL_REFUSED"],
  ["Nordic's root CA", { secTag: 4_294_967_293, credentials, force: true }, "CREDENTIAL_REFUSED"],
  ["Nordic's base key", { secTag: 4_294_967_292, credentials, force: true }, "CREDENTIAL_REFUSED"],
  ["the tag of nRF Cloud", { secTag: 16_842_753, credentials }, "CREDENTIAL_REFUSED"],
  ["a tag whose TLS can be traced", { secTag: 2_147_483_648, credentials }, "CREDENTIAL_REFUSED"],
  ["the same scratch tag", { secTag: 42, scratchTag: 42, credentials }, "OPTION_INVALID"],
  ["an empty text", { secTag: 42, credentials: { ca: "" } }, "CREDENTIAL_REFUSED"],
  ["a quote", { secTag: 42, credentials: { ca: 'a"b' } }, "CREDENTIAL_REFUSED"],
  ["a NUL", { secTag: 42, credentials: { ca: "a\0b" } }, "CREDENTIAL_REFUSED"],
  ["more than a command carries", { secTag: 42, credentials: { ca: "x".repeat(4_080) } }, "CREDENTIAL_REFUSED"],
];
for (const [what, plan, code] of neverSent) {
  test(`${what}: refused before the modem is asked anything`, async () => {
    const { session, clock, chunks } = await openWorld();
    await assert.rejects(clock.until(writeCredentials(session, plan, { keys, clock })), { code });
    assert.equal(chunks(), 0);
  });
}

test("the tag of nRF Cloud is taken by force", async () => {
  const { write } = await openWorld();
  assert.equal((await write({ secTag: 16_842_753, credentials, force: true })).result, "written");
});

test("a line that changes line ends is found out by the digest, and named", async () => {
  const { write } = await openWorld({ alters: (text) => text.replaceAll(/(?<!\r)\n/gu, "\r\n") });
  const report = await write({ secTag: 42, credentials });
  assert.ok(isThinglineError(report.failure, "CREDENTIAL_NOT_VERIFIED"), String(report.failure));
  assert.match(report.failure.message, /with CR LF line ends: something between here and the modem changes line ends/u);
  assert.deepEqual(new Set(report.items.map(({ state }) => state)), new Set(["differs"]));
});

// The digests of Nordic's documentation: over the exact bytes, so that each tool leaves another one for the same certificate.
const amazonDigests: [what: string, content: (pem: string) => string, sha256: string][] = [
  [
    "with LF",
    (pem) => normalizePem(pem, "certificates", { what: "it" }).text,
    "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1",
  ],
  [
    "with CR LF",
    (pem) => normalizePem(pem, "certificates", { what: "it", lineEnds: "crlf" }).text,
    "56AE01E6773BDAEC4BFB216D4005ADB06E4F680BD8BFB8BE4C683CE921681897",
  ],
  [
    "without its last line end",
    (pem) => normalizePem(pem, "certificates", { what: "it" }).text.trimEnd(),
    "AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74",
  ],
];
for (const [what, content, digest] of amazonDigests) {
  test(`Amazon Root CA 1 ${what} is listed with the digest that is documented for it`, async () => {
    const isAmazon = (pem: string) => parseCertificates(pem)[0].subject.includes("Amazon Root CA 1");
    const pem = rootCertificates.find(isAmazon) ?? "";
    const { write } = await openWorld();
    const report = await write({ secTag: 42, credentials: { ca: content(pem) } });
    assert.equal(report.items[0]?.foundSha256, digest.toLowerCase());
    assert.equal(report.items[0]?.state, "equal");
  });
}
