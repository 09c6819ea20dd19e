import { checkOptionTypes, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { clockOption, filesOption, httpOption, keysOption, networkOption, randomOption } from "@thingline/transport";
import type { Clock, Endpoint, Files, Http, Keys, Network, Random } from "@thingline/transport";
import { checkAccountAndRegion } from "./account-region.js";
import { awsLimits, noLimits, type BrokerLimits } from "./broker/limits.js";
import type { SessionOwnerRule } from "./broker/session-owner.js";
import { defaultObjectsPort } from "./default-ports.js";
import type { CloudFunction } from "./functions/index.js";
import type { ServerPair } from "./gateway/domains.js";
import type { GatewayOptions } from "./gateway/gateway.js";
import type { ListenAddress } from "./gateway/listen.js";
import type { Hash } from "./hashes.js";
import type { StatementGuard } from "./statement-guard.js";
import { type Log, logOption } from "./log.js";
import type { AccessKey } from "./rest/access-keys.js";
import type { ServiceOptions } from "./services/all.js";
import type { ObjectsEndpoint } from "./services/objects/index.js";
import { checkVending, type Vending } from "./services/split-provisioning/index.js";
import type { BlobStore } from "./store/blobs.js";
import type { Store } from "./store/store.js";

/** The world that a cloud lives in. Nothing in it is taken from anywhere else. */
export interface CloudDependencies {
  network: Network;
  clock: Clock;
  random: Random;
  files: Files;
  keys: Keys;
  /** Closed with the cloud. */
  store: Store;
  /** Closed with the cloud. Default: in memory, which goes with a store that is in memory. */
  blobs?: BlobStore;
  /**
   * What AWS would call by the ARN of a Lambda function (hooks of provisioning, certificate providers), by its name or its ARN. Default: none.
   */
  functions?: Readonly<Record<string, CloudFunction>>;
  /** For functions that are endpoints, and for HTTP actions of rules. */
  http?: Http;
  /** For the hash functions of rules. Default: SHA-256 and MD2 alone. */
  hash?: Hash;
  /** Ends statements of rules whose regular expressions take too long. Default: nothing does. */
  statementGuard?: StatementGuard;
  log: Log;
}

export interface CloudOptions {
  /** Keeps root CA and server certificate; see `gateway/server-identity.ts`. */
  folder: string;
  /** Twelve digits. Default {@link defaultAccount}. */
  account?: string;
  /** Default {@link defaultRegion}. */
  region?: string;
  mqtts: ListenAddress;
  https: ListenAddress;
  /** Plain TCP, anonymous, everything allowed: for tools that cannot do TLS. Default: off. */
  mqtt?: ListenAddress | undefined;
  /**
   * Where devices reach the objects of this cloud, for the URLs that it makes; asked for when it makes one. Default: HTTPS at the host of
   * `mqtts`, port {@link defaultObjectsPort}.
   */
  objectsEndpoint?: () => ObjectsEndpoint;
  /** Where devices fetch credentials for roles, as DescribeEndpoint tells it. Default: where they connect by MQTT. */
  credentialsEndpoint?: () => Endpoint;
  /** Where REST is answered, for the URL by which an endpoint of a rule confirms; asked for when it is made. Default: nowhere. */
  apiUrl?: () => string | undefined;
  /** Names and addresses of the server certificate besides localhost, 127.0.0.1 and ::1. */
  serverNames?: readonly string[];
  /**
   * Server certificates of domain configurations, by the ARNs that `serverCertificateArns` names: certificate with its chain, and key, as
   * PEM. For an ARN that is not here the cloud's own CA issues a certificate of the domain's name. Default: none.
   */
  serverCertificates?: Readonly<Record<string, ServerPair>>;
  /** `aws`: the quotas of AWS IoT Core; `none` for load tests. Default `aws`. */
  limits?: "aws" | "none" | BrokerLimits;
  /** `refused`: a shadow needs a thing in the registry. Default `accepted`, as AWS is reported to do. */
  shadowsOfUnknownThings?: "accepted" | "refused";
  /** `any` takes every signature of a REST request. Default `verify`. */
  signatures?: "verify" | "any";
  /** `refused`: a REST request without a signature is refused, as on AWS. Default `allowed`, so that curl on the same machine just works. */
  unsignedRequests?: "allowed" | "refused";
  /** Whose signatures count. Default: access key `test` with the secret `test`, which tools for local clouds use. */
  accessKeys?: readonly AccessKey[];
  /**
   * Whose a persistent session is. `principal`, the default: the thing's that the certificate is attached to where that thing's name is the
   * client id, else the certificate's, so that nobody else gets its queue or can end it. `clientId`: of whoever connects under the client id,
   * as AWS is believed to do.
   */
  sessionOwner?: SessionOwnerRule;
  /**
   * Who answers devices that ask on `certificate/<client id>/create`; see {@link Vending}. Given, it holds for as long as this cloud runs.
   * Default: what is stored in this cloud, as `thingline claim create` does, and `off` where nothing is.
   */
  vending?: Vending;
  /**
   * After a device has connected with the certificate that it rotated to, the one before stays ACTIVE for so long. 0 to a year; default
   * one hour.
   */
  rotationOverlapMs?: number;
  /** RSA keys made ahead for CreateKeysAndCertificate and provisioning. Default 0: made when they are asked for. */
  keyPoolSize?: number;
  /** Of the MQTT listeners together; the REST port has its own. Default 100,000. */
  connectionsMax?: number;
  /** From the first packet to the finished TLS handshake or WebSocket upgrade. Default: the transport's. */
  handshakeTimeoutMs?: number;
  /** Called for each connection refused before MQTT, besides the log line. */
  onConnectionRefused?: NonNullable<GatewayOptions["onRefused"]>;
}

const dependencyTypes = {
  network: networkOption,
  clock: clockOption,
  random: randomOption,
  files: filesOption,
  keys: keysOption,
  store: "object",
  blobs: "object",
  functions: "object",
  http: httpOption,
  hash: "function",
  statementGuard: "function",
  log: logOption,
} as const satisfies OptionTypes<CloudDependencies>;
const optionalDependencies = ["blobs", "functions", "http", "hash", "statementGuard"];
const requiredDependencies = Object.keys(dependencyTypes).filter((name) => !optionalDependencies.includes(name));

const addressTypes = {
  host: "string",
  port: "number",
  optionName: "string",
} as const satisfies OptionTypes<ListenAddress>;
const listens = { options: addressTypes, required: ["host", "port"] } as const;

const optionTypes = {
  folder: "string",
  account: "string",
  region: "string",
  mqtts: listens,
  https: listens,
  mqtt: listens,
  objectsEndpoint: "function",
  credentialsEndpoint: "function",
  apiUrl: "function",
  serverNames: "array",
  serverCertificates: "object",
  // `aws`, `none` or limits of one's own.
  limits: "any",
  shadowsOfUnknownThings: "string",
  signatures: "string",
  unsignedRequests: "string",
  accessKeys: "array",
  sessionOwner: "string",
  // A word or an object.
  vending: "any",
  rotationOverlapMs: "number",
  keyPoolSize: "number",
  connectionsMax: "number",
  handshakeTimeoutMs: "number",
  onConnectionRefused: "function",
} as const satisfies OptionTypes<CloudOptions>;

/** A misspelt word must not leave a door open. */
const words = {
  shadowsOfUnknownThings: ["accepted", "refused"],
  signatures: ["verify", "any"],
  unsignedRequests: ["allowed", "refused"],
  sessionOwner: ["principal", "clientId"],
} as const;

/** Before anything is opened. @throws {ThinglineError} OPTION_INVALID with the option's name */
export function checkCloudOptions(dependencies: CloudDependencies, options: CloudOptions): void {
  checkOptionTypes(dependencies, dependencyTypes, { of: "createCloud()", required: requiredDependencies });
  checkOptionTypes(options, optionTypes, { of: "createCloud()", required: ["folder", "mqtts", "https"] });
  checkAccountAndRegion(options);
  if (options.vending !== undefined) checkVending(options.vending);
  checkOverlap(options.rotationOverlapMs);
  for (const [name, allowed] of Object.entries(words)) {
    const value: string | undefined = options[name as keyof typeof words];
    if (value === undefined || (allowed as readonly string[]).includes(value)) continue;
    const message = `${name} must be ${allowed.join(" or ")}, got ${JSON.stringify(value)}`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: name } });
  }
}

