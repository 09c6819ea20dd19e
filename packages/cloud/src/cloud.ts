import { ThinglineError } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import { defaultAccount, defaultRegion } from "./account-region.js";
import { createBoundedLog } from "./bounded-log.js";
import type { Cloud, CloudAddresses, CloudStats } from "./cloud-facts.js";
import { brokerLimitsOf, checkCloudOptions, objectsEndpointOf, serviceOptionsOf } from "./cloud-options.js";
import type { CloudDependencies, CloudOptions } from "./cloud-options.js";
import { createHttpDoor, openMqttDoor, openMqttIdentity, type HttpDoor, type MqttIdentity } from "./doors.js";
import { openEngine } from "./engine.js";
import { createFunctions, type OpenFunctions } from "./functions/functions.js";
import { rotationHook, rotationHookName } from "./rotation-hook.js";
import { isOfThing } from "./services/registry/index.js";
import { hashBy } from "./hashes.js";
import type { Gateway } from "./gateway/gateway.js";
import { createKeyPool, type KeyPool } from "./key-pool.js";
import { Maintenance } from "./maintenance.js";
import { checkAccessKeys, cloudAccessKeys, defaultAccessKey, type AccessKey } from "./rest/access-keys.js";
import type { CredentialsDoor } from "./credentials-door.js";
import type { RequestHead, RestPeer, ServedResponse, Verdict } from "./rest/admission.js";
import { createServices, type NamedOperations } from "./services/all.js";
import type { FirstConnections } from "./services/certificate-authorities/index.js";
import type { Clients } from "./services/client-directory.js";
import type { IotLog } from "./services/iot-log.js";
import type { Operation, OperationRunner, Scope } from "./services/operation.js";
import { isSameScope } from "./services/same-scope.js";
import type { CloudService } from "./services/service.js";
import { createMemoryBlobStore } from "./store/blob-memory.js";
import type { BlobStore } from "./store/blobs.js";
import type { StoreSnapshot } from "./store/snapshot.js";

export type { Cloud } from "./cloud-facts.js";

/**
 * Starts a local AWS IoT Core on the given adapters. What an earlier process left in the store goes on: sessions,
 * retained messages, effects that were not handed over, wake-ups.
 *
 * @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID, and what opening the store and the folder can throw.
 */
export function createCloud(dependencies: CloudDependencies, options: CloudOptions): Promise<Cloud> {
  return openCloud(dependencies, options, createServices);
}

/** @param listServices makes the services of the cloud; tests add one of their own to the list */
export async function openCloud(
  dependencies: CloudDependencies,
  options: CloudOptions,
  listServices: typeof createServices,
): Promise<Cloud> {
  checkCloudOptions(dependencies, options);
  const { store, clock } = dependencies;
  const log = createBoundedLog(dependencies.log, { clock });
  const cloud = new LocalCloud({ ...dependencies, log }, options, listServices);
  try {
    await cloud.open();
    return Object.assign(cloud, cloud.named);
  } catch (error) {
    await cloud.close().catch((closeError: unknown) => log.error("closeFailed", { error: String(closeError) }));
    await store.close();
    throw error;
  }
}

