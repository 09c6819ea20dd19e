import { ThinglineError } from "@thingline/protocol";
import type { OutputOf } from "../aws-operation.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type Operation, type OperationContext, type Scope } from "../operation.js";
import { pageOf } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import { checkDomain, checkDomainName, checkSecurityPolicy } from "./check.js";
import {
  defaultDomainName,
  domainArn,
  domainConfigurationsMax,
  domainKeys,
  managedDomainDisabledMs,
  requireDomain,
  untouchedDefault,
  type DomainConfigurationRecord,
} from "./model.js";
import { defaultSecurityPolicy } from "./security-policies.js";

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

export interface DomainConfigurationsDependencies {
  /** Undefined when the account has no authorizer of that name. It cannot be deleted in the same moment. */
  claimAuthorizer: Operation<{ authorizerName: string }, object | undefined>;
  /** The host of the account's own endpoint. */
  endpointHost: () => string;
}

export type DomainConfigurations = ReturnType<typeof createDomainConfigurations>;

const configMembers = [
  ...(["authorizerConfig.defaultAuthorizerName", "authorizerConfig.allowAuthorizerOverride"] as const),
  ...(["tlsConfig.securityPolicy", "authenticationType", "applicationProtocol"] as const),
  ...(["clientCertificateConfig.clientCertificateCallbackArn", "serverCertificateConfig.enableOCSPCheck"] as const),
] as const;

/** Domain configurations of the account. Members are the operations of AWS IoT by their names. */
export function createDomainConfigurations({ claimAuthorizer, endpointHost }: DomainConfigurationsDependencies) {
  /** @throws {ThinglineError} REQUEST_INVALID */
  const check = async (context: OperationContext, record: DomainConfigurationRecord) => {
    checkDomain(record);
    const name = record.authorizerConfig?.defaultAuthorizerName;
    if (name !== undefined && (await context.call(claimAuthorizer, { authorizerName: name })) === undefined)
      throw invalid(`The authorizer ${name} does not exist`);
  };

  const createDomainConfiguration = awsOperation(
    "iot",
    "CreateDomainConfiguration",
    [
      ...(["domainConfigurationName", "domainName", "serverCertificateArns", "validationCertificateArn"] as const),
      ...(["serviceType", "tags.Key", "tags.Value", ...configMembers] as const),
    ],
    async (context, input) => {
      const { store, scope, nowMs, random } = context;
      const { domainConfigurationName, serverCertificateArns: [serverCertificateArn] = [] } = input;
      const { serviceType = "DATA" } = input;
      if (serviceType !== "DATA") throw invalid(`serviceType ${serviceType} is not supported; there is DATA`);
      checkCertificates(input);
      const isManaged = input.domainName === undefined;
      const domainName =
        input.domainName === undefined
          ? `d${managedLabel(random.bytes(19))}-ats.iot.${scope.region}.amazonaws.com`
          : checkDomainName(input.domainName);
      const record: DomainConfigurationRecord = {
        ...{ domainConfigurationName, domainName, arnSuffix: managedLabel(random.bytes(5)) },
        domainType: isManaged ? "AWS_MANAGED" : "CUSTOMER_MANAGED",
        ...(serverCertificateArn !== undefined && { serverCertificateArn }),
        status: "ENABLED",
        ...configOf(input, untouchedDefault),
        statusChangedAtMs: nowMs,
      };
      await check(context, record);
      const key = domainKeys.one(scope, domainConfigurationName);
      if ((await store.get(key)) !== undefined)
        throw exists(scope, record, `The domain configuration ${domainConfigurationName} already exists`);
      const nameKey = domainKeys.byName(scope, domainName);
      if ((await store.get(nameKey)) !== undefined)
        throw exists(scope, record, `The domain name ${domainName} has a domain configuration already`);
      const guardKey = domainKeys.guard(scope);
      const guardRevision = (await store.get(guardKey))?.revision ?? 0;
      const all = await store.list<DomainConfigurationRecord>(domainKeys.all(scope), {
        limit: domainConfigurationsMax + 1,
      });
      if (all.filter(({ value }) => value.domainType !== "ENDPOINT").length >= domainConfigurationsMax) {
        const message = `An account has ${domainConfigurationsMax} domain configurations at the most`;
        throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { domainConfigurationsMax } });
      }
      const operations = [
        { key, expectedRevision: 0, value: record },
        { key: nameKey, expectedRevision: 0, value: { domainConfigurationName } },
        { key: guardKey, expectedRevision: guardRevision, value: null },
        ...tagsOfNew(key, input.tags),
      ];
      return { result: named(scope, record), operations, effects: [] };
    },
  );

  const describeDomainConfiguration = awsOperation(
    "iot",
    "DescribeDomainConfiguration",
    ["domainConfigurationName"],
    async (context, input) => {
      const { value } = await requireDomain(context, input.domainConfigurationName);
      return answer(describe(context.scope, value, endpointHost));
    },
  );

  const updateDomainConfiguration = awsOperation(
    "iot",
    "UpdateDomainConfiguration",
    ["domainConfigurationName", "domainConfigurationStatus", "removeAuthorizerConfig", ...configMembers],
    async (context, input) => {
      const { scope, nowMs } = context;
      const { value: before, revision } = await requireDomain(context, input.domainConfigurationName);
      const { removeAuthorizerConfig = false, domainConfigurationStatus: status = before.status } = input;
      if (removeAuthorizerConfig && input.authorizerConfig !== undefined)
        throw invalid("Only one of authorizerConfig and removeAuthorizerConfig may be given");
      if (status === "DISABLED" && before.domainType === "ENDPOINT")
        throw invalid(`The domain configuration ${defaultDomainName} cannot be disabled`);
      const { authorizerConfig, clientCertificateCallbackArn, ...kept } = before;
      const record: DomainConfigurationRecord = {
        ...kept,
        status,
        ...configOf(input, {
          ...kept,
          ...(clientCertificateCallbackArn !== undefined && { clientCertificateCallbackArn }),
          ...(authorizerConfig !== undefined && !removeAuthorizerConfig && { authorizerConfig }),
        }),
        ...(status !== before.status && { statusChangedAtMs: nowMs }),
      };
      await check(context, record);
      const key = domainKeys.one(scope, record.domainConfigurationName);
      const operations = [{ key, expectedRevision: revision, value: record }];
      return { result: named(scope, record), operations, effects: [] };
    },
  );

  return {
    createDomainConfiguration,
    describeDomainConfiguration,
    updateDomainConfiguration,
    deleteDomainConfiguration,
    listDomainConfigurations,
  };
}

