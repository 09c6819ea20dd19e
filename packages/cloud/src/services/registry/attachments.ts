import { ThinglineError } from "@thingline/protocol";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { encodeKey } from "../../store/key-encoding.js";
import type { StoreKey } from "../../store/store.js";
import { answer, type OperationContext, type Outcome } from "../operation.js";
import { lastName, pageOf, readPage } from "../page.js";
import { requireCertificate } from "./certificates.js";
import { requireGroup } from "./group-directory.js";
import {
  arnOf,
  certificateIdOfArn,
  policiesPerGroupMax,
  policiesPerTargetMax,
  registryKeys,
  thingGroupOfArn,
  type CertificateRecord,
  type ThingPrincipalRecord,
} from "./model.js";
import { describePolicy, policiesOf, requirePolicy } from "./policies.js";
import { recheck, recheckTarget, unchanged } from "./recheck.js";
import {
  attachPolicyOperations,
  attachThingOperations,
  detachPolicyOperations,
  detachThingOperations,
} from "./records.js";
import { requireThing } from "./thing-directory.js";

/** @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND */
export async function requirePrincipal(context: OperationContext, arn: string) {
  const id = certificateIdOfArn(context.scope, arn);
  if (id === undefined) {
    const expected = arnOf.certificate(context.scope, "<certificateId>");
    throw new ThinglineError("REQUEST_INVALID", `Invalid principal or target: expected ${expected}, got ${arn}`);
  }
  return requireCertificate(context, id);
}

/**
 * What policies are attached to: a certificate or a thing group.
 * @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND
 */
async function requireTarget(context: OperationContext, target: string) {
  const { scope } = context;
  const group = thingGroupOfArn(scope, target);
  if (group !== undefined) {
    const { key, revision, value } = await requireGroup(context, group);
    const guardKey = registryKeys.guard(scope, "thingGroup", group);
    const above = value.ancestors.map(({ thingGroupName }) => arnOf.thingGroup(scope, thingGroupName));
    const isDynamic = value.dynamic !== undefined;
    return { key, revision, guardKey, policiesMax: policiesPerGroupMax, above, certificate: undefined, isDynamic };
  }
  const { key, revision, value } = await requirePrincipal(context, target);
  const guardKey = registryKeys.guard(scope, "certificate", value.certificateId);
  return {
    key,
    revision,
    guardKey,
    policiesMax: policiesPerTargetMax,
    above: [],
    certificate: value,
    isDynamic: false,
  };
}

/** @throws {ThinglineError} REQUEST_INVALID for a certificate that two accounts have */
function requireStays(certificate: CertificateRecord | undefined): void {
  if (certificate?.status !== "PENDING_TRANSFER") return;
  const message = `Nothing is attached to a certificate that is PENDING_TRANSFER (id=${certificate.certificateId})`;
  throw new ThinglineError("REQUEST_INVALID", message);
}

/** What a policy is attached to; the older operations of AWS call it a principal. */
type PolicyTarget = InputOf<"iot", "AttachPolicy">;
type Nothing = Readonly<Record<never, never>>;

export const attachPolicy = awsOperation("iot", "AttachPolicy", ["policyName", "target"], attach);

export const attachPrincipalPolicy = awsOperation(
  "iot",
  "AttachPrincipalPolicy",
  ["policyName", "principal"],
  async (context, { policyName, principal }) => attach(context, { policyName, target: principal }),
);

async function attach(context: OperationContext, input: PolicyTarget): Promise<Outcome<Nothing>> {
  const { scope, store } = context;
  const { target } = input;
  const policy = await requirePolicy(context, input.policyName);
  const { key, revision, guardKey, policiesMax, certificate, isDynamic } = await requireTarget(context, target);
  requireStays(certificate);
  if (isDynamic) {
    throw new ThinglineError("REQUEST_INVALID", `A policy cannot be attached to a dynamic thing group: ${target}`);
  }
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  if ((await store.get(registryKeys.policyOfTarget(scope, target, input.policyName))) !== undefined) return answer({});
  const attached = await store.list(registryKeys.policiesOfTarget(scope, target), { limit: policiesMax });
  if (attached.length >= policiesMax) {
    const message = `The maximum number of policies (${policiesMax}) is already attached to ${target}`;
    throw new ThinglineError("QUOTA_EXCEEDED", message);
  }
  return {
    result: {},
    operations: [
      { key: registryKeys.policy(scope, input.policyName), expectedRevision: policy.revision, check: true as const },
      { key, expectedRevision: revision, check: true as const },
      // Two that attach to one target at once could exceed the maximum together.
      { key: guardKey, expectedRevision: guardRevision, value: null },
      ...attachPolicyOperations(scope, input.policyName, target),
    ],
    effects: await recheckTarget(context, target),
  };
}

export const detachPolicy = awsOperation("iot", "DetachPolicy", ["policyName", "target"], detach);

