import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./failure.js";
import { provisioningMethod, type MethodOptions } from "./provisioning-method.js";

const words = { name: "pump-7", imei: "352656100367872" };

test("each method by its name", () => {
  assert.deepEqual(provisioningMethod({ method: "split" }, words), { kind: "split" });
  assert.deepEqual(provisioningMethod({ method: "own-certificate" }, words), { kind: "ownCertificate" });
  assert.deepEqual(provisioningMethod({ method: "split-csr", keyKind: "rsa-2048" }, words), {
    ...{ kind: "split", keys: "csr", keyKind: "rsa-2048" },
  });
  assert.deepEqual(provisioningMethod({ method: "split-modem-key" }, words), { kind: "split", keys: "modem" });
  const common = { kind: "fleet", template: "t", parameters: {} };
  for (const [method, keys] of [
    ["fleet", "cloud"],
    ["csr", "csr"],
    ["modem-key", "modem"],
  ] as const) {
    assert.deepEqual(provisioningMethod({ method, template: "t" }, words), {
      ...common,
      keys,
      connectsAs: "thingName",
    });
  }
  const all = { method: "csr", template: "t", format: "json", keyKind: "rsa-2048", connectAs: "client-id" } as const;
  assert.deepEqual(provisioningMethod(all, words), {
    ...{ ...common, keys: "csr", format: "json", keyKind: "rsa-2048", connectsAs: "clientId" },
  });
});

test("a parameter may name the device", () => {
  const parameter = ["SerialNumber={name}", "Imei={imei}", "Both={name}/{imei}/{other}"];
  const method = provisioningMethod({ method: "csr", template: "t", parameter }, { ...words, name: "$&" });
  assert.deepEqual(method.kind === "fleet" && method.parameters, {
    ...{ SerialNumber: "$&", Imei: words.imei, Both: `$&/${words.imei}/{other}` },
  });
});

const wrong: MethodOptions[] = [
  { method: "csr" },
  { method: "split", template: "t" },
  { method: "split", parameter: ["a=b"] },
  { method: "split", keyKind: "ec-p256" },
  { method: "split-csr", template: "t" },
  { method: "split-modem-key", keyKind: "ec-p256" },
  { method: "own-certificate", keyKind: "ec-p256" },
  { method: "own-certificate", format: "json" },
  { method: "fleet", template: "t", keyKind: "ec-p256" },
  { method: "modem-key", template: "t", keyKind: "ec-p256" },
  { method: "csr", template: "t", parameter: ["a"] },
];

for (const options of wrong) {
  test(`${JSON.stringify(options)} is wrong usage`, () => {
    assert.throws(() => provisioningMethod(options, words), UsageError);
  });
}
