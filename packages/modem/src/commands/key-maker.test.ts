import "reflect-metadata";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isThinglineError, toHex } from "@thingline/protocol";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../world.test.support.js";
import { readKeyAnswer } from "./attestation.js";
import { createModemCredentialStore } from "./credentials.js";
import { createModemKeyMaker } from "./key-maker.js";

// Those of node:crypto take real time, which virtual time does not wait for.
const keys = createVirtualKeys({ random: createVirtualRandom("keys") });

async function open() {
  const world = await makeModemWorld({ keys });
  const session = world.openSession();
  const wait = <T>(promise: Promise<T>) => world.clock.until(promise);
  return { ...world, session, store: createModemCredentialStore(session, { keys }), wait };
}

test("a key is made inside the modem, and strict readers take its request", async () => {
  const { session, store, wait, at } = await open();
  const maker = createModemKeyMaker(session, { keys, keyUsage: "101010000" });
  const subject = [
    ["O", "Acme AS"],
    ["CN", "pump-7"],
  ] as const;
  const { requestPem, publicKey, attestation } = await wait(maker.makeKey(50, { subject }));
  const { Pkcs10CertificateRequest } = await import("@peculiar/x509");
  const request = new Pkcs10CertificateRequest(requestPem);
  assert.equal(request.subject, "O=Acme AS, CN=pump-7");
  assert.equal(await request.verify(), true, "the signature stays valid without the NULL");
  assert.equal(toHex(new Uint8Array(request.publicKey.rawData)), toHex(publicKey));
  assert.deepEqual([attestation.secTag, attestation.signature.length, attestation.deviceUuid.length], [50, 64, 16]);
  assert.equal(await wait(store.exists(50, "privateKey")), true);
  await assert.rejects(wait(store.read(50, "privateKey")), (error) => isThinglineError(error, "CREDENTIAL_REFUSED"));
  assert.match(await at("AT+CMEE?"), /\+CMEE: 0/, "put back");
});

test("what the modem refuses is told with its number, and what AT cannot carry is not sent", async () => {
  const { session, wait, at } = await open();
  const maker = createModemKeyMaker(session, { keys });
  const subject = [["CN", "a"]] as const;
  await wait(maker.makeKey(50, { subject }));
  const refusal = async (run: Promise<unknown>) => {
    const error = await wait(run.then(() => undefined)).catch((reason: unknown) => reason);
    assert.ok(isThinglineError(error));
    return [error.code, error.details["cme"]];
  };
  assert.deepEqual(await refusal(maker.makeKey(50, { subject })), ["CREDENTIAL_REFUSED", 519]);
  await at("AT+CFUN=1");
  assert.deepEqual(await refusal(maker.makeKey(51, { subject })), ["CREDENTIAL_REFUSED", 518]);
  assert.deepEqual(await refusal(maker.makeKey(-1, { subject })), ["OPTION_INVALID", undefined]);
  for (const value of ["", "a,CN=b", 'a"b', "a=b", "a\nb"]) {
    assert.deepEqual(await refusal(maker.makeKey(52, { subject: [["CN", value]] })), ["OPTION_INVALID", undefined]);
  }
  assert.throws(() => createModemKeyMaker(session, { keys, keyUsage: "1" }), { code: "OPTION_INVALID" });
});

test("an attestation of something else is not taken for one of this key", async () => {
  const { at } = await open();
  const answer = /"(.+)"/.exec(await at('AT%KEYGEN=50,2,0,"CN=a"'))?.[1] ?? "";
  const [body = "", cose = ""] = answer.split(".");
  const bytes = Buffer.from(cose, "base64url");
  assert.equal(readKeyAnswer(answer, { secTag: 50, keys }).attestation.secTag, 50);
  const other = Buffer.from("other").toString("base64url");
  const edited = (change: (copy: Buffer) => void): string => {
    const copy = Buffer.from(bytes);
    change(copy);
    return `${body}.${copy.toString("base64url")}`;
  };
  const digest = createHash("sha256").update(Buffer.from(body, "base64url")).digest();
  const digestAt = bytes.indexOf(digest);
  assert.ok(digestAt > 0);
  const cases: [answer: string, secTag: number, why: RegExp][] = [
    [answer, 51, /another security tag/],
    [`${other}.${cose}`, 50, /another certificate request/],
    [edited((copy) => copy.writeUInt8(0, digestAt)), 50, /another certificate request/],
    [edited((copy) => copy.writeUInt8(0xd1, 0)), 50, /no COSE_Sign1/],
    // The type of the message: of a public key.
    [
      edited((copy) => copy.writeUInt8(8, copy.indexOf(Buffer.from("d9d9f785", "hex")) + 4)),
      50,
      /not of a certificate/,
    ],
    [`${body}.${bytes.subarray(0, -1).toString("base64url")}`, 50, /lacks its payload or its signature/],
    [body, 50, /two parts/],
    [`${answer}.${cose}`, 50, /two parts/],
    [`${body}.?`, 50, /two parts/],
    ["", 50, /two parts/],
  ];
  for (const [text, secTag, why] of cases) {
    assert.throws(
      () => readKeyAnswer(text, { secTag, keys }),
      (error) => isThinglineError(error, "MODEM_RESPONSE_INVALID") && why.test(error.message),
      String(why),
    );
  }
  for (let length = 0; length < bytes.length; length++) {
    const text = `${body}.${bytes.subarray(0, length).toString("base64url")}`;
    assert.throws(() => readKeyAnswer(text, { secTag: 50, keys }), { code: "MODEM_RESPONSE_INVALID" });
  }
});
