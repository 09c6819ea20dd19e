import { ThinglineError } from "@thingline/protocol";
import { iterate } from "../../store/iterate.js";
import type { StoreEntry, StoreOperation } from "../../store/store.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { awsOperation } from "../aws-operation.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import { arnOf, policyVersionsMax, registryKeys, type PolicyRecord, type PolicyVersionRecord } from "./model.js";
import { recheckPolicy, unchanged } from "./recheck.js";

const versionDigitsMax = 15;

type Reader = Pick<OperationContext, "store" | "scope">;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requirePolicy({ store, scope }: Reader, name: string): Promise<StoreEntry<PolicyRecord>> {
  const entry = await store.get<PolicyRecord>(registryKeys.policy(scope, name));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Policy not found (name=${name})`);
}

async function requireVersion({ store, scope }: Reader, name: string, id: string) {
  // Ids are stored as numbers. No number that is given out has as many digits.
  const isPossible = id.length <= versionDigitsMax;
  const entry = isPossible
    ? await store.get<PolicyVersionRecord>(registryKeys.policyVersion(scope, name, id))
    : undefined;
  if (entry !== undefined) return entry.value;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Policy version not found (name=${name}, version=${id})`);
}

/** Records of a policy that does not exist yet; its commit fails when somebody else is first. */
export function newPolicy(options: {
  scope: Scope;
  policyName: string;
  policyDocument: string;
  generationId: string;
  nowMs: number;
}): StoreOperation[] {
  const { scope, policyName: name, policyDocument: document, generationId, nowMs } = options;
  const record: PolicyRecord = {
    policyName: name,
    defaultVersionId: "1",
    nextVersion: 2,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    generationId,
  };
  const version: PolicyVersionRecord = { versionId: "1", policyDocument: document, createdAtMs: nowMs };
  return [
    { key: registryKeys.policy(scope, name), expectedRevision: 0, value: record },
    { key: registryKeys.policyByTime(scope, nowMs, name), value: null },
    { key: registryKeys.policyVersion(scope, name, "1"), expectedRevision: 0, value: version },
  ];
}

/** @param parse throws POLICY_MALFORMED */
export function createPolicyOperation(parse: (text: string) => unknown) {
  return awsOperation(
    "iot",
    "CreatePolicy",
    ["policyName", "policyDocument", "tags.Key", "tags.Value"],
    async ({ scope, store, nowMs, random }, input) => {
      parse(input.policyDocument);
      const name = input.policyName;
      const existing = await store.get<PolicyRecord>(registryKeys.policy(scope, name));
      if (existing !== undefined) {
        const details = { resourceId: name, resourceArn: arnOf.policy(scope, name) };
        const message = `Policy cannot be created - name already exists (name=${name})`;
        throw new ThinglineError("RESOURCE_EXISTS", message, { details });
      }
      return {
        result: {
          policyName: name,
          policyArn: arnOf.policy(scope, name),
          policyDocument: input.policyDocument,
          policyVersionId: "1",
        },
        operations: [
          ...newPolicy({ scope, ...input, generationId: random.uuid(), nowMs }),
          ...tagsOfNew(registryKeys.policy(scope, name), input.tags),
        ],
        effects: [],
      };
    },
  );
}

/** @param parse throws POLICY_MALFORMED */
export function createPolicyVersionOperation(parse: (text: string) => unknown) {
  const acted = ["policyName", "policyDocument", "setAsDefault"] as const;
  return awsOperation("iot", "CreatePolicyVersion", acted, async (context, input) => {
    const { scope, store, nowMs } = context;
    const name = input.policyName;
    const { value: policy, revision } = await requirePolicy(context, name);
    parse(input.policyDocument);
    const versions = await store.list(registryKeys.policyVersions(scope, name), { limit: policyVersionsMax });
    if (versions.length >= policyVersionsMax) {
      const message = `The policy ${name} already has the maximum number of versions (${policyVersionsMax})`;
      throw new ThinglineError("VERSIONS_LIMIT_EXCEEDED", message);
    }
    const versionId = String(policy.nextVersion);
    const isDefaultVersion = input.setAsDefault === true;
    const changed: PolicyRecord = {
      ...policy,
      nextVersion: policy.nextVersion + 1,
      ...(isDefaultVersion && { defaultVersionId: versionId, modifiedAtMs: nowMs }),
    };
    const version: PolicyVersionRecord = { versionId, policyDocument: input.policyDocument, createdAtMs: nowMs };
    // Whoever it is attached to meanwhile would not be looked at again.
    const attachedToNoMore = await unchanged(context, registryKeys.guard(scope, "policy", name));
    return {
      result: {
        policyArn: arnOf.policy(scope, name),
        policyDocument: input.policyDocument,
        policyVersionId: versionId,
        isDefaultVersion,
      },
      operations: [
        { key: registryKeys.policy(scope, name), expectedRevision: revision, value: changed },
        { key: registryKeys.policyVersion(scope, name, versionId), expectedRevision: 0, value: version },
        ...(isDefaultVersion ? [attachedToNoMore] : []),
      ],
      effects: isDefaultVersion ? await recheckPolicy(context, name) : [],
    };
  });
}

export const getPolicy = awsOperation("iot", "GetPolicy", ["policyName"], async (context, input) => {
  const { value: policy } = await requirePolicy(context, input.policyName);
  const version = await requireVersion(context, policy.policyName, policy.defaultVersionId);
  return answer({
    policyName: policy.policyName,
    policyArn: arnOf.policy(context.scope, policy.policyName),
    policyDocument: version.policyDocument,
    defaultVersionId: policy.defaultVersionId,
    creationDate: policy.createdAtMs / 1000,
    lastModifiedDate: policy.modifiedAtMs / 1000,
    generationId: policy.generationId,
  });
});

