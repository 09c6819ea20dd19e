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

test("the cache is bounded, and what was used last stays", () => {
  const cache = new PolicyCache();
  const kept = cache.get(policy("kept"));
  const gone = cache.get(policy("gone"));
  for (let index = 2; index < compiledPoliciesMax; index++) cache.get(policy(`first${index}`));
  assert.deepEqual([cache.get(policy("kept")), cache.get(policy("gone"))], [kept, gone], "as many as may be");
  for (let index = 0; index < compiledPoliciesMax; index++) {
    cache.get(policy(`p${index}`));
    cache.get(policy("kept"));
  }
  assert.equal(cache.get(policy("kept")), kept);
  assert.notEqual(cache.get(policy("gone")), gone);
});
