import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { concatBytes } from "@thingline/protocol";
import { encodeCbor } from "@thingline/protocol/cbor";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../world.test.support.js";

/** Virtual time does not wait for real cryptography. */
const keys = createVirtualKeys({ random: createVirtualRandom("keys") });

/** The two parts of `%NAME: "<base64url>.<base64url>"`. */
function partsOf(answer: string): [body: Buffer, cose: Buffer] {
  const match = /"([\w-]+)\.([\w-]+)"\r\nOK\r\n$/.exec(answer);
  assert.ok(match, answer);
  return [Buffer.from(match[1] ?? "", "base64url"), Buffer.from(match[2] ?? "", "base64url")];
}

async function identityPublicKey(at: (command: string) => Promise<string>) {
  const hex = /"[0-9A-F]{64}","([0-9A-F]+)"/.exec(await at("AT%CMNG=2,4294967294,6"))?.[1] ?? "";
  return createPublicKey({ key: Buffer.from(hex, "hex"), format: "der", type: "spki" });
}

/** Checks a COSE_Sign1 of the modem and returns its payload, or the detached one. */
function payloadOf(cose: Buffer, detached: Buffer | undefined, key: ReturnType<typeof createPublicKey>): Uint8Array {
  const start = Buffer.from("d28443a10126a1044121", "hex");
  assert.deepEqual(cose.subarray(0, start.length), start);
  const signature = cose.subarray(-64);
  const middle = cose.subarray(start.length, -66);
  assert.deepEqual([...cose.subarray(-66, -64)], [0x58, 0x40]);
  let payload: Uint8Array;
  if (detached === undefined) {
    assert.equal(middle[0], 0x58);
    payload = middle.subarray(2);
    assert.equal(middle[1], payload.length);
  } else {
    assert.deepEqual([...middle], [0xf6]);
    payload = detached;
  }
  const signed = encodeCbor(["Signature1", Uint8Array.of(0xa1, 0x01, 0x26), new Uint8Array(0), payload]);
  assert.ok(verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature));
  return payload;
}

test("a key is made in the modem: the request is signed by it, attested, and the key never read", async () => {
  const { at, modem } = await makeModemWorld({ keys });
  await at("AT+CMEE=1");
  const [request, cose] = partsOf(await at('AT%KEYGEN=50,2,0,"CN=pump-7,O=acme"'));
  // The NULL in the algorithm that strict readers refuse.
  const quirk = Buffer.from("300c06082a8648ce3d0403020500", "hex");
  const at0 = request.indexOf(quirk);
  assert.ok(at0 > 0);
  assert.ok(request.includes(Buffer.from("0404030203e8", "hex")), "key usage 03 02 03 E8");
  assert.ok(request.includes(Buffer.from("pump-7")) && request.includes(Buffer.from("acme")));
  const info = request.subarray(request[1] === 0x82 ? 4 : 3, at0);
  const spki = info.subarray(info.indexOf(Buffer.from("3059301306072a8648ce3d0201", "hex"))).subarray(0, 91);
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  const bits = request.subarray(at0 + quirk.length);
  const signature = bits.subarray(3);
  assert.ok(verify("sha256", info, key, signature));

  const payload = payloadOf(cose, undefined, await identityPublicKey(at));
  const expectedStart = concatBytes([
    Uint8Array.of(0xd9, 0xd9, 0xf7, 0x85, 9, 0x50),
    Buffer.from(modem.identity.deviceUuid.replaceAll("-", ""), "hex"),
    Uint8Array.of(0x42, 0x18, 50, 0x58, 32),
    createHash("sha256").update(request).digest(),
    Uint8Array.of(0x50),
  ]);
  assert.deepEqual(Buffer.from(payload.subarray(0, expectedStart.length)), Buffer.from(expectedStart));

  assert.match(await at("AT%CMNG=1,50"), /^%CMNG: 50,2,"[0-9A-F]{64}"\r\nOK/);
  assert.equal(await at("AT%CMNG=2,50,2"), "+CME ERROR: 514\r\n");
  assert.equal(await at('AT%CMNG=0,50,2,"other"'), "+CME ERROR: 519\r\n");
  assert.equal(await at("AT%KEYGEN=50,2"), "+CME ERROR: 519\r\n");
  assert.equal(await at("AT%CMNG=3,50,2"), "OK\r\n");
  partsOf(await at("AT%KEYGEN=50,2"));
});

