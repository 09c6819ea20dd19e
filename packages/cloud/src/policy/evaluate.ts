import type { Decision } from "./authorizer.js";
import { bindConditions, compileCondition } from "./condition.js";
import type { CompiledCondition, ConditionOutcome } from "./condition.js";
import type { PolicyDocument, PolicyStatement } from "./document.js";
import { bindTemplate, commonPrefixLength, parseTemplate } from "./pattern.js";
import type { Pattern, Template } from "./pattern.js";
import { singleValue } from "./policy-context.js";
import type { PolicyContext } from "./policy-context.js";

/** A policy version as it is attached to a principal. */
export interface NamedPolicy {
  policyName: string;
  versionId: string;
  document: PolicyDocument;
  /** The thing group by which it speaks for the principal; absent for one that is attached to the certificate. */
  thingGroupName?: string;
}

/** Where a statement stands, for explanations. `number` counts from 1. */
export interface StatementReference {
  policyName: string;
  versionId: string;
  number: number;
  sid: string | undefined;
  thingGroupName?: string;
}

export interface CompiledStatement {
  reference: StatementReference;
  effect: "Allow" | "Deny";
  isNotAction: boolean;
  /** Lower case: actions are compared without case. */
  actions: readonly Pattern[];
  actionTexts: readonly string[];
  isNotResource: boolean;
  resources: readonly Template[];
  conditions: readonly CompiledCondition[];
}

export interface CompiledPolicy {
  policyName: string;
  versionId: string;
  statements: readonly CompiledStatement[];
  thingGroupName?: string;
}

export type DecisionOutcome = "allowed" | "explicitDeny" | "implicitDeny";

/** A decision that knows which statement took it. */
export interface PolicyDecision extends Decision {
  outcome: DecisionOutcome;
  /** The statement that decided; undefined for an implicit deny. */
  statement: StatementReference | undefined;
}

/** Takes a policy apart once, for any number of connections. */
export function compilePolicy({ document, ...named }: NamedPolicy): CompiledPolicy {
  const options = { hasWildcards: true, hasVariables: document.version === "2012-10-17" };
  const statements = document.statements.map((statement, index): CompiledStatement => ({
    reference: { ...named, number: index + 1, sid: statement.sid },
    effect: statement.effect,
    isNotAction: statement.isNotAction,
    actions: statement.actions.map(compileAction),
    actionTexts: statement.actions,
    isNotResource: statement.isNotResource,
    resources: statement.resources.map((resource) => parseTemplate(resource, options)),
    conditions: compileConditions(statement, options.hasVariables),
  }));
  return { ...named, statements };
}

function compileConditions({ conditions }: PolicyStatement, hasVariables: boolean): CompiledCondition[] {
  return conditions.map((condition) => compileCondition(condition, hasVariables));
}

function compileAction(action: string): Pattern {
  const bound = bindTemplate(
    parseTemplate(action.toLowerCase(), { hasWildcards: true, hasVariables: false }),
    () => undefined,
  );
  if ("unresolvedVariable" in bound) throw new Error("unreachable: actions have no variables");
  return bound.pattern;
}

/** A statement with the variables of one connection filled in. */
interface BoundStatement {
  compiled: CompiledStatement;
  resources: readonly Pattern[];
  /** The first variable without value: such a statement never matches. */
  unresolved: { source: string; variable: string; reason: string } | undefined;
  conditions: () => ConditionOutcome;
  isVolatile: boolean;
}

/** The policies of a principal with the variables of one connection filled in. */
export interface BoundPolicies {
  /** Statements whose action is this one; what they depend on besides the resource is evaluated once unless volatile. */
  forAction(action: string): ActionPolicies;
  /** A condition of some statement looks at the time. */
  readonly isVolatile: boolean;
}

export interface ActionPolicies {
  /** @param resource a whole ARN */
  decide(resource: string): PolicyDecision;
  /** The decision that any resource gets, when there is one. */
  readonly constant: PolicyDecision | undefined;
  /** A condition looks at the time: do not cache. */
  readonly isVolatile: boolean;
}

