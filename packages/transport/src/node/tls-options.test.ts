import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeKeys } from "./keys.js";
import { ClientContexts, clientContextsMax } from "./tls-options.js";

test("clientContextsMax credentials are kept ready, and the one not used for longest goes for one more", async () => {
  const { ca } = await makeTestCertificates(createNodeKeys());
  const contexts = new ClientContexts();
  // One certificate in as many texts as there are credentials.
  const contextOf = (name: number) => contexts.of({ ca: ca.certificatePem + "\n".repeat(name) });
  const all = Array.from({ length: clientContextsMax }, (_, name) => contextOf(name));
  for (const [name, context] of all.entries()) assert.equal(contextOf(name), context);
  // The first was used after the second.
  assert.equal(contextOf(0), all[0]);
  contextOf(clientContextsMax);
  assert.equal(contextOf(0), all[0]);
  assert.notEqual(contextOf(1), all[1]);
});
