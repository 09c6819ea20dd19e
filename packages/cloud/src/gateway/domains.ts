import { BoundedMap, bytesEqual, isRecord, isThinglineError, ThinglineError } from "@thingline/protocol";
import { encodePem } from "@thingline/protocol/x509";
import type { Clock, Keys, Random, ServerChoice } from "@thingline/transport";
import type { Functions } from "../functions/index.js";
import type { Log } from "../log.js";
import type { Authorizer, ConnectionIdentity, ConnectRequest, Decision } from "../policy/authorizer.js";
import type { CompiledPolicy } from "../policy/evaluate.js";
import { authenticate, authorizerKeys, type Presented } from "../services/authorizers/index.js";
import {
  defaultSecurityPolicy,
  findDomain,
  securityPolicies,
  type DomainConfigurationRecord,
  type SecurityPolicy,
} from "../services/domain-configurations/index.js";
import type { Scope } from "../services/operation.js";
import type { StoreReader } from "../store/store.js";
import { CustomIdentity } from "./custom-identity.js";

/** Server certificates of domains that are kept ready; what nobody asks for goes first. */
export const domainCertificatesMax = 64;
/** Of the function of `clientCertificateCallbackArn`. */
export const certificateCallbackTimeoutMs = 5_000;

/** Certificate and key of a server, PEM. */
export interface ServerPair {
  certificate: string;
  privateKey: string;
}

export interface DomainsOptions {
  store: StoreReader;
  scope: Scope;
  keys: Keys;
  random: Random;
  clock: Clock;
  log: Log;
  functions: Functions;
  /** Of the endpoint itself. */
  server: ServerPair;
  /** What users have given for ARNs of certificates. */
  serverCertificates: Readonly<Record<string, ServerPair>>;
  /** Of the cloud's own CA. */
  issue: (name: string) => Promise<ServerPair>;
}

/** What an origin of a connection looks like to a domain. */
export interface DomainConnection {
  serverName: string | undefined;
  /** Set when the client asked for a WebSocket. */
  http: Presented["http"];
  /** The request for the WebSocket was signed by somebody who is known. */
  isSigned: boolean;
  alpnProtocol: string | undefined;
  /** DER of what the client proved to hold the key of. */
  certificate: Uint8Array | undefined;
}

/** What a client has to show: a certificate, what an authorizer takes, or both; or a signature, which it has shown then. */
export type Demand = "certificate" | "credentials" | "both" | "signature";

/** What server names stand for, read anew for each connection: another node may have changed it. */
export class Domains {
  readonly #options: DomainsOptions;
  readonly #names = new BoundedMap<string, true>(domainCertificatesMax);
  readonly #issued = new BoundedMap<string, Promise<ServerPair>>(domainCertificatesMax);

  /** @throws {ThinglineError} OPTION_INVALID for a server certificate without its key */
  constructor(options: DomainsOptions) {
    const { keys, serverCertificates } = options;
    for (const [arn, pair] of Object.entries(serverCertificates)) checkPair(keys, arn, pair);
    this.#options = options;
  }

  /**
   * Whether a WebSocket may be asked for under this name: it is that of a configuration. Known as soon as its handshake was.
   *
   * @param host of a request, with a port or without
   */
  isKnown(host: string): boolean {
    return this.#names.get(withoutPort(host)) === true;
  }

