import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreReader } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { readPage } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import { arnOf, registryKeys } from "./model.js";

/** A function that signs certificate requests instead of the local cloud's own CA. */
export type CertificateProviderRecord = {
  certificateProviderName: string;
  lambdaFunctionArn: string;
  accountDefaultForOperations: "CreateCertificateFromCsr"[];
  clientToken?: string;
  createdAtMs: number;
  modifiedAtMs: number;
};

/** Of an account and region. @see AWS IoT developer guide, "Self-managed certificate signing using AWS IoT Core certificate provider" */
export const certificateProvidersMax = 1;

/** The one that signs what devices request; undefined when there is none. */
export async function findCertificateProvider(
  store: StoreReader,
  scope: Scope,
): Promise<CertificateProviderRecord | undefined> {
  const prefix = registryKeys.certificateProviders(scope);
  return (await store.list<CertificateProviderRecord>(prefix, { limit: certificateProvidersMax }))[0]?.value;
}

async function requireProvider(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  name: string,
): Promise<StoreEntry<CertificateProviderRecord>> {
  const entry = await store.get<CertificateProviderRecord>(registryKeys.certificateProvider(scope, name));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `The certificate provider ${name} does not exist`);
}

export const createCertificateProvider = awsOperation(
  "iot",
  "CreateCertificateProvider",
  [
    "certificateProviderName",
    "lambdaFunctionArn",
    "accountDefaultForOperations",
    "clientToken",
    "tags.Key",
    "tags.Value",
  ],
  async ({ store, scope, nowMs }, input) => {
    const { certificateProviderName, lambdaFunctionArn, accountDefaultForOperations, clientToken } = input;
    const key = registryKeys.certificateProvider(scope, certificateProviderName);
    const existing = (await store.get<CertificateProviderRecord>(key))?.value;
    const certificateProviderArn = arnOf.certificateProvider(scope, certificateProviderName);
    const result = { certificateProviderName, certificateProviderArn };
    const isAgain = clientToken !== undefined && existing?.clientToken === clientToken;
    if (isAgain && existing?.lambdaFunctionArn === lambdaFunctionArn) return answer(result);
    if (existing !== undefined) {
      const details = { resourceId: certificateProviderName, resourceArn: certificateProviderArn };
      throw new ThinglineError("RESOURCE_EXISTS", "The certificate provider already exists", { details });
    }
    const guardKey = registryKeys.certificateProvidersGuard(scope);
    const guardRevision = (await store.get(guardKey))?.revision ?? 0;
    if ((await findCertificateProvider(store, scope)) !== undefined) {
      const message = `An account has ${certificateProvidersMax} certificate provider at the most`;
      throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { certificateProvidersMax } });
    }
    const value: CertificateProviderRecord = {
      ...{ certificateProviderName, lambdaFunctionArn },
      accountDefaultForOperations: [...accountDefaultForOperations],
      ...(clientToken !== undefined && { clientToken }),
      ...{ createdAtMs: nowMs, modifiedAtMs: nowMs },
    };
    const operations = [
      { key, expectedRevision: 0, value },
      ...tagsOfNew(key, input.tags),
      // Two at once would each have found none.
      { key: guardKey, expectedRevision: guardRevision, value: null },
    ];
    return { result, operations, effects: [] };
  },
);

export const describeCertificateProvider = awsOperation(
  "iot",
  "DescribeCertificateProvider",
  ["certificateProviderName"],
  async (context, input) => {
    const { value } = await requireProvider(context, input.certificateProviderName);
    const { certificateProviderName, lambdaFunctionArn, accountDefaultForOperations } = value;
    return answer({
      ...{ certificateProviderName, lambdaFunctionArn, accountDefaultForOperations },
      certificateProviderArn: arnOf.certificateProvider(context.scope, certificateProviderName),
      creationDate: value.createdAtMs / 1000,
      lastModifiedDate: value.modifiedAtMs / 1000,
    });
  },
);

export const updateCertificateProvider = awsOperation(
  "iot",
  "UpdateCertificateProvider",
  ["certificateProviderName", "lambdaFunctionArn", "accountDefaultForOperations"],
  async (context, input) => {
    const { scope, nowMs } = context;
    const { value: before, revision } = await requireProvider(context, input.certificateProviderName);
    const { certificateProviderName } = before;
    const { lambdaFunctionArn = before.lambdaFunctionArn, accountDefaultForOperations } = input;
    const value: CertificateProviderRecord = {
      ...{ ...before, lambdaFunctionArn, modifiedAtMs: nowMs },
      accountDefaultForOperations: [...(accountDefaultForOperations ?? before.accountDefaultForOperations)],
    };
    const key = registryKeys.certificateProvider(scope, certificateProviderName);
    const certificateProviderArn = arnOf.certificateProvider(scope, certificateProviderName);
    const result = { certificateProviderName, certificateProviderArn };
    return { result, operations: [{ key, expectedRevision: revision, value }], effects: [] };
  },
);

/** From then on the local cloud's own CA signs again. */
export const deleteCertificateProvider = awsOperation(
  "iot",
  "DeleteCertificateProvider",
  ["certificateProviderName"],
  async (context, input) => {
    const { value, revision } = await requireProvider(context, input.certificateProviderName);
    const key = registryKeys.certificateProvider(context.scope, value.certificateProviderName);
    const operations = [{ key, expectedRevision: revision, delete: true as const }, tagsGone(key)];
    return { result: {}, operations, effects: [] };
  },
);

export const listCertificateProviders = awsOperation(
  "iot",
  "ListCertificateProviders",
  ["nextToken", "ascendingOrder"],
  async ({ scope, store }, input) => {
    const { entries, nextToken } = await readPage<CertificateProviderRecord>(store, {
      prefix: registryKeys.certificateProviders(scope),
      token: input.nextToken,
      size: undefined,
      order: input.ascendingOrder === true ? "ascending" : "descending",
    });
    const certificateProviders = entries.map(({ value: { certificateProviderName } }) => ({
      certificateProviderName,
      certificateProviderArn: arnOf.certificateProvider(scope, certificateProviderName),
    }));
    return answer({ certificateProviders, ...(nextToken !== undefined && { nextToken }) });
  },
);
