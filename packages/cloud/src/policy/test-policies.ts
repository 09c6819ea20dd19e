import { evaluate, type CompiledPolicy, type CompiledStatement, type DecisionOutcome } from "./evaluate.js";
import type { PolicyContext } from "./policy-context.js";

/** What each policy says by itself to a request, and what all of them say together. */
export interface PolicyTest {
  outcome: DecisionOutcome;
  /** Names of policies. Each is in one of the three lists. */
  allowing: readonly string[];
  denying: readonly string[];
  /** Those with no statement that matches. */
  silent: readonly string[];
  /** Keys and variables of statements for the action that had no value, as they are written there. */
  missing: readonly string[];
}

export interface PolicyTestRequest {
  action: string;
  /** A whole ARN. */
  resource: string;
  context: PolicyContext;
}

/** Evaluates policies for somebody who wants to know which of them decides, and by what it might have decided otherwise. */
export function testPolicies(policies: readonly CompiledPolicy[], request: PolicyTestRequest): PolicyTest {
  const missing = new Set<string>();
  const context: PolicyContext = {
    get(key) {
      const value = request.context.get(key);
      if (value === undefined) missing.add(key);
      return value;
    },
    whyMissing: (key) => request.context.whyMissing(key),
  };
  // Variables of statements for other actions say nothing here.
  const relevant = policies.map((policy) => ({
    ...policy,
    statements: policy.statements.filter((statement) => isFor(statement, request.action)),
  }));
  const found = relevant.map(({ policyName, ...policy }) => ({
    policyName,
    ...evaluate([{ policyName, ...policy }], { ...request, context }),
  }));
  const of = (outcome: DecisionOutcome) =>
    found.filter((each) => each.outcome === outcome).map(({ policyName }) => policyName);
  const [allowing, denying] = [of("allowed"), of("explicitDeny")];
  const outcome = denying.length > 0 ? "explicitDeny" : allowing.length > 0 ? "allowed" : "implicitDeny";
  return { outcome, allowing, denying, silent: of("implicitDeny"), missing: [...missing] };
}

function isFor({ actions, isNotAction }: CompiledStatement, action: string): boolean {
  const lowerCase = action.toLowerCase();
  return actions.some((pattern) => pattern.matches(lowerCase)) !== isNotAction;
}