class LocalCloud implements Omit<Cloud, keyof NamedOperations> {
  readonly scope: Scope;
  readonly named: NamedOperations;
  readonly closed: Promise<void>;
  readonly #keys: KeyPool;
  readonly #functions: OpenFunctions;
  readonly #blobs: BlobStore;
  readonly #services: readonly CloudService[];
  readonly #http: HttpDoor;
  readonly #maintenance: Maintenance;
  readonly #dependencies: CloudDependencies;
  readonly #options: CloudOptions;
  readonly #firstConnections: FirstConnections;
  readonly #accessKeys: readonly AccessKey[];
  readonly #iotLog: IotLog | undefined;
  #gateway: Gateway | undefined;
  #identity: MqttIdentity | undefined;
  #credentials: CredentialsDoor | undefined;
  #closing: Promise<void> | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(dependencies: CloudDependencies, options: CloudOptions, listServices: typeof createServices) {
    const { account = defaultAccount, region = defaultRegion, folder } = options;
    this.#dependencies = dependencies;
    this.#options = options;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    const keys = createKeyPool(dependencies.keys, { size: options.keyPoolSize ?? 0 });
    const blobs = dependencies.blobs ?? createMemoryBlobStore({ sha256: (content) => keys.sha256(content) });
    const rotation = rotationHook((input) => this.run(isOfThing, input));
    const functions = createFunctions({ [rotationHookName]: rotation, ...dependencies.functions }, dependencies);
    const deps = { ...dependencies, keys, blobs, functions };
    const scope = { account, region };
    const mqttsEndpoint = () => this.addresses.mqtts;
    const clients = (of: Scope) => (isSameScope(of, scope) ? this.#clients : undefined);
    const { credentialsEndpoint = mqttsEndpoint } = options;
    const isAnyTaken = options.signatures === "any";
    const givenKeys = checkAccessKeys(options.accessKeys ?? [defaultAccessKey]);
    const { accessKeys, signingKey } = cloudAccessKeys(givenKeys, { account, random: dependencies.random, isAnyTaken });
    const {
      all: services,
      named,
      firstConnections,
      iotLog,
    } = listServices(
      {
        ...{ ...deps, folder, mqttsEndpoint, credentialsEndpoint, signingKey, clients },
        objectsEndpoint: objectsEndpointOf(options),
        ...{ http: dependencies.http, hash: hashBy(keys, dependencies.hash) },
        statementGuard: dependencies.statementGuard,
        apiUrl: () => options.apiUrl?.(),
      },
      serviceOptionsOf(options),
    );
    const engineOptions = {
      scope,
      limits: brokerLimitsOf(options),
      sessionOwner: options.sessionOwner,
      services,
      iotLog,
    };
    this.#maintenance = new Maintenance({ ...deps, scope, openEngine: () => openEngine(deps, engineOptions) });
    const run: OperationRunner["run"] = (from, operation, input) => this.run(operation, input, from);
    this.#http = createHttpDoor(deps, options, {
      scope,
      services,
      objects: named.objects,
      splitProvisioning: named.splitProvisioning,
      connections: named.connections,
      run,
      accessKeys,
      iotLog,
      cloud: this,
    });
    this.#iotLog = iotLog;
    [this.scope, this.named, this.#keys, this.#blobs, this.#services] = [scope, named, keys, blobs, services];
    this.#functions = functions;
    this.#firstConnections = firstConnections;
    this.#accessKeys = accessKeys;
  }

  async open(): Promise<void> {
    const server = await openMqttIdentity(this.#dependencies, this.#options);
    this.#identity = server;
    await this.#maintenance.open();
    this.#gateway = await openMqttDoor(this.#dependencies, this.#options, {
      server,
      scope: this.scope,
      functions: this.#functions,
      firstConnections: this.#firstConnections,
      accessKeys: this.#accessKeys,
      handleHttp: (request, peer) => this.#http.handleDevice(request, peer),
      iotLog: this.#iotLog,
      run: (from, operation, input) => this.run(operation, input, from),
      accept: (connection, identity) => {
        // Whoever comes between two engines has to come again.
        const engine = this.#maintenance.current;
        if (engine === undefined) connection.destroy();
        else engine.broker.accept(connection, identity);
      },
    });
  }

  get addresses(): CloudAddresses {
    const { mqtts, https, mqtt } = this.#openGateway;
    return { mqtts, https, mqtt };
  }

  get caPem(): string {
    return this.#identity?.caPem ?? "";
  }

  get caFile(): string {
    return this.#identity?.caFile ?? "";
  }

  judgeRest(head: RequestHead): Verdict | Promise<Verdict> {
    return this.#http.judge(head);
  }

  handleRest(request: HttpRequest): Promise<HttpResponse> {
    return this.#http.handle(request);
  }

  judgeObjects(head: RequestHead): Verdict | Promise<Verdict> {
    return this.#http.judgeObjects(head);
  }

  serveObjects(head: RequestHead, body: AsyncIterable<Uint8Array>): Promise<ServedResponse> {
    return this.#http.serveObjects(head, body);
  }

  async handleCredentials(request: HttpRequest, peer: RestPeer): Promise<HttpResponse> {
    return (this.#credentials ??= await this.#openCredentials())(request, peer);
  }

  /** Read when a device asks for credentials: a cloud starts without it. */
  async #openCredentials(): Promise<CredentialsDoor> {
    const { createCredentialsDoor } = await import("./credentials-door.js");
    const run: OperationRunner["run"] = (from, operation, input) => this.run(operation, input, from);
    const { serverNames: ownNames = [] } = this.#options;
    return createCredentialsDoor({ ...this.#dependencies, run }, { scope: this.scope, ownNames });
  }

  async run<Input, Result>(operation: Operation<Input, Result>, input: Input, scope = this.scope): Promise<Result> {
    const engine = await this.#maintenance.ready();
    const result = await engine.run(scope, operation, input);
    const settling = engine.settled(scope);
    if (settling !== undefined) await settling;
    return result;
  }

  stats(): CloudStats {
    const { broker, runner } = this.#maintenance.engine;
    return {
      gateway: this.#openGateway.stats(),
      broker: broker.stats(),
      rest: this.#http.stats(),
      pendingEffects: runner.pendingEffectCount,
      corruptReads: this.#dependencies.store.corruptReads ?? 0,
    };
  }

  reset(): Promise<void> {
    return this.#maintenance.reset();
  }

  snapshot(): Promise<StoreSnapshot> {
    return this.#maintenance.snapshot();
  }

  restore(snapshot: unknown): Promise<void> {
    return this.#maintenance.restore(snapshot);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#gateway?.stop();
    // Whoever waits for one gives up, so that what runs can end.
    await this.#functions.close();
    await this.#maintenance.close();
    await this.#gateway?.close();
    for (const service of this.#services) await service.close?.();
    await this.#keys.close();
    await this.#blobs.close();
    await this.#dependencies.store.close();
    this.#resolveClosed();
  }

  /** Of the engine that there is: a request that is under way must not wait for the next one. @throws {ThinglineError} CLOSED */
  get #clients(): Clients {
    const engine = this.#maintenance.current;
    if (engine === undefined)
      throw new ThinglineError("CLOSED", "everybody is being disconnected for a reset or a restore");
    return engine.broker.clients;
  }

  /** @throws {ThinglineError} CLOSED */
  get #openGateway(): Gateway {
    if (this.#gateway !== undefined && this.#closing === undefined) return this.#gateway;
    throw new ThinglineError("CLOSED", "the cloud was used after close()");
  }
}
