import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { coseSigned, encodeCose, formatSignedText, identityKeyId, rawSignature } from "../at/cose.js";
import { encodeModemMessage, type ModemMessage } from "../at/messages.js";
import { makeModemWorld } from "../world.test.support.js";
import { parseAttestationToken, parseClaimToken, readKeyAnswer } from "./attestation.js";
import { createModemKeyMaker } from "./key-maker.js";
import { readAttestationToken, readClaimToken, readIdentityKey } from "./tokens.js";

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });
const identity = await keys.generate("ec-p256");
const identityKey = keys.publicKeyOf(identity.privateKeyPem);
const other = keys.publicKeyOf((await keys.generate("ec-p256")).privateKeyPem);

const id = (byte: number) => new Uint8Array(16).fill(byte);
const challenge = "90115c20ac3f381b520b43c76bd5d99c";
const said = {
  identity: {
    ...({ type: "identity", deviceUuid: id(1), deviceType: 4, firmwareUuid: id(2) } as const),
    nonce: Uint8Array.from(Buffer.from(challenge, "hex")),
  },
  claim: {
    ...({ type: "claim", deviceUuid: id(1), deviceType: 9, firmwareUuid: id(2) } as const),
    ...{ ownershipSha256: new Uint8Array(32).fill(7), nonce: id(3) },
  },
} as const satisfies Record<string, ModemMessage>;

async function tokenOf(message: ModemMessage, { isDetached = true } = {}): Promise<string> {
  const body = encodeModemMessage(message);
  const signature = rawSignature(await keys.sign(identity.privateKeyPem, coseSigned(body)));
  const payload = isDetached ? undefined : body;
  return formatSignedText({ body, cose: encodeCose({ keyId: identityKeyId, payload, signature }) });
}

const problem = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.ok(isThinglineError(error, "MODEM_RESPONSE_INVALID"), String(error));
    return error.message;
  }
  return assert.fail("it was taken");
};

test("an attestation token is read, verified by the identity key, and answers the challenge", async () => {
  const token = await tokenOf(said.identity);
  const device = {
    ...{ deviceUuid: "01010101-0101-0101-0101-010101010101", deviceType: 4, part: "nRF9161" },
    ...{ firmwareUuid: "02020202-0202-0202-0202-020202020202", nonce: challenge },
  };
  assert.deepEqual(parseAttestationToken(token, { keys }), { ...device, isVerified: false });
  const verified = parseAttestationToken(token, { keys, identityKey, challenge: challenge.toUpperCase() });
  assert.deepEqual(verified, { ...device, isVerified: true });
  assert.match(
    problem(() => parseAttestationToken(token, { keys, identityKey: other })),
    /has not signed/,
  );
  const late = { keys, identityKey, challenge: "0".repeat(32) };
  assert.match(
    problem(() => parseAttestationToken(token, late)),
    /another challenge/,
  );
  assert.match(
    problem(() => parseClaimToken(token, { keys })),
    /no claim/,
  );
});

test("a claim token tells the digest of the owner's key, and a device type that is not known", async () => {
  const claim = parseClaimToken(await tokenOf(said.claim), { keys, identityKey });
  assert.deepEqual([claim.ownershipSha256, claim.part, claim.isVerified], ["07".repeat(32), undefined, true]);
  const token = await tokenOf(said.claim);
  assert.match(
    problem(() => parseAttestationToken(token, { keys })),
    /no attestation/,
  );
});

test("one changed byte of a token's message or signature is seen, wherever it is", async () => {
  const token = await tokenOf(said.identity);
  const [body = "", cose = ""] = token.split(".");
  const step = process.env["THINGLINE_TEST_LONG"] === "1" ? 1 : 9;
  for (const [at, part] of [body, cose].entries()) {
    const bytes = Buffer.from(part, "base64url");
    for (let index = 0; index < bytes.length; index += step) {
      const copy = Buffer.from(bytes);
      copy.writeUInt8((copy[index] ?? 0) ^ 1, index);
      const changed = copy.toString("base64url");
      const text = at === 0 ? `${changed}.${cose}` : `${body}.${changed}`;
      problem(() => parseAttestationToken(text, { keys, identityKey }));
    }
  }
});

test("a token whose signature holds a message of its own is not taken", async () => {
  const token = await tokenOf(said.identity, { isDetached: false });
  assert.match(
    problem(() => parseAttestationToken(token, { keys, identityKey })),
    /message of its own/,
  );
  assert.match(
    problem(() => parseAttestationToken("x", { keys })),
    /two parts/,
  );
});