export const detachPrincipalPolicy = awsOperation(
  "iot",
  "DetachPrincipalPolicy",
  ["policyName", "principal"],
  async (context, { policyName, principal }) => detach(context, { policyName, target: principal }),
);

async function detach(context: OperationContext, input: PolicyTarget): Promise<Outcome<Nothing>> {
  const { scope, store } = context;
  const { target } = input;
  await requirePolicy(context, input.policyName);
  const attachment = await store.get(registryKeys.policyOfTarget(scope, target, input.policyName));
  if (attachment === undefined) return answer({});
  const group = thingGroupOfArn(scope, target);
  return {
    result: {},
    operations: [
      // A thing that joins the group meanwhile would not be looked at again, and keep the policy.
      ...(group === undefined ? [] : [await unchanged(context, registryKeys.guard(scope, "thingGroup", group))]),
      ...detachPolicyOperations(scope, input.policyName, target),
    ],
    effects: await recheckTarget(context, target),
  };
}

/** With `recursive` those of all groups above a thing group as well. */
export const listAttachedPolicies = awsOperation(
  "iot",
  "ListAttachedPolicies",
  ["target", "marker", "pageSize", "recursive"],
  async (context, input) => answer(await policiesPage(context, input)),
);

/** Nobody keeps the order by time for which `ascendingOrder` asks; so it is for `listPolicyPrincipals`. */
export const listPrincipalPolicies = awsOperation(
  "iot",
  "ListPrincipalPolicies",
  ["principal", "marker", "pageSize"],
  async (context, { principal, ...page }) => answer(await policiesPage(context, { ...page, target: principal })),
);

async function policiesPage(
  context: OperationContext,
  { target, marker, pageSize, recursive }: InputOf<"iot", "ListAttachedPolicies">,
) {
  const { scope, store } = context;
  const { above } = await requireTarget(context, target);
  const prefix = registryKeys.policiesOfTarget(scope, target);
  const request = { prefix, token: marker, tokenName: "marker", size: pageSize } as const;
  if (recursive === true && above.length > 0) {
    const { keys, nextToken } = pageOf(await keysWithAbove(context, target, above), request);
    return describePage(keys, nextToken);
  }
  const { entries, nextToken } = await readPage(store, request);
  return describePage(
    entries.map(({ key }) => key),
    nextToken,
  );

  function describePage(keys: readonly StoreKey[], next: string | undefined) {
    const policies = keys.map((key) => describePolicy(scope, lastName(key)));
    return { policies, ...(next !== undefined && { nextMarker: next }) };
  }
}

/** As if all of them were attached to the target: a few, as each group has few. */
async function keysWithAbove(context: OperationContext, target: string, above: readonly string[]): Promise<StoreKey[]> {
  const names = new Set<string>();
  for (const one of [...above, target]) for (const name of await policiesOf(context, one)) names.add(name);
  const keys = [...names].map((name) => registryKeys.policyOfTarget(context.scope, target, name));
  return keys.sort((left, right) => (encodeKey(left) < encodeKey(right) ? -1 : 1));
}

export const listTargetsForPolicy = awsOperation(
  "iot",
  "ListTargetsForPolicy",
  ["policyName", "marker", "pageSize"],
  async (context, input) => {
    const { names: targets, ...page } = await targetsPage(context, input);
    return answer({ targets, ...page });
  },
);

export const listPolicyPrincipals = awsOperation(
  "iot",
  "ListPolicyPrincipals",
  ["policyName", "marker", "pageSize"],
  async (context, input) => {
    const { names: principals, ...page } = await targetsPage(context, input);
    return answer({ principals, ...page });
  },
);

async function targetsPage(
  context: OperationContext,
  { policyName, marker, pageSize }: InputOf<"iot", "ListTargetsForPolicy">,
) {
  await requirePolicy(context, policyName);
  const prefix = registryKeys.targetsOfPolicy(context.scope, policyName);
  const page = await readPage(context.store, { prefix, token: marker, tokenName: "marker", size: pageSize });
  const names = page.entries.map(({ key }) => lastName(key));
  return { names, ...(page.nextToken !== undefined && { nextMarker: page.nextToken }) };
}

export const attachThingPrincipal = awsOperation(
  "iot",
  "AttachThingPrincipal",
  ["thingName", "principal", "thingPrincipalType"],
  async (context, input) => {
    const { scope, store } = context;
    const type = input.thingPrincipalType ?? "NON_EXCLUSIVE_THING";
    const thing = await requireThing(context, input.thingName);
    const certificate = await requirePrincipal(context, input.principal);
    requireStays(certificate.value);
    const id = certificate.value.certificateId;
    const guardKey = registryKeys.guard(scope, "certificate", id);
    const guardRevision = (await store.get(guardKey))?.revision ?? 0;
    const things = await store.list<ThingPrincipalRecord>(registryKeys.thingsOfPrincipal(scope, input.principal), {
      limit: 2,
    });
    const existing = await store.get<ThingPrincipalRecord>(
      registryKeys.thingOfPrincipal(scope, input.principal, input.thingName),
    );
    if (existing?.value.thingPrincipalType === type) return answer({});
    requireExclusivity(things, input.thingName, type);
    return {
      result: {},
      operations: [
        { key: registryKeys.thing(scope, input.thingName), expectedRevision: thing.revision, check: true as const },
        { key: registryKeys.certificate(scope, id), expectedRevision: certificate.revision, check: true as const },
        // Two that attach one certificate at once could break its exclusivity together.
        { key: guardKey, expectedRevision: guardRevision, value: null },
        ...attachThingOperations(scope, input.thingName, input.principal, type),
      ],
      effects: [recheck(id)],
    };
  },
);

