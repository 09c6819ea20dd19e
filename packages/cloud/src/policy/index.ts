export type {
  AttendedConnection,
  Authorizer,
  BrokerAction,
  ConnectionIdentity,
  ConnectRequest,
  Decision,
  PresentedCredentials,
} from "./authorizer.js";
export { readCertificateFacts } from "./certificate-facts.js";
export type { CertificateFacts } from "./certificate-facts.js";
export { parsePolicyDocument, policyCharactersMax, policyRawCharactersMax } from "./document.js";
export type { PolicyCondition, PolicyDocument, PolicyLanguageVersion, PolicyStatement } from "./document.js";
export { bindPolicies, compilePolicy, evaluate, nameStatement } from "./evaluate.js";
export type {
  ActionPolicies,
  BoundPolicies,
  CompiledPolicy,
  DecisionOutcome,
  EvaluationRequest,
  NamedPolicy,
  PolicyDecision,
  StatementReference,
} from "./evaluate.js";
export { connectionContext } from "./policy-context.js";
export { testPolicies } from "./test-policies.js";
export type { PolicyTest, PolicyTestRequest } from "./test-policies.js";
export type { AssociatedThing, ConnectFacts, ConnectionFacts, ContextValue, PolicyContext } from "./policy-context.js";
export { allowAllAuthorizer, decisionCacheEntriesMax, PrincipalAuthorizer } from "./principal-authorizer.js";
export type { PrincipalAuthorizerOptions, PrincipalPolicies } from "./principal-authorizer.js";