const deleteDomainConfiguration = awsOperation(
  "iot",
  "DeleteDomainConfiguration",
  ["domainConfigurationName"],
  async (context, input) => {
    const { scope, nowMs, store } = context;
    const { domainConfigurationName: name } = input;
    const { value, revision } = await requireDomain(context, name);
    const { status, domainType, domainName = "", statusChangedAtMs = 0 } = value;
    if (status !== "DISABLED") throw invalid(`The domain configuration ${name} must be DISABLED before it is deleted`);
    if (domainType === "AWS_MANAGED" && nowMs < statusChangedAtMs + managedDomainDisabledMs)
      throw invalid(`The domain configuration ${name} is of AWS: it must be DISABLED for 7 days before it is deleted`);
    const nameKey = domainKeys.byName(scope, domainName);
    const nameRevision = (await store.get(nameKey))?.revision ?? 0;
    const key = domainKeys.one(scope, name);
    const operations = [
      { key, expectedRevision: revision, delete: true as const },
      tagsGone(key),
      { key: nameKey, expectedRevision: nameRevision, delete: true as const },
    ];
    return { result: {}, operations, effects: [] };
  },
);

const listDomainConfigurations = awsOperation(
  "iot",
  "ListDomainConfigurations",
  ["marker", "pageSize", "serviceType"],
  async (context, { marker, pageSize, serviceType }) => {
    const { store, scope } = context;
    const prefix = domainKeys.all(scope);
    const entries = await store.list<DomainConfigurationRecord>(prefix, { limit: domainConfigurationsMax + 1 });
    // The default one is there before anybody has written it.
    const records = new Map([[defaultDomainName, untouchedDefault]]);
    for (const { value } of entries) records.set(value.domainConfigurationName, value);
    const isAll = serviceType === undefined || serviceType === "DATA";
    const names = isAll ? [...records.keys()].sort() : [];
    const { keys, nextToken } = pageOf(
      names.map((name) => domainKeys.one(scope, name)),
      { prefix, token: marker, tokenName: "marker", size: pageSize },
    );
    const domainConfigurations = keys.map((key) => {
      const record = records.get(String(key.at(-1))) ?? untouchedDefault;
      return { ...named(scope, record), serviceType: "DATA" as const };
    });
    return answer({ domainConfigurations, ...(nextToken !== undefined && { nextMarker: nextToken }) });
  },
);

const named = (scope: Scope, record: DomainConfigurationRecord) => ({
  domainConfigurationName: record.domainConfigurationName,
  domainConfigurationArn: domainArn(scope, record),
});

