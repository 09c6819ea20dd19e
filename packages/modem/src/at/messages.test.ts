import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "@thingline/protocol";
import { encodeCbor } from "@thingline/protocol/cbor";
import {
  coseSignatureBytes,
  decodeCose,
  derSignature,
  encodeCose,
  formatSignedText,
  identityKeyId,
  parseSignedText,
  rawSignature,
} from "./cose.js";
import { decodeModemMessage, encodeModemMessage, type ModemMessage } from "./messages.js";

/** Of a real nRF9160, from the documentation of Nordic's nRF Cloud tools, where its parts are shown as well. */
const attestation =
  "2dn3hQFQUDYxVDkxRPCAIhIbZAFifQNQGv86y_GmR2SiY0wmRsHGVFDT791_BPH8YOWFiyCHND1q." +
  "0oRDoQEmoQRBIfZYQGuXwJliinHc6xDPruiyjsaXyXZbZVpUuOhHG9YS8L05VuglCcJhMN4EUhWVGpaHgNnHHno6ahi-d5tOeZmAcNY";

test("the attestation token of a real modem is taken apart and put together again", () => {
  const signed = parseSignedText(attestation);
  assert.ok(signed);
  const message = decodeModemMessage(signed.body);
  assert.ok(message?.type === "identity");
  assert.equal(toHex(message.deviceUuid), "50363154393144f08022121b6401627d");
  assert.equal(message.deviceType, 3);
  assert.equal(toHex(message.firmwareUuid), "1aff3acbf1a64764a2634c2646c1c654");
  assert.equal(toHex(message.nonce), "d3efdd7f04f1fc60e5858b2087343d6a");
  const cose = decodeCose(signed.cose);
  assert.deepEqual([cose?.keyId, cose?.payload], [identityKeyId, undefined]);
  assert.ok(toHex(cose?.signature ?? new Uint8Array()).startsWith("6b97c099628a71dceb10cfaee8b28ec697c9765b"));
  assert.ok(cose);
  assert.equal(formatSignedText({ body: encodeModemMessage(message), cose: encodeCose(cose) }), attestation);
});

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const uuid = bytes(16);
const message: fc.Arbitrary<ModemMessage> = fc.oneof(
  fc.record(
    {
      type: fc.constant("identity"),
      deviceUuid: uuid,
      deviceType: fc.nat(9),
      firmwareUuid: uuid,
      nonce: uuid,
    } as const,
    { noNullPrototype: true },
  ),
  fc.record(
    {
      ...({ type: fc.constantFrom("publicKey", "certificateRequest"), deviceUuid: uuid } as const),
      ...{ secTag: fc.nat(4_294_967_295), sha256: bytes(32), nonce: uuid },
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      ...({ type: fc.constant("claim"), deviceUuid: uuid, deviceType: fc.nat(9) } as const),
      ...{ firmwareUuid: uuid, ownershipSha256: bytes(32), nonce: uuid },
    },
    { noNullPrototype: true },
  ),
);
const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 5_000 : 50;

test("messages and their signatures come back as they were written", () => {
  const cose = fc.record({
    keyId: fc.constantFrom(-2, -4, -5),
    payload: fc.option(fc.uint8Array({ maxLength: 100 }), { nil: undefined }),
    signature: bytes(coseSignatureBytes),
  });
  const property = fc.property(message, cose, (said, signed) => {
    assert.deepEqual(decodeModemMessage(encodeModemMessage(said)), said);
    assert.deepEqual({ ...decodeCose(encodeCose(signed)) }, { ...signed });
    const text = formatSignedText({ body: encodeModemMessage(said), cose: encodeCose(signed) });
    assert.deepEqual(parseSignedText(text), { body: encodeModemMessage(said), cose: encodeCose(signed) });
    assert.deepEqual(rawSignature(derSignature(signed.signature)), signed.signature);
  });
  fc.assert(property, { numRuns });
});

test("a message or signature with a byte less, more or other is not taken for one of another kind", () => {
  const property = fc.property(message, fc.nat(200), (said, cut) => {
    const whole = encodeModemMessage(said);
    assert.equal(decodeModemMessage(whole.subarray(0, cut % whole.length)), undefined);
    assert.equal(decodeModemMessage(Uint8Array.of(...whole, 0)), undefined);
  });
  fc.assert(property, { numRuns });
  for (const wrong of [
    encodeCbor(1),
    encodeCbor([1, 2]),
    fromHex("d9d9f701") ?? new Uint8Array(),
    fromHex("d9d9f78101") ?? new Uint8Array(),
  ]) {
    assert.equal(decodeModemMessage(wrong), undefined);
  }
  const signed = encodeCose({ keyId: -2, payload: undefined, signature: new Uint8Array(64) });
  for (let length = 0; length < signed.length; length++)
    assert.equal(decodeCose(signed.subarray(0, length)), undefined);
  for (let at = 0; at < 9; at++) {
    const changed = signed.map((byte, index) => (index === at ? byte ^ 1 : byte));
    assert.equal(decodeCose(changed), undefined, `byte ${at}`);
  }
  assert.equal(decodeCose(encodeCose({ keyId: -2, payload: undefined, signature: new Uint8Array(63) })), undefined);
});

test("a signed text has two parts in base64url", () => {
  for (const text of ["", "a.b.c", "YQ", "YQ.?", "YQ==.YQ", "Y.YQ", "YQ.Y+"]) {
    const isEmpty = text === "";
    assert.equal(parseSignedText(text), undefined, isEmpty ? "nothing" : text);
  }
  assert.deepEqual(parseSignedText("YQ.YQ"), { body: Uint8Array.of(97), cose: Uint8Array.of(97) });
});
