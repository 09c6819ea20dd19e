import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionContract } from "../contract/connection-contract.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createVirtualClock } from "./clock.js";
import { createVirtualKeys } from "./keys.js";
import { createVirtualNetwork } from "./network.js";
import { createVirtualRandom } from "./random.js";

const certificates = await makeTestCertificates(createVirtualKeys({ random: createVirtualRandom(1) }));

connectionContract({ test, assert }, "virtual network", async () => {
  const clock = createVirtualClock();
  const network = createVirtualNetwork({ clock, random: createVirtualRandom(1) });
  return { network, certificates, wait: (promise) => clock.until(promise) };
});
