import assert from "node:assert/strict";
import { test } from "node:test";
import { readNordicJson } from "./nordic-json.js";

const read = (value: unknown) => readNordicJson(typeof value === "string" ? value : JSON.stringify(value), "a.json");

test("credentials that are missing, null or empty are left out, and each has its place for errors", () => {
  const source = read({ caCert: "ca", clientCert: "", privateKey: null });
  assert.deepEqual(source, { texts: { ca: { text: "ca", what: "a.json: caCert" } }, ignoredMembers: [] });
});

for (const [value, secTag] of [
  [16_842_753, 16_842_753],
  ["42", 42],
  [" 42 ", 42],
  [0, 0],
  [4_294_967_295, 4_294_967_295],
  ["", undefined],
  [null, undefined],
] as const) {
  test(`secTag ${JSON.stringify(value)} is ${secTag}`, () => {
    assert.equal(read({ caCert: "ca", secTag: value }).secTag, secTag);
  });
}

test("what nRF Cloud writes beside them is named, and without a meaning", () => {
  const source = read({ privateKey: "k", clientId: "nrf-1", brokerHost: "mqtt.example" });
  assert.deepEqual(source.ignoredMembers, ["clientId", "brokerHost"]);
});

const refused: [what: string, value: unknown, message: RegExp][] = [
  ["no JSON", "{ secret", /^a\.json is no JSON; expected/],
  ["a list", [], /holds no JSON object/],
  ["nothing of use", { secTag: 1 }, /has none of them/],
  ["a misspelt member", { caCert: "ca", clientcert: "c" }, /member "clientcert" that is not known/],
  ["a credential that is no text", { caCert: 1 }, /a caCert that is no text/],
  ["a tag with a fraction", { caCert: "ca", secTag: 1.5 }, /a secTag that is no security tag/],
  ["a tag below 0", { caCert: "ca", secTag: -1 }, /a secTag that is no security tag/],
  ["a tag in words", { caCert: "ca", secTag: "forty-two" }, /a secTag that is no security tag/],
  ["a tag that is too large", { caCert: "ca", secTag: 4_294_967_296 }, /a secTag that is no security tag/],
];
for (const [what, value, message] of refused) {
  test(`${what}: refused, and nothing is quoted`, () => {
    assert.throws(
      () => read(value),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "CREDENTIAL_FILE_INVALID");
        assert.match(error.message, message);
        assert.ok(!error.message.includes("secret"));
        return true;
      },
    );
  });
}
