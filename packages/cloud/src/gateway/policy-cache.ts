import { BoundedMap, isThinglineError } from "@thingline/protocol";
import { parsePolicyDocument } from "../policy/document.js";
import { compilePolicy } from "../policy/evaluate.js";
import type { CompiledPolicy } from "../policy/evaluate.js";

/** Compiled policies kept; what nobody asks for goes first. A fleet shares a handful. */
export const compiledPoliciesMax = 1_000;

/** A policy version as the registry stores it. */
export interface StoredPolicy {
  policyName: string;
  versionId: string;
  document: string;
}

/** Compiles each policy version once. A deleted and remade policy has the same name and version, so its text is part of the key. */
export class PolicyCache {
  readonly #compiled = new BoundedMap<string, CompiledPolicy>(compiledPoliciesMax);

  get(policy: StoredPolicy): CompiledPolicy {
    const key = `${policy.policyName}\n${policy.versionId}\n${policy.document}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const made = compile(policy);
    this.#compiled.set(key, made);
    return made;
  }
}

function compile({ policyName, versionId, document }: StoredPolicy): CompiledPolicy {
  try {
    return compilePolicy({ policyName, versionId, document: parsePolicyDocument(document) });
  } catch (error) {
    // The registry only takes well-formed documents. One that an older version took denies everything rather than nothing.
    if (!isThinglineError(error, "POLICY_MALFORMED")) throw error;
    const document = parsePolicyDocument(
      '{"Statement":{"Sid":"Malformed","Effect":"Deny","Action":"*","Resource":"*"}}',
    );
    return compilePolicy({ policyName, versionId, document });
  }
}