function requireExclusivity(
  things: readonly { key: readonly (string | number)[]; value: ThingPrincipalRecord }[],
  name: string,
  type: ThingPrincipalRecord["thingPrincipalType"],
): void {
  const other = things.find(({ key }) => lastName(key) !== name);
  if (other === undefined) return;
  if (type === "NON_EXCLUSIVE_THING" && other.value.thingPrincipalType === "NON_EXCLUSIVE_THING") return;
  const how = other.value.thingPrincipalType === "EXCLUSIVE_THING" ? "exclusively attached" : "attached";
  throw new ThinglineError("REQUEST_INVALID", `The principal is already ${how} to thing ${lastName(other.key)}`);
}

export const detachThingPrincipal = awsOperation(
  "iot",
  "DetachThingPrincipal",
  ["thingName", "principal"],
  async (context, input) => {
    const { scope, store } = context;
    await requireThing(context, input.thingName);
    const attachment = await store.get(registryKeys.principalOfThing(scope, input.thingName, input.principal));
    if (attachment === undefined) return answer({});
    const id = certificateIdOfArn(scope, input.principal);
    return {
      result: {},
      operations: detachThingOperations(scope, input.thingName, input.principal),
      effects: id === undefined ? [] : [recheck(id)],
    };
  },
);

async function principalsPage(context: OperationContext, input: InputOf<"iot", "ListThingPrincipalsV2">) {
  await requireThing(context, input.thingName);
  return readPage<ThingPrincipalRecord>(context.store, {
    prefix: registryKeys.principalsOfThing(context.scope, input.thingName),
    token: input.nextToken,
    size: input.maxResults,
    matches: ({ value }) => [undefined, value.thingPrincipalType].includes(input.thingPrincipalType),
  });
}

const ofThing = ["thingName", "nextToken", "maxResults"] as const;
const ofPrincipal = ["principal", "nextToken", "maxResults"] as const;

export const listThingPrincipals = awsOperation("iot", "ListThingPrincipals", ofThing, async (context, input) => {
  const { entries, nextToken } = await principalsPage(context, input);
  const principals = entries.map(({ key }) => lastName(key));
  return answer({ principals, ...(nextToken !== undefined && { nextToken }) });
});

const ofThingByType = [...ofThing, "thingPrincipalType"] as const;

export const listThingPrincipalsV2 = awsOperation(
  "iot",
  "ListThingPrincipalsV2",
  ofThingByType,
  async (context, input) => {
    const { entries, nextToken } = await principalsPage(context, input);
    const thingPrincipalObjects = entries.map(({ key, value }) => ({
      principal: lastName(key),
      thingPrincipalType: value.thingPrincipalType,
    }));
    return answer({ thingPrincipalObjects, ...(nextToken !== undefined && { nextToken }) });
  },
);

async function thingsPage(context: OperationContext, input: InputOf<"iot", "ListPrincipalThingsV2">) {
  await requirePrincipal(context, input.principal);
  return readPage<ThingPrincipalRecord>(context.store, {
    prefix: registryKeys.thingsOfPrincipal(context.scope, input.principal),
    token: input.nextToken,
    size: input.maxResults,
    matches: ({ value }) => [undefined, value.thingPrincipalType].includes(input.thingPrincipalType),
  });
}

export const listPrincipalThings = awsOperation("iot", "ListPrincipalThings", ofPrincipal, async (context, input) => {
  const { entries, nextToken } = await thingsPage(context, input);
  const things = entries.map(({ key }) => lastName(key));
  return answer({ things, ...(nextToken !== undefined && { nextToken }) });
});

const ofPrincipalByType = [...ofPrincipal, "thingPrincipalType"] as const;

export const listPrincipalThingsV2 = awsOperation(
  "iot",
  "ListPrincipalThingsV2",
  ofPrincipalByType,
  async (context, input) => {
    const { entries, nextToken } = await thingsPage(context, input);
    const principalThingObjects = entries.map(({ key, value }) => ({
      thingName: lastName(key),
      thingPrincipalType: value.thingPrincipalType,
    }));
    return answer({ principalThingObjects, ...(nextToken !== undefined && { nextToken }) });
  },
);
