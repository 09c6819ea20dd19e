import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionContract } from "../contract/connection-contract.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeKeys } from "./keys.js";
import { createNodeNetwork } from "./network.js";

const certificates = await makeTestCertificates(createNodeKeys());

connectionContract({ test, assert }, "Node network", async () => ({
  network: createNodeNetwork(),
  certificates,
  wait: (promise) => promise,
}));

test("ciphers that OpenSSL does not know are an option's fault, before any network", async () => {
  const network = createNodeNetwork();
  const tls = { ca: certificates.ca.certificatePem, ciphers: ["NO_SUCH_CIPHER"] };
  await assert.rejects(network.dial({ host: "127.0.0.1", port: 1, tls }), { code: "OPTION_INVALID" });
});
