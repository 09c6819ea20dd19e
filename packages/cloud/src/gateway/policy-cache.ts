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
  /** Absent for one that is attached to the certificate. */
  thingGroupName?: string;
}

/** Compiles each policy version once. A deleted and remade policy has the same name and version, so its text is part of the key. */
export class PolicyCache {
  readonly #compiled = new BoundedMap<string, CompiledPolicy>(compiledPoliciesMax);

  get(policy: StoredPolicy): CompiledPolicy {
    const key = `${policy.thingGroupName ?? ""}\n${policy.policyName}\n${policy.versionId}\n${policy.document}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const made = compile(policy);
    this.#compiled.set(key, made);
    return made;
  }
}

function compile({ document: text, ...named }: StoredPolicy): CompiledPolicy {
  try {
    return compilePolicy({ ...named, document: parsePolicyDocument(text) });
  } catch (error) {
    // The registry only takes well-formed documents. One that an older version took denies everything rather than nothing.
    if (!isThinglineError(error, "POLICY_MALFORMED")) throw error;
    const document = parsePolicyDocument(
      '{"Statement":{"Sid":"Malformed","Effect":"Deny","Action":"*","Resource":"*"}}',
    );
    return compilePolicy({ ...named, document });
  }
}