export const deletePolicy = awsOperation("iot", "DeletePolicy", ["policyName"], async (context, input) => {
  const { scope, store } = context;
  const name = input.policyName;
  const { value: policy, revision } = await requirePolicy(context, name);
  const guardKey = registryKeys.guard(scope, "policy", name);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  const conflict = (message: string) => new ThinglineError("DELETE_CONFLICT", message);
  const [target] = await store.list(registryKeys.targetsOfPolicy(scope, name), { limit: 1 });
  if (target !== undefined) {
    throw conflict(`The policy cannot be deleted as the policy is attached to one or more principals (name=${name})`);
  }
  const versions = await store.list(registryKeys.policyVersions(scope, name), { limit: 2 });
  if (versions.length > 1) {
    throw conflict(`Cannot delete the policy because it has one or more policy versions attached to it (name=${name})`);
  }
  return {
    result: {},
    operations: [
      { key: registryKeys.policy(scope, name), expectedRevision: revision, delete: true as const },
      tagsGone(registryKeys.policy(scope, name)),
      { key: registryKeys.policyByTime(scope, policy.createdAtMs, name), delete: true as const },
      { key: registryKeys.policyVersion(scope, name, policy.defaultVersionId), delete: true as const },
      { key: guardKey, expectedRevision: guardRevision, delete: true as const },
    ],
    effects: [],
  };
});

export const listPolicies = awsOperation(
  "iot",
  "ListPolicies",
  ["marker", "pageSize", "ascendingOrder"],
  async ({ scope, store }, input) => {
    const { entries, nextToken } = await readPage(store, {
      prefix: registryKeys.policiesByTime(scope),
      token: input.marker,
      tokenName: "marker",
      size: input.pageSize,
      order: input.ascendingOrder === true ? "ascending" : "descending",
    });
    const policies = entries.map(({ key }) => describePolicy(scope, lastName(key)));
    return answer({ policies, ...(nextToken !== undefined && { nextMarker: nextToken }) });
  },
);

export const getPolicyVersion = awsOperation(
  "iot",
  "GetPolicyVersion",
  ["policyName", "policyVersionId"],
  async (context, input) => {
    const { value: policy } = await requirePolicy(context, input.policyName);
    const version = await requireVersion(context, policy.policyName, input.policyVersionId);
    return answer({
      policyArn: arnOf.policy(context.scope, policy.policyName),
      policyName: policy.policyName,
      policyDocument: version.policyDocument,
      policyVersionId: version.versionId,
      isDefaultVersion: version.versionId === policy.defaultVersionId,
      creationDate: version.createdAtMs / 1000,
      lastModifiedDate: version.createdAtMs / 1000,
      generationId: policy.generationId,
    });
  },
);

export const listPolicyVersions = awsOperation("iot", "ListPolicyVersions", ["policyName"], async (context, input) => {
  const { value: policy } = await requirePolicy(context, input.policyName);
  const prefix = registryKeys.policyVersions(context.scope, policy.policyName);
  const versions = await context.store.list<PolicyVersionRecord>(prefix, { limit: policyVersionsMax });
  const policyVersions = versions.map(({ value: { versionId, createdAtMs } }) => ({
    versionId,
    isDefaultVersion: versionId === policy.defaultVersionId,
    createDate: createdAtMs / 1000,
  }));
  return answer({ policyVersions });
});

export const setDefaultPolicyVersion = awsOperation(
  "iot",
  "SetDefaultPolicyVersion",
  ["policyName", "policyVersionId"],
  async (context, input) => {
    const { value: policy, revision } = await requirePolicy(context, input.policyName);
    const { versionId } = await requireVersion(context, policy.policyName, input.policyVersionId);
    if (versionId === policy.defaultVersionId) return answer({});
    const value: PolicyRecord = { ...policy, defaultVersionId: versionId, modifiedAtMs: context.nowMs };
    return {
      result: {},
      operations: [
        { key: registryKeys.policy(context.scope, policy.policyName), expectedRevision: revision, value },
        // Whoever it is attached to meanwhile would not be looked at again.
        await unchanged(context, registryKeys.guard(context.scope, "policy", policy.policyName)),
      ],
      effects: await recheckPolicy(context, policy.policyName),
    };
  },
);

export const deletePolicyVersion = awsOperation(
  "iot",
  "DeletePolicyVersion",
  ["policyName", "policyVersionId"],
  async (context, input) => {
    const { scope, nowMs } = context;
    const { value: policy, revision } = await requirePolicy(context, input.policyName);
    const { versionId } = await requireVersion(context, policy.policyName, input.policyVersionId);
    if (versionId === policy.defaultVersionId) {
      throw new ThinglineError("REQUEST_INVALID", "Cannot delete the default version of a policy");
    }
    const value: PolicyRecord = { ...policy, modifiedAtMs: nowMs };
    return {
      result: {},
      operations: [
        // Written although little changes in it: nobody may make this version the default at the same time.
        { key: registryKeys.policy(scope, policy.policyName), expectedRevision: revision, value },
        { key: registryKeys.policyVersion(scope, policy.policyName, versionId), delete: true as const },
      ],
      effects: [],
    };
  },
);

export function describePolicy(scope: Scope, name: string) {
  return { policyName: name, policyArn: arnOf.policy(scope, name) };
}

/** Every policy attached to a target, by name. */
export async function policiesOf({ store, scope }: Reader, target: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of iterate(store, registryKeys.policiesOfTarget(scope, target))) names.push(lastName(key));
  return names;
}
