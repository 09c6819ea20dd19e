// What no device would send: each is refused in AWS's words, once, to who sent it, and nothing is stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as cborg from "cborg";
import fc from "fast-check";
import { addTemplate, openFleetWorld } from "./fleet-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const text = (value: string) => new TextEncoder().encode(value);

const bombs: readonly Uint8Array[] = [
  // A map, a list and a text that say that they have 2^63 of what follows, and nothing follows.
  ...["bb8000000000000000", "9b8000000000000000", "7b8000000000000000"].map(hex),
  // 131,072 lists within each other, in either format; as many empty chunks of a text; a map with one key twice.
  new Uint8Array(131_072).fill(0x81),
  text("[".repeat(131_072)),
  new Uint8Array(131_072).fill(0x60).fill(0x7f, 0, 1),
  hex("a2616101616102"),
  // Texts that are no UTF-8, alone and as a token.
  hex("a178196365727469666963617465"),
  hex("a1781963657274696669636174654f776e657273686970546f6b656e61ff"),
  text('{"certificateOwnershipToken":{"__proto__":1},"parameters":{"__proto__":{"a":1}}}'),
  text('{"certificateOwnershipToken":"\\ud800"}'),
  new Uint8Array(131_073).fill(0x20),
];

test("bombs and whatever else comes are refused, and nothing is stored", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  await world.takeEffects();
  const rows = async () =>
    JSON.stringify((await world.store.list([], { limit: 999 })).map(({ key, revision }) => [key, revision]));
  const before = await rows();
  const operations = ["registerThing", "createCertificateFromCsr"] as const;
  const refused = async (payload: Uint8Array) => {
    for (const operation of operations) {
      for (const format of ["json", "cbor"] as const) {
        const { rejection } = await world.ask(operation, payload, { format });
        assert.ok(rejection !== undefined && rejection.statusCode === 400, JSON.stringify(rejection));
        assert.match(rejection.errorCode, /^Invalid(Payload|CSR|CertificateOwnershipToken|Parameters)$/);
      }
    }
  };
  for (const bomb of bombs) await refused(bomb);
  const member = fc.constantFrom("certificateOwnershipToken", "parameters", "certificateSigningRequest", "__proto__");
  const value = fc.oneof(fc.string(), fc.jsonValue(), fc.uint8Array({ maxLength: 20 }));
  const written = fc.dictionary(member, value).map((members) => Uint8Array.from(cborg.encode(members)));
  const payload = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.json().map(text), written);
  await fc.assert(fc.asyncProperty(payload, refused), { numRuns: isLong ? 3_000 : 60 });
  assert.equal(await rows(), before);
  assert.ok(!world.logged.includes("internalFault"));
});
