import { ThinglineError } from "@thingline/protocol";
import type { DomainConfigurationRecord } from "./model.js";
import { isSecurityPolicy, securityPolicies, type SecurityPolicyName } from "./security-policies.js";

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** Which protocols go with which way to prove who one is. @see AWS IoT developer guide, "Domain configurations" */
const protocolsOf: Readonly<
  Record<DomainConfigurationRecord["authenticationType"], readonly DomainConfigurationRecord["applicationProtocol"][]>
> = {
  AWS_X509: ["SECURE_MQTT", "HTTPS"],
  CUSTOM_AUTH_X509: ["SECURE_MQTT", "HTTPS"],
  AWS_SIGV4: ["MQTT_WSS", "HTTPS"],
  CUSTOM_AUTH: ["SECURE_MQTT", "MQTT_WSS", "HTTPS"],
  DEFAULT: ["DEFAULT"],
};

/** @throws {ThinglineError} REQUEST_INVALID */
export function checkSecurityPolicy(name: string): SecurityPolicyName {
  if (isSecurityPolicy(name)) return name;
  throw invalid(`Unknown security policy ${name}; there are ${Object.keys(securityPolicies).join(", ")}`);
}

/** @throws {ThinglineError} REQUEST_INVALID when the parts of a configuration do not go together */
export function checkDomain(record: DomainConfigurationRecord): void {
  const { authenticationType, applicationProtocol, authorizerConfig = {}, clientCertificateCallbackArn } = record;
  const allowed = protocolsOf[authenticationType];
  if (!allowed.includes(applicationProtocol))
    throw invalid(
      `applicationProtocol ${applicationProtocol} does not go with authenticationType ${authenticationType}: ${allowed.join(", ")}`,
    );
  if (applicationProtocol === "HTTPS" && authenticationType !== "CUSTOM_AUTH")
    throw invalid(`applicationProtocol HTTPS with ${authenticationType} is not supported by the local cloud`);
  const { defaultAuthorizerName, allowAuthorizerOverride } = authorizerConfig;
  if (authenticationType === "AWS_X509" && (defaultAuthorizerName !== undefined || allowAuthorizerOverride === true))
    throw invalid("authorizerConfig does not go with authenticationType AWS_X509");
  if (authenticationType === "CUSTOM_AUTH_X509" && defaultAuthorizerName === undefined)
    throw invalid("authorizerConfig.defaultAuthorizerName is needed with authenticationType CUSTOM_AUTH_X509");
  const asksCertificate = authenticationType === "AWS_X509" || authenticationType === "CUSTOM_AUTH_X509";
  if (clientCertificateCallbackArn !== undefined && !asksCertificate)
    throw invalid(
      "clientCertificateConfig.clientCertificateCallbackArn needs authenticationType AWS_X509 or CUSTOM_AUTH_X509",
    );
}

/** A host name of two labels at the least, in lower case. @throws {ThinglineError} REQUEST_INVALID */
export function checkDomainName(given: string): string {
  const name = given.toLowerCase();
  const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
  if (new RegExp(`^${label}(?:\\.${label})+$`).test(name) && !/^[0-9.]+$/.test(name)) return name;
  throw invalid(`domainName is not a host name of at least two labels: ${JSON.stringify(given)}`);
}