const exists = (scope: Scope, record: DomainConfigurationRecord, message: string) =>
  new ThinglineError("RESOURCE_EXISTS", message, {
    details: { resourceId: record.domainConfigurationName, resourceArn: domainArn(scope, record) },
  });

/** Letters and digits, one for each byte. */
function managedLabel(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

/** @throws {ThinglineError} REQUEST_INVALID */
function checkCertificates({
  domainName,
  serverCertificateArns = [],
  validationCertificateArn,
}: {
  domainName?: string | undefined;
  serverCertificateArns?: readonly string[] | undefined;
  validationCertificateArn?: string | undefined;
}): void {
  if (domainName !== undefined && serverCertificateArns.length === 0)
    throw invalid("serverCertificateArns is needed with a domainName");
  if (domainName === undefined && serverCertificateArns.length > 0)
    throw invalid("serverCertificateArns needs a domainName");
  if (domainName === undefined && validationCertificateArn !== undefined)
    throw invalid("validationCertificateArn needs a domainName");
}

interface ConfigInput {
  authorizerConfig?: DomainConfigurationRecord["authorizerConfig"] | UndefinedConfig | undefined;
  tlsConfig?: { securityPolicy?: string | undefined } | undefined;
  authenticationType?: DomainConfigurationRecord["authenticationType"] | undefined;
  applicationProtocol?: DomainConfigurationRecord["applicationProtocol"] | undefined;
  clientCertificateConfig?: { clientCertificateCallbackArn?: string | undefined } | undefined;
  serverCertificateConfig?: { enableOCSPCheck?: boolean | undefined } | undefined;
}
interface UndefinedConfig {
  defaultAuthorizerName?: string | undefined;
  allowAuthorizerOverride?: boolean | undefined;
}

/** What a request says, and where it says nothing, what was before. */
function configOf(
  input: ConfigInput,
  before: Pick<
    DomainConfigurationRecord,
    | "authorizerConfig"
    | "securityPolicy"
    | "authenticationType"
    | "applicationProtocol"
    | "clientCertificateCallbackArn"
  >,
) {
  const { authenticationType, applicationProtocol } = input;
  if (input.serverCertificateConfig?.enableOCSPCheck === true)
    throw invalid(
      "serverCertificateConfig.enableOCSPCheck is not supported by the local cloud: its CA answers no OCSP",
    );
  const { defaultAuthorizerName, allowAuthorizerOverride } = input.authorizerConfig ?? {};
  const authorizerConfig =
    input.authorizerConfig === undefined
      ? before.authorizerConfig
      : {
          ...(defaultAuthorizerName !== undefined && { defaultAuthorizerName }),
          ...(allowAuthorizerOverride !== undefined && { allowAuthorizerOverride }),
        };
  const callback =
    input.clientCertificateConfig === undefined
      ? before.clientCertificateCallbackArn
      : input.clientCertificateConfig.clientCertificateCallbackArn;
  return {
    ...(authorizerConfig !== undefined && { authorizerConfig }),
    securityPolicy:
      input.tlsConfig?.securityPolicy === undefined
        ? (before.securityPolicy ?? defaultSecurityPolicy)
        : checkSecurityPolicy(input.tlsConfig.securityPolicy),
    authenticationType: authenticationType ?? before.authenticationType,
    applicationProtocol: applicationProtocol ?? before.applicationProtocol,
    ...(callback !== undefined && callback !== "" && { clientCertificateCallbackArn: callback }),
  };
}

function describe(
  scope: Scope,
  record: DomainConfigurationRecord,
  endpointHost: () => string,
): OutputOf<"iot", "DescribeDomainConfiguration"> {
  const { serverCertificateArn, authorizerConfig, clientCertificateCallbackArn, statusChangedAtMs } = record;
  return {
    ...named(scope, record),
    domainName: record.domainName ?? endpointHost(),
    serverCertificates:
      serverCertificateArn === undefined ? [] : [{ serverCertificateArn, serverCertificateStatus: "VALID" }],
    ...(authorizerConfig !== undefined && { authorizerConfig }),
    domainConfigurationStatus: record.status,
    serviceType: "DATA",
    domainType: record.domainType,
    ...(statusChangedAtMs !== undefined && { lastStatusChangeDate: statusChangedAtMs / 1000 }),
    tlsConfig: { securityPolicy: record.securityPolicy },
    authenticationType: record.authenticationType,
    applicationProtocol: record.applicationProtocol,
    ...(clientCertificateCallbackArn !== undefined && { clientCertificateConfig: { clientCertificateCallbackArn } }),
  };
}