test("subjects are written as they were given, in their order", async () => {
  const { at } = await makeModemWorld({ keys });
  const subjects: [attributes: string, values: string[]][] = [
    ["O=Test,CN=Device", ["Test", "Device"]],
    ["O=Nordic Semiconductor,L=Trondheim,C=no,CN=mydevice", ["Nordic Semiconductor", "Trondheim", "no", "mydevice"]],
    ["CN=nrf-352656100367872", ["nrf-352656100367872"]],
  ];
  for (const [index, [attributes, values]] of subjects.entries()) {
    const [request] = partsOf(await at(`AT%KEYGEN=${60 + index},2,0,"${attributes}"`));
    let from = 0;
    for (const value of values) {
      const place = request.indexOf(Buffer.concat([Buffer.of(value.length), Buffer.from(value)]), from);
      assert.ok(place > from, value);
      from = place + value.length;
    }
  }
});

test("the public key alone is answered where it is asked for", async () => {
  const { at } = await makeModemWorld({ keys });
  const [spki] = partsOf(await at("AT%KEYGEN=50,2,1"));
  assert.equal(createPublicKey({ key: spki, format: "der", type: "spki" }).asymmetricKeyType, "ec");
});

const refusals: [command: string, answer: string][] = [
  ["AT%KEYGEN", "ERROR"],
  ["AT%KEYGEN=50", "ERROR"],
  ["AT%KEYGEN=50,2,2", "ERROR"],
  ["AT%KEYGEN=50,3", "+CME ERROR: 50"],
  ["AT%KEYGEN=50,8,0", "+CME ERROR: 50"],
  ['AT%KEYGEN=50,8,1,"CN=a"', "+CME ERROR: 50"],
  ['AT%KEYGEN=50,2,0,"nonsense"', "+CME ERROR: 50"],
  ['AT%KEYGEN=50,2,0,"C=Norway"', "+CME ERROR: 50"],
  ["AT%KEYGEN=4294967294,2", "+CME ERROR: 514"],
  ['AT%KEYINJECT="a.b"', "+CME ERROR: 513"],
  ['AT%KEYINJECT="a"', "+CME ERROR: 50"],
  ['AT%ATTESTTOKEN="12"', "ERROR"],
  ["AT%CERTEXPIRY=1,1", "ERROR"],
];

test("what cannot be made is refused with its number", async () => {
  const { at } = await makeModemWorld({ keys });
  await at("AT+CMEE=1");
  for (const [command, answer] of refusals) assert.equal(await at(command), `${answer}\r\n`, command);
  await at("AT+CFUN=1");
  assert.equal(await at("AT%KEYGEN=50,2"), "+CME ERROR: 518\r\n");
  assert.equal(await at("AT%KEYGEN=50,8"), "+CME ERROR: 518\r\n");
  assert.equal(await at('AT%KEYINJECT="a.b"'), "+CME ERROR: 518\r\n");
});