  find(serverName: string | undefined): Promise<DomainConfigurationRecord> {
    return findDomain(this.#options, serverName);
  }

  /** For the listeners: undefined for what the endpoint itself does. */
  async selectServer(serverName: string | undefined): Promise<ServerChoice | undefined> {
    const domain = await this.find(serverName);
    const { domainType, domainName, securityPolicy, authenticationType, applicationProtocol } = domain;
    if (domainName !== undefined) this.#names.set(domainName, true);
    else if (serverName !== undefined) this.#names.delete(serverName.toLowerCase());
    if (domainType === "ENDPOINT" && securityPolicy === defaultSecurityPolicy && authenticationType === "DEFAULT")
      return undefined;
    const { minVersion, maxVersion, ciphers }: SecurityPolicy = securityPolicies[securityPolicy];
    return {
      ...(await this.#pairOf(domain)),
      requestsClientCertificate: authenticationType !== "CUSTOM_AUTH",
      ...{ minVersion, maxVersion, ciphers },
      isRaw: applicationProtocol === "SECURE_MQTT",
    };
  }

  #pairOf({ domainName, serverCertificateArn = "" }: DomainConfigurationRecord): ServerPair | Promise<ServerPair> {
    const { server, serverCertificates, issue } = this.#options;
    if (domainName === undefined) return server;
    if (Object.hasOwn(serverCertificates, serverCertificateArn))
      return serverCertificates[serverCertificateArn] ?? server;
    const known = this.#issued.get(domainName);
    if (known !== undefined) return known;
    const made = issue(domainName);
    this.#issued.set(domainName, made);
    // Whoever asks next tries again.
    made.catch(() => this.#issued.delete(domainName));
    return made;
  }

  /** What a connection has to show; or why it may not come this way at all. */
  async demandOf(
    domain: DomainConfigurationRecord,
    connection: DomainConnection,
  ): Promise<Demand | { refusal: string }> {
    const { domainConfigurationName: name, status, applicationProtocol: protocol, authenticationType } = domain;
    if (status === "DISABLED") return { refusal: `the domain configuration ${name} is DISABLED` };
    const isWebSocket = connection.http !== undefined;
    if (
      protocol === "HTTPS" ||
      (protocol === "MQTT_WSS" && !isWebSocket) ||
      (protocol === "SECURE_MQTT" && isWebSocket)
    )
      return { refusal: `the domain configuration ${name} is for applicationProtocol ${protocol} alone` };
    switch (authenticationType) {
      case "AWS_X509":
        return "certificate";
      case "CUSTOM_AUTH":
        return "credentials";
      case "CUSTOM_AUTH_X509":
        return "both";
      case "AWS_SIGV4":
        if (connection.isSigned) return "signature";
        return { refusal: `the domain configuration ${name} is for signed WebSockets alone` };
      case "DEFAULT":
        if (connection.isSigned) return "signature";
        return (await this.#asksCredentials(connection)) ? "credentials" : "certificate";
    }
  }

  /** ALPN and port decide. A WebSocket without a certificate may still say more in its CONNECT. */
  async #asksCredentials({ alpnProtocol, http, certificate }: DomainConnection): Promise<boolean> {
    if (alpnProtocol === customAlpnProtocol) return true;
    if (http === undefined || certificate !== undefined) return false;
    const { store, scope } = this.#options;
    return (await store.list(authorizerKeys.all(scope), { limit: 1 })).length > 0;
  }

  /**
   * Asks the function that a domain has for client certificates.
   *
   * @returns why the client may not come in; undefined when it may
   */
  async askCallback(
    { clientCertificateCallbackArn: arn }: DomainConfigurationRecord,
    {
      certificateId,
      certificate,
      serverName,
    }: { certificateId: string; certificate: Uint8Array; serverName: string | undefined },
  ): Promise<string | undefined> {
    if (arn === undefined) return undefined;
    const { functions, random } = this.#options;
    const event = {
      connectionMetadata: { id: random.uuid() },
      principalId: certificateId,
      ...(serverName !== undefined && { serverName }),
      clientCertificateChain: [encodePem("CERTIFICATE", certificate)],
    };
    try {
      const answer = await functions.invoke(arn, event, { timeoutMs: certificateCallbackTimeoutMs });
      if (isRecord(answer) && answer["isAuthenticated"] === true) return undefined;
      return `the function ${arn} did not answer that isAuthenticated is true`;
    } catch (error) {
      if (!isThinglineError(error) || error.code === "CLOSED") throw error;
      return error.message;
    }
  }

  /** Somebody whom an authorizer has to know. */
  customIdentity(
    { authorizerConfig }: DomainConfigurationRecord,
    { serverName, http, certificate }: Pick<DomainConnection, "serverName" | "http" | "certificate">,
    {
      certificateId,
      authorize,
    }: {
      certificateId: string | undefined;
      authorize: (
        policies: readonly CompiledPolicy[],
        request: ConnectRequest,
      ) => Promise<{ decision: Decision; authorizer: Authorizer }>;
    },
  ): ConnectionIdentity {
    const { clock, log, random, store, scope, keys, functions } = this.#options;
    // One connection: its function is told the same id each time.
    const connectionId = random.uuid();
    return new CustomIdentity(
      {
        ...{ clock, log, authorize },
        authenticate: (presented, choice) =>
          authenticate({ store, scope, keys, functions }, { presented, choice, connectionId }),
      },
      {
        ...{ serverName, http },
        ...(certificateId !== undefined &&
          certificate !== undefined && {
            certificate: { certificateId, certificatePem: encodePem("CERTIFICATE", certificate) },
          }),
      },
      {
        defaultAuthorizerName: authorizerConfig?.defaultAuthorizerName,
        // AWS: whoever configures authorizers for a domain has to allow others by a word.
        allowsOverride: authorizerConfig === undefined || authorizerConfig.allowAuthorizerOverride === true,
      },
    );
  }
}

function checkPair(keys: Keys, arn: string, { certificate, privateKey }: ServerPair): void {
  const invalid = (why: string, cause?: unknown) =>
    new ThinglineError("OPTION_INVALID", `serverCertificates: ${arn}: ${why}`, {
      ...{ details: { option: "serverCertificates" }, cause },
    });
  let isPair: boolean;
  try {
    isPair = bytesEqual(keys.certificatePublicKey(certificate), keys.publicKeyOf(privateKey));
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
  if (!isPair) throw invalid("the private key does not belong to the certificate");
}

export const withoutPort = (host: string) => host.replace(/:\d{1,5}$/, "").toLowerCase();

/** MQTT with credentials of a custom authorizer. @see AWS IoT developer guide, "Device communication protocols" */
export const customAlpnProtocol = "mqtt";