/** Longer ones are no overlap any more, and a time far away is none that a timer is set for. */
const rotationOverlapMsMax = 366 * 86_400_000;

function checkOverlap(rotationOverlapMs: number | undefined): void {
  if (rotationOverlapMs === undefined) return;
  if (Number.isSafeInteger(rotationOverlapMs) && rotationOverlapMs >= 0 && rotationOverlapMs <= rotationOverlapMsMax)
    return;
  const message = `rotationOverlapMs must be a whole number from 0 to ${rotationOverlapMsMax}, got ${rotationOverlapMs}`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "rotationOverlapMs" } });
}

/** Where devices reach objects, unless the options say so. */
export function objectsEndpointOf({ objectsEndpoint, mqtts: { host } }: CloudOptions): () => ObjectsEndpoint {
  return objectsEndpoint ?? (() => ({ scheme: "https", host, port: defaultObjectsPort }));
}

export function serviceOptionsOf(options: CloudOptions): ServiceOptions {
  const { limits, shadowsOfUnknownThings = "accepted", rotationOverlapMs, vending } = options;
  const isLimited = limits !== "none";
  return { messageLimits: brokerLimitsOf(options), isLimited, shadowsOfUnknownThings, rotationOverlapMs, vending };
}

export function brokerLimitsOf({ limits = "aws" }: Pick<CloudOptions, "limits">): BrokerLimits {
  if (limits === "aws") return awsLimits;
  return limits === "none" ? noLimits : limits;
}
