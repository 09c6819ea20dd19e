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