test("the simulated modem's tokens and keys are verified by its identity key, and by no other", async () => {
  const { modem, openSession, clock } = await makeModemWorld({ keys, firmware: "mfw_nrf91x1_2.0.2" });
  const session = openSession();
  const wait = <Value>(promise: Promise<Value>) => clock.until(promise);
  const first = await wait(readAttestationToken(session, { keys }));
  assert.equal(first.attestation.deviceUuid, modem.identity.deviceUuid);
  assert.equal(first.attestation.firmwareUuid, modem.identity.modemUuid);
  assert.equal(first.attestation.isVerified, false);
  const asked = await wait(readAttestationToken(session, { keys, challenge }));
  assert.equal(asked.attestation.nonce, challenge);
  await assert.rejects(wait(readAttestationToken(session, { keys, identityKey })), /has not signed/);
  const own = await wait(readIdentityKey(session));
  assert.ok(own);
  const trusted = await wait(readAttestationToken(session, { keys, identityKey: own }));
  assert.equal(trusted.attestation.isVerified, true);
  assert.equal(
    (await wait(createModemKeyMaker(session, { keys, identityKey: own }).makePublicKey(62))).attestation.secTag,
    62,
  );

  const maker = createModemKeyMaker(session, { keys });
  const { publicKey, attestation } = await wait(maker.makePublicKey(60));
  assert.equal(attestation.secTag, 60);
  assert.equal(publicKey.length, 91, "a P-256 key as SubjectPublicKeyInfo");
  const strict = createModemKeyMaker(session, { keys, identityKey });
  await assert.rejects(wait(strict.makePublicKey(61)), /has not signed/);
});

test("an attestation of a bare key is not one of a request, nor of another key", async () => {
  const { at } = await makeModemWorld({ keys });
  const answer = /"(.+)"/.exec(await at("AT%KEYGEN=50,2,1"))?.[1] ?? "";
  assert.equal(readKeyAnswer(answer, { secTag: 50, keys, content: "publicKey" }).attestation.secTag, 50);
  assert.match(
    problem(() => readKeyAnswer(answer, { secTag: 50, keys })),
    /not of a certificate request/,
  );
  const [, cose = ""] = answer.split(".");
  assert.match(
    problem(() => readKeyAnswer(`YQ.${cose}`, { secTag: 50, keys, content: "publicKey" })),
    /another public key/,
  );
});

test("an identity key is read as hexadecimal or PEM, and a modem may keep it to itself", async () => {
  const sha256 = "0".repeat(64);
  const sessionOf = (answer: string | undefined) => ({
    command: () =>
      answer === undefined
        ? Promise.reject(new ThinglineError("MODEM_COMMAND_REJECTED", "ERROR"))
        : Promise.resolve([`%CMNG: 4294967294,6,"${sha256}","${answer}"`]),
  });
  const pem = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(identityKey).toString("base64")}\n-----END PUBLIC KEY-----\n`;
  for (const text of [Buffer.from(identityKey).toString("hex").toUpperCase(), pem]) {
    assert.deepEqual(await readIdentityKey(sessionOf(text)), identityKey);
  }
  assert.equal(await readIdentityKey(sessionOf(undefined)), undefined);
  for (const text of ["", "key"]) {
    await assert.rejects(readIdentityKey(sessionOf(text)), { code: "MODEM_RESPONSE_INVALID" });
  }
});

test("a claim token is asked for by the security tag of the owner's key", async () => {
  const token = await tokenOf(said.claim);
  const sent: string[] = [];
  const session = {
    command: (line: string) => {
      sent.push(line);
      return Promise.resolve([`%CLAIMTOKEN: "${token}"`]);
    },
  };
  const { claim } = await readClaimToken(session, 22, { keys, identityKey });
  assert.equal(claim.ownershipSha256, "07".repeat(32));
  await readClaimToken(session, 34, { keys, challenge: "03".repeat(16) });
  assert.deepEqual(sent, ["AT%CLAIMTOKEN=22", `AT%CLAIMTOKEN=34,"${"03".repeat(16)}"`]);
  await assert.rejects(readClaimToken(session, -1, { keys }), { code: "OPTION_INVALID" });
});

test("a simulated modem claims for the owner whose key it holds, and for nobody else", async () => {
  const { publicKeyPem, privateKeyPem } = await keys.generate("ec-p256");
  const { modem, openSession, clock } = await makeModemWorld({
    ...{ keys, firmware: "mfw_nrf9160_1.3.4" as const },
    factoryCredentials: [{ secTag: 22, type: 9, content: publicKeyPem }],
  });
  const session = openSession();
  const own = await clock.until(readIdentityKey(session));
  const { claim } = await clock.until(
    readClaimToken(session, 22, { keys, challenge, ...(own === undefined ? {} : { identityKey: own }) }),
  );
  assert.deepEqual([claim.isVerified, claim.deviceUuid, claim.nonce], [true, modem.identity.deviceUuid, challenge]);
  assert.equal(claim.ownershipSha256, toHex(keys.sha256(keys.publicKeyOf(privateKeyPem))));
  await assert.rejects(clock.until(readClaimToken(session, 23, { keys })), { code: "MODEM_COMMAND_REJECTED" });
  await clock.until(session.close());
  await modem.close();
});