export interface EvaluationRequest {
  action: string;
  /** A whole ARN, or `*`. */
  resource: string;
  context: PolicyContext;
}

/**
 * Default deny; an explicit deny wins over any allow.
 *
 * @see AWS IAM user guide, "Policy evaluation logic"
 */
export function evaluate(policies: readonly CompiledPolicy[], request: EvaluationRequest): PolicyDecision {
  return bindPolicies(policies, request.context).forAction(request.action).decide(request.resource);
}

export function bindPolicies(policies: readonly CompiledPolicy[], context: PolicyContext): BoundPolicies {
  const bound = policies.flatMap(({ statements }) => statements.map((statement) => bindStatement(statement, context)));
  return {
    forAction: (action) => policiesForAction(action, bound, policies),
    isVolatile: bound.some(({ isVolatile }) => isVolatile),
  };
}

function bindStatement(compiled: CompiledStatement, context: PolicyContext): BoundStatement {
  const resources: Pattern[] = [];
  let unresolved: BoundStatement["unresolved"];
  for (const template of compiled.resources) {
    const result = bindTemplate(template, (name) => singleValue(context, name));
    if ("pattern" in result) resources.push(result.pattern);
    else {
      const variable = result.unresolvedVariable;
      unresolved ??= { source: template.source, variable, reason: context.whyMissing(variable) };
    }
  }
  const { evaluate: conditions, isVolatile } = bindConditions(compiled.conditions, context);
  return { compiled, resources, unresolved, conditions, isVolatile };
}

function policiesForAction(
  action: string,
  bound: readonly BoundStatement[],
  policies: readonly CompiledPolicy[],
): ActionPolicies {
  const lowerCase = action.toLowerCase();
  const isFor = ({ compiled }: BoundStatement) =>
    compiled.actions.some((pattern) => pattern.matches(lowerCase)) !== compiled.isNotAction;
  const relevant = bound.filter(isFor);
  // Conditions that only look at the connection have one answer for its whole life.
  const fixed = relevant.map((statement) => (statement.isVolatile ? undefined : statement.conditions()));
  const isVolatile = relevant.some((statement) => statement.isVolatile);
  const decide = (resource: string): PolicyDecision => {
    let allowing: BoundStatement | undefined;
    for (const [index, statement] of relevant.entries()) {
      if (statement.compiled.effect === "Allow" && allowing !== undefined) continue;
      if (!matchesResource(statement, resource)) continue;
      const conditions = fixed[index] ?? statement.conditions();
      if (conditions.isMet !== true) continue;
      if (statement.compiled.effect === "Deny") return explicit(statement, action, resource, "explicitDeny");
      allowing = statement;
    }
    if (allowing !== undefined) return explicit(allowing, action, resource, "allowed");
    return implicitDeny(action, resource, relevant, bound, policies);
  };
  return { decide, isVolatile, constant: isVolatile ? undefined : constantDecision(relevant, fixed, decide) };
}

/** Everything is allowed when an Allow on `*` applies and no Deny can. */
function constantDecision(
  relevant: readonly BoundStatement[],
  fixed: readonly (ConditionOutcome | undefined)[],
  decide: (resource: string) => PolicyDecision,
): PolicyDecision | undefined {
  const applicable = relevant.filter((statement, index) => fixed[index]?.isMet && statement.unresolved === undefined);
  if (applicable.some(({ compiled }) => compiled.effect === "Deny")) return undefined;
  const everything = applicable.some(
    ({ compiled, resources }) => !compiled.isNotResource && resources.some(({ text }) => /^\*+$/.test(text)),
  );
  return everything ? decide("*") : undefined;
}

function matchesResource({ compiled, resources, unresolved }: BoundStatement, resource: string): boolean {
  if (unresolved !== undefined) return false;
  return resources.some((pattern) => pattern.matches(resource)) !== compiled.isNotResource;
}

function explicit(
  statement: BoundStatement,
  action: string,
  resource: string,
  outcome: "allowed" | "explicitDeny",
): PolicyDecision {
  const verb = outcome === "allowed" ? "allows" : "denies";
  return decision(outcome, statement.compiled.reference, () => {
    return `${nameStatement(statement.compiled.reference)} ${verb} ${action} on ${describeResources(statement, resource)}`;
  });
}

