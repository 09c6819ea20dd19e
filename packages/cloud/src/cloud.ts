import { checkOptionTypes, isThinglineError, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { clockOption, filesOption, keysOption, networkOption, randomOption } from "@thingline/transport";
import type {
  Clock,
  Connection,
  Endpoint,
  Files,
  HttpRequest,
  HttpResponse,
  Keys,
  Network,
  Random,
} from "@thingline/transport";
import { handleAdmin, isAdminUrl, judgeAdmin } from "./admin.js";
import { createBoundedLog } from "./bounded-log.js";
import { createBroker } from "./broker/broker.js";
import { awsLimits, noLimits } from "./broker/limits.js";
import type { BrokerLimits } from "./broker/limits.js";
import type { Broker, BrokerStats } from "./broker/types.js";
import { openGateway } from "./gateway/gateway.js";
import type { Gateway, GatewayOptions, GatewayStats } from "./gateway/gateway.js";
import type { ListenAddress } from "./gateway/listen.js";
import { createPrincipals } from "./gateway/principals.js";
import { openServerIdentity } from "./gateway/server-identity.js";
import { type Log, logOption } from "./log.js";
import type { ConnectionIdentity } from "./policy/authorizer.js";
import type { Operation, Scope } from "./services/operation.js";
import type { RequestHead, Verdict } from "./rest/admission.js";
import { originFault } from "./rest/origin-guard.js";
import { createRestApi, type RestApi } from "./rest/rest-api.js";
import { checkAccessKeys, defaultAccessKey, type AccessKey } from "./rest/access-keys.js";
import { registryRestOperations } from "./services/registry/rest.js";
import { explainCertificate } from "./services/registry/certificates.js";
import {
  createCertificateIssuer,
  openDeviceAuthority,
  readDeviceAuthority,
} from "./services/registry/certificate-issuer.js";
import { createKeyPool, type KeyPool } from "./services/registry/key-pool.js";
import { createRegistry, type Registry } from "./services/registry/service.js";
import { httpClientId } from "./services/messages/model.js";
import { messageRestOperations } from "./services/messages/rest.js";
import { createMessages, type Messages } from "./services/messages/service.js";
import { shadowServiceName } from "./services/shadow/model.js";
import { shadowRestOperations } from "./services/shadow/rest.js";
import { createShadows, wakeShadow, type Shadows } from "./services/shadow/service.js";
import { awsShadowLimits, noShadowLimits } from "./services/shadow/throttle.js";
import { createShadowTopics } from "./services/shadow/topics.js";
import { createSplitProvisioning, type SplitProvisioning } from "./services/split-provisioning/topics.js";
import { parsePolicyDocument } from "./policy/document.js";
import { openOperationRunner } from "./services/runner.js";
import type { EffectRunner } from "./services/runner.js";
import { loadServerCertificateIssuer } from "./services/registry/server-certificates.js";
import { clearStore, noSnapshot, parseSnapshot, restoreSnapshot, takeSnapshot } from "./store/snapshot.js";
import type { StoreSnapshot } from "./store/snapshot.js";
import type { Store, StoreKey } from "./store/store.js";

export const defaultAccount = "123456789012";
export const defaultRegion = "us-east-1";

/** The world that a cloud lives in. Nothing in it is taken from anywhere else. */
export interface CloudDependencies {
  network: Network;
  clock: Clock;
  random: Random;
  files: Files;
  keys: Keys;
  /** Closed with the cloud. */
  store: Store;
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
  /** Names and addresses of the server certificate besides localhost, 127.0.0.1 and ::1. */
  serverNames?: readonly string[];
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
  /** RSA keys made ahead for CreateKeysAndCertificate and provisioning. Default 0: made when they are asked for. */
  keyPoolSize?: number;
  /** Of the MQTT listeners together; the REST port has its own. Default 100,000. */
  connectionsMax?: number;
  /** From the first packet to the finished TLS handshake or WebSocket upgrade. Default: the transport's. */
  handshakeTimeoutMs?: number;
  /** Called for each connection refused before MQTT, besides the log line. */
  onConnectionRefused?: NonNullable<GatewayOptions["onRefused"]>;
}

export interface CloudStats {
  gateway: GatewayStats;
  broker: BrokerStats;
  pendingEffects: number;
  /** Reads of damaged records: each failed what needed it, and was logged with its key. */
  corruptReads: number;
}

export interface CloudAddresses {
  mqtts: Endpoint;
  https: Endpoint;
  mqtt: Endpoint | undefined;
}

/** A running local AWS IoT Core. */
export interface Cloud {
  readonly scope: Scope;
  readonly addresses: CloudAddresses;
  /** What devices have to trust. */
  readonly caPem: string;
  readonly caFile: string;
  /** The REST APIs, without a server in between: an AWS request in, its answer out. */
  handleRest(request: HttpRequest): Promise<HttpResponse>;
  /** Judges a request by its head, for a server that has not read its body: refused, or what it takes to handle it. */
  judgeRest(head: RequestHead): Verdict;
  /** The registry's operations by AWS's names, for {@link run}. */
  readonly registry: Registry;
  /** The Device Shadow service's operations, likewise. */
  readonly shadows: Shadows;
  /** Publish and retained messages without MQTT, likewise. */
  readonly messages: Messages;
  /** Runs a service's operation as MQTT and REST do. `scope` defaults to that of the cloud. */
  run<Input, Result>(operation: Operation<Input, Result>, input: Input, scope?: Scope): Promise<Result>;
  stats(): CloudStats;
  /** Disconnects everybody and forgets all but root CA and server certificate. */
  reset(): Promise<void>;
  /** Everything stored, private keys included. */
  snapshot(): Promise<StoreSnapshot>;
  /** Disconnects everybody and goes back to a snapshot. @throws {ThinglineError} REQUEST_INVALID, STORE_VERSION_UNKNOWN. */
  restore(snapshot: unknown): Promise<void>;
  /** Takes no more, tells the clients, stores what is under way. Leaves nothing behind. Safe to call twice. */
  close(): Promise<void>;
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const dependencyTypes = {
  network: networkOption,
  clock: clockOption,
  random: randomOption,
  files: filesOption,
  keys: keysOption,
  store: "object",
  log: logOption,
} as const satisfies OptionTypes<CloudDependencies>;

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
  serverNames: "array",
  // `aws`, `none` or limits of one's own.
  limits: "any",
  shadowsOfUnknownThings: "string",
  signatures: "string",
  unsignedRequests: "string",
  accessKeys: "array",
  keyPoolSize: "number",
  connectionsMax: "number",
  handshakeTimeoutMs: "number",
  onConnectionRefused: "function",
} as const satisfies OptionTypes<CloudOptions>;

const awsMqttsPort = 8883;
const endpointTypes = new Set(["iot:Data", "iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs"]);

/** What `reset` and `restore` replace. */
interface Engine {
  runner: EffectRunner;
  broker: Broker;
}

/**
 * Starts a local AWS IoT Core on the given adapters. What an earlier process left in the store goes on: sessions,
 * retained messages, effects that were not handed over, wake-ups.
 *
 * @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID, and what opening the store and the folder can throw.
 */
export async function createCloud(dependencies: CloudDependencies, options: CloudOptions): Promise<Cloud> {
  checkOptionTypes(dependencies, dependencyTypes, { of: "createCloud()", required: Object.keys(dependencyTypes) });
  checkOptionTypes(options, optionTypes, { of: "createCloud()", required: ["folder", "mqtts", "https"] });
  checkWords(options);
  const { store, clock } = dependencies;
  const log = createBoundedLog(dependencies.log, { clock });
  const cloud = new LocalCloud({ ...dependencies, log }, options);
  try {
    await cloud.open();
    return cloud;
  } catch (error) {
    await cloud.close().catch((closeError: unknown) => log.error("closeFailed", { error: String(closeError) }));
    await store.close();
    throw error;
  }
}

/** A misspelt word must not leave a door open. */
function checkWords(options: CloudOptions): void {
  const words = { signatures: ["verify", "any"], unsignedRequests: ["allowed", "refused"] } as const;
  for (const name of ["signatures", "unsignedRequests"] as const) {
    const value: string | undefined = options[name];
    if (value === undefined || words[name].some((word) => word === value)) continue;
    const message = `${name} must be ${words[name].join(" or ")}, got ${JSON.stringify(value)}`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: name } });
  }
}