test("an endorsement key is made once and told again; nobody reads it", async () => {
  const { at } = await makeModemWorld({ keys });
  await at("AT+CMEE=1");
  const [first, cose] = partsOf(await at("AT%KEYGEN=50,8"));
  const key = await identityPublicKey(at);
  assert.equal(payloadOf(cose, undefined, key)[4], 8, "a message about a public key");
  assert.equal(createPublicKey({ key: first, format: "der", type: "spki" }).asymmetricKeyType, "ec");
  const [again] = partsOf(await at("AT%KEYGEN=50,8,1"));
  assert.deepEqual(again, first);
  assert.match(await at("AT%CMNG=1,50"), /^%CMNG: 50,8,"[0-9A-F]{64}"\r\nOK/);
  assert.equal(await at("AT%CMNG=2,50,8"), "+CME ERROR: 514\r\n");
  assert.equal(await at("AT%CMNG=3,50,8"), "OK\r\n");
  assert.notDeepEqual(partsOf(await at("AT%KEYGEN=50,8"))[0], first);
});

test("a claim token holds the digest of the owner's key and is signed by the device", async () => {
  const owner = (await keys.generate("ec-p256")).publicKeyPem;
  const factoryCredentials = [{ secTag: 22, type: 9, content: owner }];
  const { at, modem } = await makeModemWorld({ keys, firmware: "mfw_nrf9160_1.3.4", factoryCredentials });
  await at("AT+CMEE=1");
  const challenge = "00112233445566778899aabbccddeeff";
  const [body, cose] = partsOf(await at(`AT%CLAIMTOKEN=22,"${challenge}"`));
  payloadOf(cose, body, await identityPublicKey(at));
  const uuid = (text: string) => text.replaceAll("-", "");
  const spki = createPublicKey(owner).export({ format: "der", type: "spki" });
  const digest = createHash("sha256").update(spki).digest("hex");
  const { deviceUuid, modemUuid } = modem.identity;
  assert.equal(
    body.toString("hex"),
    `d9d9f7860450${uuid(deviceUuid)}0150${uuid(modemUuid)}5820${digest}50${challenge}`,
  );
  assert.notDeepEqual(partsOf(await at("AT%CLAIMTOKEN=22"))[0], partsOf(await at("AT%CLAIMTOKEN=22"))[0]);
  assert.equal(await at("AT%CLAIMTOKEN=23"), "+CME ERROR: 529\r\n");
  assert.equal(await at("AT%CMNG=3,22,9"), "+CME ERROR: 514\r\n");
  const older = await makeModemWorld({ keys, firmware: "mfw_nrf9160_1.3.3", factoryCredentials });
  assert.equal(await older.at("AT%CLAIMTOKEN=22"), "ERROR\r\n");
});

test("an attestation token is signed by the identity key and holds the challenge", async () => {
  const { at, modem } = await makeModemWorld({ keys });
  const key = await identityPublicKey(at);
  const challenge = "00112233445566778899aabbccddeeff";
  const [body, cose] = partsOf(await at(`AT%ATTESTTOKEN="${challenge}"`));
  payloadOf(cose, body, key);
  const uuid = (text: string) => text.replaceAll("-", "");
  const { deviceUuid, modemUuid } = modem.identity;
  assert.equal(body.toString("hex"), `d9d9f7850150${uuid(deviceUuid)}0150${uuid(modemUuid)}50${challenge}`);
  const [other, otherCose] = partsOf(await at("AT%ATTESTTOKEN"));
  payloadOf(otherCose, other, key);
  assert.notDeepEqual(other, body);
});

test("newer firmware tells when a certificate expires", async () => {
  const { client } = await makeTestCertificates(keys);
  const { at } = await makeModemWorld({ keys, firmware: "mfw_nrf91x1_2.0.2" });
  await at("AT+CMEE=1");
  await at(`AT%CMNG=0,1,1,"${client.certificatePem}"`);
  assert.equal(await at("AT%CERTEXPIRY=1,1"), "%CERTEXPIRY: 03,20200101000000Z,20491231235959Z\r\nOK\r\n");
  assert.equal(await at("AT%CERTEXPIRY=4294967293,10"), "+CME ERROR: 527\r\n", "the vendor's is a stand-in");
  assert.equal(await at("AT%CERTEXPIRY=1,0"), "+CME ERROR: 513\r\n");
});