function decision(
  outcome: DecisionOutcome,
  statement: StatementReference | undefined,
  explain: () => string,
): PolicyDecision {
  let explanation: string | undefined;
  return {
    outcome,
    statement,
    isAllowed: outcome === "allowed",
    // Written when somebody reads it: most decisions are never logged.
    get explanation() {
      return (explanation ??= explain());
    },
  };
}

/** `statement 2 ("AllowPublish") of policy P version 1` */
export function nameStatement({ number, sid, ...policy }: StatementReference): string {
  return `statement ${number}${sid === undefined ? "" : ` ("${sid}")`} of policy ${namePolicy(policy)}`;
}

/** `P version 1`, and `P version 1 of thing group G` for one that comes from a group. */
function namePolicy({ policyName, versionId, thingGroupName: group }: Omit<NamedPolicy, "document">): string {
  return `${policyName} version ${versionId}${group === undefined ? "" : ` of thing group ${group}`}`;
}

function implicitDeny(
  action: string,
  resource: string,
  relevant: readonly BoundStatement[],
  all: readonly BoundStatement[],
  policies: readonly CompiledPolicy[],
): PolicyDecision {
  return decision("implicitDeny", undefined, () => {
    const start = `no statement allows ${action} on ${resource}`;
    if (policies.length === 0) return `${start}: no policy is attached to the principal`;
    const misses = relevant
      .filter(({ compiled }) => compiled.effect === "Allow")
      .map((statement) => nearMiss(statement, action, resource))
      .sort((a, b) => b.nearness - a.nearness);
    const nearest = misses[0];
    if (nearest !== undefined) return `${start}: ${nearest.text}`;
    const allowed = new Set(
      all.filter(({ compiled }) => compiled.effect === "Allow").flatMap(({ compiled }) => compiled.actionTexts),
    );
    const names = policies.slice(0, 3).map(namePolicy);
    const what = allowed.size === 0 ? "nothing" : [...allowed].slice(0, 6).join(", ");
    const attached = policies.length === 1 ? "policy" : "policies";
    const verb = policies.length === 1 ? "allows" : "allow";
    return `${start}: the attached ${attached} (${names.join(", ")}) ${verb} ${what} only`;
  });
}

/** How near a statement came: a condition away is nearer than a variable away, and that is nearer than another resource. */
function nearMiss(statement: BoundStatement, action: string, resource: string): { nearness: number; text: string } {
  const name = nameStatement(statement.compiled.reference);
  if (statement.unresolved !== undefined) {
    const { source, variable, reason } = statement.unresolved;
    return {
      nearness: 1e6,
      text: `${name} allows ${action} on ${source}, but \${${variable}} has no value: ${reason}`,
    };
  }
  if (matchesResource(statement, resource)) {
    const outcome = statement.conditions();
    const why = outcome.isMet ? "its condition changed with time" : outcome.reason;
    return { nearness: 2e6, text: `${name} allows it, but ${why}` };
  }
  const common = Math.max(...statement.resources.map(({ text }) => commonPrefixLength(text, resource)));
  return {
    nearness: common,
    text: `${name} allows ${action} on ${describeResources(statement, resource)}, which does not match ${resource}`,
  };
}

/** The resource that decided or came nearest, as written, and what it became for this connection. */
function describeResources({ compiled, resources }: BoundStatement, resource: string): string {
  if (compiled.isNotResource) return `everything but ${compiled.resources.map(({ source }) => source).join(", ")}`;
  let best = 0;
  const nearness = (index: number) => {
    const pattern = resources[index];
    if (pattern === undefined) return -1;
    return pattern.matches(resource) ? Infinity : commonPrefixLength(pattern.text, resource);
  };
  for (let index = 1; index < compiled.resources.length; index++) if (nearness(index) > nearness(best)) best = index;
  const template = compiled.resources[best];
  const pattern = resources[best];
  if (template === undefined) return "nothing";
  return template.hasVariables && pattern !== undefined ? `${template.source} (here ${pattern.text})` : template.source;
}
