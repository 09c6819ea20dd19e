import assert from "node:assert/strict";
import { test } from "node:test";
import { compiledPoliciesMax, PolicyCache } from "./policy-cache.js";

const document = (action: string) => JSON.stringify({ Statement: { Effect: "Allow", Action: action, Resource: "*" } });
const policy = (policyName: string, action = "iot:*") => ({ policyName, versionId: "1", document: document(action) });

test("a policy version is compiled once", () => {
  const cache = new PolicyCache();
  assert.equal(cache.get(policy("p")), cache.get(policy("p")));
});

test("a policy that was deleted and made again under its name is another one", () => {
  const cache = new PolicyCache();
  assert.notEqual(cache.get(policy("p")), cache.get(policy("p", "iot:Connect")));
});

test("the cache is bounded, and what is used stays", () => {
  const cache = new PolicyCache();
  const [first, kept, gone] = ["first", "kept", "gone"].map((name) => cache.get(policy(name)));
  for (let index = 3; index < compiledPoliciesMax; index++) cache.get(policy(`other${index}`));
  assert.deepEqual([cache.get(policy("first")), cache.get(policy("kept"))], [first, kept], "as many as may be");
  for (let index = 0; index < compiledPoliciesMax; index++) {
    cache.get(policy(`p${index}`));
    cache.get(policy("kept"));
  }
  assert.equal(cache.get(policy("kept")), kept);
  assert.notEqual(cache.get(policy("gone")), gone);
});
