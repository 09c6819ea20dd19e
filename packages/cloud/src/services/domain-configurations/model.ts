import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreKey, StoreReader } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { defaultSecurityPolicy, type SecurityPolicyName } from "./security-policies.js";

export const domainConfigurationsServiceName = "domainConfigurations";

export type AuthenticationType = "CUSTOM_AUTH_X509" | "CUSTOM_AUTH" | "AWS_X509" | "AWS_SIGV4" | "DEFAULT";
export type ApplicationProtocol = "SECURE_MQTT" | "MQTT_WSS" | "HTTPS" | "DEFAULT";

/** What a server name stands for: certificate, TLS versions, and how clients have to prove who they are. */
export type DomainConfigurationRecord = {
  domainConfigurationName: string;
  /** The last part of the ARN; the default one has none. */
  arnSuffix?: string;
  domainType: "ENDPOINT" | "AWS_MANAGED" | "CUSTOMER_MANAGED";
  /** Lower case. The default one answers to every name that is nobody else's. */
  domainName?: string;
  serverCertificateArn?: string;
  authorizerConfig?: { defaultAuthorizerName?: string; allowAuthorizerOverride?: boolean };
  status: "ENABLED" | "DISABLED";
  securityPolicy: SecurityPolicyName;
  authenticationType: AuthenticationType;
  applicationProtocol: ApplicationProtocol;
  /** A function that is asked about each client certificate. */
  clientCertificateCallbackArn?: string;
  statusChangedAtMs?: number;
};

/** Of an account and region, the default one not counted. */
export const domainConfigurationsMax = 10;
/** Of the endpoint that every account has. */
export const defaultDomainName = "iot:Data-ATS";
/** An AWS-managed domain has to be DISABLED for so long before it can be deleted. */
export const managedDomainDisabledMs = 7 * 24 * 3_600_000;

const key = (scope: Scope, ...rest: string[]): StoreKey => [scope.account, scope.region, ...rest];

export const domainKeys = {
  all: (scope: Scope) => key(scope, "domainConfiguration"),
  one: (scope: Scope, name: string) => key(scope, "domainConfiguration", name),
  /** By its server name, in lower case. */
  byName: (scope: Scope, domainName: string) => key(scope, "domainName", domainName),
  guard: (scope: Scope) => key(scope, "domainConfigurations"),
};

export function domainArn({ account, region }: Scope, record: DomainConfigurationRecord): string {
  const { domainConfigurationName: name, arnSuffix } = record;
  const suffix = arnSuffix === undefined ? "" : `/${arnSuffix}`;
  return `arn:aws:iot:${region}:${account}:domainconfiguration/${name}${suffix}`;
}

export interface Reader {
  store: StoreReader;
  scope: Scope;
}

/** The default one as it is before somebody changes it. */
export const untouchedDefault: DomainConfigurationRecord = {
  domainConfigurationName: defaultDomainName,
  domainType: "ENDPOINT",
  status: "ENABLED",
  securityPolicy: defaultSecurityPolicy,
  authenticationType: "DEFAULT",
  applicationProtocol: "DEFAULT",
};

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireDomain(
  { store, scope }: Reader,
  name: string,
): Promise<Pick<StoreEntry<DomainConfigurationRecord>, "value" | "revision">> {
  const entry = await store.get<DomainConfigurationRecord>(domainKeys.one(scope, name));
  if (entry !== undefined) return entry;
  if (name === defaultDomainName) return { value: untouchedDefault, revision: 0 };
  throw new ThinglineError("RESOURCE_NOT_FOUND", `The domain configuration ${name} does not exist`);
}

/** The configuration of the server name that a client asks for; the default one for every name that is nobody's. */
export async function findDomain(
  { store, scope }: Reader,
  serverName: string | undefined,
): Promise<DomainConfigurationRecord> {
  const domainName = serverName?.toLowerCase();
  const named =
    domainName === undefined
      ? undefined
      : await store.get<{ domainConfigurationName: string }>(domainKeys.byName(scope, domainName));
  const { domainConfigurationName: name = defaultDomainName } = named?.value ?? {};
  const entry = await store.get<DomainConfigurationRecord>(domainKeys.one(scope, name));
  return entry?.value ?? untouchedDefault;
}

/** The configuration that an authorizer is the default of. */
export async function findDomainOfAuthorizer(
  { store, scope }: Reader,
  authorizerName: string,
): Promise<string | undefined> {
  const entries = await store.list<DomainConfigurationRecord>(domainKeys.all(scope), {
    limit: domainConfigurationsMax + 1,
  });
  return entries.find(({ value }) => value.authorizerConfig?.defaultAuthorizerName === authorizerName)?.value
    .domainConfigurationName;
}