class LocalCloud implements Cloud {
  readonly scope: Scope;
  readonly registry: Registry;
  readonly shadows: Shadows;
  readonly messages: Messages;
  readonly closed: Promise<void>;
  readonly #keys: KeyPool;
  readonly #splitProvisioning: SplitProvisioning;
  readonly #rest: RestApi;
  readonly #dependencies: CloudDependencies;
  readonly #options: CloudOptions;
  #engine: Engine | undefined;
  #gateway: Gateway | undefined;
  #caPem = "";
  #caFile = "";
  /** The last reset or restore: requests wait for it. */
  #maintenance: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(dependencies: CloudDependencies, options: CloudOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.scope = { account: options.account ?? defaultAccount, region: options.region ?? defaultRegion };
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    const { clock, files, log, random, store } = dependencies;
    this.#keys = createKeyPool(dependencies.keys, { size: options.keyPoolSize ?? 0 });
    const keys = this.#keys;
    const storage = { files, folder: options.folder };
    const authority = openDeviceAuthority({ storage, keys, random, nowMs: () => clock.unixMs() });
    const issuer = createCertificateIssuer({ keys, random, authority });
    this.registry = createRegistry({ issuer, parsePolicyDocument, endpointAddress: (type) => this.#endpoint(type) });
    this.shadows = createShadows({ unknownThings: options.shadowsOfUnknownThings ?? "accepted" });
    this.messages = createMessages(this.#limits());
    this.#splitProvisioning = createSplitProvisioning({ issuer, keys, clock, store, log });
    this.#rest = createRestApi(
      {
        operations: [
          ...registryRestOperations(this.registry),
          ...shadowRestOperations(this.shadows),
          ...messageRestOperations(this.messages),
        ],
        run: (scope, operation, input) => this.run(operation, input, scope),
        clock,
        random,
        keys,
        log,
      },
      {
        scope: this.scope,
        signatures: options.signatures ?? "verify",
        unsignedRequests: options.unsignedRequests ?? "allowed",
        accessKeys: checkAccessKeys(options.accessKeys ?? [defaultAccessKey]),
        ownNames: options.serverNames ?? [],
      },
    );
  }

  async open(): Promise<void> {
    const { clock, files, keys, log, network, random, store } = this.#dependencies;
    const { folder, serverNames: extraNames = [], mqtts, https, mqtt } = this.#options;
    const { connectionsMax, handshakeTimeoutMs, onConnectionRefused } = this.#options;
    const loadIssuer = () => loadServerCertificateIssuer({ keys, random });
    const identity = await openServerIdentity({ files, keys, clock, folder, extraNames, loadIssuer });
    // Whatever is wrong with it is told now, not when the first certificate is asked for.
    await readDeviceAuthority({ files, folder }, keys, clock.unixMs());
    if (identity.made.length > 0) log.info("serverCertificateMade", { made: identity.made, ca: identity.caFile });
    this.#caPem = identity.caPem;
    this.#caFile = identity.caFile;
    this.#engine = await this.#openEngine();
    this.#gateway = await openGateway({
      network,
      clock,
      log,
      fingerprint: (der) => toHex(keys.sha256(der)),
      principals: createPrincipals({ store, scope: this.scope, unixMs: () => clock.unixMs() }),
      accept: (connection, who) => this.#accept(connection, who),
      server: identity,
      upgradeFault: (headers) => originFault(headers, headers["host"] ?? "", extraNames),
      mqtts,
      https,
      mqtt,
      ...(connectionsMax === undefined ? {} : { connectionsMax }),
      ...(handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs }),
      ...(onConnectionRefused === undefined ? {} : { onRefused: onConnectionRefused }),
    });
  }

  get addresses(): CloudAddresses {
    const { mqtts, https, mqtt } = this.#opened().gateway;
    return { mqtts, https, mqtt };
  }

  get caPem(): string {
    return this.#caPem;
  }

  get caFile(): string {
    return this.#caFile;
  }

  judgeRest(head: RequestHead): Verdict {
    if (isAdminUrl(head.url)) return judgeAdmin(head, this.#options.serverNames ?? []);
    const refusal = this.#rest.refuse(head);
    return refusal === undefined ? {} : { refusal };
  }

  async handleRest(request: HttpRequest): Promise<HttpResponse> {
    if (isAdminUrl(request.url))
      return handleAdmin(request, {
        cloud: this,
        explainCertificate: (certificateId) => this.run(explainCertificate, { certificateId }),
        ownNames: this.#options.serverNames ?? [],
      });
    return this.#rest.handle(request);
  }

  async run<Input, Result>(operation: Operation<Input, Result>, input: Input, scope = this.scope): Promise<Result> {
    await this.#maintenance;
    const { broker, runner } = this.#opened().engine;
    const result = await runner.run(scope, operation, input);
    const request = operation.request?.(input);
    if (request !== undefined && this.#isOurs(scope)) {
      await broker.ask({ scope, ...request, clientId: httpClientId, certificateId: undefined });
    }
    return result;
  }

  /** Clients are in one account and region; requests over REST may name others, and nobody is connected there. */
  #isOurs({ account, region }: Scope): boolean {
    return account === this.scope.account && region === this.scope.region;
  }

  #publishedElsewhere({ account, region }: Scope, topic: string): void {
    const { account: ownAccount, region: ownRegion } = this.scope;
    const explanation = `devices connect to ${ownAccount} in ${ownRegion}, nobody can hear what is published elsewhere`;
    this.#dependencies.log.warn("publishedElsewhere", { account, region, topic, explanation });
  }

  stats(): CloudStats {
    const { gateway, engine } = this.#opened();
    return {
      gateway: gateway.stats(),
      broker: engine.broker.stats(),
      pendingEffects: engine.runner.pendingEffectCount,
      corruptReads: this.#dependencies.store.corruptReads ?? 0,
    };
  }

  reset(): Promise<void> {
    return this.#maintain("reset", () => clearStore(this.#dependencies.store));
  }

  async snapshot(): Promise<StoreSnapshot> {
    await this.#maintenance;
    this.#opened();
    return takeSnapshot(this.#dependencies.store);
  }

  async restore(snapshot: unknown): Promise<void> {
    // Before anybody is disconnected.
    this.#requireOurs(parseSnapshot(snapshot));
    const { log, store } = this.#dependencies;
    let before: StoreSnapshot | undefined;
    const change = async () => {
      // From a store with damaged records there is no way back, but one on.
      before = await takeSnapshot(store).catch((error: unknown) => {
        if (!isThinglineError(error, "STORE_CORRUPT")) throw error;
        log.warn("restoredOverDamage", { error: error.message });
        return undefined;
      });
      await restoreSnapshot(store, snapshot);
    };
    const undo = async (cause: unknown) => {
      if (before !== undefined) await restoreSnapshot(store, before);
      throw isThinglineError(cause) ? cause : noSnapshot("no cloud can go on from it", cause);
    };
    await this.#maintain("restored", change, undo);
  }

  /** Nobody could ever see what is all of another account or region. @throws {ThinglineError} REQUEST_INVALID */
  #requireOurs(entries: readonly [StoreKey, unknown][]): void {
    // What concerns all accounts has none.
    const scopes = new Set(entries.flatMap(([[account, region]]) => (account === "" ? [] : [`${account} ${region}`])));
    const own = `${this.scope.account} ${this.scope.region}`;
    if (scopes.size === 0 || scopes.has(own)) return;
    const theirs = [...scopes].slice(0, 3).join(", ");
    throw noSnapshot(`it is of account and region ${theirs}, and this cloud is ${own}`);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#gateway?.stop();
    await this.#maintenance;
    await this.#closeEngine();
    await this.#gateway?.close();
    await this.#keys.close();
    await this.#dependencies.store.close();
    this.#resolveClosed();
  }

  #opened(): { engine: Engine; gateway: Gateway } {
    if (this.#engine === undefined || this.#gateway === undefined || this.#closing !== undefined)
      throw new ThinglineError("CLOSED", "the cloud was used after close()");
    return { engine: this.#engine, gateway: this.#gateway };
  }

  /** Between two engines there is none: whoever comes then has to come again. */
  #accept(connection: Connection, identity: ConnectionIdentity): void {
    if (this.#engine === undefined) connection.destroy();
    else this.#engine.broker.accept(connection, identity);
  }

  /** One after the other, with no engine running meanwhile. `undo` puts back what no engine opens with, and throws. */
  #maintain(
    event: string,
    change: () => Promise<void>,
    undo: (error: unknown) => Promise<void> = async (error) => {
      throw error;
    },
  ): Promise<void> {
    const work = this.#maintenance.then(async () => {
      this.#opened();
      await this.#closeEngine();
      try {
        await change();
        this.#engine = await this.#openEngine();
      } catch (error) {
        try {
          await undo(error);
        } finally {
          this.#engine = await this.#openEngine();
        }
      }
      this.#dependencies.log.info(event);
    });
    this.#maintenance = work.catch(() => undefined);
    return work;
  }

  async #openEngine(): Promise<Engine> {
    const { clock, log, random, store } = this.#dependencies;
    const { scope } = this;
    const runner = await openOperationRunner({ store, clock, random, keys: this.#keys, log });
    const broker = await createBroker({
      clock,
      random,
      log,
      store,
      scope,
      runner,
      services: [this.#splitProvisioning, this.#shadowTopics()],
      limits: this.#limits(),
      onConnected: (client) => this.#connected(client, runner),
    });
    await runner.start({
      wakeHandlers: new Map([[shadowServiceName, wakeShadow]]),
      performer: {
        publish: async (other, effect) =>
          this.#isOurs(other) ? broker.publish(effect) : this.#publishedElsewhere(other, effect.topic),
        isWanted: (other, topic) => !this.#isOurs(other) || broker.isWanted(topic),
        disconnect: async (other, { clientId, reason }) =>
          this.#isOurs(other) ? broker.disconnectClient(clientId, reason) : undefined,
        recheckPrincipal: async (other, { certificateId }) =>
          this.#isOurs(other) ? broker.recheckPrincipal(certificateId) : undefined,
      },
    });
    return { runner, broker };
  }

  #connected(
    { clientId, certificateId }: { clientId: string; certificateId: string | undefined },
    runner: EffectRunner,
  ): void {
    if (certificateId === undefined) return;
    this.#splitProvisioning.connected(this.scope, { clientId, certificateId }, runner).catch((error: unknown) => {
      // The next connection proves it as well.
      this.#dependencies.log.error("proofNotRecorded", { clientId, error: String(error) });
    });
  }

  /**
   * Without a port when it is AWS's own, so that what is written for AWS works; with it otherwise, because nobody could
   * guess it.
   */
  #endpoint(endpointType: string): string | undefined {
    if (!endpointTypes.has(endpointType)) return undefined;
    const { host, port } = this.addresses.mqtts;
    return port === awsMqttsPort ? host : `${host}:${port}`;
  }

  /** Operations under way end first, so that their messages still reach who is connected. */
  async #closeEngine(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.runner.close();
    await engine?.broker.close();
  }

  #shadowTopics() {
    const { clock, log } = this.#dependencies;
    const limits = this.#options.limits === "none" ? noShadowLimits : awsShadowLimits;
    return createShadowTopics({ shadows: this.shadows, clock, log, limits });
  }

  #limits(): BrokerLimits {
    const { limits = "aws" } = this.#options;
    if (limits === "aws") return awsLimits;
    return limits === "none" ? noLimits : limits;
  }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
