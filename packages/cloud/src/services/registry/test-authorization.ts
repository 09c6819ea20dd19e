import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import {
  compilePolicy,
  connectionContext,
  parsePolicyDocument,
  readCertificateFacts,
  testPolicies,
  type CompiledPolicy,
  type DecisionOutcome,
  type PolicyContext,
  type PolicyDocument,
  type PolicyTest,
} from "../../policy/index.js";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer, type OperationContext } from "../operation.js";
import { requirePrincipal } from "./attachments.js";
import { policiesPerTargetMax, registryKeys, type PolicyVersionRecord } from "./model.js";
import { describePolicy, requirePolicy } from "./policies.js";
import { loadPrincipal, temporaryPolicyName, type Principal, type PrincipalPolicy } from "./principal.js";

type Input = InputOf<"iot", "TestAuthorization">;

const actions = {
  CONNECT: "iot:Connect",
  PUBLISH: "iot:Publish",
  SUBSCRIBE: "iot:Subscribe",
  RECEIVE: "iot:Receive",
} as const;

const decisions: Readonly<Record<DecisionOutcome, "ALLOWED" | "EXPLICIT_DENY" | "IMPLICIT_DENY">> = {
  allowed: "ALLOWED",
  explicitDeny: "EXPLICIT_DENY",
  implicitDeny: "IMPLICIT_DENY",
};

/**
 * What the policies of a principal would say to a connection of it: by the engine that devices are judged by. What only a connection
 * has (its address, the server name) is missing; the status of the certificate does not count.
 */
export const testAuthorization = awsOperation(
  "iot",
  "TestAuthorization",
  [
    ...(["principal", "clientId", "policyNamesToAdd", "policyNamesToSkip"] as const),
    ...(["authInfos.actionType", "authInfos.resources"] as const),
  ],
  async (context, input) => {
    const { scope, nowMs } = context;
    const principal = await findPrincipal(context, input);
    const policies = await policiesOf(context, principal, input);
    const known = contextOf(principal, input.clientId, nowMs);
    const authResults = input.authInfos.map((authInfo) => {
      const test = testInfo(policies, authInfo, known);
      const told = (names: readonly string[]) =>
        names.filter((name) => name !== temporaryPolicyName).map((name) => describePolicy(scope, name));
      return {
        authInfo,
        allowed: { policies: told(test.allowing) },
        denied: { implicitDeny: { policies: told(test.silent) }, explicitDeny: { policies: told(test.denying) } },
        authDecision: decisions[test.outcome],
        missingContextValues: [...test.missing],
      };
    });
    return answer({ authResults });
  },
);

async function findPrincipal(
  context: OperationContext,
  { principal, clientId }: Input,
): Promise<Principal | undefined> {
  if (principal === undefined) return undefined;
  const { certificateId } = (await requirePrincipal(context, principal)).value;
  // Without a client id nothing but an exclusive thing is known.
  return loadPrincipal(context.store, context.scope, { certificateId, clientId: clientId ?? "" });
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND, QUOTA_EXCEEDED */
async function policiesOf(
  context: OperationContext,
  principal: Principal | undefined,
  { policyNamesToAdd: added = [], policyNamesToSkip: skipped = [] }: Input,
): Promise<CompiledPolicy[]> {
  if (Math.max(added.length, skipped.length) > policiesPerTargetMax) {
    const message = `At most ${policiesPerTargetMax} policies can be added or skipped`;
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { policiesPerTargetMax } });
  }
  const policies: PrincipalPolicy[] = [...(principal?.policies ?? [])];
  for (const policyName of added) {
    if (policies.some((policy) => policy.policyName === policyName)) continue;
    policies.push(await readPolicy(context, policyName));
  }
  for (const policyName of skipped) await requirePolicy(context, policyName);
  return policies
    .filter(({ policyName }) => !skipped.includes(policyName))
    .map(({ document, ...named }) => compilePolicy({ ...named, document: readDocument(document) }));
}

/** One that is malformed, which only an older version took, denies everything, as it does to a connection. */
function readDocument(text: string): PolicyDocument {
  try {
    return parsePolicyDocument(text);
  } catch (error) {
    if (!isThinglineError(error, "POLICY_MALFORMED")) throw error;
    return parsePolicyDocument('{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}');
  }
}

async function readPolicy(context: OperationContext, policyName: string): Promise<PrincipalPolicy> {
  const { defaultVersionId: versionId } = (await requirePolicy(context, policyName)).value;
  const key = registryKeys.policyVersion(context.scope, policyName, versionId);
  const version = await context.store.get<PolicyVersionRecord>(key);
  if (version !== undefined) return { policyName, versionId, document: version.value.policyDocument };
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Policy not found (name=${policyName})`);
}

/** Keys that a test knows nothing of, though each connection has them. */
const unknownKeys: ReadonlySet<string> = new Set(["aws:sourceip", "iot:domainname"]);

function contextOf(principal: Principal | undefined, clientId: string | undefined, nowMs: number): PolicyContext {
  const pem = principal?.certificate.certificatePem;
  const context = connectionContext(
    {
      clientId: clientId ?? "",
      certificateId: principal?.certificate.certificateId,
      certificate: pem === undefined ? undefined : readCertificateFacts(parseCertificates(pem)[0].der),
      thing: principal?.thing,
      ...{ attachedThingNames: [], sourceIp: "", serverName: undefined, isSecure: true },
    },
    () => nowMs,
  );
  const isUnknown = (key: string) => unknownKeys.has(key) || (clientId === undefined && key === "iot:clientid");
  return {
    get: (key) => (isUnknown(key.toLowerCase()) ? undefined : context.get(key)),
    whyMissing: (key) => context.whyMissing(key),
  };
}

/** All of its resources have to be allowed. */
function testInfo(
  policies: readonly CompiledPolicy[],
  { actionType, resources }: Input["authInfos"][number],
  context: PolicyContext,
): PolicyTest {
  if (actionType === undefined || resources.length === 0) {
    throw new ThinglineError("REQUEST_INVALID", "Each of authInfos needs an actionType and a resource");
  }
  const tests = resources.map((resource) => {
    if (!/^arn:aws[a-z-]*:iot:[^:]*:[^:]*:./.test(resource)) {
      throw new ThinglineError("REQUEST_INVALID", `'${resource.slice(0, 300)}' is not an ARN of AWS IoT`);
    }
    return testPolicies(policies, { action: actions[actionType], resource, context });
  });
  const union = (list: "allowing" | "denying" | "silent" | "missing") => [
    ...new Set(tests.flatMap((test) => test[list])),
  ];
  const has = (outcome: DecisionOutcome) => tests.some((test) => test.outcome === outcome);
  return {
    outcome: has("explicitDeny") ? "explicitDeny" : has("implicitDeny") ? "implicitDeny" : "allowed",
    ...{ allowing: union("allowing"), denying: union("denying"), silent: union("silent"), missing: union("missing") },
  };
}
